"""The enricher: what brought the customer to this page, if it is the first of a visit.

What is surest decides: an advertiser's click id, then what is written on the link (``utm_*``), then the known site that
they come from, then any other site. Who comes from a page of yours, or back from paying or signing in, comes from
nowhere: nothing is said, rather than something wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import attrs

from cxkit.errors import ConfigurationError
from cxkit.model import Acquisition
from cxkit.model.context import MACHINES
from cxkit.roles import Enricher, Factory
from cxkit_acquisition.campaign import Campaign, read
from cxkit_acquisition.hosts import From, domain_of, named, plain_host, public_part, registrable, suffixes
from cxkit_acquisition.sites import RETURN, Medium, Site, Sites, known, over

if TYPE_CHECKING:
    from cxkit.model import Context, Facts

__all__ = ["FACTORY", "AcquisitionEnricher", "Settings"]

_UNSET: Final = frozenset(["(none)", "(not set)", "(not provided)", "none", "null", "undefined", "nan", "(direct)"])
"""What tools write where they have nothing to write."""
_NOT_LETTERS: Final = re.compile(r"[\W_]+")
_WORDS: Final[Mapping[str, Medium]] = {
    **dict.fromkeys(
        "cpc ppc cpm cpv cpa cpp cpl cpi sem sea display banner banners ad ads advertising adwords googleads "
        "retargeting remarketing programmatic native nativeads sponsored promoted interstitial performancemax pmax "
        "affiliate affiliates".split(),
        "paid",
    ),
    **dict.fromkeys("email emails mail emailing emailings mailing newsletter newsletters edm".split(), "email"),
    **dict.fromkeys(
        "social socialmedia socialnetwork socialorganic organicsocial socialpost sm".split(),
        "social",
    ),
    **dict.fromkeys("organic organicsearch search seo".split(), "search"),
    **dict.fromkeys("ai aiassistant aichat aisearch chatbot llm genai".split(), "ai_assistant"),
    **dict.fromkeys("referral referrer link backlink partner partners".split(), "referral"),
}
"""What marketing writes for a medium, its letters only, to which of ours that is."""


_WEBMAIL: Final = frozenset("webmail owa roundcube zimbra".split())
"""A host that is called so is somebody's mail, whoever's."""


def _hosts(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
    if any(plain_host(host) is None for host in value):
        fix = 'write each without scheme, port and path: "shop.example"'
        raise ConfigurationError(f'"{attribute.name}" names what is no host', fix=fix, code="CX9111")


@attrs.frozen(kw_only=True)
class Settings:
    """Of the table ``[acquisition]``."""

    internal: tuple[str, ...] = attrs.field(default=(), validator=_hosts)
    """Further domains of yours, with all below them: whoever comes from there was here already."""
    returns: tuple[str, ...] = attrs.field(default=(), validator=_hosts)
    """Further hosts that send people back who were here: your payment provider, by whom they sign in."""
    sites: Mapping[str, Medium] = attrs.field(factory=dict, validator=_hosts)
    """Further sites by host, to the medium they are; they replace what the plugin knows of them."""


class AcquisitionEnricher:
    """Fills `Context.acquisition` on the first page of a visit; leaves it empty on the others."""

    def __init__(self, settings: Settings) -> None:
        for private in (True, False):
            suffixes(private=private)  # a file; from now on there is none to read
        self._own = frozenset(_plain(host) for host in settings.internal)
        more = {_plain(host): Site(RETURN, host) for host in settings.returns}
        more |= {_plain(host): Site(medium, registrable(_plain(host))) for host, medium in settings.sites.items()}
        self._sites = Sites(over(known(), more))
        self._assistants = frozenset(site.source for site in known().values() if site.medium == "ai_assistant")

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        """The one field, if somebody came from somewhere."""
        if context.acquisition is not None or context.actor in MACHINES or not _is_page(facts):
            return {}
        came = self._came(facts)
        return {} if came is None else {"acquisition": came}

    def _came(self, facts: Facts) -> Acquisition | None:
        """From where; None where that is nowhere, or not to be known."""
        headers = facts.headers
        referer, fetched = headers.get("referer", ""), headers.get("sec-fetch-site")
        if fetched in ("same-origin", "same-site"):
            return None
        origin = named(referer) if referer else None
        site = None
        if origin is not None:
            if self._is_own(origin.host or origin.app, facts.host):
                return None
            site = self._site(origin)
            if site is not None and site.medium == RETURN:
                return None
        campaign = read(facts.query) if facts.query else None
        if campaign is not None:
            return self._campaigned(campaign, origin, site)
        if origin is not None:
            return _referred(origin, site)
        if referer:  # it says something, and we cannot tell what
            return None
        return _UNSAID if fetched == "cross-site" else _DIRECT

    def _site(self, origin: From) -> Site | None:
        return self._sites.app(origin.app) if origin.app else self._sites.of(origin.host) or _webmail(origin.host)

    def _is_own(self, host: str, asked: str | None) -> bool:
        """Whether a host is of the same domain as the one that was asked for, or one of yours."""
        if self._own and any(host == one or host.endswith(f".{one}") for one in self._own):
            return True
        here = None if asked is None else plain_host(asked)
        return here is not None and (host == here or registrable(host) == registrable(here))

    def _campaigned(self, campaign: Campaign, origin: From | None, site: Site | None) -> Acquisition:
        """As the link says; where it is silent, as the site that it stood on."""
        stood = _referred(origin, site) if origin is not None else _NOWHERE
        click, source, medium = campaign.click, _said(campaign.source), _medium(campaign.medium)
        written = self._site(From(host=host)) if source and (host := domain_of(source)) is not None else None
        if written is not None and written.medium != RETURN:
            source, medium = written.source, medium or written.medium
        elif source in self._assistants:  # as some write themselves on links
            medium = medium or "ai_assistant"
        if click is not None and click.says.sure:
            source, medium = click.says.source, click.says.medium
        elif click is not None:
            source, medium = source or click.says.source, medium or click.says.medium
        return Acquisition(
            source=source or stood.source,
            medium=medium or stood.medium,
            campaign=_said(campaign.name),
            term=_said(campaign.term),
            content=_said(campaign.content),
            vendor=click.vendor if click is not None else None,
            click_id=click.id if click is not None else None,
            referrer=stood.referrer,
        )


_DIRECT: Final = Acquisition(medium="direct")
_UNSAID: Final = Acquisition(medium="referral")
"""Another site's link; which one's, it keeps to itself."""
_NOWHERE: Final = Acquisition()
_SOMEBODYS_MAIL: Final = Site("email", "webmail")


def _is_page(facts: Facts) -> bool:
    """Whether somebody goes to a page. Where the browser does not say it, a page is what is asked for as HTML.

    A script's request, a websocket's handshake, an app's own call may be the first that is seen; nobody came by it.

    Source: Fetch Metadata Request Headers (W3C), ``Sec-Fetch-Dest``; Fetch (WHATWG), ``Origin`` of no navigation.
    """
    said = facts.headers.get
    if facts.method != "GET" or facts.scheme in ("ws", "wss") or "websocket" in said("upgrade", "").lower():
        return False
    part = said("sec-fetch-dest")
    if part is not None:
        return part == "document"
    if said("origin") is not None or said("x-requested-with", "").lower() == "xmlhttprequest":
        return False
    return "text/html" in said("accept", "")


@lru_cache(maxsize=4096)
def _webmail(host: str) -> Site | None:
    """By what it is called; whose it is, is not said: that would be where somebody works."""
    below = host[: -len(registrable(host))].split(".")
    return None if _WEBMAIL.isdisjoint(below) else _SOMEBODYS_MAIL


@lru_cache(maxsize=4096)
def _referred(origin: From, site: Site | None) -> Acquisition:
    """By a site or an app."""
    domain = public_part(origin.host) if origin.host and site is not _SOMEBODYS_MAIL else None
    if site is None:
        return Acquisition(source=domain or origin.app, medium="referral", referrer=domain)
    return Acquisition(source=site.source, medium=site.medium, referrer=domain)


def _plain(host: str) -> str:
    plain = plain_host(host)
    assert plain is not None, "Settings has seen to that"
    return plain


def _said(value: str | None) -> str | None:
    return None if value in _UNSET else value


def _medium(written: str | None) -> str | None:
    """The one of ours that is meant; what is none of these, as it is written."""
    if written is None or written in _UNSET:
        return None
    word = _NOT_LETTERS.sub("", written)
    return "paid" if word.startswith("paid") else _WORDS.get(word, written)


FACTORY: Final[Factory[Enricher]] = Factory(name="acquisition", settings=Settings, build=AcquisitionEnricher)
