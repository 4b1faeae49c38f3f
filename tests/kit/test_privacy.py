"""erase and disclose over all places: what was not seen done is never said to be."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.errors import InvalidInteractionError, StoreError
from cxkit.flows.documents import tombstone_doc, tombstone_in
from cxkit.flows.erase import stored
from cxkit.flows.reading import Reading
from cxkit.kit import Kit, operators, privacy
from cxkit.model import Identifier, Identity
from cxkit.roles import Outcome, Store
from cxkit.settings import ExporterTable, Settings
from cxkit.settings.tree import CapTable, TopicTable
from cxkit.stores.memory import MemoryStore
from cxkit.stores.sqlite import Settings as SQLiteSettings
from cxkit.stores.sqlite import SQLiteStore
from cxkit.testing import RecordingExporter
from tests.flows.world import Faulty, eventually, held, key, lives

SEEN = cxkit.touchpoint("privacy.seen", kind="view")


class Obedient(RecordingExporter):
    """An exporter that deletes what it is told to."""

    erases: Literal["done", "requested"] = "done"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Faulty]:
    inner: Store = (
        MemoryStore() if request.param == "memory" else SQLiteStore(SQLiteSettings(path=tmp_path / "state.db"))
    )
    yield Faulty(inner)
    inner.close()


@pytest.fixture
def crm() -> Obedient:
    return Obedient(purposes=frozenset({"analytics"}))


@pytest.fixture
def kit(store: Faulty, tmp_path: Path, crm: Obedient) -> Iterator[Kit]:
    settings = Settings(
        strict=True,
        directory=tmp_path / ".cxkit",
        topics={"news": TopicTable()},
        frequency_caps={"weekly": CapTable(most=2, window_s=604_800)},
    )
    kit = Kit(settings, exporters={"crm": crm}, store=store)
    yield kit
    kit.close(timeout_s=1)


def nancy(kit: Kit) -> None:
    with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie", channel="web"):
        cxkit.grant("analytics", "personalization", "identity_stitching")
        cxkit.withdraw("advertising")
        cxkit.identify(user_id="nancy", email="nancy@example.org", traits={"plan": "gold"})
        SEEN.capture(text="almonds")


def erased(kit: Kit, *, timeout_s: float = 30.0, **identifiers: str) -> cxkit.Erasure:
    with cxkit.scope(kit=kit):
        return cxkit.erase(timeout_s=timeout_s, **identifiers)


def disclosed(kit: Kit, **identifiers: str) -> cxkit.Disclosure:
    with cxkit.scope(kit=kit):
        return cxkit.disclose(**identifiers)


# --- erase ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [{"user_id": "nancy"}, {"email": "Nancy@Example.org"}, {"visitor": "v-nancy"}])
def test_by_any_identifier_all_of_them_goes_and_that_is_seen(kit: Kit, store: Faulty, by: dict[str, str]) -> None:
    nancy(kit)
    done = erased(kit, **by)
    assert done.complete, done
    assert done.held.store == {"consent": 1, "history": 1, "identifier": 3, "person": 1}
    assert done.left.store == {}
    assert done.left.kept == {"consent": 1, "tombstone": 3}
    assert done.receipts["crm"].outcome == "done"
    assert lives(store) == held(store, "identifier") == {}


def test_where_no_thread_can_be_started_the_end_erases(
    kit: Kit, store: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("cxkit-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    nancy(kit)
    assert not erased(kit, timeout_s=0.1, user_id="nancy").committed
    closing = threading.Thread(target=kit.close, kwargs={"timeout_s": 10}, daemon=True)
    closing.start()
    closing.join(30)
    assert not closing.is_alive()
    assert Reading(store).get([tombstone_doc(key("user_id", "nancy", kit.desk.keyring))])


def test_no_document_speaks_of_them_any_more(kit: Kit, store: Faulty) -> None:
    """Two people who became one, with all that can be kept of them."""
    nancy(kit)
    with cxkit.scope(kit=kit, loyalty="L-7", evidence="login", channel="store"):
        cxkit.grant("analytics", "personalization", "identity_stitching")
        cxkit.identify(traits={"card": "golden"})
        SEEN.capture(text="pears")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("identity_stitching")
        cxkit.identify(loyalty="L-7")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.prefer("news", "email", "granted")
        cxkit.stop_marketing()
        cxkit.suppress("email", "hard_bounce", email="nancy@example.org")
        cxkit.sent("news", "email")
    assert asyncio.run(kit.settled(timeout_s=30))
    keys, people = held(store, "identifier").keys(), held(store, "person").keys()
    assert len(keys) == 4
    assert held(store, "ledger")
    done = erased(kit, user_id="nancy")
    assert done.complete, done
    left = {one.key: msgspec.json.encode(one.body).decode() for one in store.scan("")}
    assert {name.partition("/")[0] for name in left} == {"consent", "preference", "suppression", "tombstone"}
    for name, body in left.items():
        assert not [word for word in (*keys, *people, "gold", "web", "store") if word in body], name


def test_the_command_names_all_that_they_are_called(kit: Kit, crm: Obedient) -> None:
    nancy(kit)
    erased(kit, email="nancy@example.org")
    assert kit.flush(timeout_s=30).complete
    (told,) = [one for one in crm.interactions if one.name == "privacy.erased"]
    by_type = {one.type: one.value for one in told.identity.identifiers}
    assert by_type.keys() == {"email", "user_id", "visitor"}
    assert (by_type["user_id"], by_type["visitor"]) == ("nancy", "v-nancy"), "found in what was still spooled"
    assert "nancy@" not in by_type["email"]


def test_twice_is_as_good_as_once(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    assert erased(kit, user_id="nancy").complete
    before = held(store, "tombstone").keys()
    again = erased(kit, user_id="nancy")
    assert again.complete
    assert again.held.empty
    assert held(store, "tombstone").keys() == before


def test_of_nobody_there_is_nothing_to_erase(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    nobody = erased(kit, user_id="peter")
    assert nobody.complete
    assert nobody.held.empty
    assert len(lives(store)) == 1


def test_who_may_not_come_back_may_not_before_that_day(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    with cxkit.scope(kit=kit):
        assert cxkit.erase(user_id="nancy", suppress=True, until=datetime(2090, 1, 1)).complete  # noqa: DTZ001 - naive
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "again"})
    assert asyncio.run(kit.settled(timeout_s=30))
    assert lives(store) == {}
    assert {one["until"][:4] for one in held(store, "tombstone").values()} <= {"2089", "2090"}


def test_without_an_identifier_nobody_is_meant(kit: Kit) -> None:
    with pytest.raises(InvalidInteractionError, match="CX3150"):
        erased(kit)
    with pytest.raises(InvalidInteractionError, match="CX3120"):
        erased(kit, user_id="null")


def test_while_the_store_is_down_nothing_is_claimed_and_it_is_done_afterwards(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    assert kit.flush(timeout_s=30).complete
    store.broken = True
    waiting = erased(kit, timeout_s=0.5, user_id="nancy")
    assert not waiting.committed
    assert waiting.command is not None
    assert waiting.left.store is None
    assert not waiting.complete
    assert waiting.receipts == {}
    store.broken = False
    eventually(lambda: lives(store) == {} and held(store, "tombstone"))
    assert erased(kit, user_id="nancy").complete


def test_what_no_room_was_for_is_not_even_noted(kit: Kit) -> None:
    nancy(kit)
    kit.close(timeout_s=5)
    lost = erased(kit, timeout_s=0.1, user_id="nancy")
    assert (lost.committed, lost.command) == (False, None)


def test_an_exporter_that_is_away_or_cannot_erase_is_not_done(store: Faulty, tmp_path: Path) -> None:
    away = Obedient(purposes=frozenset({"analytics"}), outcomes=[Outcome.retry("down")] * 1000)
    asked = Obedient()
    asked.erases = "requested"
    exporters = {"away": away, "asked": asked, "paper": RecordingExporter()}
    kit = Kit(Settings(strict=True, directory=tmp_path / ".cxkit"), exporters=exporters, store=store)
    nancy(kit)
    done = erased(kit, timeout_s=3, user_id="nancy")
    kit.close(timeout_s=1)
    assert done.committed
    assert done.left.empty, "here nothing is left"
    assert {name: (one.outcome, one.why) for name, one in done.receipts.items()} == {
        "away": ("not erased", "not_delivered"),
        "asked": ("requested", ""),
        "paper": ("not erased", "stays"),
    }
    assert not done.complete


def test_dead_letters_go_too(kit: Kit, crm: Obedient, tmp_path: Path) -> None:
    crm._outcomes = [Outcome.reject({0: "no"}) for _ in range(9)]
    nancy(kit)
    assert kit.flush(timeout_s=30).complete
    crm._outcomes = []
    letters = [*(tmp_path / ".cxkit" / "dead").glob("*.dead")]
    assert letters
    assert [one.exporter for one in disclosed(kit, user_id="nancy").dead_letters]
    done = erased(kit, user_id="nancy")
    assert done.held.files.dead.keys() == {"crm"}
    assert done.left.files.dead == {}
    assert done.complete, done


def test_who_cannot_erase_is_not_told_their_names_and_no_file_keeps_them(store: Faulty, tmp_path: Path) -> None:
    refused, stranger = Obedient(outcomes=[Outcome.reject({0: "no"})] * 9), RecordingExporter()
    settings = Settings(strict=True, directory=tmp_path / ".cxkit")
    kit = Kit(settings, exporters={"refused": refused, "stranger": stranger}, store=store)
    with cxkit.scope(kit=kit, user_id="nancy-by-name", evidence="login"):
        cxkit.identify()
    done = erased(kit, user_id="nancy-by-name")
    assert done.receipts["refused"].why == "refused"
    assert done.receipts["stranger"].why == "stays"
    assert not [one for one in stranger.interactions if one.name == "privacy.erased"]
    for _ in range(2):  # a cursor has an older slot, and what either needs is kept
        with cxkit.scope(kit=kit):
            cxkit.touchpoint("privacy.later", purpose="necessary", priority="critical").capture()
        kit.flush(timeout_s=30)

    def nowhere() -> bool:
        files = [one for one in (tmp_path / ".cxkit").rglob("*") if one.is_file()]
        return not any(b"nancy-by-name" in one.read_bytes() for one in files)

    eventually(nowhere)
    kit.close(timeout_s=5)


def test_a_command_that_is_not_written_down_yet_is_not_promised(
    store: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = Kit(Settings(directory=tmp_path / ".cxkit"), exporters={}, store=store)
    kit._starter.start = lambda: None  # type: ignore[method-assign]  # as if the disk hung
    lost = erased(kit, timeout_s=0.1, user_id="nancy")
    assert (lost.committed, lost.command) == (False, None)
    kit.close(timeout_s=1)


@pytest.mark.parametrize("outcome", [Outcome.reject({0: "no"}), Outcome.retry("away")], ids=["dead", "spooled"])
def test_who_was_parted_leaves_no_name_in_what_is_the_others(tmp_path: Path, outcome: Outcome) -> None:
    sink = Obedient(purposes=frozenset({"necessary"}), outcomes=[outcome] * 99)
    kit = Kit(Settings(strict=True, directory=tmp_path / ".cxkit"), exporters={"sink": sink}, store=MemoryStore())
    for name in ("nancy", "otto"):
        with cxkit.scope(kit=kit, user_id=name, evidence="login"):
            cxkit.grant("analytics", "personalization", "identity_stitching")
            cxkit.identify()
    kit.flush(timeout_s=1)
    one, other = (
        Identity(identifiers=(Identifier(type="user_id", value=n, evidence="claim"),)) for n in ("nancy", "otto")
    )
    merged = operators.merge(kit, one, other, actor="sam", reason="oops", force=True)
    assert merged.command is not None
    assert operators.unmerge(kit, merged.command, actor="sam", reason="oops").complete
    kit.flush(timeout_s=1)
    assert "nancy" not in str(disclosed(kit, user_id="otto").as_json())
    erased(kit, user_id="otto", timeout_s=1.0)
    left = b"".join(one.read_bytes() for one in (tmp_path / ".cxkit").rglob("*") if one.is_file())
    assert left.count(b'"otto"') == 1, "of the command that erases them, which waits for its exporter"
    assert b"otto" not in b"".join(one.read_bytes() for one in (tmp_path / ".cxkit").rglob("*.dead"))
    assert b'"nancy"' in left
    kit.close(timeout_s=1)


def test_who_was_parted_is_named_in_nothing_of_the_others(kit: Kit, tmp_path: Path) -> None:
    for name in ("nancy", "otto"):
        with cxkit.scope(kit=kit, user_id=name, evidence="login", channel="web"):
            cxkit.grant("analytics", "personalization", "identity_stitching")
            cxkit.identify()
    kit.flush(timeout_s=30)
    one, other = (
        Identity(identifiers=(Identifier(type="user_id", value=n, evidence="claim"),)) for n in ("nancy", "otto")
    )
    merged = operators.merge(kit, one, other, actor="sam", reason="oops", force=True)
    assert merged.complete
    assert merged.command is not None
    assert operators.unmerge(kit, merged.command, actor="sam", reason="oops").complete
    assert "otto" not in str(disclosed(kit, user_id="nancy").as_json())


def test_an_exporter_of_another_process_is_not_reached(store: Faulty, tmp_path: Path) -> None:
    settings = Settings(strict=True, directory=tmp_path / ".cxkit")
    first = Kit(settings, exporters={"elsewhere": RecordingExporter()}, store=store)
    nancy(first)
    assert first.close(timeout_s=30).complete
    second = Kit(settings, exporters={"crm": Obedient()}, store=store)
    done = erased(second, user_id="nancy")
    second.close(timeout_s=5)
    assert done.unreached == ("elsewhere",)
    assert not done.complete


def test_what_is_captured_around_it_is_not_theirs_any_more(kit: Kit, store: Faulty, crm: Obedient) -> None:
    nancy(kit)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("analytics")
        assert cxkit.erase(user_id="nancy").complete
        here = current_scope()
        assert here is not None
        assert not here.identity
        SEEN.capture(text="goodbye")
    assert kit.flush(timeout_s=30).complete
    (seen,) = [one for one in crm.interactions if one.properties.get("text") == "goodbye"]
    assert not seen.identity
    assert held(store, "history") == {}


def test_who_comes_back_meanwhile_is_not_what_is_left(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    assert erased(kit, user_id="nancy").complete
    own = key("user_id", "nancy", kit.desk.keyring)
    (grave,) = Reading(store).get([tombstone_doc(own)]).values()
    until = tombstone_in(grave).erased_at
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "new"})
        cxkit.grant("analytics", "personalization")
        SEEN.capture()
    assert kit.flush(timeout_s=30).complete
    now, then = stored(Reading(store), [own], [own]), stored(Reading(store), [own], [own], until=until)
    assert now.held == {"consent": 1, "history": 1, "identifier": 1, "person": 1}
    assert then.held == {}
    earlier = stored(Reading(store), [own], [own], until=until + timedelta(days=1))
    assert earlier.held.keys() == now.held.keys()


def test_an_owner_and_a_device_that_others_use(kit: Kit, store: Faulty) -> None:
    """Named alone, the device is nobody's: its owner stays."""
    nancy(kit)
    with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie"):
        cxkit.identify(user_id="otto", traits={"plan": "basic"})
    assert kit.flush(timeout_s=30).complete
    assert erased(kit, visitor="v-nancy").committed
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.current().profile.traits == {"plan": "gold"}
    assert erased(kit, user_id="otto").complete
    assert [one.traits.held.keys() for one in lives(store).values()] == [{"plan"}]
    assert erased(kit, user_id="nancy").complete
    assert lives(store) == held(store, "identifier") == {}


