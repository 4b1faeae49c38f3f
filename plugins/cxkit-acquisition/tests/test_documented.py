"""What the pages say of settings, media and lists is what the code knows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import attrs
import pytest

from cxkit.model import Acquisition
from cxkit_acquisition.enricher import Settings
from cxkit_acquisition.sites import MEDIA

README = Path(__file__).parents[1] / "README.md"
HOW_TO = Path(__file__).parents[3] / "docs/how-to/know-where-customers-come-from.md"
checkout = pytest.mark.skipif(not HOW_TO.exists(), reason="the page is part of the checkout")
PAGES = [README, pytest.param(HOW_TO, marks=checkout)]
COMMIT = re.compile("^commit [0-9a-f]{40} of ([0-9]{4})-([0-9]{2})-[0-9]{2}$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_is_in_the_table_with_its_default(page: Path) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", page.read_text("utf-8"), re.MULTILINE))
    said = {name: tomllib.loads(f"default = {text}")["default"] for name, text in rows.items()}
    defaults = attrs.asdict(Settings())
    assert said == {name: list(value) if value == () else value for name, value in defaults.items()}


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_is_shown(page: Path) -> None:
    shown = "".join(re.findall("```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    tables = tomllib.loads(shown.partition("[experiences")[0])
    assert set(tables["acquisition"]) == {one.name for one in attrs.fields(Settings)}


def test_every_field_and_medium_is_in_the_readme() -> None:
    page = README.read_text("utf-8")
    assert {one.name for one in attrs.fields(Acquisition) if f"`{one.name}`" not in page} == set()
    assert {one for one in MEDIA if f"`{one}`" not in page} == set()


def test_the_readme_says_of_when_the_lists_are() -> None:
    said = COMMIT.search((README.parent / "cxkit_acquisition/lists/SOURCES").read_text("utf-8"))
    assert said is not None
    months = "January February March April May June July August September October November December".split()
    assert f"of {months[int(said[2]) - 1]} {said[1]}" in README.read_text("utf-8")


@checkout
def test_the_page_counts_the_lists_rightly() -> None:
    page = HOW_TO.read_text("utf-8")
    lists = tomllib.loads((README.parent / "cxkit_acquisition/lists/matomo.toml").read_text("utf-8"))
    for medium, called in (("search", "engines' hosts"), ("social", "networks'"), ("ai_assistant", "assistants'")):
        hosts = [one for patterns in lists[medium].values() for one in patterns if not one.startswith("app:")]
        assert f"{len(hosts)} {called}" in page
