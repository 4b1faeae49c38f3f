"""A recorder: the default kit for the time of a test, in memory, strict, and readable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cxkit.api.declared import declared
from cxkit.capture.stamp import Stamper
from cxkit.delivery.account import Account
from cxkit.kit import Kit, install
from cxkit.model import Interaction
from cxkit.roles import Batch, Outcome
from cxkit.settings import Settings

__all__ = ["FakeClock", "Recorder", "RecordingExporter", "recorder"]


class FakeClock:
    """A wall clock that stands until it is moved.

    Args:
        start_s: Unix seconds.

    Example:
        >>> clock = FakeClock(start_s=1_800_000_000)
        >>> clock.advance(1.5)
        >>> clock.time_ns()
        1800000001500000000
    """

    def __init__(self, *, start_s: float = 1_800_000_000) -> None:
        self._now_ns = int(start_s * 1_000_000_000)

    def time_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move on; back with a negative number."""
        self._now_ns += int(seconds * 1_000_000_000)


def counting() -> Callable[[int], bytes]:
    """In place of ``os.urandom``: bytes that count, so that ids repeat from run to run."""
    count = 0

    def entropy(size: int) -> bytes:
        nonlocal count
        drawn = []
        for _ in range(max(1, size // 6)):
            count += 1
            drawn.append(count.to_bytes(6, "big"))
        return b"".join(drawn)[-size:]

    return entropy


class RecordingExporter:
    """An exporter that keeps what it is given, and answers as it is told.

    Args:
        purposes: What it claims to be for.
        outcomes: Answers to give first, in order; then everything is delivered.
    """

    def __init__(
        self, *, purposes: frozenset[str] = frozenset({"necessary"}), outcomes: list[Outcome] | None = None
    ) -> None:
        self.purposes = purposes
        self.batches: list[Batch] = []
        self.interactions: list[Interaction] = []
        self._outcomes = list(outcomes or [])

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        self.batches.append(batch)
        if self._outcomes:
            return self._outcomes.pop(0)
        self.interactions += batch.interactions
        return Outcome.delivered()

    def close(self) -> None:
        pass


class Recorder:
    """What was captured during a test. Made by `recorder`."""

    def __init__(self, make: Callable[[RecordingExporter], Kit]) -> None:
        self._make = make
        self._kit: Kit | None = None
        self._making = threading.Lock()
        self._exporter = RecordingExporter()

    @property
    def kit(self) -> Kit:
        """The kit, made on first use."""
        with self._making:  # a test and the server that it has just started, say
            if self._kit is None:
                self._kit = self._make(self._exporter)
        return self._kit

    @property
    def interactions(self) -> list[Interaction]:
        """All that was captured so far, in the order in which it happened."""
        self._flush()
        return sorted(self._exporter.interactions, key=lambda one: (one.occurred_at, one.id))

    @property
    def account(self) -> Account:
        """What became of it, also of what was not kept."""
        self._flush()
        return self.kit.account()

    def named(self, name: str) -> list[Interaction]:
        """Those of one touchpoint."""
        return [one for one in self.interactions if one.name == name]

    def one(self, name: str) -> Interaction:
        """The only one of a touchpoint.

        Raises:
            AssertionError: There is none, or more than one.
        """
        found = self.named(name)
        if len(found) != 1:
            others = sorted({one.name for one in self.interactions}) or "nothing"
            raise AssertionError(f"{len(found)} interactions of {name} were captured, not 1; captured: {others}")
        return found[0]

    def close(self) -> None:
        """Stop recording."""
        if self._kit is not None:
            self._kit.close(timeout_s=5)

    def _flush(self) -> None:
        if self._kit is not None:
            flushed = self._kit.flush(timeout_s=10)
            assert flushed.complete, f"not everything captured was recorded in time: {flushed.pending}"


@contextmanager
def recorder(*, strict: bool = True, clock: FakeClock | None = None) -> Iterator[Recorder]:
    """Make a recorder the default kit: in memory, nothing leaves the process, errors are raised.

    Args:
        strict: Whether what is wrong with a capture is raised instead of counted.
        clock: A clock to use; then ids repeat from run to run too.

    Example:
        >>> import cxkit
        >>> TASTED = cxkit.touchpoint("sweet.tasted")
        >>> with recorder() as record:
        ...     _ = TASTED.capture(sort="almond")
        >>> record.one("sweet.tasted").properties["sort"]
        'almond'
    """

    def make(exporter: RecordingExporter) -> Kit:
        stamper = Stamper(time_ns=clock.time_ns, entropy=counting()) if clock else Stamper()
        settings = Settings(strict=strict)
        return Kit(settings, exporters={"recorder": exporter}, stamper=stamper, in_memory=True)

    declared.clear()  # another test module may declare the same names
    record = Recorder(make)
    before = install(lambda: record.kit)
    try:
        yield record
        record._flush()  # what was captured stays readable after the block
    finally:
        install(before)
        record.close()
