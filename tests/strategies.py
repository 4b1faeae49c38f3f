"""Arbitrary values of the model, for laws that hold of all of them."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import attrs
from hypothesis import settings
from hypothesis import strategies as st

from cxkit.model import (
    EVIDENCE,
    PURPOSES,
    SCALES,
    Acquisition,
    Agent,
    Assignment,
    Context,
    Decision,
    Device,
    Feedback,
    Identifier,
    Identity,
    Interaction,
    Money,
    Page,
    Place,
    TouchpointSpec,
)
from cxkit.model import context as context_room
from cxkit.model import interaction as interaction_room
from cxkit.model import touchpoint as touchpoint_room

EXACT = 2**53
few = settings(max_examples=40)
"""For laws on whole interactions, which take long to make up."""


def one_of(words: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(words))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
words = st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)
names = st.from_regex(r"[a-z][a-z0-9_]{0,9}(\.[a-z0-9][a-z0-9_]{0,9}){0,3}", fullmatch=True)
ids = st.uuids(version=4).map(str)
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.one_of(st.just(UTC), offsets),
)
durations = st.timedeltas(timedelta(0), timedelta(days=36_500))
numbers = st.one_of(st.integers(-EXACT, EXACT), st.floats(allow_nan=False, allow_infinity=False))
leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
json_values = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4))
)
properties = st.dictionaries(texts, json_values, max_size=5)
purposes = st.sampled_from(PURPOSES)
choices = st.sampled_from(["granted", "denied"])

amounts = st.decimals(
    min_value=Decimal("-1e12"), max_value=Decimal("1e12"), allow_nan=False, allow_infinity=False, places=6
)
currencies = st.text(string.ascii_uppercase, min_size=3, max_size=3)
moneys = st.builds(Money, amounts, currencies)
feedbacks = st.sampled_from(sorted(SCALES)).flatmap(
    lambda scale: st.builds(Feedback, scale=st.just(scale), score=st.integers(*SCALES[scale]))
)

optional_texts = st.none() | texts
identifiers = st.builds(Identifier, type=words, value=texts, evidence=st.sampled_from(EVIDENCE))
identities = st.builds(
    Identity, identifiers=st.lists(identifiers, max_size=4, unique_by=lambda one: one.type).map(tuple)
)
pages = st.builds(
    Page,
    route=optional_texts,
    method=optional_texts,
    title=optional_texts,
    engaged_ms=st.none() | st.integers(0, 2**40),
)
devices = st.builds(
    Device,
    **dict.fromkeys(["type", "os", "os_version", "browser", "browser_version"], optional_texts),
    **dict.fromkeys(["touch", "reduced_motion", "save_data"], st.none() | st.booleans()),
    viewport=st.none() | st.integers(0, 10_000),
    color_scheme=st.sampled_from([None, "light", "dark"]),
)
places = st.builds(
    Place,
    **dict.fromkeys(["country", "region", "city", "store", "source"], optional_texts),
    latitude=st.none() | st.floats(-90, 90),
    longitude=st.none() | st.floats(-180, 180),
    fences=st.lists(texts, max_size=2).map(tuple),
    precision=st.none() | one_of(context_room.Precision),
    accuracy_km=st.none() | st.floats(0, 1000),
    confidence=st.sampled_from([None, "low", "high"]),
)
acquisitions = st.builds(Acquisition, **dict.fromkeys(attrs.fields_dict(Acquisition), optional_texts))
agents = st.builds(Agent, category=optional_texts, name=optional_texts, evidence=st.lists(texts, max_size=2).map(tuple))
contexts = st.builds(
    Context,
    channel=st.none() | words,
    session=optional_texts,
    page=st.none() | pages,
    device=st.none() | devices,
    place=st.none() | places,
    locale=optional_texts,
    timezone=optional_texts,
    acquisition=st.none() | acquisitions,
    currency=optional_texts,
    market=optional_texts,
    actor=one_of(context_room.Actor),
    agent=st.none() | agents,
    traceparent=optional_texts,
)
assignments = st.builds(
    Assignment,
    experiment=names,
    variation=texts,
    version=st.integers(0, 9),
    unit=words,
    sticky=st.booleans(),
    crossed_over=st.booleans(),
)
decisions = st.builds(
    Decision,
    experience=names,
    variant=texts,
    form=json_values,
    content=json_values,
    sequence=json_values,
    level=st.integers(1, 4),
    depth=st.integers(0, 4),
    cap=st.integers(0, 4),
    capped_by=st.none() | words,
    reasons=st.lists(texts, max_size=3).map(tuple),
    version=texts,
    fallback=st.booleans(),
    assignment=st.none() | assignments,
    holdout=st.none() | assignments,
)

declared: dict[str, st.SearchStrategy[Any]] = {
    "name": names,
    "kind": one_of(touchpoint_room.Kind),
    "channel": st.none() | words,
    "direction": one_of(touchpoint_room.Direction),
    "stage": st.none() | one_of(touchpoint_room.Stage),
    "purpose": purposes,
    "nature": st.none() | one_of(touchpoint_room.Nature),
    "presence": one_of(touchpoint_room.Presence),
    "reach": one_of(touchpoint_room.Reach),
    "via": st.none() | words,
    "promise": st.none() | st.text(string.ascii_letters + " é", max_size=40),
}
touchpoints = st.builds(TouchpointSpec, **declared, priority=one_of(touchpoint_room.Priority))
occurrences = st.fixed_dictionaries(
    {},
    optional={
        "outcome": one_of(interaction_room.Outcome),
        "error": words,
        "duration": durations,
        "value": moneys,
        "feedback": feedbacks,
        "decision": decisions,
        "cause": ids,
        "case": texts,
        "trimmed": st.dictionaries(texts, texts, min_size=1, max_size=3),
    },
)
interactions = st.builds(
    Interaction,
    id=ids,
    occurred_at=times,
    source=texts.map("/{}".format),
    **declared,
    case=optional_texts,
    plugin=optional_texts,
    identity=identities,
    context=contexts,
    consent=st.dictionaries(purposes, st.booleans()),
    outcome=st.none() | one_of(interaction_room.Outcome),
    error=st.none() | words,
    duration=st.none() | durations,
    value=st.none() | moneys,
    feedback=st.none() | feedbacks,
    decision=st.none() | decisions,
    cause=st.none() | ids,
    properties=properties,
    trimmed=st.dictionaries(texts, texts, max_size=3),
    received_at=st.none() | times,
)
