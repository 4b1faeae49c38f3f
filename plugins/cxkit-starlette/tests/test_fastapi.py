"""FastAPI, with what its own tutorial teaches: dependencies, routers, background tasks, mounted apps, streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import cxkit
from cxkit import Interaction
from cxkit.testing.web_shop import Browser, Shop, served
from cxkit_starlette import CXMiddleware

fastapi = pytest.importorskip("fastapi")
responses = pytest.importorskip("fastapi.responses")

SEEN = cxkit.touchpoint("fastapi.seen")


@contextmanager
def opened(app: Any) -> Iterator[tuple[Shop, Browser]]:
    """The app, running, and somebody who has allowed everything."""
    shop = Shop()
    app.add_middleware(CXMiddleware, kit=shop.kit)

    @app.post("/allow")
    def allow() -> None:
        cxkit.grant("analytics", "personalization", "identity_stitching")

    try:
        with served(app) as shop.port:
            browser = shop.browser()
            browser.ask("/allow", method="POST")
            shop.named("page.viewed")
            yield shop, browser
    finally:
        shop.kit.close()


def route(one: Interaction) -> str | None:
    return None if one.context.page is None else one.context.page.route


def test_dependencies_are_in_the_scope_whether_async_or_not() -> None:
    def threaded() -> Iterator[str]:
        SEEN.capture(where="before")
        yield "a"
        SEEN.capture(where="after")

    async def looped(a: str = fastapi.Depends(threaded)) -> str:
        SEEN.capture(where="looped")
        return a + "b"

    app = fastapi.FastAPI()

    @app.get("/items/{id}")
    def item(id: int, both: str = fastapi.Depends(looped)) -> dict[str, Any]:
        SEEN.capture(where="endpoint")
        return {"id": id, "both": both}

    with opened(app) as (shop, browser):
        assert browser.ask("/items/7").body == b'{"id":7,"both":"ab"}'
        seen, (_, viewed) = shop.named("fastapi.seen", count=4), shop.named("page.viewed", count=2)
    assert {one.properties["where"] for one in seen} == {"before", "looped", "endpoint", "after"}
    for one in seen:
        assert (one.identity, route(one)) == (viewed.identity, "/items/{id}")
    assert viewed.identity


@pytest.mark.parametrize("carried", [True, False])
def test_background_tasks(carried: bool) -> None:
    app = fastapi.FastAPI()

    @app.post("/orders")
    def order(tasks: fastapi.BackgroundTasks) -> None:
        work = cxkit.carry(SEEN.capture) if carried else SEEN.capture
        tasks.add_task(work, where="background")

    with opened(app) as (shop, browser):
        assert browser.ask("/orders", method="POST").status == 200
        (seen,), (_, viewed) = shop.named("fastapi.seen"), shop.named("page.viewed", count=2)
    assert (seen.identity, route(seen)) == (viewed.identity, "/orders")
    assert viewed.identity
    assert viewed.outcome == "completed"


def test_routers_and_mounted_apps() -> None:
    app, sub = fastapi.FastAPI(), fastapi.FastAPI()
    router = fastapi.APIRouter(prefix="/shops/{shop}")

    @router.get("/items/{item}")
    @sub.get("/items/{item}")
    def item(item: str) -> None:
        SEEN.capture()

    app.include_router(router, prefix="/v1")
    app.mount("/sub", sub)
    with opened(app) as (shop, browser):
        for path in ("/v1/shops/a/items/b", "/sub/items/c"):
            browser.ask(path)
        seen, viewed = shop.named("fastapi.seen", count=2), shop.named("page.viewed", count=3)[1:]
    expected = ["/v1/shops/{shop}/items/{item}", "/sub/items/{item}"]
    assert [route(one) for one in seen] == [route(one) for one in viewed] == expected


def test_streams_are_the_visitors_to_their_end() -> None:
    app = fastapi.FastAPI()

    @app.get("/stream")
    def stream() -> Any:
        def pieces() -> Iterator[bytes]:
            for number in range(3):
                SEEN.capture(number=number)
                yield b"x"

        return responses.StreamingResponse(pieces())

    with opened(app) as (shop, browser):
        assert browser.ask("/stream").body == b"xxx"
        seen, (_, viewed) = shop.named("fastapi.seen", count=3), shop.named("page.viewed", count=2)
    assert {one.identity for one in seen} == {viewed.identity}
    assert viewed.outcome == "completed"


def test_what_fails_is_answered_as_ever() -> None:
    app = fastapi.FastAPI()

    @app.get("/items/{id}")
    def item(id: int) -> None:
        raise fastapi.HTTPException(status_code=418, detail="canary")

    @app.exception_handler(KeyError)
    async def lost(request: Any, error: KeyError) -> Any:
        return responses.JSONResponse({"lost": True}, status_code=410)

    @app.get("/lost")
    def lose() -> None:
        raise KeyError("canary")

    with opened(app) as (shop, browser):
        statuses = [browser.ask(path).status for path in ("/items/7", "/items/canary", "/lost", "/canary")]
        viewed = shop.named("page.viewed", count=5)[1:]
    assert statuses == [418, 422, 410, 404]
    assert [(route(one), one.outcome) for one in viewed] == [
        ("/items/{id}", "completed"), ("/items/{id}", "completed"), ("/lost", "completed"), (None, "completed"),
    ]  # fmt: skip
