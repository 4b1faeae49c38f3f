"""Context: the circumstances of an interaction."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import attrs

__all__ = ["CLICK_IDS", "MACHINES", "Acquisition", "Actor", "Agent", "Context", "Device", "Page", "Place", "Precision"]

Actor = Literal["human", "bot", "prefetch", "unknown"]
MACHINES: Final[frozenset[Actor]] = frozenset(["bot", "prefetch"])
"""Who is no person: nothing is personal to them, and nobody is recognised by them."""
CHOSEN: Final = "chosen"
"""Source of a place that the customer named. The law is that of where they were found, unless this is stricter."""
Precision = Literal["country", "region", "city", "coordinates"]
CLICK_IDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "gclid": "google",
        "gbraid": "google",
        "wbraid": "google",
        "dclid": "google",
        "msclkid": "microsoft",
        "ttclid": "tiktok",
        "twclid": "twitter",
        "li_fat_id": "linkedin",
        "rdt_cid": "reddit",
        "epik": "pinterest",
        "qclid": "quora",
        "sccid": "snap",
        "irclickid": "impact",
        "irclid": "impact",
        "cjevent": "cj",
        "yclid": "yandex",
        "fbclid": "meta",
        "igshid": "meta",
        "_kx": "klaviyo",
        "mc_cid": "mailchimp",
    }
)
"""The parameters of links that tell one click, or one mailing, from another, to whose they are."""


@attrs.frozen(kw_only=True)
class Page:
    """A page as its template, never as the URL that was asked for."""

    route: str | None = None
    """The route's template, ``/products/{sku}``; None when no route matched."""
    method: str | None = None
    title: str | None = None
    engaged_ms: int | None = None
    """How long it was really looked at: visible, and in use. None: nobody measured."""


@attrs.frozen(kw_only=True)
class Device:
    """What the customer holds."""

    type: str | None = None
    """``phone``, ``tablet``, ``desktop``, ``tv``, ..."""
    os: str | None = None
    os_version: str | None = None
    """The major one."""
    browser: str | None = None
    browser_version: str | None = None
    """The major one."""
    viewport: int | None = None
    """How wide its window is, in CSS pixels."""
    touch: bool | None = None
    reduced_motion: bool | None = None
    color_scheme: Literal["light", "dark"] | None = None
    save_data: bool | None = None
    """Whether it asks for less to be sent."""


@attrs.frozen(kw_only=True)
class Agent:
    """The program that asks, where it is no person's browser, or does not ask for one."""

    category: str | None = None
    """``search_engine``, ``ai_crawler``, ``social_preview``, ``monitoring``, ``mail``, ..."""
    name: str | None = None
    """What it calls itself, from a list: never the user agent's own words."""
    evidence: tuple[str, ...] = ()
    """Why it is held to be one: stable codes."""


@attrs.frozen(kw_only=True)
class Place:
    """Where, as coarsely as it is allowed to be known."""

    country: str | None = None
    """ISO 3166-1 alpha-2."""
    region: str | None = None
    """ISO 3166-2 without the country."""
    city: str | None = None
    latitude: float | None = None
    """In degrees, north positive, rounded to a tenth."""
    longitude: float | None = None
    """In degrees, east positive, rounded to a tenth."""
    store: str | None = None
    """Your nearest one: its id in your list."""
    fences: tuple[str, ...] = ()
    """Those of your areas that they are in, by name."""
    source: str | None = None
    """Who says so: ``cloudflare``, ``mmdb``, ``device``, ``chosen``, ..."""
    precision: Precision | None = None
    """The finest of it."""
    accuracy_km: float | None = None
    """The radius around it, where the source tells one."""
    confidence: Literal["low", "high"] | None = None
    """``low``: a relay, a VPN or a host answers for whoever is behind it, or only a registry knows the address: do not
    redirect by it, and no law is inferred from it. ``high``: they said so themselves, or their device did."""


@attrs.frozen(kw_only=True)
class Acquisition:
    """What brought the customer here."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    term: str | None = None
    content: str | None = None
    vendor: str | None = None
    """Whose click id came along: ``google``, ``meta``, ..."""
    click_id: str | None = None
    """The id itself, which is one person's: kept where they allow advertising."""
    referrer: str | None = None
    """The domain of the page before, never its path."""
    landing: str | None = None
    """The template of the first page's path."""


@attrs.frozen(kw_only=True, cache_hash=True)
class Context:
    """The circumstances of a unit of work, shared by its interactions."""

    channel: str | None = None
    session: str | None = None
    """The session's id, where one may be kept."""
    page: Page | None = None
    device: Device | None = None
    place: Place | None = None
    locale: str | None = None
    """BCP 47, ``fr-CA``."""
    timezone: str | None = None
    """IANA name, ``Europe/Paris``."""
    currency: str | None = None
    """ISO 4217."""
    market: str | None = None
    """Which of your markets this is."""
    acquisition: Acquisition | None = None
    actor: Actor = "unknown"
    """Who or what acts."""
    agent: Agent | None = None
    traceparent: str | None = None
    """W3C trace context, to join interactions with traces."""
