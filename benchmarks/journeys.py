"""What a journey costs: the decision that follows one, the decision that does not, and the capture of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cxkit
from benchmarks.event import CONTEXT
from benchmarks.pairs import Row, paired, table
from cxkit.kit import Kit
from cxkit.settings import Plugins, RawTable, Settings
from cxkit.stores.memory import MemoryStore

__all__ = ["run"]

STEPS = [cxkit.touchpoint(f"bench.step_{number}") for number in range(20)]
FOLLOWS = cxkit.experience(
    "bench.follows", variants=[cxkit.Variant(name="go on", audience={"journeys.j0.next": "bench.step_1"}, depth=3)]
)
DOES_NOT = cxkit.experience(
    "bench.does_not", variants=[cxkit.Variant(name="go on", audience={"channel": CONTEXT.channel}, depth=1)]
)
JOURNEY = cxkit.journey("j0", steps=["bench.step_0", "bench.step_1"])


def run(*, quick: bool) -> str:
    """One table."""
    calls, rounds = (200, 3) if quick else (2000, 15)
    rows: list[Row] = []
    for journeys, contacts in ((1, 10), (1, 200), (10, 200)):
        with _customer(journeys, contacts):
            subjects: dict[str, Callable[[int], object]] = {
                "a decision that follows none": lambda number: DOES_NOT.decide(),
                f"one that follows one of {journeys}, after {contacts} contacts": lambda number: FOLLOWS.decide(),
                f"progress() on one of {journeys}, after {contacts} contacts": lambda number: JOURNEY.progress(),
            }
            rows += paired(subjects, base="a decision that follows none", calls=calls, rounds=rounds)[len(rows) > 0 :]
    with _customer(1, 0):
        captures: dict[str, Callable[[int], object]] = {
            "a capture": lambda number: STEPS[9].capture(number=number),
            "a capture that is a step": lambda number: STEPS[0].capture(number=number),
        }
        rows += paired(captures, base="a capture", calls=calls, rounds=rounds)
    note = "CPU time of the calling thread; the contacts are in the store, which is in memory, and were read before."
    return table("Journeys", note, rows)


@contextmanager
def _customer(journeys: int, contacts: int) -> Iterator[None]:
    """Somebody known, who has begun one of them."""
    tables = {
        f"j{number}": RawTable({"steps": [f"bench.step_{number}", f"bench.step_{number + 1}"]})
        for number in range(journeys)
    }
    settings = Settings(plugins=Plugins(allow=()), journeys=tables)
    kit = Kit(settings, exporters={}, store=MemoryStore(), in_memory=True)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login", channel=CONTEXT.channel):
        cxkit.grant("analytics", "personalization")
        for number in range(contacts):
            STEPS[number % len(STEPS) if number else 0].capture()
        assert kit.flush(timeout_s=30).complete
        kit.desk.view.histories.changed(None)
        FOLLOWS.decide()
        yield
    kit.close(timeout_s=1)
