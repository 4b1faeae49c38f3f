"""The pytest plugin: in every test the default kit is a recorder; the fixture ``cx`` is what it recorded.

Loaded by pytest itself; so it imports nothing of cxkit until a test runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cxkit.testing.recorder import Recorder

__all__ = ["cx"]


@pytest.fixture(autouse=True)
def cx() -> Iterator[Recorder]:
    """What the app under test captured; the kit is made when something is."""
    from cxkit.testing.recorder import recorder

    with recorder() as record:
        yield record
