"""When a mail was sent and delivered decides whether a hit came too fast."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cxkit.model import Report
from cxkit_email import Prepared

Make = Callable[..., Any]


def first_link(post: Any, prepared: Prepared) -> str:
    return re.findall(r'href="https://shop\.example(/cx/c/[^"]+)"', post.html_of(prepared))[1]


@pytest.mark.parametrize(("waits_s", "by"), [(5.0, "unknown"), (60.0, "human")])
def test_haste_is_counted_from_when_it_was_handed_over(post: Make, waits_s: float, by: str) -> None:
    """A mail may wait in a queue of the app's own after it was prepared."""
    here = post()
    here.allows("analytics")
    prepared = here.prepared()
    here.clock.advance(3_600)
    prepared.sent()
    here.clock.advance(waits_s)
    here.client().get(first_link(here, prepared))
    (clicked,) = here.captured("message.clicked")
    assert (clicked.properties["by"], "too_fast" in clicked.properties["reasons"]) == (by, by == "unknown")


def test_haste_is_counted_from_when_it_was_delivered_too(post: Make) -> None:
    here = post()
    here.allows("analytics")
    prepared = here.prepared()
    prepared.sent()
    here.clock.advance(3_600)
    now = datetime.fromtimestamp(here.clock.time_ns() / 1e9, UTC)
    here.kit.messages.reported(Report(happened="delivered", send=prepared.id, at=now), channel="email")
    here.clock.advance(5)
    here.client().get(first_link(here, prepared))
    (clicked,) = here.captured("message.clicked")
    assert (clicked.properties["by"], clicked.properties["reasons"]) == ("unknown", ["too_fast", "browser"])
