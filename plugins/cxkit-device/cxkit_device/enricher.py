"""Device, and who asks, of a request's own words: built once, asked once per scope, no I/O in between."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import attrs

from cxkit.model import Context, Facts
from cxkit.roles import Enricher, Factory
from cxkit.settings.ranges import between, shaped
from cxkit.web.remembered import Remembered
from cxkit_device.agents import Agents, Programs
from cxkit_device.devices import Devices
from cxkit_device.engine import Engine, installed
from cxkit_device.hints import HEADERS, read

__all__ = ["FACTORY", "DeviceEnricher", "Settings"]

MAX_CHARS: Final = 1024
"""Of a header, what is read."""
_EDGE: Final = {
    "cloudfront-is-smarttv-viewer": "tv",
    "cloudfront-is-tablet-viewer": "tablet",
    "cloudfront-is-mobile-viewer": "phone",
    "cloudfront-is-desktop-viewer": "desktop",
}
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Settings:
    """Of the table ``[device]``."""

    engine: Literal["auto", "ua-parser", "none"] = "auto"
    """What reads systems and browsers: ``auto`` is ua-parser where it is installed."""
    programs: Programs = "unknown"
    """What a program is that is no browser, and in no list: ``unknown``, for it may be an app of yours; or ``bot``."""
    own_apps: tuple[str, ...] = attrs.field(
        default=(), validator=shaped(r"[ -~]{3,100}", 'write each like "MyShop/", at least three characters')
    )
    """How the user agents of your own apps begin: they are never taken for bots."""
    most_remembered: int = attrs.field(default=8192, validator=between(1, 1_000_000))
    """How many different visitors' devices are remembered, by a hash."""


class DeviceEnricher:
    """Fills `Context.device`, `Context.actor` where it is unknown, and `Context.agent`.

    Raises:
        MissingDependencyError: The engine asked for is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        wanted = settings.engine == "ua-parser" or (settings.engine == "auto" and installed())
        self._devices = Devices(Engine() if wanted else None)
        self._agents = Agents(own=settings.own_apps, programs=settings.programs)
        self._remembered = Remembered[Mapping[str, object]](most=settings.most_remembered)

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        """What the request says, by its user agent and its client hints."""
        get, actor = facts.headers.get, context.actor
        agent = get("user-agent") or ""
        if len(agent) > MAX_CHARS:
            agent = agent[:MAX_CHARS]
        if not agent.isascii():  # no list has such a one, and half a surrogate pair is no text to an engine
            agent = agent.encode("ascii", "replace").decode()
        said = tuple([get(name) for name in HEADERS])
        edge = _edge(facts) if facts.proxied else None
        asked = (agent, said, edge, actor)
        found = self._remembered.get(asked)
        if found is None:
            found = self._work_out(agent, said, edge, context)
            self._remembered.keep(asked, found)
        if context.device is not None:  # somebody knows better
            return {name: value for name, value in found.items() if name != "device"}
        return found

    def _work_out(
        self, agent: str, said: tuple[str | None, ...], edge: str | None, context: Context
    ) -> Mapping[str, object]:
        hints = read({name: text for name, text in zip(HEADERS, said, strict=True) if text is not None})
        verdict = self._agents.judge(agent, actor=context.actor, headless=hints.headless)
        device = None if verdict.disguised else self._devices.of(agent, hints, edge=edge)
        found = {"device": device, "agent": verdict.agent}
        told = {name: value for name, value in found.items() if value is not None}
        if verdict.actor != context.actor:
            told["actor"] = verdict.actor  # type: ignore[assignment]
        return MappingProxyType(told) if told else _NOTHING


def _edge(facts: Facts) -> str | None:
    """What Amazon CloudFront says of the viewer; a header of whoever stands behind no proxy of yours is not read."""
    return next((told for name, told in _EDGE.items() if facts.headers.get(name) == "true"), None)


FACTORY: Final[Factory[Enricher]] = Factory(name="device", settings=Settings, build=DeviceEnricher)
