"""Reports: as what they are captured, what of them, and by what a repetition is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from cxkit.flows.documents import key_of, message_doc, read
from cxkit.flows.letterbox import write_act
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import JSON, Interaction, Mailing, Message, Preference, Report, TouchpointSpec
from cxkit.model.message import HAPPENINGS, Happening

__all__ = ["HAPPENED", "LEFT", "REVISED", "about", "digest_of", "hashed", "left", "told_of"]

_PURPOSES: Final[Mapping[str, str]] = {"opened": "message_open", "clicked": "analytics"}
_OUTBOUND: Final = frozenset({"queued", "sent", "deferred", "delivered", "bounced", "rejected", "failed", "unknown"})

HAPPENED: Final[Mapping[Happening, TouchpointSpec]] = {
    one: TouchpointSpec(
        name=f"message.{one}",
        kind="message",
        direction="outbound" if one in _OUTBOUND else "inbound",
        purpose=_PURPOSES.get(one, "necessary"),
    )
    for one in HAPPENINGS
}
"""What can happen to a message, as touchpoints: ``message.sent``, ``message.opened``, ..."""


REVISED: Final[Mapping[str, TouchpointSpec]] = {
    how: TouchpointSpec(name="message.verdict_revised", kind="message", purpose=purpose)
    for how, purpose in _PURPOSES.items()
}
"""That whoever opened a message, or followed a link in it, was taken for somebody else before."""


LEFT: Final = TouchpointSpec(name="message.left", kind="message", purpose="necessary", priority="critical")
"""A command: whoever a message was sent to leaves its topic."""


def left(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """Let the recipient of the command's message leave its topic on its channel.

    Raises:
        StoreError: It cannot be read now.
    """
    name = message_doc(str(command.properties["message"]))
    body = reading.get([name]).get(name)
    if body is None:
        return  # never sent, or its recipient was erased meanwhile
    message = read(body, Message)
    at = command.occurred_at
    act = Preference(
        id=command.id, topic=message.topic, channel=message.channel, choice="denied", by="one_click", decided_at=at
    )
    write_act(reading, [key_of(keyring, message.to)], act, at=at)


def about(message: Message | Mailing) -> dict[str, JSON]:
    """What is captured with all of a message, or of its mailing."""
    return {"topic": message.topic, **({"campaign": message.campaign} if message.campaign else {})}


def told_of(report: Report, message: Message | None, *, named: bool) -> dict[str, JSON]:
    """What is captured of a report: nothing that the other side wrote in words of its own.

    Args:
        named: Whether it may say which message it is about.
    """
    bounce = report.bounce
    said: dict[str, JSON] = {
        "message": None if message is None else message.id,
        "provider": report.provider,
        "provider_id": report.provider_id if named else None,
        "reason": report.reason if bounce is None else bounce.reason,
        "bounce": None if bounce is None else bounce.kind,
        "status": None if bounce is None else bounce.status,
        "smtp": None if bounce is None else bounce.smtp,
        "told_at": None if report.at is None or not named else report.at.isoformat(),
    }
    return {name: value for name, value in said.items() if value is not None}


def digest_of(report: Report) -> str:
    """The same for the same report, told again."""
    which = report.event_id or (report.at.isoformat() if report.at else "")
    recipient = "" if report.send else report.recipient or ""
    happened = "" if report.event_id else report.happened
    return hashed(report.send or report.provider_id or "", report.provider or "", happened, which, recipient)


def hashed(*parts: str) -> str:
    """8 bytes, as hexadecimal digits, that stand for these words in this order."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
