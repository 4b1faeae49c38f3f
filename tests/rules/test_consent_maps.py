"""The words of others for purposes: no way there and back allows more, and what is missing is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import PURPOSES, Choice
from cxkit.rules.consent import (
    CONSENT_MODE,
    STRICT,
    Allowed,
    allowed,
    from_categories,
    from_consent_mode,
    from_rudderstack,
    may_have,
    to_categories,
    to_consent_mode,
)
from tests import strategies as some

SEVEN = {
    "ad_storage", "ad_user_data", "ad_personalization", "analytics_storage", "functionality_storage",
    "personalization_storage", "security_storage",
}  # fmt: skip
alloweds = st.dictionaries(some.purposes, some.choices).map(lambda choices: allowed(STRICT, choices))
signals = st.dictionaries(st.sampled_from(sorted(SEVEN)), st.sampled_from(["granted", "denied", "Granted", "", "1"]))
ids = st.sampled_from(["C1", "C2", "C3", "C4"])
category_maps = st.dictionaries(ids, st.lists(some.purposes, max_size=3))


def granted(choices: dict[str, Choice]) -> set[str]:
    return {purpose for purpose, choice in choices.items() if choice == "granted"}


# --- Google Consent Mode --------------------------------------------------------------------------


@given(alloweds)
def test_all_seven_signals_are_said_and_the_undecided_is_denied(found: Allowed) -> None:
    said = to_consent_mode(found)
    assert set(said) == SEVEN == set(CONSENT_MODE)
    assert said["security_storage"] == "granted"
    for signal, choice in said.items():
        assert (choice == "granted") == (CONSENT_MODE[signal] <= found.granted)


@given(alloweds)
def test_purposes_to_signals_and_back_allow_no_more(found: Allowed) -> None:
    back = from_consent_mode(to_consent_mode(found))
    assert granted(back) <= found.granted
    assert granted(back) == found.granted & {"functional", "analytics", "personalization"} | (
        {"advertising"} if {"advertising", "sale_share"} <= found.granted else set()
    )


@given(signals)
def test_signals_to_purposes_and_back_allow_no_more(said: dict[str, str]) -> None:
    back = to_consent_mode(allowed(STRICT, from_consent_mode(said)))
    assert granted(back) - {"security_storage"} <= {signal for signal, value in said.items() if value == "granted"}


@given(signals, st.sampled_from(sorted(SEVEN)))
def test_one_more_refused_signal_never_grants(said: dict[str, str], signal: str) -> None:
    assert granted(from_consent_mode({**said, signal: "denied"})) <= granted(
        from_consent_mode({**said, signal: "granted"})
    )


@given(signals)
def test_signals_never_grant_what_they_do_not_speak_of(said: dict[str, str]) -> None:
    found = from_consent_mode(said)
    assert not granted(found) & {"necessary", "sale_share", "profiling", "identity_stitching"}
    assert found.keys() <= set(PURPOSES) - {"necessary"}


def test_a_refusal_to_google_is_a_refusal_to_share() -> None:
    assert from_consent_mode({"ad_user_data": "denied"}) == {"advertising": "denied", "sale_share": "denied"}
    assert from_consent_mode({}) == {}
    everything = from_consent_mode(dict.fromkeys(SEVEN, "granted"))
    assert granted(everything) == {"functional", "analytics", "personalization", "advertising"}


# --- Segment and RudderStack ----------------------------------------------------------------------


@given(alloweds, category_maps)
def test_a_category_is_allowed_if_all_it_stands_for_is(found: Allowed, categories: dict[str, list[str]]) -> None:
    for id, answer in to_categories(found, categories=categories).items():
        assert answer == (bool(categories[id]) and set(categories[id]) <= found.granted)


@given(alloweds, category_maps)
def test_purposes_to_categories_and_back_allow_no_more(found: Allowed, categories: dict[str, list[str]]) -> None:
    assert granted(from_categories(to_categories(found, categories=categories), categories=categories)) <= found.granted


@given(category_maps, st.dictionaries(ids, st.booleans()))
def test_categories_to_purposes_and_back_allow_no_more(
    categories: dict[str, list[str]], listed: dict[str, bool]
) -> None:
    found = allowed(STRICT, from_categories(listed, categories=categories))
    for id, answer in to_categories(found, categories=categories).items():
        only_necessary = set(categories[id]) == {"necessary"}
        assert not answer or listed.get(id) is True or only_necessary


@given(category_maps)
def test_without_a_consent_object_everything_mapped_is_refused(categories: dict[str, list[str]]) -> None:
    mapped = {purpose for purposes in categories.values() for purpose in purposes} - {"necessary"}
    assert from_categories(None, categories=categories) == dict.fromkeys(mapped, "denied")
    assert from_rudderstack(allowed_ids=None, denied_ids=None, categories=categories) == dict.fromkeys(mapped, "denied")


@given(category_maps, st.dictionaries(ids, st.booleans()), ids)
def test_a_category_that_is_not_listed_is_refused(
    categories: dict[str, list[str]], listed: dict[str, bool], id: str
) -> None:
    listed.pop(id, None)
    without = from_categories(listed, categories=categories)
    assert without == from_categories({**listed, id: False}, categories=categories)
    assert not granted(without) & set(categories.get(id, ()))


@pytest.mark.parametrize("truthy", [1, "true", "yes", [True]])
def test_only_true_is_true(truthy: object) -> None:
    assert from_categories({"C": truthy}, categories={"C": ["analytics"]}) == {"analytics": "denied"}  # type: ignore[dict-item]


@given(category_maps, st.sets(ids), st.sets(ids))
def test_rudderstack_grants_only_what_is_allowed_and_not_denied(
    categories: dict[str, list[str]], allowed_ids: set[str], denied_ids: set[str]
) -> None:
    found = from_rudderstack(allowed_ids=allowed_ids, denied_ids=denied_ids, categories=categories)
    for purpose in granted(found):
        of = {id for id, purposes in categories.items() if purpose in purposes}
        assert of <= allowed_ids - denied_ids


# --- Destinations ---------------------------------------------------------------------------------


@given(alloweds, some.purposes, category_maps)
def test_a_destination_without_categories_gets_the_necessary_only(
    found: Allowed, purpose: str, categories: dict[str, list[str]]
) -> None:
    for nothing in (None, [], ()):
        assert may_have(nothing, purpose, allowed=found, categories=categories) == (purpose == "necessary")


@given(alloweds, some.purposes, category_maps, st.lists(ids, min_size=1))
def test_a_destination_needs_all_its_categories_and_the_purpose(
    found: Allowed, purpose: str, categories: dict[str, list[str]], destination: list[str]
) -> None:
    needed = [categories.get(id, ()) for id in destination]
    may = purpose in found.granted and all(one and set(one) <= found.granted for one in needed)
    assert may_have(destination, purpose, allowed=found, categories=categories) == may


def test_an_id_that_nobody_declared_gets_nothing() -> None:
    everything = Allowed(granted=frozenset(PURPOSES))
    assert not may_have(["C9"], "necessary", allowed=everything, categories={"C1": ["analytics"]})
