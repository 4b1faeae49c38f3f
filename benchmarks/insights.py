"""What each metric costs over the local file: 200,000 interactions, asked as `cxkit insights` does."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec

from benchmarks.event import make_kit, make_scope, whole
from benchmarks.pairs import Row, paired, table
from cxkit.exporters.local import LocalExporter, Settings, read
from cxkit.roles import Batch
from cxkit.rules.measure import bounce, journeys, left_out, stages

__all__ = ["run"]

INTERACTIONS = 200_000
PARAMETERS = {
    "since_day": 0, "until_day": 99_999_999, "by": "device", "depth": 5, "top": 7, "paths": 10, "collapse": 0
}  # fmt: skip
STEPS = [*(("page.viewed", "view", f"/shelves/{number}") for number in range(30)), ("cart.item_added", "action", None)]
STAGES = ["awareness", "consideration", "purchase", "service", "loyalty", None, None]
BEGAN_MS = 1_790_000_000_000
CHANGED = ("id", "at_ms", "name", "kind", "route", "person", "session", "device", "stage", "engaged_ms", "actor")


def run(*, quick: bool) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "local.db")
        fill(path, INTERACTIONS // 10 if quick else INTERACTIONS)
        with read(path) as connection:
            asking: dict[str, Callable[[int], object]] = {
                "floor: read every row, COUNT": lambda _: ask(connection, "SELECT COUNT(name) FROM interactions"),
                "what is left out": lambda _: ask(connection, left_out.SQL),
            }
            for one in (bounce, journeys, stages):
                asking[one.NAME] = partial(lambda sql, _: ask(connection, sql), one.SQL)
            rows = paired(asking, base=next(iter(asking)), calls=1, rounds=3 if quick else 10)
    return table(
        f"Insights over {INTERACTIONS // (10 if quick else 1):,} interactions, SQLite",
        "CPU time of the calling thread, in the file of the exporter `local`. Budget: 2 s each.",
        [in_seconds(row) for row in rows],
    )


def ask(connection: sqlite3.Connection, sql: str) -> list[Any]:
    return connection.execute(sql, PARAMETERS).fetchall()


def in_seconds(row: Row) -> Row:
    return attrs.evolve(row, value=row.value / 1e6, unit="s")


def fill(path: Path, number: int) -> None:
    """One interaction as the exporter writes it, and as many like it as are asked for."""
    kit = make_kit(None)
    payload = msgspec.json.encode(whole(kit, make_scope(kit)))
    kit.close()
    LocalExporter(Settings(path=path)).export(Batch("1", (payload,)), deadline_s=5.0)
    with closing(sqlite3.connect(path)) as connection:
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(interactions)")]
        wanted = ", ".join(f"${name}" if name in CHANGED else f'"{name}"' for name in columns)
        copy = f"INSERT INTO interactions SELECT {wanted} FROM interactions WHERE rowid = 1"  # noqa: S608 - constants
        connection.executemany(copy, likenesses(number - 1))
        connection.commit()


def likenesses(number: int) -> Iterator[dict[str, object]]:
    """Sessions of five on average; they overlap, as those of a shop do."""
    chance = random.Random(7)
    made = 0
    while made < number:
        began = BEGAN_MS + chance.randrange(90 * 86_400_000)
        who = f"visitor:{chance.randrange(number // 8):032x}"
        alike = {
            "person": who,
            "session": f"{who} {began}",
            "device": chance.choice(["phone", "desktop", "tablet", None]),
            "actor": chance.choice(["human"] * 19 + ["bot"]),
        }
        for _ in range(min(number - made, 1 + int(chance.expovariate(1 / 4.5)))):
            made, began = made + 1, began + chance.randrange(1, 300_000)
            name, kind, route = chance.choice(STEPS)
            yield alike | {
                "id": f"{began:012x}-7{chance.getrandbits(72):018x}",
                "at_ms": began,
                "name": name,
                "kind": kind,
                "route": route,
                "stage": chance.choice(STAGES),
                "engaged_ms": chance.choice([None, 3000, 12_000]),
            }
