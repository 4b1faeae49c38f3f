"""Who opened or followed a message: somebody, a service for somebody, or a machine that nobody waits for.

No request proves that there is a person behind it, so nothing here is a fact: a verdict is what the signs known so far
add up to, with each of them as its reason. It is a function of the *set* of all hits of one message, so it does not
matter in which order they came; where later ones say more of earlier ones, those are `revised`.

What each sign makes of a hit. Where several differ, ``js_confirmed`` decides, else machine before unknown before proxy
before human: so nothing that speaks for a machine ever makes a human of it, and who was confirmed stays human.

==================  =========  =========  ====================================================================
sign                an open    a click    what it is
==================  =========  =========  ====================================================================
``js_confirmed``    human      human      somebody used the page that the link led to, says the beacon
``honeypot``        machine    machine    a link that nobody sees was followed, by this hit or within 10 s of it
``burst``           machine    machine    3 links within 5 s, or all there are (3 and more) within 60 s; and what
                                          the same program opened within 10 s of that
``prefetch``        machine    machine    it says itself that nobody looks yet
``head``            machine    machine    it asks for no content
``no_ua``           machine    machine    no user agent
``bot_ua``          machine    machine    a user agent of a robot, or of a browser without a screen
``apple_mpp_like``  machine    machine    a user agent that is ``Mozilla/5.0`` and no more: Apple's Mail Privacy
                                          Protection fetches so whatever arrives, read or not
``scanner_net``     unknown    machine    from a network that was named as a scanner's; some fetch pictures from
                                          there for whoever reads, too
``too_fast``        unknown    unknown    within 2 s (open) or 10 s (click) of being sent or delivered
``proxy_gmail``     proxy      machine    Google fetches the pictures when somebody opens; it follows no links
``proxy_yahoo``     proxy      machine    so does Yahoo
``mail_program``    human      unknown    a user agent of a program that shows mail; links it gives to a browser
``browser``         human      human      a browser's: many show mail, too
(none)              unknown    unknown
==================  =========  =========  ====================================================================

A proxy's open counts, but its place, device and language are nobody's. That an open and a click come within the same
second is no sign: who clicks has often let the pictures be loaded just then.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import Final, Literal

import attrs

from cxkit.model import Facts
from cxkit.web.actor import actor_of

__all__ = ["Actor", "Hit", "Kind", "Send", "Sign", "Verdict", "hit_of", "judge", "revised"]

Actor = Literal["human", "proxy", "machine", "unknown"]
Kind = Literal["open", "click"]
Sign = Literal[
    "js_confirmed", "honeypot", "burst", "prefetch", "head", "no_ua", "bot_ua", "apple_mpp_like", "scanner_net",
    "too_fast", "proxy_gmail", "proxy_yahoo", "mail_program", "browser",
]  # fmt: skip
Network = IPv4Network | IPv6Network

_EFFECTS: Final[Mapping[Sign, tuple[Actor, Actor]]] = MappingProxyType({
    "js_confirmed": ("human", "human"),
    "honeypot": ("machine", "machine"),
    "burst": ("machine", "machine"),
    "prefetch": ("machine", "machine"),
    "head": ("machine", "machine"),
    "no_ua": ("machine", "machine"),
    "bot_ua": ("machine", "machine"),
    "apple_mpp_like": ("machine", "machine"),
    "scanner_net": ("unknown", "machine"),
    "too_fast": ("unknown", "unknown"),
    "proxy_gmail": ("proxy", "machine"),
    "proxy_yahoo": ("proxy", "machine"),
    "mail_program": ("human", "unknown"),
    "browser": ("human", "human"),
})  # fmt: skip
"""In the order of the table: of an open, of a click."""
_STRONGEST: Final[Sequence[Actor]] = ("machine", "unknown", "proxy", "human")
_COUNTED: Final[frozenset[Actor]] = frozenset(["human", "proxy"])
_TAINT: Final = timedelta(seconds=10)
_TOO_FAST: Final[Mapping[Kind, timedelta]] = MappingProxyType(
    {"open": timedelta(seconds=2), "click": timedelta(seconds=10)}
)
_MANY: Final = 3
_BURST: Final = timedelta(seconds=5)
_ALL: Final = timedelta(seconds=60)

_LONGEST: Final = 1_024
_PROXIES: Final[Mapping[str, Sign]] = MappingProxyType(
    {"googleimageproxy": "proxy_gmail", "yahoomailproxy": "proxy_yahoo", "ymailnorrin": "proxy_yahoo"}
)
_ROBOTS: Final = (
    "headless", "phantomjs", "puppeteer", "playwright", "selenium", "barracuda", "proofpoint", "mimecast", "virustotal",
    "urlscan", "safebrowsing", "forcepoint", "sophos", "fortiguard", "existence discovery", "protocol discovery",
)  # fmt: skip
"""Browsers that nobody sits before, and those scanners of mail that say who they are. Most say that they are Chrome."""
_MAIL_PROGRAMS: Final = (
    "thunderbird/", "microsoft outlook", "ms-office", "msoffice", "outlook-ios", "outlook-android", "applemail/",
    "apple mail/", "macoutlook/", "airmail", "k-9 mail", "fairemail", "em client",
    "emclient", "kmail", "evolution/", "betterbird/", "postbox/", "samsung email", "windows live mail",
    "windows-live-mail",
)  # fmt: skip
_ENGINES: Final = ("applewebkit/", "gecko/", "trident/")


@attrs.frozen(kw_only=True)
class Send:
    """What is known of a message that was sent to somebody. Times are aware."""

    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    links: int = 0
    """How many links it has that somebody can see."""
    hidden: frozenset[int] = frozenset()
    """Numbers of those that nobody sees."""


@attrs.frozen(kw_only=True)
class Hit:
    """That a message was opened, or a link of it followed. Nothing of it says by whom."""

    id: str
    """Of two hits that have the same, the signs are put together: so a confirmation reaches its click."""
    kind: Kind
    at: datetime
    """Aware."""
    link: int | None = None
    """The number of the link that was followed."""
    signs: frozenset[Sign] = frozenset()
    """What its request said of itself, and whether it was confirmed."""
    who: str | None = None
    """The same for hits of this message that came from one network with one user agent; for no others."""


@attrs.frozen
class Verdict:
    """Who it was, as far as is known.

    Example:
        >>> Verdict("proxy", ("proxy_gmail",)).counts
        True
    """

    actor: Actor
    reasons: tuple[Sign, ...] = ()
    """The signs there are, the one that decided first."""

    @property
    def counts(self) -> bool:
        """Whether it is engagement: somebody's own doing, or a service's because of it."""
        return self.actor in _COUNTED


def hit_of(
    facts: Facts,
    *,
    id: str,
    kind: Kind,
    at: datetime,
    link: int | None = None,
    secret: bytes,
    scanners: Sequence[Network] = (),
) -> Hit:
    """A hit, of the request that it came by: of its address and user agent only what they are signs of is kept.

    Args:
        secret: Of the message, 64 bytes at most: without it nobody can try which network and user agent ``who`` is.
        scanners: Networks whose requests are nobody's.

    Example:
        >>> from datetime import UTC
        >>> headers = {"user-agent": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"}
        >>> facts = Facts(method="GET", scheme="https", host=None, path="/", headers=headers)
        >>> sorted(hit_of(facts, id="1", kind="open", at=datetime(2026, 11, 23, tzinfo=UTC), secret=b"a1").signs)
        ['proxy_gmail']
    """
    agent = facts.headers.get("user-agent", "")[:_LONGEST].strip()
    address = _address(facts.client_ip)
    asked: Mapping[Sign, bool] = {
        "prefetch": actor_of(facts.headers) == "prefetch",
        "head": facts.method == "HEAD",
        "scanner_net": address is not None and any(address in one for one in scanners),
    }
    signs = frozenset([*_of_agent(agent), *(sign for sign, held in asked.items() if held)])
    return Hit(id=id, kind=kind, at=at, link=link, signs=signs, who=_who(secret, address, agent))


def judge(hits: Iterable[Hit], send: Send = Send()) -> dict[str, Verdict]:
    """The verdicts on all hits of one message, by their ids.

    Example:
        >>> from datetime import UTC
        >>> at = datetime(2026, 11, 23, 12, tzinfo=UTC)
        >>> seen = Hit(id="1", kind="click", at=at, link=0, signs=frozenset(["browser"]))
        >>> judge([seen])["1"]
        Verdict(actor='human', reasons=('browser',))
        >>> judge([seen, attrs.evolve(seen, id="2", link=7)], Send(hidden=frozenset([7])))["1"]
        Verdict(actor='machine', reasons=('honeypot', 'browser'))
    """
    merged = _merged(hits)
    added: dict[Sign, Iterable[Hit]] = {
        "too_fast": (one for one in merged if _too_fast(one, send)),
        "honeypot": _near(merged, [one for one in merged if "honeypot" in one.signs or one.link in send.hidden]),
        "burst": _by_whoever(merged, _together(merged, send)),
    }
    found: dict[str, set[Sign]] = {one.id: {*one.signs} for one in merged}
    for sign, these in added.items():
        for one in these:
            found[one.id].add(sign)
    return {one.id: _verdict(one.kind, found[one.id]) for one in merged}


def revised(hits: Iterable[Hit], send: Send, *, told: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The new verdicts on hits that, by what is known now, somebody else made than was told.

    Args:
        hits: All of the message, the latest with them.
        told: The last verdicts that were told, by the ids of their hits.

    Example:
        >>> from datetime import UTC
        >>> seen = Hit(id="1", kind="click", at=datetime(2026, 11, 23, tzinfo=UTC), link=0)
        >>> confirmed = attrs.evolve(seen, signs=frozenset(["js_confirmed"]))
        >>> revised([seen, confirmed], Send(), told=judge([seen]))
        {'1': Verdict(actor='human', reasons=('js_confirmed',))}
    """
    now = judge(hits, send)
    return {id: one for id, one in now.items() if id in told and told[id].actor != one.actor}


def _too_fast(one: Hit, send: Send) -> bool:
    return any(at is not None and abs(one.at - at) < _TOO_FAST[one.kind] for at in (send.sent_at, send.delivered_at))


def _together(hits: Sequence[Hit], send: Send) -> list[Hit]:
    """The clicks that nobody makes so fast, in the order of their times."""
    clicks = [one for one in hits if one.kind == "click" and one.link is not None]
    found = {*_bursts(clicks, _MANY, _BURST)}
    if send.links >= _MANY:
        found |= {*_bursts([one for one in clicks if one.link not in send.hidden], send.links, _ALL)}
    return [one for one in clicks if one in found]


def _verdict(kind: Kind, signs: Set[Sign]) -> Verdict:
    made: dict[Sign, Actor] = {one: effects[kind == "click"] for one, effects in _EFFECTS.items() if one in signs}
    actor: Actor = next((one for one in _STRONGEST if one in made.values()), "unknown")
    if "js_confirmed" in made:
        actor = "human"
    return Verdict(actor, tuple(sorted(made, key=lambda one: made[one] != actor)))


def _merged(hits: Iterable[Hit]) -> list[Hit]:
    """One of each id, in the order of their times."""
    found: dict[str, Hit] = {}
    for one in sorted(hits, key=_order):
        first = found.get(one.id)
        found[one.id] = one if first is None else attrs.evolve(first, signs=first.signs | one.signs)
    return list(found.values())


def _order(one: Hit) -> tuple[datetime, str, str, int, str]:
    return one.at, one.id, one.kind, -1 if one.link is None else one.link, one.who or ""


def _near(hits: Iterable[Hit], these: Sequence[Hit]) -> Iterator[Hit]:
    """Those of hits within 10 s of one of these, all in the order of their times."""
    place = 0
    for one in hits:
        while place < len(these) and one.at - these[place].at > _TAINT:
            place += 1
        if place < len(these) and these[place].at - one.at <= _TAINT:
            yield one


def _by_whoever(hits: Sequence[Hit], these: Sequence[Hit]) -> Iterator[Hit]:
    """These, and what came from the same programs near them."""
    yield from these
    theirs: dict[str, list[Hit]] = {}
    for one in these:
        theirs.setdefault(one.who or "", []).append(one)
    others: dict[str, list[Hit]] = {}
    for one in hits:
        if one.who in theirs:
            others.setdefault(one.who, []).append(one)
    for who, alike in others.items():
        yield from _near(alike, theirs[who])


def _bursts(clicks: Sequence[Hit], many: int, within: timedelta) -> Iterator[Hit]:
    """Those of clicks, in the order of their times, that are of so many links within that time."""
    links: Counter[int | None] = Counter()
    left = told = 0
    for right, one in enumerate(clicks):
        links[one.link] += 1
        while one.at - clicks[left].at > within:
            links[clicks[left].link] -= 1
            if not links[clicks[left].link]:
                del links[clicks[left].link]
            left += 1
        if len(links) >= many:
            yield from clicks[max(left, told) : right + 1]
            told = right + 1


def _of_agent(agent: str) -> Iterator[Sign]:
    """What a user agent is a sign of: one thing at most."""
    lower = agent.lower()
    proxy = next((sign for held, sign in _PROXIES.items() if held in lower), None)
    if not lower:
        yield "no_ua"
    elif proxy is not None:
        yield proxy
    elif lower == "mozilla/5.0":
        yield "apple_mpp_like"
    elif actor_of({"user-agent": agent}) == "bot" or any(one in lower for one in _ROBOTS):
        yield "bot_ua"
    elif any(one in lower for one in _MAIL_PROGRAMS):
        yield "mail_program"
    elif lower.startswith("mozilla/5.0 (") and any(one in lower for one in _ENGINES):
        yield "browser"


def _address(told: str | None) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address((told or "")[:64])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _who(secret: bytes, address: IPv4Address | IPv6Address | None, agent: str) -> str | None:
    if address is None:  # the user agent alone is that of many
        return None
    network = address.packed[: 3 if address.version == 4 else 6]  # /24 and /48: a scanner has many addresses
    told = b"\0".join([network.hex().encode(), agent.encode("utf-8", "replace")])
    return hashlib.blake2b(told, key=secret, digest_size=8).hexdigest()
