"""Who asks, where it is no person's browser: by lists, by form, by what browsers say of themselves.

That somebody is a person, nothing here says: whatever a browser sends, a program that drives one sends as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import attrs

from cxkit.model.context import Actor, Agent
from cxkit_device.mail import bare, program_of, proxy_of
from cxkit_device.words import Words, lines

__all__ = ["Agents", "Programs", "Verdict"]

Programs = Literal["unknown", "bot"]


@attrs.frozen
class Verdict:
    """Who asks."""

    actor: Actor = "unknown"
    agent: Agent | None = None
    disguised: bool = False
    """Whether the device that it speaks of is not the one it runs on."""


_LIBRARIES: Final = {
    "okhttp": "okhttp", "cfnetwork/": "CFNetwork", "dalvik/": "Dalvik", "dart:io": "Dart", "dart/": "Dart",
    "ktor": "Ktor", "alamofire": "Alamofire", "cronet": "Cronet", "expo/": "Expo", "python-httpx": "httpx",
    "nsurlsession": "NSURLSession",
}  # fmt: skip
"""By which apps of one's own call for somebody; and httpx, which drives tests."""
_STAND_IN: Final = "amazon cloudfront"
"""What that network says instead of the user agent, unless it is set up to pass that on."""
_HTTP: Final = "http_library"
_INNOCENT: Final = re.compile(
    r"(?<=android )[0-9.]+; (?:u; )?(?:[a-z]{2}[-_][a-z]{2}; )?[^;)]*|\bbuild/[^ ;)]+|\bhtc[ ;_/-]+radar\b|@?tab-ten"
    r"|google ?tv|google earth|googleplaystore|com\.google\.\w+|\(\w+\.com\)|air\.com\.\w+|\bomi/[0-9.]+catcher"
    r"|sogou(?:mse|mobilebrowser|search)|process/tools\w*|java/(?:asvm|jbed)|javaplatform|ice browser/[^)]*\)"
    r"|qqdownload|chromeframe"
)
"""Names of devices and of apps on them that hold a bot's."""


class Agents:
    """Judges user agents.

    Args:
        own: How the user agents of your own apps begin: never bots.
        programs: What is no browser by its form, and in no list: it may be an app of yours.
    """

    def __init__(self, *, own: Sequence[str] = (), programs: Programs = "unknown") -> None:
        self._own = tuple(one.lower() for one in own)
        self._programs: Actor = programs
        self._bots = Words(lines("bots.tsv"))
        self._shapes = Words(lines("shapes.tsv"))
        self._named = tuple(_program(line) for line in lines("names.tsv"))
        self._starting: dict[str, list[int]] = {}
        for place, (_, _, held, _) in enumerate(self._named):
            self._starting.setdefault(held[:3], []).append(place)

    def judge(self, agent: str, *, actor: Actor, headless: bool = False) -> Verdict:
        """Who asks with this user agent.

        Args:
            agent: Cut short; empty: none came.
            actor: What is known already: that stands.
            headless: Whether the browser says that nobody sees what it shows.

        Example:
            >>> Agents().judge("Mozilla/5.0 (compatible; GPTBot/1.2)", actor="unknown").agent
            Agent(category='ai_crawler', name='GPTBot', evidence=('listed',))
        """
        lower = agent.lower()
        if actor == "human" or (self._own and lower.startswith(self._own)):
            return Verdict(actor)
        return self._mail(lower, actor) or self._judge(agent, lower, actor, headless)

    def _mail(self, lower: str, actor: Actor) -> Verdict | None:
        ahead: Actor = "prefetch" if actor == "unknown" else actor
        if (proxy := proxy_of(lower)) is not None:
            return Verdict(ahead, Agent(category="mail", name=proxy, evidence=("mail_proxy",)), disguised=True)
        if bare(lower):
            return Verdict(ahead, Agent(category="mail", evidence=("bare_user_agent",)), disguised=True)
        if actor == "unknown" and (program := program_of(lower)) is not None:
            return Verdict(actor, Agent(category="mail", name=program, evidence=("mail_program",)))
        return None

    def _judge(self, agent: str, lower: str, actor: Actor, headless: bool) -> Verdict:
        if actor == "unknown" and not headless:
            if lower == _STAND_IN:
                return Verdict()
            library = next((name for held, name in _LIBRARIES.items() if held in lower), None)
            if library is not None:
                return Verdict(actor, Agent(category=_HTTP, name=library, evidence=("http_library",)))
        evidence = ["told"] if actor == "bot" else []
        if headless:
            evidence.append("headless")
        if self._bots.within(lower) and self._bots.within(_INNOCENT.sub("", lower)):
            evidence.append("listed")
        if evidence:
            category, name = self._name(agent)
            became: Actor = "bot" if actor == "unknown" else actor
            return Verdict(became, Agent(category=category, name=name, evidence=tuple(evidence)))
        if actor == "prefetch":
            return Verdict(actor, Agent(category="browser", evidence=("fetched_ahead",)))
        return self._by_form(agent, lower)

    def _by_form(self, agent: str, lower: str) -> Verdict:
        if not lower:
            return Verdict(self._programs, Agent(evidence=("no_user_agent",)))
        if not self._shapes.within(lower):
            return Verdict()
        category, name = self._name(agent)
        if category is not None and category != _HTTP:
            return Verdict("bot", Agent(category=category, name=name, evidence=("listed", "form")))
        return Verdict(self._programs, Agent(category=category, name=name, evidence=("form",)))

    def _name(self, agent: str) -> tuple[str | None, str | None]:
        """The first of the list that is in it; only those are looked for whose beginning is."""
        beginnings = {agent[at : at + 3] for at in range(len(agent) - 2)} & self._starting.keys()
        for place in sorted(place for one in beginnings for place in self._starting[one]):
            category, name, held, pattern = self._named[place]
            if held in agent and (pattern is None or pattern.search(agent)):
                return category, name
        return None, None


def _program(line: str) -> tuple[str, str, str, re.Pattern[str] | None]:
    category, name, held, *pattern = line.split("\t")
    return category, name, held, re.compile(pattern[0]) if pattern else None