# --- other processes ------------------------------------------------------------------------------

_OTHER = """
import os, sys
import cxkit
from cxkit.kit import Kit
from cxkit.roles import Outcome
from cxkit.settings import ExporterTable, Settings
from cxkit.settings.tree import CapTable, TopicTable
from cxkit.testing import RecordingExporter
from pathlib import Path

away = RecordingExporter(purposes=frozenset({"analytics"}), outcomes=[Outcome.retry("down")] * 10_000)
kit = Kit(Settings(directory=Path(".cxkit")), exporters={"away": away})
SEEN = cxkit.touchpoint("privacy.seen", kind="view")
with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie", channel="web"):
    cxkit.grant("analytics", "personalization", "identity_stitching")
    cxkit.identify(user_id="nancy", email="nancy@example.org", traits={"plan": "gold"})
    SEEN.capture(text="almonds")
    SEEN.capture(text="pears")
kit.flush(timeout_s=1)
import asyncio
assert asyncio.run(kit.settled(timeout_s=30))
print("ready", flush=True)
sys.stdin.read()
"""

_ERASER = """
import sys, json
import cxkit
from cxkit.kit import Kit, install
from cxkit.settings import ExporterTable, Settings
from cxkit.settings.tree import CapTable, TopicTable
from pathlib import Path

install(Kit(Settings(directory=Path(".cxkit"))))
print("ready", flush=True)
sys.stdin.readline()
done = cxkit.erase(**{sys.argv[1]: sys.argv[2]})
print(json.dumps([done.committed, done.left.store]), flush=True)
cxkit.close(timeout_s=5)
"""


