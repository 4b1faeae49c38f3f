"""A file to write, and a refusal to expect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxkit.errors import ConfigurationError
from cxkit.settings import load


@pytest.fixture
def write() -> Callable[..., Path]:
    """Writes a file into the test's folder, the one that is found there if no other is named."""

    def written(text: str, path: str = "cxkit.toml") -> Path:
        Path(path).write_text(text, "utf-8")
        return Path(path)

    return written


@pytest.fixture
def refusal() -> Callable[..., ConfigurationError]:
    """The error of a load that fails, in an empty environment if no other is given."""

    def refused(**arguments: Any) -> ConfigurationError:
        with pytest.raises(ConfigurationError) as caught:
            load(**{"environ": {}, **arguments})
        return caught.value

    return refused
