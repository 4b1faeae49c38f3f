"""What the fault tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cxkit.testing.receiver import Receiver
from tests.faults.counting import Counting
from tests.faults.world import Run, Start


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts a process that captures."""
    start = Start(tmp_path)
    yield start
    start.end()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def counting() -> Iterator[Counting]:
    counting = Counting()
    yield counting
    counting.end()
