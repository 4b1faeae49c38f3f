"""What the fault tests share."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from cxkit.testing.receiver import Receiver
from tests.faults.counting import Counting
from tests.faults.world import FULL, Run, Start


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Run whole, the soak is half an hour of waiting: with ``--dist loadgroup`` it runs beside the rest."""
    for item in items if FULL else ():
        item.add_marker(pytest.mark.xdist_group("soak" if item.path.stem == "test_soak" else "one by one"))
    yield


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
