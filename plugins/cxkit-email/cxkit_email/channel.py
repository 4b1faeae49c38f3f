"""The channel: what recipients and their programs ask for, and by which mail a visit began."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from cxkit.errors import TokenError
from cxkit.keyring import OUT_OF_DATE
from cxkit.kit import Kit, current_kit
from cxkit.model import Identifier, Message
from cxkit.roles import Channel, Endpoint, Factory
from cxkit_email import endpoints
from cxkit_email.hits import confirm
from cxkit_email.settings import Settings
from cxkit_email.urls import parts_of, with_parameter

__all__ = ["FACTORY", "EmailChannel", "channel_of"]

_LANDING: Final = "email landing"
_PAD: Final = "email landing pad"
_NONCE_BYTES: Final = 16
_BLOCK_BYTES: Final = 16
_BLOCKS: Final = 3
"""Enough for a recipient's key and a message's id of 16 bytes each, and a hit's of 8."""
_VISIT_S: Final = 600
"""How long a link that was followed says by which mail a visit began: who passes it on later passes on a mere link."""
_PAGE_S: Final = 3_600
"""How long what happens on the page that it led to says more of it."""


class EmailChannel:
    """E-mail, as a channel of a kit. Made by `FACTORY`."""

    marker = "cx_m"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._webhooks: Sequence[Endpoint] = ()
        if settings.webhooks:
            from cxkit_email.webhooks.inlet import inlets  # not where there are none

            self._webhooks = inlets(settings.webhooks)

    def endpoints(self) -> Sequence[Endpoint]:
        """Those of opened mails, links and leaving, where mails have any of these."""
        if self.settings.url is None:
            return self._webhooks
        get, post = frozenset({"GET"}), frozenset({"GET", "POST"})
        opened, followed = endpoints.Opened(self.settings), endpoints.Followed(self)
        opens = "message_open" if self.settings.opens == "individual" else None
        clicks = "analytics" if self.settings.clicks else None
        return (
            Endpoint(path="/o/{token}.gif", methods=get, handle=opened.handle, needs=opens),
            Endpoint(path="/c/{token}", methods=get, handle=followed.handle, needs=clicks),
            Endpoint(path="/u/{token}", methods=post, handle=endpoints.Left().handle),
            *self._webhooks,
        )

    def recognise(self, marked: str) -> Identifier | None:
        """To whom the mail was sent whose link led here, within ten minutes of being followed."""
        mark = _read(current_kit(), marked, max_age_s=_VISIT_S)
        return None if mark is None else Identifier(type="email", value=mark.to, evidence="token")

    def confirmed(self, marked: str) -> None:
        """Whoever followed that link is human, if it was within an hour.

        Raises:
            StoreError: It is not kept.
        """
        kit = current_kit()
        mark = _read(kit, marked, max_age_s=_PAGE_S)
        if mark is None or (message := kit.messages.of(mark.send)) is None or message.mailing is None:
            return
        mailing = kit.messages.mailing(message.mailing)
        if mailing is not None:
            confirm(kit, message, mailing, mark.hit)

    def marked(self, kit: Kit, url: str, message: Message, hit: str) -> str:
        """The address that a link leads to, with what `recognise` reads if it is one of the site's own.

        Args:
            hit: Which one of those of the message this is.
        """
        parts = parts_of(url)
        if parts is None or parts.hostname not in self.settings.hosts:
            return url
        nonce = os.urandom(_NONCE_BYTES)
        said = nonce + _padded(kit, nonce, bytes.fromhex(message.to.value + message.id + hit))
        mark = kit.desk.keyring.sign(_LANDING, said.hex(), now=kit.intake.stamper.time_ns() / 1e9)
        return with_parameter(url, self.marker, mark)


class _Mark(NamedTuple):
    """What a link says that was followed, in hexadecimal digits."""

    to: str
    send: str
    hit: str


def _read(kit: Kit, marked: str, *, max_age_s: float) -> _Mark | None:
    try:
        said = kit.desk.keyring.verify(_LANDING, marked, now=kit.intake.stamper.time_ns() / 1e9, max_age_s=max_age_s)
    except TokenError as error:
        if error.code != OUT_OF_DATE:  # a page that was kept open, or is looked at again
            kit.intake.count("token_refused")
        return None
    if not said.current:  # its pad was of a key that is no longer the newest
        return None
    sealed = bytes.fromhex(said)
    plain = _padded(kit, sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]).hex()
    return _Mark(plain[:32], plain[32:64], plain[64:])


def _padded(kit: Kit, nonce: bytes, plain: bytes) -> bytes:
    """What is made unreadable, or readable again.

    What stands in an address every script of the page reads; by what is always the same they would know who came.
    """
    keys = kit.desk.keyring
    pad = b"".join(keys.seal(_PAD, nonce + bytes([block]))[-_BLOCK_BYTES:] for block in range(_BLOCKS))
    return bytes(one ^ other for one, other in zip(plain, pad[: len(plain)], strict=True))


def channel_of(kit: Kit) -> EmailChannel | None:
    """The channel of a kit; None where the plugin is not loaded."""
    return next((one for one in kit.channels if isinstance(one, EmailChannel)), None)


FACTORY: Final[Factory[Channel]] = Factory(name="email", settings=Settings, build=EmailChannel)
