"""Pages ask for the client hints that the settings name; nothing else asks, and unasked nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cxkit.errors import ConfigurationError
from cxkit.settings import Web, load
from cxkit.web import ASGIMiddleware

FORM = ("Sec-CH-Viewport-Width", "Sec-CH-Prefers-Color-Scheme")
PAGE = (b"sec-fetch-dest", b"document")


@pytest.fixture
def asking(make: Any, client: Any, answering: Any) -> Callable[..., Any]:
    def asking(*names: str, headers: Any = ()) -> Any:
        kept = make({"web": Web(accept_ch=names)})
        return client(ASGIMiddleware(answering(headers=list(headers)), kit=kept.kit))

    return asking


def test_a_page_asks_for_what_is_named(asking: Any) -> None:
    assert asking(*FORM).ask(headers=[PAGE]).all("accept-ch") == ["Sec-CH-Viewport-Width, Sec-CH-Prefers-Color-Scheme"]


def test_nothing_is_asked_for_unless_it_is_named(asking: Any) -> None:
    assert asking().ask(headers=[PAGE]).all("accept-ch") == []


@pytest.mark.parametrize("dest", [None, b"image", b"iframe", b"empty", b"", b"document, document", b"\xff"])
def test_only_a_page_that_a_browser_opens_asks(asking: Any, dest: bytes | None) -> None:
    """Browsers heed it of no other, and those that know hints all say what they fetch."""
    headers = [] if dest is None else [(b"sec-fetch-dest", dest)]
    assert asking(*FORM).ask(headers=headers).all("accept-ch") == []


def test_what_the_app_itself_asks_for_stays(asking: Any) -> None:
    """Lines of a list are one list (RFC 9110, section 5.3; RFC 8942, section 3.1)."""
    sent = asking(*FORM[:1], headers=[(b"accept-ch", b"Sec-CH-DPR")]).ask(headers=[PAGE])
    assert sent.all("accept-ch") == ["Sec-CH-DPR", "Sec-CH-Viewport-Width"]


@pytest.mark.parametrize("name", ["", "Sec CH", "Sec-CH-UA\r\nX: 1", "a,b", "é", "x" * 65])
def test_what_is_no_header_is_no_hint(name: str) -> None:
    with pytest.raises(ConfigurationError, match="accept_ch"):
        load(environ={}, overrides={"web": {"accept_ch": [name]}})
