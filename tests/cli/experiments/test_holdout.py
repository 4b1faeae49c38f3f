"""What all experiments brought together: whom none of them reaches, beside as many whom they may reach."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from cxkit.model import Interaction
from tests.cli.experiments.lives import TOML, lives, run

HELD = (
    TOML
    + """holdout = { name = "q4", share = 0.1 }

[experiences."home.cart"]
fallback = { name = "all" }
variants = [{ name = "quick" }]

[[experiences."home.cart".experiments]]
name = "quicker"
variations = ["all", "quick"]
holdout = { name = "q4", share = 0.1 }
"""
)


def as_held(one: Interaction) -> Interaction:
    """The experiment's variation becomes a part of the holdout."""
    decision = one.decision
    if decision is None or decision.assignment is None:
        return one
    part = attrs.evolve(
        decision.assignment, experiment="q4", variation={"all": "held", "bold": "compared"}[decision.variant]
    )  # fmt: skip
    return attrs.evolve(one, decision=attrs.evolve(decision, assignment=None, holdout=part))


@pytest.fixture
def held(folder: Path, holding: Callable[..., None]) -> None:
    (folder / "cxkit.toml").write_text(HELD)
    holding(*map(as_held, lives({"all": (300, 30), "bold": (300, 100)})))


@pytest.mark.usefixtures("held")
def test_a_holdout_is_read_out_by_a_goal() -> None:
    lines = run("readout", "q4", "--goal", "order.paid").stdout.splitlines()
    assert lines[0] == "q4, a holdout of home.hero, home.cart: decision-ready: a difference is shown"
    assert lines[3:6] == [
        "variation  units  share",
        "held         300  50.0 %",
        "compared     300  50.0 %",
    ]
    assert "compared raises order.paid by +233.3 %" in "\n".join(lines)
    told: Any = json.loads(run("readout", "q4", "--goal", "order.paid", "--by", "device", "--json").stdout)
    assert (told["experiences"], told["units"]) == (["home.hero", "home.cart"], {"held": 300, "compared": 300})
    assert told["left_behind"] == {"device": {}}


@pytest.mark.usefixtures("held")
def test_without_a_goal_it_says_so() -> None:
    assert "by --goal" in run("readout", "q4").stdout.splitlines()[1]


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("arguments", [["stop"], ["start"], ["conclude", "--winner", "held"]])
def test_nobody_starts_or_stops_a_holdout(arguments: list[str]) -> None:
    done = run(arguments[0], "q4", "--actor", "mary", "--reason", "harm", *arguments[1:])
    assert done.exit_code == 2
    assert "q4 is a holdout" in done.stderr
