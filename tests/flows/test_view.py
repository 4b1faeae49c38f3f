"""The view: from memory, never out of date for long, and never of somebody else."""

from __future__ import annotations

import math
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from cxkit.errors import RewoundError, StoreError
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.flows.documents import keys_of
from cxkit.flows.known import Change, Choices, Known
from cxkit.flows.view import View
from cxkit.model import JSON, Identity, Trait
from cxkit.roles import Put
from cxkit.stores.memory import MemoryStore
from tests.flows.world import KEYS, Faulty, Ticking, batch, chose, identified, identity, key

NANCY = identity(user_id="nancy", visitor="v1")


class Seen:
    """A view, an applier in its process, and one in another."""

    def __init__(self, store: Faulty) -> None:
        self.store, self.clock = store, Ticking()
        self.view = View(lambda: self.store, clock=self.clock)
        bus = Bus()
        bus.subscribe(self.view.committed)
        self.here = Applier(lambda: store.inner, KEYS, bus)
        self.elsewhere = Applier(lambda: store.inner, KEYS, Bus())

    def of(self, who: Identity, *, patience_s: float = math.inf) -> Known | None:
        return self.view.of(keys_of(KEYS, who), patience_s=patience_s)

    def refuses(self, *purposes: str) -> bool | None:
        """Nancy's answer, as delivery asks for it."""
        return self.view.standing(bytes.fromhex(key("user_id", "nancy")), purposes)[0]


@pytest.fixture
def seen(store: Faulty) -> Seen:
    return Seen(store)


def choice(known: Known | None, purpose: str = "analytics") -> str | None:
    assert known is not None
    return known.choices[purpose][0] if purpose in known.choices else None


def values(known: Known) -> dict[str, JSON]:
    return known.values(datetime(2026, 11, 22, tzinfo=UTC))


def test_of_nobody_nothing_is_known_and_nothing_asked(seen: Seen) -> None:
    assert seen.of(Identity()) == Known()
    assert not seen.store.asked


def test_a_person_is_known_by_each_of_their_identifiers(seen: Seen) -> None:
    seen.elsewhere.export(
        batch(identified(NANCY, id="01", plan="gold"), chose(NANCY, id="02", analytics="granted")), deadline_s=5
    )
    for who in (NANCY, identity(user_id="nancy"), identity("cookie", visitor="v1")):
        known = seen.of(who)
        assert known is not None
        assert (known.person, values(known), choice(known)) == ("01", {"plan": "gold"}, "granted")


def test_it_answers_from_memory(seen: Seen) -> None:
    seen.elsewhere.export(batch(identified(NANCY)), deadline_s=5)
    seen.of(NANCY)
    before = seen.store.asked.copy()
    for _ in range(10):
        seen.of(NANCY)
    assert seen.store.asked == before


def test_what_this_process_commits_shows_at_once(seen: Seen) -> None:
    assert choice(seen.of(NANCY)) is None
    seen.here.export(batch(chose(NANCY, id="01", analytics="denied")), deadline_s=5)
    assert choice(seen.of(NANCY)) == "denied"


def test_what_others_commit_shows_within_half_a_second(seen: Seen) -> None:
    assert choice(seen.of(NANCY)) is None
    seen.elsewhere.export(batch(chose(NANCY, id="01", analytics="denied")), deadline_s=5)
    assert choice(seen.of(NANCY)) is None, "it is remembered that nothing was there"
    seen.clock.now_s += 0.5
    assert choice(seen.of(NANCY)) == "denied"


def test_a_person_who_gains_an_identifier_gains_what_was_chosen_under_it(seen: Seen) -> None:
    seen.elsewhere.export(batch(chose(identity("cookie", visitor="v1"), id="01", analytics="denied")), deadline_s=5)
    nancy = identity(user_id="nancy")
    assert choice(seen.of(nancy)) is None
    seen.here.export(batch(identified(NANCY, id="02")), deadline_s=5)
    assert choice(seen.of(nancy)) == "denied"


