"""gevent, patched before cxkit is imported and after: all is delivered, and the hub turns. F11, P5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cxkit.testing.receiver import Receiver
from tests.delivery.processes import configure
from tests.faults.figures import figure

pytestmark = pytest.mark.services

Run = Callable[[str], list[str]]
Delivered = Callable[[], int]

PATCH = "from gevent import monkey; monkey.patch_all()"
APP = """
import time
import gevent
import cxkit

SEEN = cxkit.touchpoint("shop.seen")


def work(count):
    with cxkit.scope(channel="store"):
        for number in range(count):
            assert SEEN.capture(n=number)
            gevent.sleep(0)
"""
WAYS = {
    "before": f"{PATCH}{APP}",
    "after the import": f"import cxkit\n{PATCH}{APP}",
    "after the kit is made": f"import cxkit\ncxkit.configure()\n{PATCH}{APP}",
}


@pytest.mark.parametrize("durability", ["queue", "write", "sync"])
@pytest.mark.parametrize("patched", WAYS)
def test_what_greenlets_capture_is_delivered(
    run: Run, delivered: Delivered, tmp_path: Path, receiver: Receiver, patched: str, durability: str
) -> None:
    """By the end of the script, and while it runs, if it only waits."""
    configure(tmp_path, f'durability = "{durability}"\n', sink=receiver)
    lines = run(
        WAYS[patched]
        + """
gevent.joinall([gevent.spawn(work, 50) for _ in range(10)], raise_error=True)
flushed = cxkit.flush(timeout_s=30)
print(flushed.complete, cxkit.stats().exporters["sink"].delivered)
work(50)
"""
    )
    assert lines == ["True 500"]
    assert delivered() == 550


@pytest.mark.parametrize("patched", WAYS)
def test_the_hub_turns_while_it_is_delivered(run: Run, tmp_path: Path, receiver: Receiver, patched: str) -> None:
    """No greenlet waits for as long as one of ours would wait in C: none could move in that time at all.

    How late the others come to their turn is a figure, of 3,000 turns.
    """
    configure(tmp_path, sink=receiver)
    lines = run(
        WAYS[patched]
        + """
work(1)
cxkit.flush()
late, turns = [], 0


def turn():
    while len(late) < 3000:
        began = time.perf_counter()
        gevent.sleep(0.001)
        late.append(time.perf_counter() - began - 0.001)


def capture():
    while len(late) < 3000:
        work(5)
        gevent.sleep(0.005)


gevent.joinall([gevent.spawn(turn), gevent.spawn(capture)], raise_error=True)
print(sorted(late)[2970] * 1000, max(late) * 1000)
"""
    )
    slowest, worst = map(float, lines[0].split())
    figure("F11", f"hub lag p99, patched {patched}", slowest, "ms")
    figure("F11", f"hub lag at worst, patched {patched}", worst, "ms")
    assert receiver.wait_for(100, timeout_s=30)
