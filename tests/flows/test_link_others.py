"""link: what belongs to somebody else stays theirs, and shows nothing of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxkit
from cxkit.errors import InvalidInteractionError
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.kit import Kit
from cxkit.model import JSON, Identifier, Identity, Interaction
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from tests.exporters.happened import asked, keep
from tests.flows.world import KEYS, Faulty, batch, command, identified, identity, key, lives

SEEN = cxkit.touchpoint("link.seen_by_others", purpose="necessary")
NANCY, PAUL = {"own": "n"}, {"plan": "gold"}


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


def known_by(kit: Kit, **who: str) -> dict[str, JSON]:
    with cxkit.scope(kit=kit, evidence="login", **who):
        return dict(cxkit.current().profile.traits)


def here() -> dict[str, str]:
    return {one.type: one.value for one in cxkit.current().identity.identifiers}


def refused(kit: Kit, exporter: RecordingExporter) -> list[JSON]:
    settled(kit)
    assert kit.flush(timeout_s=30).complete
    found = [one for one in exporter.interactions if one.name == "identity.merge_refused"]
    return [one.properties["reasons"] for one in found if one.properties["command"] == "identity.linked"]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("met", [True, False])
@pytest.mark.parametrize("what", [{"loyalty": "CARD-1"}, {"user_id": "paul"}, {"email": "p@example.org"}])
def test_what_is_somebody_elses_shows_nothing_of_them_and_merges_nobody(
    kit: Kit, store: Faulty, exporter: RecordingExporter, what: dict[str, str], met: bool, committed: bool
) -> None:
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="paul", loyalty="CARD-1", email="p@example.org", traits=PAUL)
    own = NANCY if met else {}
    if met:
        with cxkit.scope(kit=kit):
            cxkit.identify(email="n@example.org", traits=NANCY)
    if committed:
        settled(kit)
    with cxkit.scope(kit=kit):
        cxkit.identify(email="n@example.org")
        before = here()
        cxkit.link(**what)
        assert (here(), cxkit.current().profile.traits) == (before, own)
        assert known_by(kit, **what) == PAUL
        cxkit.withdraw("analytics")
        SEEN.capture()
    assert refused(kit, exporter) == [dict.fromkeys(what, "source_already_identified")]
    assert (known_by(kit, email="n@example.org"), known_by(kit, user_id="paul")) == (own, PAUL)
    with cxkit.scope(kit=kit, user_id="paul", evidence="login"):
        assert "analytics" not in cxkit.current().profile.choices, "she refused for herself alone"
    with cxkit.scope(kit=kit, email="n@example.org", evidence="login"):
        assert cxkit.current().profile.choices["analytics"] == "denied"
    assert sorted(len(one.graph.links) for one in lives(store).values()) == [1, 3]


def test_another_of_a_type_of_which_a_person_has_one_is_an_error(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="paul", traits=PAUL)
    settled(kit)
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="nancy", traits=NANCY)
        with pytest.raises(InvalidInteractionError, match="CX3134"):
            cxkit.link(user_id="paul", loyalty="CARD-2")
        assert here() == {"user_id": "nancy", "loyalty": "CARD-2"}, "the others count all the same"
        assert cxkit.current().profile.traits == NANCY
        cxkit.withdraw("analytics")
    settled(kit)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.current().profile.choices["analytics"] == "denied"
    assert (known_by(kit, user_id="paul"), known_by(kit, loyalty="CARD-2")) == (PAUL, NANCY)


def test_a_second_address_is_hers_and_the_scope_keeps_the_first(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit):
        cxkit.identify(email="zoe@work.example", traits=PAUL)
        first = here()
        cxkit.link(email="zoe@home.example")
        assert (here(), cxkit.current().profile.traits) == (first, PAUL)
        assert known_by(kit, email="zoe@home.example") == PAUL, "before it is committed, too"
    settled(kit)
    assert known_by(kit, email="zoe@home.example") == PAUL
    (life,) = lives(store).values()
    assert len(life.graph.keys("email")) == 2


@pytest.mark.parametrize(
    ("type", "people"),
    [("push_token", [["push_token", "user_id", "visitor"]]), ("loyalty", [["loyalty", "user_id"], ["visitor"]])],
)
@pytest.mark.parametrize("met", [True, False])
def test_what_is_of_nobody_who_logged_in_becomes_hers(
    store: Faulty, type: str, people: list[list[str]], met: bool
) -> None:
    nancy = identity(user_id="nancy")
    log = [identified(identity("cookie", visitor="tablet", **{type: "T-1"}), id="01")]
    log += [identified(nancy, id="02")] if met else []
    Applier(lambda: store, KEYS, Bus()).export(batch(*log, added(nancy, type, "T-1", id="03")), deadline_s=5)
    assert sorted(sorted(link.type for link in one.graph.links) for one in lives(store).values()) == people


def added(who: Identity, type: str, value: str, *, id: str, said: bool = True) -> Interaction:
    one = Identifier(type=type, value=value, evidence="claim" if said else "login")
    both = Identity(identifiers=(*who.identifiers, one) if said else (one, *who.identifiers))
    return command("identity.linked", both, {"added": [type]} if said else {}, id=id)


@pytest.mark.parametrize("said", [True, False])
def test_the_store_and_the_local_file_refuse_it_even_of_an_older_command(
    store: Faulty, tmp_path: Path, said: bool
) -> None:
    nancy = identity(device_id="d-1")
    log = [
        identified(identity(user_id="paul", loyalty="CARD-1"), id="01"),
        identified(nancy, id="02"),
        added(nancy, "loyalty", "CARD-1", id="03", said=said),
    ]
    Applier(lambda: store, KEYS, Bus()).export(batch(*log), deadline_s=5)
    assert sorted(len(one.graph.links) for one in lives(store).values()) == [1, 2]
    path = tmp_path / "local.db"
    keep(path, *log)
    assert asked(path, "SELECT id FROM merges") == []
    assert asked(path, "SELECT person FROM identifiers WHERE subject = 'loyalty:CARD-1'") == [("user_id:paul",)]


def test_a_store_that_fails_when_it_is_asked_whose_it_is_is_counted(kit: Kit, store: Faulty) -> None:
    store.broken = True
    before = kit.desk.intake.noted.get("store_failed", 0)
    assert kit.desk.under(key("loyalty", "CARD-1"), patience_s=0.0) is None
    assert kit.desk.intake.noted["store_failed"] == before + 1
    store.broken = False


def test_while_it_cannot_be_known_whose_it_is_the_scope_is_as_before(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="nancy")
        store.broken = True
        cxkit.link(loyalty="CARD-3")
        assert here() == {"user_id": "nancy"}
    store.broken = False
    settled(kit)
    (life,) = lives(store).values()
    assert sorted(one.type for one in life.graph.links) == ["loyalty", "user_id"]
