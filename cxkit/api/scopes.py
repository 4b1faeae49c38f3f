"""The scope: whom what happens here and now is about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cxkit.capture.scope import Scope, current_scope, enter
from cxkit.codec.wire import check_context
from cxkit.errors import InvalidInteractionError
from cxkit.flows import carriage
from cxkit.flows.identify import usable
from cxkit.kit import current_kit
from cxkit.kit.here import unconfigured
from cxkit.model import Context, Evidence, Identity
from cxkit.rules.identity import join

if TYPE_CHECKING:
    from cxkit.kit import Kit

__all__ = ["carry", "opened_for", "pack", "scope", "unpack"]

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
        identifiers: Who it is about, by type: ``phone="+33 6 39 98 12 34"``, ``user_id="nancy"``. Contacts are hashed.
            A type that nobody declared is taken as it is, unless it is nearly one that somebody did.

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
    opened = opened_for(kit, context, identifiers, evidence)
    if opened is None:
        yield
        return
    enter(opened)
    try:
        yield
    finally:
        opened.close()


def opened_for(
    kit: Kit | None, context: Context, identifiers: Mapping[str, str | int], evidence: Evidence
) -> Scope | None:
    """A scope within the current one, not entered; None where no kit can be configured."""
    try:
        kit = kit or current_kit()
    except Exception as error:  # noqa: BLE001 - the guest's promise
        unconfigured(error)
        return None
    opened = kit.open_scope(Context(), parent=current_scope())
    try:
        check_context(context)
        opened.change(context=context)
        opened.given = context
        opened.chosen_language, opened.given_timezone = context.locale, context.timezone
        if not isinstance(identifiers, Mapping):
            raise InvalidInteractionError(
                "a person was given by something that is no mapping", fix='give {"user_id": "nancy"}', code="CX3166"
            )
        found, wrong = usable(kit.desk, opened, identifiers, evidence=evidence)
        opened.change(identity=join(Identity(), found, types=kit.desk.identifying.types))
        kit.desk.recall(opened, patience_s=kit.patience_s())
        if wrong is not None:
            raise wrong
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
        >>> from cxkit import current
        >>> from cxkit.testing import recorder
        >>> with recorder(), unpack(None, to="message 7"):
        ...     current().profile.person is None
        True
    """
    opened = opened_for(kit, Context(), {}, "claim")
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
