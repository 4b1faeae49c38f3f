"""Touchpoints: the handles with which an app captures."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from cxkit.api.declared import declare
from cxkit.capture.intake import Intake
from cxkit.capture.scope import current_scope
from cxkit.codec.wire import occurrence
from cxkit.errors import DeclarationError, InvalidInteractionError
from cxkit.kit import default_kit
from cxkit.kit.here import unconfigured
from cxkit.model import Feedback, Money, TouchpointSpec
from cxkit.model.interaction import Outcome
from cxkit.model.touchpoint import Direction, Kind, Nature, Presence, Priority, Reach, Stage

if TYPE_CHECKING:
    from cxkit.kit import Kit

__all__ = ["Occurrence", "Ongoing", "Touchpoint", "money", "touchpoint", "touchpoints"]

P = ParamSpec("P")
F = ParamSpec("F")
R = TypeVar("R")
Stamp: TypeAlias = tuple[str, int]

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_SKEW: Final = timedelta(minutes=1)


class Touchpoint(Generic[P]):
    """The handle of a declared touchpoint: capture with it, decorate with it, or measure with it.

    Made by `touchpoint`.
    """

    def __init__(self, spec: TouchpointSpec, properties: Callable[P, object] | None = None) -> None:
        self.spec = spec
        self.shape = properties
        """What makes the properties; None takes any."""

    def __repr__(self) -> str:
        return f"<Touchpoint {self.spec.name}>"

    @classmethod
    def named(cls, name: str) -> Touchpoint[...] | None:
        """The one of that name that was declared in this process; None if there is none."""
        return touchpoints.get(name)

    def capture(self, /, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """One interaction happened, with these properties.

        Returns:
            Its id, for a later ``cause=``; None if it was not kept (consent, no room).
        """
        scope = current_scope()
        if scope is None or args or self.shape is not None:
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
        at: datetime | None = None,
        key: str | None = None,
    ) -> Occurrence[P]:
        """The same touchpoint with fields of the envelope, apart from its own properties.

        Args:
            value: What it was worth, see `money`.
            cause: The id of the interaction that led to it.
            case: The support case it belongs to.
            feedback: The answer that was given.
            at: When it happened, aware; by default now.
            key: What makes this occurrence the same one when it is captured again: with the same ``at``
                it gets the same id, by which whoever receives both keeps one.
        """
        envelope = partial(occurrence, value=value, cause=cause, case=case, feedback=feedback)
        return Occurrence(self, envelope, partial(_stamp, at, key) if at or key else None)

    def interaction(self) -> Ongoing:
        """Measure what happens in a ``with`` block: its duration, and how it ended."""
        return Ongoing(self)

    def __call__(self, function: Callable[F, R]) -> Callable[F, R]:
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
        return cast("Callable[F, R]", _measured(self, function))

    def _capture(
        self,
        args: Iterable[object],
        properties: dict[str, Any],
        envelope: Callable[[], bytes] | None,
        stamp: Callable[[Kit], Stamp] | None = None,
    ) -> str | None:
        try:
            scope = current_scope()
            kit: Kit = default_kit() if scope is None else scope.kit
        except Exception as error:  # noqa: BLE001 - the guest's promise
            unconfigured(error)
            return None
        marks: dict[str, str] = {}
        given: object = properties
        keep = partial(_kept_if_valid, kit, self.spec.name, marks)
        found = keep("properties", "", lambda: self._shaped(args, properties), given)
        extra = keep("envelope", "$envelope", envelope, b"") if envelope else b""
        stamped = keep("time", "$at", partial(stamp, kit), None) if stamp else None
        return kit.intake.capture(scope or kit.root_scope, self.spec, found, extra, marks, stamped)

    def _shaped(self, args: Iterable[object], properties: dict[str, Any]) -> object:
        if self.shape is not None:
            return self.shape(*args, **properties)  # type: ignore[arg-type]  # type checkers hold callers to P
        if args:
            raise TypeError("properties are given by name")
        return properties


def _kept_if_valid(
    kit: Kit, name: str, marks: dict[str, str], what: str, part: str, make: Callable[[], R], otherwise: R
) -> R:
    """What ``make`` makes; if it cannot, the interaction is kept without, and marked."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - the app's own shape may raise anything
        kit.intake.spoilt(f'the {what} given to "{name}"', error)
        marks[part] = f"invalid:{type(error).__name__}"
        return otherwise


