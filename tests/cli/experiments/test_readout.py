"""Readouts on the command line: first whether anything may be decided, then the same numbers in each form."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import attrs
import pytest

from cxkit.errors import ConfigurationError, LocalFileError
from cxkit.exporters.local import read
from cxkit.model import Decision, Identifier, Identity, Interaction, Money
from tests.cli.experiments.lives import CLEAR, TOML, happened, lives, run, told
from tests.cli.terminal import cxkit

HOSTILE = "</title><script>alert(1)</script>\x1b[31m"


def test_a_readout_begins_with_whether_anything_may_be_decided(holding: Callable[..., None]) -> None:
    holding(*lives(CLEAR))
    lines = run("readout", "bolder").stdout.splitlines()
    assert lines[0] == "bolder, version 0, of home.hero: decision-ready: a difference is shown"
    assert lines[2:6] == [
        "Units",
        "variation  units  share",
        "all          300  50.0 %",
        "bold         300  50.0 %",
    ]
    assert re.fullmatch(
        r"order\.paid  share    bold +300  33\.3 % +\+233\.3 % +\+[\d.]+ % to \+[\d.]+ % +< 0\.0001", lines[10]
    )
    assert "bold raises order.paid by +233.3 %" in "\n".join(lines)
    assert lines[-1].startswith("Definition: ") or "Definition: " in "\n".join(lines)


@pytest.mark.parametrize(
    ("sizes", "declared", "said"),
    [
        ({"all": (300, 30), "bold": (150, 50)}, "", "units are not divided as they were to be"),
        (CLEAR, "planned_units = 5000\n", "600 units of the 5000 that were planned"),
        ({"all": (2, 1), "bold": (2, 1)}, "", "too few units"),
    ],
)
def test_it_says_why_not(
    sizes: dict[str, tuple[int, int]], declared: str, said: str, folder: Path, holding: Callable[..., None]
) -> None:
    (folder / "cxkit.toml").write_text(TOML + declared)
    if sizes["all"][0] == 2:
        holding(*[one for one in lives(sizes) if one.name != "order.paid"])
    else:
        holding(*lives(sizes))
    out = run("readout", "bolder").stdout
    assert out.splitlines()[0] == "bolder, version 0, of home.hero: not decision-ready"
    assert said in out.splitlines()[1]
    assert "raises" not in out
    assert not told()["ready"]


def test_nobody_was_exposed_yet(holding: Callable[..., None]) -> None:
    holding()
    assert run("readout", "bolder").stdout.splitlines()[1] == (
        "- nobody was exposed to it yet, as far as the local file knows"
    )


def test_it_says_how_often_it_was_shown_to_somebody_who_took_no_part(holding: Callable[..., None]) -> None:
    """And why, most often; whoever sees another experience is nobody's matter here."""

    def apart(number: int, why: str, experience: str = "home.hero", name: str = "bolder") -> Interaction:
        decision = Decision(experience=experience, variant="all", reasons=(f"{name}: {why}", "all: fallback"))
        return happened(number, number, "experience.shown", "exposure", decision=decision)

    holding(apart(1, "no visitor"))
    line = "home.hero was shown 1 time to somebody who took no part: bolder: no visitor is known"
    assert run("readout", "bolder").stdout.splitlines()[2] == f"- {line}"
    holding(
        *(apart(number, "analytics is not allowed") for number in (2, 3, 4)),
        apart(5, "no visitor", "home.cart"),
        apart(6, "no visitor", name="bolder-2"),
    )
    line = "home.hero was shown 4 times to somebody who took no part; 3 of them: bolder: analytics is not allowed"
    assert run("readout", "bolder").stdout.splitlines()[2] == f"- {line}"


def test_where_nothing_is_shown_nobody_is_told_that_it_may_be_decided(
    tmp_path: Path, holding: Callable[..., None]
) -> None:
    holding(*lives({"all": (30, 3), "bold": (30, 5)}))
    assert run("readout", "bolder").stdout.splitlines()[0].endswith(": it may be read, but no difference is shown")
    run("readout", "bolder", "--html", tmp_path / "page.html")
    assert "<h2>It may be read, but no difference is shown</h2>" in (tmp_path / "page.html").read_text("utf-8")
    assert told()["ready"]


def test_what_holds_at_the_planned_moment_is_shown_then(folder: Path, holding: Callable[..., None]) -> None:
    holding(*lives(CLEAR))
    for planned, fixed in [(601, False), (600, True)]:
        (folder / "cxkit.toml").write_text(f"{TOML}planned_units = {planned}\n")
        assert ("p as planned" in run("readout", "bolder").stdout) == fixed
        lines = [one for one in told()["lines"] if one["variation"] == "bold"]
        assert all((one["comparison"]["fixed"] is not None) == fixed for one in lines)


