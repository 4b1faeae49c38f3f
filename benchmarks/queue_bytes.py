"""How much memory a queued interaction takes, and an outage."""

from __future__ import annotations

import gc
import os
import tempfile
import tracemalloc
from pathlib import Path

from benchmarks.event import ITEM_ADDED, Floor, make_kit, make_scope, properties, whole
from benchmarks.pairs import Row, table
from cxkit.roles import Batch, Outcome

__all__ = ["run"]


class Refusing:
    """A collector that is down."""

    purposes = frozenset({"analytics"})

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        return Outcome.retry("down")

    def close(self) -> None:
        pass


def run(*, quick: bool) -> str:
    count = 5_000 if quick else 20_000
    kit = make_kit(None, queue_bytes=1 << 40)
    kit.intake._running = True
    scope = make_scope(kit)
    floor = Floor(whole(kit, scope))
    encoded = len(floor._encode(floor.build(1)))
    queued = _grown(lambda: [kit.intake.capture(scope, ITEM_ADDED.spec, properties(n)) for n in range(count)]) / count
    kept = _grown(lambda: [floor(n) for n in range(count)]) / count
    rows = [
        Row(name="the interaction, encoded", value=encoded, unit="bytes", ratio=1.0),
        Row(name="floor: its bytes in a list", value=kept, unit="bytes", ratio=kept / encoded),
        Row(name="cxkit, in the queue", value=queued, unit="bytes", ratio=queued / encoded),
    ]
    kit.intake.take(0)
    text = table("Bytes kept per queued interaction", "By tracemalloc. Budget: 1.3 of the encoded size.", rows)
    return text + "\n" + _outage(10_000 if quick else 100_000)


def _outage(count: int) -> str:
    with tempfile.TemporaryDirectory() as directory:
        kit = make_kit(Path(directory), exporters={"down": Refusing()})
        scope = make_scope(kit)
        kit.intake.capture(scope, ITEM_ADDED.spec, properties(0))
        kit.flush(timeout_s=0.5)
        before = _resident()
        for number in range(count):
            kit.intake.capture(scope, ITEM_ADDED.spec, properties(number))
            if number % 1000 == 999:
                kit.flush(timeout_s=0.05)
        account = kit.account()
        grown = (_resident() - before) / 1e6
        row = Row(name=f"resident memory grown by {count:,} interactions", value=grown, unit="MB")
        note = (
            f"The collector is down all the time. Captured {account.captured:,}, "
            f"dropped {sum(account.dropped.values())}. Budget: 15 MB, nothing dropped."
        )
        kit.close(timeout_s=0.5)
        return table("Memory in an outage", note, [row])


def _grown(work):  # type: ignore[no-untyped-def]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    work()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