def started(text: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", text, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process: subprocess.Popen[str], **more: Any) -> str:
    out, _ = process.communicate(timeout=60, **more)
    return out


def spooled() -> bytes:
    return b"".join(file.read_bytes() for file in sorted(Path(".cxkit").glob("spool/**/*.seg")))


@pytest.fixture
def beside() -> Iterator[Kit]:
    """A kit with the directory and the store of the processes above."""
    kit = Kit(Settings(strict=True, directory=Path(".cxkit")))
    yield kit
    kit.close(timeout_s=1)


def test_a_process_that_runs_hears_of_it_and_is_waited_for(beside: Kit) -> None:
    other = started(_OTHER)
    assert b"almonds" in spooled()
    done = erased(beside, user_id="nancy")
    assert done.held.files.live > 0
    assert done.left.empty, done.left
    assert b"almonds" not in spooled()
    assert done.unreached == ("away",), "what that process's exporter will be told is not known here"
    ended(other, input="")


def test_what_a_killed_process_left_behind_goes(beside: Kit) -> None:
    other = started(_OTHER)
    os.kill(other.pid, signal.SIGKILL)
    ended(other)
    assert b"almonds" in spooled()
    done = erased(beside, email="nancy@example.org")
    assert done.left.empty, done.left
    assert b"almonds" not in spooled()


def test_two_processes_that_erase_at_once(beside: Kit) -> None:
    other = started(_OTHER)
    assert beside.account().spooled
    erasers = [started(_ERASER, "user_id", "nancy"), started(_ERASER, "email", "nancy@example.org")]
    for one in erasers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert [json.loads(ended(one)) for one in erasers] == [[True, {}], [True, {}]]
    ended(other, input="")
    store = beside.premises.store()
    assert lives(store) == held(store, "identifier") == held(store, "history") == {}
    assert len(held(store, "tombstone")) == 3


# --- disclose -------------------------------------------------------------------------------------


def test_everything_that_is_held_of_them_is_told(kit: Kit, crm: Obedient) -> None:
    crm._outcomes = [Outcome.retry("down")] * 1000
    nancy(kit)
    told = disclosed(kit, email="nancy@example.org")
    assert {(one.type, one.value, one.evidence) for one in told.identifiers} == {
        ("user_id", "nancy", "login"),
        ("email", None, "login"),
        ("visitor", "v-nancy", "cookie"),
    }
    assert [(one.name, one.value, one.provenance, one.how) for one in told.traits] == [
        ("plan", "gold", "declared", "set")
    ]
    assert [one.choices for one in told.choices][-1] == {"advertising": "denied"}
    assert [one.name for one in told.contacts] == ["privacy.seen"]
    assert "privacy.seen" in [one.name for one in told.spooled]
    assert told.local is None
    assert told.unread == ()


def test_for_programs_it_is_json_by_the_same_names(kit: Kit, crm: Obedient) -> None:
    crm._outcomes = [Outcome.retry("down")] * 1000
    nancy(kit)
    told = disclosed(kit, user_id="nancy")
    plain = json.loads(msgspec.json.encode(told.as_json()))
    assert plain["identifiers"][0].keys() == {"type", "key", "value", "evidence", "linked_at"}
    assert {one["type"] for one in plain["spooled"]} >= {"io.cxkit.privacy.seen", "io.cxkit.identity.identified"}
    assert plain["erased_at"] is None


def test_nothing_of_others_on_one_device_is_told(kit: Kit, crm: Obedient) -> None:
    crm._outcomes = [Outcome.retry("down")] * 1000
    nancy(kit)
    with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie"):
        cxkit.identify(user_id="otto", traits={"plan": "basic"})
        SEEN.capture(text="otto was here")
    with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie"):
        cxkit.grant("functional")
        SEEN.capture(text="somebody was here")
    assert not kit.flush(timeout_s=0.5).complete
    hers, his, its = (
        msgspec.json.encode(disclosed(kit, **by).as_json()).decode()
        for by in ({"user_id": "nancy"}, {"user_id": "otto"}, {"visitor": "v-nancy"})
    )
    assert "almonds" in hers
    assert "otto" not in hers
    assert "somebody" not in hers
    assert "functional" not in json.dumps(json.loads(hers)["choices"])
    assert "otto was here" in his
    assert not any(word in his for word in ("almonds", "nancy@", '"gold"', '"nancy"'))
    assert "somebody was here" in its
    assert not any(word in its for word in ("almonds", "otto", '"gold"', '"nancy"'))


def test_nothing_of_others_in_the_local_file_is_told_either(tmp_path: Path) -> None:
    table = ExporterTable(type="local", purposes=frozenset({"necessary"}), options={"path": str(tmp_path / "local.db")})
    kit = Kit(Settings(strict=True, directory=tmp_path / ".cxkit", exporters={"local": table}))
    nancy(kit)
    with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie"):
        cxkit.identify(user_id="otto", traits={"plan": "basic"})
    with cxkit.scope(kit=kit, visitor="v-nancy", evidence="cookie"):
        cxkit.grant("analytics")
        SEEN.capture(text="somebody was here")
    assert kit.flush(timeout_s=30).complete
    hers, its = (disclosed(kit, **by).local for by in ({"user_id": "nancy"}, {"visitor": "v-nancy"}))
    kit.close(timeout_s=5)
    texts = [[one.properties.get("text") for one in found or () if one.name == "privacy.seen"] for found in (hers, its)]
    assert texts == [["almonds"], ["somebody was here"]]


def test_half_of_the_truth_is_none(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    assert kit.flush(timeout_s=30).complete
    store.broken = True
    with pytest.raises(StoreError):
        disclosed(kit, user_id="nancy")


def test_after_they_have_left_it_says_when(kit: Kit) -> None:
    nancy(kit)
    assert erased(kit, user_id="nancy").complete
    told = disclosed(kit, user_id="nancy")
    assert told.erased_at is not None
    assert (told.traits, told.contacts, told.spooled) == ((), (), ())


def test_looking_changes_nothing(kit: Kit, store: Faulty) -> None:
    nancy(kit)
    assert kit.flush(timeout_s=30).complete
    before = {kind: held(store, kind) for kind in ("person", "identifier", "consent", "history", "tombstone")}
    found = privacy.find(kit.premises, current_identity(kit, user_id="nancy"))
    assert found.store == {"consent": 1, "history": 1, "identifier": 3, "person": 1}
    assert {kind: held(store, kind) for kind in before} == before


def current_identity(kit: Kit, **identifiers: str) -> Any:
    with cxkit.scope(kit=kit, **identifiers):
        return cxkit.current().identity
