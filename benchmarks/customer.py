"""What knowing the customer costs: whose an identifier is, commands into the store, choices, and other processes.

A remote store is measured where its server is named: BENCH_POSTGRES (a dsn), BENCH_REDIS (a URL).
"""

from __future__ import annotations

import multiprocessing
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import cxkit
from benchmarks.event import CONTEXT, IDENTITY, ITEM_ADDED, make_kit, make_scope, properties
from benchmarks.pairs import Row, paired, rated, table
from cxkit.codec import encode
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.flows.documents import identifier_doc, keys_of, person_doc
from cxkit.flows.view import View
from cxkit.keyring import Keyring
from cxkit.kit import Kit
from cxkit.model import PURPOSES, Identifier, Identity, Interaction
from cxkit.roles import Batch, Put, Store
from cxkit.rules.identity import Owned, resolve
from cxkit.settings import load
from cxkit.stores.sqlite import Settings as SQLite
from cxkit.stores.sqlite import SQLiteStore
from cxkit.testing.store_elsewhere import Elsewhere

__all__ = ["run"]

KEYS = Keyring(signing=[b"a secret of sixteen"], identifier=b"another of sixteen")
BATCH = 500
"""Commands that the store's lane hands over at once, at most."""


def run(*, quick: bool) -> str:
    return "\n".join([_known(quick=quick), _gate(quick=quick), _elsewhere(quick=quick)])


# --- whose an identifier is -----------------------------------------------------------------------


def _known(*, quick: bool) -> str:
    people, asked, rounds = (1000, 100, 3) if quick else (40_000, 1000, 9)
    cold: dict[str, list[list[float]]] = {"floor": [], "cxkit": [], "held": []}
    with tempfile.TemporaryDirectory() as directory:
        store = SQLiteStore(SQLite(path=Path(directory, "state.db")))
        made = _applied(store, [_login(number) for number in range(people)])
        for turn in range(rounds):
            chosen = random.Random(turn).sample(range(people), asked)
            cold["floor"].append([_timed(lambda one=one: _documents(store, one)) for one in chosen])
            view = View(lambda: store)
            for name in ("cxkit", "held"):
                cold[name].append([_timed(lambda one=one, view=view: view.of(_keys(one))) for one in chosen])
        again = _applied(store, [_login(number, device="w", since=people) for number in range(min(people, 5000))])
        store.close()
    names = {
        "floor": "floor: its two documents, read",
        "cxkit": "cxkit: whose a device is, asked for the first time",
        "held": "cxkit: the same, asked again",
    }
    rows = [
        rated(f"{names[name]}, {place}", [_at(one, of) for one in times], [_at(one, of) for one in cold["floor"]], "us")
        for place, of in (("median", 0.5), ("95th percentile", 0.95))
        for name, times in cold.items()
    ]
    rows.append(Row(name="commands applied: new people of two identifiers", value=made, unit="/s"))
    rows.append(Row(name="commands applied: another device of a known person", value=again, unit="/s"))
    rows.append(Row(name="the rule alone", value=_rule(), unit="/s"))
    note = (
        f"SQLite with {2 * people:,} identifiers of {people:,} people; CPU time of the calling thread.\n"
        f"Commands come {BATCH} at once, as the store's lane gets them. Budget: 95th percentile 1,000 us; 10,000/s."
    )
    return table("Whose an identifier is", note, rows)


def _rule() -> float:
    """How often a second the rule alone decides: a login and a device, both known."""
    now, seen = datetime.now(UTC), {"k1": ("user_id", "login"), "k2": ("visitor", "cookie")}
    person = resolve(seen, owned={}, people={}, at=now, command="c1").person
    assert person is not None
    owned, people, began = dict.fromkeys(seen, Owned(person.id)), {person.id: person}, time.thread_time()
    for _ in range(20_000):
        resolve(seen, owned=owned, people=people, at=now, command="c2")
    return 20_000 / (time.thread_time() - began)


def _login(number: int, *, device: str = "v", since: int = 0) -> bytes:
    return encode(
        Interaction(
            id=f"{since + number:032x}",
            occurred_at=datetime.now(UTC),
            name="identity.identified",
            source="/shop",
            kind="identity",
            identity=Identity(
                identifiers=(
                    Identifier(type="user_id", value=f"u{number}", evidence="login"),
                    Identifier(type="visitor", value=f"{device}{number}", evidence="cookie"),
                )
            ),
            properties={"plan": "gold"},
            consent={"identity_stitching": True},
        )
    )


def _applied(store: Store, commands: list[bytes]) -> float:
    """Commands a second."""
    applier, began = Applier(lambda: store, KEYS, Bus()), time.thread_time()
    for start in range(0, len(commands), BATCH):
        outcome = applier.export(Batch("b", tuple(commands[start : start + BATCH])), deadline_s=60)
        assert outcome.verdict == "delivered", outcome
    return len(commands) / (time.thread_time() - began)


def _keys(number: int) -> dict[str, Identifier]:
    device = Identifier(type="visitor", value=f"v{number}", evidence="cookie")
    return keys_of(KEYS, Identity(identifiers=(device,)))


def _documents(store: Store, number: int) -> object:
    (key,) = _keys(number)  # a person's id is that of the command that made them
    return store.get_many([identifier_doc(key)]), store.get_many([person_doc(f"{number:032x}")])


def _timed(act: Callable[[], object]) -> float:
    began = time.thread_time()
    act()
    return (time.thread_time() - began) * 1e6


def _at(times: list[float], place: float) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[int(place * 100) - 1]


# --- choices --------------------------------------------------------------------------------------


