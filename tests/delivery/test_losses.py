"""Losses are told once, and reported the way of all interactions; what was refused is no loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.codec.frame import Record
from cxkit.delivery.losses import Cause, Losses
from cxkit.kit import Kit
from cxkit.model import Identity
from cxkit.roles import Batch, Outcome
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from cxkit.testing.receiver import Answer, Receiver
from tests.delivery.processes import Run, configure, finish

causes = st.tuples(
    st.sampled_from(["queue_full", "spool_full", "expired", "consent", "consent_refused"]),
    st.sampled_from([None, "crm"]),
)


def added(report: Record, totals: Counter[Cause]) -> None:
    body = msgspec.json.decode(report.payload)
    totals.update({(reason, None): count for reason, count in body["dropped"].items()})
    for name, reasons in body["exporters"].items():
        totals.update({(reason, name): count for reason, count in reasons.items()})


def as_record(losses: Mapping[Cause, int]) -> Record:
    body: dict[str, Any] = {"dropped": {}, "exporters": {}}
    for (reason, name), count in losses.items():
        (body["dropped"] if name is None else body["exporters"].setdefault(name, {}))[reason] = count
    return Record(msgspec.json.encode(body))


@given(st.lists(st.tuples(causes, st.integers(1, 5), st.booleans())))
def test_law_reports_add_up_to_what_was_lost_and_the_listener_hears_of_all(
    steps: list[tuple[Cause, int, bool]],
) -> None:
    counts: Counter[Cause] = Counter()
    told: Counter[Cause] = Counter()
    reported: Counter[Cause] = Counter()
    losses = Losses(tell=lambda why, count, name: told.update({(why, name): count}), report=as_record)
    for cause, count, spooled in [*steps, (("queue_full", None), 1, True)]:
        counts[cause] += count
        losses.tell(counts.copy())
        report = losses.due(counts.copy(), last=True)
        if report is not None and spooled:  # else the disk failed, and it is reported the next time
            added(report, reported)
            losses.reported(counts.copy())
    assert told == counts
    assert reported == Counter({cause: n for cause, n in counts.items() if not cause[0].startswith("consent")})


def test_between_reports_a_minute_passes() -> None:
    losses = Losses(tell=None, report=as_record)
    counts: Counter[Cause] = Counter({("queue_full", None): 1})
    assert losses.due(counts, last=False) is None
    assert losses.due(counts, last=True) is not None


def test_what_did_not_fit_the_queue_is_reported_at_the_end(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    configure(tmp_path, "[queue]\nmax_bytes = 20_000\n", sink=receiver)
    child = run(
        """
captured = capture(5000)
lost = captured.count(None)
assert cxkit.close(timeout_s=20).complete
say(lost)
"""
    )
    lost = int(child.line()[0])
    assert child.wait() == 0, child.stderr
    reports = [one.properties for one in receiver.interactions if one.name == "cxkit.loss_report"]
    assert lost > 0
    assert reports == [{"dropped": {"queue_full": lost}, "exporters": {}}]


def test_what_an_exporter_lost_is_reported_to_all_whatever_their_purposes(
    run: Run, tmp_path: Path, receiver: Receiver
) -> None:
    """F29: a quota that is hit while one is down."""
    limits = "[spool]\nmax_records = 100\nsegment_bytes = 5_000\n"
    with Receiver(answer=lambda request: Answer(status=503)) as down:
        configure(tmp_path, limits, sink=receiver, crm=down)
        child = run(
            """
for _ in range(20):
    capture(50)
    while "sink" in cxkit.flush(timeout_s=0.05).pending:
        pass
cxkit.close(timeout_s=1)
"""
        )
        assert child.wait() == 0, child.stderr
    with Receiver() as ads:
        configure(tmp_path, limits, sink=receiver, crm=receiver)
        with (tmp_path / "cxkit.toml").open("a") as file:
            file.write(f'[exporters.ads]\ntype = "http"\nurl = "{ads.url}"\npurposes = ["advertising"]\n')
        account = finish(run, tmp_path)
        reports = [one for one in ads.interactions if one.name == "cxkit.loss_report"]
    lost = account.exporters["crm"].dropped["spool_full"]
    assert lost > 500
    assert [one.properties["exporters"]["crm"] for one in reports] == [{"spool_full": lost}]
    assert [one.identity for one in reports] == [Identity()]
    assert account.exporters["sink"].dropped == {}


def test_what_a_customer_refused_is_no_loss(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    configure(tmp_path, '[consent]\nbefore_choice = "drop"\n', sink=receiver)
    child = run("assert capture(10) == [None] * 10; cxkit.close(timeout_s=20)")
    assert child.wait() == 0, child.stderr
    assert receiver.ids == []


class Refusing(RecordingExporter):
    """One whose other side wants some of it only."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        super().export(batch, deadline_s=deadline_s)
        unwanted = [place for place, payload in enumerate(batch.payloads) if b"losses.wanted" not in payload]
        return Outcome.reject(dict.fromkeys(unwanted, "unwanted"))


def test_a_report_that_is_refused_and_cannot_be_kept_is_the_last(tmp_path: Path) -> None:
    """F29: it is lost itself, which the account says; nobody is told of that for ever."""
    dead = tmp_path / ".cxkit" / "dead"
    dead.mkdir(parents=True)
    (tmp_path / ".cxkit").chmod(0o700)
    dead.chmod(0o777)  # so no letter is kept there
    sink = Refusing(purposes=frozenset({"necessary"}))
    kit = Kit(Settings(directory=tmp_path / ".cxkit"), exporters={"sink": sink})
    unwanted, wanted = (cxkit.touchpoint(f"losses.{name}", purpose="necessary") for name in ("unwanted", "wanted"))
    with cxkit.scope(kit=kit):
        unwanted.capture()
        assert kit.flush(timeout_s=30).complete
        engine = kit._starter.engine
        assert engine is not None
        for _ in range(4):
            engine._house._losses._report_at = engine._house.due_at = 0.0  # the time for it has come
            wanted.capture()  # the worker keeps house between two writes
            assert kit.flush(timeout_s=30).complete
    assert kit.close(timeout_s=30).complete
    reports = [one.properties for one in sink.interactions if one.name == "cxkit.loss_report"]
    assert reports == [{"dropped": {}, "exporters": {"sink": {"disk_error": 1}}}]
    account = kit.account()
    assert account.balanced
    assert (account.exporters["sink"].unkept, account.exporters["sink"].delivered) == ({"disk_error": 2}, 4)
