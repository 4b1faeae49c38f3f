"""Nancy's story on the stores that come with cxkit; those of the plugins tell it in their own tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cxkit.stores.memory import MemoryStore
from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.story_haven import Haven, in_one_process
from cxkit.testing.story_suite import StorySuite


class TestSQLite(StorySuite):
    @pytest.fixture
    def where(self, tmp_path: Path) -> Elsewhere:
        return Elsewhere(factory="cxkit.stores.sqlite:FACTORY", table={"path": str(tmp_path / "haven" / "state.db")})


class TestMemory(StorySuite):
    """This store is one process's; so what is elsewhere in the story are other kits of this process."""

    @pytest.fixture
    def haven(self, shop: Path) -> Iterator[Haven]:
        directory = shop / "haven"
        directory.mkdir()
        store = MemoryStore()
        with in_one_process(directory, store) as haven:
            yield haven
        store.close()
