"""receive: a mail that came to us, read and told: a bounce, a complaint, an answer, or somebody who leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxkit.errors import TokenError
from cxkit.keyring import Keyring
from cxkit.kit import Kit, current_kit
from cxkit_email.tokens import read_bounce

if TYPE_CHECKING:
    from cxkit_email.inbound import Inbound

__all__ = ["ours", "receive"]


def receive(raw: bytes, *, kit: Kit | None = None) -> Inbound:
    r"""Read a mail that came to us, and tell what it says of messages of ours. For who reads a mailbox, or is a filter.

    Only what has a token of ours has consequences: anybody can write that a mail to somebody bounced.

    Args:
        raw: As it came, its headers and those that the last server added included.

    Raises:
        StoreError: It is not kept: keep the mail, and try again.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     receive(b"Auto-Submitted: auto-replied\nSubject: Away\n\nI am back on Monday.").kind
        'autoreply'
    """
    from cxkit_email.inbound import classify  # its patterns are many, and most apps read no mail

    kit = kit or current_kit()
    found = classify(raw, ours=lambda candidate: ours(kit.desk.keyring, candidate))
    for report in found.reports:
        kit.messages.reported(report, channel="email")
    return found


def ours(keyring: Keyring, candidate: str) -> str | None:
    """The message that an address or a header names by a token of ours; all else in a mail anybody can write."""
    try:
        return read_bounce(keyring, candidate.partition("@")[0].rpartition("+")[2])
    except TokenError:
        return None
