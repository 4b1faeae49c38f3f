"""remember: of whoever is erased nothing is, not even what another process had in hand at that moment."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.model import JSON, Identity, Interaction
from cxkit.roles import Outcome, Put, Store
from cxkit.stores.memory import MemoryStore
from tests.flows.world import KEYS, Faulty, batch, command, held, identified, identity, key

NANCY, OTTO = identity(user_id="nancy"), identity(user_id="otto")


def seen(who: Identity, *, id: str, minute: int) -> Interaction:
    return Interaction(
        id=id, occurred_at=datetime(2026, 11, 21, 10, minute, tzinfo=UTC), name="sweet.tasted", source="/app",
        identity=who, consent={"personalization": True},
    )  # fmt: skip


def erased(who: Identity, *, minute: int = 30) -> Interaction:
    said: dict[str, object] = {"suppress": False, "until": None, "keys": []}
    return command("privacy.erased", who, said, id=f"{minute}", minute=minute)


def apply(store: Store, *commands: Interaction) -> None:
    assert Applier(lambda: store, KEYS, Bus()).export(batch(*commands), deadline_s=5.0) == Outcome.delivered()


def remembered(store: Store, name: str = "nancy") -> list[str]:
    body = held(store, "history").get(key("user_id", name), {"recent": []})
    return [one["id"] for one in body["recent"]]


def test_a_contact_of_before_an_erasure_is_not_remembered_and_one_of_after_it_is(store: Faulty) -> None:
    apply(store, identified(NANCY, id="01"), erased(NANCY))
    apply(store, seen(NANCY, id="02", minute=29), seen(NANCY, id="03", minute=30), seen(OTTO, id="04", minute=29))
    assert (remembered(store), remembered(store, "otto")) == ([], ["04"])
    apply(store, seen(NANCY, id="31", minute=31))
    assert remembered(store) == ["31"]


def test_who_may_not_come_back_is_not_remembered_later_either(store: Faulty) -> None:
    grave = f"tombstone/{key('user_id', 'nancy')}"
    body: dict[str, JSON] = {"erased_at": "2026-11-21T10:30:00Z", "suppress": True, "until": "2026-11-21T10:40:00Z"}
    store.commit({grave: Put(body=body)}, expected={grave: 0})
    apply(store, seen(NANCY, id="31", minute=39), seen(NANCY, id="40", minute=40))
    assert remembered(store) == ["40"]


def test_who_is_erased_while_a_contact_is_written_down_does_not_come_back(store: Faulty) -> None:
    """What was read is out of date by then: it is judged again, also where nothing was known before."""
    apply(store, identified(NANCY, id="01"))
    for known in (False, True):
        if known:
            apply(store, seen(NANCY, id="31", minute=31))
        minute = 40 if known else 30

        def between(minute: int = minute) -> None:
            store.meanwhile = lambda: None
            apply(store.inner, erased(NANCY, minute=minute))

        store.meanwhile = between
        apply(store, seen(NANCY, id=f"{minute - 1}", minute=minute - 1), seen(OTTO, id="05", minute=5))
        assert (remembered(store), remembered(store, "otto")) == ([], ["05"])


@given(st.data())
def test_law_whenever_the_erasure_comes_what_is_left_is_of_after_it(data: st.DataObject) -> None:
    contacts = [seen(NANCY, id=f"{minute}", minute=minute) for minute in (28, 29, 30, 31, 32)]
    store = MemoryStore()
    for one in data.draw(st.permutations([*contacts, *contacts, erased(NANCY)])):
        apply(store, one)
    # An erasure takes all that is there; whoever came since and is written down again is somebody of after it.
    assert {*remembered(store)} <= {"31", "32"}
