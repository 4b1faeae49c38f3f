"""Records of choices: which holds, until when, and what becomes of them when two persons are one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import PURPOSES, Choice, Consent
from cxkit.rules.consent import (
    PACKS,
    STRICT,
    all_named,
    allowed,
    chained,
    choices_of,
    denials,
    ends,
    merged,
    record,
    refused,
    unexpired,
)
from cxkit.rules.consent import later as later_of
from tests import strategies as some

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
moments = st.integers(0, 6).map(lambda days: NOON + days * DAY)
later = moments.map(lambda at: at + 7 * DAY)
choice_maps = st.dictionaries(some.purposes, some.choices)
records = st.lists(
    st.builds(
        Consent,
        id=some.ids,
        choices=choice_maps,
        decided_at=moments,
        expires_at=st.none() | moments,
        ask_again_at=st.none() | moments,
        method=st.sampled_from(["accept", "reject", "operator"]),
    ),
    max_size=6,
)


def yes(at: datetime, *purposes: str, **fields: object) -> Consent:
    return Consent(choices=dict.fromkeys(purposes or ["analytics"], "granted"), decided_at=at, **fields)  # type: ignore[arg-type]


def no(at: datetime, *purposes: str, **fields: object) -> Consent:
    return Consent(choices=dict.fromkeys(purposes or ["analytics"], "denied"), decided_at=at, **fields)  # type: ignore[arg-type]


# --- Ends -----------------------------------------------------------------------------------------


@some.few
@given(records, moments)
def test_only_grants_end_and_nothing_older_comes_back(several: list[Consent], now: datetime) -> None:
    ever, still = choices_of(several), choices_of(several, now=now)
    assert still.items() <= ever.items()
    assert all(ever[purpose][0] == "granted" for purpose in ever.keys() - still.keys())
    assert refused({purpose: made[0] for purpose, made in still.items()}) == refused(
        {purpose: made[0] for purpose, made in ever.items()}
    )


@some.few
@given(records, moments, moments)
def test_time_alone_never_grants(several: list[Consent], one: datetime, other: datetime) -> None:
    early, late = sorted((one, other))
    assert choices_of(several, now=late).items() <= choices_of(several, now=early).items()


@pytest.mark.parametrize("policy", PACKS.values(), ids=lambda one: one.name)
def test_a_grant_holds_for_a_year_and_a_refusal_for_ever(policy: object) -> None:
    pack = next(one for one in PACKS.values() if one is policy)
    made = record({"analytics": "granted", "advertising": "denied"}, policy=pack, decided_at=NOON)
    end = NOON + pack.grant_days * DAY
    assert set(choices_of([made], now=end - timedelta(seconds=1))) == {"analytics", "advertising"}
    assert set(choices_of([made], now=end)) == {"advertising"}
    assert choices_of([made], now=end + 100 * 365 * DAY)["advertising"][0] == "denied"
    assert (made.policy, made.mechanism) == (pack.name, pack.mechanism)


def test_nobody_asks_again_for_half_a_year() -> None:
    made = record({"analytics": "denied"}, policy=STRICT, decided_at=NOON, method="reject")
    assert made.expires_at is None
    assert made.ask_again_at == NOON + 183 * DAY
    assert record({"analytics": "granted"}, policy=STRICT, decided_at=NOON).ask_again_at is None


@some.few
@given(st.dictionaries(some.purposes, some.choices, min_size=1), moments, moments)
def test_a_cookie_without_records_ends_as_the_record_does(
    choices: dict[str, Choice], at: datetime, now: datetime
) -> None:
    policy = attrs.evolve(STRICT, grant_days=2)
    made = record(choices, policy=policy, decided_at=at)
    held = {purpose: (choice, at) for purpose, choice in choices.items()}
    assert unexpired(held, policy=policy, now=now) == choices_of([made], now=now)


@some.few
@given(records, records)
def test_law_choices_joined_are_what_their_records_say_together(one: list[Consent], other: list[Consent]) -> None:
    joined = later_of(choices_of(one), choices_of(other))
    assert joined == choices_of([*one, *other]) == later_of(choices_of(other), choices_of(one))


@given(choice_maps, moments)
def test_denials_are_told_with_their_moment_or_without(choices: dict[str, Choice], at: datetime) -> None:
    plain, made = denials(choices), denials({purpose: (choice, at) for purpose, choice in choices.items()})
    assert plain.keys() == made.keys() == {purpose for purpose, choice in choices.items() if choice == "denied"}
    assert set(plain.values()) <= {"denied"}
    assert set(made.values()) <= {("denied", at)}


# --- Forms ----------------------------------------------------------------------------------------


@given(choice_maps)
def test_what_a_form_that_lists_everything_does_not_name_is_denied(choices: dict[str, Choice]) -> None:
    found = all_named(choices)
    assert set(found) == set(PURPOSES) - {"necessary"}
    assert all(choice == choices.get(purpose, "denied") for purpose, choice in found.items())


@given(choice_maps)
def test_what_any_other_record_does_not_name_is_not_touched(choices: dict[str, Choice]) -> None:
    before = [yes(NOON, *PURPOSES)]
    after = choices_of([*before, Consent(choices=choices, decided_at=NOON + DAY)])
    assert all(after[purpose] == ("granted", NOON) for purpose in set(PURPOSES) - set(choices))


# --- Two persons who are one ----------------------------------------------------------------------


@some.few
@given(records, records)
def test_a_merge_denies_exactly_what_they_do_not_agree_on(mine: list[Consent], theirs: list[Consent]) -> None:
    at = NOON + 7 * DAY
    added = merged(mine, theirs, id="m", at=at)
    one, other = choices_of(mine, now=at), choices_of(theirs, now=at)
    differ = {
        purpose
        for purpose in set(PURPOSES) - {"necessary"}
        if one.get(purpose, ("none",))[0] != other.get(purpose, ("none",))[0]
    }
    assert (set() if added is None else set(added.choices)) == differ
    after = choices_of([*mine, *theirs, *([] if added is None else [added])], now=at)
    assert all(after[purpose] == ("denied", at) for purpose in differ)
    granted = {purpose for purpose, (choice, _) in after.items() if choice == "granted"} - {"necessary"}
    assert granted == {
        purpose for purpose, (choice, _) in one.items() if choice == "granted" and purpose not in differ
    } - {"necessary"}  # fmt: skip


@some.few
@given(st.data(), records, records, st.lists(st.builds(yes, later, some.purposes), max_size=3))
def test_a_merge_is_the_same_whenever_and_however_often_it_is_applied(
    data: st.DataObject, mine: list[Consent], theirs: list[Consent], afterwards: list[Consent]
) -> None:
    at = NOON + 6 * DAY + timedelta(hours=1)
    first = merged(mine, theirs, id="m", at=at)
    assert merged(theirs, mine, id="m", at=at) == first
    assert merged(data.draw(st.permutations([*mine, *afterwards])), theirs, id="m", at=at) == first
    again = merged(
        [*mine, *([] if first is None else [first])], [*theirs, *([] if first is None else [first])], id="m", at=at
    )
    assert again is None


@some.few
@given(records, records, choice_maps)
def test_a_later_choice_settles_a_conflict(
    mine: list[Consent], theirs: list[Consent], choices: dict[str, Choice]
) -> None:
    at = NOON + 7 * DAY
    added = merged(mine, theirs, id="m", at=at)
    everything = [*mine, *theirs, *([] if added is None else [added])]
    settled = [*everything, Consent(id="n", choices=choices, decided_at=at + DAY)]
    found = choices_of(settled, now=at + DAY)
    assert {purpose: found[purpose] for purpose in choices} == {
        purpose: (choice, at + DAY) for purpose, choice in choices.items()
    }


def test_a_conflict_denies_until_it_is_settled() -> None:
    mine, theirs = [yes(NOON, "analytics", "personalization")], [yes(NOON, "analytics"), no(NOON, "personalization")]
    added = merged(mine, theirs, id="m", at=NOON + DAY)
    assert added is not None
    assert (added.conflicts, added.method, added.id) == (("personalization",), "merge", "m")
    records = [*mine, *theirs, added]
    assert added.ask_again_at is None, "they may be asked at once"
    choices = {purpose: choice for purpose, (choice, _) in choices_of(records).items()}
    assert "personalization" in allowed(STRICT, choices).denied
    assert "analytics" in allowed(STRICT, choices).granted


# --- ends, and what came before ---


@given(records, later)
def test_law_a_grant_holds_or_has_ended_and_never_both(made: list[Consent], now: datetime) -> None:
    ended, until = ends(made, now=now)
    held = choices_of(made, now=now)
    assert ended.isdisjoint(held)
    assert all(held[purpose][0] == "granted" and end > now for purpose, end in until.items())
    assert all(choices_of(made, now=end).get(purpose) is None for purpose, end in until.items()), "then it is none"


@given(records, later)
def test_law_only_an_answer_to_an_opt_in_ends_as_a_no(made: list[Consent], now: datetime) -> None:
    opted_out = [attrs.evolve(one, mechanism="opt_out") for one in made]
    assert ends(opted_out, now=now)[0] == frozenset()


@given(st.data())
def test_law_what_supersedes_what_does_not_depend_on_what_came_first(data: st.DataObject) -> None:
    made = data.draw(records)
    unique = list({one.id: one for one in made}.values())
    shuffled = data.draw(st.permutations([*unique, *unique]))
    chain = chained(unique)
    assert chain == chained(shuffled)
    assert [one.id for one in chain] == sorted(one.id for one in unique)
    for one in chain:
        if one.supersedes is not None:
            before = next(other for other in chain if other.id == one.supersedes)
            assert before.id < one.id
            assert not before.choices.keys().isdisjoint(one.choices)
