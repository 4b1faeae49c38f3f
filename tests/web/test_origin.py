"""Whether a request comes from the site itself: every trick to seem so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.model import Facts
from cxkit.web.origin import same_origin


def asked(headers: dict[str, str], host: str | None = "shop.example") -> Facts:
    return Facts(method="POST", scheme="https", host=host, path="/", headers=headers)


@pytest.mark.parametrize(
    ("headers", "host", "same"),
    [
        ({"sec-fetch-site": "same-origin"}, "shop.example", True),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, "shop.example", True),
        ({"sec-fetch-site": "same-site"}, "shop.example", False),
        ({"sec-fetch-site": "cross-site", "origin": "https://shop.example"}, "shop.example", False),
        ({"sec-fetch-site": "none"}, "shop.example", False),
        ({"sec-fetch-site": ""}, "shop.example", False),
        ({}, "shop.example", False),
        ({"origin": "null"}, "shop.example", False),
        ({"origin": ""}, "shop.example", False),
        ({"origin": "https://shop.example"}, "shop.example", True),
        ({"origin": "http://shop.example"}, "shop.example", True),
        ({"origin": "https://SHOP.example"}, "shop.EXAMPLE", True),
        ({"origin": "https://shop.example"}, "shop.example:443", True),
        ({"origin": "https://shop.example:443"}, "shop.example", True),
        ({"origin": "https://shop.example:8443"}, "shop.example:8443", True),
        ({"origin": "https://shop.example:8443"}, "shop.example", False),
        ({"origin": "https://[::1]:8000"}, "[::1]:8000", True),
        ({"origin": "https://shop.example.evil.example"}, "shop.example", False),
        ({"origin": "https://evilshop.example"}, "shop.example", False),
        ({"origin": "https://shop.example@evil.example"}, "evil.example", False),
        ({"origin": "https://shop.example/"}, "shop.example", False),
        ({"origin": "https://shop.example, https://evil.example"}, "shop.example", False),
        ({"origin": "file://"}, "shop.example", False),
        ({"origin": "https://"}, "", False),
        ({"origin": "https://shop.example"}, None, False),
        ({"origin": "https://www.example.com"}, "shop.example", True),
        ({"origin": "https://www.example.com", "sec-fetch-site": "cross-site"}, "shop.example", True),
        ({"origin": "https://www.example.com.evil.example"}, "shop.example", False),
        ({"origin": "http://www.example.com"}, "shop.example", False),
    ],
)
def test_origins(headers: dict[str, str], host: str | None, same: bool) -> None:
    """S16."""
    assert same_origin(asked(headers, host), allowed=["https://www.example.com"]) is same


@settings(max_examples=1000)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_an_answer(origin: str, host: str) -> None:
    assert not same_origin(asked({"origin": origin + "@"}, host))
    same_origin(asked({"origin": origin}, host))
