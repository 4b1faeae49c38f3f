"""The beacon's endpoints: who may send, what becomes of it, and what it can never do."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.api.declared import RESERVED
from cxkit.capture.scope import current_scope
from cxkit.model import PURPOSES
from cxkit.rules.measure.pages import MEASURED
from cxkit.settings import Consent, Keys, Secret, Web
from cxkit.testing import FakeClock
from cxkit.web.beacon import beacon_tag
from cxkit.web.limits import Rate, Recent
from tests.web.minified import minified

STATIC = Path(cxkit.__file__).parent / "web" / "beacon"
SAME = (b"sec-fetch-site", b"same-origin")
TEXT = b"text/plain;charset=UTF-8"
NOW_MS = 1_800_000_000_000
NO_BODY = [{"type": "http.request"}]


@attrs.frozen
class _Answer:
    answer: int
    comment: str = ""


ANSWERED = cxkit.touchpoint("beacon_test.answered", kind="feedback", properties=_Answer)
PLAIN = cxkit.touchpoint("beacon_test.plain", purpose="necessary")


def event(name: str = "element.clicked", *, number: int = 1, at: float = NOW_MS, **more: Any) -> dict[str, Any]:
    fitting = {"properties": {"element": "buy"}} if name == "element.clicked" else {}
    return {"id": f"00000000-0000-4000-8000-{number:012}", "at": at, "name": name, **fitting, **more}


def said(*events: Any, sent: float = NOW_MS, **more: Any) -> bytes:
    return json.dumps({"sent": sent, "events": events, **more}).encode()


@pytest.fixture
def post(shop: Any) -> Callable[..., Any]:
    """Sends a body as a page of the site does, unless told otherwise."""
    usual: list[Any] = []

    def post(
        body: bytes, *, by: Any = None, kit: Any = None, type: bytes = TEXT, more: Any = (SAME,), **fields: Any
    ) -> Any:
        if not usual:
            usual.append(shop(kit=kit))
        headers = [*([(b"content-type", type)] if type else []), *more]
        received = [{"type": "http.request", "body": body}]
        return (by or usual[0]).ask("/cx/i", method="POST", headers=headers, received=received, **fields)

    return post


def status(sent: Any) -> int:
    assert sent.error is None
    assert sent.messages[1]["body"] == b""
    return int(sent.messages[0]["status"])


def dropped(kept: Any) -> dict[str, int]:
    return {name: count for name, count in kept.kit.intake.dropped.items() if not name.startswith("noted:")}


def noted(kept: Any) -> dict[str, int]:
    return dict(kept.kit.intake.noted)


# --- who may send ---


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


def test_a_rate_fills_up_again_and_forgets_the_oldest() -> None:
    """S15."""
    now = [0.0]
    rate = Rate(60, clock=lambda: now[0])
    assert [rate.allows("::1") for _ in range(61)] == [True] * 60 + [False]
    assert not rate.allows("::2"), "one network has one household"
    assert rate.allows("2001:db8::1")
    now[0] = 1.0
    assert [rate.allows("::1"), rate.allows("::1")] == [True, False]
    now[0] = 1e6
    assert [rate.allows("::1") for _ in range(61)].count(True) == 60
    for number in range(20_000):
        rate.allows(str(number))
    assert len(rate._left) == 10_000
    assert rate.allows(None)


def test_what_is_remembered_to_have_come_is_bounded() -> None:
    """S15."""
    recent = Recent()
    assert not any(recent.again(number.to_bytes(8)) for number in range(20_000))
    assert len(recent._seen) == 10_000
    assert recent.again((19_999).to_bytes(8))
    assert not recent.again((0).to_bytes(8))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xff", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b"[" * 60_000, 400),
        (b"[" * 100_000, 413),
        (said(*[event(number=number) for number in range(501)]), 413),
        (said(*["x" for _ in range(500)]), 204),
        (said(), 204),
    ],
    ids=["B64", "B65", "B66 depth", "B66 depth, and too long", "B74 501 events", "B74 500 events", "none"],
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


# --- what becomes of it ---


def test_an_event_is_an_interaction_of_the_visitor(visitor: Any, kept: Any, post: Any) -> None:
    body = said(
        event("page.engaged", route="/p/{sku}", engaged_ms=1200, properties={"scroll_percent": 40, "interactions": 2}),
        locale="fr-CA",
        zone="Europe/Paris",
    )
    assert status(post(body, by=visitor)) == 204
    (viewed, engaged) = kept.viewed, kept.named("page.engaged")[0]
    assert engaged.identity == viewed.identity
    assert engaged.identity.get("visitor").evidence == "cookie"
    assert (engaged.kind, engaged.channel, engaged.purpose) == ("measurement", "web", "analytics")
    assert (engaged.context.page.route, engaged.context.page.engaged_ms) == ("/p/{sku}", 1200)
    assert (engaged.context.locale, engaged.context.timezone) == ("fr-CA", "Europe/Paris")
    assert engaged.properties == {"scroll_percent": 40, "interactions": 2}
    assert not dropped(kept)


def test_the_requests_of_the_beacon_are_no_views(kept: Any, post: Any) -> None:
    post(said(event()))
    assert [one.name for one in kept.interactions] == ["element.clicked"]


def test_each_event_of_cx_js_is_kept_as_documented(kept: Any, post: Any) -> None:
    post(
        said(
            event("page.viewed", number=1),
            event("page.engaged", number=2, engaged_ms=0),
            event("page.vitals", number=3, properties={"lcp_ms": 900, "cls": 0.01, "inp_ms": 48}),
            event("element.clicked", number=4),
            event("link.left", number=5, properties={"to": "https://other.example"}),
        )
    )
    found = {one.name: (one.kind, one.properties) for one in kept.interactions}
    assert found == {
        "page.viewed": ("view", {}),
        "page.engaged": ("measurement", {}),
        "page.vitals": ("measurement", {"lcp_ms": 900, "cls": 0.01, "inp_ms": 48}),
        "element.clicked": ("action", {"element": "buy"}),
        "link.left": ("action", {"to": "https://other.example"}),
    }
    assert MEASURED.keys() == found.keys() <= RESERVED


def test_events_that_are_wrong_are_counted_and_spoil_no_others(kept: Any, post: Any) -> None:
    wrong = [None, [], event(number=2, properties={"element": "Nancy's order"}), event("page.unknown", number=3)]
    assert status(post(said(*wrong, event(number=4)))) == 204
    assert len(kept.interactions) == 1
    assert dropped(kept) == {"beacon_refused": 4}


def test_twice_sent_is_once_kept(kept: Any, post: Any) -> None:
    for _ in range(2):
        post(said(event(number=1), event(number=2), event(number=1)))
    assert len(kept.interactions) == 2
    assert noted(kept) == {"beacon_repeated": 4}
    assert not dropped(kept)


def test_in_another_process_it_has_the_same_id(
    make: Any, shop: Any, post: Any, tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"keys": Keys(signing=(Secret("a signing secret"),), identifier=Secret("an identifier secret"))}
    ids = set()
    for name in "ab":
        kept = make({**settings, "directory": tmp_path / name})
        post(said(event(at=NOW_MS - 5000)), by=shop(kit=kept.kit))
        ids |= {one.id for one in kept.interactions}
        clock.advance(0.4)  # the second copy took longer
    assert len(ids) == 1
    assert "000000000001" not in ids.pop()


@pytest.mark.parametrize(("ahead_ms", "by_its_clock"), [(0, True), (60_000, True), (60_001, False), (10**12, False)])
def test_an_id_tells_no_time_that_is_still_to_come(kept: Any, post: Any, ahead_ms: int, by_its_clock: bool) -> None:
    at = NOW_MS + ahead_ms
    post(said(event(at=at), sent=at))
    (one,) = kept.interactions
    assert int(one.id.replace("-", "")[:12], 16) == (at if by_its_clock else NOW_MS)


@pytest.mark.parametrize(
    ("at", "sent", "age_s"),
    [
        (NOW_MS - 5000, NOW_MS, 5),
        (NOW_MS - 5000 + 10 * 31_536_000_000, NOW_MS + 10 * 31_536_000_000, 5),  # B34: ten years ahead
        (5000, 65_000, 60),  # a clock that was never set
        (NOW_MS + 5000, NOW_MS, 0),
        (0, NOW_MS, 604_800),
        (NOW_MS - 30 * 86_400_000, NOW_MS, 604_800),
    ],
)
def test_how_long_ago_counts_not_what_time_it_was(kept: Any, post: Any, at: float, sent: float, age_s: float) -> None:
    post(said(event(at=at), sent=sent))
    (one,) = kept.interactions
    assert one.occurred_at == datetime.fromtimestamp(NOW_MS / 1000 - age_s, UTC)


ROUTES = ("/", "/orders/{id}", "/orders/{id}/lines/{line}", "/été")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/orders/zebra", "/orders/{id}"),
        ("/orders/nancy%40shop.example", "/orders/{id}"),
        ("/orders/zebra/lines/2", "/orders/{id}/lines/{line}"),
        ("/%C3%A9t%C3%A9", "/été"),
        ("/orders/", None),
        ("/orders/zebra/secret", None),
        ("/reset/t0k3n", None),
        ("", None),
    ],
)
def test_a_path_becomes_a_route_or_nothing(make: Any, post: Any, path: str, route: str | None, tmp_path: Path) -> None:
    kept = make({"web": Web(routes=ROUTES)})
    post(said(event("page.viewed", path=path)), kit=kept.kit)
    (viewed,) = kept.interactions
    assert viewed.context.page.route == route
    kept.kit.close()
    for word in (b"zebra", b"nancy", b"t0k3n"):
        assert not [one for one in tmp_path.rglob("*") if one.is_file() and word in one.read_bytes()]


@pytest.mark.parametrize(
    ("said_to_be", "route"),
    [
        ("/reset/{token}", "/reset/{token}"),
        ("/été/{id}.html", "/été/{id}.html"),
        ("/orders/zebra?a=1", "/orders/{id}"),
        ("/orders/nancy@shop.example", "/orders/{id}"),
        ("/orders/zebra%20one", "/orders/{id}"),
        *((f"/reset/zebra{letter}", None) for letter in "?#@<>% \"'`\\"),
        ("javascript:zebra", None),
        ("", None),
    ],
)
def test_a_route_that_is_no_template_is_a_path(
    make: Any, post: Any, said_to_be: str, route: str | None, tmp_path: Path
) -> None:
    kept = make({"web": Web(routes=ROUTES)})
    post(said(event("page.viewed", route=said_to_be)), kit=kept.kit)
    (viewed,) = kept.interactions
    assert viewed.context.page.route == route
    kept.kit.close()
    for word in (b"zebra", b"nancy"):
        assert not [one for one in tmp_path.rglob("*") if one.is_file() and word in one.read_bytes()]


def test_the_address_is_kept_nowhere(kept: Any, post: Any, tmp_path: Path, caplog: Any) -> None:
    """S9."""
    post(said(event()), client=("198.51.100.77", 4711))
    kept.kit.close()
    assert not [one for one in tmp_path.rglob("*") if one.is_file() and b"198.51.100" in one.read_bytes()]
    assert "198.51.100" not in caplog.text


# --- touchpoints of the app ---


def named(*names: str) -> dict[str, Any]:
    return {"web": Web(beacon_touchpoints=names)}


def test_touchpoints_that_are_listed_and_declared_may_be_captured(make: Any, post: Any) -> None:
    kept = make(named("beacon_test.answered", "beacon_test.plain"))
    answers = [event("beacon_test.answered", properties={"answer": 9}), event("beacon_test.plain", number=2)]
    post(said(*answers), kit=kept.kit)
    answered, plain = kept.interactions
    assert (answered.kind, answered.properties) == ("feedback", {"answer": 9, "comment": ""})
    assert (plain.purpose, plain.properties) == ("necessary", {})


@pytest.mark.parametrize(
    ("names", "properties", "reason"),
    [
        ((), {"answer": 9}, "beacon_refused"),
        (("beacon_test.answered",), {"reply": 9}, "beacon_refused"),
        (("beacon_test.answered",), {"answer": {"deep": 1}}, "beacon_refused"),
    ],
)
def test_others_may_not(make: Any, post: Any, names: Any, properties: Any, reason: str) -> None:
    kept = make(named(*names))
    assert status(post(said(event("beacon_test.answered", properties=properties)), kit=kept.kit)) == 204
    assert not kept.interactions
    assert dropped(kept) == {reason: 1}


def test_what_is_listed_but_declared_nowhere_is_counted_apart(make: Any, post: Any) -> None:
    kept = make(named("beacon_test.nowhere"))
    post(said(event("beacon_test.nowhere")), kit=kept.kit)
    assert dropped(kept) == {"beacon_undeclared": 1}


def test_what_cxkit_itself_captures_cannot_be_listed(make: Any, post: Any) -> None:
    kept = make(named("page.engaged", "consent.changed", "identity.identified"))
    post(said(event("consent.changed"), event("page.engaged", number=2)), kit=kept.kit)
    assert not kept.interactions
    assert "beacon_refused" in dropped(kept)


# --- what it can never do ---


@pytest.mark.parametrize("agent", [b"Googlebot/2.1", b"Mozilla/5.0 (compatible; bingbot/2.0)"])
def test_robots_give_nothing(kept: Any, post: Any, agent: bytes) -> None:
    assert status(post(said(event(), event(number=2)), more=[SAME, (b"user-agent", agent)])) == 204
    assert not kept.interactions
    assert dropped(kept) == {"beacon_robot": 2}


def test_what_is_fetched_ahead_gives_nothing(kept: Any, post: Any) -> None:
    post(said(event()), more=[SAME, (b"sec-purpose", b"prefetch;prerender")])
    assert not kept.interactions


FORGED = {
    "user_id": "nancy",
    "identity": {"identifiers": [{"type": "user_id", "value": "nancy", "evidence": "login"}]},
    "consent": dict.fromkeys(PURPOSES, True),
    "choices": {"advertising": "granted"},
    "tenant": "other",
    "write_key": "other",
    "actor": "human",
    "context": {"session": "stolen"},
}


def test_what_is_forged_is_dropped(kept: Any, post: Any) -> None:
    """B75, S17."""
    post(said(event(**FORGED), **FORGED))
    (one,) = kept.interactions
    assert not one.identity
    assert not one.consent.get("analytics")
    assert not one.consent.get("advertising")
    assert one.context.session is None


def test_what_is_forged_changes_nothing_of_a_visitor(visitor: Any, kept: Any, post: Any) -> None:
    """S17."""
    held = dict(visitor.cookies)
    sent = post(said(event(**FORGED), **FORGED), by=visitor)
    assert (sent.cookies, visitor.cookies) == ({}, held)
    (one,) = kept.named("element.clicked")
    assert [(each.type, each.evidence) for each in one.identity.identifiers] == [("visitor", "cookie")]


def test_an_objection_in_the_body_can_only_deny(visitor: Any, kept: Any, post: Any) -> None:
    """S17."""
    post(said(event(number=1), gpc=True), by=visitor)
    post(said(event(number=2), gpc=False), by=visitor, more=[SAME, (b"sec-gpc", b"1")])
    post(said(event(number=3), gpc=False), by=visitor)
    said_, header, neither = [one.consent for one in kept.named("element.clicked")]
    assert said_ == header
    assert (said_["advertising"], said_["sale_share"], said_["analytics"]) == (False, False, True)
    assert neither["advertising"]


@pytest.mark.parametrize("before", ["anonymise", "hold", "drop"])
def test_before_a_choice_the_policy_decides(make: Any, post: Any, before: str) -> None:
    kept = make({"consent": Consent(before_choice=before)})
    sent = post(said(event()), kit=kept.kit)
    assert (status(sent), sent.cookies) == (204, {})
    assert [one.identity.identifiers for one in kept.interactions] == ([()] if before == "anonymise" else [])
    assert dropped(kept) == ({} if before == "anonymise" else {"consent_undecided:analytics": 1})


def test_after_a_refusal_nothing_is_kept(shop: Any, kept: Any, post: Any) -> None:
    client = shop(lambda: cxkit.withdraw("analytics"))
    client.ask()
    sent = post(said(event()), by=client)
    assert (status(sent), sent.cookies) == (204, {})
    assert not kept.named("element.clicked")
    assert dropped(kept)["consent_refused:analytics"] >= 1


def test_strict_mode_is_not_for_strangers(kept: Any, post: Any, make: Any) -> None:
    kept = make({**named("beacon_test.plain"), "strict": True})
    broken = {"password": "hunter2", "half": "\ud800"}
    assert status(post(said(event("beacon_test.plain", properties=broken)), kit=kept.kit)) == 204


# --- the script, and its tag ---


def test_the_script_is_served_for_any_cache_to_keep(shop: Any) -> None:
    sent = shop().ask("/cx/cx.js", received=NO_BODY)
    assert sent.messages[0]["status"] == 200
    assert sent.messages[1]["body"] == (STATIC / "cx.min.js").read_bytes()
    assert sent.all("content-type") == ["text/javascript; charset=utf-8"]
    assert sent.all("cache-control") == ["public, max-age=3600"]
    assert sent.all("x-content-type-options") == ["nosniff"]
    (tag,) = sent.all("etag")
    for held, expected in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200), (tag[:-2] + '"', 200)):
        again = shop().ask("/cx/cx.js", headers=[(b"if-none-match", held.encode())], received=NO_BODY)
        assert again.messages[0]["status"] == expected
        assert again.all("etag") == [tag]


def test_the_script_brings_no_cookies(visitor: Any, clock: FakeClock) -> None:
    clock.advance(40 * 86_400)  # they would be renewed
    assert not visitor.ask("/cx/cx.js", received=NO_BODY).cookies


def test_what_is_served_is_what_the_minifier_makes_of_the_source() -> None:
    assert minified((STATIC / "cx.js").read_text("utf-8")) == (STATIC / "cx.min.js").read_text("utf-8")


def test_it_is_small() -> None:
    served = (STATIC / "cx.min.js").read_bytes()
    assert len(served) <= 3500
    assert len(gzip.compress(served, 9, mtime=0)) <= 1800


def test_it_uses_nothing_that_a_strict_policy_forbids_or_a_person_would_mind() -> None:
    source = (STATIC / "cx.min.js").read_text("utf-8")
    forbidden = ["eval(", "Function(", "innerHTML", ".style", "Storage", "indexedDB", "cookie=", "unload", "import("]
    personal = [
        ".value",
        "textContent",
        "innerText",
        ".search",
        ".hash",
        "location.href",
        "referrer",
        ".title",
        "userAgent",
    ]
    assert not [word for word in forbidden + personal if word in source]


def test_analytics_is_where_the_script_looks_for_it() -> None:
    assert PURPOSES.index("analytics") == 2


def test_the_tag_knows_the_route_and_where_it_is_mounted(client: Any, kept: Any) -> None:
    tags: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tags.append(beacon_tag())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wrapped = cxkit.web.ASGIMiddleware(app, kit=kept.kit, route=lambda scope: "/<a>/{b}")  # type: ignore[attr-defined]
    client(wrapped).ask("/shop/x/1", root_path="/shop")
    assert tags == ['<script src="/shop/cx/cx.js" defer data-route="/&lt;a&gt;/{b}" data-before="send"></script>']


@pytest.mark.parametrize(
    ("settings", "given", "expected"),
    [
        ({}, {}, 'src="/cx/cx.js" defer data-before="send"'),
        ({"consent": Consent(before_choice="hold")}, {}, 'src="/cx/cx.js" defer data-before="hold"'),
        ({"consent": Consent(before_choice="drop")}, {}, 'src="/cx/cx.js" defer data-before="drop"'),
        ({"consent": Consent(before_choice="hold", policy="us")}, {}, 'src="/cx/cx.js" defer data-before="send"'),
        ({"consent": Consent(before_choice="hold", policy="regional")}, {}, 'src="/cx/cx.js" defer data-before="hold"'),
        ({"web": Web(cookie_prefix="shop")}, {}, 'src="/cx/cx.js" defer data-before="send" data-cookie="shop_consent"'),
        ({"web": Web(mount="/_/cx")}, {}, 'src="/_/cx/cx.js" defer data-before="send"'),
        (
            {},
            {"views": "all", "nonce": 'a"b'},
            'src="/cx/cx.js" defer data-before="send" data-views="all" nonce="a&quot;b"',
        ),
        ({}, {"route": "/p/{sku}"}, 'src="/cx/cx.js" defer data-route="/p/{sku}" data-before="send"'),
    ],
)
def test_the_tag_follows_the_settings(make: Any, as_default: Any, settings: Any, given: Any, expected: str) -> None:
    assert current_scope() is None
    with as_default(make(settings).kit):
        tag = beacon_tag(**given)
    assert tag == tag.__html__() == f"<script {expected}></script>"


def test_without_a_mount_there_is_no_tag(make: Any, as_default: Any) -> None:
    with as_default(make({"web": Web(mount="")}).kit):
        assert beacon_tag() == ""


def test_integrity_is_that_of_what_is_served(make: Any, as_default: Any) -> None:
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.sha384((STATIC / "cx.min.js").read_bytes()).digest()).decode()
    with as_default(make().kit):
        assert f'integrity="sha384-{digest}" crossorigin="anonymous"' in beacon_tag(integrity=True)


def test_where_nothing_can_be_configured_there_is_no_tag(tmp_path: Path) -> None:
    (tmp_path / "cxkit.toml").write_text("durability = 'never'", "utf-8")
    asked = "from cxkit.web.beacon import beacon_tag; print(repr(beacon_tag()))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "''\n"
