"""Reports that a program can read: what became of a message, recipient by recipient.

Sources: RFC 3464 (delivery status), RFC 6533 (internationalised addresses), RFC 8098 (what was displayed).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from cxkit_email.inbound.addresses import from_xtext, only_address
from cxkit_email.inbound.mail import Mail, Part

__all__ = ["Status", "displayed", "statuses"]

_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,40})\s{0,4}:\s{0,9}(.{0,4000})")
_LOOKS: Final = re.compile(r"^(?:final|original)-recipient\s{0,4}:\s{0,9}\S", re.I | re.M)
_ACTION: Final = re.compile(r"^action\s{0,4}:\s{0,9}\w", re.I | re.M)
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_TYPED: Final = re.compile(r"\A\s{0,9}[A-Za-z0-9-]{2,20}\s{0,9};")


@attrs.frozen(kw_only=True)
class Status:
    """What a report says of one recipient."""

    action: str
    """``failed``, ``delayed``, ``delivered``, ``relayed``, ``expanded``; ``""`` where it says none of these."""
    recipient: str | None = attrs.field(default=None, repr=False)
    """To whom it was sent, where that is told; else to whom it was not delivered in the end."""
    final: str | None = attrs.field(default=None, repr=False)
    status: str | None = None
    diagnostic: str = attrs.field(default="", repr=False)


def statuses(mail: Mail, *, by_server: bool) -> list[Status]:
    """Each recipient of each delivery report in a message; a report by another name is one.

    Args:
        by_server: Then one within a message within it counts too. People send those on, and mean something else.
    """
    own = [part for part in mail.own if _is_report(part)]
    wrapped = [part for part in mail.parts if _is_report(part)] if by_server and not own else []
    found = [status for part in own or wrapped for status in _of_part(part)]
    if len(found) == 1 and found[0].recipient is None:
        found = [attrs.evolve(found[0], recipient=only_address(mail.headers.get("x-failed-recipients")))]
    return found


def displayed(mail: Mail) -> bool:
    """Whether the recipient's program says that it displayed the message."""
    part = next((part for part in mail.own if part.kind == "message/disposition-notification"), None)
    return part is not None and "displayed" in _grouped(part.text)[0].get("disposition", "").casefold()


def _is_report(part: Part) -> bool:
    if part.kind in {"message/rfc822", "text/rfc822-headers", "text/html"}:
        return False
    named = "delivery-status" in part.kind or "deliverystatus" in part.kind or "delivery_status" in part.kind
    written = part.kind.startswith(("text/", "message/"))
    return bool(named or (written and _LOOKS.search(part.text) and _ACTION.search(part.text)))


def _of_part(part: Part) -> Iterator[Status]:
    for fields in _grouped(part.text):
        original = _address(fields.get("original-recipient", ""))
        final = _address(fields.get("final-recipient", ""))
        if not (original or final or "final-recipient" in fields):
            continue
        status = _STATUS.search(fields.get("status", ""))
        yield Status(
            action=_action(fields.get("action", ""), status[0] if status else ""),
            recipient=original or final or _address(fields.get("x-actual-recipient", "")),
            final=final,
            status=status[0] if status else None,
            diagnostic=_TYPED.sub("", fields.get("diagnostic-code", ""), count=1).strip(),
        )


def _grouped(text: str) -> list[dict[str, str]]:
    """Fields by recipient: groups are parted by blank lines, and by servers that forget those."""
    groups: list[dict[str, str]] = [{}]
    last = ""
    for line in text.splitlines():
        if not line.strip():
            groups.append({})
            last = ""
        elif line[0] in " \t" and last:
            groups[-1][last] = f"{groups[-1][last]} {line.strip()}"[:4096]
        elif match := _FIELD.match(line):
            last = match[1].casefold()
            if last in groups[-1] and last in {"final-recipient", "original-recipient"}:
                groups.append({})
            groups[-1].setdefault(last, match[2].strip())
    return groups


def _action(value: str, status: str) -> str:
    word = value.strip().casefold()
    for action in ("failed", "delayed", "delivered", "relayed", "expanded"):
        if word.startswith(action[:-2]):  # "failure", "delayed (will retry)"
            return action
    return {"2": "delivered", "4": "delayed" if not word else "failed", "5": "failed"}.get(status[:1], "")


def _address(value: str) -> str | None:
    kind, _, rest = value.partition(";")
    if not rest:
        kind, rest = "rfc822", kind
    rest = rest.strip()
    encoded = "\\x{" in rest or "@" not in rest
    return only_address(from_xtext(rest) if encoded else rest) if rest else None
