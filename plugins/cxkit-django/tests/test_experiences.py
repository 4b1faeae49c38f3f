"""Experiences where pages of Django use them, over HTTP: in views, templates, streams, and jobs for afterwards."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import Context, Template
from django.urls import path

import cxkit
from cxkit import Variant
from cxkit.testing import Recorder, recorder
from cxkit.testing.visitors import visitor_cookies
from cxkit.testing.web_shop import Browser, Reply

PUBLIC, PRIVATE = "public, max-age=60", "private"
TEMPLATE = '{% load cxkit %}<h1>{% experience "django.hero" %}</h1>'
HOSTILE = "<script>alert('&')</script>"
ESCAPED = "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;"

Ask = Callable[..., Reply]


def hero() -> cxkit.Experience:
    return cxkit.experience(
        "django.hero",
        fallback=Variant(name="all", content="Welcome", form={"as": "grid"}, sequence=["nuts", "honey"]),
        variants=[Variant(name="known", content="Welcome back", depth=2)],
    )


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest, serve: Any) -> Ask:
    """What a browser gets of a page; that of somebody who is recognised, or of a stranger."""

    def ask(view: Any, cx: Recorder, *, known: bool = True) -> Reply:
        cookies = visitor_cookies(cx.kit, allows=["analytics", "personalization"]) if known else {}
        with serve([path("", view)], gateway=request.param, others=()) as port:
            browser = Browser(port)
            browser.cookies.update(cookies)
            return browser.ask("/")

    return ask


def said(reply: Reply) -> tuple[list[str], list[str]]:
    return reply.all("cache-control"), reply.all("vary")


def rendered(text: str, **values: Any) -> str:
    return str(Template("{% load cxkit %}" + text).render(Context(values)))


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<h1>{hero().show()}</h1>", headers={"Cache-Control": PUBLIC})


def template(request: HttpRequest) -> HttpResponse:
    hero()
    return HttpResponse(Template(TEMPLATE).render(Context({})), headers={"Cache-Control": PUBLIC})


async def awaited(request: HttpRequest) -> HttpResponse:
    return template(request)


@pytest.mark.parametrize("page", [view, template, awaited])
def test_what_is_shown_is_this_visitors_and_caches_are_told(ask: Ask, cx: Recorder, page: Any) -> None:
    reply = ask(page, cx)
    assert (reply.body, said(reply)) == (b"<h1>Welcome back</h1>", (["max-age=60, private"], ["Cookie"]))
    reply = ask(page, cx, known=False)
    assert (reply.body, said(reply)) == (b"<h1>Welcome</h1>", ([PUBLIC], []))
    assert [one.decision.variant for one in cx.named("experience.shown") if one.decision] == ["known", "all"]


def streamed(cache: str | None) -> Any:
    def page(request: HttpRequest) -> StreamingHttpResponse:
        def pieces() -> Iterator[str]:
            yield "<p>"
            yield Template(TEMPLATE).render(Context({}))

        hero()
        return StreamingHttpResponse(pieces(), headers={"Cache-Control": cache} if cache else {})

    return page


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
@pytest.mark.parametrize("cache", [PUBLIC, None])
def test_a_stream_that_others_may_get_shows_what_all_may_see(ask: Ask, cx: Recorder, cache: str | None) -> None:
    reply = ask(streamed(cache), cx)
    assert reply.body == b"<p><h1>Welcome</h1>"
    assert said(reply) == ([cache] if cache else [], [])
    assert [one.decision.capped_by for one in cx.named("experience.shown") if one.decision] == ["late"]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_stream_that_is_private_from_the_start_is_this_visitors(ask: Ask, cx: Recorder) -> None:
    reply = ask(streamed(PRIVATE), cx)
    assert (reply.body, reply.all("cache-control")) == (b"<p><h1>Welcome back</h1>", [PRIVATE])


def test_an_asynchronous_stream_likewise(serve: Any, cx: Recorder) -> None:
    async def page(request: HttpRequest) -> StreamingHttpResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "<p>"
            yield str(hero().show())

        return StreamingHttpResponse(pieces(), headers={"Cache-Control": PUBLIC})

    cookies = visitor_cookies(cx.kit, allows=["analytics", "personalization"])
    with serve([path("", page)], gateway="asgi", others=()) as port:
        browser = Browser(port)
        browser.cookies.update(cookies)
        reply = browser.ask("/")
    assert (reply.body, said(reply)) == (b"<p>Welcome", ([PUBLIC], []))


def test_what_is_only_decided_tells_caches_nothing_and_is_not_captured(ask: Ask, cx: Recorder) -> None:
    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(hero().decide()), headers={"Cache-Control": PUBLIC})

    reply = ask(page, cx)
    assert (reply.body, said(reply)) == (b"Welcome back", ([PUBLIC], []))
    assert cx.named("experience.shown") == []


def test_a_job_for_afterwards_decides_for_the_visitor_and_changes_no_response(ask: Ask, cx: Recorder) -> None:
    begun, decided, jobs = threading.Event(), [], []

    def work() -> None:
        begun.wait(20)
        decided.append(hero().show().variant)

    def page(request: HttpRequest) -> HttpResponse:
        jobs.append(threading.Thread(target=cxkit.carry(work)))
        jobs[0].start()
        return HttpResponse("done", headers={"Cache-Control": PUBLIC})

    reply = ask(page, cx)
    begun.set()
    jobs[0].join(20)
    assert (decided, said(reply)) == (["known"], ([PUBLIC], []))
    assert cx.one("experience.shown").decision is not None


# --- the tag ---


def test_it_gives_all_slots_and_the_variants_name(cx: Recorder) -> None:
    hero()
    text = (
        '{% experience "django.hero" as hero %}{{ hero.variant }} {{ hero.content }} {{ hero.form.as }}'
        "{% for one in hero.sequence %} {{ one }}{% endfor %} {{ hero }}"
    )
    assert rendered(text) == "all Welcome grid nuts honey Welcome"
    assert len(cx.named("experience.shown")) == 1


def test_its_name_may_be_a_variable(cx: Recorder) -> None:
    hero()
    assert rendered("{% experience name %}", name="django.hero") == "Welcome"


@pytest.mark.parametrize("content", [None, 7, True, {"title": "x"}, ["x"]])
def test_what_is_no_text_is_not_printed(cx: Recorder, content: Any) -> None:
    cxkit.experience("django.plain", fallback=Variant(name="all", content=content))
    assert rendered('[{% experience "django.plain" %}]') == "[]"


def test_html_is_escaped_wherever_it_comes_from(cx: Recorder) -> None:
    cxkit.experience("django.hostile", fallback=Variant(name=HOSTILE, content=HOSTILE, form=[HOSTILE]))
    text = '{% experience "django.hostile" %}{% experience "django.hostile" as h %}'
    assert rendered(text + "{{ h.variant }}{{ h.content }}{{ h.form.0 }}{{ h }}") == ESCAPED * 5


@pytest.mark.parametrize(
    "text",
    [
        '{% experience "django.none" %}',
        '{% experience "django.none" as h %}{{ h }}{{ h.content }}{{ h.form.as }}'
        "{% for one in h.sequence %}{{ one }}{% endfor %}{% if h.content %}x{% endif %}",
        "{% experience name %}",
    ],
)
def test_an_unknown_name_renders_nothing_and_is_counted(text: str) -> None:
    with recorder(strict=False) as record:
        assert rendered(text, name="<b>") == ""
        assert sum(record.kit.intake.noted.values()) == 1


def test_a_cache_of_parts_of_pages_keeps_one_for_each_variant(configured: Any, cx: Recorder) -> None:
    hero()
    kept = "{% cache 300 hero hero.cache_key %}{{ hero }}{% endcache %}"
    text = '{% load cache %}{% experience "django.hero" as hero %}' + kept
    with configured([], CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}):
        for _ in range(2):
            with cxkit.scope():
                assert rendered(text) == "Welcome"
            with cxkit.scope():
                cxkit.identify(user_id="nancy")
                cxkit.grant("personalization")
                assert rendered(text) == "Welcome back"
    assert len(cx.named("experience.shown")) == 4
