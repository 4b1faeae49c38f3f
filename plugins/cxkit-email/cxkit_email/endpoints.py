"""What is answered to recipients and their programs.

A GET changes nothing but what is known of a mail, a HEAD not even that: programs look at links before people do. Nobody
is sent anywhere but to where a link of the mail itself leads. The picture is always the same one, whatever was asked.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cxkit.errors import StoreError, TokenError
from cxkit.kit import Kit, current_kit
from cxkit.model import Facts, Mailing, Report
from cxkit.roles import Reply
from cxkit.web.consent.page import page
from cxkit.web.consent.posted import language_for, query_of
from cxkit.web.markup import element
from cxkit.web.posted import scope_here
from cxkit_email.hits import tell
from cxkit_email.settings import Settings
from cxkit_email.texts import TEXTS
from cxkit_email.tokens import NOBODY, Token, Use, read_token
from cxkit_email.urls import ascii_url

if TYPE_CHECKING:
    from cxkit_email.channel import EmailChannel

__all__ = ["Followed", "Left", "Opened"]

_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
_UNCACHED: Final = (("Cache-Control", "no-store, private"), ("X-Robots-Tag", "noindex"))
_PICTURE: Final = Reply(status=200, headers=(*_UNCACHED, ("Content-Type", "image/gif")), body=_GIF)
_NOTHING: Final = Reply(status=404, headers=_UNCACHED)
_LATER: Final = Reply(status=503, headers=(*_UNCACHED, ("Retry-After", "60")))


def _token(kit: Kit, use: Use, facts: Facts) -> Token | None:
    """What the path's last segment says; None, and counted, if it is no token of ours."""
    try:
        return read_token(kit.desk.keyring, use, facts.path.rpartition("/")[2].removesuffix(".gif"))
    except TokenError:
        kit.intake.count("token_refused")
        return None


class Opened:
    """``/o/TOKEN.gif``: a picture, and that it was asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def handle(self, facts: Facts, _: bytes) -> Reply:
        kit = current_kit()
        said = _token(kit, "open", facts)
        if said is not None and facts.method == "GET":
            try:
                self._tell(kit, facts, said)
            except StoreError as error:
                kit.intake.fault("store_failed", "an opened mail is not kept", error)
        return _PICTURE

    def _tell(self, kit: Kit, facts: Facts, said: Token) -> None:
        mailing = kit.messages.mailing(said.mailing)
        if mailing is None:
            return
        if said.send == NOBODY:
            kit.messages.counted(mailing, "opened")
        elif (message := kit.messages.of(said.send)) is not None:
            tell(kit, self._settings, facts, message, mailing, kind="open", link=None)


class Followed:
    """``/c/TOKEN``: on to where the link leads, and that it was followed."""

    def __init__(self, channel: EmailChannel) -> None:
        self._channel = channel

    def handle(self, facts: Facts, _: bytes) -> Reply:
        kit = current_kit()
        said = _token(kit, "link", facts)
        if said is None:
            return _NOTHING
        try:
            mailing = kit.messages.mailing(said.mailing)
        except StoreError as error:
            kit.intake.fault("store_failed", "a link of a mail cannot be followed", error)
            return _LATER
        if mailing is None or said.number > len(mailing.urls):
            return _NOTHING
        target = self._target(kit, facts, said, mailing)
        if target is None:
            return Reply(status=204, headers=_UNCACHED)  # what nobody sees leads nowhere
        on = (("Location", ascii_url(target)), ("Referrer-Policy", "no-referrer"))
        return Reply(status=302, headers=(*_UNCACHED, *on))

    def _target(self, kit: Kit, facts: Facts, said: Token, mailing: Mailing) -> str | None:
        """Where to go on to; None: nowhere. Whatever fails meanwhile costs what is known, not the way."""
        url = mailing.urls[said.number] if said.number < len(mailing.urls) else None
        if facts.method != "GET":
            return url
        try:
            message = kit.messages.of(said.send)
            if message is None:
                return url
            hit = tell(kit, self._channel.settings, facts, message, mailing, kind="click", link=said.number)
            return url if hit is None or url is None else self._channel.marked(kit, url, message, hit)
        except StoreError as error:
            kit.intake.fault("store_failed", "a link that was followed is not kept", error)
            return url


class Left:
    """``/u/TOKEN``: asked for, a page with a button; posted to, by that button or by a mail program, they have left.

    Source: RFC 8058. Neither cookie nor origin is asked for: the token is what whoever posts has.
    """

    def handle(self, facts: Facts, _: bytes) -> Reply:
        kit = current_kit()
        said = _token(kit, "leave", facts)
        if said is None:
            return _NOTHING
        if facts.method != "POST":
            return self._page(kit, facts, "leave")
        try:
            if kit.messages.of(said.send) is None:
                return self._page(kit, facts, "gone", status=404)
            kit.messages.reported(Report(happened="unsubscribed", send=said.send), channel="email")
        except StoreError as error:
            kit.intake.fault("store_failed", "who has left is not known by name yet", error)
            kit.messages.leave_later(said.send)
        return self._page(kit, facts, "left")

    def _page(self, kit: Kit, facts: Facts, what: str, *, status: int = 200) -> Reply:
        language = language_for(kit, scope_here(), query_of(facts).get("lang"))
        text: Mapping[str, str] = TEXTS[language]
        form = element("form", element("button", text["leave"], type="submit"), method="post")
        told = element("p", text[f"{what}.means"])
        return page(
            kit,
            facts,
            at="/u/" + facts.path.rpartition("/")[2],
            title=text[what],
            language=language,
            body=told + form if what == "leave" else told,
            status=status,
        )
