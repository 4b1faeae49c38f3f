"""decide and show: what is allowed now, whoever else has a say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.flows.decide import decide
from cxkit.flows.expose import show
from cxkit.kit import Kit
from cxkit.model import JSON, Decision, ExperienceSpec, Variant
from cxkit.roles import Decider
from cxkit.rules.experience import Chooser
from cxkit.settings import Keys, Secret, Settings
from cxkit.testing import RecordingExporter
from tests.flows.world import Faulty, eventually

SPEC = ExperienceSpec(
    name="decide.hero",
    fallback=Variant(name="all", content="Welcome"),
    variants=(
        Variant(name="gold", content="Welcome back", audience={"traits.plan": "gold"}, depth=3),
        Variant(name="store", content="Come in", audience={"channel": "store"}, depth=1),
    ),
)


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(store: Faulty, exporter: RecordingExporter) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def decided(kit: Kit, *, verb: Callable[..., Decision] = decide, deciders: tuple[Decider, ...] = ()) -> Decision:
    scope = current_scope() or kit.root_scope
    return verb(attrs.evolve(kit.desk, deciders=deciders), scope, Chooser(SPEC), patience_s=1.0)


def test_it_goes_as_deep_as_consent_and_identity_allow(kit: Kit) -> None:
    with cxkit.scope(kit=kit):
        assert (decided(kit).variant, decided(kit).capped_by) == ("all", "consent")
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        assert (decided(kit).variant, decided(kit).capped_by) == ("all", "consent")
        cxkit.grant("personalization")
        assert (decided(kit).variant, decided(kit).depth, decided(kit).cap) == ("gold", 3, 3)
        cxkit.withdraw("personalization")
        assert decided(kit).variant == "all"


def test_circumstances_need_no_consent(kit: Kit) -> None:
    with cxkit.scope(kit=kit, channel="store"):
        assert (decided(kit).variant, decided(kit).depth) == ("store", 1)


def test_a_claim_is_not_enough_to_be_personal(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        cxkit.grant("personalization")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="claim"):
        assert (decided(kit).variant, decided(kit).capped_by) == ("all", "identity")


def test_a_broken_store_caps_at_depth_1_until_it_is_back(kit: Kit, store: Faulty) -> None:
    store.broken = True
    with cxkit.scope(kit=kit, channel="store", user_id="nancy", evidence="login"):
        cxkit.grant("personalization")
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        decision = decided(kit)
        assert (decision.variant, decision.cap, decision.capped_by) == ("store", 1, "pending")
        store.broken = False

    def as_gold() -> bool:
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            return decided(kit).variant == "gold"

    eventually(as_gold)


def test_on_an_event_loop_what_has_not_arrived_caps_at_depth_1(store: Faulty) -> None:
    """And what has arrived by the time of the next decision counts."""
    answers = threading.Event()
    store.remote, store.meanwhile = True, answers.wait
    keys = Keys(signing=(Secret("a secret of sixteen"),), identifier=Secret("another of sixteen"))
    kit = Kit(Settings(strict=True, keys=keys), store=store, in_memory=True)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("personalization")
        scope = current_scope()
        assert scope is not None
        decision = decide(kit.desk, scope, Chooser(SPEC), patience_s=0.0)
        assert (decision.cap, decision.capped_by) == (1, "pending")
        answers.set()
        eventually(lambda: decide(kit.desk, scope, Chooser(SPEC), patience_s=0.0).cap == 3)
    kit.close(timeout_s=10)


def test_what_is_shown_is_captured_once_and_what_is_decided_is_not(kit: Kit, exporter: RecordingExporter) -> None:
    with cxkit.scope(kit=kit, channel="store"):
        decided(kit)
        for _ in range(3):
            assert decided(kit, verb=show).variant == "store"
    with cxkit.scope(kit=kit, channel="store"):
        decided(kit, verb=show)
    assert kit.flush(timeout_s=30).complete
    told = [one.decision for one in exporter.interactions]
    assert [one.name for one in exporter.interactions] == ["experience.shown"] * 2
    assert [(one.experience, one.variant, one.depth) for one in told if one] == [("decide.hero", "store", 1)] * 2
    assert all(one.content is None for one in told if one), "its slots are known from its name"


def test_another_variant_in_the_same_scope_is_shown_anew(kit: Kit, exporter: RecordingExporter) -> None:
    with cxkit.scope(kit=kit):
        decided(kit, verb=show)
        cxkit.grant("personalization")
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        decided(kit, verb=show)
        assert kit.flush(timeout_s=30).complete
    assert [one.decision.variant for one in exporter.interactions if one.decision] == ["all", "gold"]


# --- deciders ---


class Says:
    """A decider that answers what it is told."""

    def __init__(self, answer: Callable[[ExperienceSpec, Mapping[str, JSON], int], Any]) -> None:
        self._answer = answer

    def decide(self, experience: ExperienceSpec, attributes: Mapping[str, JSON], *, cap: int) -> Any:
        return self._answer(experience, attributes, cap)


def raising(*_: object) -> Any:
    raise ZeroDivisionError


def chosen(name: str, depth: int) -> Decision:
    return Decision(experience="decide.hero", variant=name, depth=depth)


def test_the_first_decider_that_decides_is_heard(kit: Kit) -> None:
    seen: list[tuple[str, object, int]] = []

    def first(spec: ExperienceSpec, attributes: Mapping[str, JSON], cap: int) -> None:
        seen.append((spec.name, attributes["channel"], cap))

    deciders = (Says(first), Says(lambda *_: chosen("theirs", 1)), Says(raising))
    with cxkit.scope(kit=kit, channel="store"):
        assert decided(kit, deciders=deciders).variant == "theirs"
    assert seen == [("decide.hero", "store", 1)]


@pytest.mark.parametrize(
    "answer", [raising, lambda *_: "gold", lambda *_: {"variant": "gold"}, lambda *_: 1, lambda *_: chosen("deep", 2)]
)
def test_a_decider_that_fails_talks_nonsense_or_goes_too_deep_is_passed_over(
    kit: Kit, caplog: pytest.LogCaptureFixture, answer: Callable[..., Any]
) -> None:
    with cxkit.scope(kit=kit, channel="store"):
        for _ in range(2):
            assert decided(kit, deciders=(Says(answer),)).variant == "store"
    assert kit.intake.noted == {"decider_failed" if answer is raising else "decider_refused": 2}
    told = ["cxkit: a decider failed, and is done without (ZeroDivisionError)"] if answer is raising else []
    assert caplog.messages == told
