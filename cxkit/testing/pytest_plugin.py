"""The pytest plugin: in every test the default kit is a recorder; the fixture ``cx`` is what it recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cxkit.testing.recorder import Recorder, recorder

__all__ = ["cx"]


@pytest.fixture(autouse=True)
def cx() -> Iterator[Recorder]:
    """What the app under test captured; the kit is made when something is."""
    with recorder() as record:
        yield record
