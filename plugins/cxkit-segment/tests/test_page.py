"""What the page of this exporter says of fields and settings is what the code does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from cxkit.model import (
    Acquisition,
    Context,
    Decision,
    Device,
    Feedback,
    Identifier,
    Identity,
    Interaction,
    Money,
    Page,
    Place,
)
from cxkit_segment import Settings, message_of

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "send-to-segment-or-rudderstack.md"
pytestmark = pytest.mark.skipif(
    not HOW_TO.exists(), reason="the page is part of the checkout, not of this distribution"
)
AT = datetime(2027, 1, 15, 8, 0, 0, 123000, tzinfo=UTC)

RICH = Interaction(
    id="01a3185c-5000-7000-b000-000000000001",
    occurred_at=AT,
    source="/shop",
    consent={"necessary": True, "analytics": True, "identity_stitching": True},
    name="order.placed",
    kind="transaction",
    channel="web",
    direction="outbound",
    stage="purchase",
    nature="person",
    presence="offline",
    reach="indirect",
    via="reseller",
    promise="delivered tomorrow",
    case="case-1",
    plugin="cxkit-x",
    identity=Identity(identifiers=(Identifier(type="user_id", value="nancy", evidence="login"),)),
    context=Context(
        session="s-1",
        page=Page(route="/orders/{id}", method="POST", title="Thanks", engaged_ms=1200),
        device=Device(type="phone", os="iOS", browser="Safari"),
        place=Place(country="CA", region="QC", city="Montréal", source="proxy"),
        locale="fr-CA",
        timezone="America/Toronto",
        acquisition=Acquisition(source="news", medium="email", campaign="winter"),
        actor="bot",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    outcome="completed",
    error="ValueError",
    duration=timedelta(milliseconds=1500),
    value=Money("24.90", "EUR"),
    feedback=Feedback(question="nps", score=9),
    decision=Decision(experience="home", variant="B", reasons=("all",)),
    cause="01a3185c-5000-7000-b000-000000000009",
    properties={"number": "A-1"},
    trimmed={"text": "cut:99"},
    received_at=AT,
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
    message = message_of(RICH)
    table = rows()
    assert message["properties"].items() >= RICH.properties.items()
    for field, place in table:
        paths = re.findall(r"`([\w.]+)`", place)
        for path in paths:
            assert at(message, path) == plain(at(RICH, field)), f"{field}: {path}"
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
        return list(value)
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
        table = re.search(r"^\| setting .+?\n\n", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        assert table, page
        names = {name for row in table[0].splitlines() for name in re.findall(r"`(\w+)`", row[1:].partition("|")[0])}
        assert names == {field.name for field in attrs.fields(Settings)}, page
