"""Traits: the same whatever comes first and however often; what is known better is never overwritten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.model.profile import PROVENANCES, Trait
from cxkit.rules.profile import SEEN_INCREMENTS, Traits, merge_traits, values, with_traits
from cxkit.rules.profile.traits import MEMBERS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVER = NOON + timedelta(days=365)


class Command(NamedTuple):
    id: str
    at: datetime
    traits: dict[str, Trait]


numbers = st.integers(-1000, 1000) | st.floats(-1e9, 1e9)
scalars = st.none() | st.booleans() | numbers | st.sampled_from(["gold", "free", ""])
provenances = st.sampled_from(PROVENANCES)
expiries = st.none() | st.sampled_from([1.0, 2.0, 60.0])
trait_values = st.one_of(
    st.builds(Trait, value=scalars, how=st.just("set"), provenance=provenances, expires_in_s=expiries),
    st.builds(Trait, value=scalars, how=st.just("set_once"), provenance=provenances),
    st.builds(Trait, value=numbers, how=st.just("increment"), provenance=provenances),
    st.builds(
        Trait,
        value=st.lists(numbers | st.sampled_from(["tea", "coffee"]), max_size=3),
        how=st.just("union"),
        provenance=provenances,
    ),
)
commands = st.lists(
    st.builds(
        Command,
        st.uuids(version=4).map(lambda one: one.hex),
        st.integers(0, 4).map(lambda seconds: NOON + seconds * SECOND),
        st.dictionaries(st.sampled_from(["plan", "visits", "likes"]), trait_values, min_size=1, max_size=2),
    ),
    max_size=7,
    unique_by=lambda one: one.id,
)


def told(several: Any, state: Traits = Traits()) -> Traits:
    for id, at, traits in several:
        state = with_traits(state, traits, id=id, at=at)
    return state


def one(name: str, value: Any, *, id: str = "a", seconds: int = 0, **fields: Any) -> Command:
    return Command(id, NOON + seconds * SECOND, {name: Trait(value=value, **fields)})


# --- The law --------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.data(), commands)
def test_any_order_and_any_repetition_give_the_same_state(data: st.DataObject, several: list[Command]) -> None:
    again = data.draw(st.lists(st.sampled_from(several), max_size=5)) if several else []
    assert told(data.draw(st.permutations([*several, *again]))) == told(several)


@settings(max_examples=100)
@given(commands, st.integers(0, 100).map(lambda seconds: NOON + seconds * SECOND))
def test_what_is_known_less_well_never_hides_what_is_known_better(several: list[Command], now: datetime) -> None:
    state = told(several)
    shown = values(state, now=now)
    expected: dict[str, Any] = {}
    for way in PROVENANCES:
        expected.update(values(state, now=now, provenance=way))
    assert shown == expected
    for way in PROVENANCES:
        mine = [
            Command(each.id, each.at, {n: t for n, t in each.traits.items() if t.provenance == way}) for each in several
        ]
        assert values(told(mine), now=now) == values(state, now=now, provenance=way)


@settings(max_examples=100)
@given(commands)
def test_each_way_alone_is_what_it_says(several: list[Command]) -> None:
    ordered = sorted(several, key=lambda each: (each.at, each.id))
    for name in ("plan", "visits", "likes"):
        declared = [each.traits[name] for each in ordered if name in each.traits]
        declared = [trait for trait in declared if trait.provenance == "declared" and trait.expires_in_s is None]
        for how in ("set", "set_once", "increment", "union"):
            mine = [trait for trait in declared if trait.how == how]
            alone = [Command(each.id, each.at, {name: each.traits[name]}) for each in several
                     if name in each.traits and each.traits[name] in mine]  # fmt: skip
            found = values(told(alone), now=EVER).get(name, "nothing")
            assert same(found, expected_of(how, [trait.value for trait in mine]))


def expected_of(how: str, given: list[Any]) -> Any:
    if how == "union":
        named = list(dict.fromkeys(reversed([member for each in given for member in each])))
        return set(named) or "nothing"
    if not given:
        return "nothing"
    return {"set": given[-1], "set_once": given[0]}.get(how) if how != "increment" else pytest.approx(sum(given))


def same(found: Any, expected: Any) -> bool:
    return bool((set(found) if isinstance(expected, set) else found) == expected)


@given(commands)
def test_a_state_is_written_and_read_as_it_is(several: list[Command]) -> None:
    state = told(several)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(state)), Traits) == state


# --- Named examples -------------------------------------------------------------------------------


def test_what_was_declared_shows_again_what_was_observed_when_it_ends() -> None:
    state = told([one("size", "M", expires_in_s=60), one("size", "L", id="b", seconds=1, provenance="observed")])
    assert values(state, now=NOON + 59 * SECOND) == {"size": "M"}
    assert values(state, now=NOON + 60 * SECOND) == {"size": "L"}
    assert values(state, now=NOON + 60 * SECOND, provenance="declared") == {}


def test_an_end_does_not_bring_back_what_was_set_before() -> None:
    state = told([one("plan", "free"), one("plan", "trial", id="b", seconds=1, expires_in_s=10)])
    assert values(state, now=NOON + 20 * SECOND) == {}


def test_set_once_keeps_the_earliest_and_yields_to_set() -> None:
    late, early = one("source", "ads", id="b", seconds=5, how="set_once"), one("source", "friend", how="set_once")
    assert values(told([late, early]), now=EVER) == {"source": "friend"}
    assert values(told([late, early, one("source", "fair", id="0", seconds=1)]), now=EVER) == {"source": "fair"}


def test_of_one_moment_the_greater_id_is_later() -> None:
    assert values(told([one("plan", "gold", id="b"), one("plan", "free", id="a")]), now=EVER) == {"plan": "gold"}


def test_the_latest_way_makes_a_trait_what_it_is() -> None:
    state = told([one("visits", 10), one("visits", 1, id="b", seconds=1, how="increment")])
    assert values(state, now=EVER) == {"visits": 1}
    assert values(told([one("visits", "many", id="c", seconds=2)], state), now=EVER) == {"visits": "many"}


def test_a_union_keeps_the_order_of_the_last_mention() -> None:
    state = told(
        [one("likes", ["tea", "milk"], how="union"), one("likes", ["jam", "tea"], id="b", seconds=1, how="union")]
    )
    assert values(state, now=EVER) == {"likes": ["milk", "jam", "tea"]}


def test_floats_add_up_the_same_in_any_order() -> None:
    several = [one("paid", by, id=id, how="increment") for id, by in (("a", 1e9), ("b", 0.1), ("c", -1e9), ("d", 0.2))]
    assert values(told(several), now=EVER) == values(told(reversed(several)), now=EVER)


# --- Bounds ---------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(0, 40), st.integers(1, SEEN_INCREMENTS))
def test_a_counter_beyond_its_bound_counts_each_command_once(more: int, replayed: int) -> None:
    number = SEEN_INCREMENTS + more
    several = [one("visits", 1, id=f"{n:06}", seconds=n, how="increment") for n in range(number)]
    state = told(several)
    assert values(told(several[-replayed:], state), now=EVER) == {"visits": number}
    assert told(several, state) == state
    counter = state.held["visits"]["declared"].counter
    assert counter is not None
    assert len(counter.steps) == SEEN_INCREMENTS


def test_what_comes_too_late_for_a_counter_is_not_counted() -> None:
    several = [one("visits", 1, id=f"{n:06}", seconds=n, how="increment") for n in range(1, SEEN_INCREMENTS + 2)]
    late = one("visits", 1, id="000000", how="increment")
    assert values(told([late, *several]), now=EVER) == {"visits": SEEN_INCREMENTS + 2}
    assert values(told([*several, late]), now=EVER) == {"visits": SEEN_INCREMENTS + 1}  # too low, never too high


@settings(max_examples=10)
@given(st.data())
def test_a_union_keeps_the_newest_whatever_comes_first(data: st.DataObject) -> None:
    several = [one("likes", [n, n + 1], id=f"{n:06}", seconds=n, how="union") for n in range(MEMBERS + 5)]
    state = told(several)
    assert values(state, now=EVER)["likes"] == list(range(6, MEMBERS + 6))
    swapped = data.draw(st.integers(0, MEMBERS))
    assert told([*several[swapped:], *several[:swapped]]) == state


# --- Two persons who are one ----------------------------------------------------------------------


@settings(max_examples=100)
@given(commands, commands)
def test_a_merge_does_as_each_way_demands(mine: list[Command], theirs: list[Command]) -> None:
    survivor, absorbed = told(mine), told(theirs)
    merged = merge_traits(survivor, absorbed, at=EVER)
    for name in {*survivor.held, *absorbed.held}:
        for way in PROVENANCES:
            one, other, both = (state.held.get(name, {}).get(way) for state in (survivor, absorbed, merged))
            if one is None or other is None:
                assert both == (one or other)
                continue
            assert both is not None
            earliest = [each.earliest for each in (one, other) if each.earliest]
            assert both.earliest == min(earliest, key=lambda each: (each.at, each.id), default=None)
            totals = [each.counter.total() for each in (one, other) if each.counter]
            assert (both.counter.total() if both.counter else None) == (pytest.approx(sum(totals)) if totals else None)
            assert {m.value for m in both.members} == {m.value for each in (one, other) for m in each.members}
            lives = one.latest is not None and one.latest.expires_at is None
            if lives and one.latest and both.latest:
                assert both.latest.value is one.latest.value or both.latest.value == one.latest.value


@settings(max_examples=100)
@given(st.data(), commands, commands)
def test_after_a_merge_old_commands_change_nothing(
    data: st.DataObject, mine: list[Command], theirs: list[Command]
) -> None:
    merged = merge_traits(told(mine), told(theirs), at=EVER)
    replayed = data.draw(st.permutations([*mine, *theirs]))
    assert told(replayed, merged) == merged


@given(commands)
def test_a_merge_with_nobody_changes_nothing(several: list[Command]) -> None:
    state = told(several)
    assert merge_traits(state, Traits(), at=EVER) == state == merge_traits(Traits(), state, at=EVER)


def test_the_survivor_wins_unless_what_they_had_has_ended() -> None:
    old, new = told([one("plan", "gold", expires_in_s=60)]), told([one("plan", "free", id="b", seconds=5)])
    assert values(merge_traits(old, new, at=NOON + SECOND), now=NOON + SECOND) == {"plan": "gold"}
    assert values(merge_traits(old, new, at=NOON + 61 * SECOND), now=EVER) == {"plan": "free"}


@settings(max_examples=20)
@given(st.integers(0, 300), st.integers(0, 300))
def test_counters_add_up_beyond_their_bound(mine: int, theirs: int) -> None:
    def counted(prefix: str, number: int) -> list[Command]:
        return [one("visits", 1, id=f"{n:06}{prefix}", seconds=n, how="increment") for n in range(number)]

    merged = merge_traits(told(counted("a", mine)), told(counted("b", theirs)), at=EVER)
    assert values(merged, now=EVER).get("visits", 0) == mine + theirs
    assert told([*counted("a", mine), *counted("b", theirs)], merged) == merged
