"""What a signal's handler raises on the app's thread reaches the app, in whichever call of ours it comes up."""

from __future__ import annotations

import datetime as dt
import enum
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.enrich import Enrichment
from cxkit.capture.interruption import interrupts
from cxkit.capture.scope import current_scope
from cxkit.flows.view import View
from cxkit.kit import Kit, install
from cxkit.model import Context, Decision, ExperienceSpec, Facts
from cxkit.settings import Keys, Secret, Settings
from cxkit.stores.memory import MemoryStore
from cxkit.testing import recorder
from tests.flows.world import Faulty

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there are no signals of the user's own")


class TimeIsUp(Exception):  # noqa: N818 - as theirs
    """As Celery's soft time limit: an ordinary exception."""


def out_of_time(*_: object) -> None:
    raise TimeIsUp


class OutOfTime:
    def __call__(self, *_: object) -> None:
        raise TimeIsUp

    def method(self, *_: object) -> None:
        raise TimeIsUp


@pytest.fixture(params=["function", "method", "object", "nested", "partial"], autouse=True)
def handler(request: pytest.FixtureRequest) -> Iterator[None]:
    handlers = {
        "function": out_of_time,
        "method": OutOfTime().method,
        "object": OutOfTime(),
        "nested": lambda *given: out_of_time(*given),
        "partial": partial(OutOfTime().method, "given"),
    }
    before = signal.signal(signal.SIGUSR1, handlers[request.param])
    yield
    signal.signal(signal.SIGUSR1, before)


def interrupted(*_: object, **__: object) -> Any:
    """Whatever runs just now, in the midst of which a signal comes."""
    signal.raise_signal(signal.SIGUSR1)


class Zone(dt.tzinfo):
    utcoffset = dst = tzname = interrupted


class Key(str):
    __slots__ = ()
    __hash__ = str.__hash__
    __str__ = interrupted


class Decider:
    def decide(self, experience: ExperienceSpec, attributes: Mapping[str, Any], *, cap: int) -> Decision | None:
        found: Decision | None = interrupted()
        return found


class Enricher:
    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        found: Mapping[str, object] = interrupted()
        return found


SHAPED = cxkit.touchpoint("interruption.shaped", properties=interrupted)
SEEN = cxkit.touchpoint("interruption.seen")
HERO = cxkit.experience("interruption.hero")
CALLS: dict[str, Callable[[], object]] = {
    "the app's shape": SHAPED.capture,
    "a value of its own": lambda: SEEN.capture(at=dt.datetime(2027, 1, 1, tzinfo=Zone())),
    "a time": lambda: SEEN.on(at=dt.datetime(2027, 1, 1, tzinfo=Zone())).capture(),
}


@pytest.mark.parametrize("call", CALLS)
def test_capture_lets_it_through(call: str) -> None:
    with recorder(strict=False) as record:
        with pytest.raises(TimeIsUp):
            CALLS[call]()
        assert SEEN.capture(how="after") is not None
        assert record.one("interruption.seen").properties == {"how": "after"}
        assert record.account.balanced


def test_an_enricher_is_not_to_blame_for_it() -> None:
    blamed: list[str] = []
    enrichment = Enrichment({"geo": Enricher()}, count=blamed.append)
    with pytest.raises(TimeIsUp):
        enrichment(Facts(method="GET", scheme="https", host=None, path="/", headers={}), Context())
    assert blamed == []


def test_delivery_without_threads_lets_it_through_while_it_asks_for_choices() -> None:
    store = Faulty(MemoryStore())
    view = View(lambda: store)
    store.meanwhile = interrupted
    with pytest.raises(TimeIsUp):
        view.standing(bytes(16), ["analytics"])


@pytest.mark.parametrize(
    "verb",
    [
        lambda: cxkit.identify(user_id="nancy"),
        lambda: cxkit.scope(user_id="nancy").__enter__(),
        lambda: cxkit.current().profile,
        HERO.decide,
    ],
    ids=["identify", "scope", "profile", "decide"],
)
def test_the_verbs_let_it_through_while_the_store_is_read(verb: Callable[[], object], tmp_path: Path) -> None:
    store = Faulty(MemoryStore())
    keys = Keys(signing=(Secret("a key of sixteen and more"),), identifier=Secret("the key of identifiers"))
    kit = Kit(Settings(keys=keys, directory=tmp_path), exporters={}, store=store)
    before = install(kit)
    try:
        with cxkit.scope(user_id="noemi"):
            here = current_scope()
            kit.desk.view.reset()  # as if it were long ago
            store.meanwhile = interrupted
            with pytest.raises(TimeIsUp):
                verb()
            store.meanwhile = lambda: None
            assert current_scope() is here, "no scope was entered"
        assert kit.desk.intake.noted["store_failed"] == 0
    finally:
        install(before)
        kit.close()


def test_a_decider_is_not_to_blame_for_it() -> None:
    with recorder(strict=False) as record:
        object.__setattr__(record.kit.desk, "deciders", (Decider(),))
        with pytest.raises(TimeIsUp):
            HERO.decide()
        assert not record.kit.intake.noted


def test_a_kit_whose_making_was_interrupted_is_made_by_the_next_call() -> None:
    made: list[Kit] = []

    def make() -> Kit:
        if not made:
            made.append(Kit(Settings(), exporters={}, in_memory=True))
            interrupted()
        return made[0]

    before = install(make)
    try:
        with pytest.raises(TimeIsUp):
            SEEN.capture()
        assert SEEN.capture() is not None
    finally:
        install(before)
        made[0].close()


def test_what_nobody_raised_by_a_signal_is_a_failure() -> None:
    """Also the same exception, and also in another thread while there is a handler."""
    found: list[bool] = []

    def elsewhere() -> None:
        try:
            raise TimeIsUp
        except TimeIsUp as error:
            found.append(interrupts(error))

    elsewhere()
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [False, False]


def test_an_enum_that_knows_no_such_value_is_no_handler() -> None:
    """``signal.SIG_DFL`` is a member of one: what is said of handlers is not said of its class."""
    with pytest.raises(ValueError, match="no_such") as wrong:
        enum.StrEnum("Size", ["small"])("no_such")
    assert not interrupts(wrong.value)


def test_without_a_handler_in_its_way_a_failure_stays_ours() -> None:
    def broken(**_: object) -> dict[str, object]:
        raise TimeIsUp

    with recorder(strict=False) as record:
        cxkit.touchpoint("interruption.broken", properties=broken).capture()
        assert record.one("interruption.broken").trimmed