def test_a_command_shows_before_it_is_committed_and_not_twice(seen: Seen) -> None:
    made = chose(NANCY, id="01", analytics="denied")
    choices: Choices = {"analytics": ("denied", made.occurred_at)}
    seen.view.remembers(keys_of(KEYS, NANCY), "01", lambda known: known.chose(choices))
    told = {"plan": Trait(value="gold")}
    seen.view.remembers(
        keys_of(KEYS, NANCY), "02", lambda known: known.told(told, frozenset(), id="02", at=made.occurred_at)
    )
    known = seen.of(NANCY)
    assert known is not None
    assert (choice(known), values(known)) == ("denied", {"plan": "gold"})
    seen.here.export(batch(made), deadline_s=5)
    seen.here.export(batch(identified(NANCY, id="02", plan="silver")), deadline_s=5)
    known = seen.of(NANCY)
    assert known is not None
    assert (choice(known), values(known)) == ("denied", {"plan": "silver"})


def test_a_choice_shows_all_the_while_it_is_committed(seen: Seen) -> None:
    """Or what is captured in that moment would be taken for somebody's who never chose."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns as often as they can
    try:
        for number in range(500):
            one = identity(user_id=f"nancy-{number}")
            made = chose(one, id="01", analytics="denied")
            assert choice(seen.of(one)) is None
            choices: Choices = {"analytics": ("denied", made.occurred_at)}
            seen.view.remembers(keys_of(KEYS, one), "01", partial(Known.chose, choices=choices))
            commit = threading.Thread(target=seen.here.export, args=(batch(made),), kwargs={"deadline_s": 5})
            commit.start()
            while commit.is_alive():
                assert choice(seen.of(one)) == "denied"
            commit.join()
    finally:
        sys.setswitchinterval(before)


def test_what_was_read_while_somebody_wrote_is_not_remembered(seen: Seen) -> None:
    """Or a withdrawal that came in between would never be seen."""
    nancy = identity(user_id="nancy")

    def between() -> None:
        seen.store.meanwhile = lambda: None
        seen.here.export(batch(chose(nancy, id="01", analytics="denied")), deadline_s=5)

    seen.store.meanwhile = between
    assert choice(seen.of(nancy)) is None
    assert choice(seen.of(nancy)) == "denied"


# --- a store that fails ---


def test_while_the_store_is_broken_what_is_remembered_holds_and_nothing_is_handed_on(seen: Seen) -> None:
    held = seen.of(NANCY)
    seen.store.broken = True
    seen.clock.now_s += 0.5
    asked = seen.store.asked.total()
    for _ in range(5):
        assert seen.of(NANCY) == held
        assert seen.refuses("analytics") is None
        with pytest.raises(StoreError) as caught:
            seen.of(identity(user_id="mary"))
        assert "broken" in str(caught.value.__cause__)
    assert seen.store.asked.total() == asked + 1, "a broken store is not asked by everybody"
    seen.store.broken = False
    seen.clock.now_s += 0.5
    assert seen.refuses("analytics") is False


def test_after_a_minute_without_the_store_only_refusals_are_remembered(seen: Seen) -> None:
    seen.here.export(
        batch(
            identified(NANCY, id="01", plan="gold"),
            chose(NANCY, id="02", analytics="granted", advertising="denied"),
        ),
        deadline_s=5,
    )
    seen.of(NANCY)
    seen.store.broken = True
    for later_s, stale in ((59.0, False), (2.0, True)):
        seen.clock.now_s += later_s
        known = seen.of(NANCY)
        assert known is not None
        assert (known.stale, choice(known, "advertising")) == (stale, "denied")
        assert (values(known), choice(known)) == (({}, None) if stale else ({"plan": "gold"}, "granted"))
    seen.store.broken = False
    seen.clock.now_s += 0.5
    assert choice(seen.of(NANCY)) == "granted"


def test_of_a_store_that_was_wound_back_nothing_is_remembered(seen: Seen) -> None:
    seen.here.export(batch(chose(NANCY, id="01", analytics="granted")), deadline_s=5)
    assert choice(seen.of(NANCY)) == "granted"

    class Rewound(Faulty):
        told = False

        def changes_since(self, token: int, *, limit: int = 1000) -> Any:
            if not self.told:
                self.told = True
                raise RewoundError("it lost something", fix="nothing")
            return super().changes_since(token, limit=limit)

    seen.store = Rewound(MemoryStore())  # as it was before anything was chosen
    seen.clock.now_s += 0.5
    assert choice(seen.of(NANCY)) is None


def test_whatever_a_strange_store_raises_is_not_knowing() -> None:
    class Strange(Faulty):
        def changes_since(self, token: int, *, limit: int = 1000) -> Any:
            raise ZeroDivisionError

    told: list[tuple[str, type[Exception]]] = []
    view = View(lambda: Strange(MemoryStore()), failed=lambda name, what, error: told.append((name, type(error))))
    assert view.standing(bytes(16), ["analytics"]) == (None, None)
    assert told == [("changes_failed", ZeroDivisionError), ("store_failed", StoreError)]


def test_a_denial_of_the_necessary_stops_nothing(seen: Seen) -> None:
    seen.elsewhere.export(batch(chose(NANCY, id="01", necessary="denied", analytics="denied")), deadline_s=5)
    assert seen.refuses("necessary") is False
    assert seen.refuses("necessary", "analytics") is True
    assert seen.refuses() is False


def test_a_change_during_which_the_app_is_interrupted_is_seen_by_the_next(seen: Seen) -> None:
    """A signal's handler may raise at any line; or a withdrawal would never be seen."""
    assert choice(seen.of(NANCY)) is None
    seen.elsewhere.export(batch(chose(NANCY, id="01", analytics="denied")), deadline_s=5)

    class Interrupting(list[Any]):
        def __iter__(self) -> Any:
            raise KeyboardInterrupt

    honest = seen.store.changes_since
    seen.store.changes_since = lambda *args, **more: Interrupting(honest(*args, **more))  # type: ignore[method-assign]
    seen.clock.now_s += 0.5
    with pytest.raises(KeyboardInterrupt):
        seen.of(NANCY)
    seen.store.changes_since = honest  # type: ignore[method-assign]
    seen.clock.now_s += 0.5
    assert choice(seen.of(NANCY)) == "denied"


