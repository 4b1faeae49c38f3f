"""Lanes: whatever an exporter answers, raises or returns, each record ends in exactly one way."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.codec.frame import COMMAND, REPORT, Record
from cxkit.delivery.adoption import adopt
from cxkit.delivery.dead import read_dead
from cxkit.delivery.lane import Lane
from cxkit.delivery.segment import HEADER_BYTES, MemorySegment
from cxkit.delivery.spool import Spool
from cxkit.roles import Batch, Outcome
from cxkit.testing import RecordingExporter
from tests.delivery.conftest import Clock

Make = Callable[..., list[Record]]
LaneFor = Callable[..., Lane]
Work = Callable[[Lane], None]


@pytest.fixture
def spool() -> Spool:
    return Spool.create(None, segment_bytes=1 << 20)


def counts(spool: Spool, name: str = "sink") -> dict[str, int]:
    progress = spool.positions()[name]
    assert sum(progress.counts.values()) == progress.sequence - progress.base
    return {what: count for what, count in progress.counts.items() if count}


def ids(exporter: RecordingExporter) -> list[str]:
    return [one.id for one in exporter.interactions]


class Judging:
    """An exporter that answers by what is in the batch, and keeps what it accepted."""

    purposes = frozenset({"analytics"})

    def __init__(self, judge: Callable[[Batch], object]) -> None:
        self.judge = judge
        self.requests: list[Batch] = []
        self.accepted: list[bytes] = []

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        self.requests.append(batch)
        outcome: Any = self.judge(batch)
        if isinstance(outcome, Outcome) and outcome.verdict == "delivered":
            self.accepted += batch.payloads
        return outcome  # type: ignore[no-any-return]

    def close(self) -> None:
        pass


# --- Delivered, retried ---------------------------------------------------------------------------


def test_all_is_delivered_in_order(spool: Spool, records: Make, lane_for: LaneFor, work: Work) -> None:
    spool.append(records(1200))
    exporter = RecordingExporter()
    work(lane_for(exporter, spool))
    assert [int(id[-12:]) for id in ids(exporter)] == list(range(1200))
    assert [len(batch) for batch in exporter.batches] == [500, 500, 200]
    assert counts(spool) == {"delivered": 1200}


def test_what_failed_is_tried_again_in_smaller_batches_under_the_same_names(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    spool.append(records(8))
    exporter = RecordingExporter(outcomes=[Outcome.retry("http_503")] * 6)
    lane = lane_for(exporter, spool, max_records=8)
    for _ in range(7):
        work(lane)
    sizes = [len(batch) for batch in exporter.batches]
    assert sizes == [8, 4, 2, 1, 1, 1, 1, 2, 4, 1]
    assert exporter.batches[3].id == exporter.batches[6].id, "the same content, the same name"
    assert exporter.batches[3].payloads == exporter.batches[6].payloads
    assert len({batch.id for batch in exporter.batches}) == 7
    assert len(ids(exporter)) == len(set(ids(exporter))) == 8
    assert counts(spool) == {"delivered": 8}
    assert lane.backoff.failures == 0


def test_trouble_and_recovery_are_told_once(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    spool.append(records(8))
    outcomes = [Outcome.retry("http_503")] * 4 + [Outcome.pause("http_401")] * 2
    lane = lane_for(RecordingExporter(outcomes=outcomes), spool)
    for _ in range(7):
        work(lane)
    assert counts(spool) == {"delivered": 8}
    assert [one.getMessage() for one in caplog.records] == [
        "cxkit: exporter sink cannot deliver (http_503); what it is owed waits in the spool",
        "cxkit: exporter sink needs somebody to mend it (http_401); what it is owed waits in the spool",
        "cxkit: exporter sink delivers again",
    ]


def test_one_failure_alone_is_not_told_and_the_first_refusal_of_a_kind_is(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    spool.append(records(3))
    exporter = RecordingExporter(outcomes=[Outcome.retry("http_503"), Outcome.reject({0: "bad_type", 1: "bad_type"})])
    lane = lane_for(exporter, spool)
    for _ in range(3):
        work(lane)
    assert [one.getMessage() for one in caplog.records] == [
        "cxkit: exporter sink had an interaction refused for ever (bad_type); see `cxkit dead list`"
    ]


def test_a_batch_is_named_after_its_content_alone(records: Make, lane_for: LaneFor, work: Work) -> None:
    """F19: so a receiver may take the second attempt for the first, and no other batch for it."""
    spools = [Spool.create(None, segment_bytes=1 << 20) for _ in range(2)]
    exporter = RecordingExporter(outcomes=[Outcome.reject({}, again=again) for again in ([0, 1, 3], [0, 2])])
    for spool in spools:
        spool.append(records(4))
    work(lane_for(exporter, *spools))
    names: dict[str, tuple[bytes, ...]] = {}
    for batch in exporter.batches:
        assert names.setdefault(batch.id, batch.payloads) == batch.payloads
    assert len(names) == len(exporter.batches)


def test_two_contents_never_share_a_name(spool: Spool, records: Make, lane_for: LaneFor, work: Work) -> None:
    """F19: of as many records, from the same first to the same last; a receiver would drop the second."""
    for number in range(4):
        spool.append(records(1, first=number, subject=bytes([number]) * 16))
    batches: list[Batch] = []
    refused: list[int] = [2]

    def verdict(subject: bytes, purposes: int) -> str:
        return "refused" if subject[0] in refused else "allowed"

    for refused[0] in (2, 1):
        exporter = RecordingExporter(outcomes=[Outcome.retry("network")])
        work(lane_for(exporter, spool, verdict=verdict))
        batches += exporter.batches
    assert [len(batch) for batch in batches] == [3, 3]
    assert batches[0].id != batches[1].id


def test_the_wait_that_was_asked_for_is_kept_even_at_the_end(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, clock: Any
) -> None:
    """F17: 0 requests within the window, not for a flush and not for an exit."""
    spool.append(records(3))
    exporter = RecordingExporter(outcomes=[Outcome.retry("http_429", retry_after_s=120)])
    lane = lane_for(exporter, spool, clock=clock)
    work(lane)
    for _ in range(3):
        clock.now += 39.9
        work(lane)
        assert len(exporter.batches) == 1
    clock.now += 0.4
    work(lane)
    assert len(ids(exporter)) == 3


@pytest.mark.parametrize("wish", [0, -5, math.inf, math.nan, 1e9])
def test_a_wish_that_is_no_number_of_seconds_parks_nobody(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, clock: Any, wish: float
) -> None:
    """F17."""
    spool.append(records(1))
    exporter = RecordingExporter(outcomes=[Outcome.retry("http_429", retry_after_s=wish)])
    lane = lane_for(exporter, spool, clock=clock)
    work(lane)
    clock.now += 3600.1
    work(lane)
    assert len(ids(exporter)) == 1


def test_after_an_outage_it_does_not_wait_once_it_succeeded(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F18: the first probe that succeeds is followed by the rest at once."""
    spool.append(records(100))
    exporter = RecordingExporter(outcomes=[Outcome.retry("network")] * 5)
    lane = lane_for(exporter, spool)
    for _ in range(5):
        work(lane)
    assert lane.backoff.open
    work(lane)
    assert counts(spool) == {"delivered": 100}
    assert [len(batch) for batch in exporter.batches[5:]] == [1, 2, 4, 8, 16, 32, 37]


