"""What every enricher must do, as tests to inherit. Needs pytest.

::

    class TestMyEnricher(EnricherSuite):
        def enricher(self):
            return MyEnricher(Settings())

        requests = (request(headers={"user-agent": "..."}), ...)    # some that it has something to say of

That one which raises or is slow costs itself alone is the kit's own promise, tested there.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import attrs
import pytest

from cxkit.codec.wire import check_context
from cxkit.errors import InvalidInteractionError
from cxkit.model import Acquisition, Context, Device, Facts, Page, Place
from cxkit.roles import Enricher

__all__ = ["EnricherSuite", "request"]

_SECRETS: Final = ("198.51.100.77", "2001:db8:77::77", "canary", "nancy@example.com")
_GIVEN: Final = Context(
    channel="web",
    session="given",
    page=Page(route="/given"),
    device=Device(type="given"),
    place=Place(country="AQ", source="chosen"),
    locale="cy",
    timezone="Antarctica/Troll",
    currency="XTS",
    market="given",
    acquisition=Acquisition(source="given"),
    actor="human",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
_BOMBS: Final = (
    "", "\x00", "\xff" * 300, "x" * 1_000_000, "," * 50_000, "(" * 50_000, "\ud800", "%" * 999, "%FF%00",
    f'"not{" " * 480}a{" " * 480}x"', "a=" * 25_000, "a-" * 25_000,
)  # fmt: skip
_NAMES: Final = (
    "user-agent", "referer", "accept-language", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform-version",
    "sec-ch-viewport-width", "save-data", "x-forwarded-for", "cf-ipcountry", "cf-iplatitude", "cloudfront-viewer-city",
    "x-vercel-ip-city", "x-appengine-citylatlong", "x-nf-geo", "traceparent",
)  # fmt: skip
_ADDRESSES: Final = (
    None, "", "nonsense", "0.0.0.0", "127.0.0.1", "10.0.0.1", "192.0.2.1", "255.255.255.255", "::", "::1",
    "fe80::1%eth0", "::ffff:10.0.0.1", "2001:db8::1", "ff02::1", "999.1.1.1", "1" * 5_000,
)  # fmt: skip

_BUDGET_S: Final = 0.005
_TRIES: Final = 3

_reached: Final = threading.local()


def request(*, headers: Mapping[str, str] | None = None, query: str = "", path: str = "/", **facts: Any) -> Facts:
    """Facts as of a page that is asked for over https at ``shop.example``.

    Example:
        >>> request(headers={"save-data": "on"}).headers["save-data"]
        'on'
    """
    return Facts(
        method="GET", scheme="https", host="shop.example", path=path, headers=dict(headers or {}), query=query, **facts
    )


class EnricherSuite:
    """Inherit it, and give `enricher` and `requests`; see the top of this file."""

    requests: ClassVar[Sequence[Facts]] = ()
    """Some that it has something to say of."""

    def enricher(self) -> Enricher:
        """A new one."""
        raise NotImplementedError

    def test_it_has_something_to_say(self) -> None:
        enricher = self.enricher()
        assert self.requests
        for facts in self.requests:
            assert _found(enricher, facts), facts

    def test_what_it_says_can_be_kept(self) -> None:
        enricher = self.enricher()
        for facts in (*self.requests, *_hostile(self.requests)):
            found = _found(enricher, facts)
            try:
                check_context(Context(**found))
            except (InvalidInteractionError, TypeError) as error:
                pytest.fail(f"{found}: {error}")

    def test_it_never_raises(self) -> None:
        enricher = self.enricher()
        for facts in (*self.requests, *_hostile(self.requests)):
            for context in (Context(), _GIVEN):
                try:
                    enricher.enrich(facts, context)
                except Exception as error:  # noqa: BLE001 - that is what is asked
                    pytest.fail(repr(error))

    def test_it_overwrites_nothing(self) -> None:
        """Of what is known it says nothing, or the same."""
        enricher = self.enricher()
        known = attrs.asdict(_GIVEN, recurse=False, filter=lambda _, value: value is not None)
        for facts in (*self.requests, *_hostile(self.requests)):
            found = _found(enricher, facts, _GIVEN)
            assert {name: found.get(name, value) for name, value in known.items()} == known

    def test_it_keeps_its_budget(self) -> None:
        """5 ms of its thread's CPU time for each request, new to it, in the best of three tries."""
        spent: dict[int, float] = {}
        for _ in range(_TRIES):
            enricher = self.enricher()
            _found(enricher, request())  # what it makes at its first use, it has
            for number, facts in enumerate((*self.requests, *_hostile(self.requests))):
                began = time.thread_time()
                _found(enricher, facts)
                spent[number] = min(spent.get(number, 1.0), time.thread_time() - began)
        assert max(spent.values()) < _BUDGET_S

    def test_it_changes_nothing_that_it_is_given(self) -> None:
        enricher = self.enricher()
        for facts in self.requests:
            before = dict(facts.headers), dict(facts.cookies), facts.query
            _found(enricher, facts)
            assert (dict(facts.headers), dict(facts.cookies), facts.query) == before

    def test_the_same_request_says_the_same(self) -> None:
        """To the same enricher and to another, in whatever order, on however many threads."""
        enricher, other = self.enricher(), self.enricher()
        first = [_found(enricher, facts) for facts in self.requests]
        assert [_found(other, facts) for facts in reversed(self.requests)] == first[::-1]
        with ThreadPoolExecutor(8) as pool:
            again = list(pool.map(lambda facts: _found(enricher, facts), [*self.requests] * 20))
        assert again == first * 20

    def test_it_reaches_for_nothing_once_it_is_built(self) -> None:
        """No file, no socket, no process; as Python 3.13 tells of it, no sleep: who serves a request must not wait."""
        enricher = self.enricher()
        for facts in self.requests:
            _found(enricher, facts)  # what it imports, it may import now
        with _watched() as reached:
            for facts in (*self.requests, *_hostile(self.requests)):
                _found(enricher, facts)
        assert reached == []

    def test_nothing_of_the_request_itself_leaves_it(self) -> None:
        """Neither address nor user agent nor a word of a URL that no list has."""
        enricher = self.enricher()
        for facts in self.requests:
            told = "\n".join(_texts(_found(enricher, facts)))
            own = (facts.headers.get("user-agent"), facts.client_ip, facts.peer)
            assert not [secret for secret in own if secret and secret in told]
            marked = attrs.evolve(facts, query=f"{facts.query}&token=canary&email=nancy@example.com")
            marked = attrs.evolve(marked, cookies={"session": "canary"}, path=f"{facts.path.rstrip('/')}/canary")
            for address in _SECRETS[:2]:
                found = _found(enricher, attrs.evolve(marked, client_ip=address, peer=address))
                told = "\n".join(_texts(found))
                assert not [secret for secret in _SECRETS if secret in told]


