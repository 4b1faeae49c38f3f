"""What a person does to a page, and what time it is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.browser.site import Site

__all__ = ["hidden", "leave", "passes", "stopped"]

_NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)


def stopped(page: Any) -> Any:
    """Its clock stands until time `passes`, so how slow the machine is does not show."""
    page.clock.install(time=_NOON)
    page.clock.pause_at(_NOON + timedelta(seconds=1))
    return page


def passes(milliseconds: int, site: Site, page: Any) -> None:
    """For a page whose clock stands, and for its site."""
    site.ahead_ns[0] += milliseconds * 1_000_000
    page.clock.run_for(milliseconds)


def hidden(page: Any, away: bool) -> None:
    """As if another tab were in front of it: without a window, no tab ever is."""
    state = "hidden" if away else "visible"
    page.evaluate(
        f"""() => {{
            Object.defineProperty(document, 'visibilityState', {{ value: '{state}', configurable: true }});
            document.dispatchEvent(new Event('visibilitychange'));
        }}"""
    )


def leave(page: Any) -> None:
    page.goto("about:blank")
