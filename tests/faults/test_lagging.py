"""F27: one exporter lags behind, for its collector is down; the others do not notice."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import msgspec

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Answer, Receiver
from tests.faults.figures import figure
from tests.faults.world import Run, configure, healed, judge

# --- F27: one is down -----------------------------------------------------------------------------


class Timed(Receiver):
    """Notes how long each took from its capture until it was here."""

    def __init__(self) -> None:
        super().__init__(keep=self._note)
        self.lags_s: list[float] = []

    def _note(self, payloads: object) -> bool:
        now = time.time()
        for payload in payloads:  # type: ignore[attr-defined]
            happened = msgspec.json.decode(payload, type=_Timed).time
            self.lags_s.append(now - happened.timestamp())
        return True

    def p99_ms(self) -> float:
        return statistics.quantiles(self.lags_s, n=100)[98] * 1000


class _Timed(msgspec.Struct):
    time: datetime


PACED = """
for number in range(200):
    SEEN.capture(n=number)
    time.sleep(0.005)  # a pace, not a wait
cxkit.flush(timeout_s=0.5)
say("paced")
sys.stdin.readline()
"""


def test_one_that_is_down_does_not_hold_up_three_that_are_not(run: Run, tmp_path: Path) -> None:
    """F27: the three get everything while it hangs; their lag with and without it is a figure."""
    lags: dict[str, float] = {}
    for fourth in ("healthy", "hung"):
        folder = tmp_path / fourth
        folder.mkdir()
        with ExitStack() as stack:
            sinks = {name: stack.enter_context(Timed()) for name in ("one", "two", "three")}
            last = stack.enter_context(Receiver())
            if fourth == "hung":
                last.script(*[Answer(status=503, cut_bytes=0, end="hang")] * 50)
            configure(folder, fourth=last, **sinks)
            child = run(PACED, folder=folder)
            assert child.line() == ["paced"], child.stderr
            assert all(sink.wait_for(200, timeout_s=30) for sink in sinks.values())
            account = read_account(folder / ".cxkit")
            assert account.exporters["fourth"].pending == (200 if fourth == "hung" else 0)
            lags[fourth] = max(sink.p99_ms() for sink in sinks.values())
            child.tell()
            assert child.wait() == 0, child.stderr
            judge(
                read_account(folder / ".cxkit"), captured=200, **sinks, **({} if fourth == "hung" else {"fourth": last})
            )
    figure("F27", "lag of three healthy exporters, p99, all four healthy", lags["healthy"], "ms")
    figure("F27", "lag of three healthy exporters, p99, the fourth hung", lags["hung"], "ms")


def test_what_a_quota_takes_is_counted_for_the_lagging_one_alone(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F27, F29: and a segment is kept for nobody else; the disk holds no more than the quota and a segment."""
    quota, segment = 60_000, 10_000
    with Receiver() as down:
        configure(
            tmp_path, f"[spool]\nmax_bytes = {quota}\nsegment_bytes = {segment}\n",
            sink=receiver, down=down,
        )  # fmt: skip
        down.stop()
        child = run(
            """
for _ in range(20):
    capture(20)
    deadline = time.monotonic() + 20
    while "sink" in cxkit.flush(timeout_s=0.2).pending:
        assert time.monotonic() < deadline
"""
        )
        assert child.wait() == 0, child.stderr
        files = (tmp_path / ".cxkit" / "spool").glob("*/**/*.seg")
        assert sum(file.stat().st_size for file in files) <= quota + segment
        account = read_account(tmp_path / ".cxkit")
        judge(account, captured=400, sink=receiver)
        assert account.exporters["sink"] == ExporterAccount(delivered=400)
        down.start()
        account = healed(run, tmp_path, captured=400, sink=receiver, down=down)
        lost = account.exporters["down"].dropped
        assert list(lost) == ["spool_full"]
        arrived = {one.id for one in down.interactions if one.name == "shop.seen"}
        assert len(arrived) == 401 - lost["spool_full"]
