"""What the table ``[email]`` switches off is off, whatever a customer allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Make = Callable[..., Any]


def test_without_clicks_no_link_of_anybody_is_followed(post: Make) -> None:
    here = post(clicks=False)
    here.allows("analytics")
    prepared = here.prepared()
    assert "/cx/c/" not in here.html_of(prepared)
    assert here.kit.messages.of(prepared.id).mailing is None, "a mail of which nothing is followed needs none"


def test_without_the_honeypot_only_its_own_links_are_there(post: Make) -> None:
    here = post(honeypot=False)
    here.allows("analytics")
    assert here.html_of(here.prepared()).count("/cx/c/") == 2
