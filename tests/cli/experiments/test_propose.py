"""What could be tested, from the command line to the file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.experiments.lives import TOML, lives, run
from tests.cli.terminal import cxkit

UNTESTED = TOML[: TOML.index("[[")]


def proposed(*arguments: object) -> Any:
    return json.loads(run("propose", *arguments, "--json").stdout)


def test_an_experience_without_a_running_experiment_is_proposed_as_it_can_be_pasted(
    folder: Path, holding: Callable[..., None]
) -> None:
    (folder / "cxkit.toml").write_text(UNTESTED)
    holding(*lives({"all": (40, 4), "bold": (400, 100)}))
    lines = run("propose", "--goal", "order.paid").stdout.splitlines()
    assert lines[:5] == [
        "home.hero: all, bold",
        "  in 1 week: 400 persons; least effect found four times in five: 49 %",
        "  in 2 weeks: 400 persons; least effect found four times in five: 49 %",
        "  in 4 weeks: 400 persons; least effect found four times in five: 49 %",
        "  25.0 % of them reached order.paid",
    ]
    pasted = "\n".join(lines[5:])
    (folder / "cxkit.toml").write_text(UNTESTED + pasted)
    assert proposed() == []
    assert json.loads(run("readout", "home-hero-1", "--json").stdout)["reasons"] == ["nobody"]


def test_the_audience_of_a_variant_becomes_that_of_the_experiment(folder: Path, holding: Callable[..., None]) -> None:
    audience = '{ "traits.plan" = "gold", "page.count" = 3, "$or" = [{ a = true }, { b = 1.5 }] }'
    variants = f'[{{ name = "bold", audience = {audience} }}, {{ name = "calm" }}, {{ name = "loud" }}]'
    (folder / "cxkit.toml").write_text(UNTESTED.replace('[{ name = "bold", depth = 2 }]', variants))
    holding()
    by_name = {one["name"]: one for one in proposed()}
    assert {name: one["variations"] for name, one in by_name.items()} == {
        "home-hero-1": ["all", "bold"],
        "home-hero-2": ["all", "calm", "loud"],
    }
    assert by_name["home-hero-1"]["audience"]["$or"] == [{"a": True}, {"b": 1.5}]
    assert by_name["home-hero-1"]["detectable"] == {"1": None, "2": None, "4": None}
    out = run("propose").stdout
    assert "take the audience out of these variants" in out
    (line,) = [one for one in out.splitlines() if one.startswith("audience = ")]
    assert tomllib.loads(line)["audience"] == by_name["home-hero-1"]["audience"]


def test_what_is_tested_already_is_not_proposed(holding: Callable[..., None]) -> None:
    holding()
    assert proposed() == []
    assert run("propose").stdout.startswith("nothing to propose")


def test_what_code_declares_is_proposed_too(folder: Path, holding: Callable[..., None]) -> None:
    holding()
    (folder / "shop_to_test.py").write_text(
        'import cxkit\nVARIANTS = [cxkit.Variant(name="loud")]\n'
        'cxkit.experience("home.loud", fallback=cxkit.Variant(name="all"), variants=VARIANTS)\n'
    )
    done = cxkit("experiments", "propose", "--module", "shop_to_test", "--json", cwd=folder)
    assert [one["experience"] for one in json.loads(done.stdout)] == ["home.loud"], done.stderr
