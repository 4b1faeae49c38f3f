"""What is declared, what was captured, and where the two differ."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from cxkit.capture.redact import Redactor
from cxkit.capture.sanitise import sanitise
from cxkit.cli.schema.shapes import json_type, properties_of
from tests.cli.terminal import cxkit

SHOP = """
import attrs
import cxkit

@attrs.frozen
class Item:
    sku: str
    quantity: int = 1
    note: str | None = None
    code: str = attrs.field(default="x", repr=False)

ADDED = cxkit.touchpoint("cart.item_added", stage="consideration", channel="web", properties=Item)
SEEN = cxkit.touchpoint("shop.seen", kind="view", purpose="necessary")
"""

APP = """
import cxkit
import shop

with cxkit.scope(user_id="nancy"):
    cxkit.grant("analytics")
    shop.ADDED.capture(sku="ALM-200")
    shop.ADDED.capture(sku="ALM-200", quantity=2.5)
    shop.ADDED.capture(sku=7, note="ripe", code=8)
    shop.SEEN.capture(anything=1)
    if {wrong}:
        cxkit.touchpoint("shop.gone").capture()
        shop.ADDED.shape = None
        shop.ADDED.capture(quantity=3, colour="red")
assert cxkit.close(timeout_s=20).complete
"""


@pytest.fixture
def captured(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(APP.replace("{wrong}", str(getattr(request, "param", True))))
    (tmp_path / "cxkit.toml").write_text('[exporters.here]\ntype = "local"\npurposes = ["analytics"]')
    subprocess.run([sys.executable, "app.py"], cwd=tmp_path, check=True, timeout=60)
    return tmp_path


def rows(*arguments: str, cwd: Path) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(cxkit("schema", "list", *arguments, "--json", cwd=cwd).stdout)
    return told


def test_what_a_module_declares_is_listed(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    assert rows("shop", cwd=tmp_path) == [
        {
            "name": "cart.item_added",
            "kind": "action",
            "stage": "consideration",
            "channel": "web",
            "purpose": "analytics",
            "properties": ["sku: string", "quantity?: integer", "note?: null|string", "code?: string"],
        },
        {
            "name": "shop.seen",
            "kind": "view",
            "stage": None,
            "channel": None,
            "purpose": "necessary",
            "properties": ["..."],
        },
    ]
    table = cxkit("schema", "list", "shop", cwd=tmp_path).stdout.splitlines()
    assert table[0].split() == ["name", "kind", "stage", "channel", "purpose", "properties"]
    assert list(tmp_path.glob(".cxkit")) == []


def test_what_was_captured_is_listed(captured: Path) -> None:
    seen = {row["name"]: row["properties"] for row in rows(cwd=captured)}
    assert seen["cart.item_added"] == [
        "sku: integer|string",
        "quantity: integer|number",
        "note: null|string",
        "code: string",
        "colour: string",
    ]


LOSING = """
import cxkit
import shop

for _ in range(5000):
    shop.SEEN.capture()
