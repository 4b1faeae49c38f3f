"""Enrichers: in a guard each, under a budget, switched off when they fail again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import cxkit
from cxkit.capture.enrich import Enrichment
from cxkit.capture.scope import enter
from cxkit.kit import Kit
from cxkit.model import Context, Facts, Place
from cxkit.roles import Enricher
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter

FACTS = Facts(method="GET", scheme="https", host=None, path="/", headers={"accept-language": "fr"})


class Says:
    """An enricher that answers, or raises, what it is told."""

    def __init__(self, answer: Callable[[Facts, Context], Any]) -> None:
        self._answer = answer
        self.calls = 0

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        self.calls += 1
        found: Mapping[str, object] = self._answer(facts, context)
        return found


def raising(facts: Facts, context: Context) -> Any:
    raise ZeroDivisionError


class Clock:
    """It goes on by what each enricher is said to take."""

    def __init__(self, *took_s: float) -> None:
        self._times = self._ticking(took_s)

    @staticmethod
    def _ticking(took_s: tuple[float, ...]) -> Iterator[float]:
        now = 0.0
        while True:
            for step in took_s:
                yield now
                now += step
                yield now

    def __call__(self) -> float:
        return next(self._times)


def enrichment(enrichers: Mapping[str, Enricher], *took_s: float) -> tuple[Enrichment, Counter[str]]:
    counted: Counter[str] = Counter()
    made = Enrichment(enrichers, count=lambda what: counted.update([what]), clock=Clock(*(took_s or (0.0,))))
    return made, counted


def test_they_add_in_turn_and_see_what_was_added_before() -> None:
    first = Says(lambda facts, context: {"locale": facts.headers["accept-language"]})
    second = Says(lambda facts, context: {"place": Place(country=str(context.locale).upper())})
    made, counted = enrichment({"first": first, "second": second})
    assert made(FACTS, Context(channel="web")) == Context(channel="web", locale="fr", place=Place(country="FR"))
    assert not counted


def test_what_is_there_is_never_overwritten() -> None:
    greedy = Says(lambda facts, context: {"channel": "store", "locale": "en", "actor": "bot", "session": None})
    made, counted = enrichment({"greedy": greedy})
    before = Context(channel="web", locale="fr", actor="human", session="s1")
    assert made(FACTS, before) == before
    assert made(FACTS, Context(channel="web")) == Context(channel="web", locale="en", actor="bot")
    assert not counted


@pytest.mark.parametrize(
    "answer",
    [raising, lambda *_: None, lambda *_: 1, lambda *_: {"no_such_field": 1}, lambda *_: [("locale", "fr")]],
)
def test_one_that_fails_costs_itself_alone(answer: Callable[..., Any]) -> None:
    good = Says(lambda *_: {"timezone": "Europe/Paris"})
    made, counted = enrichment({"bad": Says(answer), "good": good})
    assert made(FACTS, Context()) == Context(timezone="Europe/Paris")
    assert counted == {"enricher_failed.bad": 1}


def test_one_that_is_slow_is_counted_and_what_it_found_is_kept() -> None:
    slow, quick = Says(lambda *_: {"locale": "fr"}), Says(lambda *_: {})
    made, counted = enrichment({"slow": slow, "quick": quick}, 0.006, 0.004)
    assert made(FACTS, Context()) == Context(locale="fr")
    assert counted == {"enricher_slow.slow": 1}


@pytest.mark.parametrize(("answer", "took_s", "why"), [(raising, 0.0, "failed"), (lambda *_: {}, 1.0, "slow")])
def test_one_that_fails_again_and_again_is_switched_off(answer: Callable[..., Any], took_s: float, why: str) -> None:
    bad = Says(answer)
    made, counted = enrichment({"bad": bad}, took_s)
    for _ in range(150):
        made(FACTS, Context())
    assert bad.calls == 100
    assert counted == {f"enricher_{why}.bad": 100, "enricher_off.bad": 1}


@pytest.mark.parametrize(
    "answer",
    [{"place": "FR"}, {"page": "/"}, {"locale": 1}, {"locale": object()}, {"device": object()}, {"session": b"x"},
     {"locale": "half a pair \ud83d"}, {"actor": "alien"}],

)  # fmt: skip
def test_one_that_answers_nonsense_costs_no_interaction(answer: dict[str, object]) -> None:
    """What does not belong into a context must be found out here, not when it is encoded."""
    seen = cxkit.touchpoint("enrich.nonsense")
    exporter = RecordingExporter()
    kit = Kit(Settings(), exporters={"x": exporter}, in_memory=True)
    made, counted = enrichment({"bad": Says(lambda *_: answer)})
    scope = kit.open_scope(Context(channel="web"), facts=FACTS)
    scope.on_first_use(made)
    enter(scope)
    try:
        seen.capture()
    finally:
        scope.close()
        kit.close()
    assert [one.context for one in exporter.interactions] == [Context(channel="web")]
    assert counted == {"enricher_failed.bad": 1}
