"""link and logout: what belongs to the customer, and what stays when they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.errors import StateError
from cxkit.kit import Kit
from cxkit.model import Evidence, Identifier
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from tests.flows.world import Faulty, lives

SEEN = cxkit.touchpoint("link.seen")


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(store: Faulty, exporter: RecordingExporter) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def here() -> dict[str, str]:
    return {one.type: one.evidence for one in cxkit.current().identity.identifiers}


def test_a_card_at_the_till_is_the_customers_from_then_on(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "gold"})
        cxkit.link(loyalty="4711")
        assert here() == {"user_id": "login", "loyalty": "login"}
        with cxkit.scope(kit=kit, loyalty="4711"):
            assert cxkit.current().profile.traits == {"plan": "gold"}, "before it is committed, too"
        settled(kit)
    with cxkit.scope(kit=kit, loyalty="4711"):
        assert cxkit.current().profile.traits == {"plan": "gold"}
    (life,) = lives(store).values()
    assert sorted(one.type for one in life.graph.links) == ["loyalty", "user_id"]


@pytest.mark.parametrize("evidence", ["claim", "token"])
def test_who_is_not_proven_links_nothing(kit: Kit, store: Faulty, evidence: Evidence) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence=evidence), pytest.raises(StateError, match="CX7009"):
        cxkit.link(loyalty="4711")
    with cxkit.scope(kit=kit), pytest.raises(StateError, match="CX7009"):
        cxkit.link(loyalty="4711")
    settled(kit)
    assert lives(store) == {}


def test_the_card_of_somebody_else_stays_theirs(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="mary", evidence="login"):
        cxkit.identify(traits={"plan": "basic"})
        cxkit.link(loyalty="4711")
    settled(kit)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "gold"})
        cxkit.link(loyalty="4711")
    settled(kit)
    assert len(lives(store)) == 2
    with cxkit.scope(kit=kit, loyalty="4711"):
        assert cxkit.current().profile.traits == {"plan": "basic"}


def test_after_a_logout_nothing_of_the_person_stays(kit: Kit, exporter: RecordingExporter) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("advertising")
    with cxkit.scope(kit=kit):
        cxkit.grant("analytics", "personalization")
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        SEEN.capture()
        assert "advertising" in current_scope().allowed.denied  # type: ignore[union-attr]
        cxkit.logout()
        assert here() == {}
        assert (cxkit.current().profile.traits, cxkit.current().profile.person) == ({}, None)
        assert "advertising" not in current_scope().allowed.denied  # type: ignore[union-attr]
        assert "analytics" in cxkit.current().allowed, "what was chosen in this browser is the device's"
        SEEN.capture()
    assert kit.flush(timeout_s=30).complete
    seen = [one for one in exporter.interactions if one.name == "link.seen"]
    assert [one.identity.get("user_id") is not None for one in seen] == [True, False]
    (left,) = [one for one in exporter.interactions if one.name == "identity.logged_out"]
    assert left.identity.get("user_id") is not None


def test_on_the_web_whoever_comes_next_is_a_new_visitor(kit: Kit) -> None:
    made = [Identifier(type="visitor", value=f"v{number}", evidence="cookie") for number in range(2)]
    with cxkit.scope(kit=kit):
        scope = current_scope()
        assert scope is not None
        scope.issue_visitor = lambda: made.pop(0)
        cxkit.grant("analytics", "identity_stitching")
        first = cxkit.current().identity.get("visitor")
        cxkit.identify(user_id="nancy")
        cxkit.logout()
        second = cxkit.current().identity.get("visitor")
        assert first is not None
        assert second is not None
        assert first.value != second.value
        assert here() == {"visitor": "cookie"}


# --- what somebody types in beside a cookie ---


OWN = {"analytics", "identity_stitching"}


def thief(kit: Kit) -> AbstractContextManager[None]:
    return cxkit.scope(kit=kit, visitor="thief", evidence="cookie")


def seen_here(kit: Kit) -> tuple[dict[str, object], set[str]]:
    scope = current_scope()
    assert scope is not None
    kit.desk.recall(scope, patience_s=1)
    return dict(cxkit.current().profile.traits), set(cxkit.current().allowed - {"necessary"})


@pytest.mark.parametrize("what", [{"loyalty": "4711"}, {"email": "n@example.org"}, {"user_id": "nancy"}])
def test_a_cookie_does_not_make_a_stranger_the_owner_of_a_card(kit: Kit, store: Faulty, what: dict[str, str]) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("personalization", "advertising")
        cxkit.identify(loyalty="4711", email="n@example.org", traits={"plan": "gold"})
    settled(kit)
    with thief(kit):
        cxkit.grant(*OWN)
        cxkit.link(**what)
        assert seen_here(kit) == ({}, OWN), "before it is committed, too"
        cxkit.grant("sale_share")
    settled(kit)
    with thief(kit):
        assert seen_here(kit) == ({}, OWN | {"sale_share"})
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify()
        assert seen_here(kit) == ({"plan": "gold"}, {"personalization", "advertising"}), "as she chose"
    assert len(lives(store)) == 2


@pytest.mark.parametrize("more", [{}, {"user_id": "nancy"}])
def test_an_address_typed_in_first_is_whose_who_logs_in_with_it(kit: Kit, store: Faulty, more: dict[str, str]) -> None:
    with thief(kit):
        cxkit.grant(*OWN)
        cxkit.link(email="n@example.org")
        cxkit.grant("advertising")
    settled(kit)
    with cxkit.scope(kit=kit, email="n@example.org", evidence="login"):
        cxkit.identify(**more, traits={"plan": "gold"})
        with thief(kit):
            assert seen_here(kit) == ({}, {*OWN, "advertising"}), "before it is committed, too"
    settled(kit)
    with thief(kit):
        assert seen_here(kit) == ({}, {*OWN, "advertising"})
    with cxkit.scope(kit=kit, email="n@example.org", evidence="login"):
        cxkit.identify()
        assert seen_here(kit) == ({"plan": "gold"}, set())
    assert sorted(sorted(link.type for link in one.graph.links) for one in lives(store).values()) == [
        sorted(["email", *more]), ["visitor"]
    ]  # fmt: skip


def test_a_login_that_tells_nothing_takes_the_address_too(kit: Kit, store: Faulty) -> None:
    with thief(kit):
        cxkit.grant(*OWN)
        cxkit.link(email="n@example.org")
    settled(kit)
    with cxkit.scope(kit=kit):
        cxkit.identify(email="n@example.org")
        settled(kit)
        before = store.scan("")
        cxkit.identify(email="n@example.org")
    settled(kit)
    assert store.scan("") == before, "known by now"
    assert sorted([link.type for link in one.graph.links] for one in lives(store).values()) == [["email"], ["visitor"]]


def test_who_typed_it_themselves_is_known_on_their_device_when_they_log_in(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, visitor="v-1", evidence="cookie"):
        cxkit.grant(*OWN)
        cxkit.link(email="n@example.org")
        settled(kit)
        cxkit.identify(email="n@example.org", user_id="nancy")
    settled(kit)
    (life,) = lives(store).values()
    assert {one.type: one.evidence for one in life.graph.links} == {
        "visitor": "cookie", "email": "login", "user_id": "login"
    }  # fmt: skip
