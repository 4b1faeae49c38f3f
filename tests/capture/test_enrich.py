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
from cxkit.model import Acquisition, Agent, Context, Device, Facts, Place
from cxkit.roles import Enricher
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter

FACTS = Facts(method="GET", scheme="https", host=None, path="/", headers={"accept-language": "fr"})
HOSTILE = Facts(method="GET", scheme="https", host=None, path="/hostile", headers={})


class Clock:
    """It goes on by what each enricher is said to take."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Says:
    """An enricher that answers, or raises, what it is told."""

    def __init__(self, answer: Callable[[Facts, Context], Any], *, took_s: float = 0.0, clock: Clock = Clock()) -> None:
        self._answer = answer
        self._took_s = took_s
        self._clock = clock
        self.calls = 0

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        self.calls += 1
        self._clock.now += self._took_s
        found: Mapping[str, object] = self._answer(facts, context)
        return found


def raising(facts: Facts, context: Context) -> Any:
    raise ZeroDivisionError


def enrichment(enrichers: Mapping[str, Enricher], clock: Clock = Clock()) -> tuple[Enrichment, Counter[str]]:
    counted: Counter[str] = Counter()
    return Enrichment(enrichers, count=lambda what: counted.update([what]), clock=clock, spent=clock), counted


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
    clock = Clock()
    slow = Says(lambda *_: {"locale": "fr"}, took_s=0.006, clock=clock)
    quick = Says(lambda *_: {}, took_s=0.004, clock=clock)
    made, counted = enrichment({"slow": slow, "quick": quick}, clock)
    assert made(FACTS, Context()) == Context(locale="fr")
    assert counted == {}, "once, by chance"
    slow._took_s = 0.0
    made(FACTS, Context())
    slow._took_s = 0.006
    assert made(FACTS, Context()) == Context(locale="fr")
    assert counted == {"enricher_slow.slow": 1}


@pytest.mark.parametrize(("took_s", "slow"), [(0.049, False), (0.051, True)])
def test_one_that_is_kept_from_the_processor_is_not_slow_unless_it_takes_very_long(took_s: float, slow: bool) -> None:
    clock, counted = Clock(), Counter[str]()
    waits = Says(lambda *_: {"locale": "fr"}, took_s=took_s, clock=clock)
    made = Enrichment({"waits": waits}, count=lambda what: counted.update([what]), clock=clock, spent=float)
    for _ in range(2):
        made(FACTS, Context())
    assert counted == ({"enricher_slow.waits": 1} if slow else {})


@pytest.mark.parametrize(("answer", "took_s", "why"), [(raising, 0.0, "failed"), (lambda *_: {}, 0.1, "slow")])
def test_one_that_fails_again_and_again_is_switched_off(answer: Callable[..., Any], took_s: float, why: str) -> None:
    clock = Clock()
    bad = Says(answer, took_s=took_s, clock=clock)
    made, counted = enrichment({"bad": bad}, clock)
    for _ in range(150):
        made(FACTS, Context())
    assert bad.calls == 100
    assert counted == {f"enricher_{why}.bad": 99 if why == "slow" else 100, "enricher_off.bad": 1}


def hostile_only(facts: Facts, context: Context) -> Any:
    """It fails for some visitors, and works for others."""
    return raising(facts, context) if facts.path == "/hostile" else {"locale": "fr"}


def test_a_hundred_hostile_visits_switch_it_off_for_a_minute_not_for_good() -> None:
    clock, bad = Clock(), Says(hostile_only)
    made, counted = enrichment({"bad": bad}, clock)
    for _ in range(100):
        made(HOSTILE, Context())
    clock.now += 59.9
    assert made(FACTS, Context()) == Context()
    clock.now += 0.2
    assert made(FACTS, Context()) == made(FACTS, Context()) == Context(locale="fr")
    for _ in range(99):  # it begins anew
        made(HOSTILE, Context())
    assert made(FACTS, Context()) == Context(locale="fr")
    assert counted == {"enricher_failed.bad": 199, "enricher_off.bad": 1}


def test_a_try_that_fails_is_one_a_minute_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, bad = Clock(), Says(raising)
    made, counted = enrichment({"bad": bad}, clock)
    for _ in range(1000):
        made(FACTS, Context())
        clock.now += 1
    assert bad.calls == 115
    assert counted == {"enricher_failed.bad": 115, "enricher_off.bad": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "cxkit: enricher bad is off until a try succeeds, one in 60 seconds (enricher_failed 100 times)"
    ]


def test_who_comes_during_a_try_does_not_try() -> None:
    clock, seen = Clock(), []

    def tried(facts: Facts, context: Context) -> Any:
        seen.append(facts)
        if len(seen) > 100:
            made(FACTS, Context())
        return raising(facts, context)

    made, _ = enrichment({"bad": Says(tried)}, clock)
    for _ in range(100):
        made(FACTS, Context())
    clock.now += 60
    made(FACTS, Context())
    assert len(seen) == 101


def test_it_is_switched_off_again_and_told_again() -> None:
    clock, bad = Clock(), Says(hostile_only)
    made, counted = enrichment({"bad": bad}, clock)
    for _ in range(2):
        for _ in range(100):
            made(HOSTILE, Context())
        clock.now += 60
        made(FACTS, Context())
    assert counted == {"enricher_failed.bad": 200, "enricher_off.bad": 2}


def test_one_that_fails_now_and_then_goes_on() -> None:
    """A pause of the machine now and then, over days, is not the enricher's."""
    turns = iter(range(10_000))
    now_and_then = Says(lambda *_: {} if next(turns) % 3 else raising(FACTS, Context()))
    made, counted = enrichment({"bad": now_and_then})
    for _ in range(900):
        made(FACTS, Context())
    assert now_and_then.calls == 900
    assert counted == {"enricher_failed.bad": 300}


