"""What is refused before anybody is shown anything: each by name, with what to do."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import DeclarationError
from cxkit.model import ExperienceSpec, Experiment, Holdout, Namespace, Prerequisite, Question, Variant
from cxkit.rules.experience import Chooser, check_together

BOLD = Experiment(name="bolder", variations=("all", "bold"))
HELD = attrs.evolve(BOLD, holdout=Holdout(name="q4", share=0.1))
QUIETER = Holdout(name="q5", share=0.1)
HERO = ExperienceSpec(
    name="home.hero",
    fallback=Variant(name="all"),
    variants=(Variant(name="bold"), Variant(name="gold", audience={"traits.plan": "gold"}), Variant(name="quiet")),
    experiments=(BOLD,),
)

AFTER = Prerequisite(experience="b", condition={"a..": 1})


def hero(**changed: Any) -> ExperienceSpec:
    return attrs.evolve(HERO, **changed)


def other(of: str, /, *after: str, **changed: Any) -> ExperienceSpec:
    """An experience with one experiment of its own."""
    experiment = Experiment(name=f"{of}-test", variations=("default", "new"),
                            prerequisites=[Prerequisite(experience=one) for one in after])  # fmt: skip
    return ExperienceSpec(name=of, variants=(Variant(name="new"),), experiments=(attrs.evolve(experiment, **changed),))


def test_what_is_sound_is_accepted() -> None:
    Chooser(HERO)
    Chooser(hero(order=("gold", "bolder", "quiet")))
    Chooser(ExperienceSpec(name="bare"))
    check_together([HERO, other("a", "home.hero"), other("b", "a", "home.hero"), other("c", "a", "b")])
    check_together([])


@pytest.mark.parametrize(
    ("spec", "code", "what", "fix"),
    [
        (
            hero(variants=(*HERO.variants, Variant(name="x", audience={"a": {"$or": []}}))),
            "CX3041",
            'experience "home.hero", variant "x", audience: a.$or',
            "",
        ),
        (
            hero(experiments=(attrs.evolve(BOLD, audience={"a": {"$in": 1}}),)),
            "CX3042",
            'experience "home.hero", experiment "bolder", audience: a.$in',
            "a list",
        ),
        (
            hero(experiments=(attrs.evolve(BOLD, prerequisites=(AFTER,)),)),
            "CX3040",
            'experience "home.hero", experiment "bolder", after "b": a..',
            "",
        ),
        (
            hero(questions=(Question(name="diet", when={"a": {"$regex": "("}}),)),
            "CX3043",
            'experience "home.hero", question "diet", when: a.$regex',
            "",
        ),
        (
            hero(experiments=(attrs.evolve(BOLD, variations=("all", "blod")),)),
            "CX3045",
            'variations.1, "blod", is no',
            '"bold"',
        ),
        (hero(experiments=(BOLD, BOLD)), "CX3046", 'two experiments "bolder"', "differently"),
        (hero(experiments=(attrs.evolve(BOLD, name="gold"),)), "CX3046", "or a variant of that name", "differently"),
        (
            hero(experiments=(attrs.evolve(BOLD, variations=("all", "gold")),)),
            "CX3047",
            '"bolder": variations.1, "gold"',
            "the experiment",
        ),
        (hero(order=("bolder", "gold", "quite")), "CX3048", "order.2", '"quiet"'),
        (hero(order=("bolder", "gold", "gold", "quiet")), "CX3048", "order.2", "quiet"),
        (hero(order=("bolder", "bold", "gold", "quiet")), "CX3048", 'order.1, "bold", is shown', "that one"),
        (hero(order=("bolder", "gold")), "CX3048", 'leaves out "quiet"', "add it"),
        (hero(experiments=(attrs.evolve(BOLD, fallback_unit="visitor"),)), "CX3049", "fallback_unit", "another type"),
        (
            hero(experiments=(attrs.evolve(BOLD, unit="user_id", fallback_unit="visitor", sticky=False),)),
            "CX3049",
            "fallback_unit",
            "sticky be true",
        ),
        (hero(experiments=(attrs.evolve(BOLD, version=2, min_version=3),)), "CX3049", "min_version", "at most 2"),
        (hero(experiments=(HELD, attrs.evolve(HELD, name="louder", holdout=QUIETER))), "CX3049", "'q4', 'q5'", "one"),
    ],
)
def test_one_that_cannot_mean_what_it_says_is_refused(spec: ExperienceSpec, code: str, what: str, fix: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Chooser(spec)
    assert caught.value.code == code
    assert 'experience "home.hero"' in caught.value.what
    assert what in caught.value.what
    assert fix in caught.value.fix


EXCLUSIVE = Namespace(name="checkout", ranges=((0, 0.5),))
OVERLAPPING = attrs.evolve(EXCLUSIVE, ranges=((0.4, 1),))


@pytest.mark.parametrize(
    ("specs", "code", "what", "fix"),
    [
        ([other("a", "hom.hero"), HERO], "CX3050", '"a", experiment "a-test"', '"home.hero"'),
        ([other("a", "a")], "CX3051", "a -> a", 'experience "a"'),
        ([other("a", "b"), other("b", "c"), other("c", "b")], "CX3051", "b -> c -> b", 'experience "c"'),
        (
            [HERO, other("a", name="bolder")],
            "CX3052",
            'experiment "bolder" is one thing in experience "home.hero" and another in "a"',
            "another name",
        ),
        (
            [other("a", holdout=Holdout(name="h", share=0.1)), other("b", holdout=Holdout(name="h", share=0.2))],
            "CX3052",
            'holdout "h"',
            "another name",
        ),
        (
            [other("a", namespaces=(EXCLUSIVE,)), other("b", namespaces=(OVERLAPPING,))],
            "CX3053",
            '"a-test" and "b-test" overlap in the ranges of namespace "checkout"',
            "ranges",
        ),
        (
            [
                other("a", namespaces=(attrs.evolve(EXCLUSIVE, exclusive=False),)),
                other("b", namespaces=(EXCLUSIVE,)),
            ],
            "CX3053",
            "overlap",
            "exclusive = false in both",
        ),
        (
            [other("a", namespaces=(EXCLUSIVE,)), other("b", unit="user_id", namespaces=(EXCLUSIVE,))],
            "CX3053",
            "do not divide people alike",
            "same unit",
        ),
        (
            [other("a", namespaces=(EXCLUSIVE,)), other("b", namespaces=(attrs.evolve(EXCLUSIVE, hash_version=1),))],
            "CX3053",
            "do not divide people alike",
            "hash_version",
        ),
    ],
)
def test_those_that_cannot_stand_together_are_refused(
    specs: list[ExperienceSpec], code: str, what: str, fix: str
) -> None:
    for spec in specs:
        Chooser(spec)
    for these in (specs, specs[::-1]):
        with pytest.raises(DeclarationError) as caught:
            check_together(these)
        assert caught.value.code == code
    with pytest.raises(DeclarationError) as caught:
        check_together(specs)
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "changed",
    [
        {"namespaces": (attrs.evolve(EXCLUSIVE, ranges=((0.5, 1),)),)},
        {"namespaces": (attrs.evolve(EXCLUSIVE, name="elsewhere"),)},
        {"namespaces": (EXCLUSIVE,), "active": False},
        {"namespaces": (attrs.evolve(EXCLUSIVE, ranges=((0.2, 0.2),)),)},
    ],
)
def test_experiments_that_do_not_meet_may_share_a_namespace(changed: dict[str, Any]) -> None:
    check_together([other("a", namespaces=(EXCLUSIVE,)), other("b", **changed)])


def test_one_experiment_may_be_in_two_experiences() -> None:
    """So that they change together; it does not meet itself in its namespace."""
    shared = {"name": "whole-page", "namespaces": (EXCLUSIVE,)}
    check_together([other("a", **shared), other("b", **shared)])


def test_a_long_chain_is_no_circle() -> None:
    chain = [other(f"n{place}", f"n{place + 1}") for place in range(3_000)]
    check_together([*chain, other("n3000")])
    with pytest.raises(DeclarationError, match="n0 -> n1 -> "):
        check_together([*chain, other("n3000", "n0")])


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_circles_are_refused_and_nothing_else(edges: list[tuple[int, int]]) -> None:
    needs: dict[int, set[int]] = {node: {to for of, to in edges if of == node} for node in range(8)}
    reached = {node: set(those) for node, those in needs.items()}
    for middle in range(8):
        for node in range(8):
            if middle in reached[node]:
                reached[node] |= reached[middle]
    specs = [other(f"n{node}", *(f"n{to}" for to in sorted(those))) for node, those in needs.items()]
    if any(node in those for node, those in reached.items()):
        with pytest.raises(DeclarationError, match=" -> "):
            check_together(specs)
    else:
        check_together(specs)


@pytest.mark.parametrize(
    ("changed", "sound"),
    [
        ({"namespaces": [Namespace(name="bolder", ranges=[[0, 0.5]])]}, False),
        ({"namespaces": [Namespace(name="bolder", ranges=[[0, 0.5]])], "seed": "another"}, True),
        ({"namespaces": [Namespace(name="bolder", ranges=[[0, 0.5]], hash_version=1)]}, True),
        ({"namespaces": [Namespace(name="bolder", ranges=[[0, 0.5]], unit="user_id")]}, True),
        (
            {"namespaces": [Namespace(name="bolder", ranges=[[0, 1]], unit="user_id")], "fallback_unit": "user_id"},
            False,
        ),
        ({"namespaces": [Namespace(name="home", ranges=[[0, 0.5]]), Namespace(name="home", ranges=[[0.4, 1]])]}, True),
        ({"holdout": Holdout(name="bolder", share=0.1)}, False),
        ({"holdout": Holdout(name="q4", share=0.1), "seed": "q4"}, False),
        ({"holdout": Holdout(name="q4", share=0.1), "namespaces": [Namespace(name="q4", ranges=[[0, 0.5]])]}, False),
        ({"holdout": Holdout(name="q4", share=0.1), "namespaces": [Namespace(name="home", ranges=[[0, 0.5]])]}, True),
    ],
)
def test_what_divides_people_by_one_hash_is_refused(changed: dict[str, Any], sound: bool) -> None:
    """Else all within the part would be given one variation."""
    spec = hero(experiments=(attrs.evolve(BOLD, **changed),))
    if sound:
        Chooser(spec)
        return
    with pytest.raises(DeclarationError) as caught:
        Chooser(spec)
    assert caught.value.code == "CX3054"


def test_a_question_is_the_same_wherever_it_is_asked() -> None:
    """Its answer is one trait, and whoever answers by its name says nothing of where it was asked."""
    diet = Question(name="diet", options=("vegan", "nuts"))
    first, again = (ExperienceSpec(name=name, questions=(diet,)) for name in ("a", "b"))
    check_together([first, again])
    with pytest.raises(DeclarationError) as caught:
        check_together([first, attrs.evolve(again, questions=(Question(name="diet"),))])
    assert (caught.value.code, 'question "diet"' in caught.value.what) == ("CX3052", True)


def test_a_holdout_and_an_experiment_have_names_of_their_own() -> None:
    one = other("a", holdout=Holdout(name="b-test", share=0.1))
    with pytest.raises(DeclarationError) as caught:
        check_together([one, other("b")])
    assert caught.value.code == "CX3052"
