"""How it is built, used by threads and processes, and closed."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import pytest

from cxkit.roles import Exporter, Factory
from cxkit.testing.exporter_suite.backend import Fault
from cxkit.testing.exporter_suite.bench import Bench, batch_of, fails, shown
from cxkit.testing.exporter_suite.privacy import flushed, kit_of, touched
from cxkit.testing.oracle import conserved

__all__ = ["LifeChecks"]

_CLOSE_S: Final = 5.0
_CHILD_S: Final = 20.0


class LifeChecks:
    """See `cxkit.testing.exporter_suite`."""

    def test_fills_the_role(self, bench: Bench) -> None:
        """A factory with a lower-case name and attrs settings builds exporters."""
        factory: object = bench.factory
        if not isinstance(factory, Factory) or not attrs.has(factory.settings) or factory.name != factory.name.lower():
            fails(f"{factory!r} is no Factory with a lower-case name and an attrs class of settings")
        if not isinstance(bench.exporter(), Exporter):
            fails("what it builds has not purposes, export(batch, *, deadline_s) and close()")

    def test_building_opens_nothing(self, bench: Bench) -> None:
        """Kits are built in one process and used in another: no connection and no thread before the first batch."""
        threads, traffic = frozenset(threading.enumerate()), bench.traffic()
        with _watched() as connected:
            bench.exporter()
        if connected:
            fails(f"building it connected to {connected[0]}: connect with the first batch")
        if not threads.issuperset(threading.enumerate()) or bench.traffic() != traffic:
            fails("building it started a thread or reached the other side: do that with the first batch")

    @pytest.mark.parametrize("when", ["unused", "used", "failed", "hung"])
    def test_close_is_bounded(self, bench: Bench, when: str) -> None:
        """The process ends: close returns soon, whatever happened before, and raises nothing."""
        exporter = bench.exporter()
        if when == "used":
            bench.deliver(exporter, bench.samples(2))
        elif when != "unused":
            try:
                bench.backend.play(Fault(name="refuse" if when == "failed" else "hang"))
            except NotImplementedError as error:
                pytest.skip(f"the backend does not play it: {error}")
            bench.export(exporter, batch_of(bench.samples(2)), deadline_s=0.5)
        began = time.monotonic()
        try:
            bench.close(exporter)
        except TimeoutError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is
            fails(f"close raised {type(error).__name__} ({when})")
        if time.monotonic() - began > _CLOSE_S:
            fails(f"close took {time.monotonic() - began:.1f} s ({when}): it has {_CLOSE_S:g} s")

    def test_close_gives_up_what_is_open(self, bench: Bench) -> None:
        """After close no connection and no file is left open."""
        exporter = bench.exporter()
        bench.deliver(exporter, bench.samples(2))
        bench.close(exporter)
        until = time.monotonic() + _CLOSE_S
        while left := bench.seen("open"):
            if time.monotonic() > until:
                fails(f"{left} connections or files are still open after close")
            time.sleep(0.01)

    def test_works_in_another_thread(self, bench: Bench) -> None:
        """Built on one thread, used on another, as lanes do; also where it was used here before."""
        exporter, interactions = bench.exporter(), bench.samples(4)
        outcomes = [exporter.export(batch_of(interactions[:2]), deadline_s=5.0)]
        outcomes.append(bench.export(exporter, batch_of(interactions[2:])))
        if [one.verdict for one in outcomes] != ["delivered"] * 2:
            fails(f"on the thread that built it and on another: {' / '.join(map(shown, outcomes))}")
        bench.arrived(interactions)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    @pytest.mark.parametrize("when", ["built before", "used before", "built after"])
    def test_works_after_a_fork(self, bench: Bench, when: str) -> None:
        """Servers fork: the child makes connections of its own, and leaves those of the parent alone."""
        interactions = bench.samples(9)
        exporter = bench.exporter()
        if when == "used before":
            bench.deliver(exporter, interactions[:3])
        connections = bench.traffic().connections

        def child() -> Any:
            mine = bench.factory.build(bench.settings()) if when == "built after" else exporter
            outcome = mine.export(batch_of(interactions[3:6]), deadline_s=5.0)
            mine.close()
            return shown(outcome)

        said = _forked(child)
        if said != "delivered":
            fails(f"in a forked child ({when}): {said}")
        if connections is not None and bench.traffic().connections == connections:
            fails(f"a forked child used the connection of its parent ({when}): compare os.getpid() and make another")
        bench.deliver(exporter, interactions[6:])
        bench.arrived(interactions if when == "used before" else interactions[3:])

    def test_a_whole_kit_accounts_for_all(self, bench: Bench) -> None:
        """In a whole kit, through an attempt that raises and an outage, all arrives, and the account says so."""
        kit, hand = kit_of(bench, stumbles=True)
        try:
            captured = [touched(bench, kit, "nancy", True)]
            flushed(kit)
            hand.forget_attempts()
            bench.play_outage_if_any()
            captured += [touched(bench, kit, "nancy", None) for _ in range(11)]
            hand.await_attempt(kit)
            bench.backend.heal()
            flushed(kit)
            account = kit.account()
        finally:
            kit.close(timeout_s=5)
        received = {one.id for one in bench.received(at_least=len(captured))}
        lost = [one for one in captured if one not in received]
        if lost:
            fails(f"captured and allowed, but not with the other side: {len(lost)} of {len(captured)}")
        if received == {*captured}:  # the choice was captured too, and not every exporter takes such
            received.add("the choice")
        conserved(account, received={"suite": received})


@contextmanager
def _watched() -> Iterator[list[object]]:
    """The addresses that Python connects to meanwhile, on whatever thread."""
    connected: list[object] = []
    _ears.append(connected)
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hear)
    try:
        yield connected
    finally:
        _ears.remove(connected)


_ears: Final[list[list[object]]] = []
_hooked: Final[list[bool]] = []
"""Audit hooks stay until the process ends, so there is one."""


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _ears and event == "socket.connect":
        for ear in _ears:
            ear.append(arguments[1])


def _forked(work: Callable[[], Any]) -> Any:
    """What it returns in a child of this process."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that other threads are running is the point
        child = os.fork()
    if child == 0:
        _speak(writer, work)
    os.close(writer)
    try:
        said = b""
        until = time.monotonic() + _CHILD_S
        while select.select([reader], [], [], max(0.0, until - time.monotonic()))[0]:
            chunk = os.read(reader, 65_536)
            if not chunk:
                return json.loads(said) if said else "the child ended without a word"
            said += chunk
        return f"nothing within {_CHILD_S:g} s: it is stuck"
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _speak(writer: int, work: Callable[[], Any]) -> None:
    """The child's whole life; it never returns into what it was forked from."""
    try:
        said = work()
    except BaseException as error:  # noqa: BLE001 - it is told to the parent
        said = f"raised {type(error).__name__}: {error}"
    try:
        os.write(writer, json.dumps(said).encode())
    finally:
        os._exit(0)
