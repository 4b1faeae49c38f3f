"""The page about web plugins names what the suite checks, and nothing else."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from cxkit.testing.web_suite import WebSuite

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-web-plugin.md"


def test_every_check_is_on_the_page() -> None:
    checks = {name for name, _ in inspect.getmembers(WebSuite, inspect.isfunction) if name.startswith("test_")}
    assert set(re.findall(r"^\| `(test_\w+)`", PAGE.read_text("utf-8"), re.MULTILINE)) == checks


def test_every_attribute_is_on_the_page() -> None:
    attributes = {"websockets", "background", "waits_for_bodies", "tells_errors", "times", "patience_s"}
    assert attributes == {name for name in vars(WebSuite.__mro__[-2]) if not name.startswith("_")} - {
        "opened",
        "serve",
        "shop",
    }
    assert attributes <= set(re.findall(r"^\| `(\w+)` \| `", PAGE.read_text("utf-8"), re.MULTILINE))
