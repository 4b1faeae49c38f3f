"""What every test of the core may count on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cxkit.kit.experiences import declared

# Under CI=true Hypothesis' own profile repeats the same examples; no machine is ever too slow for a test.
settings.register_profile(
    "cxkit", parent=settings.get_profile("ci" if os.environ.get("CI") else "default"), deadline=None
)
settings.load_profile("cxkit")

os.environ["LANGUAGE"] = "en"  # whatever the developer speaks: the command line would, too


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own and no ``CXKIT_*`` setting: a test neither finds nor leaves a ``.cxkit/``."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CXKIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_experiences() -> Iterator[None]:
    """What a test declares is no other's: an experiment has one home in a process."""
    before = {**declared}
    yield
    declared.clear()
    declared.update(before)


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked ``anyio`` run on asyncio."""
    return "asyncio"