# --- Split, rejected, paused ----------------------------------------------------------------------


def poisoned(bad: set[bytes]) -> Callable[[Batch], Outcome]:
    return lambda batch: Outcome.split("http_400") if bad & set(batch.payloads) else Outcome.delivered()


@settings(max_examples=60)
@given(st.sets(st.integers(0, 499), min_size=1, max_size=12) | st.integers(0, 499).map(lambda one: {one}))
def test_bisecting_finds_the_records_at_fault(
    tmp_path_factory: pytest.TempPathFactory, records: Make, lane_for: LaneFor, work: Work, bad: set[int]
) -> None:
    """F24: within k * ceil(log2 500) * 2 + 1 requests, and each of the k can be read."""
    spool, folder = Spool.create(None, segment_bytes=1 << 20), tmp_path_factory.mktemp("dead")
    made = records(500)
    spool.append(made)
    exporter = Judging(poisoned({made[place].payload for place in bad}))
    folder.chmod(0o700)
    work(lane_for(exporter, spool, dead=folder))
    assert len(exporter.requests) <= len(bad) * math.ceil(math.log2(500)) * 2 + 1
    assert counts(spool) == {"dead": len(bad), **({"delivered": 500 - len(bad)} if len(bad) < 500 else {})}
    assert exporter.accepted == [made[place].payload for place in range(500) if place not in bad]
    letters = read_dead(folder / "sink-token.dead")
    found = [int(letter["interaction"]["id"][-12:]) for letter in letters]  # type: ignore[index]
    assert found == sorted(bad)
    assert {letter["reason"] for letter in letters} == {"http_400"}


