"""Which variation somebody gets: the specification's checks, in its order, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import DeclarationError
from cxkit.model import Assignment, Experiment, Holdout, Namespace, Prerequisite
from cxkit.rules.experience.assigning import Division, Given, sticky_key
from cxkit.rules.experience.hashing import bucketing

FULL = Experiment(
    name="bolder",
    variations=("all", "bold", "quiet"),
    unit="user_id",
    fallback_unit="visitor",
    audience={"country": "FR"},
    namespaces=(Namespace(name="checkout", ranges=((0, 0.9),)),),
    prerequisites=(Prerequisite(experience="home.banner", condition={"variant": "new"}),),
    holdout=Holdout(name="nobody", share=0),
    version=3,
    min_version=2,
)
INSIDE: dict[str, Any] = {
    "unit": {"user_id": "nancy"}.get,
    "attributes": {"country": "FR"},
    "decided": {"home.banner": {"variant": "new"}}.get,
}
MISSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"unit": {}.get}, "no user_id"),
    ({}, {"unit": {"user_id": "", "visitor": ""}.get}, "no user_id"),
    ({"namespaces": (Namespace(name="checkout", ranges=((0.9, 1),)),)}, {}, "outside its namespace"),
    ({"namespaces": (Namespace(name="c", ranges=((0, 1),), unit="device_id"),)}, {}, "no device_id"),
    ({}, {"attributes": {"country": "DE"}}, "country differs"),
    ({}, {"attributes": {}}, "country differs"),
    ({}, {"decided": {}.get}, 'prerequisite "home.banner" is not fulfilled'),
    ({}, {"decided": {"home.banner": {"variant": "old"}}.get}, 'prerequisite "home.banner" is not fulfilled'),
    ({}, {"kept": {"bolder__1": "all"}.get}, "took part in a version that is over"),
    ({}, {"kept": {"bolder__0": "all", "bolder__3": "all"}.get}, "took part in a version that is over"),
    ({"coverage": 0}, {}, "outside its coverage"),
]
"""Of the experiment and of whoever asks, what keeps them out, and why."""


def given_by(experiment: Experiment = FULL, **changed: Any) -> Given:
    return Division(experiment).assign(**{**INSIDE, **changed})


def never(asked: str) -> Any:
    raise AssertionError(asked)


def test_who_passes_every_check_is_divided() -> None:
    given = given_by()
    assert (given.variation, given.reason, given.holdout) == ("bold", "divided", None)
    assert given.assignment == Assignment(experiment="bolder", variation="bold", version=3, unit="user_id")


@pytest.mark.parametrize(("experiment", "changed", "reason"), MISSED)
def test_who_does_not_pass_one_check_takes_no_part(
    experiment: dict[str, Any], changed: dict[str, Any], reason: str
) -> None:
    assert given_by(attrs.evolve(FULL, **experiment), **changed) == Given(None, reason)


def test_the_order_of_the_checks() -> None:
    """Each of these fails at the first that can fail, and what comes after it is not asked."""
    nowhere = (Namespace(name="checkout", ranges=()),)
    held = Holdout(name="quiet-2026", share=0.5)
    everybody_held = {"visitor": "someone"}
    assert bucketing("quiet-2026")("someone") < 0.5
    assert given_by(attrs.evolve(FULL, holdout=held), unit=everybody_held.get, kept=never).reason.startswith("held out")
    assert given_by(unit={}.get, kept=never, decided=never).reason == "no user_id"
    kept = {"bolder__3": "quiet"}
    elsewhere = attrs.evolve(FULL, namespaces=nowhere)
    assert given_by(elsewhere, kept=kept.get, attributes={}, decided=never).reason == "kept"
    assert given_by(elsewhere, attributes={}, decided=never).reason == "outside its namespace"
    assert given_by(attributes={}, decided=never).reason.endswith(" differs")
    old = {"bolder__0": "quiet"}
    assert given_by(kept=old.get, decided={}.get).reason.startswith("prerequisite")
    assert given_by(attrs.evolve(FULL, coverage=0), kept=old.get).reason.startswith("took part")
    assert given_by(attrs.evolve(FULL, coverage=0, force="all")).reason == "outside its coverage"
    assert given_by(attrs.evolve(FULL, force="all")).reason == "forced for all"


# --- what is kept ---


def test_what_was_given_is_kept() -> None:
    given = given_by(kept={"bolder__3": "quiet"}.get)
    assert (given.variation, given.reason) == ("quiet", "kept")
    assert given.assignment is not None
    assert given.assignment.sticky


@pytest.mark.parametrize(
    "kept", [{"bolder__2": "quiet"}, {"bolder__4": "quiet"}, {"bolder__3": "gone"}, {"bolder": "quiet"}]
)
def test_what_was_kept_of_another_version_or_is_gone_is_not_taken(kept: dict[str, str]) -> None:
    assert given_by(kept=kept.get).reason == "divided"


def test_an_experiment_that_is_not_sticky_keeps_nothing() -> None:
    experiment = attrs.evolve(FULL, sticky=False, fallback_unit=None)
    assert given_by(experiment, kept=never).reason == "divided"


def test_who_signs_in_keeps_what_they_had() -> None:
    """Divided by the visitor, as they had no user_id; kept when they have one."""
    before = given_by(unit={"visitor": "v-1"}.get)
    assert before.assignment is not None
    assert before.assignment.unit == "visitor"
    kept = {sticky_key("bolder", 3): before.variation}
    after = given_by(unit={"visitor": "v-1", "user_id": "bob"}.get, kept=kept.get)
    assert after.assignment is not None
    assert (after.variation, after.assignment.unit, after.assignment.sticky) == (before.variation, "user_id", True)


# --- forced, rolled out ---


def test_a_variation_forced_for_all_is_not_counted() -> None:
    assert given_by(attrs.evolve(FULL, force="quiet")) == Given("quiet", "forced for all")


def test_a_rollout_to_all_needs_no_identifier() -> None:
    rollout = Experiment(name="bold-for-all", variations=("bold",), audience={"country": "FR"})
    assert given_by(rollout, unit=never) == Given("bold", "rolled out")
    assert given_by(rollout, unit=never, attributes={}).reason.endswith(" differs")


@pytest.mark.parametrize(("coverage", "share"), [(0, 0), (0.25, 0.25), (0.999, 0.999)])
def test_a_rollout_reaches_its_coverage_and_counts_nobody(coverage: float, share: float) -> None:
    rollout = Division(Experiment(name="bold-for-some", variations=("bold",), coverage=coverage))
    given = [rollout.assign(unit={"visitor": f"v-{one}"}.get) for one in range(4_000)]
    reached = [one for one in given if one.variation]
    assert len(reached) / len(given) == pytest.approx(share, abs=0.03)
    assert not any(one.assignment for one in given)
    assert rollout.assign(unit={}.get) == Given(None, "no visitor")


def test_a_rollout_includes_the_end_of_its_coverage() -> None:
    number = bucketing("edge", 1)("v-1")
    edge = Experiment(name="edge", variations=("bold",), coverage=number, hash_version=1)
    assert given_by(edge, unit={"visitor": "v-1"}.get).variation == "bold"
    test = attrs.evolve(edge, variations=("all", "bold"), weights=(1, 0))
    assert given_by(test, unit={"visitor": "v-1"}.get).variation is None


# --- holdouts ---


def test_a_holdout_keeps_some_out_and_marks_as_many_to_compare() -> None:
    experiment = Experiment(name="bolder", variations=("all", "bold"), holdout=Holdout(name="quiet-2026", share=0.1))
    division, plain = Division(experiment), Division(attrs.evolve(experiment, holdout=None))
    parts: dict[str | None, int] = {"held": 0, "compared": 0, None: 0}
    for one in range(10_000):
        unit = {"visitor": f"v-{one}"}.get
        given = division.assign(unit=unit)
        part = given.holdout.variation if given.holdout else None
        parts[part] += 1
        if part == "held":
            assert (given.variation, given.assignment) == (None, None)
            assert given.reason == 'held out by "quiet-2026"'
        else:
            assert given._replace(holdout=None) == plain.assign(unit=unit)
    spread = 3.2905 * (10_000 * 0.1 * 0.9) ** 0.5
    assert abs(parts["held"] - 1_000) <= spread
    assert abs(parts["compared"] - 1_000) <= spread


def test_a_holdout_holds_out_of_a_rollout_to_all_too() -> None:
    holdout = Holdout(name="quiet-2026", share=0.5)
    rollout = Division(Experiment(name="bold-for-all", variations=("bold",), holdout=holdout))
    given = {rollout.assign(unit={"visitor": f"v-{one}"}.get) for one in range(50)}
    held, compared = (Assignment(experiment="quiet-2026", variation=part) for part in ("held", "compared"))
    assert given == {
        Given(None, 'held out by "quiet-2026"', holdout=held), Given("bold", "rolled out", holdout=compared)
    }  # fmt: skip


def test_a_holdout_holds_the_same_people_from_each_experiment() -> None:
    holdout = Holdout(name="quiet-2026", share=0.3)
    divisions = [Division(Experiment(name=f"e{one}", variations=("a", "b"), holdout=holdout)) for one in range(3)]
    for one in range(200):
        held = {division.assign(unit={"visitor": f"v-{one}"}.get).holdout for division in divisions}
        assert len(held) == 1


def test_whom_a_holdout_does_not_know_it_does_not_hold() -> None:
    experiment = attrs.evolve(FULL, holdout=Holdout(name="quiet-2026", share=0.5, unit="device_id"))
    assert given_by(experiment).reason == "divided"


# --- laws ---

identifiers = st.text(min_size=1, max_size=40)
splits: Callable[..., Any] = st.lists(st.integers(1, 9), min_size=2, max_size=4)


@given(identifiers, splits, st.floats(0, 1), st.sampled_from([1, 2]))
def test_it_is_the_same_in_each_process(value: str, weights: list[int], coverage: float, hash_version: Any) -> None:
    experiment = Experiment(
        name="bolder", variations=[f"v{one}" for one in range(len(weights))], hash_version=hash_version,
        weights=[one / sum(weights) for one in weights], coverage=coverage,
    )  # fmt: skip
    given, again = (given_by(experiment, unit={"visitor": value}.get) for _ in range(2))
    assert given == again
    assert (given.variation is None) == (given.reason == "outside its coverage") == (given.assignment is None)


@given(identifiers, st.floats(0, 1))
def test_experiments_that_share_a_namespace_never_meet(value: str, border: float) -> None:
    one = attrs.evolve(FULL, name="one", namespaces=(Namespace(name="shared", ranges=((0, border),)),))
    other = attrs.evolve(FULL, name="other", namespaces=(Namespace(name="shared", ranges=((border, 1),)),))
    unit = {"user_id": value}.get
    assert sum(given_by(experiment, unit=unit).variation is not None for experiment in (one, other)) == 1


def test_two_experiments_divide_independently() -> None:
    """Of each variation of the one, as many get either of the other: within three and a bit standard deviations."""
    one, other = (Division(Experiment(name=name, variations=("a", "b"))) for name in ("first-test", "second-test"))
    both = [(one.assign(unit=unit).variation, other.assign(unit=unit).variation)
            for unit in ({"visitor": f"v-{number}"}.get for number in range(20_000))]  # fmt: skip
    for pair in [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]:
        assert abs(both.count(pair) - 5_000) <= 3.2905 * (20_000 * 0.25 * 0.75) ** 0.5


def test_what_is_none_is_refused_with_its_name() -> None:
    for changed in (
        {"audience": {"a": {"$x": 1}}},
        {"prerequisites": (Prerequisite(experience="b", condition={"$x": []}),)},
    ):
        with pytest.raises(DeclarationError, match=r'experience "home\.hero", experiment "bolder"'):
            Division(attrs.evolve(FULL, **changed), where='experience "home.hero"')