def test_it_is_held_against_the_weights_and_the_version_that_are_declared(
    folder: Path, holding: Callable[..., None]
) -> None:
    (folder / "cxkit.toml").write_text(TOML + "weights = [0.75, 0.25]\nversion = 2\n")
    holding(*lives({"all": (300, 30), "bold": (100, 10)}, version=2))
    found = told()
    assert (found["version"], found["units"], found["ready"]) == (2, {"all": 300, "bold": 100}, True)


def test_another_goal_may_be_asked_for(holding: Callable[..., None]) -> None:
    holding(*lives(CLEAR))
    found = told("--goal", "order.returned")
    assert {one["goal"] for one in found["lines"]} == {"order.returned"}
    assert found["reasons"] == ["too_few"]


def ruled(number: int, *, running: bool, version: int = 0) -> Interaction:
    said: dict[str, Any] = {"experiment": "bolder", "version": version, "running": running, "winner": None}
    nobody: dict[str, Any] = {"identity": Identity(), "properties": said}
    return attrs.evolve(happened(number, 1, "experiment.ruled", "measurement"), **nobody)


def test_what_comes_after_the_end_is_not_counted(holding: Callable[..., None]) -> None:
    """When all are shown the winner, its difference goes away."""
    early, late = list(lives(CLEAR)), happened(9_000, 5, "order.paid", "transaction", value=Money("20.00", "EUR"))
    holding(*early)
    before = told()
    holding(ruled(8_000, running=False), ruled(8_500, running=False), late)
    found = told()
    assert (before["alarms"], found["alarms"]) == ([], ["ended"])
    assert [one["reached"] for one in found["lines"]] == [one["reached"] for one in before["lines"]]
    assert "it ended at" in run("readout", "bolder").stdout
    holding(ruled(10_000, running=True), ruled(11_000, running=False, version=7))
    assert told()["alarms"] == [], "it was started again; and what was said of another version is of that"


def test_of_several_variations_the_p_is_adjusted(folder: Path, holding: Callable[..., None]) -> None:
    text = TOML.replace('{ name = "bold", depth = 2 }', '{ name = "bold" }, { name = "mild" }')
    (folder / "cxkit.toml").write_text(text.replace('["all", "bold"]', '["all", "bold", "mild"]'))
    holding(*lives({"all": (600, 100), "bold": (600, 133), "mild": (600, 100)}))
    lines = {one["variation"]: one for one in told()["lines"] if one["metric"] == "share"}
    assert lines["bold"]["adjusted_p"] == pytest.approx(min(1, 2 * lines["bold"]["comparison"]["sequential"]["p"]))
    assert "adjusted p" in run("readout", "bolder").stdout


def test_groups_are_told_apart_and_adjusted(holding: Callable[..., None]) -> None:
    holding(*lives(CLEAR))
    found = told("--by", "language, device")
    assert {(one["dimension"], one["group"]) for one in found["lines"]} == {
        (None, None), ("language", "fr"), ("language", "de"), ("device", "phone"), ("device", "desktop"),
    }  # fmt: skip
    out = run("readout", "bolder", "--by", "language,device").stdout
    assert "By group" in out
    assert "language fr" in out
    assert "adjusted p" in out


def test_a_group_that_is_left_behind_is_said(holding: Callable[..., None]) -> None:
    def kept(one: Interaction) -> Interaction:
        decision = one.decision
        if decision is None or one.context.locale == "fr-FR":
            return one
        return attrs.evolve(one, decision=attrs.evolve(decision, depth=0))

    holding(*map(kept, lives(CLEAR)))
    assert (
        "- language de gets personal decisions 0 % as often as all together"
        in run("readout", "bolder", "--by", "language").stdout
    )


@pytest.mark.parametrize("by", ["weather", "device;country", "device,person"])
def test_a_dimension_that_is_none_is_refused(by: str, holding: Callable[..., None]) -> None:
    holding()
    result = run("readout", "bolder", "--by", by)
    assert result.exit_code == 2
    assert "device, language, country" in result.stderr


def test_an_experiment_that_nobody_declared_is_refused_with_the_nearest(holding: Callable[..., None]) -> None:
    holding()
    result = run("readout", "boldr")
    assert result.exit_code == 2
    assert 'did you mean "bolder"?' in result.stderr


def test_an_experiment_may_be_declared_in_code(folder: Path, holding: Callable[..., None]) -> None:
    holding(*lives(CLEAR, experiment="calmer"))
    (folder / "shop_of_calm.py").write_text(
        """import cxkit
cxkit.experience(
    "home.calm",
    fallback=cxkit.Variant(name="all"),
    variants=[cxkit.Variant(name="bold")],
    experiments=[cxkit.Experiment(name="calmer", variations=("all", "bold"), goals=("order.paid",))],
)
"""
    )
    asked = cxkit("experiments", "readout", "calmer", "--module", "shop_of_calm", cwd=folder)
    assert asked.stdout.startswith("calmer, version 0, of home.calm: decision-ready: "), asked.stderr
    assert run("readout", "calmer").exit_code == 2
    assert run("readout", "calmer", "--module", "no_such_module").exit_code == 2


