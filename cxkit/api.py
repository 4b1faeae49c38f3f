"""What an app uses: handles declared once, and functions for the scope it is in.

Nothing here raises into the app in production, or blocks it. Kits are found when something is
captured: the scope's, else the default one.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Generic, Literal, ParamSpec, TypeVar, cast, overload

from cxkit.capture.intake import Intake
from cxkit.capture.scope import Scope, current_scope, enter
from cxkit.codec.wire import occurrence
from cxkit.delivery.account import Account
from cxkit.delivery.engine import Flushed
from cxkit.errors import CXError, DeclarationError, StateError
from cxkit.flows.consent import choose
from cxkit.flows.decide import decide, show
from cxkit.flows.identify import identifiers_of
from cxkit.flows.identify import identify as identify_flow
from cxkit.kit import Kit, current_kit, default_kit, install
from cxkit.model import (
    JSON,
    Context,
    Decision,
    Evidence,
    ExperienceSpec,
    Feedback,
    Identity,
    Interaction,
    Money,
    Profile,
    TouchpointSpec,
    Variant,
)
from cxkit.model.interaction import Outcome
from cxkit.model.profile import Person
from cxkit.model.touchpoint import Direction, Kind, Nature, Presence, Priority, Reach, Stage
from cxkit.rules.experience import check
from cxkit.rules.identity import join
from cxkit.settings import Settings, load

__all__ = [
    "CXError",
    "Decision",
    "Experience",
    "Feedback",
    "Interaction",
    "Kit",
    "Money",
    "Touchpoint",
    "Variant",
    "carry",
    "close",
    "configure",
    "experience",
    "flush",
    "grant",
    "identify",
    "money",
    "profile",
    "scope",
    "settled",
    "stats",
    "touchpoint",
    "withdraw",
]

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("cxkit")


# --- touchpoints ----------------------------------------------------------------------------------


class Touchpoint(Generic[P]):
    """The handle of a declared touchpoint: capture with it, decorate with it, or measure with it.

    Made by `touchpoint`.
    """

    def __init__(self, spec: TouchpointSpec, properties: Callable[P, object] | None = None) -> None:
        self.spec = spec
        self._shape = properties

    def __repr__(self) -> str:
        return f"<Touchpoint {self.spec.name}>"

    def capture(self, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """One interaction happened, with these properties.

        Returns:
            Its id, for a later ``cause=``; None if it was not kept (consent, no room).
        """
        scope = current_scope()
        if scope is None or args or self._shape is not None:
            return self._capture(args, kwargs, None)
        intake: Intake = scope.intake
        return intake.capture(scope, self.spec, kwargs)

    def on(
        self,
        *,
        value: Money | None = None,
        cause: str | None = None,
        case: str | None = None,
        feedback: Feedback | None = None,
    ) -> Occurrence[P]:
        """The same touchpoint with fields of the envelope, apart from its own properties.

        Args:
            value: What it was worth, see `money`.
            cause: The id of the interaction that led to it.
            case: The support case it belongs to.
            feedback: The answer that was given.
        """
        return Occurrence(self, lambda: occurrence(value=value, cause=cause, case=case, feedback=feedback))

    def interaction(self) -> Ongoing:
        """Measure what happens in a ``with`` block: its duration, and how it ended."""
        return Ongoing(self)

    def __call__(self, function: Callable[..., R]) -> Callable[..., R]:
        """Measure every call of a function: plain, ``async``, or a generator.

        Raises:
            DeclarationError: It is an async generator.
        """
        if inspect.isasyncgenfunction(function):
            raise DeclarationError(
                f'touchpoint "{self.spec.name}" cannot decorate an async generator',
                fix="use `with TOUCHPOINT.interaction():` inside it",
                code="CX3009",
            )
        return cast("Callable[..., R]", _measured(self, function))

    def _capture(
        self, args: Iterable[object], properties: dict[str, Any], envelope: Callable[[], bytes] | None
    ) -> str | None:
        try:
            scope = current_scope()
            kit: Kit = default_kit() if scope is None else scope.kit
        except Exception as error:  # noqa: BLE001 - the guest's promise
            _unconfigured(error)
            return None
        marks: dict[str, str] = {}
        given: object = properties
        found = _kept_if_valid(kit, "", marks, lambda: self._shaped(args, properties), given)
        extra = _kept_if_valid(kit, "$envelope", marks, envelope, b"") if envelope else b""
        return kit.intake.capture(scope or kit.root_scope, self.spec, found, extra, marks)

    def _shaped(self, args: Iterable[object], properties: dict[str, Any]) -> object:
        if self._shape is not None:
            return self._shape(*args, **properties)  # type: ignore[arg-type]
        if args:
            raise TypeError("properties are given by name")
        return properties


def _kept_if_valid(kit: Kit, part: str, marks: dict[str, str], make: Callable[[], R], otherwise: R) -> R:
    """What ``make`` makes; if it cannot, the interaction is kept without, and marked."""
    try:
        return make()
    except Exception as error:
        if kit.settings.strict:
            raise
        kit.intake.noted["part_invalid"] += 1
        marks[part] = f"invalid:{type(error).__name__}"
        return otherwise


class Occurrence(Generic[P]):
    """A touchpoint with fields of the envelope; see `Touchpoint.on`."""

    def __init__(self, touchpoint: Touchpoint[P], extra: Callable[[], bytes]) -> None:
        self._touchpoint = touchpoint
        self._extra = extra

    def capture(self, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """As `Touchpoint.capture`."""
        return self._touchpoint._capture(args, kwargs, self._extra)


class Ongoing:
    """An interaction that is going on; captured when its ``with`` block ends, however it ends."""

    def __init__(self, touchpoint: Touchpoint[...]) -> None:
        self._touchpoint = touchpoint
        self._properties: dict[str, Any] = {}
        self._began = 0.0

    def set(self, **properties: Any) -> None:
        """Add properties, as they become known."""
        self._properties.update(properties)

    def __enter__(self) -> Ongoing:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        duration = timedelta(seconds=time.perf_counter() - self._began)
        ended = partial(
            occurrence,
            outcome=_outcome(kind),
            error=None if kind is None else kind.__name__,
            duration=duration,
        )
        try:
            self._touchpoint._capture((), self._properties, ended)
        except Exception:
            if error is None:  # strict mode; an error of the app itself goes first
                raise


def _outcome(kind: type[BaseException] | None) -> Outcome:
    if kind is None:
        return "completed"
    return "failed" if issubclass(kind, Exception) else "abandoned"


def _measured(touchpoint: Touchpoint[...], function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def measured_async(*args: Any, **kwargs: Any) -> Any:
            with touchpoint.interaction():
                return await function(*args, **kwargs)

        return measured_async
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def measured_generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with touchpoint.interaction():
                return (yield from function(*args, **kwargs))  # type: ignore[no-any-return]

        return measured_generator

    @functools.wraps(function)
    def measured(*args: Any, **kwargs: Any) -> Any:
        with touchpoint.interaction():
            return function(*args, **kwargs)

    return measured


@overload
def touchpoint(
    name: str,
    *,
    properties: Callable[P, object],
    kind: Kind = ...,
    channel: str | None = ...,
    direction: Direction = ...,
    stage: Stage | None = ...,
    purpose: str = ...,
    nature: Nature | None = ...,
    presence: Presence = ...,
    reach: Reach = ...,
    via: str | None = ...,
    promise: str | None = ...,
    priority: Priority = ...,
) -> Touchpoint[P]: ...


@overload
def touchpoint(
    name: str,
    *,
    properties: None = None,
    kind: Kind = ...,
    channel: str | None = ...,
    direction: Direction = ...,
    stage: Stage | None = ...,
    purpose: str = ...,
    nature: Nature | None = ...,
    presence: Presence = ...,
    reach: Reach = ...,
    via: str | None = ...,
    promise: str | None = ...,
    priority: Priority = ...,
) -> Touchpoint[...]: ...


def touchpoint(
    name: str, *, properties: Callable[..., object] | None = None, **declared: Any
) -> Touchpoint[...]:
    """Declare a place of contact, once per process.

    Args:
        name: Lower-case words joined by dots, the object first: ``cart.item_added``.
        properties: What makes the properties: an attrs class, a dataclass, any typed callable. It checks
            and completes what is captured, and type checkers hold callers to it.
        declared: The fields of `cxkit.model.TouchpointSpec`.

    Raises:
        DeclarationError: A word is wrong, or another module has declared this name.

    Example:
        >>> from cxkit.testing import recorder
        >>> SEARCHED = touchpoint("shop.searched", stage="consideration")
        >>> with recorder() as record:
        ...     _ = SEARCHED.capture(words=2)
        >>> record.one("shop.searched").properties
        {'words': 2}
    """
    spec = TouchpointSpec(name=name, **declared)
    _declare("touchpoint", name)
    return Touchpoint(spec, properties)


# --- experiences ----------------------------------------------------------------------------------


class Experience:
    """The handle of a declared experience. Made by `experience`."""

    def __init__(self, spec: ExperienceSpec) -> None:
        self.spec = spec

    def __repr__(self) -> str:
        return f"<Experience {self.spec.name}>"

    def decide(self) -> Decision:
        """What it is for this scope; captures nothing, never raises in production."""
        return self._decide(decide)

    def show(self) -> Decision:
        """`decide`, and one exposure: from now on this counts as really shown."""
        return self._decide(show)

    def _decide(self, verb: Callable[..., Decision]) -> Decision:
        try:
            kit = current_kit()
        except Exception as error:  # noqa: BLE001 - the guest's promise
            _unconfigured(error)
            return self._failed()
        try:
            scope = current_scope() or kit.root_scope
            return verb(kit.desk, scope, kit.experiences.get(self.spec.name, self.spec), wait=kit.may_wait())
        except Exception as error:  # noqa: BLE001 - likewise; raised again in strict mode
            kit.intake.failed(error)
            return self._failed()

    def _failed(self) -> Decision:
        fallback = self.spec.fallback
        return Decision(
            experience=self.spec.name,
            variant=fallback.name,
            form=fallback.form,
            content=fallback.content,
            sequence=fallback.sequence,
            reasons=("fallback: the decision failed",),
        )


def experience(
    name: str, *, fallback: Variant | None = None, variants: Iterable[Variant] = (), level: int = 2
) -> Experience:
    """Declare an element that can adapt, once per process.

    Args:
        name: Lower-case words joined by dots: ``home.hero``.
        fallback: Shown when nothing else fits or is allowed; by default one without content.
        variants: In the order in which they are tried. ``[experiences."NAME"]`` in the configuration replaces
            both.
        level: How wide it reaches, 1 to 4.

    Raises:
        DeclarationError: It is malformed, or another module has declared this name.

    Example:
        >>> from cxkit.testing import recorder
        >>> gold = Variant(name="gold", content="Welcome back", audience={"traits.plan": "gold"}, depth=3)
        >>> hero = experience("doc.hero", fallback=Variant(name="all", content="Welcome"), variants=[gold])
        >>> with recorder():
        ...     hero.decide().content
        'Welcome'
    """
    spec = ExperienceSpec(
        name=name, fallback=fallback or Variant(name="default"), variants=tuple(variants), level=level
    )
    check(spec)
    _declare("experience", name)
    return Experience(spec)


# --- the scope ------------------------------------------------------------------------------------


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


def _open(
    kit: Kit | None, context: Context, identifiers: Mapping[str, str | int], evidence: Evidence
) -> Scope | None:
    try:
        kit = kit or current_kit()
    except Exception as error:
        _unconfigured(error)
        return None
    outer = current_scope()
    opened = kit.open_scope(context, parent=outer)
    try:
        found = identifiers_of(kit.desk.keyring, identifiers, evidence=evidence)
        opened.change(identity=join(Identity(), found))
        kit.desk.recall(opened, wait=kit.may_wait())
    except Exception as error:
        kit.intake.failed(error)
    return opened


def carry(work: Callable[P, R]) -> Callable[P, R]:
    """``work``, to be done elsewhere (a thread, an executor) in the scope of here and now.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from cxkit.testing import recorder
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


