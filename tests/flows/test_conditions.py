"""Every circumstance that an audience can name decides, and stands in the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import Scope, current_scope
from cxkit.flows.decide import NOTHING, Attributes, decide
from cxkit.flows.stance import stance_of
from cxkit.kit import Kit
from cxkit.model import Acquisition, Context, Device, ExperienceSpec, Page, Place, Variant
from cxkit.rules.experience import Chooser
from cxkit.settings import Settings

HERE = Context(
    channel="web",
    locale="fr-CA",
    timezone="America/Toronto",
    market="quebec",
    currency="CAD",
    actor="human",
    page=Page(route="/nuts/{sku}"),
    place=Place(country="CA", region="QC", city="Montreal", store="rue-rachel", fences=("plateau",)),
    device=Device(type="phone", viewport=412, touch=True, reduced_motion=True, color_scheme="dark", save_data=False),
    acquisition=Acquisition(source="google", medium="search", campaign="spring"),
)
NOON = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
CONDITIONS: dict[str, Any] = {
    "actor": "human",
    "channel": "web",
    "locale": "fr-CA",
    "language": "fr",
    "country": "CA",
    "region": "QC",
    "city": "Montreal",
    "store": "rue-rachel",
    "fences": ["plateau"],
    "market": "quebec",
    "currency": "CAD",
    "local_hour": 12,
    "device": "phone",
    "form.viewport": 412,
    "form.touch": True,
    "form.reduced_motion": True,
    "form.color_scheme": "dark",
    "form.save_data": False,
    "acquisition.source": "google",
    "acquisition.medium": "search",
    "acquisition.campaign": "spring",
    "route": "/nuts/{sku}",
    "returning": False,
    "known": False,
    "traits.NAME": None,
    **{f"journeys.NAME.{name}": None for name in ("step", "next", "stalled", "completed", "channel")},
}
OPEN = {name for name in CONDITIONS if ".NAME" in name}
"""Whose names the app gives: they have tests of their own."""


@pytest.fixture
def here() -> Iterator[Scope]:
    kit = Kit(Settings(strict=True), in_memory=True)
    with cxkit.scope(kit=kit):
        scope = current_scope()
        assert scope is not None
        cxkit.grant("personalization", "precise_location")
        scope.change(context=HERE)
        yield scope
    kit.close(timeout_s=10)


@pytest.mark.parametrize(("name", "value"), [one for one in CONDITIONS.items() if one[0] not in OPEN])
def test_it_is_a_condition(here: Scope, monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    desk = here.kit.desk
    monkeypatch.setattr(desk.intake.stamper, "now", lambda: NOON)
    other = not value if isinstance(value, bool) else [*value, "x"] if isinstance(value, list) else type(value)(7)
    for wanted, variant in ((value, "theirs"), (other, "all")):
        spec = ExperienceSpec(
            name="conditions.hero",
            fallback=Variant(name="all"),
            variants=(Variant(name="theirs", audience={name: wanted}, depth=1),),
        )
        assert decide(desk, here, Chooser(spec), patience_s=1.0).variant == variant


def test_there_are_no_others(here: Scope) -> None:
    attributes = Attributes(here.kit.desk, stance_of(here.kit.desk, here, patience_s=1.0), NOTHING, "here")
    assert set(paths(attributes)) == CONDITIONS.keys() - OPEN


def test_all_of_them_are_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/api.md").read_text("utf-8")
    table = page.partition("| attribute of an audience |")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines() if line.startswith("| ")]
    assert [name.strip("`") for row in rows for name in row.split(", ")] == list(CONDITIONS)


def paths(attributes: Mapping[str, Any], under: str = "") -> Iterator[str]:
    for name, value in attributes.items():
        if isinstance(value, Mapping):
            yield from paths(value, f"{under}{name}.")
        else:
            yield f"{under}{name}"