@pytest.mark.parametrize("bad", [0, 1, 249, 250, 251, 498, 499])
def test_one_record_at_fault_costs_a_dozen_requests(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, bad: int
) -> None:
    """F24: what is left of a refused batch is not tried as a whole."""
    made = records(500)
    spool.append(made)
    exporter = Judging(poisoned({made[bad].payload}))
    work(lane_for(exporter, spool))
    assert len(exporter.requests) <= 12
    assert counts(spool) == {"delivered": 499, "dead": 1}


def test_a_limit_on_size_is_learnt_and_kills_nothing(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F24: 413 for more than 100 at once."""
    spool.append(records(10_000))
    exporter = Judging(lambda batch: Outcome.split("http_413") if len(batch) > 100 else Outcome.delivered())
    work(lane_for(exporter, spool))
    assert counts(spool) == {"delivered": 10_000}
    assert len(exporter.requests) < 10_000 / 40


def test_of_a_partial_answer_only_the_rest_is_tried_again(
    tmp_path: Path, spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F26."""
    spool.append(records(10))
    exporter = RecordingExporter(outcomes=[Outcome.reject({1: "unknown_type", 4: "too_old"}, again=[0, 7])])
    tmp_path.chmod(0o700)
    work(lane_for(exporter, spool, dead=tmp_path))
    assert [len(batch) for batch in exporter.batches] == [10, 2]
    assert [int(id[-12:]) for id in ids(exporter)] == [0, 7]
    assert counts(spool) == {"delivered": 8, "dead": 2}
    assert [letter["reason"] for letter in read_dead(tmp_path / "sink-token.dead")] == [
        "unknown_type",
        "too_old",
    ]


def test_all_of_it_again_is_a_failure_and_a_part_is_not(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F26: no busy loop with a receiver that takes nothing."""
    spool.append(records(2))
    exporter = Judging(lambda batch: Outcome.reject({}, again=range(len(batch))))
    lane = lane_for(exporter, spool)
    work(lane)
    assert len(exporter.requests) == 1
    assert lane.backoff.failures == 1
    assert counts(spool) == {}


@pytest.mark.parametrize("again", [[-1, 5, 99], [0, 0, 1], [True]])
def test_places_that_are_not_in_the_batch_are_ignored(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, again: list[int]
) -> None:
    spool.append(records(3))
    exporter = RecordingExporter(outcomes=[Outcome.reject({-7: "a", 3: "b", 99: "c"}, again=again)])
    lane = lane_for(exporter, spool)
    work(lane)
    work(lane)
    assert counts(spool) == {"delivered": 3}


def test_a_pause_keeps_everything(spool: Spool, records: Make, lane_for: LaneFor, work: Work, clock: Any) -> None:
    """F25: and it ends by itself, or with a flush, once somebody mended the key."""
    spool.append(records(5))
    exporter = RecordingExporter(outcomes=[Outcome.pause("http_401")])
    lane = lane_for(exporter, spool, clock=clock)
    work(lane)
    assert counts(spool) == {}
    assert (lane.backoff.reason, lane.backoff.not_before >= clock.now + 60) == ("http_401", True)
    work(lane)
    assert counts(spool) == {"delivered": 5}


# --- Nonsense -------------------------------------------------------------------------------------


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), SystemExit(1), GeneratorExit(), Odd()])
def test_whatever_is_raised_is_a_failed_attempt(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, error: BaseException
) -> None:
    """F37: the thread is ours; nothing of a stranger's ends it."""
    spool.append(records(3))
    raised = [error]

    def judge(batch: Batch) -> Outcome:
        if raised:
            raise raised.pop()
        return Outcome.delivered()

    exporter = Judging(judge)
    lane = lane_for(exporter, spool)
    work(lane)
    assert (lane.backoff.failures, lane.backoff.reason) == (1, type(error).__name__)
    assert counts(spool) == {}
    work(lane)
    work(lane)
    assert counts(spool) == {"delivered": 3}


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        True,
        "delivered",
        202,
        Outcome(verdict="banana"),  # type: ignore[arg-type]
        Outcome(verdict="reject", rejected={"1": "a"}),  # type: ignore[dict-item]
        Outcome(verdict="reject", rejected={0: 5}),  # type: ignore[dict-item]
        Outcome(verdict="reject", rejected={0: None, 1: "a"}),  # type: ignore[dict-item]
        Outcome(verdict="reject", rejected=None),  # type: ignore[arg-type]
        Outcome(verdict="reject", again=frozenset({"x"})),  # type: ignore[arg-type]
        Outcome(verdict="retry", retry_after_s="soon"),  # type: ignore[arg-type]
        Outcome(verdict="split", reason=None),  # type: ignore[arg-type]
    ],
)
def test_whatever_is_returned_loses_nothing(
    tmp_path: Path, spool: Spool, records: Make, lane_for: LaneFor, work: Work, outcome: Any
) -> None:
    """F34."""
    spool.append(records(3))
    answers = [outcome]
    exporter = Judging(lambda batch: answers.pop() if answers else Outcome.delivered())
    tmp_path.chmod(0o700)
    lane = lane_for(exporter, spool, dead=tmp_path)
    for _ in range(5):
        work(lane)
    assert sum(counts(spool).values()) == 3
    assert counts(spool).get("dead", 0) <= 1


