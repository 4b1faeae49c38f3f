"""What a page sends to the beacon's endpoint, and what came of it."""

from __future__ import annotations

import json
from typing import Any

SAME = (b"sec-fetch-site", b"same-origin")
TEXT = b"text/plain;charset=UTF-8"
NOW_MS = 1_800_000_000_000
NO_BODY = [{"type": "http.request"}]


def event(name: str = "element.clicked", *, number: int = 1, at: float = NOW_MS, **more: Any) -> dict[str, Any]:
    fitting = {"properties": {"element": "buy"}} if name == "element.clicked" else {}
    return {"id": f"00000000-0000-4000-8000-{number:012}", "at": at, "name": name, **fitting, **more}


def said(*events: Any, sent: float = NOW_MS, **more: Any) -> bytes:
    return json.dumps({"sent": sent, "events": events, **more}).encode()


def status(sent: Any) -> int:
    assert sent.error is None
    assert sent.messages[1]["body"] == b""
    return int(sent.messages[0]["status"])


def dropped(kept: Any) -> dict[str, int]:
    return {name: count for name, count in kept.kit.intake.dropped.items() if not name.startswith("noted:")}


def noted(kept: Any) -> dict[str, int]:
    return dict(kept.kit.intake.noted)
