"""Experiences that others depend on: decided once for each decision, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import attrs
import pytest

import cxkit
from cxkit import Experiment, Prerequisite, Variant
from cxkit.capture.scope import current_scope
from cxkit.errors import DeclarationError
from cxkit.kit import Kit, experiences
from cxkit.kit.experiences import declared
from cxkit.model import Decision
from cxkit.rules.experience import Chooser
from cxkit.settings import Settings


@pytest.fixture(autouse=True)
def nothing_stays_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kit that is made later would refuse the circle."""
    monkeypatch.setattr("cxkit.api.experiences.declared", mine := {**declared})
    monkeypatch.setattr("cxkit.kit.experiences.declared", mine)


@pytest.fixture
def kit() -> Iterator[Kit]:
    with closing(Kit(Settings(strict=True), in_memory=True)) as made:
        yield made


def depending(name: str, *others: str, more: int = 1) -> cxkit.Experience:
    """It is "new" where all of the others are."""
    needs = [Prerequisite(experience=one, condition={"variant": "new"}) for one in others]
    rollouts = [
        Experiment(name=f"{name}-{place}", variations=["new"], prerequisites=needs) for place in range(more)
    ]  # fmt: skip
    return cxkit.experience(name, variants=[Variant(name="new")], experiments=rollouts)


def decided(kit: Kit, experience: cxkit.Experience) -> Decision:
    with cxkit.scope(kit=kit, channel="web"):
        return experience.decide()


def test_it_follows_what_came_before(kit: Kit) -> None:
    depending("before.a")
    assert decided(kit, depending("before.b", "before.a")).variant == "new"
    cxkit.experience("before.a", variants=[Variant(name="new", audience={"channel": "phone"})])
    assert decided(kit, depending("before.b", "before.a")).reasons == (
        'before.b-0: prerequisite "before.a" is not fulfilled', "default: fallback",
    )  # fmt: skip


def test_a_circle_is_cut_and_counted(kit: Kit) -> None:
    """It is refused where it is declared; what is configured and what is declared may still make one."""
    depending("before.c", "before.d")
    with pytest.raises(DeclarationError):
        depending("before.d", "before.c")
    second = attrs.evolve(depending("before.d").spec, experiments=depending("before.x", "before.c").spec.experiments)
    experiences.declared["before.d"] = Chooser(second)
    found = cxkit.Experience.named("before.d")
    assert found is not None
    assert decided(kit, found).variant == "default"
    assert kit.intake.noted == {"prerequisite_cyclic": 1}


def test_what_is_not_there_is_counted(kit: Kit) -> None:
    assert decided(kit, depending("before.e", "before.nothing")).variant == "default"
    assert kit.intake.noted == {"prerequisite_missing": 1}


def test_each_is_decided_once_however_many_depend_on_it(kit: Kit) -> None:
    """Twelve layers of two, each of which needs both below: four thousand ways down, twenty-four experiences."""
    counted: list[str] = []

    class Counts:
        def decide(self, experience: Any, attributes: Any, *, cap: int) -> None:
            counted.append(experience.name)

    below: list[str] = []
    for layer in range(12):
        names = [f"before.l{layer}_{place}" for place in range(2)]
        for name in names:
            depending(name, *below, more=2)
        below = names
    with cxkit.scope(kit=kit, channel="web"):
        assert current_scope() is not None
        object.__setattr__(kit.desk, "deciders", (Counts(),))
        assert depending("before.top", *below).decide().variant == "new"
    assert len(counted) == len(set(counted)) == 25


def test_what_others_looked_at_is_followed_too(kit: Kit) -> None:
    cxkit.experience("before.f", variants=[Variant(name="new", audience={"country": "FR"}, depth=1)])
    with cxkit.scope(kit=kit, channel="web"):
        depending("before.g", "before.f").show()
        here: Any = cxkit.current()
        assert "country" in here._scope.follows
