"""What the suite of stores does in other processes: they open the same store, and are told when to begin."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Final

import attrs

from cxkit.errors import ConflictError
from cxkit.roles import Factory, Put, Store
from cxkit.settings import structure

__all__ = ["Elsewhere", "Worker", "commit_on", "increment", "increment_often", "put_each", "working"]

_PATIENCE_S: Final = 60.0


@attrs.frozen(kw_only=True)
class Elsewhere:
    """How any process opens a store.

    Example:
        >>> Elsewhere(factory="cxkit.stores.memory:FACTORY").open().remote
        False
    """

    factory: str
    """Where its `Factory` is: ``package.module:NAME``."""
    table: Mapping[str, Any] = attrs.field(factory=dict)
    """The settings, as the file of the configuration would have them."""

    def open(self) -> Store:
        """A new handle."""
        module, _, name = self.factory.partition(":")
        factory: Factory[Store] = getattr(import_module(module), name)
        return factory.build(structure(factory.settings, self.table, where="store"))


class Worker:
    """Another process at work on a store. What it has opened is open before it begins."""

    def __init__(self, work: Callable[..., None], where: Elsewhere, *details: Any) -> None:
        context = multiprocessing.get_context("spawn")  # nothing of this process is inherited
        self._ours, theirs = context.Pipe()
        self.process = context.Process(target=_worked, args=(work, where, theirs, details), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self) -> None:
        """It is ready: let it work."""
        self.hear()
        self._ours.send("begin")

    def hear(self) -> Any:
        """What it says next."""
        assert self._ours.poll(_PATIENCE_S), "the other process says nothing"
        return self._ours.recv()

    def kill(self) -> list[Any]:
        """End it without any warning; what it had said meanwhile."""
        self.process.kill()
        self.process.join(_PATIENCE_S)
        said = []
        try:
            while True:
                said.append(self._ours.recv())
        except (EOFError, OSError):  # cut off perhaps in the middle of a word
            return said

    def end(self) -> None:
        """Wait until it is done; it must have ended well."""
        self.process.join(_PATIENCE_S)
        assert self.process.exitcode == 0, f"the other process ended with {self.process.exitcode}"

    def close(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.join(_PATIENCE_S)
        self.process.close()
        self._ours.close()


@contextmanager
def working(
    work: Callable[..., None], where: Elsewhere, *, details: Iterable[tuple[Any, ...]]
) -> Iterator[list[Worker]]:
    """A worker for each of ``details``; all begin together."""
    workers = [Worker(work, where, *one) for one in details]
    try:
        for worker in workers:
            worker.begin()
        yield workers
    finally:
        for worker in workers:
            worker.close()


def increment(store: Store, key: str) -> None:
    """Add one to a document's number, however often somebody else comes first."""
    for _ in range(10_000):
        found = store.get_many([key])
        number = found[key].body["n"] if key in found else 0
        assert isinstance(number, int)
        try:
            store.commit({key: Put(body={"n": number + 1})}, expected={key: found[key].version if found else 0})
        except ConflictError:
            continue
        return
    raise AssertionError("10,000 conflicts one after the other")


# --- Work -----------------------------------------------------------------------------------------


def increment_often(store: Store, _: Connection, key: str, times: int) -> None:
    """Add one so many times."""
    for _number in range(times):
        increment(store, key)


def put_each(store: Store, _: Connection, keys: list[str]) -> None:
    """Make documents, each in a commit of its own."""
    for key in keys:
        store.commit({key: Put(body={})}, expected={key: 0})


def commit_on(store: Store, parent: Connection, keys: list[str]) -> None:
    """Commit the same documents together until somebody ends this, and tell each version that stands."""
    for version in itertools.count():
        put = Put(body={"n": version}, terms=frozenset({f"{keys[0]} {version}"}))
        store.commit(dict.fromkeys(keys, put), expected=dict.fromkeys(keys, version))
        parent.send(version + 1)


def _worked(work: Callable[..., None], where: Elsewhere, parent: Connection, details: tuple[Any, ...]) -> None:
    store = where.open()
    store.get_many(["cup/0"])
    parent.send("ready")
    parent.recv()
    work(store, parent, *details)
    store.close()
