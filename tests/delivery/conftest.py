"""What the tests of delivery share: records, lanes that work on the test's own thread, a clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest

from cxkit.codec import encode
from cxkit.codec.frame import INTERACTION, NOBODY, Record
from cxkit.delivery.cursor import Progress
from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.judging import Answer, ForExporter, ForStore
from cxkit.delivery.lane import Lane, LaneLimits
from cxkit.delivery.spool import Spool
from cxkit.model import PURPOSES, Interaction, purpose_bits
from cxkit.roles import Exporter
from cxkit.testing.receiver import Receiver
from tests.delivery.processes import Child, Run

WHEN = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def records() -> Callable[..., list[Record]]:
    """Makes records whose payloads are interactions, numbered from ``first``."""

    def make(
        count: int,
        *,
        first: int = 0,
        purposes: Sequence[str] = ("necessary", "analytics"),
        own: str = "analytics",
        subject: bytes = NOBODY,
        type: int = INTERACTION,
    ) -> list[Record]:
        return [
            Record(
                encode(
                    Interaction(
                        id=f"0198c0de-0000-7000-8000-{number:012}",
                        occurred_at=WHEN,
                        name="shop.visited",
                        source="/shop",
                    )
                ),
                subject,
                purpose_bits(purposes),
                PURPOSES.index(own),
                type=type,
            )
            for number in range(first, first + count)
        ]

    return make


@pytest.fixture(scope="session")
def drain() -> Callable[..., tuple[list[Record], Progress]]:
    """Reads all that can be read of a spool from a position on, as a lane does; it ends or fails."""

    def read_all(spool: Spool, progress: Progress, *, at_once: int = 3) -> tuple[list[Record], Progress]:
        found: list[Record] = []
        for _ in range(10_000):
            read = spool.read(progress, max_records=at_once, max_bytes=1_000_000)
            if read.progress.sequence == progress.sequence:
                return found, progress
            found += read.records
            progress = read.progress
        raise AssertionError("reading does not end")

    return read_all


@pytest.fixture(scope="session")
def lane_for() -> Callable[..., Lane]:
    """Makes a lane over spools; ``lane.stop(at=math.inf)`` and ``lane.run()`` let it work here and now."""

    def make(
        exporter: Exporter,
        *over: Spool,
        spools: Callable[[], Sequence[Spool]] | None = None,
        name: str = "sink",
        verdict: Callable[[bytes, int], str] = lambda subject, purposes: "allowed",
        clock: Callable[[], float] = lambda: 0.0,
        dead: Path | None = None,
        passed: Callable[[Spool], None] = lambda spool: None,
        max_records: int = 500,
        for_store: bool = False,
    ) -> Lane:
        def asked(subject: bytes, purposes: int) -> tuple[Answer, None]:
            return verdict(subject, purposes), None  # type: ignore[return-value]

        for spool in over:
            spool.begin(name)
        return Lane(
            name,
            exporter,
            limits=LaneLimits(max_records=max_records),
            judging=(
                ForStore(purposes=0, verdict=asked)
                if for_store
                else ForExporter(purposes=purpose_bits({"analytics"}), verdict=asked)
            ),
            spools=spools or (lambda: over),
            dead=DeadLetters(dead, name, "token"),
            now_text=lambda: "2026-11-21T10:30:00Z",
            passed=passed,
            muted=lambda: nullcontext(),
            clock=clock,
        )

    return make


@pytest.fixture(scope="session")
def work() -> Callable[[Lane], None]:
    """Lets a lane work until nothing is left or an attempt has failed."""

    def until_stuck(lane: Lane) -> None:
        lane.stop(at=math.inf)
        lane.run()

    return until_stuck


@pytest.fixture(scope="session")
def files_limited() -> Callable[[int], AbstractContextManager[None]]:
    """No file of this process may grow beyond so many bytes: a short write first, then an error."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = getrlimit(RLIMIT_FSIZE)
        setrlimit(RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            setrlimit(RLIMIT_FSIZE, before)

    return limited


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts a process; whatever still runs at the end of the test is killed."""
    children: list[Child] = []

    def start(script: str, *, folder: Path = tmp_path) -> Child:
        children.append(Child(script, folder=folder, stderr=tmp_path / f"stderr-{len(children)}"))
        return children[-1]

    yield start
    for child in children:
        child.end()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
