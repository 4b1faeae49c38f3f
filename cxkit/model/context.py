"""Context: the circumstances of an interaction."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["Acquisition", "Actor", "Context", "Device", "Page", "Place"]

Actor = Literal["human", "bot", "prefetch", "unknown"]


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
    browser: str | None = None


@attrs.frozen(kw_only=True)
class Place:
    """Where, as coarsely as it is allowed to be known."""

    country: str | None = None
    """ISO 3166-1 alpha-2."""
    region: str | None = None
    """ISO 3166-2 without the country."""
    city: str | None = None
    source: str | None = None
    """Who says so."""


@attrs.frozen(kw_only=True)
class Acquisition:
    """What brought the customer here."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None


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
    acquisition: Acquisition | None = None
    actor: Actor = "unknown"
    """Who or what acts."""
    traceparent: str | None = None
    """W3C trace context, to join interactions with traces."""
