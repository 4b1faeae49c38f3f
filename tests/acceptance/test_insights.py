"""Scripted visits, captured as an app captures them, and the bounce rate that the command line gives of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cxkit
from cxkit.capture.scope import enter
from cxkit.kit import Kit
from cxkit.model import Context, Device, Page
from cxkit.settings import load
from cxkit.web import PAGE_VIEWED
from tests.cli.terminal import cxkit as command

CONFIGURED = 'directory = "{}/.cxkit"\n[exporters.here]\ntype = "local"\npurposes = ["analytics"]\n'
BOUNCED_MS, STAYED_MS = 3000, 30_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an app ran: 500 visits by phone and 500 by desktop, 30 that nobody measured, 200 by bots."""
    directory = tmp_path_factory.mktemp("shop")
    (directory / "cxkit.toml").write_text(CONFIGURED.format(directory))
    kit = Kit(load(file=directory / "cxkit.toml"))
    phones = [BOUNCED_MS] * 220 + [STAYED_MS] * 280 + [None] * 30
    for number, engaged_ms in enumerate(phones):
        visit(kit, f"p{number}", "phone", engaged_ms)
    for number in range(500):
        visit(kit, f"d{number}", "desktop", BOUNCED_MS if number < 50 else STAYED_MS)
    for number in range(200):
        visit(kit, f"b{number}", "phone", BOUNCED_MS, bot=True)
    assert kit.close(timeout_s=30).complete
    return directory


def visit(kit: Kit, session: str, device: str, engaged_ms: int | None, *, bot: bool = False) -> None:
    context = Context(
        session=session,
        device=Device(type=device),
        page=Page(route="/", engaged_ms=engaged_ms),
        actor="bot" if bot else "human",
    )
    scope = kit.open_scope(context)
    enter(scope)
    if not bot:
        cxkit.grant("analytics")  # no session is kept of anybody who has not
    kit.intake.capture(scope, PAGE_VIEWED, {})
    scope.close()


def test_bounce_by_device_is_what_was_scripted(shop: Path) -> None:
    ended = command("insights", "bounce", "--by", "device", cwd=shop, COLUMNS="100")
    assert (ended.returncode, ended.stderr) == (0, "")
    table, notes, definition = ended.stdout.split("\n\n", 2)
    assert table.splitlines() == [
        "device   bounce rate  bounced  engaged  unknown",
        "desktop    10.0 %          50      450        0",
        "phone      44.0 %         220      280       30",
        "all        27.0 %         270      730       30",
    ]
    assert notes.splitlines() == [
        "30 unknown: one view, and no beacon that measured whether it was looked at.",
        "Left out of 1230 contacts: 200 by bots.",
    ]
    assert definition.startswith("Definition: A visit is a session")
    assert "without the beacon a one-view session is unknown" in " ".join(definition.split())


def test_programs_get_the_same(shop: Path) -> None:
    told = json.loads(command("insights", "bounce", "--json", cwd=shop).stdout)
    assert told["rows"] == [
        {"label": "desktop", "bounced": 50, "engaged": 450, "unknown": 0, "no_visit": 0, "bounced_per_mille": 100},
        {"label": "phone", "bounced": 220, "engaged": 280, "unknown": 30, "no_visit": 0, "bounced_per_mille": 440},
    ]
    assert told["left_out"]["bots"] == 200