def _gate(*, quick: bool) -> str:
    kit = make_kit(None, queue_bytes=1 << 40)
    kit.intake._running = True  # the queue alone: what the caller's own thread pays
    nobody = kit.open_scope(CONTEXT)
    nobody.change(identity=IDENTITY)
    everything = make_scope(kit)
    now = datetime.now(UTC)
    everything.choices = {name: ("granted" if place % 2 else "denied", now) for place, name in enumerate(PURPOSES)}
    everything.choices["analytics"] = ("granted", now)
    kit.desk.govern(everything)
    scopes = {
        "one choice": make_scope(kit),
        "a choice for each purpose": everything,
        "before any choice": nobody,
    }
    subjects: dict[str, Callable[[int], object]] = {
        f"capture(), {name}": lambda number, scope=scope: kit.intake.capture(scope, ITEM_ADDED.spec, properties(number))
        for name, scope in scopes.items()
    }
    rows = paired(
        subjects,
        base="capture(), one choice",
        calls=2000,
        rounds=5 if quick else 30,
        after=lambda: kit.intake.release(kit.intake.take(0)),
    )
    kit.close()
    return table("The consent gate", "CPU time of the calling thread. Budget: that of `capture()`, above.", rows)


# --- other processes ------------------------------------------------------------------------------


def _elsewhere(*, quick: bool) -> str:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        for name, where in _stores(Path(directory)).items():
            found = {work.__name__: _seen_after(work, where, 5 if quick else 60) for work in (_reads, _obeys)}
            for place, of in (("median", 0.5), ("95th percentile", 0.95)):
                base = _at(found["_reads"], of)
                for work, what in (("_reads", "floor: read again and again"), ("_obeys", "cxkit: a choice is obeyed")):
                    value = _at(found[work], of)
                    rows.append(Row(name=f"{name}, {what}, {place}", value=value, unit="ms", ratio=value / base))
    note = (
        "From the call in one process until another, which looks every 2 ms, sees it. The floor is one\n"
        "document, committed by the one and read by the other. Budget: 1,000 ms."
    )
    return table("Seen by another process", note, rows)


def _stores(directory: Path) -> dict[str, Elsewhere]:
    found = {"SQLite": Elsewhere(factory="cxkit.stores.sqlite:FACTORY", table={"path": str(directory / "state.db")})}
    if dsn := os.environ.get("BENCH_POSTGRES"):
        table = {"dsn": dsn, "schema": f"cx_{secrets.token_hex(4)}"}
        found["PostgreSQL"] = Elsewhere(factory="cxkit_postgres:FACTORY", table=table)
    if url := os.environ.get("BENCH_REDIS"):
        table = {"url": url, "prefix": f"cx-{secrets.token_hex(4)}"}
        found["Redis"] = Elsewhere(factory="cxkit_redis:FACTORY", table=table)
    return found


def _seen_after(work: Callable[[Elsewhere, Connection], None], where: Elsewhere, times: int) -> list[float]:
    """Milliseconds, for each of so many changes."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=work, args=(where, theirs), daemon=True)
    other.start()
    seen = []
    with _changing(where) as change:
        ours.recv()
        for turn in range(times):
            time.sleep(random.random() / 2)  # at any moment of whoever looks now and then
            wanted = bool(turn % 2)
            began = time.monotonic()
            (change.chosen if work is _obeys else change.committed)(wanted)
            while True:
                allowed, at = ours.recv()
                if allowed == wanted:
                    break
            seen.append((at - began) * 1e3)
    other.kill()
    other.join()
    return seen


class _Change:
    """What one process does."""

    def __init__(self, kit: Kit, store: Store) -> None:
        self._kit, self._store = kit, store
        self._version = sum(one.version for one in store.get_many(["floor/1"]).values())

    def chosen(self, wanted: bool) -> None:
        with cxkit.scope(kit=self._kit, user_id="nancy", evidence="login"):
            (cxkit.grant if wanted else cxkit.withdraw)("analytics")

    def committed(self, wanted: bool) -> None:
        expected = {"floor/1": self._version}
        self._version = self._store.commit({"floor/1": Put(body={"is": wanted})}, expected=expected)["floor/1"]


@contextmanager
def _changing(where: Elsewhere) -> Iterator[_Change]:
    with tempfile.TemporaryDirectory() as directory:
        store = where.open()
        kit = _kit(Path(directory), store)
        change = _Change(kit, store)
        change.chosen(True)
        change.committed(True)
        yield change
        kit.close()
        store.close()


def _kit(directory: Path, store: Store) -> Kit:
    file = directory / "cxkit.toml"
    keys = 'signing = ["a secret of sixteen"]\nidentifier = "another of sixteen"'
    file.write_text(f'directory = "{directory}/.cxkit"\nstore_budget_s = 10\n[keys]\n{keys}\n')
    return Kit(load(file=file), store=store)


def _obeys(where: Elsewhere, parent: Connection) -> None:
    """The other process: whether analytics is allowed, told whenever that changes."""
    with tempfile.TemporaryDirectory() as directory:
        kit = _kit(Path(directory), where.open())

        def allowed() -> bool:
            with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
                return "analytics" in cxkit.current().allowed

        _tell(allowed, parent)


def _reads(where: Elsewhere, parent: Connection) -> None:
    store = where.open()

    def read() -> bool:
        found = store.get_many(["floor/1"])
        return bool(found and found["floor/1"].body["is"])

    _tell(read, parent)


def _tell(look: Callable[[], bool], parent: Connection) -> None:
    before = None
    while True:
        now = look()
        if now != before:
            if before is None:
                parent.send("ready")
            parent.send((now, time.monotonic()))
            before = now
        time.sleep(0.002)
