"""What an operator says of an experiment holds in every process, within a second, and whatever was declared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.flows.decide import decide
from cxkit.kit import Kit, operators
from cxkit.model import Decision, ExperienceSpec, Experiment, Variant
from cxkit.rules.experience import Chooser
from cxkit.settings import Keys, Secret, Settings
from tests.flows.world import Faulty, eventually

SPEC = ExperienceSpec(
    name="ruled.hero",
    fallback=Variant(name="all"),
    variants=(Variant(name="bold"),),
    experiments=(Experiment(name="ruled", variations=("all", "bold"), weights=(0, 1), audience={"channel": "web"}),),
)
REST = attrs.evolve(SPEC, experiments=(attrs.evolve(SPEC.experiments[0], active=False),))


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def decided(kit: Kit, spec: ExperienceSpec = SPEC, *, channel: str = "web") -> Decision:
    with cxkit.scope(kit=kit, visitor="v-1", evidence="cookie", channel=channel):
        cxkit.grant("analytics")
        scope = current_scope()
        assert scope is not None
        return decide(kit.desk, scope, Chooser(spec), patience_s=1.0)


def variation_of(decision: Decision) -> str | None:
    return decision.assignment and decision.assignment.variation


def ruled(kit: Kit, **said: Any) -> None:
    assert operators.rule(
        kit, "ruled", actor="mary", reason="because", **{"winner": None, "version": 0, **said}
    ).complete


def test_it_stops_and_starts(kit: Kit) -> None:
    assert decided(kit).variant == "bold"
    ruled(kit, running=False)
    assert decided(kit).reasons == ("ruled: does not run", "all: fallback")
    ruled(kit, running=True)
    assert variation_of(decided(kit)) == "bold"


def test_what_is_declared_at_rest_is_started(kit: Kit) -> None:
    assert decided(kit, REST).variant == "all"
    ruled(kit, running=True)
    assert decided(kit, REST).variant == "bold"


def test_the_winner_is_for_everybody_in_the_audience_and_counts_nobody(kit: Kit) -> None:
    ruled(kit, running=False, winner="all")
    won = decided(kit)
    assert (won.variant, won.assignment, won.reasons) == ("all", None, ("ruled: rolled out",))
    assert decided(kit, channel="phone").reasons[0] == "ruled: channel differs"


def test_the_winner_is_also_for_those_who_took_no_part(kit: Kit) -> None:
    elsewhere = attrs.evolve(SPEC, experiments=(attrs.evolve(SPEC.experiments[0], coverage=0, unit="device_id"),))
    assert decided(kit, elsewhere).reasons[0] == "ruled: no device_id"
    ruled(kit, running=False, winner="bold")
    assert decided(kit, elsewhere).variant == "bold"


def test_a_winner_that_is_no_variation_any_more_is_none(kit: Kit) -> None:
    ruled(kit, running=False, winner="gone")
    assert decided(kit).reasons[0] == "ruled: does not run"


def test_the_later_holds_in_whatever_order_they_are_committed(kit: Kit, store: Faulty) -> None:
    ruled(kit, running=True)
    ruled(kit, running=False)
    with closing(Kit(Settings(strict=True), store=store, in_memory=True)) as other:
        assert decided(other).reasons[0] == "ruled: does not run"


def test_another_process_goes_by_it_within_a_second(kit: Kit, store: Faulty) -> None:
    with closing(Kit(Settings(strict=True), store=store, in_memory=True)) as other:
        assert decided(other).variant == "bold"
        ruled(kit, running=False)
        eventually(lambda: decided(other).variant == "all")


def test_where_the_store_is_down_what_was_declared_holds(kit: Kit, store: Faulty) -> None:
    store.broken = True
    assert decided(kit).reasons[0] == "ruled: pending"
    store.broken = False
    eventually(lambda: decided(kit).variant == "bold")


def test_while_the_store_is_down_it_is_not_asked_at_each_decision(kit: Kit, store: Faulty) -> None:
    store.broken = True
    for _ in range(10):
        with cxkit.scope(kit=kit, channel="web"):
            scope = current_scope()
            assert scope is not None
            assert decide(kit.desk, scope, Chooser(SPEC), patience_s=1.0).variant == "all"
    assert store.asked["scan"] <= 3


def test_what_a_remote_store_has_not_said_yet_is_not_taken_for_nothing(kit: Kit, store: Faulty) -> None:
    """Else the first decision of each new process would run what was stopped."""
    ruled(kit, running=False)
    arrives = threading.Event()
    store.remote, store.meanwhile = True, arrives.wait
    keys = Keys(signing=(Secret("a secret of sixteen"),), identifier=Secret("another of sixteen"))
    loose = attrs.evolve(SPEC, experiments=(attrs.evolve(SPEC.experiments[0], sticky=False),))
    with closing(Kit(Settings(strict=True, keys=keys), store=store, in_memory=True)) as other:
        with cxkit.scope(kit=other, visitor="v-1", evidence="cookie", channel="web"):
            cxkit.grant("analytics")
            scope = current_scope()
            assert scope is not None
            assert decide(other.desk, scope, Chooser(loose), patience_s=0.0).reasons[0] == "ruled: pending"
        arrives.set()
        eventually(lambda: decided(other, loose).reasons[0] == "ruled: does not run")


def test_it_is_of_the_version_it_was_said_of(kit: Kit) -> None:
    ruled(kit, running=False, winner="all")
    anew = attrs.evolve(SPEC, experiments=(attrs.evolve(SPEC.experiments[0], version=1),))
    assert decided(kit).assignment is None
    given = decided(kit, anew).assignment
    assert given is not None
    assert given.version == 1
