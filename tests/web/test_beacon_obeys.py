"""What the beacon's endpoint can never do: widen who somebody is, or what they allow."""

from __future__ import annotations

from typing import Any

import pytest

import cxkit
from cxkit.model import PURPOSES
from cxkit.settings import Consent, Web
from cxkit.stores.memory import MemoryStore
from cxkit.testing import FakeClock
from tests.flows.world import Faulty
from tests.web.beacon import NOW_MS, SAME, dropped, event, said, status

NEEDED = cxkit.touchpoint("beacon_test.needed", purpose="necessary")


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


@pytest.fixture
def decided(make: Any, shop: Any, clock: FakeClock) -> Any:
    """Makes a visitor who chose an hour into the test, and the kit they chose with."""

    def decided(choose: Any, **consent: Any) -> Any:
        kept = make({"consent": Consent(**consent)})
        clock.advance(3600)
        client = shop(choose, kit=kept.kit)
        client.ask()
        return kept, client

    return decided


@pytest.mark.parametrize("before", ["anonymise", "hold"])
def test_what_was_done_before_the_choice_is_nobodys(decided: Any, post: Any, before: Any) -> None:
    kept, client = decided(lambda: cxkit.grant("analytics", "advertising"), before_choice=before)
    at, then = NOW_MS + 3_600_000, NOW_MS + 3_600_000 - 1
    assert status(post(said(event(number=1, at=then), event(number=2, at=at), sent=at), by=client)) == 204
    earlier, later = kept.named("element.clicked")
    assert (earlier.identity.identifiers, dict(earlier.consent)) == ((), {"necessary": True})
    assert [one.type for one in later.identity.identifiers] == ["visitor"]
    assert later.consent["advertising"]
    assert not dropped(kept)


@pytest.mark.parametrize(("way_s", "known"), [(0, False), (10, False), (11, True)])
def test_what_a_call_takes_to_get_here_makes_nothing_later(
    decided: Any, post: Any, clock: FakeClock, way_s: int, known: bool
) -> None:
    """Where it takes longer than any call, it is the clock that is wrong."""
    kept, client = decided(lambda: cxkit.grant("analytics"))
    then = NOW_MS + 3_600_000 - 1
    clock.advance(way_s)
    post(said(event(at=then), sent=then + 1), by=client)
    (clicked,) = kept.named("element.clicked")
    assert bool(clicked.identity) is known


def test_what_was_done_before_the_choice_is_for_no_more_than_it_was_then(make: Any, shop: Any, post: Any) -> None:
    kept = make()
    kept.exporter.purposes = frozenset({"advertising"})
    client = shop(lambda: cxkit.grant("analytics", "advertising"), kit=kept.kit)
    client.ask()
    post(said(event(number=1, at=NOW_MS - 1), event(number=2)), by=client)
    assert len(kept.named("element.clicked")) == 1


def test_where_only_the_cookie_tells_all_of_its_second_is_before_the_choice(
    make: Any, shop: Any, post: Any, clock: FakeClock
) -> None:
    store = Faulty(MemoryStore())
    kept = make({"strict": False}, store=store)
    clock.advance(0.75)
    client = shop(lambda: cxkit.grant("analytics"), kit=kept.kit)
    client.ask()
    kept.kit.close()
    elsewhere = make({"strict": False}, store=store)
    store.broken = True
    browser = client.in_(shop(kit=elsewhere.kit))
    clock.advance(1)
    events = [event(number=one, at=NOW_MS + at) for one, at in enumerate((-1, 0, 500, 999, 1000))]
    post(said(*events, sent=NOW_MS + 1750), by=browser)
    store.broken = False
    assert [bool(one.identity) for one in elsewhere.named("element.clicked")] == [False] * 4 + [True]


def test_where_nothing_is_kept_before_a_choice_nothing_of_then_is_kept_after_it(decided: Any, post: Any) -> None:
    kept, client = decided(lambda: cxkit.grant("analytics"), before_choice="drop")
    at = NOW_MS + 3_600_000
    post(said(event(at=at - 1), sent=at), by=client)
    assert not kept.named("element.clicked")
    assert dropped(kept) == {"consent_undecided:analytics": 1}


def test_a_refusal_counts_for_what_was_done_before_it(decided: Any, post: Any) -> None:
    kept, client = decided(lambda: cxkit.choose("advertising"))
    at = NOW_MS + 3_600_000
    post(said(event(at=at - 1), sent=at), by=client)
    assert not kept.named("element.clicked")
    assert dropped(kept) == {"consent_refused:analytics": 2}, "the visit, and the event"


def test_what_needs_no_choice_is_nobodys_before_they_may_be_recognised(make: Any, shop: Any, post: Any) -> None:
    kept = make({"web": Web(beacon_touchpoints=(NEEDED.spec.name,))})
    client = shop(lambda: cxkit.grant("analytics"), kit=kept.kit)
    client.ask()
    post(said(event(NEEDED.spec.name, number=1, at=NOW_MS - 1), event(NEEDED.spec.name, number=2)), by=client)
    assert [bool(one.identity) for one in kept.named(NEEDED.spec.name)] == [False, True]


def test_where_nobody_has_to_choose_what_was_done_before_is_theirs(decided: Any, post: Any) -> None:
    kept, client = decided(lambda: cxkit.grant("analytics"), policy="us")
    at = NOW_MS + 3_600_000
    post(said(event(at=at - 1), sent=at), by=client)
    (clicked,) = kept.named("element.clicked")
    assert clicked.identity
