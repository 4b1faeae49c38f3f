"""Who is signed in, as Starlette's own middleware knows it; and what templates may call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, UnauthenticatedUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import cxkit
from cxkit.testing.web_shop import Shop, served
from cxkit.web import template_globals
from cxkit_starlette import CXMiddleware


class User(BaseUser):
    is_authenticated = True
    display_name = "Nancy Canary"
    identity = "nancy"


class Nameless(BaseUser):
    is_authenticated = True
    display_name = "Nancy Canary"


class Foreign:
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"somebody touched it: {name}")


class Backend(AuthenticationBackend):
    def __init__(self, user: Callable[[], Any]) -> None:
        self.user = user
        self.asked = 0

    async def authenticate(self, conn: HTTPConnection) -> Any:
        self.asked += 1
        return AuthCredentials(["authenticated"]), self.user()


async def allow(request: Request) -> Response:
    cxkit.grant("analytics", "identity_stitching")
    return PlainTextResponse("ok")


def visited(*middleware: Middleware, **options: Any) -> str | None:
    """Who visited, of somebody who allows it."""
    shop = Shop()
    app = Starlette(
        routes=[Route("/", allow)], middleware=[Middleware(CXMiddleware, kit=shop.kit, **options), *middleware]
    )
    with served(app) as shop.port:
        assert shop.browser().ask("/").status == 200
        (viewed,) = shop.named("page.viewed")
    shop.kit.close()
    found = viewed.identity.get("user_id")
    assert found is None or found.evidence == "login"
    return found and found.value


@pytest.mark.parametrize(
    ("user", "known"), [(User, "nancy"), (UnauthenticatedUser, None), (Nameless, None), (Foreign, None), (dict, None)]
)
def test_whom_the_authentication_knows(user: Callable[[], Any], known: str | None) -> None:
    backend = Backend(user)
    assert visited(Middleware(AuthenticationMiddleware, backend=backend)) == known
    assert backend.asked == 1, "by the app, and not once more"


def test_nobody_is_asked_for() -> None:
    assert visited() is None


def test_an_app_that_knows_by_other_means_says_so() -> None:
    assert visited(user=lambda scope: "marion") == "marion"


def test_templates_have_the_banner(tmp_path: Path) -> None:
    templating = pytest.importorskip("starlette.templating", exc_type=ImportError)
    pytest.importorskip("jinja2")
    (tmp_path / "home.html").write_text("<a href='{{ cx_consent_url() }}'>{{ request.url.path }}</a>{{ cx_banner() }}")
    templates = templating.Jinja2Templates(tmp_path)
    templates.env.globals.update(template_globals())

    async def home(request: Request) -> Response:
        response: Response = templates.TemplateResponse(request, "home.html")
        return response

    shop = Shop()
    app = Starlette(routes=[Route("/", home)])
    app.add_middleware(CXMiddleware, kit=shop.kit)
    with served(app) as shop.port:
        page = shop.browser().ask("/")
        assert page.status == 200
        assert b"/cx/consent" in page.body
        assert b"&lt;" not in page.body, "markup is markup"
        assert not page.all("set-cookie")
    shop.kit.close()
