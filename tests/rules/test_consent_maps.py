"""What is allowed, in the words of others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cxkit.rules.consent import CONSENT_MODE, STRICT, Allowed, allowed, to_categories, to_consent_mode
from tests import strategies as some

SEVEN = {
    "ad_storage", "ad_user_data", "ad_personalization", "analytics_storage", "functionality_storage",
    "personalization_storage", "security_storage",
}  # fmt: skip
alloweds = st.dictionaries(some.purposes, some.choices).map(lambda choices: allowed(STRICT, choices))
ids = st.sampled_from(["C1", "C2", "C3", "C4"])
category_maps = st.dictionaries(ids, st.lists(some.purposes, max_size=3))


@given(alloweds)
def test_all_seven_signals_are_said_and_the_undecided_is_denied(found: Allowed) -> None:
    said = to_consent_mode(found)
    assert set(said) == SEVEN == set(CONSENT_MODE)
    assert said["security_storage"] == "granted"
    for signal, choice in said.items():
        assert (choice == "granted") == (CONSENT_MODE[signal] <= found.granted)


@given(alloweds, category_maps)
def test_a_category_is_allowed_if_all_it_stands_for_is(found: Allowed, categories: dict[str, list[str]]) -> None:
    for id, answer in to_categories(found, categories=categories).items():
        assert answer == (bool(categories[id]) and set(categories[id]) <= found.granted)