def _stamp(at: datetime | None, key: str | None, kit: Kit) -> Stamp:
    stamper = kit.intake.stamper
    if at is None:
        raise InvalidInteractionError("a key was given without a time", fix="give at=, too", code="CX3116")
    if at.utcoffset() is None or not _EARLIEST <= at <= stamper.now() + _CLOCK_SKEW:
        raise InvalidInteractionError(
            "a time is without a time zone, before 1970, or in the future",
            fix="give an aware datetime of the past",
            code="CX3117",
        )
    tail = None if key is None else kit.desk.keyring.identifier_key("occurrence", key)[:8]
    return stamper.stamp_past((at - _EARLIEST) // timedelta(microseconds=1), tail)


class Occurrence(Generic[P]):
    """A touchpoint with fields of the envelope; see `Touchpoint.on`."""

    def __init__(
        self, touchpoint: Touchpoint[P], extra: Callable[[], bytes], stamp: Callable[[Kit], Stamp] | None
    ) -> None:
        self._touchpoint = touchpoint
        self._extra = extra
        self._stamp = stamp

    def capture(self, /, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """As `Touchpoint.capture`."""
        return self._touchpoint._capture(args, kwargs, self._extra, self._stamp)


class Ongoing:
    """An interaction that is going on; captured when its ``with`` block ends, however it ends."""

    def __init__(self, touchpoint: Touchpoint[...]) -> None:
        self._touchpoint = touchpoint
        self._properties: dict[str, Any] = {}
        self._began = 0.0

    def set(self, /, **properties: Any) -> None:
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


def touchpoint(name: str, *, properties: Callable[..., object] | None = None, **declared: Any) -> Touchpoint[...]:
    """Declare a place of contact, once per process.

    Args:
        name: Lower-case words joined by dots, the object first: ``cart.item_added``. Reserved is what cxkit
            captures itself: ``page.viewed``, ``page.engaged``, ``page.vitals``, ``element.clicked``, ``link.left``,
            ``experience.shown``, ``experiment.assigned``, ``experiment.ruled``, ``profile.arrived``,
            ``identity.identified``, ``identity.linked``,
            ``identity.merged``, ``identity.unmerged``, ``identity.merge_refused``, ``identity.ignored``,
            ``identity.logged_out``, ``profile.asked``, ``profile.answered``, ``profile.skipped``, ``profile.expired``,
            ``feedback.given``, ``consent.changed``, ``preference.changed``, ``preference.stopped``,
            ``contact.suppressed``, ``message.counted``, ``experiment.read`` and ``privacy.erased``; of messages
            ``message.queued``, ``message.sent``, ``message.deferred``, ``message.delivered``, ``message.read``,
            ``message.bounced``, ``message.rejected``, ``message.failed``, ``message.opened``, ``message.clicked``,
            ``message.verdict_revised``, ``message.complained``, ``message.unsubscribed``, ``message.subscribed``,
            ``message.autoresponded``, ``message.received`` and ``message.unknown``.
        properties: What makes the properties: an attrs class, a dataclass, any typed callable. It checks
            and completes what is captured, and type checkers hold callers to it.
        declared: The fields of `cxkit.model.TouchpointSpec`.

    Raises:
        DeclarationError: A word is wrong, the name is reserved, or another module has declared it.

    Example:
        >>> from cxkit.testing import recorder
        >>> SEARCHED = touchpoint("shop.searched", stage="consideration")
        >>> with recorder() as record:
        ...     _ = SEARCHED.capture(words=2)
        >>> record.one("shop.searched").properties
        {'words': 2}
    """
    spec = TouchpointSpec(name=name, **declared)
    declare("touchpoint", name)
    made = touchpoints[name] = Touchpoint(spec, properties)
    return made


touchpoints: Final[dict[str, Touchpoint[...]]] = {}
"""By name, those declared in this process; of one that was declared again the last."""


def money(amount: str | int, currency: str) -> Money:
    """An exact amount: ``money("24.90", "EUR")``.

    Raises:
        InvalidInteractionError: It is no amount, or no currency.

    Example:
        >>> money("24.90", "eur").minor
        2490
    """
    return Money(amount, currency)
