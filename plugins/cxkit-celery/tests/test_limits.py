"""The soft time limit comes as a signal: no code of ours may keep it from the task. Real workers: `test_workers`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.kit import Kit
from cxkit.roles import Document
from cxkit.settings import Keys, Secret, Settings
from cxkit.stores.memory import MemoryStore
from cxkit_celery import instrument

_PATIENCE_S = 30


@pytest.fixture
def limited() -> Iterator[list[str]]:
    """As a process of a pool: the limit comes as a signal, and is an exception wherever the process is."""
    came: list[str] = []

    def exceeded(*_: object) -> None:
        came.append("the limit")
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGUSR1, exceeded)
    yield came
    signal.signal(signal.SIGUSR1, before)


class Interrupted(MemoryStore):
    """A store that is being read when the limit comes, once."""

    def __init__(self) -> None:
        super().__init__()
        self.soon = True
        self.slow_s = 0.0

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        soon, self.soon = self.soon, False
        if soon:
            signal.raise_signal(signal.SIGUSR1)
        elif self.slow_s:
            sleep(self.slow_s)  # slow, which is when limits come
        return super().get_many(keys)


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[Celery]:
    keys = Keys(signing=(Secret("a key of sixteen and more"),), identifier=Secret("the key of identifiers"))
    store = Interrupted()
    with closing(Kit(Settings(keys=keys, directory=tmp_path), exporters={}, store=store)) as kit:
        app = Celery("shop", broker="memory://", set_as_current=False)
        app.conf.task_always_eager = True
        instrument(app, kit=kit)
        store.soon = False
        with cxkit.scope(kit=kit, channel="web", user_id="nancy"):
            kit.desk.view.reset()  # whoever begins the task has to read it
            store.soon, store.slow_s = True, 0.1
            yield app


def test_a_limit_that_comes_while_the_task_begins_reaches_the_task(interrupted: Celery, limited: list[str]) -> None:
    """Celery keeps from a task what is raised before it."""
    told: list[object] = []

    @interrupted.task(shared=False, name="wait")
    def wait() -> None:
        try:
            sleep(_PATIENCE_S)
        except SoftTimeLimitExceeded:
            scope = current_scope()
            assert scope is not None
            told.append(scope.context.channel)

    wait.delay()
    assert told == ["web"], "in its scope"
    assert limited == ["the limit"] * 2


def test_a_task_that_has_ended_is_not_told(interrupted: Celery, limited: list[str]) -> None:
    @interrupted.task(shared=False, name="end")
    def end() -> None:
        """At once."""

    end.delay()
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()
    assert limited == ["the limit"]
