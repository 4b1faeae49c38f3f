"""Ids and times: valid, growing, unique over threads and processes, and repeatable when asked."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

import cxkit
from cxkit.capture.stamp import Stamper, clock_text
from cxkit.testing import FakeClock, recorder

YEAR_2200_US = 7_258_118_400_000_000
microseconds = st.integers(0, YEAR_2200_US)


def at(us: int) -> str:
    return Stamper(time_ns=lambda: us * 1000).stamp()[0]


@given(microseconds)
@example(1_795_257_000_000_001)
@example(0)  # a device without a battery for its clock
def test_an_id_is_a_uuid_of_version_7(us: int) -> None:
    id = at(us)
    found = uuid.UUID(id)
    assert str(found) == id
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == us // 1000, "RFC 9562, section 5.7: 48 bits of milliseconds"


@given(microseconds, microseconds)
def test_ids_grow_with_time(one: int, other: int) -> None:
    if one > other:
        one, other = other, one
    if one < other:
        assert at(one) < at(other)


def test_ids_grow_in_one_thread() -> None:
    clock = FakeClock()

    def ticking() -> int:
        clock.advance(0.000_001)
        return clock.time_ns()

    stamper = Stamper(time_ns=ticking)
    ids = [stamper.stamp()[0] for _ in range(2_000)]
    assert ids == sorted(set(ids))


def test_ids_are_unique_although_the_clock_stands() -> None:
    stamper = Stamper(time_ns=lambda: 1_800_000_000_000_000_000)
    assert len({stamper.stamp()[0] for _ in range(20_000)}) == 20_000


def test_ids_are_unique_over_threads() -> None:
    stamper = Stamper()
    found: list[list[str]] = [[] for _ in range(8)]
    barrier = threading.Barrier(8)

    def draw(into: list[str]) -> None:
        barrier.wait()
        into += [stamper.stamp()[0] for _ in range(20_000)]

    threads = [threading.Thread(target=draw, args=(into,)) for into in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set().union(*found)) == 160_000


FORK = """
import os
from cxkit.capture.stamp import Stamper
from cxkit.kit import Kit
from cxkit.settings import Settings

kit = Kit(Settings(), in_memory=True, stamper=Stamper(time_ns=lambda: 1_800_000_000_000_000_000))
stamp = kit.intake.stamper.stamp
stamp()  # so that there is something drawn to inherit
for _ in range(3):
    child = os.fork()
    if child == 0:
        os.write(1, "".join(stamp()[0] + "\\n" for _ in range(50)).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
os.write(1, "".join(stamp()[0] + "\\n" for _ in range(50)).encode())
"""


def test_ids_of_forked_children_differ_from_their_parents_and_from_each_others() -> None:
    """Although the clock stands."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    ids = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    assert len(ids) == len({id[-12:] for id in ids}) == 200, "nothing that was drawn is used twice"


def test_a_fake_clock_gives_the_same_ids_from_run_to_run() -> None:
    seen = cxkit.touchpoint("stamp.seen")

    def run() -> list[str | None]:
        clock = FakeClock(start_s=1_800_000_000)
        with recorder(clock=clock) as record:
            ids = [seen.capture(), seen.capture()]
            clock.advance(60)
            ids.append(seen.capture())
            assert [one.id for one in record.interactions] == ids
            assert record.interactions[2].occurred_at == datetime.fromtimestamp(1_800_000_060, UTC)
        return ids

    first = run()
    assert first == run()
    assert len(set(first)) == 3


@given(microseconds)
def test_time_is_written_as_rfc_3339_to_the_microsecond(us: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    text = clock_text(us)
    assert len(text) == len("2026-11-21T10:30:00.000001Z")
    assert datetime.fromisoformat(text) == expected


def test_now_is_the_time_of_the_clock() -> None:
    clock = FakeClock(start_s=1_800_000_000)
    assert Stamper(time_ns=clock.time_ns).now() == datetime.fromtimestamp(1_800_000_000, UTC)
