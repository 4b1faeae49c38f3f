"""Both stores that come with cxkit, each able to fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cxkit.roles import Store
from cxkit.stores.memory import MemoryStore
from cxkit.stores.sqlite import Settings, SQLiteStore
from tests.flows.world import Faulty


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Faulty]:
    inner: Store = MemoryStore() if request.param == "memory" else SQLiteStore(Settings(path=tmp_path / "state.db"))
    yield Faulty(inner)
    inner.close()