def _hostile(requests: Sequence[Facts]) -> Iterator[Facts]:
    """Nonsense wherever something is read: where enrichers do, and where these requests have something."""
    names = {*_NAMES, *(name for facts in requests for name in facts.headers)}
    for bomb in _BOMBS:
        yield request(headers=dict.fromkeys(sorted(names), bomb), query=bomb, proxied=True)
    for address in _ADDRESSES:
        yield request(client_ip=address, peer=address, proxied=True)


def _found(enricher: Enricher, facts: Facts, context: Context = Context()) -> dict[str, Any]:
    """What it says; nothing where it raises, which is for one check alone to tell."""
    try:
        found = enricher.enrich(facts, context)
    except Exception:  # noqa: BLE001 - see above
        return {}
    return {name: value for name, value in found.items() if value is not None}


def _texts(value: object) -> Iterator[str]:
    """All texts in a value, as deep as they are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts([*value.values()])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif attrs.has(type(value)):
        yield from _texts(attrs.asdict(value, recurse=False))  # type: ignore[arg-type]


@contextmanager
def _watched() -> Iterator[list[str]]:
    """What this thread reaches for, by Python's audit events (PEP 578)."""
    _install()
    events: list[str] = []
    _reached.events = events
    try:
        yield events
    finally:
        _reached.events = None


def _install() -> None:
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_heard)


def _heard(event: str, _: object) -> None:
    events = getattr(_reached, "events", None)
    if events is not None and event.partition(".")[0] in _OUTSIDE:
        events.append(event)


_installed: list[bool] = []
_OUTSIDE: Final = frozenset(["open", "os", "socket", "subprocess", "sqlite3", "time", "urllib", "ftplib", "http"])
