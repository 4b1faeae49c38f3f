"""The table ``[email]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import attrs

from cxkit.errors import ConfigurationError
from cxkit.settings.ranges import shaped
from cxkit_email.webhooks.settings import Webhook

__all__ = ["Settings"]

_URL: Final = r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/\-]*[A-Za-z0-9_~\-])?"
_HOST: Final = r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_MAILBOX: Final = r"[A-Za-z0-9._+\-]{1,64}@" + _HOST


def _networks(_: object, attribute: attrs.Attribute[Any], given: Iterable[str]) -> None:
    for one in given:
        try:
            ip_network(one)
        except ValueError:
            raise _refusal(attribute, "has what is no network", 'give one as "192.0.2.0/24"') from None


def _refusal(attribute: attrs.Attribute[Any], what: str, fix: str) -> ConfigurationError:
    error = ConfigurationError(f'"{attribute.name}" {what}', fix=fix, code="CX9261")
    error.setting = attribute.name
    return error


@attrs.frozen(kw_only=True, slots=False)
class Settings:
    """What is put into mails, and what may be known of them. Without any of it: no link, no pixel, nothing known."""

    url: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(shaped(_URL, 'give one like "https://shop.example/cx"'))
    )
    """Where the recipients' programs reach our endpoints: your site, and what ``web.mount`` says. Without it a mail has
    no way out by one click, and nothing of it is followed."""
    clicks: bool = True
    """Whether links are followed, of whoever allows ``analytics``."""
    opens: Literal["off", "aggregate", "individual"] = "off"
    """Whether a pixel tells that a mail was opened: never; how often, and not by whom; of whoever allows
    ``message_open``, and of nobody else."""
    honeypot: bool = True
    """Whether a mail whose links are followed has one that only programs see."""
    scanners: Sequence[str] = attrs.field(default=(), validator=_networks)
    """Networks of programs that look at mails before people do: ``192.0.2.0/24``."""
    sites: frozenset[str] = frozenset()
    """Your hosts, besides that of ``url``: a visit that begins there by a link says by which mail."""
    bounces: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(shaped(_HOST, 'give a domain like "bounces.shop.example"'))
    )
    """The domain of the envelope's sender: each mail gets an address of its own there, so that a bounce names it."""
    unsubscribe: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(shaped(_MAILBOX, 'give one like "leave@shop.example"'))
    )
    """A mailbox that reads ``classify`` as well: for mail programs that leave by a mail."""

    webhooks: Mapping[str, Webhook] = attrs.field(factory=dict)
    """Who tells us what became of mails: providers, and whoever posts the mails that come to us."""

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Those where a visit says by which mail it began."""
        own = urlsplit(self.url or "").hostname
        return self.sites | ({own} if own else set())

    @cached_property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`scanners`, read."""
        return tuple(map(ip_network, self.scanners))
