"""A folder with an experiment, and its local file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cxkit.codec import encode
from cxkit.exporters.local import LocalExporter, Settings
from cxkit.kit.experiences import declared
from cxkit.model import Interaction
from cxkit.roles import Batch
from tests.cli.experiments.lives import TOML


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cxkit.toml").write_text(TOML)
    declared.clear()  # of other tests
    return tmp_path


@pytest.fixture
def holding(folder: Path) -> Callable[..., None]:
    """Writes interactions into the local file as its exporter does."""

    def write(*interactions: Interaction) -> None:
        batch = Batch("1", tuple(map(encode, interactions)))
        assert LocalExporter(Settings(path=folder / "here.db")).export(batch, deadline_s=10.0).verdict == "delivered"

    return write
