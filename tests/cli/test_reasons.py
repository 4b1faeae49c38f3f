"""Every reason that our rules give for a decision is told in the operator's language."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from cxkit.cli import language
from cxkit.cli.local.reasons import field_of, reason_word, tried_in
from cxkit.model import Decision, ExperienceSpec, Experiment, Holdout, Variant
from cxkit.rules.experience import PENDING, Cap, Chooser, Ruling
from cxkit.testing import recorder
from cxkit.web.shown import show
from tests.rules.experience.asked import Asked
from tests.rules.experience.test_assigning import FULL, INSIDE, MISSED

ANYTHING = Cap(4, None)
AT = datetime(2026, 11, 23, tzinfo=UTC)
HELD = Holdout(name="quiet-2026", share=0.5, unit="user_id")
TAKEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({}, {"kept": {"bolder__3": "quiet"}.get}),
    ({"force": "quiet"}, {}),
    ({"variations": ("bold",)}, {}),
    ({}, {"ruling": Ruling(running=True, version=3, winner="bold", at=AT)}),
]
"""Of the experiment and of whoever asks, what gives them a variation."""
STOPPED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"active": False}, {}),
    ({}, {"ruling": Ruling(running=False, version=3, at=AT)}),
    ({}, {"ruling": PENDING}),
    ({}, {"pending": True}),
    ({}, {"measured": False}),
    ({"holdout": HELD}, {"unit": {"user_id": "someone"}.get}),
]
"""Likewise, what stops them before they are looked at."""


def experience(experiment: Experiment) -> ExperienceSpec:
    return ExperienceSpec(
        name="home.hero",
        fallback=Variant(name="all"),
        variants=(Variant(name="bold"), Variant(name="quiet"), Variant(name="rest", audience={"place.city": "Lyon"})),
        experiments=(experiment,),
    )


def decisions() -> Iterator[Decision]:
    cases = [*((experiment, asking) for experiment, asking, _ in MISSED), *TAKEN, *STOPPED]
    for experiment, asking in cases:
        chooser = Chooser(experience(attrs.evolve(FULL, **experiment)))
        yield chooser.choose(Asked(**{**INSIDE, **asking}), ANYTHING)
    chooser = Chooser(experience(FULL))
    yield chooser.choose(Asked(withheld={"place"}), ANYTHING)
    yield chooser.choose(Asked({"place": {"city": "Lyon"}}), ANYTHING)
    asked_for = chooser.preview("bold", ANYTHING)
    assert asked_for is not None
    yield asked_for
    yield chooser.failed()
    deep = ExperienceSpec(name="home.deep", variants=(Variant(name="own", depth=3),))
    for by in ("consent", "identity", "pending", "late", "actor"):
        yield Chooser(deep).choose(Asked(), Cap(1, by))
    with recorder(strict=False):
        yield show("there.is.none")


@pytest.fixture
def french(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", "fr")
    language._catalogue.cache_clear()
    yield
    language._catalogue.cache_clear()


@pytest.fixture(scope="module")
def ours() -> set[str]:
    return {reason for decision in decisions() for reason in decision.reasons}


@pytest.mark.usefixtures("french")
def test_each_is_told_in_french(ours: set[str]) -> None:
    for reason in ours:
        tried, _, why = reason.rpartition(": ")
        told = reason_word(reason)
        assert told.startswith(f"{tried}\N{NO-BREAK SPACE}: ")
        assert why not in told
    assert len({why.rpartition(": ")[2] for why in ours}) > 20


def test_a_strangers_is_told_as_it_is() -> None:
    assert reason_word("bolder: the moon is full") == "bolder: the moon is full"
    assert reason_word("the moon is full") == "the moon is full"


def test_which_attribute_was_looked_at(ours: set[str]) -> None:
    assert {(tried_in(one), field_of(one)) for one in ours if field_of(one)} == {
        ("bolder", "country"), ("rest", "place.city")
    }  # fmt: skip
    assert field_of("rest: place.city comes too late") == "place.city"
    assert field_of("the moon is full") is None
