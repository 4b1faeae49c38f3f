"""Sending: a prepared mail to a server of SMTP, and what that answers.

What it answers is told at once: taken, refused for now, refused for good, with the reason that its words give.
"""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from cxkit_email.prepare import Prepared, PreparedHtml
from cxkit_email.wire import wire

if TYPE_CHECKING:
    from email.message import Message as Mail

_OF_RECIPIENT: Final = frozenset({"SMTPRecipientsRefused", "SMTPRecipientRefused", "SMTPDataError"})
"""Of smtplib and aiosmtplib, what a server answers when it knows the recipient. What it says before, of whoever sends,
is no reason to leave a customer alone, whatever its words."""

__all__ = ["asend", "refused", "send"]


class _Client(Protocol):
    def sendmail(self, from_addr: str, to_addrs: str, msg: bytes, /) -> object: ...


class _AsyncClient(Protocol):
    async def sendmail(self, sender: str, recipients: str, message: bytes, /) -> object: ...


def send(client: _Client, prepared: Prepared, *, sender: str | None = None, signed: bytes | None = None) -> bool:
    """Hand a mail to a server, by ``smtplib.SMTP``; whether it took it.

    Args:
        client: Connected.
        sender: The envelope's, where `Prepared.sender` has none; by default the mail's own ``Sender`` or ``From``.
        signed: What is to go over the wire, where you have signed it: what `cxkit_email.wire.wire` gave, and before it
            your signature.

    Raises:
        OSError: There is no connection, or it broke: nobody knows what became of the mail. So does
            ``smtplib.SMTPServerDisconnected``.
    """
    try:
        client.sendmail(_sender(prepared, sender), prepared.recipient, signed or wire(prepared.message))
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException as error:
        return refused(prepared, error)
    prepared.sent()
    return True


async def asend(
    client: _AsyncClient, prepared: Prepared, *, sender: str | None = None, signed: bytes | None = None
) -> bool:
    """`send`, by ``aiosmtplib.SMTP``. What it answers is kept on a thread, so that the event loop does not wait.

    Args:
        client: Connected.
        sender: As for `send`; likewise ``signed``.

    Raises:
        OSError: As for `send`.
    """
    import asyncio

    import aiosmtplib

    try:
        await client.sendmail(_sender(prepared, sender), prepared.recipient, signed or wire(prepared.message))
    except aiosmtplib.SMTPServerDisconnected:
        raise
    except aiosmtplib.SMTPException as error:
        return await asyncio.to_thread(refused, prepared, error)
    await asyncio.to_thread(prepared.sent)
    return True


def refused(prepared: PreparedHtml, error: Exception) -> bool:
    """Tell what an error of ``smtplib``, ``aiosmtplib`` or a framework on top of them says; it was not sent, so False.

    Example:
        >>> import smtplib
        >>> _reply(smtplib.SMTPRecipientsRefused({"nancy@example.com": (550, b"5.1.1 No such user")}))
        (550, '5.1.1 No such user')
    """
    code, text = _reply(error)
    if code is None:
        prepared.failed()
    else:
        from cxkit_email.inbound.reasons import bounce  # its patterns are many, and most mails are taken

        why = bounce(None, f"{code} {text}")
        if why.kind == "hard" and type(error).__name__ not in _OF_RECIPIENT:
            why = attrs.evolve(why, reason="other")
        prepared.refused(why, later=code < 500)
    return False


def _reply(error: Any) -> tuple[int | None, str]:
    """Code and words of the server's reply; of several refused recipients the first: there is but one."""
    refusals = getattr(error, "recipients", None)
    if isinstance(refusals, dict) and refusals:  # smtplib
        code, said = next(iter(refusals.values()))
    elif isinstance(refusals, list) and refusals:  # aiosmtplib
        return _reply(refusals[0])
    else:
        code = getattr(error, "smtp_code", getattr(error, "code", None))
        said = getattr(error, "smtp_error", getattr(error, "message", ""))
    return code if isinstance(code, int) else None, said.decode("utf-8", "replace") if isinstance(said, bytes) else str(
        said
    )


def _sender(prepared: Prepared, sender: str | None) -> str:
    from email.utils import parseaddr

    message: Mail[Any, Any] = prepared.message
    return prepared.sender or sender or parseaddr(str(message.get("Sender") or message.get("From") or ""))[1]
