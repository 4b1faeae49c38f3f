"""For whom: the customer of the scope; where there is none, whom the merged evaluation context names, as a claim."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationOptions
from openfeature.hook import Hook

import cxkit
from cxkit.testing import Recorder

NANCY = EvaluationContext(targeting_key="nancy")


def known() -> None:
    """Nancy, who is gold and allows that it is used."""
    with cxkit.scope():
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        cxkit.grant("personalization", "profiling")


def test_within_a_scope_it_is_for_its_customer(client: OpenFeatureClient, hero: Any) -> None:
    with cxkit.scope():
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        cxkit.grant("personalization")
        assert client.get_string_value("shop.hero", "") == "Welcome back"
        assert client.get_string_value("shop.hero", "", EvaluationContext(targeting_key="mary")) == "Welcome back"


def test_a_targeting_key_never_takes_the_place_of_the_customer(
    client: OpenFeatureClient, hero: Any, cx: Recorder
) -> None:
    known()
    with cxkit.scope():
        found = client.get_string_details("shop.hero", "", NANCY)
    assert (found.value, found.flag_metadata["cap"]) == ("Welcome", 1)
    assert not cx.one("experience.shown").identity


def test_a_targeting_key_is_a_claim_and_no_login(client: OpenFeatureClient, hero: Any, cx: Recorder) -> None:
    known()
    found = client.get_string_details("shop.hero", "", NANCY)
    assert (found.value, found.flag_metadata["cap"]) == ("Welcome", 1)
    assert {one.evidence for one in cx.one("experience.shown").identity.identifiers} <= {"claim"}


def test_of_the_type_that_the_app_says(client_of: Callable[..., OpenFeatureClient], hero: Any, seen: Any) -> None:
    client_of(targeting_key="device_id").get_string_value("shop.hero", "", EvaluationContext(targeting_key="d-1"))
    assert [(one.type, one.value, one.evidence) for one in seen] == [("device_id", "d-1", "claim")]


def test_where_it_happens_is_the_scopes_to_say(client: OpenFeatureClient, hero: Any) -> None:
    store = EvaluationContext(attributes={"channel": "store"})
    assert client.get_string_value("shop.hero", "", store) == "Come in"
    with cxkit.scope(channel="phone"):
        assert client.get_string_value("shop.hero", "", store) == "Welcome"
    with cxkit.scope():
        assert client.get_string_value("shop.hero", "", store) == "Welcome"


def test_what_else_the_app_says_is_a_condition_in_and_out_of_a_scope(client: OpenFeatureClient, hero: Any) -> None:
    three = EvaluationContext(attributes={"items": 3})
    assert client.get_string_value("shop.hero", "", three) == "Still hungry?"
    with cxkit.scope():
        assert client.get_string_value("shop.hero", "", three) == "Still hungry?"
        assert client.get_string_value("shop.hero", "") == "Welcome"


def test_times_are_compared_as_text(client: OpenFeatureClient) -> None:
    due = {"due": "2026-11-23T08:00:00+00:00"}
    cxkit.experience("shop.due", variants=[cxkit.Variant(name="due", content=True, audience=due)])
    now = EvaluationContext(attributes={"due": datetime(2026, 11, 23, 8, tzinfo=UTC)})
    assert client.get_boolean_value("shop.due", False, now) is True


def test_the_scope_that_is_opened_ends_with_the_evaluation(client: OpenFeatureClient, hero: Any) -> None:
    client.get_string_value("shop.hero", "", NANCY)
    assert not cxkit.current()


# --- the order in which contexts are merged: API, transaction, client, invocation, before hooks ---


class Adds(Hook):
    def __init__(self, context: EvaluationContext) -> None:
        self._context = context

    def before(self, hook_context: Any, hints: Any) -> EvaluationContext:
        return self._context


PLACES = ["api", "transaction", "client", "invocation", "hook"]


@pytest.mark.parametrize("last", range(len(PLACES)))
@pytest.mark.parametrize("field", ["key", "attribute"])
def test_what_is_said_later_wins(client: OpenFeatureClient, seen: Any, last: int, field: str) -> None:
    cxkit.experience(
        "merged.flag", variants=[cxkit.Variant(name=place, audience={"said": place}, depth=1) for place in PLACES]
    )
    saying: list[EvaluationContext | None] = [None] * len(PLACES)
    for number, place in enumerate(PLACES[: last + 1]):
        saying[number] = EvaluationContext(place if field == "key" else None, {} if field == "key" else {"said": place})
    at_api, transaction, at_client, invocation, hook = saying
    api.set_evaluation_context(at_api or EvaluationContext())
    api.set_transaction_context(transaction or EvaluationContext())
    client.context = at_client or EvaluationContext()
    options = FlagEvaluationOptions(hooks=[Adds(hook)] if hook else [])
    found = client.get_string_details("merged.flag", "", invocation, options)
    if field == "key":
        assert [one.value for one in seen] == [PLACES[last]]
    else:
        assert found.variant == PLACES[last]


def test_attributes_of_all_places_come_together(client: OpenFeatureClient) -> None:
    cxkit.experience(
        "merged.all",
        variants=[cxkit.Variant(name="all", audience=dict.fromkeys(PLACES, True)), cxkit.Variant(name="b")],
    )
    one = {place: EvaluationContext(attributes={place: True}) for place in PLACES}
    api.set_evaluation_context(one["api"])
    api.set_transaction_context(one["transaction"])
    client.context = one["client"]
    options = FlagEvaluationOptions(hooks=[Adds(one["hook"])])
    assert client.get_string_details("merged.all", "", one["invocation"], options).variant == "all"


# --- exposures ---


def test_an_evaluation_is_an_exposure_once_in_a_scope(client: OpenFeatureClient, hero: Any, cx: Recorder) -> None:
    with cxkit.scope(channel="store"):
        for _ in range(3):
            client.get_string_value("shop.hero", "")
    shown = cx.one("experience.shown")
    assert shown.decision is not None
    assert (shown.decision.experience, shown.decision.variant) == ("shop.hero", "store")


def test_without_exposing_nothing_is_captured(
    client_of: Callable[..., OpenFeatureClient], hero: Any, cx: Recorder
) -> None:
    client = client_of(exposes=False)
    with cxkit.scope(channel="store"):
        assert client.get_string_value("shop.hero", "") == "Come in"
    assert client.get_string_value("shop.hero", "", NANCY) == "Welcome"
    assert cx.interactions == []
