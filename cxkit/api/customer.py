"""The customer of the scope that is current: who they are, what they allow, what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import attrs

from cxkit.capture.scope import Scope, current_scope
from cxkit.flows import consent as consenting
from cxkit.flows import link as linking
from cxkit.flows.identify import identify as identify_flow
from cxkit.flows.profile import profile
from cxkit.kit.here import in_scope
from cxkit.model import JSON, Choice, Context, Identity, Notice, Profile, Trait
from cxkit.model.consent import Method
from cxkit.model.profile import How, Provenance
from cxkit.rules.consent import Allowed, to_categories, to_consent_mode

if TYPE_CHECKING:
    from cxkit.kit import Kit

__all__ = [
    "Current",
    "Notice",
    "choose",
    "current",
    "declare",
    "grant",
    "identify",
    "link",
    "logout",
    "signal",
    "trait",
    "withdraw",
]


def identify(*, traits: Mapping[str, JSON | Trait] | None = None, **identifiers: str | int) -> None:
    """The customer of this scope proved who they are, by a login: the scope so far is theirs.

    Call it wherever your app knows who is signed in, in every request if you like: what is already
    known is not recorded again. A visitor's cookie alone never counts as a login.

    Args:
        traits: What they said of themselves: ``{"plan": "gold"}``; for what is counted, collected, only observed
            or ends, see `trait`.
        identifiers: ``user_id="nancy"``, ``email=...``: as few as needed. Each proves who they are: ``plan="gold"``
            here would be a device that all who have that plan share; it belongs among the traits.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder() as record, scope(channel="web"):
        ...     identify(user_id="nancy", traits={"plan": "gold"})
        ...     current().profile.traits["plan"]
        'gold'
    """
    in_scope(
        lambda kit, here: identify_flow(
            kit.desk, here, identifiers=identifiers, traits=traits or {}, patience_s=kit.patience_s()
        )
    )


def trait(
    value: JSON, *, how: How = "set", provenance: Provenance = "declared", expires_in_s: float | None = None
) -> Trait:
    """A trait for `identify` that is not simply what the customer declared.

    Args:
        value: What it is set to; the number that is added; the list of what is united with what is there.
        how: ``set_once`` keeps the earliest, ``increment`` adds up, ``union`` collects texts and numbers.
        provenance: How it is known: what is ``inferred`` never replaces what was ``observed``, nor that what they
            ``declared``.
        expires_in_s: How long it lives; only what is ``set`` can end.

    Raises:
        InvalidInteractionError: The value cannot be used in that way.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(user_id="nancy", evidence="login"):
        ...     for _ in range(2):
        ...         identify(traits={"visits": trait(1, how="increment"), "likes": trait(["tea"], how="union")})
        ...     current().profile.traits
        {'visits': 2, 'likes': ['tea']}
    """
    return Trait(value=value, how=how, provenance=provenance, expires_in_s=expires_in_s)


def link(**identifiers: str | int) -> None:
    """These identifiers belong to the customer of this scope, too: a loyalty card at the till, a second address.

    It is no login: it is as sure as the customer is known here. What belongs to somebody else who ever logged in
    stays theirs, and shows nothing of them. Of each type the scope keeps what it holds.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     with scope(user_id="nancy", evidence="login"):
        ...         identify(traits={"plan": "gold"})
        ...         link(loyalty="4711")
        ...     with scope(loyalty="4711"):
        ...         current().profile.traits
        {'plan': 'gold'}
    """
    in_scope(lambda kit, here: linking.link(kit.desk, here, identifiers=identifiers, patience_s=kit.patience_s()))


def logout() -> None:
    """The customer of this scope left: nothing of them stays, and whoever comes next is a new visitor.

    Call it where your app ends the login. What was chosen in this browser holds on.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(user_id="nancy", evidence="login"):
        ...     logout()
        ...     current().identity
        Identity(identifiers=())
    """
    in_scope(lambda kit, here: linking.logout(kit.desk, here))


def grant(*purposes: str, method: Method = "api", notice: Notice | None = None) -> None:
    """The customer of this scope allows these purposes, from now on; of the others this says nothing.

    Args:
        notice: The text that they saw: ``cxkit.Notice(id="banner", version="4", language="fr")``.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="web"):
        ...     grant("analytics", "personalization")
        ...     current().profile.choices["analytics"]
        'granted'
    """
    _answer(purposes, "granted", method, notice)


def withdraw(*purposes: str, method: Method = "api", notice: Notice | None = None) -> None:
    """The customer of this scope refuses these purposes, from now on; what is still unsent is not sent.

    Args:
        notice: See `grant`.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="web"):
        ...     withdraw("analytics")
        ...     current().profile.choices["analytics"]
        'denied'
    """
    _answer(purposes, "denied", method, notice)


def choose(*purposes: str, method: Method = "save", notice: Notice | None = None) -> None:
    """The customer of this scope answered a form that lists every purpose: these are allowed, all others refused.

    With no purpose at all, everything is refused.

    Args:
        notice: See `grant`.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="web"):
        ...     choose("analytics")
        ...     current().profile.choices["analytics"], current().profile.choices["advertising"]
        ('granted', 'denied')
    """
    _answer(purposes, None, method, notice)


def _answer(purposes: tuple[str, ...], choice: Choice | None, method: Method, notice: Notice | None) -> None:
    in_scope(lambda kit, here: consenting.answer(kit.desk, here, purposes, choice, method=method, notice=notice))


def signal(**texts: str) -> None:
    """What the browser or app of this scope says of its owner's choices: a TC string, a GPP string, GPC.

    ``gpc="1"`` is the header of that name, from where only a script can see it. The others are read by plugins;
    what they say is recorded once, with the text, as a choice.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="app"):
        ...     grant("advertising")
        ...     signal(gpc="1")
        ...     "advertising" in current().allowed
        False
    """
    in_scope(lambda kit, here: consenting.signalled(kit.desk, here, texts))


def declare(*, residence: str | None = None, minor: bool = False) -> None:
    """Where the customer of this scope is at home, or that they are a child: it decides what holds without a choice.

    Say it again in each scope; or tell `identify` the traits ``residence`` and ``minor`` once.

    Args:
        residence: ISO 3166: ``FR``, ``US-CA``. Used where ``consent.policy`` is ``regional``.
        minor: They are under 16; or their age is not known, and this addresses children.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="app"):
        ...     declare(minor=True)
        ...     sorted(current().allowed)
        ['necessary']
    """
    in_scope(lambda kit, here: consenting.declare(kit.desk, here, residence=residence, minor=minor))


@attrs.frozen(kw_only=True)
class Current:
    """The scope that is current, to look at. Made by `current`."""

    identity: Identity = attrs.field(factory=Identity)
    """The identifiers known here, each with its evidence."""
    context: Context = attrs.field(factory=Context)
    allowed: frozenset[str] = frozenset()
    """The purposes that are allowed now."""
    pending: bool = False
    """Whether what the store knows of this customer is still on its way."""
    _scope: Scope | None = attrs.field(default=None, eq=False, repr=False)

    def __bool__(self) -> bool:
        """Whether there is a scope at all."""
        return self._scope is not None

    @property
    def consent_mode(self) -> dict[str, Choice]:
        """What is allowed in the seven signals of Google Consent Mode v2; what is undecided is denied."""
        return to_consent_mode(Allowed(granted=self.allowed))

    def categories(self, categories: Mapping[str, Collection[str]]) -> dict[str, bool]:
        """Whether all that each category of yours stands for is allowed: ``categoryPreferences`` of Segment.

        Args:
            categories: Their ids, each with its purposes: ``{"C0002": ["analytics"]}``.
        """
        return to_categories(Allowed(granted=self.allowed), categories=categories)

    @property
    def profile(self) -> Profile:
        """What is known of the customer, and what they chose here and elsewhere. Read anew each time.

        Of somebody who is not recognised only the choices are known, if they made any.
        """
        if self._scope is None:
            return Profile()
        kit: Kit = self._scope.kit
        try:
            return profile(kit.desk, self._scope, patience_s=kit.patience_s())
        except Exception as error:  # noqa: BLE001 - the guest's promise
            kit.intake.note(error)
            return Profile()


def current() -> Current:
    """The scope of here and now; where there is none, one that is about nobody, and false.

    Example:
        >>> from cxkit import scope
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="store"):
        ...     identify(user_id="nancy", traits={"plan": "gold"})
        ...     current().context.channel, current().profile.traits
        ('store', {'plan': 'gold'})
    """
    here = current_scope()
    if here is None:
        return Current()
    kit: Kit = here.kit
    try:
        kit.desk.follow(here)
    except Exception as error:  # noqa: BLE001 - the guest's promise
        kit.intake.note(error)
    return Current(
        identity=here.identity,
        context=here.context,
        allowed=here.allowed.granted,
        pending=here.pending,
        scope=here,
    )
