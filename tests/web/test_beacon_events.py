"""What becomes of the events that a page sends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.api.declared import RESERVED
from cxkit.rules.measure.pages import MEASURED
from cxkit.settings import Keys, Secret, Web
from cxkit.testing import FakeClock
from tests.web.beacon import NOW_MS, dropped, event, noted, said, status


@attrs.frozen
class _Answer:
    answer: int
    comment: str = ""


ANSWERED = cxkit.touchpoint("beacon_test.answered", kind="feedback", properties=_Answer)
PLAIN = cxkit.touchpoint("beacon_test.plain", purpose="necessary")


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


def test_strict_mode_is_not_for_strangers(kept: Any, post: Any, make: Any) -> None:
    kept = make({**named("beacon_test.plain"), "strict": True})
    broken = {"password": "hunter2", "half": "\ud800"}
    assert status(post(said(event("beacon_test.plain", properties=broken)), kit=kept.kit)) == 204
