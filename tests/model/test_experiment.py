"""What may be declared of an experiment, and how it is refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.errors import DeclarationError
from cxkit.model import ExperienceSpec, Experiment, Holdout, Namespace, Prerequisite

SOUND: dict[type, dict[str, Any]] = {
    Experiment: {"name": "bolder", "variations": ["all", "bold"]},
    Namespace: {"name": "checkout", "ranges": [[0, 0.5]]},
    Holdout: {"name": "quiet-2026", "share": 0.05},
}
NO_KEY = [None, 1, "", "two words", "x" * 101, "é"]
NO_UNIT = [1, "", "Visitor", "person", ["visitor"]]
NO_SHARE = [None, "0.5", True, -0.1, 1.1, float("nan")]
NO_HASH = [None, 0, 3, "2", 2.0, True]
NO_TRUTH = [None, "no", 0, 1]
NO_CONDITION = [None, [1], "country"]
NO_VERSION = [None, -1, 1001, "1", 1.0, True]
WRONG: dict[tuple[type, str], list[Any]] = {
    (Experiment, "name"): NO_KEY,
    (Experiment, "variations"): [[], ["all", "all"], ["all", None], [["all"]]],
    (Experiment, "weights"): [[1], [0.5, 0.2], [2, -1], ["0.5", "0.5"], [True, False]],
    (Experiment, "coverage"): NO_SHARE,
    (Experiment, "unit"): [None, *NO_UNIT],
    (Experiment, "fallback_unit"): NO_UNIT,
    (Experiment, "audience"): NO_CONDITION,
    (Experiment, "seed"): NO_KEY[1:],
    (Experiment, "hash_version"): NO_HASH,
    (Experiment, "ranges"): [[[0, 1]], [[0, 1], 1], [[0, 1], [0.5]], [[0.5, 0.2], [0, 1]], [[0, 1], [0, 2]]],
    (Experiment, "namespaces"): [["checkout"], [Namespace(name="a", ranges=[]), {}]],
    (Experiment, "prerequisites"): [["home.hero"], [{}]],
    (Experiment, "holdout"): ["quiet-2026", {}, Namespace(name="a", ranges=[])],
    (Experiment, "version"): NO_VERSION,
    (Experiment, "min_version"): NO_VERSION,
    (Experiment, "sticky"): NO_TRUTH,
    (Experiment, "force"): ["quiet", 1],
    (Experiment, "active"): NO_TRUTH,
    (Experiment, "goals"): [["Order paid"], [1]],
    (Experiment, "planned_units"): [0, -1, 1.5, "9", True],
    (Namespace, "name"): NO_KEY,
    (Namespace, "ranges"): [[1], [[0]], [[0, "1"]], [[0.5, 0.2]], [[0, 2]]],
    (Namespace, "unit"): NO_UNIT,
    (Namespace, "hash_version"): [*NO_HASH, 7],
    (Namespace, "exclusive"): NO_TRUTH,
    (Holdout, "name"): NO_KEY,
    (Holdout, "share"): [*NO_SHARE, 0.6],
    (Holdout, "unit"): [None, *NO_UNIT],
}


@pytest.mark.parametrize(
    ("kind", "field", "value"), [(*place, value) for place, values in WRONG.items() for value in values], ids=str
)
def test_what_is_none_is_refused(kind: type, field: str, value: object) -> None:
    kind(**SOUND[kind])
    with pytest.raises(DeclarationError) as caught:
        kind(**{**SOUND[kind], field: value})
    assert caught.value.code == "CX3018"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("told", "code"), [({"experience": 3}, "CX3002"), ({"experience": "home.hero", "condition": [1]}, "CX3018")]
)
def test_what_comes_before_is_an_experience(told: dict[str, Any], code: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Prerequisite(**told)
    assert caught.value.code == code


@pytest.mark.parametrize("tested", ["e", {}, None, Holdout(name="a", share=0.1)])
def test_an_experience_has_experiments_or_none(tested: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        ExperienceSpec(name="home.hero", experiments=(tested,))
    assert (caught.value.code, "home.hero" in caught.value.what) == ("CX3018", True)


def test_nothing_is_said_of_what_stands_in_it_but_its_name() -> None:
    with pytest.raises(DeclarationError) as caught:
        Experiment(name="bolder", variations=["all", "bold"], unit="x" * 10_000)
    assert len(str(caught.value)) < 500
