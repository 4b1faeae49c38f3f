"""What all visits under one kit share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Final, NamedTuple

from cxkit.errors import TokenError
from cxkit.keyring import Signed
from cxkit.kit import Kit
from cxkit.model import Facts
from cxkit.roles import Endpoint, Recognising
from cxkit.rules.consent import Policy
from cxkit.web.client_ip import client_ip_strategy, proxy_check
from cxkit.web.cookies import CookieNames, cookie_names
from cxkit.web.facts import FactsReader
from cxkit.web.paths import pattern_of

__all__ = ["Site", "is_secure"]

_RENEW_AFTER_S: Final = 30 * 86_400
_MAX_QUERY_CHARS: Final = 8_192
_MAX_MARK_CHARS: Final = 200
_KIOSK_IDLE_S: Final = 120
"""At a device that everybody uses, whoever comes after so long is somebody else."""


def is_secure(scheme: str) -> bool:
    """Whether cookies on this scheme are kept to it."""
    return scheme in ("https", "wss")


Answers = Callable[["Site"], Iterable[tuple[str, Endpoint]]]


class _Mounted(NamedTuple):
    path: re.Pattern[str]
    endpoint: Endpoint


class Site:
    """What all visits under one kit share.

    Args:
        kit: Whose visits they are.
        answers: What cxkit itself answers there: below which path, and the endpoint.
    """

    def __init__(self, kit: Kit, *, answers: Answers = lambda site: ()) -> None:
        self.kit = kit
        self._answers = answers
        self.settings = kit.settings.web
        self._exact = frozenset(self.settings.exclude)
        self._below = tuple(one for one in self.settings.exclude if one.endswith("/"))
        self.accept_ch = ", ".join(self.settings.accept_ch).encode()
        self.kiosk = kit.desk.identifying.kiosk
        self.visitor_max_age_s = _KIOSK_IDLE_S if self.kiosk else self.settings.visitor_max_age_s
        self.renew_after_s = 0 if self.kiosk else _RENEW_AFTER_S
        self._names = [cookie_names(self.settings.cookie_prefix, secure=secure) for secure in (False, True)]
        self.facts = FactsReader(
            cookie_names=self.cookie_names,
            client_ip=client_ip_strategy(self.settings.client_ip),
            proxied=proxy_check(self.settings.client_ip),
            cookies=tuple(self.settings.id_cookies),
        )

    def excludes(self, facts: Facts) -> bool:
        """Whether a path is none of our business: an excluded one, or below one that ends in a slash."""
        path = _path(facts)
        return path in self._exact or path.startswith(self._below)

    def cookie_names(self, scheme: str) -> CookieNames:
        """What the cookies are called on requests of this scheme."""
        return self._names[is_secure(scheme)]

    def consent_max_age_s(self, policy: Policy) -> int:
        """How long choices are kept in a browser: an objection at least as long as nobody may ask again."""
        if self.kiosk:
            return _KIOSK_IDLE_S
        max_age_s = self.settings.consent_max_age_s
        return max(max_age_s, policy.refusal_days * 86_400) if policy.mechanism == "opt_out" else max_age_s

    def now(self) -> float:
        """Unix seconds."""
        return self.kit.desk.intake.stamper.time_ns() / 1e9

    def failed(self, error: Exception) -> None:
        """Something of ours went wrong: raised in strict mode, else noted."""
        self.kit.intake.note(error)

    def verified(self, use: str, token: str | None, *, max_age_s: int) -> Signed | None:
        """What a cookie holds; None if it is none of ours (any more)."""
        if not token:
            return None
        try:
            return self.kit.desk.keyring.verify(use, token, now=self.now(), max_age_s=max_age_s)
        except TokenError:
            self.kit.desk.intake.count("token_refused")
            return None

    @cached_property
    def recognising(self) -> dict[str, Recognising]:
        """Query parameter to the channel whose links have it."""
        return {one.marker: one for one in self.kit.channels if isinstance(one, Recognising)}

    def marks(self, query: str) -> Iterator[tuple[Recognising, str]]:
        """What a query says to channels whose links lead here; the first of each, if it is no more than a mark is."""
        if not self.recognising:
            return
        said: dict[str, str] = {}
        for part in query[:_MAX_QUERY_CHARS].split("&"):
            name, _, value = part.partition("=")
            said.setdefault(name, value)
        for marker, channel in self.recognising.items():
            if 0 < len(said.get(marker, "")) <= _MAX_MARK_CHARS:
                yield channel, said[marker]

    # --- what cxkit itself answers ---

    def endpoint(self, facts: Facts) -> Endpoint | None:
        """What is mounted at the path that was asked for."""
        mount, path = self.settings.mount, _path(facts)
        if not mount or not path.startswith(("/.well-known/", mount + "/")):
            return None
        exact, patterned = self._mounted
        found = exact.get(path)
        return found or next((one.endpoint for one in patterned if one.path.fullmatch(path)), None)

    @cached_property
    def _mounted(self) -> tuple[dict[str, Endpoint], list[_Mounted]]:
        exact: dict[str, Endpoint] = {}
        patterned: list[_Mounted] = []
        for at, endpoint in self._answers(self):
            path = at + endpoint.path
            if "{" in path:
                patterned.append(_Mounted(pattern_of(path), endpoint))
            else:
                exact.setdefault(path, endpoint)
        return exact, patterned


def _path(facts: Facts) -> str:
    """The path below that of the app itself."""
    return facts.path.removeprefix(facts.root)
