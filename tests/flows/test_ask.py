"""ask, answer and skip: nobody is asked twice, and what they answer is theirs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import cxkit
from cxkit import Question
from cxkit.capture.stamp import Stamper
from cxkit.errors import InvalidInteractionError
from cxkit.kit import Kit
from cxkit.model import Interaction
from cxkit.settings import Keys, Secret, Settings
from cxkit.testing import Recorder, RecordingExporter
from tests.flows.world import Faulty, eventually, held, key

SETTINGS = Settings(
    strict=True, keys=Keys(signing=(Secret("a secret of sixteen"),), identifier=Secret("another of sixteen"))
)
DAY_NS = 86_400 * 10**9
DIET = Question(name="diet", options=("vegan", "nuts"), lasts_s=200 * 86_400.0)
NPS = Question(name="nps.order", scale="nps", cooldown_s=90 * 86_400.0)
FORM = cxkit.experience("ask.form", questions=[DIET, NPS])
OTHER = cxkit.experience("ask.other", questions=[DIET])
PAID = cxkit.touchpoint("ask.paid", kind="transaction")


class Clock:
    """A wall clock that stands until it is moved."""

    now_ns = 1_795_000_000 * 10**9

    def __call__(self) -> int:
        return self.now_ns

    def forward(self, days: float) -> None:
        self.now_ns += int(days * DAY_NS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(store: Faulty, exporter: RecordingExporter, clock: Clock) -> Iterator[Kit]:
    made = Kit(
        Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True, stamper=Stamper(time_ns=clock)
    )
    yield made
    made.close(timeout_s=10)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def nancy(kit: Kit, *, allows: tuple[str, ...] = ("personalization", "analytics"), **more: Any) -> Any:
    scope = cxkit.scope(kit=kit, **{"user_id": "nancy", "evidence": "login", **more})

    class Entered:
        def __enter__(self) -> None:
            scope.__enter__()
            if allows:
                cxkit.grant(*allows)

        def __exit__(self, *error: Any) -> Any:
            return scope.__exit__(*error)

    return Entered()


def asked(experience: cxkit.Experience = FORM, verb: str = "show") -> list[str]:
    return [one.name for one in getattr(experience, verb)().questions]


def captured(kit: Kit, exporter: RecordingExporter, *names: str) -> list[Interaction]:
    assert kit.flush(timeout_s=30).complete
    return [one for one in exporter.interactions if one.name in names]


# --- asked ---


def test_what_is_shown_counts_as_asked_once_and_what_is_decided_does_not(kit: Kit, exporter: RecordingExporter) -> None:
    with nancy(kit):
        paid = PAID.capture()
        for _ in range(2):
            assert asked(verb="decide") == ["diet", "nps.order"]
        for _ in range(2):
            assert asked() == ["diet", "nps.order"]
    told = captured(kit, exporter, "profile.asked")
    assert [one.properties for one in told] == [
        {"question": "diet", "experience": "ask.form"}, {"question": "nps.order", "experience": "ask.form"},
    ]  # fmt: skip
    assert {one.cause for one in told} == {paid}
    assert {(one.kind, one.direction) for one in told} == {("exposure", "outbound")}


def test_one_question_is_asked_by_one_experience_in_a_scope(kit: Kit) -> None:
    with nancy(kit):
        assert OTHER.decide().asks("diet")
        assert asked() == ["diet", "nps.order"]
        assert OTHER.show().not_asked == {"diet": "elsewhere"}
        assert cxkit.carry(OTHER.show)().not_asked == {"diet": "elsewhere"}
        with nancy(kit, user_id="mary"):
            assert asked(OTHER) == ["diet"]


def test_nobody_is_asked_again_before_the_cooldown_nor_more_often_than_is_said(kit: Kit, clock: Clock) -> None:
    for turn in range(3):
        with nancy(kit):
            assert "diet" in asked(), turn
        clock.forward(days=29)
        with nancy(kit):
            assert FORM.show().not_asked["diet"] == "asked"
        clock.forward(days=1)
    with nancy(kit):
        assert FORM.show().not_asked == {"diet": "most_asks"}


def test_it_is_obeyed_before_it_is_committed(kit: Kit, store: Faulty) -> None:
    store.conflicts = 1_000_000
    with nancy(kit):
        asked()
    with nancy(kit):
        assert asked() == []
    assert held(store, "asked") == {}
    store.conflicts = 0
    settled(kit)
    (body,) = held(store, "asked").values()
    assert {(one["question"], one["act"]) for one in body["askings"]} == {("diet", "asked"), ("nps.order", "asked")}


def test_a_page_that_asks_is_for_one_person_alone(kit: Kit) -> None:
    from cxkit.capture.scope import current_scope

    with nancy(kit):
        here = current_scope()
        assert here is not None
        assert (FORM.decide().depth, here.depth_shown) == (0, 0)
        FORM.show()
        assert here.depth_shown == 2
    with cxkit.scope(kit=kit):
        here = current_scope()
        assert here is not None
        FORM.show()
        assert here.depth_shown == 0


def test_into_a_response_that_has_begun_nothing_is_asked(kit: Kit) -> None:
    from cxkit.capture.scope import current_scope

    with nancy(kit):
        here = current_scope()
        assert here is not None
        here.begin()
        decision = FORM.show()
        assert (decision.questions, decision.prefill) == ((), {})
        assert set(decision.not_asked.values()) == {"late"}


def test_a_letter_asks_once_it_is_sent(kit: Kit) -> None:
    with nancy(kit):
        pass
    person = {"user_id": "nancy"}
    with cxkit.scope(kit=kit, channel="email"):
        decision = FORM.decide(person=person)
        assert [one.name for one in decision.questions] == ["diet", "nps.order"]
        assert FORM.decide(person=person).questions == decision.questions
        FORM.exposed(decision, person=person)
        assert set(FORM.decide(person=person).not_asked.values()) == {"asked"}
    with nancy(kit, allows=()):
        cxkit.withdraw("personalization")
        FORM.exposed(decision)
    known = kit.desk.under(key("user_id", "nancy", kit.desk.keyring), patience_s=1.0)
    assert known is not None
    assert sorted(one.question for one in known.askings) == ["diet", "nps.order", "nps.order"], (
        "not what is refused by now"
    )


def test_a_condition_looks_at_what_a_variants_does(kit: Kit) -> None:
    gift = Question(name="gift", when={"basket": {"$gt": 2}})
    basket = cxkit.experience("ask.basket", questions=[gift])
    with nancy(kit):
        assert basket.decide(given={"basket": 2}).not_asked == {"gift": "condition"}
        assert basket.decide(given={"basket": 3}).asks("gift")


@pytest.mark.parametrize("when", [{"a": {"$is": 1}}, {"$or": 1}, {"a": {"$regex": "("}}])
def test_a_condition_that_is_none_is_refused_where_it_is_declared(when: Any) -> None:
    with pytest.raises(cxkit.CXError, match=r"CX304\d.*ask.wrong.*gift"):
        cxkit.experience("ask.wrong", questions=[Question(name="gift", when=when)])


# --- answered and skipped ---


def test_an_answer_is_a_declared_trait_for_as_long_as_it_lasts(
    kit: Kit, store: Faulty, exporter: RecordingExporter, clock: Clock
) -> None:
    with nancy(kit):
        asked()
        cxkit.answer("diet", "vegan")
        assert cxkit.current().profile.traits == {"diet": "vegan"}
        assert not FORM.decide().asks("diet")
    settled(kit)
    with nancy(kit):
        assert cxkit.current().profile.traits == {"diet": "vegan"}
        assert FORM.decide().not_asked["diet"] == "known"
    told = captured(kit, exporter, "profile.answered", "profile.expired")
    assert [one.properties for one in told] == [{"question": "diet", "answer": "vegan", "expires_in_s": DIET.lasts_s}]
    clock.forward(days=200)
    for _ in range(2):
        with nancy(kit):
            assert cxkit.current().profile.traits == {}
            asked()
    told = captured(kit, exporter, "profile.answered", "profile.expired")
    assert [one.name for one in told] == ["profile.answered", "profile.expired"], "once"
    assert (told[1].properties, told[1].cause) == ({"question": "diet"}, told[0].id)


def test_who_skips_is_left_alone_for_a_while(kit: Kit, exporter: RecordingExporter, clock: Clock) -> None:
    with nancy(kit):
        asked()
        cxkit.skip("diet")
        assert FORM.decide().not_asked["diet"] == "elsewhere"
    clock.forward(days=29)
    with nancy(kit):
        assert FORM.decide().not_asked["diet"] == "skipped"
    clock.forward(days=1)
    with nancy(kit):
        assert FORM.decide().asks("diet")
    assert [one.properties for one in captured(kit, exporter, "profile.skipped")] == [{"question": "diet"}]


def test_feedback_is_about_what_it_was_asked_after(kit: Kit, exporter: RecordingExporter, clock: Clock) -> None:
    with nancy(kit):
        paid = PAID.capture()
        asked()
    clock.forward(days=1)
    with nancy(kit):
        PAID.capture()
        cxkit.answer("nps.order", "9")
        assert cxkit.current().profile.traits == {}
    (told,) = captured(kit, exporter, "feedback.given")
    assert told.feedback == cxkit.Feedback(scale="nps", score=9)
    assert (told.cause, told.properties, told.kind) == (paid, {"question": "nps.order"}, "feedback")
    (state,) = captured(kit, exporter, "profile.answered")
    assert state.properties == {"question": "nps.order"}
    clock.forward(days=89)
    with nancy(kit):
        assert FORM.decide().not_asked["nps.order"] == "answered"
    clock.forward(days=1)
    with nancy(kit):
        assert FORM.decide().asks("nps.order")


def test_what_was_not_asked_is_about_what_happened_last_or_what_the_app_says(
    kit: Kit, exporter: RecordingExporter
) -> None:
    with nancy(kit):
        first, last = PAID.capture(), PAID.capture()
        cxkit.answer(NPS, 3)
        cxkit.answer(NPS, 4, cause=first)
        cxkit.carry(cxkit.answer)(NPS, 5)
    assert [one.cause for one in captured(kit, exporter, "feedback.given")] == [last, first, last]


def test_feedback_of_nobody_is_kept_as_any_interaction_of_theirs(kit: Kit, exporter: RecordingExporter) -> None:
    with cxkit.scope(kit=kit):
        cxkit.grant("analytics")
        cxkit.answer("nps.order", 0)
    assert [one.feedback for one in captured(kit, exporter, "feedback.given")]
    assert captured(kit, exporter, "profile.answered") == []


# --- by another process ---


def test_an_answer_in_one_process_stops_the_question_in_another(store: Faulty, tmp_path: Path) -> None:
    kit, other = (Kit(attrs.evolve(SETTINGS, directory=tmp_path / name), store=store) for name in ("one", "other"))
    with nancy(other):
        assert FORM.decide().asks("diet")
    with nancy(kit):
        cxkit.answer("diet", "nuts")
        cxkit.skip("nps.order")
    settled(kit)

    def heard() -> bool:
        with nancy(other, allows=()):
            return FORM.decide().not_asked == {"diet": "known", "nps.order": "skipped"}

    eventually(heard)
    for one in (kit, other):
        one.close(timeout_s=10)


def test_on_an_event_loop_nothing_is_asked_until_what_was_asked_before_has_arrived(store: Faulty) -> None:
    answers = threading.Event()
    store.remote, store.meanwhile = True, answers.wait
    kit = Kit(SETTINGS, store=store, in_memory=True)

    async def page() -> dict[str, str]:
        with nancy(kit):
            return dict(FORM.decide().not_asked)

    assert asyncio.run(page()) == {"diet": "pending", "nps.order": "pending"}
    answers.set()
    eventually(lambda: asyncio.run(page()) == {})
    kit.close(timeout_s=10)


def test_with_a_broken_store_nothing_is_asked_and_no_answer_is_lost(kit: Kit, store: Faulty) -> None:
    store.broken = True
    with nancy(kit):
        assert set(FORM.show().not_asked.values()) == {"pending"}
        cxkit.answer("diet", "vegan")
    store.broken = False
    kit.flush(timeout_s=30)
    settled(kit)

    def heard() -> bool:
        with nancy(kit):
            return cxkit.current().profile.traits == {"diet": "vegan"}

    eventually(heard)


# --- what is wrong ---


@pytest.mark.parametrize(
    ("code", "act"),
    [
        ("CX3160", lambda: cxkit.answer("diet", "rocks")),
        ("CX3161", lambda: cxkit.answer("diet", "")),
        ("CX3162", lambda: cxkit.answer("nps.order", 11)),
        ("CX3163", lambda: cxkit.answer("diett", "vegan")),
        ("CX3163", lambda: cxkit.skip(None)),  # type: ignore[arg-type]
        ("CX3115", lambda: cxkit.answer("nps.order", 9, cause=17)),  # type: ignore[arg-type]
        ("CX3115", lambda: cxkit.answer("diet", "vegan", cause="x" * 5000)),
        ("CX3127", lambda: cxkit.answer(Question(name="residence"), "at home")),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_wrong_stores_nothing(
    store: Faulty, exporter: RecordingExporter, code: str, act: Callable[[], None], strict: bool
) -> None:
    kit = Kit(Settings(strict=strict), exporters={"x": exporter}, store=store, in_memory=True)
    with nancy(kit):
        if strict:
            with pytest.raises(InvalidInteractionError, match=code):
                act()
        else:
            act()
            assert kit.intake.noted == {"invalid": 1}
        assert cxkit.current().profile.traits == {}
        assert FORM.decide().not_asked == {}, "it is still to be answered"
    assert captured(kit, exporter, "profile.answered", "profile.skipped", "feedback.given") == []
    assert held(store, "asked") == held(store, "person") == {}
    kit.close(timeout_s=10)


def test_an_answer_of_nobody_fills_nobodys_profile(kit: Kit) -> None:
    for evidence in ("claim", "token"):
        with nancy(kit, user_id=evidence, evidence=evidence):
            assert FORM.decide().not_asked == {"diet": "unproven"}
            with pytest.raises(InvalidInteractionError, match="CX3164"):
                cxkit.answer("diet", "vegan")
            cxkit.answer("nps.order", 7)


def test_outside_of_any_scope_nothing_happens(cx: Recorder) -> None:
    with pytest.raises(cxkit.CXError, match="CX7002"):
        cxkit.skip("diet")


# --- configured ---


def test_questions_can_be_configured(store: Faulty) -> None:
    table = {"questions": [{"name": "size", "options": ["S", "M"], "when": {"device": "phone"}, "channels": ["web"]}]}
    kit = Kit(Settings(strict=True, experiences={"ask.form": table}), store=store, in_memory=True)  # type: ignore[arg-type]
    with nancy(kit):
        assert FORM.decide().not_asked == {"size": "channel"}
        cxkit.answer("size", "M")
        assert cxkit.current().profile.traits == {"size": "M"}
    kit.close(timeout_s=10)
