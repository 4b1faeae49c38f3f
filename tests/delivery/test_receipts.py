"""Receipts say what an erasure came to at each exporter, and never more than was seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import cxkit
from cxkit.capture.intake import Captured
from cxkit.codec.frame import COMMAND, INTERACTION, NOBODY, Record
from cxkit.delivery.engine import Engine
from cxkit.delivery.receipts import Fates, Receipt
from cxkit.delivery.spool import Spool
from cxkit.exporters.console import ConsoleExporter
from cxkit.exporters.file import FileExporter
from cxkit.exporters.http import HTTPExporter
from cxkit.exporters.local import LocalExporter
from cxkit.flows.erase import erase
from cxkit.flows.identify import identifiers_of
from cxkit.kit import Kit
from cxkit.model import Identity
from cxkit.roles import Batch, Erasing, Exporter, Outcome
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from tests.flows.world import eventually


class Done(RecordingExporter):
    erases = "done"


class Asked(RecordingExporter):
    erases = "requested"


class Boastful(RecordingExporter):
    erases = "of course"


class Gate(Done):
    """One whose other side answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(purposes=frozenset({"necessary"}))
        self.answer = threading.Event()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        assert self.answer.wait(30)
        return super().export(batch, deadline_s=deadline_s)


def made(kind: type[RecordingExporter], *outcomes: Outcome) -> RecordingExporter:
    return kind(purposes=frozenset({"necessary"}), outcomes=list(outcomes))


@contextmanager
def erasing(root: Path, **exporters: Exporter) -> Iterator[tuple[Kit, str, Engine[Captured]]]:
    """A kit with these, in which Nancy was erased just now."""
    kit = Kit(Settings(directory=root / ".cxkit"), exporters=exporters)
    try:
        nancy = Identity(identifiers=tuple(identifiers_of(kit.desk.keyring, {"user_id": "nancy"}, evidence="login")))
        command = erase(kit.desk, kit.root_scope, identity=nancy, suppress=False, until=None)
        assert command is not None
        kit.flush(timeout_s=0.0)
        engine = kit._starter.awaited(time.monotonic() + 30)
        assert engine is not None
        yield kit, command, engine
    finally:
        for one in exporters.values():
            if isinstance(one, Gate):
                one.answer.set()
        kit.close(timeout_s=5)


def test_each_exporter_answers_for_itself(tmp_path: Path) -> None:
    exporters = {
        "done": made(Done), "asked": made(Asked), "keeps": made(RecordingExporter), "boasts": made(Boastful),
        "refuses": made(Done, Outcome.reject({0: "gone"})),
        "down": made(Asked, *[Outcome.retry("http_503", retry_after_s=3600)] * 3),
    }  # fmt: skip
    with erasing(tmp_path, **exporters) as (_, command, engine):
        stays = Receipt(outcome="not erased", why="stays")
        assert engine.receipts(command, timeout_s=3.0) == {
            "done": Receipt(outcome="done"),
            "asked": Receipt(outcome="requested"),
            "keeps": stays,
            "boasts": stays,
            "refuses": Receipt(outcome="not erased", why="refused", detail="gone"),
            "down": Receipt(outcome="not erased", why="not_delivered", detail="http_503"),
        }


def test_it_waits_until_it_is_delivered_and_can_be_asked_again(tmp_path: Path) -> None:
    gate = Gate()
    with erasing(tmp_path, gate=gate) as (_, command, engine):
        assert engine.receipts(command, timeout_s=0.0) == {"gate": Receipt(outcome="not erased", why="not_delivered")}
        threading.Timer(0.05, gate.answer.set).start()
        assert engine.receipts(command, timeout_s=30.0) == {"gate": Receipt(outcome="done")}
        assert engine.receipts(command, timeout_s=0.0) == {"gate": Receipt(outcome="done")}
        assert engine.receipts("another", timeout_s=0.0)["gate"].why == "not_delivered"


def test_what_is_to_be_tried_again_is_not_done(tmp_path: Path) -> None:
    """A batch of which it alone is not accepted yet."""
    again = made(Done, Outcome.reject({}, again=[0], retry_after_s=3600))
    with erasing(tmp_path, again=again) as (_, command, engine):
        assert engine.receipts(command, timeout_s=1.0)["again"].why == "not_delivered"