def test_without_a_local_file_it_says_how_to_get_one(folder: Path) -> None:
    with pytest.raises(LocalFileError) as missing:
        run("readout", "bolder")
    assert missing.value.code == "CX6101"


def test_a_configuration_that_is_wrong_is_said_by_its_key(folder: Path) -> None:
    (folder / "cxkit.toml").write_text(TOML + "weights = [0.9, 0.9]\n")
    with pytest.raises(ConfigurationError):
        run("readout", "bolder")


# --- the page -------------------------------------------------------------------------------------


class Page:
    """The page, read as a browser would: its text, and its picture."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text("utf-8")
        self.svg = ElementTree.fromstring(self.text[self.text.index("<svg") : self.text.index("</svg>") + 6])
        self.cells = [html.unescape(one) for one in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", self.text)]


@pytest.mark.parametrize(("language", "of"), [("en", "Readout of bolder"), ("fr", "Relevé de bolder")])
def test_the_page_holds_the_picture_and_the_same_as_tables(
    language: str, of: str, folder: Path, holding: Callable[..., None]
) -> None:
    holding(*lives(CLEAR))
    (folder / "cxkit.toml").write_text(TOML + "planned_units = 5000\n")
    done = cxkit("experiments", "readout", "bolder", "--html", "page.html", cwd=folder, LANGUAGE=language)
    assert done.returncode == 0, done.stderr
    page = Page(folder / "page.html")
    assert page.text.startswith(f'<!doctype html>\n<html lang="{language}">')
    assert f"<title>{of}</title>" in page.text
    assert page.text.index("5000") < page.text.index("<svg") < page.text.index("<table")
    assert not re.search(r"<script|https?://(?!www\.w3\.org/2000/svg)|src=|@import|url\(", page.text)
    assert page.svg.get("role") == "img"
    named = {one.get("id"): one.text for one in page.svg if one.get("id")}
    assert named["readout-title"] == of
    assert "order.paid" in (named["readout-desc"] or "")
    assert {"order.paid", "bold", "300"} <= set(page.cells)
    assert page.text.count("<caption>") == page.text.count("<table>") == 2
    assert page.text.count('scope="col"') == page.text.count("<th ")


def test_names_from_elsewhere_do_nothing_on_the_page(folder: Path, holding: Callable[..., None]) -> None:
    holding(*[attrs.evolve(one, context=attrs.evolve(one.context, locale=HOSTILE)) for one in lives(CLEAR)])
    run("readout", "bolder", "--by", "language", "--html", "page.html")
    page = Page(folder / "page.html")
    assert "<script" not in page.text
    assert "\x1b" not in page.text
    assert any("script" in one for one in page.cells)


def test_a_page_that_cannot_be_written_is_one_line(folder: Path, holding: Callable[..., None]) -> None:
    holding()
    result = run("readout", "bolder", "--html", folder / "no" / "such" / "page.html")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


# --- shared ---------------------------------------------------------------------------------------


def test_it_is_shared_only_when_asked_and_about_nobody(folder: Path, holding: Callable[..., None]) -> None:
    holding(*lives(CLEAR))
    before = told()
    asked = "SELECT payload, subject, kind FROM interactions WHERE name = 'experiment.read'"
    with read(folder / "here.db") as connection:
        assert connection.execute(asked).fetchall() == []
    assert "shared as experiment.read" in run("readout", "bolder", "--share").stderr
    with read(folder / "here.db") as connection:
        ((payload, subject, kind),) = connection.execute(asked).fetchall()
    assert (subject, kind) == (None, "measurement")
    assert json.loads(payload)["data"]["properties"] == before
    assert told() == before


def test_groups_that_are_small_stay_in_the_operators_own_file(folder: Path, holding: Callable[..., None]) -> None:
    shown = next(lives(CLEAR))
    alone = Identity(identifiers=(Identifier(type="visitor", value="alone", evidence="cookie"),))
    of_few = attrs.evolve(shown.context, locale="rm-CH", session="alone")
    holding(*lives(CLEAR), attrs.evolve(shown, id="009999", identity=alone, context=of_few))
    assert {one["group"] for one in told("--by", "language")["lines"]} == {None, "fr", "de", "rm"}
    done = run("readout", "bolder", "--by", "language", "--share")
    assert "not shared: groups of fewer than 10 units" in done.stderr
    with read(folder / "here.db") as connection:
        (payload,) = connection.execute("SELECT payload FROM interactions WHERE name = 'experiment.read'").fetchone()
    assert {one["group"] for one in json.loads(payload)["data"]["properties"]["lines"]} == {None, "fr"}
