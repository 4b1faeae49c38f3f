"""How far somebody is on a journey: the same whatever becomes known first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.model import JourneySpec, Progress, Recent, Taken
from cxkit.rules.journey import last_at
from cxkit.rules.journey import progress as progress_of
from cxkit.rules.profile import HISTORY_LENGTH, History, fold

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CHECKOUT = JourneySpec(
    name="checkout",
    steps=["cart", "/address", "payment", "paid"],
    places={"cart": ["cart.item_added"], "payment": ["/payment"], "paid": ["order.paid", "call.order_taken"]},
)
PLACES = {
    "c": "cart.item_added",
    "a": "/address",
    "p": "/payment",
    "o": "order.paid",
    "t": "call.order_taken",
    "x": "/",
}


def contact(minute: float, place: str, **fields: Any) -> Recent:
    """One, by the letter of its place."""
    route = PLACES[place] if PLACES[place].startswith("/") else None
    name = "page.viewed" if route else PLACES[place]
    return Recent(**{"id": f"{minute:09.2f}", "at": NOON + minute * MINUTE, "name": name, "route": route} | fields)


def told(story: str, **fields: Any) -> list[Recent]:
    """One contact each minute, ``.`` for none."""
    return [contact(minute, place, **fields) for minute, place in enumerate(story) if place != "."]


def progress(spec: JourneySpec, contacts: Sequence[Recent], *, now: datetime) -> Progress:
    return progress_of(spec, last_at(contacts), now=now)


def after(contacts: Sequence[Recent], more: timedelta = timedelta(0)) -> Progress:
    return progress(CHECKOUT, contacts, now=max((one.at for one in contacts), default=NOON) + more)


# --- What it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "step", "following", "taken"),
    [
        ("", None, "cart", ""),
        ("xx", None, "cart", ""),
        ("c", "cart", "/address", "c"),
        ("xcx", "cart", "/address", "c"),
        ("cap", "payment", "paid", "cap"),
        ("cp", "payment", "paid", "cp"),  # one skipped
        ("p", "payment", "paid", "p"),  # begun in the middle
        ("capa", "payment", "paid", "cap"),  # gone back
        ("capc", "payment", "paid", "cap"),
        ("ccc", "cart", "/address", "c"),  # again and again
        ("pac", "payment", "paid", "cap"),  # in any order
        ("capo", "paid", None, "capo"),
        ("capt", "paid", None, "capo"),  # the same step elsewhere
        ("o", "paid", None, "o"),
        ("capoo", "paid", None, "capo"),
        ("capop", "paid", None, "cao"),  # what follows belongs to it
        ("capoc", "cart", "/address", "c"),  # but the first step begins anew
        ("capocap", "payment", "paid", "cap"),
        ("capopc", "payment", "paid", "cp"),
        ("capocapo", "paid", None, "capo"),
    ],
)
def test_where_they_are(story: str, step: str | None, following: str | None, taken: str) -> None:
    found = after(told(story))
    assert (found.step, found.next, found.completed) == (step, following, following is None)
    words = {"c": "cart", "a": "/address", "p": "payment", "o": "paid"}
    assert [one.step for one in found.taken] == [words[letter] for letter in taken]
    assert not found.stalled


def test_each_step_says_when_and_where_it_was_taken_last() -> None:
    found = after([contact(0, "c", channel="web"), contact(1, "a", channel="web"), contact(2, "p", channel="phone")])
    assert (found.since, found.channel) == (NOON + 2 * MINUTE, "phone")
    assert found.taken[0] == Taken(step="cart", at=NOON, channel="web")
    again = after([contact(0, "c", channel="web"), contact(9, "c", channel="store")])
    assert again.taken == (Taken(step="cart", at=NOON + 9 * MINUTE, channel="store"),)


def test_who_does_nothing_more_is_stalled_until_they_go_on() -> None:
    half_an_hour = timedelta(seconds=CHECKOUT.stalled_after_s)
    assert not after(told("ca"), half_an_hour).stalled
    assert after(told("ca"), half_an_hour + MINUTE).stalled
    assert not after([*told("ca"), contact(40, "c")]).stalled  # going back is doing something
    assert after([*told("ca"), contact(40, "x")]).stalled  # doing something else is not
    assert not after(told("capo"), DAY).stalled
    assert not after([], DAY).stalled


def test_what_is_old_counts_no_more() -> None:
    week = timedelta(seconds=CHECKOUT.ends_after_s)
    assert after(told("ca"), week - MINUTE).step == "/address"
    assert after(told("ca"), week) == Progress(journey="checkout", next="cart")
    assert after(told("capo"), week) == Progress(journey="checkout", next="cart")
    late = contact(week / MINUTE, "c")
    assert after([*told("p"), late]).step == "cart"
    assert after([*told(".p"), late]).step == "payment"


def test_of_one_time_the_greater_id_is_the_later() -> None:
    paid, begun = contact(0, "o", id="1"), contact(0, "c", id="2")
    assert after([paid, begun]).step == "cart"
    assert after([attrs.evolve(paid, id="3"), begun]).completed


@pytest.mark.parametrize("outcome", ["failed", "abandoned"])
def test_what_failed_is_no_step(outcome: str) -> None:
    assert after([*told("cap"), contact(9, "o", outcome=outcome)]).step == "payment"
    assert after([*told("capo"), contact(9, "o", outcome=outcome)]).since == NOON + 3 * MINUTE


def test_a_call_that_becomes_known_late_counts_from_when_it_was() -> None:
    web = [*told("cap"), contact(60, "c", channel="web")]
    assert (after(web).step, after(web, DAY).stalled) == ("payment", True)
    called = contact(30, "t", channel="phone")
    assert after([*web, called]).step == "cart"  # they paid at 30 and began anew at 60
    assert after([*web[:-1], called], DAY).completed


# --- The laws -------------------------------------------------------------------------------------

contacts = st.lists(
    st.builds(
        contact,
        st.integers(0, 12).map(lambda number: number * 1500.0),  # of a week some seven fit
        st.sampled_from("capotx"),
        id=st.uuids(version=4).map(lambda one: one.hex),
        channel=st.sampled_from(["web", "phone", None]),
        outcome=st.sampled_from([None, None, "completed", "failed"]),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)
moments = st.integers(0, 20).map(lambda number: NOON + number * 1500 * MINUTE)


@given(st.data(), contacts, moments)
def test_law_the_order_in_which_contacts_become_known_changes_nothing(
    data: st.DataObject, story: list[Recent], now: datetime
) -> None:
    again = data.draw(st.lists(st.sampled_from(story), max_size=3)) if story else []
    shuffled = data.draw(st.permutations([*story, *again]))
    assert progress(CHECKOUT, shuffled, now=now) == progress(CHECKOUT, story, now=now)


@given(contacts, st.lists(st.integers(0, 30_000), max_size=5), moments)
def test_law_what_happens_elsewhere_changes_nothing(story: list[Recent], minutes: list[int], now: datetime) -> None:
    elsewhere = [contact(minute, "x") for minute in minutes]
    assert progress(CHECKOUT, [*story, *elsewhere], now=now) == progress(CHECKOUT, story, now=now)


@given(contacts, moments, moments)
def test_law_time_makes_it_stalled_and_then_over_and_nothing_else(
    story: list[Recent], one: datetime, other: datetime
) -> None:
    earlier, later = (progress(CHECKOUT, story, now=now) for now in sorted([one, other]))
    over = Progress(journey="checkout", next="cart")
    assert later in (earlier, attrs.evolve(earlier, stalled=True), over)
    assert not (later.stalled and later.completed)


@given(contacts, moments)
def test_law_only_the_latest_contact_with_each_step_counts(story: list[Recent], now: datetime) -> None:
    latest: dict[int, Recent] = {}
    for one in sorted(story, key=lambda one: (one.at, one.id)):
        if one.succeeded and one.place in CHECKOUT.step_of:
            latest[CHECKOUT.step_of[one.place]] = one
    assert progress(CHECKOUT, list(latest.values()), now=now) == progress(CHECKOUT, story, now=now)


@given(contacts, moments)
def test_law_it_holds_together(story: list[Recent], now: datetime) -> None:
    found = progress(CHECKOUT, story, now=now)
    assert (found.step is None) == (found.since is None) == (found.taken == ())
    assert found.completed == (found.next is None) == (found.step == CHECKOUT.steps[-1])
    if found.step is not None:
        assert found.taken[-1] == Taken(step=found.step, at=found.since, channel=found.channel)  # type: ignore[arg-type]
        assert [one.step for one in found.taken] == [
            one for one in CHECKOUT.steps if one in {taken.step for taken in found.taken}
        ]


# --- What the history keeps is enough -------------------------------------------------------------


@settings(max_examples=30)
@given(contacts, st.integers(0, HISTORY_LENGTH + 20), moments, st.data())
def test_law_pages_read_in_between_do_not_hide_the_steps(
    story: list[Recent], pages: int, now: datetime, data: st.DataObject
) -> None:
    where = data.draw(st.lists(st.integers(0, 18_000), min_size=pages, max_size=pages))
    seen = [
        contact(minute, "x", id=f"x{number:04}", route=f"/page/{number % 60}") for number, minute in enumerate(where)
    ]
    history = History()
    for one in sorted([*story, *seen], key=lambda one: (one.at, one.id)):
        history = fold(history, one)
    assert len(history.recent) <= HISTORY_LENGTH
    assert progress_of(CHECKOUT, history.last_at, now=now) == progress(CHECKOUT, story, now=now)
