"""What may be sent to a customer: what they want, and whether now is the time."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from cxkit.api.scopes import scope
from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.flows import preferences, sending
from cxkit.kit import current_kit
from cxkit.kit.here import in_scope
from cxkit.model import Blocked, Choice, Evidence
from cxkit.model.consent import Act, SuppressionReason
from cxkit.rules.preferences import Clear, Deferred

if TYPE_CHECKING:
    from cxkit.kit import Kit

__all__ = ["Blocked", "Clear", "Deferred", "may_send", "prefer", "sent", "stop_marketing", "suppress"]


def prefer(
    topic: str,
    channel: str,
    choice: Choice,
    *,
    by: Act = "user",
    evidence: Evidence = "claim",
    **address: str | int,
) -> None:
    """The customer wants this topic on this channel (``granted``), or no longer (``denied``). Nothing else changes.

    Args:
        topic: One of those in the configuration.
        by: Whose act it is: the customer's, their mail program's ``one_click``, an ``operator``'s or an ``import``'s.
            Never take it from a request.
        evidence: How surely the address is theirs. To leave needs none; to join needs at least a ``token``: they
            followed a link in a message to it.
        address: Whose choice it is, if not that of the scope's customer: ``email=...``.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(user_id="nancy", evidence="login"):
        ...     prefer("news", "email", "granted")
        ...     may_send("news", "email"), str(may_send("news", "sms"))
        (Clear(), 'send:marketing:not_granted:sms')
    """
    with _about(address, evidence):
        in_scope(
            lambda kit, here: preferences.prefer(
                kit.desk, here, topic, channel, choice, by=by, patience_s=kit.patience_s()
            )
        )


def stop_marketing(
    *, lifted: bool = False, by: Act = "user", evidence: Evidence = "claim", **address: str | int
) -> None:
    """The customer wants no marketing at all any more, on no channel. Leaving the last topic is not the same.

    Args:
        lifted: They take it back; what they chose for single topics holds again.
        by: As for `prefer`; so are evidence and address.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(user_id="nancy", evidence="login"):
        ...     prefer("news", "email", "granted")
        ...     stop_marketing()
        ...     str(may_send("news", "email"))
        'send:marketing:opted_out:email'
    """
    with _about(address, evidence):
        in_scope(
            lambda kit, here: preferences.stop_marketing(
                kit.desk, here, lifted=lifted, by=by, patience_s=kit.patience_s()
            )
        )


def suppress(channel: str, reason: SuppressionReason, *, lifted_by: str | None = None, **address: str | int) -> None:
    """Nothing must go to this address on this channel any more, whatever its owner prefers.

    A ``hard_bounce`` and a ``complaint`` stop everything, an ``operator``'s word all but what is transactional.

    Args:
        lifted_by: The operator who takes an earlier one for this reason back: nothing else does, no delivery either.
        address: ``email="nancy@example.com"``.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder(), scope(email="nancy@example.com", evidence="login"):
        ...     prefer("news", "email", "granted")
        ...     suppress("email", "hard_bounce", email="nancy@example.com")
        ...     str(may_send("news", "email"))
        'send:marketing:hard_bounce:email'
    """
    with _about(address, "claim"):
        in_scope(
            lambda kit, here: sending.suppress(
                kit.desk, here, channel, reason, lifted_by=lifted_by, patience_s=kit.patience_s()
            )
        )


def sent(topic: str, channel: str, **address: str | int) -> None:
    """A message of this topic was sent to the customer; where a frequency cap counts such, it counts.

    Args:
        address: Whom it was sent to, if not the scope's customer.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder() as record, scope(user_id="nancy", evidence="login"):
        ...     sent("news", "email")
        >>> record.interactions  # no cap is configured
        []
    """
    with _about(address, "claim"):
        in_scope(lambda kit, here: sending.sent(kit.desk, here, topic, channel))


def may_send(
    topic: str, channel: str, *, timezone: str | None = None, **address: str | int
) -> Clear | Blocked | Deferred:
    """Whether a message of this topic may go to the customer on this channel now.

    Ask right before you send, and say `sent` right after. With a remote store ask in a thread: an event loop never
    waits, so there it cannot be known.

    Args:
        timezone: Theirs, for the quiet hours; by default the one given to the scope, else their trait ``timezone``,
            else that of where they seem to be. Where there is no such zone, only what is transactional goes out.
        address: Whom it goes to, if not the scope's customer: ``email=...``.

    Returns:
        `Clear`; or `Blocked`, with its reason, and counted; or `Deferred`: not before a moment, and then ask again.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     answer = may_send("news", "email", email="nancy@example.com")
        >>> answer.reason
        'not_granted'
    """
    answers: list[Clear | Blocked | Deferred] = []

    def ask(kit: Kit, here: Scope) -> None:
        if len(here.identity.identifiers) < len(address):
            return  # not all that was named is known: what is said of the rest may not be what was asked
        patience_s = kit.patience_s()
        answers.append(sending.may_send(kit.desk, here, topic, channel, timezone=timezone, patience_s=patience_s))

    with _about(address, "claim"):
        in_scope(ask)
    return answers[0] if answers else _not_asked(topic, channel)


def _not_asked(topic: str, channel: str) -> Blocked:
    """What cannot even be asked is not sent; where there is a kit, that is counted."""
    kind, intake = "marketing", None
    try:
        kit = current_kit()
        intake = kit.intake
        kind = getattr(kit.desk.sending.topic(topic), "kind", kind)
    except Exception as error:  # noqa: BLE001 - the guest's promise; what is wrong was told when it was asked
        let_through(error)
    wrong = Blocked(gate="send", purpose=kind, reason="invalid", destination=_named(channel))
    if intake is not None:
        intake.block(wrong)
    return wrong


def _named(channel: object) -> str:
    return (channel if isinstance(channel, str) else type(channel).__name__)[:64]


def _about(address: dict[str, str | int], evidence: Evidence) -> AbstractContextManager[None]:
    """A scope about whoever has this address; where none is given, the scope of here and now."""
    identifiers: dict[str, Any] = dict(address)
    return scope(evidence=evidence, **identifiers) if address else nullcontext()
