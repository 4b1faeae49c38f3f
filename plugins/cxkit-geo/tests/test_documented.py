"""Every setting is on the page, and no other; so is every platform and every layout."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest

from cxkit_geo.layouts import LAYOUTS
from cxkit_geo.platforms import PLATFORMS
from cxkit_geo.settings import Settings

PAGE = Path(__file__).parents[3] / "docs/how-to/know-where-customers-are.md"


@pytest.fixture
def page() -> str:
    if not PAGE.exists():  # the source distribution of the plugin alone
        pytest.skip("the pages are not here")
    return PAGE.read_text("utf-8")


def test_every_setting_is_documented_and_no_other(page: str) -> None:
    table = page.partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.MULTILINE)
    assert [name for name, _ in rows] == [field.name for field in attrs.fields(Settings)]
    for name, default in rows:
        value = getattr(Settings(), name)
        if isinstance(value, (str, bool, float)):
            assert json.loads(default.strip("`")) == value


def test_every_platform_and_layout_is_documented(page: str) -> None:
    named = set(re.findall(r"`([a-z0-9_-]+)`", page))
    assert named >= {*PLATFORMS, *LAYOUTS}