assert cxkit.close(timeout_s=20).complete
"""


def test_what_cxkit_itself_captures_nobody_need_declare(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(LOSING)
    (tmp_path / "cxkit.toml").write_text(
        '[queue]\nmax_bytes = 3000\n[exporters.here]\ntype = "local"\npurposes = ["necessary"]'
    )
    subprocess.run([sys.executable, "app.py"], cwd=tmp_path, check=True, timeout=60)
    assert {row["name"] for row in rows(cwd=tmp_path)} == {"shop.seen", "cxkit.loss_report"}
    checked = cxkit("schema", "check", "shop", cwd=tmp_path)
    assert (checked.returncode, "undeclared" in checked.stdout) == (0, False), checked.stdout


def test_what_differs_is_found(captured: Path) -> None:
    told = cxkit("schema", "check", "shop", "--json", cwd=captured)
    assert told.returncode == 1
    found = json.loads(told.stdout)
    assert found["checked"] == 6
    assert [
        (one["name"], one["property"], one["problem"], one["declared"], one["found"], one["count"], one["of"])
        for one in found["findings"]
    ] == [
        ("cart.item_added", "colour", "unknown", None, "string", 1, 4),
        ("cart.item_added", "quantity", "type", "integer", "number", 1, 4),
        ("cart.item_added", "sku", "missing", None, None, 1, 4),
        ("cart.item_added", "sku", "type", "string", "integer", 1, 4),
        ("shop.gone", None, "undeclared", None, None, 1, 1),
    ]
    lines = cxkit("schema", "check", "shop", cwd=captured).stdout.splitlines()
    assert "cart.item_added: sku is integer, declared is string (1 of 4)" in lines
    assert "shop.gone: nobody declares it (1 of 1)" in lines
    assert lines[-1] == "6 interactions looked at"


@pytest.mark.parametrize("captured", [False], indirect=True)
def test_what_capture_hid_is_not_judged(captured: Path) -> None:
    found = json.loads(cxkit("schema", "check", "shop", "--json", cwd=captured).stdout)["findings"]
    assert [one["property"] for one in found] == ["quantity", "sku"]


@pytest.mark.parametrize(
    ("module", "text", "code", "said"),
    [
        ("nowhere", "", 2, "nowhere cannot be imported"),
        ("shop", "import no_such_module", 2, "no_such_module"),
        ("shop", "1 / 0", 1, "fails when it is imported (ZeroDivisionError)"),
        ("shop.", "", 2, "cannot be imported"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(
    tmp_path: Path, module: str, text: str, code: int, said: str
) -> None:
    (tmp_path / "shop.py").write_text(text)
    result = cxkit("schema", "list", module, cwd=tmp_path)
    assert (result.returncode, said in result.stderr, "Traceback" in result.stderr) == (code, True, False)


def test_without_a_local_file_it_says_how_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    result = cxkit("schema", "check", "shop", cwd=tmp_path)
    assert (result.returncode, result.stderr[:6]) == (1, "CX6101")


# --- shapes ---


class Size(enum.Enum):
    SMALL = "s"
    LARGE = 7


class Part(TypedDict):
    a: int
    b: NotRequired[str]


Sku = NewType("Sku", str)
VALUES: dict[str, tuple[Any, Any]] = {
    "a": (bool, True),
    "b": (int, 1),
    "c": (float, 1.5),
    "d": (float, 1),
    "e": (str, "x"),
    "f": (int | None, None),
    "g": (list[int], [1]),
    "h": (tuple[int, ...], (1,)),
    "i": (set[str], {"x"}),
    "j": (dict[str, int], {"x": 1}),
    "k": (Part, {"a": 1}),
    "l": (dt.datetime, dt.datetime(2026, 11, 21, tzinfo=dt.UTC)),
    "m": (dt.date, dt.date(2026, 11, 21)),
    "n": (dt.timedelta, dt.timedelta(seconds=1)),
    "o": (uuid.UUID, uuid.uuid4()),
    "p": (Decimal, Decimal("1.50")),
    "q": (Size, Size.LARGE),
    "r": (Size, Size.SMALL),
    "s": (Literal["x", 3], 3),
    "t": (Annotated[int, "pieces"], 3),
    "u": (Sku, Sku("x")),
}


def test_types_are_those_that_capture_makes_of_them() -> None:
    kind = attrs.make_class("Kind", {name: attrs.field(type=hint) for name, (hint, _) in VALUES.items()})
    promised = {one.name: one.types for one in properties_of(kind) or ()}
    kept = sanitise(kind(**{name: value for name, (_, value) in VALUES.items()}), redactor=Redactor()).properties
    read = msgspec.json.decode(msgspec.json.encode(kept))
    assert set(promised) == set(VALUES)
    assert [name for name, types in promised.items() if types is None or json_type(read[name]) not in types] == []


@attrs.frozen
class Attrs:
    a: int
    b: str = ""


@dataclasses.dataclass
class Data:
    a: int
    b: str = ""


class Struct(msgspec.Struct):
    a: int
    b: str = ""


class Model(pydantic.BaseModel):
    a: int
    b: str = ""


def made(x: int) -> Attrs:
    return Attrs(x)


def unknown(**properties: Any) -> dict[str, Any]:
    return properties


@pytest.mark.parametrize("shape", [Attrs, Data, Struct, Model, made, Part])
def test_every_kind_of_class_is_known(shape: Any) -> None:
    assert [one.shown for one in properties_of(shape) or ()] == ["a: integer", "b?: string"]


@pytest.mark.parametrize("shape", [None, unknown, dict, lambda x: x])
def test_of_others_nothing_is_promised(shape: Any) -> None:
    assert properties_of(shape) is None
