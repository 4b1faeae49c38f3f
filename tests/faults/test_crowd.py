"""F18: many clients of one collector that is down: they do not come back in step."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from cxkit.delivery.account import read_account
from cxkit.delivery.retry import Backoff
from cxkit.testing.receiver import Answer, Receiver, Request
from tests.faults.figures import figure
from tests.faults.world import FULL, Run, configure, duplicates, judge, progress, whole

CLIENTS = 50


@pytest.mark.parametrize("seed", range(20))
def test_fifty_clients_spread_their_attempts_over_ten_minutes(seed: int) -> None:
    """F18: in the clients' own time. They fail together at first; later no second sees 3 x the mean of its ten."""
    crowd = [Backoff(max_records=500, random_float=random.Random(f"{seed}/{one}")) for one in range(CLIENTS)]
    attempts: Counter[int] = Counter()
    each: Counter[int] = Counter()
    for place, backoff in enumerate(crowd):
        now = 0.0
        while now < 600:
            attempts[int(now)] += 1
            each[place] += 1
            backoff.failed("http_503", now=now)
            now = backoff.not_before
    assert attempts[0] >= CLIENTS, "they start together"
    window = [attempts[second] for second in range(10, 20)]
    assert max(window) <= 3 * sum(window) / len(window)
    # After 9 failures the ceiling is 300 s: the outage costs each client about a dozen requests.
    assert max(each.values()) <= 40
    assert sum(each.values()) / CLIENTS < 20


def test_a_crowd_of_processes_drains_when_the_collector_is_back(run: Run, tmp_path: Path) -> None:
    """F18: forked from one, as workers are; the outage costs few requests and no interaction."""
    clients, outage_s = whole(CLIENTS, 8), whole(60.0, 2.0)
    down = True
    during = 0

    def answer(request: Request) -> Answer:
        nonlocal during
        during += down
        return Answer(status=503) if down else Answer()

    with Receiver(answer=answer) as receiver:
        configure(tmp_path, sink=receiver)
        child = run(
            f"""
signal.alarm(600)
hear, tell = os.pipe()
pids = []
for number in range({clients}):
    pid = os.fork()
    if pid == 0:
        signal.alarm(600)
        os.close(tell)
        capture(20)
        os.read(hear, 1)  # until the parent is told
        deliver(120)
        os._exit(0)
    pids.append(pid)
os.close(hear)
time.sleep({outage_s})  # the outage itself
say("over")
sys.stdin.readline()
os.close(tell)
assert [ended(pid) for pid in pids] == [0] * {clients}
"""
        )
        assert child.line() == ["over"], child.stderr
        progress(f"{clients} clients, {during} requests in {outage_s:g} s")
        down = False
        child.tell()
        assert child.process.wait(300) == 0, child.stderr
        assert during <= clients * (10 if FULL else 4)
        assert duplicates(receiver) == 0
        judge(read_account(tmp_path / ".cxkit"), captured=20 * clients, sink=receiver)
        figure("F18", f"{clients} clients, an outage of {outage_s:g} s: requests during it, each", during / clients)
