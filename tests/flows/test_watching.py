"""A remote store is waited for as long as one may, and no longer; what others change is heard of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from cxkit.errors import StoreError
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.flows.documents import keys_of, tombstone_doc
from cxkit.flows.known import Known
from cxkit.flows.view import View
from cxkit.model import Identity
from cxkit.roles import Put
from cxkit.stores.memory import MemoryStore
from tests.flows.world import KEYS, Faulty, Ticking, batch, chose, command, eventually, identity, key

NANCY = identity(user_id="nancy")


class Remote(Faulty):
    """A store that is far away: it answers when it is let."""

    remote = True

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.answers = threading.Event()
        self.answers.set()
        self.meanwhile = self.answers.wait


class Announcing(Remote):
    """It says when something has changed."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Event()
        self.waited = 0

    def await_change(self, token: int, *, timeout_s: float) -> bool:
        self.waited += 1
        came = self.changed.wait(timeout_s)
        self.changed.clear()
        if self.broken:
            raise StoreError("it is broken", fix="mend it")
        return came


@pytest.fixture(params=[Remote, Announcing])
def store(request: pytest.FixtureRequest) -> Remote:
    made: Remote = request.param()
    return made


@pytest.fixture
def view(store: Remote) -> Iterator[View]:
    view = View(lambda: store)
    yield view
    store.answers.set()
    view.close()


def known(view: View, *, patience_s: float, who: Identity = NANCY) -> Known | None:
    return view.of(keys_of(KEYS, who), patience_s=patience_s)


def commit(store: Remote, analytics: str, *, id: str = "01") -> None:
    """As another process would."""
    Applier(lambda: store.inner, KEYS, Bus()).export(batch(chose(NANCY, id=id, analytics=analytics)), deadline_s=5)
    if isinstance(store, Announcing):
        store.changed.set()


def denied(view: View) -> bool:
    found = known(view, patience_s=0.0)
    return found is not None and "analytics" in found.choices


def test_who_may_not_wait_knows_nothing_until_it_has_arrived(store: Remote, view: View) -> None:
    store.answers.clear()
    assert known(view, patience_s=0.0) is None
    assert known(view, patience_s=0.05) is None
    store.answers.set()
    eventually(lambda: known(view, patience_s=0.0) is not None)


def test_who_may_wait_gets_it_at_once(store: Remote, view: View) -> None:
    commit(store, "denied")
    found = known(view, patience_s=30.0)
    assert found is not None
    assert found.choices["analytics"][0] == "denied"


def test_many_who_ask_at_once_are_one_question(store: Remote, view: View) -> None:
    store.answers.clear()
    assert known(view, patience_s=0.0, who=identity(user_id="first")) is None
    eventually(lambda: store.asked["get_many"] == 1)  # and it is not answered yet
    people = [identity(user_id=f"u{number}") for number in range(50)]
    assert [known(view, patience_s=0.0, who=one) for one in people] == [None] * 50
    store.answers.set()
    eventually(lambda: all(known(view, patience_s=0.0, who=one) is not None for one in people))
    assert store.asked["get_many"] <= 3


def test_until_it_is_read_again_what_was_refused_is_remembered_and_nobody_need_ask(store: Remote, view: View) -> None:
    commit(store, "denied")
    assert known(view, patience_s=30.0) is not None
    store.answers.clear()
    asked = store.asked["get_many"]
    commit(store, "granted", id="02")
    eventually(lambda: store.asked["get_many"] > asked)
    found = known(view, patience_s=0.0)
    assert found is not None
    assert (found.stale, found.choices["analytics"][0]) == (True, "denied")
    store.answers.set()
    eventually(lambda: (again := known(view, patience_s=0.0)) is not None and not again.stale)


def test_what_others_change_is_heard_of_by_who_may_not_wait(store: Remote, view: View) -> None:
    assert known(view, patience_s=30.0) is not None
    commit(store, "denied")
    eventually(lambda: denied(view))


def test_what_it_raises_is_told(store: Remote) -> None:
    told: list[str] = []
    view = View(lambda: store, failed=lambda name, what, error: told.append(name))
    store.broken = True
    assert known(view, patience_s=30.0) is None
    eventually(lambda: {"store_failed", "changes_failed"} <= {*told})
    view.close()


def test_what_it_raises_after_the_end_is_nobodys_trouble(store: Remote) -> None:
    told: list[str] = []
    view = View(lambda: store, failed=lambda name, what, error: told.append(name))
    asked, over = threading.Event(), threading.Event()

    def closed() -> None:
        asked.set()
        over.wait(30)
        raise StoreError("it is closed", fix="open it")

    store.meanwhile = closed
    assert known(view, patience_s=0.0) is None
    assert asked.wait(30)
    view.close()
    over.set()
    for thread in view._watcher._threads.values():
        thread.join(30)
    assert told == []


def test_while_it_is_broken_nobody_waits_and_afterwards_it_goes_on(store: Remote, view: View) -> None:
    store.broken = True
    assert known(view, patience_s=30.0) is None
    store.broken = False
    commit(store, "denied")
    eventually(lambda: denied(view))


