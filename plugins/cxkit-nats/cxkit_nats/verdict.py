"""What answers, or their absence, mean for what was published.

What made no progress at all ends as the worst of its troubles: retry, or pause where somebody must
mend something. As soon as one message was kept or refused, the others are simply tried again, and
alone they show their trouble.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from cxkit.errors import TransportError
from cxkit.roles import Outcome
from cxkit_nats.message import Message

__all__ = ["Ack", "Failure", "outcome_of", "unreached"]

_TOO_LARGE: Final = 10054
_OTHER_STREAM: Final = 10060
"""Error codes of JetStream (``server/errors.json`` of nats-server)."""


class Failure(msgspec.Struct):
    """Why JetStream did not keep a message. An ``err_code`` of 0: nobody was there to say."""

    code: int = 0
    err_code: int = 0


class Ack(msgspec.Struct):
    """What was answered to one message."""

    error: Failure | None = None
    duplicate: bool = False


def unreached(error: Exception) -> Outcome:
    """What it means that no server let us in."""
    import ssl

    text = str(error).lower()
    if "authorization" in text or "authentication" in text:
        return Outcome.pause("auth")
    broke_off = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    if isinstance(error, TransportError) or (isinstance(error, ssl.SSLError) and not isinstance(error, broke_off)):
        return Outcome.pause("tls")
    return Outcome.retry("deadline" if isinstance(error, TimeoutError) else "network")


def outcome_of(
    messages: Mapping[int, Message],
    acks: Mapping[int, Ack],
    *,
    rejected: Mapping[int, str],
    errors: Sequence[Exception],
) -> Outcome:
    """How an attempt ended.

    Args:
        messages: What was published, by its place in the batch.
        acks: The answers that came, by the same.
        rejected: What was not even published, with the reason.
        errors: What went wrong besides.
    """
    rejected = dict(rejected)
    troubles: dict[int, Outcome] = {}
    for place in messages:
        ack = acks.get(place)
        if ack is None:
            troubles[place] = _unacknowledged(errors)
        elif ack.error is not None and ack.error.err_code == _TOO_LARGE:
            rejected[place] = "message_too_large"
        elif ack.error is not None:
            troubles[place] = _refused(ack.error)
    if rejected or len(troubles) < len(messages):
        return Outcome.reject(rejected, again=troubles) if rejected or troubles else Outcome.delivered()
    return max(troubles.values(), key=lambda trouble: trouble.verdict == "pause")


def _refused(failure: Failure) -> Outcome:
    """What it means that JetStream answered with an error."""
    if not failure.err_code:
        return Outcome.retry("no_stream")
    if failure.err_code == _OTHER_STREAM:
        return Outcome.pause("other_stream")
    reason = f"jetstream_{failure.err_code}"
    return Outcome.retry(reason) if failure.code >= 500 else Outcome.pause(reason)


def _unacknowledged(errors: Sequence[Exception]) -> Outcome:
    """What it means that JetStream did not answer."""
    texts = [str(error).lower() for error in errors]
    if any("permissions violation" in text for text in texts):
        return Outcome.pause("permission")
    if any("authorization" in text or "authentication" in text for text in texts):
        return Outcome.pause("auth")
    return Outcome.retry("deadline" if any(isinstance(error, TimeoutError) for error in errors) else "network")
