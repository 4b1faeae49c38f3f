"""Who was shown a variation keeps it: after a login, on another device, in one person, when weights change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.flows.decide import decide
from cxkit.flows.erase import erase
from cxkit.flows.expose import exposed, show
from cxkit.kit import Kit
from cxkit.model import Assignment, Decision, ExperienceSpec, Experiment, Holdout, Variant
from cxkit.rules.experience import Chooser
from cxkit.rules.experience.assigning import Division
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from tests.flows.world import Faulty, eventually, held, identity, key

EXPERIMENT = Experiment(name="bolder", variations=("all", "bold"), fallback_unit="user_id")
SPEC = ExperienceSpec(
    name="assign.hero",
    fallback=Variant(name="all", content="Welcome"),
    variants=(Variant(name="bold", content="The best nougat"),),
    experiments=(EXPERIMENT,),
)
TURNED = attrs.evolve(SPEC, experiments=(attrs.evolve(EXPERIMENT, weights=(1, 0)),))
"""The same experiment, when everybody new is given the control."""


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(store: Faulty, exporter: RecordingExporter) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def act(verb: Any, kit: Kit, spec: ExperienceSpec = SPEC) -> Decision:
    found: Decision = verb(kit.desk, current_scope() or kit.root_scope, Chooser(spec), patience_s=1.0)
    return found


def on_device(kit: Kit, visitor: str) -> Any:
    return cxkit.scope(kit=kit, visitor=visitor, evidence="cookie")


def given(decision: Decision) -> Assignment:
    assert decision.assignment is not None
    return decision.assignment


def given_to(kit: Kit, visitor: str) -> str:
    with on_device(kit, visitor):
        allow()
        return act(decide, kit).variant


def visitor_given(variant: str, *, but: str = "") -> str:
    """A visitor to whom the experiment gives this."""
    falls_to = Division(EXPERIMENT).falls_to
    return next(one for one in map("v-{}".format, range(1000)) if one != but and falls_to(one) == variant)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def allow() -> None:
    cxkit.grant("analytics", "identity_stitching")


def test_what_was_shown_is_kept_and_what_was_only_decided_is_not(kit: Kit, store: Faulty) -> None:
    visitor = visitor_given("bold")
    with on_device(kit, visitor):
        allow()
        assert act(decide, kit).variant == "bold"
        settled(kit)
        assert not held(store, "assigned")
        assert given(act(show, kit)).sticky is False
        settled(kit)
    found = held(store, "assigned")
    assert list(found) == [key("visitor", visitor, kit.desk.keyring)]
    assert found[key("visitor", visitor, kit.desk.keyring)]["given"]["bolder__0"]["variation"] == "bold"


@pytest.mark.parametrize("committed", [False, True])
def test_it_is_kept_when_the_weights_change(kit: Kit, committed: bool) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        act(show, kit)
        if committed:
            settled(kit)
        decision = act(decide, kit, TURNED)
        assert (decision.variant, given(decision).sticky) == ("bold", True)
    with on_device(kit, visitor_given("bold", but=visitor_given("bold"))):
        allow()
        assert act(decide, kit, TURNED).variant == "all"


def test_who_signs_in_keeps_it_here_and_on_another_device(kit: Kit) -> None:
    phone, laptop = visitor_given("bold"), visitor_given("all")
    with on_device(kit, phone):
        allow()
        act(show, kit)
        cxkit.identify(user_id="nancy")
        assert act(show, kit).variant == "bold"
    settled(kit)
    with on_device(kit, laptop):
        allow()
        cxkit.identify(user_id="nancy")
        decision = act(decide, kit)
        assert (decision.variant, given(decision).crossed_over) == ("bold", False)


def test_who_was_given_two_keeps_the_first_and_has_crossed_over(kit: Kit) -> None:
    phone, laptop = visitor_given("bold"), visitor_given("all")
    for device, variant in ((phone, "bold"), (laptop, "all")):
        with on_device(kit, device):
            allow()
            assert act(show, kit).variant == variant
        settled(kit)
    for device in (phone, laptop):
        with on_device(kit, device):
            allow()
            cxkit.identify(user_id="nancy")
        settled(kit)
    for device in (phone, laptop):
        with on_device(kit, device):
            decision = act(decide, kit)
            assert (decision.variant, given(decision).crossed_over) == ("bold", True)


def test_another_version_assigns_anew_and_shuts_out_who_had_an_earlier_one(kit: Kit) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        act(show, kit)
        anew = attrs.evolve(SPEC, experiments=(attrs.evolve(EXPERIMENT, version=1, weights=(1, 0)),))
        assert act(decide, kit, anew).variant == "all"
        shut = attrs.evolve(SPEC, experiments=(attrs.evolve(EXPERIMENT, version=1, min_version=1),))
        assert act(decide, kit, shut).assignment is None


def test_a_claim_is_kept_for_nobody(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy"):
        allow()
        assert act(show, kit).assignment
    settled(kit)
    assert not held(store, "assigned")


def test_whoever_is_erased_is_given_it_anew(kit: Kit, store: Faulty) -> None:
    visitor = visitor_given("bold")
    with on_device(kit, visitor):
        allow()
        act(show, kit)
    settled(kit)
    assert held(store, "assigned")
    erase(kit.desk, kit.root_scope, identity=identity("cookie", visitor=visitor), suppress=False, until=None)
    settled(kit)
    assert not held(store, "assigned")


def test_who_may_not_be_measured_takes_no_part(kit: Kit, store: Faulty) -> None:
    """However they are known, and whatever they allow else: nobody is divided who cannot keep what they got."""
    known: list[dict[str, Any]] = [
        {"visitor": visitor_given("bold"), "evidence": "cookie"},
        {"user_id": "nancy", "evidence": "login"},
        {"user_id": "nancy"},
    ]
    for one in known:
        for chosen in (False, True):
            with cxkit.scope(kit=kit, **one):
                if chosen:
                    cxkit.grant("personalization", "identity_stitching")
                    cxkit.withdraw("analytics")
                assert act(show, kit).reasons == ("bolder: analytics is not allowed", "all: fallback")
    settled(kit)
    assert not held(store, "assigned")


def test_who_withdraws_takes_no_part_from_then_on(kit: Kit) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        act(show, kit)
        cxkit.withdraw("analytics")
        assert act(decide, kit).reasons == ("bolder: analytics is not allowed", "all: fallback")


def test_what_tests_nothing_is_for_those_too_who_may_not_be_measured(kit: Kit) -> None:
    rollout = attrs.evolve(EXPERIMENT, variations=("bold",))
    forced = attrs.evolve(EXPERIMENT, force="bold")
    for experiment in (rollout, forced):
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            assert act(decide, kit, attrs.evolve(SPEC, experiments=(experiment,))).variant == "bold"


@pytest.mark.parametrize("purpose", ["necessary", "analytics", "personalization"])
def test_an_exporter_gets_it_for_each_purpose_that_is_allowed(store: Faulty, purpose: Any) -> None:
    exporter = RecordingExporter(purposes=frozenset({purpose}))
    with closing(Kit(Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True)) as kit:
        with on_device(kit, visitor_given("bold")):
            allow()
            act(show, kit)
        assert kit.flush(timeout_s=30).complete
    got = {one.name for one in exporter.interactions}
    assert ("experiment.assigned" in got, "experience.shown" in got) == (purpose != "personalization",) * 2


# --- exposures ---


def shown(exporter: RecordingExporter) -> list[Any]:
    return [one for one in exporter.interactions if one.name == "experience.shown"]


def test_an_exposure_has_the_same_id_all_day_in_every_process(
    kit: Kit, exporter: RecordingExporter, store: Faulty
) -> None:
    visitor = visitor_given("bold")
    for _ in range(3):
        with on_device(kit, visitor):
            allow()
            act(show, kit)
    other = RecordingExporter()
    second = Kit(Settings(strict=True), exporters={"x": other}, store=store, in_memory=True)
    second.desk = attrs.evolve(second.desk, keyring=kit.desk.keyring)
    with on_device(second, visitor):
        allow()
        act(show, second)
    assert kit.flush(timeout_s=30).complete
    assert second.flush(timeout_s=30).complete
    second.close(timeout_s=10)
    assert len(shown(exporter)) == 1
    assert [one.id for one in shown(other)] == [one.id for one in shown(exporter)]
    assert shown(exporter)[0].decision.assignment.variation == "bold"


def test_a_batch_is_exposed_when_it_is_sent(kit: Kit, exporter: RecordingExporter) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        decision = act(decide, kit)
        assert kit.flush(timeout_s=30).complete
        assert not shown(exporter)
        scope = current_scope()
        assert scope is not None
        for _ in range(2):
            exposed(kit.desk, scope, Chooser(SPEC), decision, patience_s=1.0)
    assert kit.flush(timeout_s=30).complete
    assert [one.decision.variant for one in shown(exporter)] == ["bold"]


@pytest.mark.parametrize("whose", ["another's", "their own"])
def test_what_was_decided_for_another_is_not_kept_by_whoever_it_is_shown_to(
    kit: Kit, store: Faulty, exporter: RecordingExporter, whose: str
) -> None:
    """They saw it; but their own variation is another one."""
    with on_device(kit, visitor_given("bold")):
        allow()
        decision = act(decide, kit)
    there = visitor_given("all" if whose == "another's" else "bold")
    with on_device(kit, there):
        allow()
        scope = current_scope()
        assert scope is not None
        exposed(kit.desk, scope, Chooser(SPEC), decision, patience_s=1.0)
        settled(kit)
    assert given_to(kit, there) == ("all" if whose == "another's" else "bold")
    assert bool(held(store, "assigned")) == (whose == "their own")
    assert kit.intake.noted == ({"assignment_foreign": 1} if whose == "another's" else {})
    assert kit.flush(timeout_s=30).complete
    assert [one.decision.variant for one in shown(exporter)] == ["bold"]


def test_what_an_experiment_gave_in_another_version_is_not_kept(kit: Kit, store: Faulty) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        decision = act(decide, kit)
        later = attrs.evolve(SPEC, experiments=(attrs.evolve(SPEC.experiments[0], version=1),))
        scope = current_scope()
        assert scope is not None
        exposed(kit.desk, scope, Chooser(later), decision, patience_s=1.0)
        settled(kit)
    assert not held(store, "assigned")


def test_where_the_unit_is_not_known_each_exposure_counts(kit: Kit, exporter: RecordingExporter) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        decision = act(decide, kit)
    for name in ("nancy", "odile"):
        with cxkit.scope(kit=kit, user_id=name, evidence="login"):
            allow()
            scope = current_scope()
            assert scope is not None
            exposed(kit.desk, scope, Chooser(SPEC), decision, patience_s=1.0)
    assert kit.flush(timeout_s=30).complete
    assert len({one.id for one in shown(exporter)}) == 2


def test_a_machine_is_in_no_experiment_and_sees_nothing_that_counts(kit: Kit, exporter: RecordingExporter) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        scope = current_scope()
        assert scope is not None
        scope.enriched(attrs.evolve(scope.context, actor="bot"))
        decision = act(show, kit)
        assert (decision.variant, decision.assignment) == ("all", None)
    assert kit.flush(timeout_s=30).complete
    assert not shown(exporter)


def test_who_is_held_out_counts_as_that_and_is_in_no_experiment(kit: Kit) -> None:
    holdout = Holdout(name="q4", share=0.5)
    spec = attrs.evolve(SPEC, experiments=(attrs.evolve(EXPERIMENT, holdout=holdout),))
    seen: dict[str, set[str]] = {}
    for number in range(40):
        with on_device(kit, f"v-{number}"):
            allow()
            decision = act(decide, kit, spec)
            assert decision.holdout is not None
            assert decision.holdout.experiment == "q4"
            assert decision.by == ("default" if decision.holdout.variation == "held" else "split")
            seen.setdefault(decision.holdout.variation, set()).add(decision.variant)
            assert (decision.assignment is not None) is (decision.holdout.variation == "compared")
    assert seen == {"held": {"all"}, "compared": {"all", "bold"}}


def test_a_variation_is_as_personal_as_is_allowed_or_nobody_takes_part(kit: Kit) -> None:
    spec = attrs.evolve(SPEC, variants=(attrs.evolve(SPEC.variants[0], depth=3),))
    with on_device(kit, visitor_given("bold")):
        allow()
        decision = act(decide, kit, spec)
        assert decision.reasons == ("bolder: depth 3 is over the cap of 1 (consent)", "all: fallback")


def test_a_page_with_an_experiment_is_for_one_visitor(kit: Kit) -> None:
    with on_device(kit, visitor_given("bold")):
        allow()
        act(show, kit)
        scope = current_scope()
        assert scope is not None
        assert "visitor" in scope.follows


def test_two_processes_agree_within_a_second(kit: Kit, store: Faulty) -> None:
    visitor = visitor_given("bold")
    second = Kit(Settings(strict=True), store=store, in_memory=True)
    second.desk = attrs.evolve(second.desk, keyring=kit.desk.keyring)
    with on_device(second, visitor):
        allow()
        assert act(decide, second, TURNED).variant == "all"
        with on_device(kit, visitor):
            allow()
            act(show, kit)
        eventually(lambda: act(decide, second, TURNED).variant == "bold")
    second.close(timeout_s=10)


def test_what_is_not_sticky_and_a_holdout_are_kept_nowhere(kit: Kit, store: Faulty) -> None:
    loose = attrs.evolve(EXPERIMENT, sticky=False, fallback_unit=None, holdout=Holdout(name="q4", share=0.5))
    spec = attrs.evolve(SPEC, experiments=(loose,))
    for number in range(10):
        with on_device(kit, f"v-{number}"):
            allow()
            act(show, kit, spec)
    settled(kit)
    assert not held(store, "assigned")


def test_whoever_is_held_out_is_exposed_in_each_experience(kit: Kit, exporter: RecordingExporter) -> None:
    """And so is who is in one experiment that two experiences share."""
    shared = attrs.evolve(EXPERIMENT, holdout=Holdout(name="q4", share=0.5))
    both = [attrs.evolve(SPEC, name=name, experiments=(shared,)) for name in ("assign.one", "assign.two")]
    for number in range(8):
        with on_device(kit, f"v-{number}"):
            allow()
            for spec in both:
                act(show, kit, spec)
    assert kit.flush(timeout_s=30).complete
    assert [one.decision.experience for one in shown(exporter)] == ["assign.one", "assign.two"] * 8


def test_what_was_shown_without_identifiers_has_no_id_that_joins_it(kit: Kit, exporter: RecordingExporter) -> None:
    """And it does not stand in the way of what they allow afterwards."""
    visitor = visitor_given("bold")
    with on_device(kit, visitor):
        act(show, kit)
        cxkit.grant("personalization")
        act(show, kit)
        allow()
        act(show, kit)
    with on_device(kit, visitor):
        act(show, kit)
    assert kit.flush(timeout_s=30).complete
    named = [one for one in shown(exporter) if one.identity]
    nameless = [one for one in shown(exporter) if not one.identity]
    assert len(named) == 1
    assert named[0].decision.assignment
    assert len({one.id for one in shown(exporter)}) == len(shown(exporter)) == 2
    assert {one.id[19:] for one in nameless}.isdisjoint({named[0].id[19:]})


def test_what_is_shown_to_whoever_claims_to_be_somebody_takes_nothing_from_them(
    kit: Kit, exporter: RecordingExporter
) -> None:
    spec = attrs.evolve(SPEC, experiments=(attrs.evolve(EXPERIMENT, unit="user_id", fallback_unit=None),))
    for evidence in ("claim", "login"):
        with cxkit.scope(kit=kit, user_id="nancy", evidence=evidence):
            allow()
            act(show, kit, spec)
    assert kit.flush(timeout_s=30).complete
    assert len({one.id for one in shown(exporter)}) == 2