def identify(*, traits: Mapping[str, JSON] | None = None, **identifiers: str | int) -> None:
    """The customer of this scope proved who they are, by a login: the scope so far is theirs.

    Args:
        traits: What they said of themselves: ``{"plan": "gold"}``.
        identifiers: ``user_id="nancy"``, ``email=...``: as few as needed.
    """
    _in_scope(
        lambda kit, here: identify_flow(
            kit.desk, here, identifiers=identifiers, traits=traits or {}, wait=kit.may_wait()
        )
    )


def grant(*purposes: str, method: str = "api") -> None:
    """The customer of this scope allows these purposes, from now on."""
    _in_scope(lambda kit, here: choose(kit.desk, here, purposes, "granted", method=method))


def withdraw(*purposes: str, method: str = "api") -> None:
    """The customer of this scope refuses these purposes, from now on; what is still unsent is not sent."""
    _in_scope(lambda kit, here: choose(kit.desk, here, purposes, "denied", method=method))


def profile() -> Profile:
    """What is known of the customer of this scope: their traits and choices. Empty if that is nobody."""
    here = current_scope()
    if here is None:
        return Profile()
    kit: Kit = here.kit
    known = kit.desk.known(here, wait=kit.may_wait())
    if known is None or not here.identity:
        return Profile()
    return Profile(
        person=None if known.person is None else Person(id=known.person),
        traits=known.traits,
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
    except Exception as error:
        kit.intake.failed(error)


def _out_of_scope() -> None:
    error = StateError(
        "there is no scope, so there is no customer to act for",
        fix="add the middleware, or open one with `with cxkit.scope(...)`",
        code="CX7002",
    )
    try:
        intake = default_kit().intake
    except Exception as wrong:  # noqa: BLE001 - the guest's promise
        _unconfigured(wrong)
    else:
        intake.failed(error)


# --- the kit --------------------------------------------------------------------------------------


def configure(settings: Settings | None = None) -> Kit:
    """Build the default kit now, from ``settings`` or from files and environment; the earlier one is closed.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    kit = Kit(settings or load())
    before = install(kit)
    if isinstance(before, Kit):
        before.close()
    return kit


def flush(*, timeout_s: float = 5.0) -> Flushed:
    """As `Kit.flush`, of the current kit."""
    return current_kit().flush(timeout_s=timeout_s)


def close(*, timeout_s: float | None = None) -> Flushed:
    """As `Kit.close`, of the current kit."""
    return current_kit().close(timeout_s=timeout_s)


def stats() -> Account:
    """What became of everything captured: the account of the current kit."""
    return current_kit().account()


async def settled(*, timeout_s: float = 1.0) -> bool:
    """As `Kit.settled`, of the current kit."""
    return await current_kit().settled(timeout_s=timeout_s)


def money(amount: str | int, currency: str) -> Money:
    """An exact amount: ``money("24.90", "EUR")``.

    Raises:
        InvalidInteractionError: It is no amount, or no currency.
    """
    return Money(amount, currency)


# --- inside ---------------------------------------------------------------------------------------

_declared: dict[tuple[str, str], str] = {}
"""Kind and name to the module that declared it; a module may do so again (reload, notebooks)."""


def _declare(kind: Literal["touchpoint", "experience"], name: str) -> None:
    module = sys._getframe(2).f_globals.get("__name__", "?")
    owner = _declared.setdefault((kind, name), module)
    if owner != module:
        raise DeclarationError(
            f'{kind} "{name}" is already declared in {owner}',
            fix="import it from there, or name this one differently",
            code="CX3008",
        )


_warned = False


def _unconfigured(error: Exception) -> None:
    """The default kit cannot be built: say so once, and let the app run on."""
    global _warned
    if not _warned:
        _warned = True
        logger.error("cxkit: nothing is captured, for cxkit cannot be configured: %s", error)
