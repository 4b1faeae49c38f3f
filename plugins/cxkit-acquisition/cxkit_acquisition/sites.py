"""Sites: which known service a host or an app stands for. The lists are in ``lists``, beside this."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple, get_args

__all__ = ["MEDIA", "RETURN", "Medium", "Site", "Sites", "known", "over"]

Medium = Literal["search", "social", "ai_assistant", "email", "paid", "referral"]
"""The ways to come by a link."""
MEDIA: Final[tuple[Medium, ...]] = get_args(Medium)
RETURN: Final = "return"
"""They send people back: payment providers, and those by whom one signs in."""
_MAIL: Final = re.compile("mail|correio|correo|messagerie|poczta|posta|^post$")
"""What mail is called in the names of hosts, with whatever numbers and brands around it."""
_BEFORE: Final = ("www.", "m.")
"""The same site."""
_SECOND: Final = frozenset("ac co com edu go gob gov gv info ne net nom or org web".split())
"""Second levels below which countries register names: ``co.uk``."""
_GENERIC: Final = frozenset("com net org info biz cat eu asia".split())
_FEW: Final = 8
"""Labels; nothing in the lists has more."""


class Site(NamedTuple):
    """A known one."""

    medium: str
    source: str


class Sites:
    """Finds the known service that a host belongs to.

    Args:
        patterns: As the lists have them, to what they stand for.

    Example:
        >>> sites = Sites({"=google.*": Site("search", "google"), "mail:example.com": Site("email", "example")})
        >>> sites.of("www.google.co.uk"), sites.of("mail.example.com").source, sites.of("docs.google.com")
        (Site(medium='search', source='google'), 'example', None)
        >>> sites.of("google.blogspot.com"), sites.of("google.com.evil.example")
        (None, None)
    """

    def __init__(self, patterns: Mapping[str, Site]) -> None:
        self._patterns = {pattern.lower(): site for pattern, site in patterns.items()}
        self.of = lru_cache(maxsize=4096)(self._of)

    def app(self, package: str) -> Site | None:
        """The service whose Android app this is."""
        return self._patterns.get(f"app:{package}")

    def _of(self, host: str) -> Site | None:
        labels = host.split(".")[-_FEW:]
        return next((site for name in _names(host, labels) if (site := self._patterns.get(name)) is not None), None)


def _names(host: str, labels: list[str]) -> Iterator[str]:
    """The patterns that fit, the surest first: the host alone, then what it is below, the longest first."""
    ending = _ending(labels)
    for before in ("", *_BEFORE):
        if host.startswith(before):
            exact = host[len(before) :].split(".")[-_FEW:]
            for name in _ways(exact, ending):
                yield f"={name}"
            if len(exact[0]) == 2:
                for name in _ways(["*", *exact[1:]], ending):
                    yield f"={name}"
    mail = False
    for start in range(len(labels) - 1):
        for name in _ways(labels[start:], ending):
            if mail:
                yield f"mail:{name}"
            yield name
        mail = mail or _MAIL.search(labels[start]) is not None


def _ending(labels: list[str]) -> int:
    """How many labels are a country's or a usual ending; 0: it has none of these."""
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND:
        return 2
    return 1 if len(labels[-1]) == 2 or labels[-1] in _GENERIC else 0


def _ways(labels: list[str], ending: int) -> Iterator[str]:
    """The name, and with ``*`` for its ending, where it has one and something before it."""
    yield ".".join(labels)
    if 0 < ending < len(labels):
        yield ".".join([*labels[:-ending], "*"])


def over(earlier: Mapping[str, Site], later: Mapping[str, Site]) -> dict[str, Site]:
    """Both; where they know the same host, the later is right, though the earlier knows it more exactly."""
    alone = {f"={pattern}": site for pattern, site in later.items() if pattern[0] != "=" and ":" not in pattern}
    return {**earlier, **alone, **later}


@cache
def known() -> Mapping[str, Site]:
    """The lists that come with the plugin, read once: ours goes before Matomo's."""
    return over(_read("matomo.toml"), _read("ours.toml"))


def _read(name: str) -> dict[str, Site]:
    lists = tomllib.loads(files(__package__).joinpath("lists", name).read_text("utf-8"))
    return {
        pattern: Site(medium, source)
        for medium, sources in lists.items()
        for source, patterns in sources.items()
        for pattern in patterns
    }