@pytest.mark.parametrize(
    "answer",
    [{"place": "FR"}, {"page": "/"}, {"locale": 1}, {"locale": object()}, {"device": object()}, {"session": b"x"},
     {"locale": "half a pair \ud83d"}, {"actor": "alien"}, {"agent": Agent(evidence=["a list"])}],  # type: ignore[arg-type]
)  # fmt: skip
def test_one_that_answers_nonsense_costs_no_interaction(answer: dict[str, object]) -> None:
    """What does not belong into a context must be found out here, not when it is encoded."""
    seen = cxkit.touchpoint("enrich.nonsense")
    exporter = RecordingExporter()
    kit = Kit(Settings(), exporters={"x": exporter}, in_memory=True)
    good = Says(lambda *_: {"currency": "EUR"})
    made, counted = enrichment({"bad": Says(lambda *_: answer), "good": good})
    scope = kit.open_scope(Context(channel="web"), facts=FACTS)
    scope.on_first_use(made)
    enter(scope)
    try:
        seen.capture()
    finally:
        scope.close()
        kit.close()
    assert [one.context for one in exporter.interactions] == [Context(channel="web", currency="EUR")]
    assert counted == {"enricher_failed.bad": 1}


def test_the_same_things_found_on_the_same_page_make_one_context() -> None:
    """So that it is checked once, and encoded once."""
    place, page = Place(country="FR"), Context(channel="web")
    made, _ = enrichment(
        {"geo": Says(lambda *_: {"place": place}), "zone": Says(lambda *_: {"timezone": "Europe/Paris"})}
    )
    assert made(FACTS, page) is made(FACTS, page)
    assert made(FACTS, Context(channel="web", place=Place(country="DE"))).place == Place(country="DE")


@pytest.mark.parametrize("nonsense", [Device(touch=1), Device(viewport=412.0)])  # type: ignore[arg-type]
def test_what_equals_something_that_passed_does_not_pass_for_it(nonsense: Device) -> None:
    found = [Device(touch=True), Device(viewport=412), nonsense]
    made, counted = enrichment({"device": Says(lambda *_: {"device": found.pop(0)})})
    page = Context(channel="web")
    assert [made(FACTS, page).device for _ in range(3)] == [Device(touch=True), Device(viewport=412), None]
    assert counted == {"enricher_failed.device": 1}


def test_what_is_remembered_is_bounded_and_holds_no_click() -> None:
    made, _ = enrichment({"x": Says(lambda *_: {"acquisition": Acquisition(click_id="EAIaIQob")})})
    made(FACTS, Context())
    assert not made._remembered
    made, _ = enrichment({"x": Says(lambda *_: {"locale": "".join(["f", "r"])})})
    for _ in range(3000):
        made(FACTS, Context())
    assert 0 < len(made._remembered) <= 1024


class Made(Mapping[str, object]):
    """What it holds is made whenever it is asked for: another thing each time."""

    def __init__(self, path: str) -> None:
        self._path, self._asked = path, 0

    def __getitem__(self, name: str) -> object:
        self._asked += 1
        return EVERYBODYS if self._asked == 1 else Acquisition(campaign=self._path)

    def __iter__(self) -> Iterator[str]:
        return iter(["acquisition"])

    def __len__(self) -> int:
        return 1


EVERYBODYS = Acquisition(campaign="summer")


def test_nobody_is_given_what_was_made_for_somebody_else() -> None:
    made, counted = enrichment({"lazy": Says(lambda facts, context: Made(facts.path))})
    page = Context(channel="web")
    assert [made(facts, page).acquisition for facts in (FACTS, HOSTILE)] == [EVERYBODYS, EVERYBODYS]
    assert not counted
