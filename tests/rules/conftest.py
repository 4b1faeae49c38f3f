"""The engines that must agree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.relation import Engine, duckdb_engine, on_sqlite


@pytest.fixture(scope="session", params=["sqlite", "duckdb"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each in turn."""
    if request.param == "sqlite":
        yield on_sqlite
    else:
        with duckdb_engine() as on_duckdb:
            yield on_duckdb
