"""Experiences where pages of Starlette use them, over HTTP: in endpoints, templates, streams and tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import jinja2
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates

import cxkit
from cxkit import Variant
from cxkit.testing import Recorder, recorder
from cxkit.testing.visitors import visitor_cookies
from cxkit.testing.web_shop import Browser, Reply, served
from cxkit.web import template_globals
from cxkit_starlette import CXMiddleware

PUBLIC, PRIVATE = "public, max-age=60", "private"
HOSTILE = "<script>alert('&')</script>"
ESCAPED = b"&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"
PAGES = {
    "hero.html": "<h1>{{ cx_experience('star.hero') }}</h1>",
    "long.html": "<p>{{ 'x' * 10000 }}</p><h1>{{ cx_experience('star.hero') }}</h1>",
    "hostile.html": "{{ cx_experience('star.hostile') }}"
    "{% set h = cx_experience('star.hostile') %}{{ h.variant }}{{ h.content }}",
    "none.html": "[{{ cx_experience('star.none') }}]",
}
TEMPLATES = Jinja2Templates(env=jinja2.Environment(loader=jinja2.DictLoader(PAGES), autoescape=True))
TEMPLATES.env.globals.update(template_globals())


def hero() -> cxkit.Experience:
    return cxkit.experience(
        "star.hero",
        fallback=Variant(name="all", content="Welcome"),
        variants=[Variant(name="known", content="Welcome back", depth=2)],
    )


def asked(endpoint: Any, cx: Recorder, *, known: bool = True) -> Reply:
    """What a browser gets of a page; that of somebody who is recognised, or of a stranger."""
    app = Starlette(routes=[Route("/", endpoint)])
    app.add_middleware(CXMiddleware)
    cookies = visitor_cookies(cx.kit, allows=["analytics", "personalization"]) if known else {}
    with served(app) as port:
        browser = Browser(port)
        browser.cookies.update(cookies)
        return browser.ask("/")


def said(reply: Reply) -> tuple[list[str], list[str]]:
    return reply.all("cache-control"), reply.all("vary")


async def endpoint(request: Request) -> Response:
    return PlainTextResponse(f"<h1>{hero().show()}</h1>", headers={"Cache-Control": PUBLIC})


def in_a_thread(request: Request) -> Response:
    return PlainTextResponse(f"<h1>{hero().show()}</h1>", headers={"Cache-Control": PUBLIC})


async def template(request: Request) -> Response:
    hero()
    return TEMPLATES.TemplateResponse(request, "hero.html", headers={"Cache-Control": PUBLIC})


@pytest.mark.parametrize("page", [endpoint, in_a_thread, template])
def test_what_is_shown_is_this_visitors_and_caches_are_told(cx: Recorder, page: Any) -> None:
    reply = asked(page, cx)
    assert (reply.body, said(reply)) == (b"<h1>Welcome back</h1>", (["max-age=60, private"], ["Cookie"]))
    reply = asked(page, cx, known=False)
    assert (reply.body, said(reply)) == (b"<h1>Welcome</h1>", ([PUBLIC], []))
    assert [one.decision.variant for one in cx.named("experience.shown") if one.decision] == ["known", "all"]


def streamed(cache: str | None) -> Any:
    async def page(request: Request) -> Response:
        hero()
        pieces = TEMPLATES.get_template("long.html").generate()
        return StreamingResponse(pieces, headers={"Cache-Control": cache} if cache else {})

    return page


@pytest.mark.parametrize("cache", [PUBLIC, None])
def test_a_stream_that_others_may_get_shows_what_all_may_see(cx: Recorder, cache: str | None) -> None:
    reply = asked(streamed(cache), cx)
    assert reply.body.endswith(b"<h1>Welcome</h1>")
    assert said(reply) == ([cache] if cache else [], [])
    assert [one.decision.capped_by for one in cx.named("experience.shown") if one.decision] == ["late"]


def test_a_stream_that_is_private_from_the_start_is_this_visitors(cx: Recorder) -> None:
    reply = asked(streamed(PRIVATE), cx)
    assert reply.body.endswith(b"<h1>Welcome back</h1>")
    assert reply.all("cache-control") == [PRIVATE]


def test_a_stream_of_the_apps_own_likewise(cx: Recorder) -> None:
    async def page(request: Request) -> Response:
        async def pieces() -> AsyncIterator[str]:
            yield "<p>"
            yield str(await run_in_threadpool(hero().show))

        return StreamingResponse(pieces(), headers={"Cache-Control": PUBLIC})

    reply = asked(page, cx)
    assert (reply.body, said(reply)) == (b"<p>Welcome", ([PUBLIC], []))


def test_what_is_only_decided_tells_caches_nothing_and_is_not_captured(cx: Recorder) -> None:
    async def page(request: Request) -> Response:
        return PlainTextResponse(str(hero().decide()), headers={"Cache-Control": PUBLIC})

    reply = asked(page, cx)
    assert (reply.body, said(reply)) == (b"Welcome back", ([PUBLIC], []))
    assert cx.named("experience.shown") == []


@pytest.mark.parametrize("awaits", [True, False])
def test_a_task_for_afterwards_decides_for_the_visitor_and_changes_no_response(cx: Recorder, awaits: bool) -> None:
    decided: list[str] = []

    def work() -> None:
        decided.append(hero().show().variant)

    async def work_async() -> None:
        work()

    async def page(request: Request) -> Response:
        task = BackgroundTask(work_async if awaits else cxkit.carry(work))
        return PlainTextResponse("done", headers={"Cache-Control": PUBLIC}, background=task)

    reply = asked(page, cx)
    assert (decided, said(reply)) == (["known"], ([PUBLIC], []))
    assert cx.one("experience.shown").decision is not None


def test_html_is_escaped(cx: Recorder) -> None:
    async def page(request: Request) -> Response:
        cxkit.experience("star.hostile", fallback=Variant(name=HOSTILE, content=HOSTILE))
        return TEMPLATES.TemplateResponse(request, "hostile.html")

    assert asked(page, cx).body == ESCAPED * 3


def test_an_unknown_name_renders_nothing() -> None:
    async def page(request: Request) -> Response:
        return TEMPLATES.TemplateResponse(request, "none.html")

    with recorder(strict=False) as record:
        reply = asked(page, record)
        assert (reply.status, reply.body) == (200, b"[]")
        assert sum(record.kit.intake.noted.values()) == 1