def test_an_exporter_that_cannot_be_closed_says_so_in_a_warning(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(RecordingExporter):
        def close(self) -> None:
            raise RuntimeError("secret")

    spool.append(records(1))
    work(lane_for(Stuck(), spool))
    assert counts(spool) == {"delivered": 1}
    assert [record.message for record in caplog.records] == ["cxkit: exporter sink could not be closed (RuntimeError)"]


def test_one_that_always_raises_is_not_called_all_the_time(spool: Spool, records: Make, lane_for: LaneFor) -> None:
    """F18: on its own thread, with the real clock."""
    spool.append(records(3))
    called = threading.Event()

    def judge(batch: Batch) -> Outcome:
        called.set()
        raise ConnectionError

    exporter = Judging(judge)
    lane = lane_for(exporter, spool, clock=time.monotonic)
    lane.thread.start()
    assert called.wait(10)
    lane.stop(at=math.inf)
    lane.thread.join(10)
    assert not lane.thread.is_alive()
    assert len(exporter.requests) <= 5
    assert counts(spool) == {}


def test_a_disk_that_cannot_be_read_is_asked_again(records: Make, lane_for: LaneFor, work: Work) -> None:
    class Sick(MemorySegment):
        failing = True

        def read(self, offset: int, size: int) -> bytes:
            if self.failing:
                raise OSError(5, "Input/output error")
            return super().read(offset, size)

    segment = Sick(1, first=0)
    spool = Spool(None, -1, [segment], next_sequence=0, segment_bytes=1 << 20)
    exporter = RecordingExporter()
    lane = lane_for(exporter, spool)
    spool.append(records(3))
    work(lane)
    assert (exporter.batches, lane.backoff.reason) == ([], "OSError")
    segment.failing = False
    work(lane)
    assert counts(spool) == {"delivered": 3}


# --- Consent --------------------------------------------------------------------------------------

NANCY, MEHMET, MARIE = (name.ljust(16, b".") for name in (b"nancy", b"mehmet", b"marie"))


def test_the_refused_are_dropped_and_counted_and_the_rest_goes_on(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """Promise 3: asked again for every attempt."""
    for number, subject in enumerate([NANCY, MEHMET, NANCY, MARIE, MEHMET]):
        spool.append(records(1, first=number, subject=subject))
    answers = {NANCY: "allowed", MEHMET: "refused", MARIE: "allowed"}
    exporter = RecordingExporter(outcomes=[Outcome.retry("network")])
    lane = lane_for(exporter, spool, verdict=lambda subject, purposes: answers[subject])
    work(lane)
    assert [len(batch) for batch in exporter.batches] == [3]
    answers[MARIE] = "refused"
    work(lane)
    assert [int(id[-12:]) for id in ids(exporter)] == [0, 2]
    assert counts(spool) == {"delivered": 2, "dropped.consent:analytics:refused": 3}


@pytest.mark.parametrize(
    ("purposes", "own", "delivered"),
    [
        (["necessary"], "necessary", 0),
        (["necessary", "analytics"], "necessary", 1),
        (["analytics"], "necessary", 0),
        (["necessary", "analytics"], "personalization", 0),
        (["analytics", "personalization"], "personalization", 1),
    ],
)
def test_every_purpose_must_have_been_allowed_at_capture(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, purposes: list[str], own: str, delivered: int
) -> None:
    """The exporter's, which is analytics, and the touchpoint's own; nobody is asked about a nobody."""
    spool.append(records(1, purposes=purposes, own=own))
    exporter = RecordingExporter()
    work(
        lane_for(
            exporter,
            spool,
            verdict=lambda subject, purposes: pytest.fail("nobody is there to be asked about"),
        )
    )
    assert len(ids(exporter)) == delivered
    assert counts(spool) == ({"delivered": 1} if delivered else {f"dropped.consent:{own}:not_allowed": 1})


def test_what_cannot_be_known_waits(spool: Spool, records: Make, lane_for: LaneFor, work: Work) -> None:
    """The store is away: nothing is lost or handed on, and what is certain before it is not held up."""
    for number, subject in enumerate([NANCY, NANCY, MEHMET, NANCY]):
        spool.append(records(1, first=number, subject=subject))
    answers = {NANCY: "allowed", MEHMET: "unknown"}
    asked: list[bytes] = []

    def verdict(subject: bytes, purposes: int) -> str:
        asked.append(subject)
        return answers[subject]

    exporter = RecordingExporter()
    lane = lane_for(exporter, spool, verdict=verdict)
    work(lane)
    assert [int(id[-12:]) for id in ids(exporter)] == [0, 1]
    assert asked == [NANCY, MEHMET, MEHMET], "once for each person and attempt"
    work(lane)
    assert len(asked) == 4, "once for each time it wakes"
    assert counts(spool) == {"delivered": 2}
    answers[MEHMET] = "allowed"
    work(lane)
    assert [int(id[-12:]) for id in ids(exporter)] == [0, 1, 2, 3]
    assert counts(spool) == {"delivered": 4}


def test_while_it_waits_for_an_answer_it_does_not_ask_all_the_time(
    spool: Spool, records: Make, lane_for: LaneFor
) -> None:
    """On its own thread: it sleeps, and stops at once."""
    spool.append(records(1, subject=NANCY))
    asked = threading.Semaphore(0)
    count = Counter[str]()

    def verdict(subject: bytes, purposes: int) -> str:
        count["asked"] += 1
        asked.release()
        return "unknown"

    lane = lane_for(RecordingExporter(), spool, verdict=verdict)
    lane.thread.start()
    assert asked.acquire(timeout=10)
    lane.stop(at=math.inf)
    lane.thread.join(10)
    assert not lane.thread.is_alive()
    assert count["asked"] <= 3
    assert counts(spool) == {}


def test_the_stores_lane_takes_commands_alone(spool: Spool, records: Make, lane_for: LaneFor, work: Work) -> None:
    """Consent does not filter those: it is they that bring it."""
    spool.append(records(2))
    spool.append(records(1, first=2, purposes=(), own="analytics", subject=NANCY, type=COMMAND))
    exporter = RecordingExporter()
    work(lane_for(exporter, spool, for_store=True, verdict=lambda *_: pytest.fail("not asked")))
    assert [int(id[-12:]) for id in ids(exporter)] == [2]
    assert counts(spool) == {"delivered": 1, "skipped": 2}


# --- Ends -----------------------------------------------------------------------------------------


def test_what_was_settled_of_a_span_is_kept_at_the_end(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F1: the next start repeats what is unsettled, and nothing else."""
    spool.append(records(8))
    exporter = RecordingExporter(outcomes=[Outcome.split("a"), Outcome.delivered(), Outcome.retry("network")])
    work(lane_for(exporter, spool))
    assert [len(batch) for batch in exporter.batches] == [8, 4, 2]
    assert counts(spool) == {"delivered": 4}
    work(lane_for(exporter, spool))
    assert [int(id[-12:]) for id in ids(exporter)] == [4, 5, 6, 7]
    assert counts(spool) == {"delivered": 8}


def test_a_gap_is_counted_although_it_is_stopped_behind_it(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F3: the second of four is damaged; the third is to be tried again, the fourth is settled."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 20)
    assert spool.path is not None
    spool.append(records(4))
    data = bytearray((spool.path / "00000001.seg").read_bytes())
    data[HEADER_BYTES + len(data) // 4 + 60] ^= 1
    (spool.path / "00000001.seg").write_bytes(data)
    exporter = RecordingExporter(outcomes=[Outcome.reject({}, again=[1]), Outcome.retry("network")])
    work(lane_for(exporter, spool))
    assert [len(batch) for batch in exporter.batches] == [3, 1]
    assert counts(spool) == {}
    work(lane_for(RecordingExporter(), spool))
    assert counts(spool) == {"delivered": 3, "dropped.corrupt": 1}
    spool.close()


answers = st.sampled_from(["delivered", "retry", "split", "reject", "again", "mixed", "pause", "raise", "none"])


@given(st.lists(st.lists(answers, max_size=6), min_size=1, max_size=6), st.sets(st.integers(0, 19)), st.data())
def test_position_and_counts_agree_whenever_it_is_stopped(
    records: Make,
    lane_for: LaneFor,
    work: Work,
    starts: list[list[str]],
    refused: set[int],
    data: st.DataObject,
) -> None:
    """F1: also in the middle of a span of which the first is to be tried again and the last is settled."""
    spool = Spool.create(None, segment_bytes=1 << 20)
    for number in range(20):
        spool.append(records(1, first=number, subject=bytes(15) + bytes([number + 1])))
    exporter = Judging(lambda batch: Outcome.delivered())

    def answer(script: list[str]) -> Callable[[Batch], object]:
        def judge(batch: Batch) -> object:
            kind = script.pop() if script else "delivered"
            places = st.sets(st.integers(0, len(batch) - 1))
            if kind == "raise":
                raise ValueError
            return {
                "delivered": Outcome.delivered(),
                "retry": Outcome.retry("network"),
                "split": Outcome.split("http_400"),
                "reject": Outcome.reject(dict.fromkeys(data.draw(places), "bad")),
                "again": Outcome.reject({}, again=data.draw(places)),
                "mixed": Outcome.reject(dict.fromkeys(data.draw(places), "bad"), again=data.draw(places)),
                "pause": Outcome.pause("http_401"),
                "none": None,
            }[kind]

        return judge

    for script in [*starts, [], []]:
        exporter.judge = answer(list(script))
        lane = lane_for(
            exporter,
            spool,
            max_records=7,
            verdict=lambda subject, purposes: "refused" if subject[15] - 1 in refused else "allowed",
        )
        work(lane)
        counts(spool)
    assert sum(counts(spool).values()) == 20
    assert counts(spool).get("dropped.consent:analytics:refused", 0) == len(refused)


def test_it_stops_when_the_time_is_up(spool: Spool, records: Make, lane_for: LaneFor, clock: Any) -> None:
    """F13: a receiver that takes its time has what is left of ours, and no more."""
    deadlines: list[float] = []

    class Slow(RecordingExporter):
        def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
            deadlines.append(deadline_s)
            clock.now += 0.8
            return super().export(batch, deadline_s=deadline_s)

    spool.append(records(50))
    lane = lane_for(Slow(), spool, max_records=10, clock=clock)
    lane.stop(at=clock.now + 2)
    lane.run()
    assert deadlines == pytest.approx([2.0, 1.2, 0.4])
    assert counts(spool) == {"delivered": 30}


@pytest.mark.parametrize("backlog", [0, 1])
def test_a_backlog_does_not_hold_up_what_happens_now(
    records: Make, lane_for: LaneFor, work: Work, backlog: int
) -> None:
    """F28: spools take turns, whichever comes first."""
    spools = [Spool.create(None, segment_bytes=1 << 20) for _ in range(2)]
    spools[backlog].append(records(3000))
    spools[1 - backlog].append(records(1, first=9999))
    exporter = RecordingExporter()
    work(lane_for(exporter, *spools))
    assert ids(exporter).index("0198c0de-0000-7000-8000-000000009999") <= 1000
    assert counts(spools[backlog]) == {"delivered": 3000}


def test_one_that_is_dead_leaves_the_others_untouched(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F27."""
    spool.append(records(5))
    dead = lane_for(Judging(lambda batch: Outcome.retry("network")), spool, name="dead")
    healthy = RecordingExporter()
    work(dead)
    work(lane_for(healthy, spool, name="healthy"))
    assert counts(spool, "healthy") == {"delivered": 5}
    assert counts(spool, "dead") == {}
    assert (spool.pending("dead"), spool.pending("healthy")) == (5, 0)


def test_what_is_given_up_beneath_it_is_counted_once(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F29: a segment goes while the lane holds a span of it."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1000)
    for number in range(10):
        spool.append(records(1, first=number))

    def judge(batch: Batch) -> Outcome:
        if len(exporter.requests) == 1:
            while spool.give_up_oldest("spool_full"):
                pass
        return Outcome.delivered()

    exporter = Judging(judge)
    work(lane_for(exporter, spool, max_records=2))
    found = counts(spool)
    assert found["delivered"] == len(exporter.accepted)
    assert found["delivered"] + found["dropped.spool_full"] == 10
    spool.close()


def test_all_of_a_dead_spool_that_is_given_up_is_counted(
    tmp_path: Path, records: Make, lane_for: LaneFor, work: Work
) -> None:
    """F29."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 20)
    spool.append(records(5))
    spool.seal()
    assert spool.give_up_oldest("expired")
    exporter = RecordingExporter()
    work(lane_for(exporter, spool))
    assert exporter.batches == []
    assert counts(spool) == {"dropped.expired": 5}
    spool.close()


def test_a_disk_that_takes_nothing_more_stops_no_delivery(
    tmp_path: Path,
    records: Make,
    lane_for: LaneFor,
    work: Work,
    files_limited: Callable[[int], AbstractContextManager[None]],
) -> None:
    """F5: neither positions nor letters can be kept; a crash now costs duplicates."""
    spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 20)
    spool.append(records(3))
    exporter = RecordingExporter(outcomes=[Outcome.reject({1: "bad"}), Outcome.delivered()])
    lane = lane_for(exporter, spool, dead=tmp_path / "dead")
    with files_limited(1):
        work(lane)
    assert counts(spool) == {"delivered": 2, "unkept.disk_error": 1}
    spool.close()
    assert spool.path is not None
    again = adopt(spool.path, segment_bytes=1 << 20)
    assert again is not None
    assert again.pending("sink") == 3
    again.close()


def test_what_is_to_be_tried_again_waits_as_the_other_side_asked(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, clock: Clock
) -> None:
    """F23: although some of it was accepted, and whoever is in a hurry."""
    spool.append(records(3))
    exporter = RecordingExporter(outcomes=[Outcome.reject({}, again=[2], retry_after_s=60)])
    lane = lane_for(exporter, spool, clock=clock)
    for _ in range(3):
        work(lane)
        assert len(exporter.batches) == 1
        clock.now += 19
    clock.now += 4
    work(lane)
    assert [len(batch) for batch in exporter.batches] == [3, 1]
    assert counts(spool) == {"delivered": 3}
    assert lane.backoff.failures == 0


def test_what_becomes_of_a_loss_report_is_in_the_account_and_no_reason_for_another(
    spool: Spool, records: Make, lane_for: LaneFor, work: Work, tmp_path: Path
) -> None:
    """F29: no dead letter can be kept."""
    (tmp_path / "dead").mkdir(mode=0o777)
    (tmp_path / "dead").chmod(0o777)
    report = records(1, first=2)[0]._replace(type=REPORT)
    spool.append([*records(2), report])
    exporter = Judging(lambda batch: Outcome.reject(dict.fromkeys(range(len(batch)), "no")))
    lane = lane_for(exporter, spool, dead=tmp_path / "dead")
    work(lane)
    assert counts(spool) == {"unkept.disk_error": 3}
    assert lane.dropped == {"disk_error": 2}
    assert lane.dropped_reports == {"disk_error": 1}
