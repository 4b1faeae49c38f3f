"""erase: nothing is left of a person in the store or the spool, and nothing that comes late brings them back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import cxkit
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.flows.erase import erase
from cxkit.flows.identify import identifiers_of
from cxkit.kit import Kit
from cxkit.model import Identity, Interaction
from cxkit.roles import Outcome
from cxkit.rules.profile import values
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from tests.flows.world import Faulty, batch, eventually, held, lives

SEEN = cxkit.touchpoint("erase.seen")


class Erasing(RecordingExporter):
    """An exporter that erases: no other hears of an erasure."""

    erases = "done"


@pytest.fixture
def away() -> RecordingExporter:
    """An exporter whose other side is down."""
    return Erasing(purposes=frozenset({"analytics"}), outcomes=[Outcome.retry("down")] * 1000)


@pytest.fixture
def kit(store: Faulty, tmp_path: Path, away: RecordingExporter) -> Iterator[Kit]:
    settings = Settings(strict=True, directory=tmp_path / ".cxkit")
    kit = Kit(settings, exporters={"away": away}, store=store)
    yield kit
    kit.close(timeout_s=1)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def erased(kit: Kit, *, suppress: bool = False, until: datetime | None = None, **identifiers: str) -> None:
    identity = Identity(identifiers=tuple(identifiers_of(kit.desk.keyring, identifiers, evidence="login")))
    erase(kit.desk, kit.root_scope, identity=identity, suppress=suppress, until=until)
    settled(kit)


def nancy(kit: Kit, **more: str) -> None:
    with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie"):
        cxkit.grant("analytics", "personalization", "identity_stitching")
        cxkit.withdraw("advertising")
        cxkit.identify(user_id="nancy", email="nancy@example.org", traits={"plan": "gold"}, **more)
        SEEN.capture(text="almonds")
    settled(kit)


def everything(root: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(root.glob("spool/**/*.seg")))


def test_nothing_is_left_of_them_but_tombstones_and_what_they_refused(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    with cxkit.scope(kit=kit, user_id="mary", evidence="login"):
        cxkit.grant("analytics")
        cxkit.identify(traits={"plan": "basic"})
    settled(kit)
    erased(kit, email="nancy@example.org")
    assert [life.graph.id in held(store, "person") for life in lives(store).values()] == [True]
    assert len(held(store, "tombstone")) == 3, "her id, her address and her visitor's"
    assert len(held(store, "identifier")) == 1
    assert held(store, "history").keys().isdisjoint(held(store, "tombstone"))
    left = [one for key in held(store, "tombstone") for one in held(store, "consent").get(key, {}).get("records", [])]
    assert {tuple(one["choices"].items()) for one in left} == {(("advertising", "denied"),)}
    with cxkit.scope(kit=kit, user_id="mary", evidence="login"):
        assert cxkit.current().profile.traits == {"plan": "basic"}


def test_what_waits_in_the_spool_goes_and_is_counted(kit: Kit, tmp_path: Path) -> None:
    nancy(kit)
    assert b"almonds" in everything(tmp_path / ".cxkit")
    erased(kit, user_id="nancy")
    eventually(lambda: b"almonds" not in everything(tmp_path / ".cxkit"))
    assert kit.account().balanced


def test_what_arrives_late_brings_nobody_back(kit: Kit, store: Faulty, away: RecordingExporter) -> None:
    nancy(kit)
    away._outcomes.clear()
    assert kit.flush(timeout_s=30).complete
    late = [one for one in away.interactions if one.name in ("identity.identified", "consent.changed")]
    erased(kit, user_id="nancy")
    before = {kind: held(store, kind) for kind in ("person", "identifier", "consent", "history", "ledger")}
    outcome = Applier(lambda: store, kit.desk.keyring, Bus()).export(batch(*late), deadline_s=5)
    assert late
    assert outcome == Outcome.delivered()
    assert {kind: held(store, kind) for kind in before} == before


@pytest.mark.parametrize("later_first", [False, True])
def test_of_two_erasures_at_once_the_later_holds_for_all_of_theirs(kit: Kit, store: Faulty, later_first: bool) -> None:
    nancy(kit)
    keys, ring = sorted(held(store, "identifier")), kit.desk.keyring
    earlier, later = (
        Interaction(
            id=id, occurred_at=datetime(2026, 11, 23, 10, minute, tzinfo=UTC), name="privacy.erased", source="/app",
            identity=Identity(identifiers=tuple(identifiers_of(ring, {type: value}, evidence="claim"))),
            properties={"suppress": suppress, "until": None, "keys": list(keys)}, kind="identity",
        )
        for id, minute, type, value, suppress in (
            ("01", 1, "user_id", "nancy", False), ("02", 2, "email", "nancy@example.org", True),
        )
    )  # fmt: skip
    for command in (later, earlier) if later_first else (earlier, later):
        assert Applier(lambda: store, ring, Bus()).export(batch(command), deadline_s=5) == Outcome.delivered()
    graves = held(store, "tombstone")
    assert sorted(graves) == keys
    assert {(one["erased_at"], one["suppress"]) for one in graves.values()} == {("2026-11-23T10:02:00Z", True)}


def test_what_became_somebody_elses_meanwhile_stays(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    with cxkit.scope(kit=kit, user_id="mary", evidence="login"):
        cxkit.identify(traits={"plan": "basic"})
    settled(kit)
    told = sorted(held(store, "identifier"))
    identity = Identity(identifiers=tuple(identifiers_of(kit.desk.keyring, {"user_id": "nancy"}, evidence="claim")))
    erase(kit.desk, kit.root_scope, identity=identity, suppress=False, until=None, keys=told)
    settled(kit)
    assert [values(life.traits, now=datetime.now(UTC)) for life in lives(store).values()] == [{"plan": "basic"}]
    assert len(held(store, "tombstone")) == 3


def test_who_comes_back_is_somebody_new(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    (first,) = lives(store)
    erased(kit, user_id="nancy")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.current().profile.traits == {}
        cxkit.identify(traits={"plan": "new"})
    settled(kit)
    (second,) = lives(store)
    assert second != first


def test_an_erasure_that_comes_again_does_not_mean_who_has_come_back(
    kit: Kit, store: Faulty, away: RecordingExporter
) -> None:
    nancy(kit)
    away._outcomes.clear()
    erased(kit, user_id="nancy")
    assert kit.flush(timeout_s=30).complete
    (command,) = [one for one in away.interactions if one.name == "privacy.erased"]
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "new"})
    settled(kit)
    before = {one.key: one.body for one in store.scan("")}
    assert Applier(lambda: store, kit.desk.keyring, Bus()).export(batch(command), deadline_s=5) == Outcome.delivered()
    assert {one.key: one.body for one in store.scan("")} == before
    assert len(lives(store)) == 1


def test_unless_they_may_not(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    erased(kit, user_id="nancy", suppress=True)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "again"})
    settled(kit)
    assert lives(store) == {}


def test_whoever_may_not_come_back_is_recognised_by_no_login(kit: Kit, away: RecordingExporter) -> None:
    nancy(kit)
    erased(kit, user_id="nancy", suppress=True)
    away._outcomes.clear()
    assert kit.flush(timeout_s=30).complete
    away.batches.clear()
    with cxkit.scope(kit=kit, visitor="v-new", evidence="cookie"):
        cxkit.grant("analytics", "advertising", "identity_stitching")
        cxkit.identify(user_id="nancy", email="another@example.org", traits={"plan": "again"})
        SEEN.capture(text="once")
        assert [one.type for one in cxkit.current().identity.identifiers] == ["visitor"]
        cxkit.withdraw("identity_stitching")
        cxkit.identify(user_id="nancy", traits={"plan": "again"})
        SEEN.capture(text="twice")
        assert [one.type for one in cxkit.current().identity.identifiers] == ["visitor"], "it is theirs again"
    with cxkit.scope(kit=kit, user_id="nancy", email="another@example.org", evidence="login"):
        cxkit.grant("analytics")
        SEEN.capture(text="thrice")
        assert cxkit.current().identity == Identity()
    assert kit.flush(timeout_s=30).complete
    seen = [(one.name, {each.type for each in one.identity.identifiers}) for one in away.interactions]
    assert all(types <= {"visitor"} for name, types in seen if name != "privacy.erased"), seen
    assert {one.name for one in away.interactions}.isdisjoint({"identity.identified", "identity.merge_refused"})
    assert [one.properties for one in away.interactions if one.name == "identity.ignored"]


def test_what_they_refused_holds_where_they_are_not_recognised(kit: Kit) -> None:
    nancy(kit)
    with cxkit.scope(kit=kit, visitor="v-new", evidence="cookie"):
        cxkit.grant("advertising", "identity_stitching")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("advertising")
    settled(kit)
    erased(kit, user_id="nancy", suppress=True)
    with cxkit.scope(kit=kit, visitor="v-new", evidence="cookie"):
        assert "advertising" in cxkit.current().allowed
        cxkit.identify(user_id="nancy")
        for _ in range(2):
            assert "advertising" not in cxkit.current().allowed
            cxkit.experience("erase.hero").decide()


def test_a_bar_ends(kit: Kit) -> None:
    nancy(kit)
    erased(kit, user_id="nancy", suppress=True, until=datetime(2020, 1, 1, tzinfo=UTC))
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert [one.value for one in cxkit.current().identity.identifiers] == ["nancy"]


def test_where_the_store_is_down_they_are_who_they_say(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    erased(kit, user_id="nancy", suppress=True)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.current().identity == Identity()
    kit.desk.view.reset()
    store.broken = True
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert [one.value for one in cxkit.current().identity.identifiers] == ["nancy"]
        assert cxkit.current().pending
    store.broken = False
