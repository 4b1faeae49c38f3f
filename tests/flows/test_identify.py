"""identify: seen at once, stored soon, and joined only to what may be joined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.errors import InvalidInteractionError
from cxkit.kit import Kit
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from tests.flows.world import Faulty, held, key, traits

GOLD = cxkit.Variant(name="gold", content="Welcome back", audience={"traits.plan": "gold"}, depth=3)


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(store: Faulty, exporter: RecordingExporter) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


@pytest.fixture
def hero() -> cxkit.Experience:
    return cxkit.experience("identify.hero", variants=[GOLD])


@pytest.fixture
def key_of(kit: Kit) -> Callable[[str, str], str]:
    return lambda type, value: key(type, value, kit.desk.keyring)


def identifiers() -> dict[str, str]:
    scope = current_scope()
    assert scope is not None
    return {one.type: one.evidence for one in scope.identity.identifiers}


def test_it_shows_at_once_and_lands_in_the_store(kit: Kit, store: Faulty, key_of: Callable[[str, str], str]) -> None:
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        assert cxkit.current().profile.traits == {"plan": "gold"}
        assert asyncio.run(kit.settled(timeout_s=30))
        person = cxkit.current().profile.person
        assert person is not None
    assert held(store, "identifier") == {key_of("user_id", "nancy"): {"type": "user_id", "person": person.id}}
    assert traits(store) == [{"plan": "gold"}]


def test_it_shows_before_it_is_committed(kit: Kit, store: Faulty, hero: cxkit.Experience) -> None:
    with cxkit.scope(kit=kit):
        cxkit.grant("personalization")
        assert asyncio.run(kit.settled(timeout_s=30))
        store.conflicts = 1_000_000
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        assert hero.decide().variant == "gold"
        assert held(store, "person") == {}
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):  # the next request, say
        cxkit.grant("personalization")
        assert hero.decide().variant == "gold"
        store.conflicts = 0
        assert asyncio.run(kit.settled(timeout_s=30))
        assert hero.decide().variant == "gold"
    assert len(held(store, "person")) == 1


def test_without_consent_to_stitching_the_visitor_stays_apart(
    kit: Kit, store: Faulty, key_of: Callable[[str, str], str]
) -> None:
    with cxkit.scope(kit=kit, visitor="v1", evidence="cookie"):
        cxkit.grant("analytics")
        cxkit.identify(user_id="nancy")
        assert identifiers() == {"user_id": "login"}
    assert asyncio.run(kit.settled(timeout_s=30))
    assert held(store, "identifier").keys() == {key_of("user_id", "nancy")}


def test_with_consent_to_stitching_the_visitor_was_this_person_all_along(
    kit: Kit, store: Faulty, key_of: Callable[[str, str], str]
) -> None:
    with cxkit.scope(kit=kit, visitor="v1", evidence="cookie"):
        cxkit.grant("analytics", "identity_stitching")
        cxkit.identify(user_id="nancy")
        assert identifiers() == {"user_id": "login", "visitor": "cookie"}
    assert asyncio.run(kit.settled(timeout_s=30))
    people = {body["person"] for body in held(store, "identifier").values()}
    assert held(store, "identifier").keys() == {key_of("user_id", "nancy"), key_of("visitor", "v1")}
    assert len(people) == 1


def test_what_the_person_chose_elsewhere_holds_from_the_login_on(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("analytics")
    with cxkit.scope(kit=kit):
        scope = current_scope()
        assert scope is not None
        assert "analytics" not in scope.allowed.denied
        cxkit.identify(user_id="nancy")
        assert "analytics" in scope.allowed.denied


def test_of_a_contact_only_the_keyed_hash_is_kept(
    kit: Kit, store: Faulty, exporter: RecordingExporter, key_of: Callable[[str, str], str]
) -> None:
    with cxkit.scope(kit=kit, phone="+33 1 23 45 67 89"):
        cxkit.grant("analytics")
        cxkit.identify(user_id="nancy", email=" Nancy@Example.ORG ")
        cxkit.touchpoint("identify.seen").capture()
    assert kit.flush(timeout_s=30).complete
    told = b"".join(payload for batch in exporter.batches for payload in batch.payloads)
    written = str([body for kind in ("person", "identifier", "consent") for body in held(store, kind).items()])
    for secret in ("ancy@", "example", "33123456789", "23 45"):
        assert secret.encode() not in told.lower()
        assert secret not in written.lower()
    assert b"nancy" in told, "a user id is the app's own"


@pytest.mark.parametrize("value", ["null", "", "0", None, 1.5, ["nancy"], "x" * 300])
def test_what_identifies_nobody_is_refused_and_changes_nothing(kit: Kit, value: object) -> None:
    with cxkit.scope(kit=kit):
        with pytest.raises(InvalidInteractionError) as caught:
            cxkit.identify(user_id=value)  # type: ignore[arg-type]
        assert caught.value.code == "CX3120"
        assert identifiers() == {}


def test_traits_are_redacted_and_bounded(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="nancy", traits={"password": "x", "note": "y" * 100_000, "size": float("nan")})
    assert asyncio.run(kit.settled(timeout_s=30))
    (kept,) = traits(store)
    assert kept["password"] == "[redacted]"
    assert len(str(kept["note"])) < 10_000
    assert kept["size"] is None


def test_what_is_known_already_is_not_recorded_again(kit: Kit, exporter: RecordingExporter) -> None:
    """An app may identify in every request of somebody who is signed in."""

    def request(visitor: str, **traits: str) -> int:
        with cxkit.scope(kit=kit, visitor=visitor, evidence="cookie"):
            cxkit.grant("analytics", "identity_stitching")
            cxkit.identify(user_id="nancy", traits=traits)
        assert kit.flush(timeout_s=30).complete
        return sum(one.name == "identity.identified" for one in exporter.interactions)

    assert request("v1", plan="gold") == 1
    assert request("v1", plan="gold") == 1
    assert request("v1") == 1
    assert request("v1", plan="silver") == 2
    assert request("v1", plan="silver", town="Lyon") == 3
    assert request("v2") == 4, "another device is news"
    assert request("v2") == 4


def test_a_listener_is_told_when_it_is_committed(kit: Kit) -> None:
    heard: list[str] = []
    stop = kit.subscribe(lambda event: heard.append(event.command.name))
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="nancy")
        cxkit.grant("analytics")
    assert asyncio.run(kit.settled(timeout_s=30))
    stop()
    assert heard == ["identity.identified", "consent.changed"]