def test_who_has_no_way_to_erase_is_not_waited_for(tmp_path: Path) -> None:
    keeps = made(RecordingExporter, *[Outcome.retry("down", retry_after_s=3600)] * 3)
    with erasing(tmp_path, keeps=keeps) as (_, command, engine):
        found: list[Receipt] = []
        asking = threading.Thread(target=lambda: found.append(engine.receipts(command, timeout_s=60.0)["keeps"]))
        asking.start()
        asking.join(20)
        assert [one.why for one in found] == ["stays"]


@pytest.mark.parametrize(
    ("kind", "means"),
    [(LocalExporter, "done"), (HTTPExporter, "requested"), (FileExporter, None), (ConsoleExporter, None)],
)
def test_what_comes_with_cxkit_claims_no_more_than_it_does(kind: type, means: str | None) -> None:
    assert getattr(kind, "erases", None) == means


def test_erasures_alone_are_noted_and_a_thousand_of_them() -> None:
    fates = Fates()

    def note(
        number: int,
        type: int = COMMAND,
        *,
        subject: bytes = NOBODY,
        governed: bool = False,
        name: str = "privacy.erased",
    ) -> None:
        payload = b'{"id":"%d","type":"io.cxkit.%s"}' % (number, name.encode())
        fates.note(Record(payload, subject, type=type, governed=governed), None)

    note(-1, INTERACTION)
    note(-2, subject=b"n" * 16)
    note(-3, governed=True)
    note(-4, name="consent.changed")
    fates.note(Record(b"no JSON", type=COMMAND, governed=False), None)
    assert not any(fates.ended(str(number)) for number in (-1, -2, -3, -4))
    for number in range(1001):
        note(number)
    assert not fates.ended("0")
    assert fates.ended("1")
    assert fates.ended("1000")


def test_the_engine_finds_and_erases_in_all_it_looks_after(tmp_path: Path) -> None:
    seen = cxkit.touchpoint("receipts.seen", purpose="necessary")
    down = made(RecordingExporter, *[Outcome.retry("down", retry_after_s=3600)] * 100)
    for in_memory in (False, True):
        kit = Kit(Settings(directory=tmp_path / ".cxkit", strict=True), exporters={"down": down}, in_memory=in_memory)
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            cxkit.grant("identity_stitching")
            cxkit.identify()
            ids = [seen.capture() for _ in range(3)]
        assert all(ids)
        kit.flush(timeout_s=0.5)
        engine = kit._starter.awaited(time.monotonic() + 30)
        assert engine is not None
        (key, *_) = [one.hex() for one in [kit.desk.keyring.identifier_key("user_id", "nancy")]]
        hers = frozenset([bytes.fromhex(key)])
        before = engine.find(hers)
        assert before.own >= 3
        assert before.total == before.own
        assert engine.erase(hers, 30.0, until=datetime(2000, 1, 1, tzinfo=UTC))
        assert engine.find(hers) == before, "she did all of it later"
        assert engine.erase(hers, 30.0)
        assert engine.find(hers).total == 0
        assert kit.account().balanced
        kit.close(timeout_s=0.1)


def test_what_is_adopted_after_somebody_was_erased_is_looked_through(tmp_path: Path) -> None:
    """Its owner may have gone before it heard of it."""
    root, hers, when = tmp_path / ".cxkit", frozenset([b"n" * 16]), datetime(2026, 11, 21, tzinfo=UTC)
    down = made(RecordingExporter, *[Outcome.retry("down", retry_after_s=3600)] * 100)
    kit = Kit(Settings(directory=root), exporters={"down": down})
    kit.start()
    engine = kit._starter.awaited(time.monotonic() + 30)
    assert engine is not None
    assert engine.erase(hers, 30.0, until=when)
    orphan = Spool.create(root / "spool", segment_bytes=1 << 16)
    orphan.append([
        Record(b'{"id":"%d","time":"2026-11-2%dT00:00:00Z"}' % (day, day), b"n" * 16, 0b1) for day in (0, 1, 2)
    ])  # fmt: skip
    orphan.close()
    assert engine.find(hers).abandoned == 3
    engine._house.due_at = 0.0  # the time for it has come
    kit.intake.nudge()
    eventually(lambda: engine.find(hers).own == engine.find(hers).total == 1)
    kit.close(timeout_s=0.1)


def test_an_exporter_that_says_what_it_means_fills_the_role() -> None:
    assert isinstance(made(Done), Erasing)
    assert not isinstance(made(RecordingExporter), Erasing)
