"""F8: wall clocks that jump. The clock is given to the process; only the wall's jumps, as it does on a machine."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Answer, Receiver
from tests.faults.world import Run, configure, duplicates, healed, judge

CLOCK = """
step = 0.0
real = time.time, time.time_ns

def jump(seconds):
    "The wall clock jumps; the monotonic one does not."
    global step
    step = seconds

time.time = lambda: real[0]() + step
time.time_ns = lambda: real[1]() + int(step * 1e9)
"""
YEAR_S = 365 * 86_400
JUMPS = {
    "back an hour": "-3600",
    "forward a year": str(YEAR_S),
    "beyond 2038": "2**31 + 5 - real[0]()",
    "back to 1970": "5 - real[0]()",
}
STEPS = {
    "back an hour": (-3700.0, -3500.0),
    "forward a year": (YEAR_S - 100.0, YEAR_S + 100.0),
    "beyond 2038": (1e8, 1e9),
    "back to 1970": (-1e10, -1e9),
}


@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_jumps_loses_stalls_and_expires_nothing(
    run: Run, tmp_path: Path, receiver: Receiver, jump: str
) -> None:
    """F8: what waited through the jump, and what came after it, arrives at once and with the times it was given."""
    # A lane holds one batch at a time in memory: most of what waits is in the file.
    configure(tmp_path, "[spool]\nmax_age_s = 3600\n", sink=(receiver, {"max_batch_records": 10}))
    receiver.script(Answer(status=503))
    child = run(
        CLOCK
        + f"""
import cxkit.capture.stamp
kit = cxkit.configure()
kit.intake.stamper.time_ns = lambda: time.time_ns()
receiver_is_away = capture(50)
spool()
cxkit.flush(timeout_s=0.2)
jump({JUMPS[jump]})
kit._starter.engine._keep_house_at = 0.0  # the time for it has come
capture(50)
began = time.monotonic()
deliver()
say(time.monotonic() - began)
"""
    )
    took_s = float(child.line()[0])
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    assert took_s < 10, "no timer runs by the wall clock"
    account = read_account(tmp_path / ".cxkit")
    judge(account, captured=100, sink=receiver)
    assert account.exporters == {"sink": ExporterAccount(delivered=100)}
    times = [datetime.fromisoformat(json.loads(one)["time"]).timestamp() for one in receiver.payloads]
    step = times[50] - times[49]
    low, high = STEPS[jump]
    assert low < step < high
    assert len(set(receiver.ids)) == 100, "ids stay unique"
    healed(run, tmp_path, captured=100, sink=receiver)


@pytest.mark.parametrize("shift_s", [-YEAR_S, YEAR_S])
def test_files_of_another_time_are_delivered_in_order(
    run: Run, tmp_path: Path, receiver: Receiver, shift_s: float
) -> None:
    """F8: left by a process whose clock was wrong. From the future they wait for nothing; from the past they expire."""
    configure(tmp_path, sink=receiver)
    receiver.stop()
    child = run("capture(50); spool(); cxkit.close(timeout_s=0.2)")
    assert child.wait() == 0, child.stderr
    for file in (tmp_path / ".cxkit" / "spool").glob("**/*.seg"):
        os.utime(file, (file.stat().st_mtime + shift_s,) * 2)
    receiver.start()
    account = healed(run, tmp_path, captured=50, sink=receiver)
    assert account.exporters["sink"].dropped == ({"expired": 50} if shift_s < 0 else {})
    assert duplicates(receiver) == 0
