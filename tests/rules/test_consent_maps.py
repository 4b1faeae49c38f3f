"""What is allowed, in the words of others: each of them, and what it needs, stands here in full."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

import pytest

from cxkit.model import PURPOSES, Interaction
from cxkit.rules.consent import Allowed, to_categories, to_consent_mode

SIGNALS = {
    "ad_storage": {"advertising"},
    "ad_user_data": {"advertising", "sale_share"},
    "ad_personalization": {"advertising"},
    "analytics_storage": {"analytics"},
    "functionality_storage": {"functional"},
    "personalization_storage": {"personalization"},
    "security_storage": {"necessary"},
}

CATEGORIES = {
    "C1": ["necessary"],
    "C2": ["analytics", "functional"],
    "C3": ["functional"],
    "C4": ["advertising", "sale_share"],
    "C5": [],
}
ANSWERS = [
    (set(), {"C1": False, "C2": False, "C3": False, "C4": False, "C5": False}),
    ({"necessary"}, {"C1": True, "C2": False, "C3": False, "C4": False, "C5": False}),
    ({"necessary", "analytics"}, {"C1": True, "C2": False, "C3": False, "C4": False, "C5": False}),
    ({"necessary", "functional"}, {"C1": True, "C2": False, "C3": True, "C4": False, "C5": False}),
    ({"analytics", "functional"}, {"C1": False, "C2": True, "C3": True, "C4": False, "C5": False}),
    ({"necessary", "advertising"}, {"C1": True, "C2": False, "C3": False, "C4": False, "C5": False}),
    ({"necessary", "sale_share"}, {"C1": True, "C2": False, "C3": False, "C4": False, "C5": False}),
    ({"necessary", "advertising", "sale_share"}, {"C1": True, "C2": False, "C3": False, "C4": True, "C5": False}),
    (set(PURPOSES), {"C1": True, "C2": True, "C3": True, "C4": True, "C5": False}),
]

Answering = Callable[[Collection[str], Mapping[str, Collection[str]]], dict[str, bool]]


def by_the_rule(granted: Collection[str], categories: Mapping[str, Collection[str]]) -> dict[str, bool]:
    return to_categories(Allowed(granted=frozenset(granted)), categories=categories)


def by_the_plugin(granted: Collection[str], categories: Mapping[str, Collection[str]]) -> dict[str, bool]:
    """A plugin may not import the rule, so it has one of its own."""
    segment = pytest.importorskip("cxkit_segment")
    denied = {"advertising", "functional", "profiling"}
    consent = {one: one in granted for one in PURPOSES if one in granted or one in denied}
    one = Interaction(
        id="01a3185c-5000-7000-b000-000000000001", occurred_at=datetime(2026, 11, 22, tzinfo=UTC), name="page.viewed",
        source="/shop", consent=consent,
    )  # fmt: skip
    found: dict[str, bool] = segment.message_of(one, categories=categories)["context"]["consent"]["categoryPreferences"]
    return found


def test_the_signals_are_these_seven() -> None:
    assert to_consent_mode(Allowed()).keys() == SIGNALS.keys()


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_signal_is_granted_if_all_it_needs_is_and_denied_if_any_of_it_is_not(signal: str) -> None:
    needed = frozenset(SIGNALS[signal])
    assert to_consent_mode(Allowed(granted=needed))[signal] == "granted"
    for missing in needed:
        all_but_one = Allowed(granted=frozenset(PURPOSES) - {missing})
        assert to_consent_mode(all_but_one)[signal] == "denied"


@pytest.mark.parametrize("answering", [by_the_rule, by_the_plugin])
@pytest.mark.parametrize(("granted", "answers"), ANSWERS)
def test_a_category_is_allowed_if_all_it_stands_for_is(
    answering: Answering, granted: set[str], answers: dict[str, bool]
) -> None:
    assert answering(granted, CATEGORIES) == answers