# --- somebody else on the same device ---


def test_of_two_who_share_a_device_each_is_known_as_themselves(seen: Seen) -> None:
    mary = identity(user_id="mary", visitor="v1")
    seen.elsewhere.export(
        batch(
            identified(mary, id="01", plan="basic", town="Lyon"),
            chose(mary, id="02", minute=5, advertising="granted"),
            identified(NANCY, id="03", plan="gold"),
            chose(identity(user_id="nancy"), id="04", minute=1, advertising="denied"),
        ),
        deadline_s=5,
    )
    nancy, guest = seen.of(NANCY), seen.of(identity("cookie", visitor="v1"))
    assert nancy is not None
    assert guest is not None
    assert (nancy.person, values(nancy), choice(nancy, "advertising")) == ("03", {"plan": "gold"}, "denied")
    assert (guest.person, values(guest), choice(guest, "advertising")) == (None, {}, "granted"), "the device's alone"


def test_who_logs_in_for_the_first_time_on_anothers_device_starts_with_nothing(seen: Seen) -> None:
    mary = identity(user_id="mary", visitor="v1")
    seen.elsewhere.export(
        batch(identified(mary, id="01", plan="gold"), chose(mary, id="02", profiling="granted")), deadline_s=5
    )
    known = seen.of(NANCY)
    assert known is not None
    assert (known.person, values(known), choice(known, "profiling")) == (None, {}, None)


# --- size ---


def test_it_begins_at_the_end_of_the_stores_history() -> None:
    store = Faulty(MemoryStore())
    for number in range(3_000):
        store.inner.commit({f"x/{number}": Put(body={})}, expected={f"x/{number}": 0})
    seen = Seen(store)
    seen.of(NANCY)
    assert store.asked["changes_since"] < 40
    seen.elsewhere.export(batch(chose(NANCY, id="01", analytics="denied")), deadline_s=5)
    seen.clock.now_s += 0.5
    assert choice(seen.of(NANCY)) == "denied"


