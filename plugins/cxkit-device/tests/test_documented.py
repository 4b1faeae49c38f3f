"""What the pages say of settings, types, categories and hints is what the code knows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import attrs
import pytest

from cxkit.model import Device
from cxkit_device import FORM, Settings
from cxkit_device.device_types import FORM_FACTORS
from cxkit_device.hints import HEADERS
from cxkit_device.words import lines

README = Path(__file__).parents[1] / "README.md"
HOW_TO = Path(__file__).parents[3] / "docs/how-to/know-the-device.md"
checkout = pytest.mark.skipif(not HOW_TO.exists(), reason="the page is part of the checkout")


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", README.read_text("utf-8"), re.MULTILINE))
    defaults = {name: tomllib.loads(f"default = {text}")["default"] for name, text in rows.items()}
    assert defaults == {
        one.name: list(one.default) if one.default == () else one.default for one in attrs.fields(Settings)
    }


def test_every_field_of_a_device_is_said_to_be_kept_somewhere() -> None:
    assert set(re.findall(r"`device\.(\w+)`", README.read_text("utf-8"))) == set(attrs.fields_dict(Device))


@checkout
def test_every_category_and_type_is_on_the_page() -> None:
    page = HOW_TO.read_text("utf-8")
    categories = {line.split("\t")[0] for line in lines("names.tsv")}
    types = {line.split("\t")[0] for line in lines("types.tsv")}
    assert {name for name in categories | types if f"`{name}`" not in page} == set()
    assert set(FORM_FACTORS.values()) <= types


@checkout
def test_what_the_page_asks_for_is_what_the_package_reads() -> None:
    [asked] = re.findall(r"^accept_ch = (\[.+\])$", HOW_TO.read_text("utf-8"), re.MULTILINE)
    assert sorted(tomllib.loads(f"asked = {asked}")["asked"]) == sorted(FORM)
    named = {one.lower() for one in re.findall(r"`(Sec-CH-[\w-]+|Save-Data)`", HOW_TO.read_text("utf-8"))}
    assert named <= set(HEADERS)


def test_the_lists_are_well_formed() -> None:
    for name, least in (("bots.tsv", 150), ("names.tsv", 1000), ("types.tsv", 150), ("shapes.tsv", 5)):
        held = lines(name)
        assert len(held) >= least
        assert len(set(held)) == len(held), name
    for line in lines("names.tsv"):
        category, called, needed, *pattern = line.split("\t")
        assert re.fullmatch("[a-z_]+", category), line
        assert called.isprintable(), line
        assert len(called) > 2, line
        assert len(needed) > 2, line
        assert len(pattern) <= 1, line


def test_the_readme_says_which_packages_the_lists_are_of() -> None:
    rows = re.findall(r"^\| (`\w+\.tsv`.*?): .* \| (.+?) \| (.+?) \|$", README.read_text("utf-8"), re.MULTILINE)
    told = {(of, licence, " ".join(re.findall(r"`(.+?)`", lists))) for lists, of, licence in rows}
    sources = [line.split("\t") for line in lines("SOURCES")]
    assert told == {
        *((f"{name} {version}", licence, lists) for name, version, licence, lists, _ in sources),
        ("ourselves", "Apache-2.0", "types.tsv"),
    }
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for *_, digest in sources)
