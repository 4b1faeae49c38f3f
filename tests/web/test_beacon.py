"""The beacon's endpoint: who may send, and what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from cxkit.settings import Web
from cxkit.testing import FakeClock
from tests.web.beacon import NO_BODY, NOW_MS, SAME, event, noted, said, status


@pytest.mark.parametrize(
    "type", [b"text/plain", b"text/plain;charset=UTF-8", b"application/json", b'Application/JSON; charset="utf-8"']
)
def test_text_and_json_are_taken(kept: Any, post: Any, type: bytes) -> None:
    """B73."""
    assert status(post(said(event()), type=type)) == 204
    assert len(kept.named("element.clicked")) == 1


@pytest.mark.parametrize(
    "type",
    [
        b"",
        b"text/plain;charset=utf-16",
        b"multipart/form-data; boundary=x",
        b"application/x-www-form-urlencoded",
        b"text/html",
    ],
)
def test_nothing_else_is_taken(kept: Any, post: Any, type: bytes) -> None:
    """B73."""
    assert status(post(said(event()), type=type)) == 415
    assert not kept.interactions
    assert noted(kept) == {"beacon_unreadable": 1}


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ([SAME], True),
        ([(b"origin", b"http://shop.example")], True),
        ([], False),
        ([(b"sec-fetch-site", b"none")], False),
        ([(b"sec-fetch-site", b"same-site"), (b"origin", b"http://a.shop.example")], False),
        ([(b"sec-fetch-site", b"cross-site"), (b"origin", b"http://shop.example")], False),
        ([(b"origin", b"null")], False),
        ([(b"origin", b"http://shop.example.evil.example")], False),
        ([(b"origin", b"http://evilshop.example")], False),
        ([(b"origin", b"http://shop.example:8080")], False),
        ([(b"origin", b"http://shop.example@evil.example")], False),
    ],
    ids=str,
)
def test_only_the_site_itself_may_send(kept: Any, post: Any, headers: Any, taken: bool) -> None:
    """S16."""
    sent = post(said(event()), more=headers)
    assert status(sent) == (204 if taken else 403)
    assert len(kept.interactions) == taken
    assert noted(kept) == ({} if taken else {"beacon_foreign": 1})
    assert not [one for one in dict(sent.headers) if one.startswith(b"access-control")]


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        (b"https://cdn.example", True),
        (b"https://cdn.example:8443", False),
        (b"https://cdn.example.evil.example", False),
        (b"http://cdn.example", False),
        (b"null", False),
    ],
)
def test_other_origins_by_name_and_never_with_cookies(
    make: Any, post: Any, shop: Any, origin: bytes, taken: bool, method: str
) -> None:
    """S16."""
    kept = make({"web": Web(origins=("https://cdn.example",))})
    headers = [(b"origin", origin), (b"sec-fetch-site", b"cross-site")]
    if method == "POST":
        sent = post(said(event()), kit=kept.kit, more=headers)
    else:
        sent = shop(kit=kept.kit).ask("/cx/i", method="OPTIONS", headers=headers, received=NO_BODY)
    assert status(sent) == (204 if taken else 403)
    assert sent.all("access-control-allow-origin") == ([origin.decode()] if taken else [])
    assert not sent.all("access-control-allow-credentials")
    assert sent.all("vary") == (["Origin"] if taken else [])


@pytest.mark.parametrize(
    ("headers", "recognised"),
    [
        ([(b"origin", b"https://a.shop.example"), (b"sec-fetch-site", b"same-site")], False),
        ([(b"origin", b"https://a.shop.example")], False),
        ([(b"origin", b"http://shop.example"), (b"sec-fetch-site", b"same-origin")], True),
        ([(b"origin", b"http://shop.example")], True),
    ],
    ids=str,
)
def test_nobody_is_recognised_on_other_origins_also_where_their_browser_brings_cookies(
    make: Any, clock: FakeClock, visitor: Any, shop: Any, post: Any, headers: Any, recognised: bool
) -> None:
    """S16."""
    clock.advance(60)  # what follows is certainly after the choice
    kept = make({"web": Web(origins=("https://a.shop.example",), id_headers={"x-user": "user_id"})})
    browser, held = visitor.in_(shop(kit=kept.kit)), dict(visitor.cookies)
    later = NOW_MS + 60_000
    sent = post(said(event(at=later), sent=later), by=browser, more=[*headers, (b"x-user", b"nancy")])
    assert (status(sent), sent.cookies, visitor.cookies) == (204, {}, held)
    (clicked,) = kept.interactions
    assert [one.type for one in clicked.identity.identifiers] == (["visitor", "user_id"] if recognised else [])


def test_only_posts_are_heard(shop: Any, kept: Any) -> None:
    assert status(shop().ask("/cx/i")) == 405
    assert not kept.interactions


def test_so_many_a_minute_from_one_address(make: Any, post: Any) -> None:
    """S8, S15."""
    kept = make({"web": Web(beacon_per_minute=2)})
    by = {"kit": kept.kit}
    first = [
        status(post(said(event(number=number)), **by, more=[SAME, (b"x-forwarded-for", b"198.51.100.%d" % number)]))
        for number in range(3)
    ]
    other = status(post(said(event(number=9)), **by, client=("192.0.2.8", 4711)))
    assert (first, other) == ([204, 204, 429], 204)
    assert noted(kept) == {"beacon_limited": 1}


def test_it_is_the_events_that_count(make: Any, post: Any) -> None:
    """S15."""
    kept = make({"web": Web(beacon_per_minute=100)})
    by = {"kit": kept.kit}
    first = [status(post(said(*[event(number=99 * call + one) for one in range(99)]), **by)) for call in range(3)]
    assert first == [204, 204, 429], "99, and 99 for the last one"
    assert len(kept.interactions) == 198


def test_what_says_nothing_counts_as_one(make: Any, post: Any) -> None:
    """S15."""
    by = {"kit": make({"web": Web(beacon_per_minute=2)}).kit}
    assert [status(post(said(), **by)) for _ in range(3)] == [204, 204, 429]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xff", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b"[" * 60_000, 400),
        (b"[" * 100_000, 413),
        (said(*[event(number=number) for number in range(101)]), 413),
        (said(*["x" for _ in range(100)]), 204),
        (said(), 204),
    ],
    ids=["B64", "B65", "B66 depth", "B66 depth, and too long", "B74 101 events", "B74 100 events", "none"],
)
def test_what_is_no_envelope_is_told_so(kept: Any, post: Any, body: bytes, expected: int) -> None:
    """B64, B65, B74."""
    assert status(post(body)) == expected
    assert not kept.interactions


def test_100_000_tiny_events_are_too_long(kept: Any, post: Any) -> None:
    """B74, S15."""
    assert status(post(b'{"sent":1,"events":[' + b"1," * 100_000 + b"1]}")) == 413


PACKED: dict[str, Callable[[], bytes]] = {
    "B67 100 MB": lambda: gzip.compress(bytes(100_000_000)),
    "B68 twice": lambda: gzip.compress(gzip.compress(bytes(100_000_000))),
    "B69 cut off": lambda: gzip.compress(said(event()))[:-9],
    "B69 goes on": lambda: gzip.compress(said(event())) * 2,
    "an event": lambda: gzip.compress(said(event())),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_nothing_is_unpacked(kept: Any, post: Any, packed: Callable[[], bytes]) -> None:
    """B67, B68, B69: whatever it says of itself."""
    body = packed()
    for encoding in (b"gzip", b"gzip, gzip", b"br"):
        assert status(post(body, more=[SAME, (b"content-encoding", encoding)])) == 415
    assert status(post(body)) == (413 if len(body) > 65_536 else 400)
    assert not kept.interactions
