"""docs/reference/local.md names every column, setting and reason of the local file, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from cxkit.exporters.local import Settings, opening, read
from cxkit.exporters.local.schema import TABLES
from cxkit.roles import Outcome
from tests.exporters.happened import keep


@pytest.fixture
def described(pages: dict[str, Any]) -> Any:
    return pages["docs/reference/local.md"]


@pytest.mark.parametrize("name", [re.findall(r"\w+", sql)[2] for sql in TABLES])
def test_every_column_is_documented_in_its_order(described: Any, tmp_path: Path, name: str) -> None:
    keep(tmp_path / "local.db")
    with read(tmp_path / "local.db") as connection:
        columns = [column[0] for column in connection.execute(f"SELECT * FROM {name}").description]  # noqa: S608
    _, _, rest = described.text.partition(f" `{name}`")
    table, _, _ = rest.partition("\n|---")[2].partition("\n\n")
    cells = [line.split("|")[1] for line in table.splitlines()[1:]]
    assert [column for cell in cells for column in re.findall(r"`(\w+)`", cell)] == columns


def test_every_setting_is_documented_with_its_default(described: Any) -> None:
    defaults = {field.name: field.default for field in attrs.fields(Settings)}
    del defaults["types"]  # the kit's to give: they are set as identity.types
    assert described.column(0, under="Settings") == list(defaults)
    assert described.column(2, under="Settings") == [
        str(defaults["max_age_days"]),
        f"{defaults['max_rows']:_}",
        f'"{defaults["timezone"]}"',
    ]


def test_every_reason_is_documented(described: Any) -> None:
    reasons = {value.reason for value in vars(opening).values() if isinstance(value, Outcome)}
    assert set(described.column(0, under="When it cannot be written")) == reasons
