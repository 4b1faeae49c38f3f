"""What the page of this exporter says of fields and settings is what the code does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from cxkit.model import Interaction
from cxkit.testing.pages import settings_on
from cxkit.testing.samples import FULL
from cxkit_segment import Settings, message_of

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "send-to-segment-or-rudderstack.md"
pytestmark = pytest.mark.skipif(
    not HOW_TO.exists(), reason="the page is part of the checkout, not of this distribution"
)


def rows() -> list[tuple[str, str]]:
    """The table of the page: the interaction's field, and where it is in the message."""
    found = re.findall(r"^\| `([\w.]+)` \| (.+?) \|", HOW_TO.read_text("utf-8"), re.MULTILINE)
    return [(field, place) for field, place in found if hasattr(Interaction, field.partition(".")[0]) or "." in field]


def at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value


def test_the_table_of_the_page_is_true() -> None:
    message = message_of(FULL)
    table = rows()
    assert message["properties"].items() >= FULL.properties.items()
    for field, place in table:
        paths = re.findall(r"`([\w.]+)`", place)
        for path in paths:
            assert at(message, path) == plain(at(FULL, field)), f"{field}: {path}"
        assert paths or place.startswith("not sent") or field in ("identity", "properties"), field
    named = {field.partition(".")[0] for field, _ in table}
    assert named == {field.name for field in attrs.fields(Interaction)}


def plain(value: Any) -> Any:
    """As a message says it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value / timedelta(milliseconds=1)
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if attrs.has(type(value)):
        return {name: one for name, one in attrs.asdict(value).items() if one is not None}
    return (
        value
        if isinstance(value, (str, int)) or value is None
        else dict(value)
        if isinstance(value, Mapping)
        else value
    )


def test_every_setting_is_on_its_page() -> None:
    """And in the README, which comes with the distribution."""
    for page in (HOW_TO, Path(__file__).parents[1] / "README.md"):
        assert settings_on(page) == {field.name for field in attrs.fields(Settings)}, page