def test_it_forgets_the_oldest_of_ten_thousand() -> None:
    seen = Seen(Faulty(MemoryStore()))
    for number in range(10_001):
        seen.of(identity(user_id=f"u{number}"))
    before = seen.store.asked["get_many"]
    seen.of(identity(user_id="u10000"))
    assert seen.store.asked["get_many"] == before
    seen.of(identity(user_id="u0"))
    assert seen.store.asked["get_many"] == before + 1


def test_after_a_fork_it_knows_nothing(seen: Seen) -> None:
    seen.of(NANCY)
    seen.view.reset()
    asked = seen.store.asked["get_many"]
    seen.of(NANCY)
    assert seen.store.asked["get_many"] > asked


def test_what_changes_meanwhile_costs_only_those_it_is_about(seen: Seen) -> None:
    """A store in which something changes all the time is held all the same."""
    numbers = iter(range(100))

    def others() -> None:
        seen.here.export(
            batch(chose(identity(user_id="otto"), id=f"1{next(numbers):02}", analytics="denied")), deadline_s=5
        )

    seen.store.meanwhile = others
    seen.of(NANCY)
    asked = seen.store.asked["get_many"]
    seen.of(NANCY)
    assert seen.store.asked["get_many"] == asked
    seen.store.meanwhile = lambda: (
        seen.here.export(batch(chose(NANCY, id="99", analytics="denied")), deadline_s=5) and None
    )
    seen.view.reset()
    seen.of(NANCY)
    seen.store.meanwhile = lambda: None
    assert choice(seen.of(NANCY)) == "denied", "what changed while it was read is read again"


def shared(seen: Seen) -> Identity:
    """A device that Nancy and Bob have used."""
    bob = identity(user_id="bob")
    device = identity("cookie", visitor="v1")
    both = Identity(identifiers=(*bob.identifiers, *device.identifiers))
    nancys = Identity(identifiers=(*identity(user_id="nancy").identifiers, *device.identifiers))
    told = [identified(nancys, id="01"), chose(nancys, id="02", analytics="granted"), identified(both, id="03")]
    seen.here.export(batch(*told, chose(device, id="04", minute=1, analytics="granted")), deadline_s=5)
    return device


def denies(at: datetime) -> Change:
    return lambda known: known.chose({"analytics": ("denied", at)})


def test_a_withdrawal_on_a_shared_device_is_obeyed_when_what_it_left_is_sent(seen: Seen) -> None:
    device = shared(seen)
    subject = bytes.fromhex(key("visitor", "v1"))
    assert seen.view.standing(subject, ["analytics"])[0] is False
    seen.here.export(batch(chose(device, id="05", minute=2, analytics="denied")), deadline_s=5)
    assert seen.view.standing(subject, ["analytics"])[0] is True
    assert choice(seen.of(identity(user_id="nancy"))) == "granted", "it is not hers"


def test_on_a_shared_device_it_is_seen_before_it_is_committed_and_is_not_the_owners(seen: Seen) -> None:
    device = shared(seen)
    seen.view.remembers([key("visitor", "v1")], "05", denies(datetime(2026, 11, 22, tzinfo=UTC)))
    assert choice(seen.of(device)) == "denied"
    assert choice(seen.of(identity(user_id="nancy"))) == "granted"
    both = (*identity(user_id="nancy").identifiers, *device.identifiers)
    assert choice(seen.of(Identity(identifiers=both))) == "granted"


def test_what_is_not_committed_yet_is_known_under_each_name(seen: Seen) -> None:
    seen.here.export(batch(identified(NANCY), chose(NANCY, id="02", analytics="granted")), deadline_s=5)
    seen.view.remembers([key("visitor", "v1")], "03", denies(datetime(2026, 11, 22, tzinfo=UTC)))
    for _ in range(2):  # read from the store, then from memory
        assert choice(seen.of(identity(user_id="nancy"))) == "denied"
        assert seen.refuses("analytics") is True
    assert choice(seen.of(NANCY)) == "denied"
    seen.view.forgets([key("visitor", "v1")], "03")
    assert choice(seen.of(identity(user_id="nancy"))) == "granted"