def test_it_is_waited_for_rather_than_asked(view: View, store: Remote) -> None:
    if not isinstance(store, Announcing):
        return
    known(view, patience_s=30.0)
    eventually(lambda: store.waited == 1)
    asked = store.asked["changes_since"]
    for number in range(100):
        known(view, patience_s=0.0, who=identity(user_id=f"u{number}"))
    assert (store.waited, store.asked["changes_since"]) == (1, asked)


def test_its_threads_end() -> None:
    before, store = frozenset(threading.enumerate()), Remote()
    view = View(lambda: store)
    known(view, patience_s=30.0)
    theirs = [one for one in threading.enumerate() if one not in before]
    assert {one.name for one in theirs} == {"cxkit-reads", "cxkit-changes"}
    view.close()
    for one in theirs:
        one.join(10)
    assert not any(one.is_alive() for one in theirs)


# --- who was erased, in a process where nobody asks ---


@pytest.fixture(params=[Faulty, Remote, Announcing])
def any_store(request: pytest.FixtureRequest) -> Faulty:
    made: Faulty = Faulty(MemoryStore()) if request.param is Faulty else request.param()
    return made


class Told:
    """Whose erasure a view was told of."""

    def __init__(self, store: Faulty) -> None:
        self.of: list[tuple[str, datetime]] = []
        self.view = View(lambda: store, erased=lambda keys, until: self.of.extend((key, until) for key in keys))

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None:
        self.view.close()


def bury(store: Faulty, who: str, *, id: str, minute: int = 0) -> tuple[str, datetime]:
    """As another process would; what others are to be told."""
    one = command(
        "privacy.erased", identity(user_id=who), {"suppress": False, "until": None, "keys": []}, id=id, minute=minute
    )
    Applier(lambda: store.inner, KEYS, Bus()).export(batch(one), deadline_s=5)
    if isinstance(store, Announcing):
        store.changed.set()
    return key("user_id", who), one.occurred_at


def test_an_erasure_is_heard_of_where_nobody_asks(any_store: Faulty) -> None:
    with Told(any_store) as told:
        told.view.watch()
        eventually(lambda: any_store.asked["changes_since"])
        first = bury(any_store, "nancy", id="01")
        eventually(lambda: first in told.of)
        second = bury(any_store, "mary", id="02", minute=1)
        eventually(lambda: second in told.of)


def test_also_of_one_just_before(any_store: Faulty) -> None:
    """What this process has found in spools of others may be about them."""
    first = bury(any_store, "nancy", id="01")
    with Told(any_store) as told:
        told.view.watch()
        eventually(lambda: told.of == [first])


def test_a_store_that_fails_costs_no_erasure(any_store: Faulty) -> None:
    with Told(any_store) as told:
        any_store.broken = True
        told.view.watch()
        first = bury(any_store, "nancy", id="01")
        eventually(lambda: any_store.asked["changes_since"] > 1)
        assert told.of == []
        any_store.broken = False
        eventually(lambda: first in told.of)


def test_a_file_is_asked_rarely_and_by_one_thread() -> None:
    store, before = Faulty(MemoryStore()), threading.enumerate()
    with Told(store) as told:
        for _ in range(3):
            told.view.watch()
        eventually(lambda: store.asked["changes_since"])
        asked = store.asked["changes_since"]
        known(told.view, patience_s=30.0)
        assert store.asked["changes_since"] == asked, "who watches need not be asked to look"
        assert [one.name for one in threading.enumerate() if one not in before] == ["cxkit-changes"]


def test_that_somebody_was_erased_holds_while_the_store_fails() -> None:
    store, clock = Faulty(MemoryStore()), Ticking()
    where, erased_at = bury(store, "nancy", id="01")
    view = View(lambda: store, clock=clock)
    assert view.standing(bytes.fromhex(where), ["analytics"]) == (False, erased_at)
    store.broken = True
    clock.now_s += 1
    assert view.standing(bytes.fromhex(where), ["analytics"]) == (None, erased_at)


def test_who_begins_to_listen_asks_first_for_whom_something_is_kept_here() -> None:
    """However much has changed since they were erased."""
    store, told = MemoryStore(), threading.Event()
    nancy = "0" * 32
    grave = {"erased_at": "2026-11-22T10:00:00Z", "suppress": False, "until": None}
    store.commit({tombstone_doc(nancy): Put(body=grave)}, expected={tombstone_doc(nancy): 0})
    for number in range(1100):
        store.commit({f"x/{number}": Put(body={})}, expected={f"x/{number}": 0})
    erased: list[frozenset[str]] = []

    def heard(keys: frozenset[str], until: datetime) -> None:
        erased.append(keys)
        told.set()

    view = View(lambda: store, erased=heard, kept=lambda: [nancy, "1" * 32])
    view.watch()
    assert told.wait(30)
    view.close()
    assert erased == [frozenset({nancy})]
