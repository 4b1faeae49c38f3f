"""The checks among processes are judged like the others: each must catch a store that is broken in its way.

The reference is the SQLite store, which other processes can open, with an outage to play and a way
to wait for changes.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from cxkit.stores import sqlite
from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.store_shared import SharedChecks
from tests.stores.mutants import Mutant, changed, checks_of, passes

CHECKS = checks_of(SharedChecks)
REFERENCE = (
    inspect.getsource(sqlite)
    + """
import time

_down = [0]

class Announcer(SQLiteStore):
    def _using(self, *details):
        if _down[0]:
            _down[0] -= 1
            raise StoreError("it is down", fix="wait")
        return super()._using(*details)

    def await_change(self, token, *, timeout_s):
        deadline = time.monotonic() + timeout_s
        while not self.changes_since(token, limit=1):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True

    def break_off(self):
        _down[0] = 20

FACTORY = Factory(name="mutant", settings=Settings, build=Announcer)
"""
)
CHECKED = (
    "            check_versions(expected, "
    "{key: version for key, (version, deleted) in counts.items() if not deleted})\n"
)
COMMIT = '        with self._using(self._writer, "BEGIN IMMEDIATE") as connection:\n            counts'
WAIT = "        deadline = time.monotonic() + timeout_s\n"
HALVES = (
    "        for key in bodies:\n"
    '            with self._using(self._writer, "BEGIN IMMEDIATE") as connection:\n'
    "                _write(connection, puts, {key: bodies[key]}, versions)\n"
)

TRIES = 5

MUTANTS = [
    Mutant("lost update", "no_increment_of_any_process_is_lost", {CHECKED: ""}),
    Mutant(
        "tokens before the lock",
        "changes_of_other_processes_are_all_told",
        {
            COMMIT: "        _early[0] = time.time_ns()\n        time.sleep(_early[0] % 5 * 0.002)\n" + COMMIT,
            "(SELECT coalesce(max(token), 0) + 1 FROM document)": "?",
            "(key, versions[key], None if": "(key, versions[key], _early[0], None if",
            "_down = [0]": "_down = [0]\n_early = [0]",
        },
    ),
    Mutant(
        "one document after the other",
        "a_killed_process_leaves_whole_commits",
        {"            _write(connection, puts, bodies, versions)\n": HALVES},
    ),
    Mutant(
        "terms later",
        "a_killed_process_leaves_whole_commits",
        {"executemany(_PUT_TERM, [(term, key) for term in puts[key].terms])": "execute('SELECT 1')"},
    ),
    Mutant("stays down", "what_was_acknowledged_survives_an_outage", {"            _down[0] -= 1\n": ""}),
    Mutant(
        "another error",
        "what_was_acknowledged_survives_an_outage",
        {'raise StoreError("it is down", fix="wait")': 'raise ConnectionError("it is down")'},
    ),
    Mutant(
        "forgets in an outage",
        "what_was_acknowledged_survives_an_outage",
        {
            "        _down[0] = 20\n": "        with self._using(self._writer, 'BEGIN IMMEDIATE') as connection:\n"
            "            connection.execute('UPDATE document SET version = version + 1, body = ?', ('{\"n\":0}',))\n"
            "        _down[0] = 20\n"
        },
    ),
    Mutant("deaf", "who_waits_hears_of_a_commit", {WAIT: "        return False\n"}),
    Mutant("cries wolf", "a_wait_that_nothing_ends_is_in_vain", {WAIT: "        return True\n"}),
    Mutant(
        "only what comes after",
        "what_changed_already_ends_a_wait",
        {WAIT: WAIT + "        token = max([token, *(it.token for it in self.changes_since(0))])\n"},
    ),
]


class Impatient(SharedChecks):
    patience_s = 3.0


_numbers = itertools.count()


@pytest.fixture
def made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """What gives the fixtures of a mutant: a module of its own, which other processes find too."""
    monkeypatch.syspath_prepend(tmp_path)
    opened: list[Any] = []

    def make(changes: Mapping[str, str]) -> Callable[[], dict[str, Any]]:
        name = f"cx_mutant_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(changed(REFERENCE, changes), "utf-8")
        module = import_module(name)
        table = {"path": str(tmp_path / f"{name}.db"), "busy_timeout_s": 20.0}

        def fixtures() -> dict[str, Any]:
            where = Elsewhere(factory=f"{name}:FACTORY", table=table)
            opened.extend([where.open(), where.open()])
            return {"store": opened[-2], "second": opened[-1], "where": where, "outage": opened[-1].break_off}

        opened.append(module.FACTORY.build(module.Settings(**table)))
        return fixtures

    yield make
    for store in opened:
        store.close()
    for name in [name for name in sys.modules if name.startswith("cx_mutant_")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", CHECKS)
def test_the_reference_passes(name: str, made_from: Any) -> None:
    assert passes(CHECKS[name], made_from({}), SharedChecks())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant, made_from: Any) -> None:
    """Sooner or later: a race among processes is not lost each time."""
    tries = (passes(CHECKS[mutant.killer], made_from(mutant.changes), Impatient()) for _ in range(TRIES))
    assert not all(tries)


def test_every_check_catches_something() -> None:
    assert {mutant.killer for mutant in MUTANTS} == CHECKS.keys()
