"""The relation ``events`` in two engines, and arbitrary events to put into it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, get_args

import attrs
import duckdb
from hypothesis import strategies as st

from cxkit.model.touchpoint import Direction, Kind
from cxkit.rules.measure.events import COLUMNS, Event
from cxkit.rules.measure.experiments import Exposure

_TYPES = {"ts_ms", "local_day", "engaged_ms", "is_bot", "consent_analytics", "depth", "value_minor", "score"}
_TABLE = ", ".join(f"{name} {'BIGINT' if name in _TYPES else 'TEXT'}" for name in COLUMNS)
_ROW = f"({', '.join('?' * len(COLUMNS))})"
_EXPOSURES = ", ".join(
    f"{one.name} {'BIGINT' if one.name in ('version', 'crossed_over') else 'TEXT'}" for one in attrs.fields(Exposure)
)
_EXPOSED = f"({', '.join('?' * len(attrs.fields(Exposure)))})"


Engine = Callable[..., list[tuple[Any, ...]]]
"""Takes events, a text and its parameters, and exposures, if there are any; gives the rows."""


def on_sqlite(
    events: Iterable[Event], sql: str, exposures: Iterable[Exposure] = (), **parameters: object
) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE events ({_TABLE})")
        connection.executemany(f"INSERT INTO events VALUES {_ROW}", map(attrs.astuple, events))  # noqa: S608
        connection.execute(f"CREATE TABLE exposures ({_EXPOSURES})")
        connection.executemany(f"INSERT INTO exposures VALUES {_EXPOSED}", map(attrs.astuple, exposures))  # noqa: S608
        return connection.execute(sql, parameters).fetchall()


@contextmanager
def duckdb_engine() -> Iterator[Engine]:
    """DuckDB; to open it takes much longer than to ask it."""
    with duckdb.connect(config={"threads": 1}) as connection:

        def on_duckdb(
            events: Iterable[Event], sql: str, exposures: Iterable[Exposure] = (), **parameters: object
        ) -> list[tuple[Any, ...]]:
            for name, columns, mark, things in (
                ("events", _TABLE, _ROW, events),
                ("exposures", _EXPOSURES, _EXPOSED, exposures),
            ):
                connection.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
                if rows := [attrs.astuple(one) for one in things]:  # type: ignore[arg-type]
                    marks = ", ".join([mark] * len(rows))
                    connection.execute(f"INSERT INTO {name} VALUES {marks}", [cell for row in rows for cell in row])  # noqa: S608
            asked = {name: parameters[name] for name in re.findall(r"\$(\w+)", sql)}  # it refuses any other
            return connection.execute(sql, asked).fetchall()

        yield on_duckdb


def day(first: int = 20261101, last: int = 20261103) -> st.SearchStrategy[int]:
    return st.integers(first, last)


def _some(*values: str | None) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


_event = st.builds(
    Event,
    event_id=st.just(""),
    ts_ms=st.integers(0, 12).map(lambda minute: minute * 60_000),
    local_day=day(),
    subject_id=_some("user_id:nancy", "visitor:7f3a", "visitor:é", None),
    session_id=_some("s1", "s2", "S1", None),
    name=_some("page.viewed", "cart.item_added", "cart.paid", "", "(end)", "(other)", "été"),
    kind=st.sampled_from(get_args(Kind)),
    channel=_some("web", "phone", "", None),
    direction=st.sampled_from(get_args(Direction)),
    stage=_some("awareness", "purchase", "loyalty", None),
    device_class=_some("phone", "desktop", None),
    country=_some("FR", "DE", None),
    route=_some("/", "/cart", "", None),
    language=_some("fr", "de", None),
    variant_key=_some("home.hero", None),
    variant=_some("bold", "all", None),
    depth=st.sampled_from([None, 0, 1, 2, 4]),
    value_minor=st.sampled_from([None, 0, 990, -200, 2**62, -(2**62)]),
    currency=_some("EUR", "EUR", "JPY", None),
    scale=_some("nps", "csat", "mood", None, None, None),
    score=st.sampled_from([None, -1, 0, 4, 10]),
    cause=_some("001", "007", "x", None, None),
    outcome=_some("completed", "failed", None, None),
    engaged_ms=st.sampled_from([None, None, 0, -5000, 4000, 5000, 9999, 10_000, 2**62]),
    is_bot=_some(*[0, 0, 0, 1]),  # type: ignore[arg-type]
    consent_analytics=_some(*[1, 1, 1, 0]),  # type: ignore[arg-type]
)


@st.composite
def relations(draw: st.DrawFn) -> Sequence[Event]:
    """Events with ties, gaps, look-alikes but for their ids, in any order; enough of them to meet."""
    drawn = draw(st.lists(_event, max_size=25))
    ids = draw(st.permutations(range(len(drawn))))
    return [attrs.evolve(one, event_id=f"{number:03}") for one, number in zip(drawn, ids, strict=True)]
