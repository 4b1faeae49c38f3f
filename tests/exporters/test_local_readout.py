"""A readout asks the local file for what it costs: as much for each unit, however many there are."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from cxkit.exporters.local.schema import INDICES, TABLES
from cxkit.rules.measure.experiments import NEVER_MS, SQL

ROW = """
INSERT INTO interactions (id, at_ms, local_day, source, name, kind, direction, purpose, presence, subject, person,
    session_began_ms, actor, analytics, payload)
VALUES ($id, $at_ms, 20261123, '/shop', $name, 'exposure', 'inbound', 'analytics', 'online', $who, $who,
    $at_ms, 'human', 1, '{}')"""


def steps(units: int, unit_type: str) -> int:
    """Of SQLite's machine, in hundreds, for so many people of two exposures and two goals each."""
    told = 0

    def tick() -> None:
        nonlocal told
        told += 1

    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in (*TABLES, *INDICES):
            connection.execute(statement)
        for at_ms in range(4 * units):
            name = "experience.shown" if at_ms < 2 * units else "order.paid"
            who = f"user_id:{at_ms % units}"
            connection.execute(ROW, {"id": f"{at_ms:09}", "at_ms": at_ms, "name": name, "who": who})
            if at_ms < 2 * units:
                given = (f"{at_ms:09}", "bolder", 0, "all", unit_type, f"{unit_type}:{at_ms}", 0)
                connection.execute("INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?, ?)", given)
        connection.set_progress_handler(tick, 100)
        asked = {"experiment": "bolder", "version": 0, "goal": "order.paid", "by": "", "until_ms": NEVER_MS}
        assert connection.execute(SQL, asked).fetchone() is not None
    return told


def test_the_work_grows_with_the_units_and_not_with_their_square() -> None:
    for unit_type in ("visitor", "session"):
        assert steps(1600, unit_type) < 6 * steps(400, unit_type)
