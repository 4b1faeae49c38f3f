"""journey: what a customer did here counts at once, what they did elsewhere soon; of who may not be known, nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import Scope, current_scope
from cxkit.capture.stamp import Stamper
from cxkit.errors import ConfigurationError
from cxkit.flows.documents import read, written
from cxkit.flows.journey import journeys
from cxkit.kit import Kit
from cxkit.kit.privacy import erase
from cxkit.model import Context, Interaction, Page
from cxkit.roles import Put, Store
from cxkit.rules.profile import HISTORY_LENGTH, History, fold, recent_of
from cxkit.settings import Consent, Profile, RawTable, Settings, load
from cxkit.stores.memory import MemoryStore
from cxkit.testing import FakeClock
from cxkit.web import PAGE_VIEWED
from tests.flows.world import Faulty, eventually, held

ADDED = cxkit.touchpoint("buying.added", stage="consideration")
PAID = cxkit.touchpoint("buying.paid", kind="transaction")
CALLED = cxkit.touchpoint("buying.called", kind="service", channel="phone", purpose="necessary")
BUYING = cxkit.journey(
    "buying",
    steps=["buying.added", "/address", "paid"],
    places={"paid": ["buying.paid", "buying.called"]},
)
reminder = cxkit.experience(
    "buying.reminder",
    fallback=cxkit.Variant(name="none"),
    variants=[cxkit.Variant(name="go on", audience={"journeys.buying.stalled": True, "journeys.buying.next": "paid"})],
    level=3,
)


class Moving(FakeClock):
    """A clock that goes on a little whenever it is looked at, so that ids are in order."""

    def time_ns(self) -> int:
        self.advance(0.001)
        return super().time_ns()


@pytest.fixture
def clock() -> FakeClock:
    return Moving()


@pytest.fixture
def kit(store: Faulty, clock: FakeClock) -> Iterator[Kit]:
    kit = made(store, clock)
    yield kit
    kit.close(timeout_s=10)


def made(store: Store, clock: FakeClock | None = None, **settings: Any) -> Kit:
    stamper = Stamper(time_ns=clock.time_ns) if clock else None
    return Kit(Settings(**{"strict": True} | settings), store=store, stamper=stamper, in_memory=True)


def customer(kit: Kit, user: str = "nancy", **context: Any) -> AbstractContextManager[None]:
    return cxkit.scope(kit=kit, user_id=user, evidence="login", **context)


def allow() -> None:
    cxkit.grant("analytics", "personalization")


def view(route: str) -> None:
    scope = here().child(context={"page": Page(route=route)})
    scope.intake.capture(scope, PAGE_VIEWED, {})


def here() -> Scope:
    scope = current_scope()
    assert scope is not None
    return scope


def subject(kit: Kit) -> bytes:
    return kit.desk.subject(here().identity)


def settled(kit: Kit) -> None:
    assert kit.flush(timeout_s=30).complete


def attributes(kit: Kit) -> dict[str, Any]:
    """What a condition could read."""
    scope, now = here(), kit.intake.stamper.now()
    known = kit.desk.recall(scope, patience_s=kit.patience_s())
    found = journeys(kit.desk, scope, known, now=now, patience_s=kit.patience_s())
    return found.get("buying", {})  # type: ignore[return-value]


# --- At once --------------------------------------------------------------------------------------


def test_a_step_counts_before_the_store_has_it_and_after(kit: Kit, store: Faulty) -> None:
    with customer(kit, channel="web"):
        allow()
        settled(kit)
        assert BUYING.progress() == cxkit.Progress(journey="buying", next="buying.added")
        store.broken = True  # nothing gets there
        BUYING.progress()  # what was read before is held
        ADDED.capture(sku="ALM-200")
        view("/address")
        before = BUYING.progress()
        assert (before.step, before.next, before.channel) == ("/address", "paid", "web")
        store.broken = False
        settled(kit)
        assert BUYING.progress() == before
        assert len(held(store, "history")) == 1


def test_so_it_does_in_another_scope_of_the_same_person(kit: Kit) -> None:
    with customer(kit, channel="web"):
        allow()
        ADDED.capture()
    with customer(kit, channel="phone"):
        assert BUYING.progress().step == "buying.added"
        CALLED.capture()
    with customer(kit):
        assert (BUYING.progress().completed, BUYING.progress().channel) == (True, "phone")
    with customer(kit, "otto"):
        allow()
        assert BUYING.progress().step is None


def test_an_anonymous_visitor_who_allows_it_is_on_a_journey_too(kit: Kit) -> None:
    with cxkit.scope(kit=kit, visitor="v-1", evidence="cookie"):
        allow()
        ADDED.capture()
        assert BUYING.progress().step == "buying.added"
    settled(kit)
    with cxkit.scope(kit=kit, visitor="v-1", evidence="cookie"):
        cxkit.grant("identity_stitching")
        cxkit.identify(user_id="nancy")
        assert BUYING.progress().step == "buying.added"  # before the graph knows that it is she
    settled(kit)
    with customer(kit):
        allow()
        assert BUYING.progress().step == "buying.added"


def test_what_waited_for_the_choice_counts_with_it(store: Faulty) -> None:
    kit = made(store, consent=Consent(before_choice="hold"))
    with customer(kit):
        ADDED.capture()
        assert BUYING.progress().step is None
        allow()
        assert BUYING.progress().step == "buying.added"
    kit.close(timeout_s=10)


@pytest.mark.parametrize("durability", ["write", "sync"])
def test_what_is_written_down_at_once_counts_at_once(durability: str) -> None:
    kit = Kit(Settings(strict=True, durability=durability))  # type: ignore[arg-type]
    kit.start()
    eventually(lambda: kit._starter.engine is not None)
    with customer(kit):
        allow()
        ADDED.capture()
        assert BUYING.progress().step == "buying.added"
    kit.close(timeout_s=10)


def test_in_a_condition_it_is_a_private_attribute(kit: Kit, clock: FakeClock) -> None:
    with customer(kit):
        allow()
        view("/address")
        assert reminder.decide().variant == "none"
        clock.advance(1801)
        decision = reminder.show()
        assert (decision.variant, decision.level) == ("go on", 3)
        assert "journeys" in here().follows
        PAID.capture()
        assert reminder.decide().variant == "none"


def test_a_response_that_has_begun_follows_it_no_more(kit: Kit, clock: FakeClock) -> None:
    with customer(kit):
        allow()
        view("/address")
        clock.advance(1801)
        here().begin()
        decision = reminder.show()
        assert (decision.variant, decision.depth) == ("none", 0)
        assert "late" in " ".join(decision.reasons)


def test_what_was_written_down_in_the_evening_counts_from_when_it_was(kit: Kit, clock: FakeClock) -> None:
    with customer(kit, channel="web"):
        allow()
        ADDED.capture()
        called_at = kit.intake.stamper.now()
        clock.advance(7200)
        assert BUYING.progress().stalled
        CALLED.on(at=called_at, key="call 7").capture()
        at_once = BUYING.progress()
        assert (at_once.completed, at_once.channel, at_once.since) == (True, "phone", called_at)
        settled(kit)
        CALLED.on(at=called_at, key="call 7").capture()  # the till sends it once more
        assert BUYING.progress() == at_once


def test_what_fails_is_no_step(kit: Kit) -> None:
    with customer(kit):
        allow()
        with pytest.raises(RuntimeError), PAID.interaction():
            raise RuntimeError
        assert BUYING.progress().step is None


def test_nobodys_word_takes_its_place(kit: Kit) -> None:
    with customer(kit):
        allow()
        given = {"journeys": {"buying": {"stalled": True, "next": "paid"}}}
        assert reminder.decide(given=given).variant == "none"


def test_a_decision_that_does_not_ask_for_it_reads_nothing(kit: Kit, store: Faulty) -> None:
    plain = cxkit.experience("buying.plain", variants=[cxkit.Variant(name="a", audience={"channel": "web"})])
    with customer(kit, channel="web"):
        allow()
        settled(kit)
        plain.decide()
        before = store.asked["get_many"]
        for _ in range(3):
            plain.decide()
        assert store.asked["get_many"] == before
        for _ in range(3):
            reminder.decide()
        assert store.asked["get_many"] == before + 1  # and it is held from then on


# --- Of whom nothing may be known -----------------------------------------------------------------


def test_without_personalization_nothing_is_known_nor_equal_to_anything(kit: Kit) -> None:
    with customer(kit):
        cxkit.grant("analytics")
        ADDED.capture()
        assert attributes(kit) == {}
        assert BUYING.progress().step is None
        cxkit.grant("personalization")
        assert attributes(kit)["step"] is None  # it was captured without
        ADDED.capture()
        assert attributes(kit)["step"] == "buying.added"
        cxkit.withdraw("personalization")
        assert attributes(kit) == {}


def test_nor_of_who_is_not_recognised_of_machines_or_where_nothing_is_remembered(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit):
        allow()
        ADDED.capture()
        assert attributes(kit) == {}
    with customer(kit):
        allow()
        ADDED.capture()
        with cxkit.scope():
            here().change(context=Context(actor="bot"))
            assert attributes(kit) == {}
    forgetful = made(store, profile=Profile(remember=False))
    with customer(forgetful):
        allow()
        ADDED.capture()
        assert attributes(forgetful) == {}
    forgetful.close(timeout_s=10)


def test_what_others_did_on_a_shared_device_is_not_the_owners_and_alone_it_is_nobodys(kit: Kit) -> None:
    def device() -> AbstractContextManager[None]:
        return cxkit.scope(kit=kit, visitor="v-1", evidence="cookie")

    for user in ("nancy", "bob"):
        with device():
            cxkit.grant("analytics", "personalization", "identity_stitching")
            if user == "nancy":
                ADDED.capture()
            cxkit.identify(user_id=user)
        settled(kit)
    with device():
        cxkit.grant("analytics", "personalization")
        PAID.capture()
        assert attributes(kit) == {}  # whose it was nobody knows
    with customer(kit):
        assert BUYING.progress().step == "buying.added"
    settled(kit)
    with customer(kit):
        assert BUYING.progress().step == "buying.added"


def test_of_who_is_erased_nothing_is_left(kit: Kit) -> None:
    with customer(kit):
        allow()
        ADDED.capture()
        settled(kit)
        assert BUYING.progress().step == "buying.added"
        who = here().identity
    assert erase(kit.premises, who, suppress=False, until=None, timeout_s=20).committed
    with customer(kit):
        allow()
        assert BUYING.progress().step is None


# --- A store that does not answer -----------------------------------------------------------------


def test_a_store_that_fails_makes_it_unknown_and_is_counted(store: Faulty) -> None:
    kit = made(store)
    with customer(kit):
        allow()
        settled(kit)
        reminder.decide()
        kit.desk.view.histories.changed(None)
        store.broken = True
        assert attributes(kit) == {}
        assert BUYING.progress().step is None
        assert kit.intake.noted["store_failed"] >= 1
    store.broken = False
    kit.close(timeout_s=10)


class Remote(Faulty):
    """It is far away, and answers when it is let."""

    remote = True

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.answers = threading.Event()
        self.answers.set()
        self.meanwhile = self.answers.wait


def test_an_event_loop_never_waits_and_knows_soon() -> None:
    store = Remote()
    kit = made(store)
    kit.start()

    async def visit() -> None:
        with customer(kit):
            allow()
            eventually(lambda: kit.desk.known(here(), patience_s=0.0))
            store.answers.clear()
            assert attributes(kit) == {}  # it does not answer, and nobody waits
            assert attributes(kit) == {}
            store.answers.set()
            eventually(lambda: attributes(kit))
            ADDED.capture()
            assert attributes(kit)["step"] == "buying.added"

    asyncio.run(visit())
    kit.close(timeout_s=10)


def test_what_another_process_remembered_is_read_ahead_where_it_is_far() -> None:
    store = Remote()
    kit = made(store)
    with customer(kit):
        allow()
        ADDED.capture()
        settled(kit)
        eventually(lambda: attributes(kit).get("step") == "buying.added")
        (name,) = (one.key for one in store.inner.scan("history/"))
        elsewhere(store.inner, name, "buying.paid")

        def knows() -> bool:
            keys = [name.removeprefix("history/")]
            history = kit.desk.view.histories.of(keys, patience_s=0.0)
            return history is not None and len(history[keys[0]].recent) == 2

        eventually(knows)
        assert attributes(kit)["completed"]
    kit.close(timeout_s=10)


def elsewhere(store: Store, name: str, touchpoint: str) -> None:
    """Another process remembers one more contact."""
    document = store.get_many([name])[name]
    last = read(document.body, History).recent[-1]
    later = Interaction(id="ff" + last.id[2:], occurred_at=last.at, name=touchpoint, source="/till", channel="store")
    body = written(fold(read(document.body, History), recent_of(later)))
    store.commit({name: Put(body=body)}, expected={name: document.version})


def test_what_another_process_remembered_is_heard_of(kit: Kit, store: Faulty) -> None:
    with customer(kit):
        allow()
        ADDED.capture()
        settled(kit)
        assert attributes(kit)["step"] == "buying.added"
        (name,) = (one.key for one in store.inner.scan("history/"))
        elsewhere(store.inner, name, "buying.paid")
        eventually(lambda: attributes(kit)["completed"])
        assert attributes(kit)["channel"] == "store"


# --- Bounds ---------------------------------------------------------------------------------------


def test_pages_read_in_between_do_not_hide_a_step(kit: Kit, clock: FakeClock) -> None:
    with customer(kit):
        allow()
        ADDED.capture()
        for number in range(HISTORY_LENGTH + 10):
            clock.advance(1)
            view(f"/products/{number % 7}")
        settled(kit)
        kit.intake.steps.forget([subject(kit)])
        assert BUYING.progress().step == "buying.added"


def test_what_is_kept_until_the_store_has_it_is_bounded(kit: Kit) -> None:
    with customer(kit):
        allow()
        for _ in range(50):
            ADDED.capture(words="x" * 1000)
        hers = subject(kit)
        kept = kit.intake.steps.of(hers)
        assert len(kept) == 8
        for number in range(20):
            view(f"/products/{number}")
        assert kit.intake.steps.of(hers) == kept  # no step of any journey
        assert all(properties == b"{}" for *_, properties in kept)
    for number in range(1100):
        kit.intake.steps.take((kept[0][0]._replace(subject=number.to_bytes(16)), *kept[0][1:]))
    assert len(kit.intake.steps._held) == 1000
    assert kit.intake.steps.of(hers) == []


def test_a_forked_child_keeps_nothing_of_its_parents(kit: Kit) -> None:
    with customer(kit):
        allow()
        ADDED.capture()
        kit.intake.reset()
        assert kit.intake.steps.of(subject(kit)) == []


# --- Configured -----------------------------------------------------------------------------------


def test_what_is_configured_replaces_what_the_code_declares(store: Faulty) -> None:
    table = RawTable({"steps": ["buying.called", "buying.paid"], "stalled_after_s": 60.0})
    kit = made(store, journeys={"buying": table, "other": RawTable({"steps": ["a.b", "c.d"]})})
    with customer(kit):
        allow()
        assert BUYING.progress().next == "buying.called"
        CALLED.capture()
        assert BUYING.progress().next == "buying.paid"
    assert set(kit.desk.journeys) >= {"buying", "other"}
    kit.close(timeout_s=10)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[journeys.buying]\nsteps = ['a.b']", '"journeys.buying.steps" (file cxkit.toml), or one twice'),
        ("[journeys.buying]\nsteps = ['a.b', 'c d']", '"journeys.buying.steps" (file cxkit.toml) that are no places'),
        (
            "[journeys.buying]\nsteps = ['a.b', 'c']\nplaces = { c = ['A'] }",
            '"journeys.buying.places" that are no places',
        ),
        (
            "[journeys.buying]\nsteps = ['a.b', 'c']\nplaces = { c = 'd' }",
            '"journeys.buying.places.c" (file cxkit.toml)',
        ),
        ("[journeys.Buying]\nsteps = ['a.b', 'c.d']", 'journey "Buying" is not named by one lower-case word'),
        (
            "[journeys.buying]\nsteps = ['a.b', 'c.d']\nstalled_after_s = -1",
            '"journeys.buying.stalled_after_s" (file cxkit.toml)',
        ),
        (
            "[journeys.buying]\nsteps = ['a.b', 'c.d']\nends_after_s = 60",
            '"journeys.buying.ends_after_s" (file cxkit.toml) before anybody is stalled',
        ),
        ("[journeys.buying]", '"journeys.buying.steps" is missing'),
        ("[journeys.buying]\nstep = ['a.b', 'c.d']", 'no setting is called "journeys.buying.step" (file cxkit.toml)'),
    ],
)
def test_a_configured_one_that_is_none_says_which_where_and_what_to_do(
    table: str, said: str, tmp_path: Path, store: Faulty
) -> None:
    (tmp_path / "cxkit.toml").write_text(table, "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        Kit(load(environ={}), store=store, in_memory=True)
    assert said in str(refused.value)
    assert "Fix: " in str(refused.value)
