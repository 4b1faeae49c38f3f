"""The demo's server of SMTP: what the shop writes arrives here, on this machine, and goes nowhere else."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from threading import Condition
from typing import Self

import attrs
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from cxkit.testing.ports import free_port

_PATIENCE_S = 20.0
_LINK = re.compile(r'<a\b[^>]*\bhref="([^"]*/cx/c/[^"]*)"')
_PICTURE = re.compile(r'<img\b[^>]*\bsrc="([^"]*/cx/o/[^"]*)"')


@attrs.frozen(kw_only=True)
class Letter:
    """As its recipient's mail program has it."""

    message: EmailMessage
    arrived_at: float
    """By `time.monotonic`."""

    @property
    def html(self) -> str:
        part = self.message.get_body(["html"])
        return "" if part is None else str(part.get_content())

    @property
    def links(self) -> list[str]:
        """Those that say so when they are followed; of who does not allow that, none. The first nobody sees."""
        return [unescape(one) for one in _LINK.findall(self.html)]

    @property
    def picture(self) -> str | None:
        """What tells that it was opened; None for who has not allowed that."""
        found = _PICTURE.search(self.html)
        return unescape(found[1]) if found else None

    @property
    def leave(self) -> str | None:
        """Where one click leads that ends letters of this topic (RFC 8058); None: it may not be left."""
        given = str(self.message["List-Unsubscribe"] or "")
        return given.partition("<")[2].partition(">")[0] or None

    def __str__(self) -> str:
        links = f"{len(self.links[1:])} links are followed" if self.links else "no link is followed"
        picture = "with a picture" if self.picture else "no picture"
        leave = "one click ends such letters" if self.leave else "owed to them"
        return f'"{self.message["Subject"]}" to {self.message["To"]}: {links}, {picture}, {leave}'


class Mailbox:
    """A server of SMTP that keeps what arrives. A context manager."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self._arrived = Condition()
        self._told = 0
        self._port = free_port()
        self._server = Controller(self, hostname="127.0.0.1", port=self._port, server_hostname="mail.example")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.stop()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
        with self._arrived:
            self.letters.append(Letter(message=message, arrived_at=time.monotonic()))
            self._arrived.notify_all()
        return "250 2.0.0 kept"

    def new(self) -> Iterator[Letter]:
        """Those that have come since this was asked last."""
        while self._told < len(self.letters):
            self._told += 1
            yield self.letters[self._told - 1]

    def wait_for(self, count: int) -> list[Letter]:
        """So many, in the order in which they came.

        Raises:
            TimeoutError: They did not come.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.letters) >= count, _PATIENCE_S):
                raise TimeoutError(f"{len(self.letters)} of {count} letters came")
        return self.letters[:count]
