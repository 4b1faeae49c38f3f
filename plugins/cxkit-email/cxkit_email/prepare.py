"""prepare: what a mail needs before it goes to one recipient, and whether it may.

1. **May it go?** Suppression, frequency cap, quiet hours, preference: `cxkit.may_send`. Else it is blocked or deferred.
2. **May it be followed?** Links of whoever allows ``analytics``, a pixel of whoever allows ``message_open``; where
   a pixel only counts, it names nobody. What is transactional is followed on the same terms.
3. **Links and pixel** are put into the HTML; nothing else of it changes, byte for byte, and the text part not at all.
4. **Headers**: an id by which bounces and replies find the message, a date where it has none, and a way to leave with
   one click, but for what is transactional, which nobody can leave.
5. **It is kept**, so that whatever comes back finds it. Where that fails, what is transactional goes out unfollowed;
   the rest waits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.message import Message as Mail
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

import cxkit
from cxkit.errors import ConfigurationError, InvalidInteractionError, StoreError
from cxkit.kit import Kit, current_kit
from cxkit.model import Bounce, Mailing, Message, Report
from cxkit.model.message import Happening
from cxkit_email.channel import channel_of
from cxkit_email.headers import PlainHeader, unsubscribe_headers
from cxkit_email.html import find_links
from cxkit_email.parts import copied, html_part, with_html
from cxkit_email.settings import Settings
from cxkit_email.tokens import MOST_LINKS, NOBODY, Token, Use, bounce_token, token

__all__ = ["Prepared", "PreparedHtml", "prepare", "prepare_html"]

_AGAIN: Final = timedelta(seconds=60)
_NO_MAILING: Final = "0" * 12
_OURS: Final = frozenset({"x-cx-send", "list-unsubscribe", "list-unsubscribe-post"})
_CAMPAIGN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@attrs.frozen(kw_only=True)
class PreparedHtml:
    """What may go to one recipient now. Say `sent` once it was handed over, or what became of it instead.

    It names its recipient by tokens: never send it to two.
    """

    html: str | None = attrs.field(repr=False)
    """Yours, with the links and the pixel that this recipient allows; None where you gave none."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """To be added. A ``Message-ID`` of your own stays."""
    recipient: str = attrs.field(repr=False)
    id: str
    """32 hexadecimal digits; it names nobody."""
    sender: str | None = attrs.field(default=None, repr=False)
    """The envelope's sender, by which a bounce names this mail; None: yours."""
    _kit: Kit = attrs.field(repr=False, alias="kit")
    _kept: Message | None = attrs.field(repr=False, alias="kept")

    def added_to(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Your headers and these: which mail it is and how one leaves are said by ours, all else by yours."""
        ours = {name.lower() for name in self.headers}
        yours = {name: value for name, value in headers.items() if name.lower() not in ours & _OURS}
        said = {name.lower() for name in yours}
        return {**yours, **{name: value for name, value in self.headers.items() if name.lower() not in said}}

    def sent(self) -> None:
        """It was handed over: captured, and counted where a frequency cap counts such."""
        kept = self._kept
        if kept is not None:  # else it is transactional, which no cap counts
            self._guarded(lambda: self._kit.messages.sent(kept))

    def refused(self, bounce: Bounce, *, later: bool = False) -> None:
        """The server did not take it.

        Args:
            later: Whether it may be tried again.
        """
        self._told("deferred" if later else "bounced", bounce)

    def failed(self) -> None:
        """It could not be handed over to anybody, and will not be tried again."""
        self._told("failed", None)

    def _told(self, happened: Happening, bounce: Bounce | None) -> None:
        kept = self._kept
        if kept is not None:
            report = Report(happened=happened, send=self.id, bounce=bounce)
            self._guarded(lambda: self._kit.messages.reported(report, channel="email", message=kept))

    def _guarded(self, tell: Callable[[], object]) -> None:
        try:
            tell()
        except StoreError as error:
            self._kit.intake.fault("store_failed", "what became of a mail is not kept", error)


@attrs.frozen(kw_only=True)
class Prepared(PreparedHtml):
    """A whole mail that may go to one recipient now; see `PreparedHtml`."""

    message: Mail[Any, Any] = attrs.field(repr=False)
    """A copy of yours, as it is to be sent."""


def prepare(
    message: Mail[Any, Any],
    recipient: str,
    *,
    topic: str,
    campaign: str | None = None,
    timezone: str | None = None,
    kit: Kit | None = None,
) -> Prepared | cxkit.Blocked | cxkit.Deferred:
    """What is to be sent to one recipient, or why not, or not before when. Waits for the store: not on an event loop.

    Args:
        message: Any of the standard library's. It stays as it is.
        recipient: One address.
        topic: One of those in the configuration; it decides whether the mail may be sent, and what leaving it means.
        campaign: What it belongs to, a word; it is captured with all that happens to it.
        timezone: The recipient's, for the quiet hours; see `cxkit.may_send`.
        kit: Another one than the current.

    Raises:
        ConfigurationError: The plugin is not loaded.
        InvalidInteractionError: The address is none, a word is wrong, or the mail is nested too deep.

    Example:
        >>> from email.message import EmailMessage
        >>> from cxkit.testing import recorder
        >>> mail = EmailMessage()
        >>> mail["Subject"] = "Your almonds are on their way"
        >>> mail.set_content("They left this morning.")
        >>> with recorder():
        ...     answer = prepare(mail, "nancy@example.com", topic="news")
        >>> str(answer)
        'send:marketing:not_granted:email'
    """
    try:
        mail = copied(message)
    except RecursionError:
        fix = "send it with fewer parts within parts"
        raise InvalidInteractionError("a mail is nested too deep", fix=fix, code="CX9271") from None
    part = html_part(mail)
    html = None if part is None else part.html
    answer = prepare_html(html, recipient, topic=topic, campaign=campaign, timezone=timezone, kit=kit)
    if not isinstance(answer, PreparedHtml):
        return answer
    if part is not None and answer.html is not None and answer.html != html:
        with_html(part, answer.html)
    for name, value in answer.headers.items():
        if name.lower() in _OURS:  # where it has no way out of ours, the app's own stays
            del mail[name]
        if name not in mail:
            mail[name] = value
    if "Date" not in mail:  # every mail has one (RFC 5322, section 3.6), and no transport need add it
        mail["Date"] = format_datetime(answer._kit.intake.stamper.now())
    fields = {field.alias or field.name: getattr(answer, field.name) for field in attrs.fields(PreparedHtml)}
    return Prepared(message=mail, **fields)


def prepare_html(
    html: str | None,
    recipient: str,
    *,
    topic: str,
    campaign: str | None = None,
    timezone: str | None = None,
    kit: Kit | None = None,
) -> PreparedHtml | cxkit.Blocked | cxkit.Deferred:
    """As `prepare`, for what makes a mail of HTML and headers by itself: frameworks, and providers' own interfaces.

    Raises:
        ConfigurationError: The plugin is not loaded.
        InvalidInteractionError: The address is none, or a word is wrong.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     str(prepare_html("<p>Almonds!</p>", "nancy@example.com", topic="news"))
        'send:marketing:not_granted:email'
    """
    if campaign is not None and not (type(campaign) is str and _CAMPAIGN.fullmatch(campaign)):
        fix = 'use lower-case letters, digits, ".", "-" and "_": "spring-2027"'
        raise InvalidInteractionError("the name of a campaign is none", fix=fix, code="CX9270")
    kit = kit or current_kit()
    channel = channel_of(kit)
    if channel is None:
        fix = "install cxkit-email where the app runs, and do not block it in [plugins]"
        raise ConfigurationError("the plugin of e-mail is not loaded", fix=fix, code="CX9262")
    with cxkit.scope(kit=kit, channel="email"):
        answer = cxkit.may_send(topic, "email", timezone=timezone, email=recipient)
    if not isinstance(answer, cxkit.Clear):
        return answer
    making = _Making(kit, channel.settings, recipient=recipient.strip(), topic=topic, campaign=campaign)
    try:
        return making.prepared(html)
    except StoreError as error:
        kit.intake.fault("store_failed", "a mail cannot be kept before it is sent", error)
    if making.transactional:
        return making.unfollowed(html)
    return cxkit.Deferred(not_before=kit.intake.stamper.now() + _AGAIN, reason="unknown")


class _Making:
    """One mail on its way."""

    def __init__(self, kit: Kit, settings: Settings, *, recipient: str, topic: str, campaign: str | None) -> None:
        self._kit = kit
        self._settings = settings
        self._keyring = kit.desk.keyring
        self._recipient, self._topic, self._campaign = recipient, topic, campaign
        self._to = kit.messages.recipient("email", recipient)
        declared = kit.desk.sending.topic(topic)
        self.transactional = declared is not None and declared.kind == "transactional"
        self._id = kit.intake.stamper.stamp()[0].replace("-", "")
        self._mailing = _NO_MAILING

    def prepared(self, html: str | None) -> PreparedHtml:
        """With what this recipient allows, and kept.

        Raises:
            StoreError: It cannot be kept now.
        """
        html = self._followed(html)
        message = Message(
            id=self._id,
            channel="email",
            topic=self._topic,
            campaign=self._campaign,
            to=self._to,
            at=self._kit.intake.stamper.now(),
            mailing=None if self._mailing == _NO_MAILING else self._mailing,
        )
        self._kit.messages.prepared(message)
        bounce = bounce_token(self._keyring, self._id)
        domain = self._settings.bounces
        return self._made(
            html,
            kept=message,
            headers=self._headers(bounce),
            sender=f"bounce+{bounce}@{domain}" if domain else None,
        )

    def unfollowed(self, html: str | None) -> PreparedHtml:
        """As it is: nothing that comes back could be found."""
        return self._made(html, kept=None, headers={}, sender=None)

    def _made(
        self, html: str | None, *, kept: Message | None, headers: Mapping[str, str], sender: str | None
    ) -> PreparedHtml:
        return PreparedHtml(
            html=html,
            headers=headers,
            recipient=self._recipient,
            id=self._id,
            sender=sender,
            kit=self._kit,
            kept=kept,
        )

    def _followed(self, html: str | None) -> str | None:
        """With the links and the pixel that this recipient allows."""
        settings, granted = self._settings, self._kit.messages.granted(self._to)
        clicks = settings.clicks and "analytics" in granted
        opens = settings.opens == "aggregate" or (settings.opens == "individual" and "message_open" in granted)
        if html is None or settings.url is None or not (clicks or opens):
            return html
        links = find_links(html)
        urls = links.urls[:MOST_LINKS] if clicks else ()  # whatever follows leads straight to where it leads
        if not urls and not opens:
            return html
        self._mailing = self._kit.messages.mail(
            Mailing(channel="email", topic=self._topic, campaign=self._campaign, urls=urls)
        )
        numbers = {url: number for number, url in enumerate(urls)}
        whose = self._id if settings.opens == "individual" else NOBODY
        return links.rewritten(
            link=lambda url: self._address("link", "c", number=numbers[url]) if url in numbers else None,
            pixel=self._address("open", "o", whose=whose) + ".gif" if opens else None,
            honeypot=self._address("link", "c", number=len(urls)) if urls and settings.honeypot else None,
        )

    def _headers(self, bounce: str) -> dict[str, str]:
        """By which it is found again, and by which its recipient leaves."""
        url = self._settings.url
        domain = self._settings.bounces or urlsplit(url or "").hostname or "localhost"
        headers: dict[str, str] = {
            "Message-ID": PlainHeader("Message-ID", f"<{self._id}@{domain}>"),
            "X-CX-Send": PlainHeader("X-CX-Send", bounce),
        }
        if self._settings.webhooks:
            from cxkit_email.webhooks.providers import PROVIDERS  # not where there are none

            for webhook in self._settings.webhooks.values():
                if webhook.type in PROVIDERS:
                    name, value = PROVIDERS[webhook.type].asking(self._id)
                    headers[name] = PlainHeader(name, value)
        if url is not None and not self.transactional:
            mailbox = self._settings.unsubscribe
            mailto = f"{mailbox}?subject=unsubscribe%20{bounce}" if mailbox else None
            headers |= unsubscribe_headers(url=self._address("leave", "u"), mailto=mailto)
        return headers

    def _address(self, use: Use, path: str, *, number: int = 0, whose: str | None = None) -> str:
        said = Token(send=self._id if whose is None else whose, mailing=self._mailing, number=number)
        return f"{self._settings.url}/{path}/{token(self._keyring, use, said)}"
