"""A visit that begins by a link in a message: captured beside who the visitor is, and no part of that."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

import cxkit
from cxkit.errors import StoreError
from cxkit.model import Identifier
from cxkit.roles import Confirming, Endpoint, Recognising
from cxkit.web import ASGIMiddleware
from tests.hosts.servers import until
from tests.web.beacon import NOW_MS, SAME, TEXT, event, said

NANCY = Identifier(type="email", value="ab" * 16, evidence="token")


class Letters:
    """A channel whose links say to whom they were sent."""

    marker = "m"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.used: list[str] = []
        self.waits = threading.Event()
        self.waits.set()
        self.fails: Exception | None = None

    def endpoints(self) -> Sequence[Endpoint]:
        return ()

    def recognise(self, marked: str) -> Identifier | None:
        self.asked.append(marked)
        if marked == "raise":
            raise ValueError("a stranger's code")
        return NANCY if marked == "nancy" else None

    def confirmed(self, marked: str) -> None:
        assert self.waits.wait(60)
        self.used.append(marked)
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def letters(kept: Any) -> Letters:
    letters = Letters()
    kept.kit.channels = (letters,)
    assert isinstance(letters, Recognising)
    assert isinstance(letters, Confirming)
    return letters


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is not done can be seen, too."""
    monkeypatch.setattr("cxkit.web.beacon.inlet.aside", lambda work: work() or True)


def known(kept: Any) -> list[tuple[str, str]]:
    viewed = kept.named("page.viewed")[-1]
    return [(one.type, one.evidence) for one in viewed.identity.identifiers]


def test_it_is_captured_beside_who_the_visitor_is(letters: Letters, kept: Any, visitor: Any) -> None:
    visitor.ask(query_string=b"a=1&m=nancy&b=2")
    assert known(kept) == [("visitor", "cookie"), ("email", "token")]
    visitor.ask()
    assert known(kept) == [("visitor", "cookie")], "of that one page alone"


def test_nothing_is_shown_or_known_by_it(letters: Letters, shop: Any, visitor: Any) -> None:
    seen: list[Any] = []
    visitor.in_(shop(lambda: seen.append(cxkit.current()))).ask(query_string=b"m=nancy")
    (current,) = seen
    assert "email" not in str(current)


def test_who_is_not_recognised_is_not_recognised_by_it(letters: Letters, kept: Any, shop: Any) -> None:
    shop().ask(query_string=b"m=nancy")
    assert known(kept) == []


@pytest.mark.parametrize(
    "query", [b"", b"m", b"m=", b"mm=nancy", b"x=m=nancy", b"m=" + b"a" * 201, b"&" * 9_000 + b"m=nancy", b"m=%6eancy"]
)
def test_what_is_no_mark_says_nothing(letters: Letters, kept: Any, visitor: Any, query: bytes) -> None:
    sent = visitor.ask(query_string=query)
    assert sent.error is None
    assert known(kept) == [("visitor", "cookie")]


def test_a_channel_that_raises_costs_what_it_knows(make: Any, client: Any, answering: Any) -> None:
    kept = make({"strict": False})
    letters = Letters()
    kept.kit.channels = (letters,)
    sent = client(ASGIMiddleware(answering(lambda: cxkit.grant("analytics")), kit=kept.kit)).ask(
        query_string=b"m=raise"
    )
    assert (sent.error, letters.asked) == (None, ["raise"])
    assert kept.named("page.viewed")


# --- that somebody uses the page ------------------------------------------------------------------

LANDED = b"https://shop.example/sweets?a=1&m=nancy"


def tell(
    client: Any,
    *events: dict[str, Any],
    referer: bytes = LANDED,
    more: Sequence[tuple[bytes, bytes]] = (),
    sent: float = NOW_MS,
) -> Any:
    headers = [SAME, (b"content-type", TEXT), (b"referer", referer), *more]
    return client.ask(
        "/cx/i", method="POST", headers=headers, received=[{"type": "http.request", "body": said(*events, sent=sent)}]
    )


def engaged(interactions: object, *, number: int = 1, **more: Any) -> dict[str, Any]:
    return event("page.engaged", number=number, engaged_ms=10, properties={"interactions": interactions}, **more)


@pytest.mark.usefixtures("at_once")
def test_who_uses_the_page_confirms_its_mark(letters: Letters, visitor: Any) -> None:
    assert tell(visitor, engaged(0), engaged(1, number=2), engaged(3, number=3)).error is None
    assert letters.used == ["nancy"], "once for all that came together"
    tell(visitor, engaged(1, number=2))
    assert letters.used == ["nancy"], "what came before says nothing more"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "unused",
    [
        event("page.viewed"), engaged(0), engaged(-1), engaged("1"), event("page.vitals"), event("other.thing"), {},
        event(), event("link.left", properties={"to": "https://partner.example"}),
    ],
    ids=["viewed", "untouched", "negative", "a text", "vitals", "undeclared", "nothing", "a click", "a link"],
)  # fmt: skip
def test_that_a_page_ran_confirms_nothing(letters: Letters, visitor: Any, unused: dict[str, Any]) -> None:
    tell(visitor, unused)
    assert letters.used == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("referer", [b"", b"https://shop.example/", b"?", b"m=nancy", b"?m=" + b"a" * 201])
def test_an_address_without_a_mark_confirms_nothing(letters: Letters, visitor: Any, referer: bytes) -> None:
    tell(visitor, engaged(1), referer=referer)
    assert letters.used == []


@pytest.mark.usefixtures("at_once")
def test_who_has_not_allowed_it_and_robots_confirm_nothing(letters: Letters, shop: Any, visitor: Any) -> None:
    tell(shop(), engaged(1))
    tell(visitor, engaged(1, number=2), more=[(b"user-agent", b"Googlebot/2.1")])
    assert letters.used == []


@pytest.mark.usefixtures("at_once")
def test_what_was_done_before_it_was_allowed_confirms_nothing(letters: Letters, visitor: Any, clock: Any) -> None:
    """It has waited in the page's memory for a choice."""
    clock.advance(600)
    tell(visitor, engaged(1, at=NOW_MS - 900_000), sent=NOW_MS)
    assert letters.used == []


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("error", [ValueError("a stranger's code"), StoreError("it is away", fix="wait")])
def test_a_confirmation_that_fails_costs_nothing_else(
    make: Any, client: Any, answering: Any, error: Exception, strict: bool
) -> None:
    kept, letters = make({"strict": strict}), Letters()
    kept.kit.channels = (letters,)
    letters.fails = error
    browser = client(ASGIMiddleware(answering(lambda: cxkit.grant("analytics")), kit=kept.kit))
    browser.ask()
    sent = tell(browser, engaged(1))
    until(lambda: kept.kit.intake.noted["beacon_unconfirmed"], "it is counted")
    assert (sent.error, sent.messages[0]["status"], letters.used) == (None, 204, ["nancy"])
    assert kept.named("page.engaged")


def test_nobody_waits_for_a_confirmation_and_too_many_are_counted(letters: Letters, kept: Any, visitor: Any) -> None:
    letters.waits.clear()
    for number in range(101):
        assert tell(visitor, engaged(1, number=number)).messages[0]["status"] == 204
    assert kept.kit.intake.noted["beacon_unconfirmed"] == 1
    letters.waits.set()
    until(lambda: len(letters.used) == 100, "the others are told")
