"""docs/reference/settings.md names every setting, no other, and their defaults."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import pytest

from cxkit.settings import RawTable, Settings, load

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
NOT_SETTINGS = {"tables", "origins"}  # filled by load()

ENTRY = re.compile(
    r"^### `(?P<name>[^`]+)`\n\n"
    r"- type: (?P<type>.+)\n"
    r"- default: (?:`(?P<default>.+)`|(?P<none>unset|required))\n"
    r"- unit: (?P<unit>.+)\n\n"
    r"(?P<text>[^#\n-].+)",
    re.MULTILINE,
)


def settings_of(cls: type[Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Dotted name and default of each setting in the tree."""
    hints = get_type_hints(cls)
    for field in attrs.fields(cls):
        kind, below = hints[field.name], (*path, field.name)
        if get_origin(kind) is Mapping:
            kind, below = get_args(kind)[1], (*below, "NAME")
        if ".".join(below) in {*NOT_SETTINGS, *(f"{one}.NAME" for one in NOT_SETTINGS)} or (
            kind is RawTable and below[-1] != "NAME"
        ):
            continue
        if attrs.has(kind):
            yield from settings_of(kind, below)
        else:
            yield ".".join(below), attrs.NOTHING if below[-1] == "NAME" else field.default


TREE = dict(settings_of(Settings))
DOCUMENTED = {found["name"]: found for found in ENTRY.finditer(REFERENCE.read_text("utf-8"))}


def as_toml(default: object) -> object:
    if isinstance(default, tuple):
        return list(default)
    return str(default) if isinstance(default, Path) else default


def test_every_heading_has_its_type_default_unit_and_text() -> None:
    headings = re.findall(r"^### (.+)$", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert headings == [f"`{name}`" for name in DOCUMENTED]


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(DOCUMENTED) == set(TREE)


@pytest.mark.parametrize("name", TREE)
def test_the_default_is_the_documented_one(name: str) -> None:
    found = DOCUMENTED[name]
    if TREE[name] is attrs.NOTHING or TREE[name] is None:
        assert found["none"] == ("unset" if TREE[name] is None else "required")
    else:
        read = tomllib.loads(f"default = {found['default']}")["default"]
        assert (read, type(read)) == (as_toml(TREE[name]), type(as_toml(TREE[name])))


@pytest.mark.parametrize("name", TREE)
def test_the_unit_is_the_one_in_the_name(name: str) -> None:
    units = {"s": "seconds", "bytes": "bytes", "records": "interactions"}
    assert DOCUMENTED[name]["unit"] == units.get(name.rpartition("_")[2] if "_" in name else "", "none")


def test_the_example_loads() -> None:
    [example] = re.findall(r"^```toml\n(.+?)^```", REFERENCE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    Path("cxkit.toml").write_text(example, "utf-8")
    loaded = load(environ={"RECEIVER_TOKEN": "a token"})
    assert loaded.exporters["receiver"].options["token"] == "a token"
