"""What each of the five gates stops is counted by gate, purpose, reason and destination, and survives the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import cxkit
from cxkit.api import Experience, Touchpoint
from cxkit.delivery.account import read_account
from cxkit.kit import Kit
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
from cxkit.settings import Settings
from cxkit.settings.tree import TopicTable
from cxkit.testing import RecordingExporter

SEEN = Touchpoint(TouchpointSpec(name="blocked.seen"))
HERO = Experience(
    ExperienceSpec(name="blocked.hero", variants=(Variant(name="mine", depth=3), Variant(name="guess", depth=4)))
)


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    kit = Kit(
        Settings(directory=tmp_path / "state", strict=True, topics={"news": TopicTable()}),
        exporters={
            "ads": RecordingExporter(purposes=frozenset({"advertising"})),
            "counts": RecordingExporter(purposes=frozenset({"analytics"})),
        },
    )
    yield kit
    kit.close(timeout_s=10)


def test_each_gate_counts_what_it_stops(kit: Kit, tmp_path: Path) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        HERO.decide()
        cxkit.grant("analytics", "personalization")
        HERO.decide()
        SEEN.capture()
        cxkit.withdraw("analytics")
        SEEN.capture()
        cxkit.may_send("news", "email")
    with cxkit.scope(kit=kit, visitor="v1", evidence="cookie"):
        cxkit.identify(user_id="nancy")
    assert kit.flush(timeout_s=30).complete
    wanted = {
        "capture:analytics:refused:": 1,
        "decision:personalization:not_allowed:blocked.hero": 1,
        "decision:profiling:not_allowed:blocked.hero": 1,
        "identity:identity_stitching:not_allowed:": 1,
        "send:marketing:not_granted:email": 1,
    }
    blocked = kit.account().blocked
    assert {text: count for text, count in blocked.items() if not text.startswith("export:")} == wanted
    assert blocked["export:analytics:not_allowed:ads"] == 1
    assert set(kit.account().dropped) == {"consent_refused"}
    kit.close(timeout_s=10)
    account = read_account(tmp_path / "state")
    assert account.balanced
    assert account.blocked == blocked


def test_what_is_stopped_at_an_exporter_is_among_what_was_dropped_there(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        SEEN.capture()
    assert kit.flush(timeout_s=30).complete
    account = kit.account()
    assert account.exporters["ads"].dropped == {"consent": 1}
    assert account.blocked == {"export:analytics:not_allowed:ads": 1}


def test_a_destination_of_anybody_s_choosing_does_not_grow_for_ever(kit: Kit) -> None:
    for number in range(2000):
        kit.intake.block(cxkit.Blocked(gate="send", purpose="marketing", reason="invalid", destination=f"c{number}"))
    blocked = kit.account().blocked
    assert len(blocked) <= 1001
    assert sum(blocked.values()) == 2000
