"""prefer and stop_marketing: at once and for good, and for those alone whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.errors import InvalidInteractionError
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.kit import Kit
from cxkit.model import Identity
from cxkit.roles import Outcome, Put
from cxkit.stores.memory import MemoryStore
from tests.flows.post import CONFIGURED, NANCY, applied, cells, preferred, stopped
from tests.flows.world import KEYS, Faulty, batch, command, held, identified, identity, key


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    kit = Kit(CONFIGURED, store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


# --- whose it is ---


def test_it_is_kept_under_the_login_and_read_under_all_that_is_the_persons(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", email="nancy@example.com", evidence="login"):
        cxkit.identify()
        cxkit.prefer("news", "email", "granted")
    settled(kit)
    assert len(held(store, "preference")) == 2
    with cxkit.scope(kit=kit):
        assert cxkit.may_send("news", "email", email="nancy@example.com") == cxkit.Clear()
        assert cxkit.may_send("news", "email", user_id="nancy") == cxkit.Clear()
        assert cxkit.may_send("news", "email", email="mary@example.com") != cxkit.Clear()


def test_a_shared_device_does_not_carry_it_to_somebody_else(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, evidence="cookie", visitor="shared"):
        cxkit.grant("identity_stitching", "personalization")
        cxkit.identify(user_id="nancy")
    with cxkit.scope(kit=kit, evidence="cookie", visitor="shared"):
        cxkit.grant("identity_stitching", "personalization")
        cxkit.identify(user_id="sister")
        cxkit.prefer("news", "email", "granted")
    settled(kit)
    assert list(held(store, "preference")) == [key("user_id", "sister", kit.desk.keyring)]
    with cxkit.scope(kit=kit):
        assert cxkit.may_send("news", "email", user_id="sister") == cxkit.Clear()
        assert cxkit.may_send("news", "email", user_id="nancy") != cxkit.Clear()


def test_who_only_claims_an_address_may_leave_but_not_join(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit):
        with pytest.raises(InvalidInteractionError, match="CX3143"):
            cxkit.prefer("news", "email", "granted", email="nancy@example.com")
        with pytest.raises(InvalidInteractionError, match="CX3143"):
            cxkit.stop_marketing(lifted=True, email="nancy@example.com")
        cxkit.prefer("repairs", "email", "denied", email="nancy@example.com")
        settled(kit)
        (body,) = held(store, "preference").values()
        assert [(one["topic"], one["choice"]) for one in body["choices"]] == [("repairs", "denied")]


@pytest.mark.parametrize("proof", [{"evidence": "token"}, {"by": "operator"}, {"by": "import"}])
def test_a_confirmed_address_or_somebody_who_vouches_joins(kit: Kit, proof: Any) -> None:
    with cxkit.scope(kit=kit):
        cxkit.prefer("news", "email", "granted", email="nancy@example.com", **proof)
        assert cxkit.may_send("news", "email", email="nancy@example.com") == cxkit.Clear()


def test_a_forwarded_message_opens_nothing_for_its_first_reader(kit: Kit, store: Faulty) -> None:
    """A friend follows the link in Nancy's message: what he joins, his browser's cookie joins."""
    nancys = kit.desk.keyring.identifier_key("email", "nancy@example.com").hex()
    with cxkit.scope(kit=kit, visitor="friend", evidence="cookie"):
        here = current_scope()
        assert here is not None
        token = identity("token", email=nancys).identifiers
        here.change(identity=Identity(identifiers=(*here.identity.identifiers, *token)))
        cxkit.prefer("news", "email", "granted")
        cxkit.prefer("sales", "email", "denied")
    settled(kit)
    kept = held(store, "preference")
    assert len(kept) == 2, "leaving concerns both"
    assert [(one["topic"], one["choice"]) for one in kept[nancys]["choices"]] == [("sales", "denied")]


def test_two_who_turn_out_to_be_one_have_the_later_choice() -> None:
    store = applied(
        identified(NANCY, id="01"),
        preferred(identity(email="ab12"), "news", "email", "granted", id="02", minute=2),
        preferred(NANCY, "news", "email", "denied", id="03", minute=1),
        identified(identity(user_id="nancy", email="ab12"), id="04", minute=3),
    )
    assert cells(store, key("user_id", "nancy"), "ab12")["news", "email"] == "granted"


def test_nobody_wants_nothing(kit: Kit) -> None:
    with cxkit.scope(kit=kit), pytest.raises(InvalidInteractionError, match="CX3142"):
        cxkit.prefer("news", "email", "denied")


# --- at once, and for good ---


def test_it_is_obeyed_before_it_is_committed_under_each_name(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", email="nancy@example.com", evidence="login"):
        cxkit.identify()
        cxkit.prefer("news", "email", "granted")
    settled(kit)
    store.conflicts = 1_000_000
    with cxkit.scope(kit=kit):
        cxkit.prefer("news", "email", "denied", email="nancy@example.com")
        assert str(cxkit.may_send("news", "email", user_id="nancy")) == "send:marketing:opted_out:email"
        cxkit.stop_marketing(user_id="nancy")
        assert str(cxkit.may_send("sales", "sms", email="nancy@example.com")) == "send:marketing:opted_out:sms"
    assert all(one["stops"] == [] for one in held(store, "preference").values())
    store.conflicts = 0
    settled(kit)
    assert {len(one["stops"]) for one in held(store, "preference").values()} == {0, 1}


def test_a_broken_store_loses_nothing(kit: Kit, store: Faulty) -> None:
    store.broken = True
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.prefer("repairs", "email", "denied")
        cxkit.stop_marketing()
    assert not asyncio.run(kit.settled(timeout_s=0.2))
    store.broken = False
    kit.flush(timeout_s=30)
    settled(kit)
    (body,) = held(store, "preference").values()
    assert (len(body["choices"]), len(body["stops"])) == (1, 1)


def test_a_stop_is_lifted_and_what_was_chosen_holds_again(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.prefer("news", "email", "granted")
        cxkit.stop_marketing()
        assert cxkit.may_send("news", "email") != cxkit.Clear()
        assert cxkit.may_send("repairs", "email") == cxkit.Clear(), "it is of marketing alone"
        cxkit.stop_marketing(lifted=True)
        assert cxkit.may_send("news", "email") == cxkit.Clear()


def test_who_was_erased_is_not_brought_back_by_a_late_act() -> None:
    store, nancy = MemoryStore(), key("user_id", "nancy")
    grave = {"erased_at": "2026-11-21T10:30:00Z", "suppress": False, "until": None}
    store.commit({f"tombstone/{nancy}": Put(body=grave)}, expected={f"tombstone/{nancy}": 0})
    sent = {"topic": "news", "kind": "marketing", "channel": "email"}
    applied(
        preferred(NANCY, "news", "email", "granted", minute=29),
        stopped(NANCY, id="02", lifted=True, minute=30),
        command("message.counted", NANCY, sent, minute=30),
        store=store,
    )
    assert held(store, "preference") == held(store, "sent") == {}
    applied(preferred(NANCY, "sales", "email", "denied", id="03", minute=29), store=store)
    assert cells(store)["sales", "email"] == "denied", "who wanted to be left alone is, erased or not"
    applied(preferred(NANCY, "news", "email", "granted", id="04", minute=31), store=store)
    assert cells(store)["news", "email"] == "granted", "who comes back is heard"


def test_who_may_not_come_back_is_still_heard_when_they_refuse() -> None:
    store, nancy = MemoryStore(), key("user_id", "nancy")
    grave = {"erased_at": "2026-11-21T10:00:00Z", "suppress": True, "until": "2026-11-21T10:30:00Z"}
    store.commit({f"tombstone/{nancy}": Put(body=grave)}, expected={f"tombstone/{nancy}": 0})
    applied(preferred(NANCY, "news", "email", "granted", minute=29), store=store)
    assert held(store, "preference") == {}
    applied(preferred(NANCY, "repairs", "email", "denied", id="02", minute=29), store=store)
    applied(preferred(NANCY, "news", "email", "granted", id="03", minute=30), store=store)
    assert {cell for cell, answer in cells(store).items() if answer != "default"} == {
        ("repairs", "email"), ("news", "email"),
    }  # fmt: skip


def test_what_is_no_choice_is_rejected_and_spoils_nothing() -> None:
    wrong = preferred(NANCY, "news", "email", "perhaps")
    store = MemoryStore()
    outcome = Applier(lambda: store, KEYS, Bus()).export(batch(wrong), deadline_s=5.0)
    assert outcome == Outcome.reject({0: "ValidationError"})
    assert held(store, "preference") == {}


# --- words ---


@pytest.mark.parametrize(
    ("given_", "code", "fix"),
    [
        (("nwes", "email", "granted"), "CX3140", 'did you mean "news"?'),
        (("news", "e mail", "denied"), "CX3141", "use a word"),
        (("../news", "email", "denied"), "CX3141", "use a word"),
        (("news", "email", "grant"), "CX3141", 'did you mean "granted"?'),
        (("news", None, "denied"), "CX3141", "use a word"),
    ],
)
def test_what_is_wrong_is_refused_with_the_nearest(kit: Kit, store: Faulty, given_: Any, code: str, fix: str) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        with pytest.raises(InvalidInteractionError, match=code) as caught:
            cxkit.prefer(*given_)
        with pytest.raises(InvalidInteractionError, match="CX3141"):
            cxkit.prefer("news", "email", "granted", by="nancy")  # type: ignore[arg-type]
    assert fix in caught.value.fix
    settled(kit)
    assert held(store, "preference") == {}


def test_a_refusal_of_a_topic_that_another_process_may_know_holds(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        with pytest.raises(InvalidInteractionError, match="CX3140"):
            cxkit.prefer("events", "email", "denied")
        settled(kit)
    (body,) = held(store, "preference").values()
    assert [one["topic"] for one in body["choices"]] == ["events"]


def test_what_a_person_wants_is_in_their_profile(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.prefer("news", "email", "granted")
        expected = {
            "news": {"email": "granted"}, "sales": {"email": "default"}, "repairs": {"email": "default"},
            "receipt": {"email": "default"},
        }  # fmt: skip
        assert cxkit.current().profile.preferences == expected
        settled(kit)
        assert cxkit.current().profile.preferences == expected
        store.broken = True
        assert cxkit.current().profile.preferences == {}
        store.broken = False
    with cxkit.scope(kit=kit):
        assert cxkit.current().profile.preferences == {}
