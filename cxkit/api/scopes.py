"""The scope: whom what happens here and now is about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cxkit.api.declared import unconfigured
from cxkit.capture.scope import Scope, current_scope, enter
from cxkit.codec.wire import check_context
from cxkit.errors import StateError
from cxkit.flows import carriage
from cxkit.flows.consent import choose
from cxkit.flows.identify import identifiers_of
from cxkit.flows.identify import identify as identify_flow
from cxkit.flows.known import Known
from cxkit.kit import current_kit, default_kit
from cxkit.model import JSON, Context, Evidence, Identity, Person, Profile
from cxkit.model.consent import Method
from cxkit.rules.identity import join

if TYPE_CHECKING:
    from cxkit.kit import Kit

__all__ = ["carry", "grant", "identify", "pack", "profile", "scope", "unpack", "withdraw"]

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def scope(
    *,
    channel: str | None = None,
    locale: str | None = None,
    timezone: str | None = None,
    session: str | None = None,
    evidence: Evidence = "claim",
    kit: Kit | None = None,
    **identifiers: str | int,
) -> Iterator[None]:
    """A unit of work with a customer of its own: a call, a job, a message.

    Args:
        channel: Where it happens: ``phone``, ``store``, ...
        evidence: How surely the identifiers are known.
        kit: Another kit than the current one.
        identifiers: Who it is about, by type: ``phone="+33..."``, ``user_id="nancy"``. Contacts are hashed.

    Example:
        >>> from cxkit.testing import recorder
        >>> from cxkit import touchpoint
        >>> CALLED = touchpoint("call.answered", purpose="necessary")
        >>> with recorder() as record, scope(channel="phone", phone="+33 1 23 45 67 89"):
        ...     _ = CALLED.capture(topic="discounts")
        >>> record.one("call.answered").channel
        'phone'
    """
    context = Context(channel=channel, locale=locale, timezone=timezone, session=session)
    opened = _open(kit, context, identifiers, evidence)
    if opened is None:
        yield
        return
    enter(opened)
    try:
        yield
    finally:
        opened.close()


def _open(kit: Kit | None, context: Context, identifiers: Mapping[str, str | int], evidence: Evidence) -> Scope | None:
    try:
        kit = kit or current_kit()
    except Exception as error:  # noqa: BLE001 - the guest's promise
        unconfigured(error)
        return None
    opened = kit.open_scope(Context(), parent=current_scope())
    try:
        check_context(context)
        opened.change(context=context)
        found = identifiers_of(kit.desk.keyring, identifiers, evidence=evidence)
        opened.change(identity=join(Identity(), found))
        kit.desk.recall(opened, patience_s=kit.patience_s())
    except Exception as error:  # noqa: BLE001 - the guest's promise
        kit.intake.note(error)
    return opened


def carry(work: Callable[P, R]) -> Callable[P, R]:
    """``work``, to be done elsewhere (a thread, an executor) in the scope of here and now.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from cxkit.testing import recorder
        >>> from cxkit import touchpoint
        >>> SERVED = touchpoint("doc.served")
        >>> with recorder() as record, scope(channel="store"), ThreadPoolExecutor() as pool:
        ...     _ = pool.submit(carry(SERVED.capture)).result()
        >>> record.one("doc.served").channel
        'store'
    """
    here = current_scope()
    taken = None if here is None else here.child()

    @functools.wraps(work)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        there = current_scope()
        own = None if taken is None else taken.child()
        if own is not None:
            own.parent = there
            enter(own)
        try:
            return work(*args, **kwargs)
        finally:
            if own is not None:
                own.close()

    return carried


def pack(*, to: str) -> str | None:
    """The scope of here and now as text, to go with a message to another process; there it is for `unpack`.

    It is signed, and of a contact holds only the keyed hash; all processes need the same ``keys.signing``.

    Args:
        to: The id of the message, or of whom else it is for.

    Returns:
        None if there is nothing to say: no scope.

    Example:
        >>> from cxkit.testing import recorder
        >>> from cxkit import touchpoint
        >>> SENT = touchpoint("letter.sent", purpose="necessary")
        >>> with recorder() as record:
        ...     with scope(user_id="nancy", evidence="login"):
        ...         text = pack(to="message 7")
        ...     with unpack(text, to="message 7"):
        ...         _ = SENT.capture()
        >>> record.one("letter.sent").identity.get("user_id").value
        'nancy'
    """
    here = current_scope()
    if here is None or here.muted:
        return None
    kit: Kit = here.kit
    try:
        return carriage.pack(kit.desk, here, to=to)
    except Exception as error:  # noqa: BLE001 - the guest's promise
        kit.intake.note(error)
        return None


@contextmanager
def unpack(carried: str | None, *, to: str, kit: Kit | None = None) -> Iterator[None]:
    """A unit of work for the customer of another process's scope, as a ``with`` block.

    What that customer chose since then holds here. What was not packed by us, or not for this
    message, tells nothing, and the work is nobody's.

    Args:
        carried: What `pack` returned there.
        to: What it was packed for.
        kit: Another kit than the current one.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder(), unpack(None, to="message 7"):
        ...     profile().person is None
        True
    """
    opened = _open(kit, Context(), {}, "claim")
    if opened is None:
        yield
        return
    if carried is not None:
        theirs: Kit = opened.kit
        try:
            carriage.unpack(theirs.desk, opened, carried, to=to, patience_s=theirs.patience_s())
        except Exception as error:  # noqa: BLE001 - the guest's promise
            theirs.intake.note(error)
    enter(opened)
    try:
        yield
    finally:
        opened.close()


def identify(*, traits: Mapping[str, JSON] | None = None, **identifiers: str | int) -> None:
    """The customer of this scope proved who they are, by a login: the scope so far is theirs.

    Call it wherever your app knows who is signed in, in every request if you like: what is already
    known is not recorded again. A visitor's cookie alone never counts as a login.

    Args:
        traits: What they said of themselves: ``{"plan": "gold"}``.
        identifiers: ``user_id="nancy"``, ``email=...``: as few as needed.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder() as record, scope(channel="web"):
        ...     identify(user_id="nancy", traits={"plan": "gold"})
        ...     profile().traits["plan"]
        'gold'
    """
    _in_scope(
        lambda kit, here: identify_flow(
            kit.desk, here, identifiers=identifiers, traits=traits or {}, patience_s=kit.patience_s()
        )
    )


def grant(*purposes: str, method: Method = "api") -> None:
    """The customer of this scope allows these purposes, from now on.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="web"):
        ...     grant("analytics", "personalization")
        ...     profile().choices["analytics"]
        'granted'
    """
    _in_scope(lambda kit, here: choose(kit.desk, here, purposes, "granted", method=method))


def withdraw(*purposes: str, method: Method = "api") -> None:
    """The customer of this scope refuses these purposes, from now on; what is still unsent is not sent.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(channel="web"):
        ...     withdraw("analytics")
        ...     profile().choices["analytics"]
        'denied'
    """
    _in_scope(lambda kit, here: choose(kit.desk, here, purposes, "denied", method=method))


def profile() -> Profile:
    """What is known of the customer of this scope, and what they chose here and elsewhere.

    Of somebody who is not recognised only the choices are known, if they made any.

    Example:
        >>> profile().traits
        {}
    """
    here = current_scope()
    if here is None:
        return Profile()
    kit: Kit = here.kit
    known = (kit.desk.known(here, patience_s=kit.patience_s()) or Known()).chose(here.choices)
    return Profile(
        person=None if known.person is None else Person(id=known.person),
        traits=known.values(kit.desk.intake.stamper.now()),
        choices={purpose: choice for purpose, (choice, _) in known.choices.items()},
    )


def _in_scope(act: Callable[[Kit, Scope], object]) -> None:
    here = current_scope()
    if here is None:
        _out_of_scope()
        return
    kit: Kit = here.kit
    try:
        act(kit, here)
    except Exception as error:  # noqa: BLE001 - the guest's promise
        kit.intake.note(error)


def _out_of_scope() -> None:
    error = StateError(
        "there is no scope, so there is no customer to act for",
        fix="add the middleware, or open one with `with cxkit.scope(...)`",
        code="CX7002",
    )
    try:
        intake = default_kit().intake
    except Exception as wrong:  # noqa: BLE001 - the guest's promise
        unconfigured(wrong)
    else:
        intake.note(error)
