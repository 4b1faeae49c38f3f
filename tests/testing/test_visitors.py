"""Visitors for test clients: what they chose is obeyed, and making them leaves no trace."""

from __future__ import annotations

from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.testing.visitors import visitor_cookies
from cxkit.web import WSGIMiddleware
from tests.web.wsgi_driver import ask, giving


def visited(kit: cxkit.Kit, cookies: dict[str, str], **fields: Any) -> Any:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return ask(WSGIMiddleware(giving([b"x"]), kit=kit), HTTP_COOKIE=header, **fields)


def test_a_visitor_who_allowed_is_recognised(cx: Any) -> None:
    cookies = visitor_cookies(cx.kit, allows=["analytics", "personalization"], refuses=["advertising"])
    assert not cx.interactions
    assert current_scope() is None
    assert not visited(cx.kit, cookies).cookies, "they are as good as those the middleware sets"
    viewed = cx.one("page.viewed")
    assert viewed.identity.get("visitor").evidence == "cookie"
    assert viewed.consent == {"necessary": True, "analytics": True, "personalization": True, "advertising": False}


def test_each_is_somebody_else(cx: Any) -> None:
    one, other = (visitor_cookies(cx.kit, allows=["analytics"]) for _ in range(2))
    assert one["cxkit_visitor"] != other["cxkit_visitor"]


def test_who_refuses_everything_is_not_captured(cx: Any) -> None:
    cookies = visitor_cookies(cx.kit, refuses=["analytics", "advertising"])
    assert list(cookies) == ["cxkit_consent"]
    visited(cx.kit, cookies)
    assert not cx.named("page.viewed")


def test_who_chose_nothing_has_none(cx: Any) -> None:
    assert visitor_cookies(cx.kit) == {}


def test_over_https_they_have_other_names(cx: Any) -> None:
    cookies = visitor_cookies(cx.kit, allows=["analytics"], secure=True)
    assert sorted(cookies) == ["__Host-cxkit_consent", "__Host-cxkit_visitor"]
    visited(cx.kit, cookies, **{"wsgi.url_scheme": "https"})
    assert cx.one("page.viewed").identity


@pytest.mark.parametrize("chosen", [{"allows": ["canary"]}, {"allows": ["analytics"], "refuses": ["analytics"]}])
def test_what_nobody_can_choose(cx: Any, chosen: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no purpose"):
        visitor_cookies(cx.kit, **chosen)
