"""Experiences where pages of Flask use them, over HTTP: in views, templates, streams, and jobs for afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, render_template_string, stream_template_string

import cxkit
from cxkit import Variant
from cxkit.model import Experiment
from cxkit.testing import Recorder, recorder
from cxkit.testing.visitors import visitor_cookies
from cxkit.testing.web_shop import Browser, Reply, served_wsgi
from cxkit_flask import CXFlask

PUBLIC, PRIVATE = "public, max-age=60", "private"
TEMPLATE = "<h1>{{ cx_experience('flask.hero') }}</h1>"
HOSTILE = "<script>alert('&')</script>"
ESCAPED = b"&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"


def hero() -> cxkit.Experience:
    return cxkit.experience(
        "flask.hero",
        fallback=Variant(name="all", content="Welcome"),
        variants=[Variant(name="known", content="Welcome back", depth=2)],
    )


def asked(page: Any, cx: Recorder, *, known: bool = True) -> Reply:
    """What a browser gets of a page of an app; that of somebody who is recognised, or of a stranger."""
    app = Flask("shop", static_folder=None)
    app.add_url_rule("/", view_func=page)
    CXFlask(app)
    cookies = visitor_cookies(cx.kit, allows=["analytics", "personalization"]) if known else {}
    with served_wsgi(app) as port:
        browser = Browser(port)
        browser.cookies.update(cookies)
        return browser.ask("/")


def said(reply: Reply) -> tuple[list[str], list[str]]:
    return reply.all("cache-control"), reply.all("vary")


def view() -> Response:
    return Response(f"<h1>{hero().show()}</h1>", headers={"Cache-Control": PUBLIC})


def template() -> Response:
    hero()
    return Response(render_template_string(TEMPLATE), headers={"Cache-Control": PUBLIC})


@pytest.mark.parametrize("page", [view, template])
def test_what_is_shown_is_this_visitors_and_caches_are_told(cx: Recorder, page: Any) -> None:
    reply = asked(page, cx)
    assert (reply.body, said(reply)) == (b"<h1>Welcome back</h1>", (["max-age=60, private"], ["Cookie"]))
    reply = asked(page, cx, known=False)
    assert (reply.body, said(reply)) == (b"<h1>Welcome</h1>", ([PUBLIC], []))
    assert [one.decision.variant for one in cx.named("experience.shown") if one.decision] == ["known", "all"]


def streamed(cache: str | None) -> Any:
    def page() -> Response:
        hero()
        pieces = stream_template_string("<p>" + "x" * 10_000 + "</p>" + TEMPLATE)
        return Response(pieces, headers={"Cache-Control": cache} if cache else {})

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
    def page() -> Response:
        def pieces() -> Iterator[str]:
            yield "<p>"
            yield str(hero().show())

        return Response(pieces(), headers={"Cache-Control": PUBLIC})

    reply = asked(page, cx)
    assert (reply.body, said(reply)) == (b"<p>Welcome", ([PUBLIC], []))


def test_what_is_only_decided_tells_caches_nothing_and_is_not_captured(cx: Recorder) -> None:
    def page() -> Response:
        return Response(str(hero().decide()), headers={"Cache-Control": PUBLIC})

    reply = asked(page, cx)
    assert (reply.body, said(reply)) == (b"Welcome back", ([PUBLIC], []))
    assert cx.named("experience.shown") == []


def test_a_job_for_afterwards_decides_for_the_visitor_and_changes_no_response(cx: Recorder) -> None:
    begun, decided, jobs = threading.Event(), [], []

    def work() -> None:
        begun.wait(20)
        decided.append(hero().show().variant)

    def page() -> Response:
        jobs.append(threading.Thread(target=cxkit.carry(work)))
        jobs[0].start()
        return Response("done", headers={"Cache-Control": PUBLIC})

    reply = asked(page, cx)
    begun.set()
    jobs[0].join(20)
    assert (decided, said(reply)) == (["known"], ([PUBLIC], []))
    assert cx.one("experience.shown").decision is not None


def test_html_is_escaped(cx: Recorder) -> None:
    def page() -> str:
        cxkit.experience("flask.hostile", fallback=Variant(name=HOSTILE, content=HOSTILE))
        text = "{% set h = cx_experience('flask.hostile') %}{{ h.variant }}{{ h.content }}"
        return render_template_string("{{ cx_experience('flask.hostile') }}" + text)

    assert asked(page, cx).body == ESCAPED * 3


def test_an_unknown_name_renders_nothing() -> None:
    with recorder(strict=False) as record:
        reply = asked(lambda: render_template_string("[{{ cx_experience('flask.none') }}]"), record)
        assert (reply.status, reply.body) == (200, b"[]")
        assert sum(record.kit.intake.noted.values()) == 1


def split() -> cxkit.Experience:
    return cxkit.experience(
        "flask.split",
        fallback=Variant(name="all", content="Welcome"),
        variants=[Variant(name="bold", content="Sweets!"), Variant(name="calm", content="Nuts.")],
        experiments=[Experiment(name="flask.bolder", variations=("bold", "calm"), unit="visitor")],
    )


def test_what_an_experiment_gave_is_this_visitors_alone(cx: Recorder) -> None:
    def page() -> Response:
        split()
        text = render_template_string("{{ cx_experience('flask.split') }}")
        return Response(text, headers={"Cache-Control": PUBLIC})

    reply = asked(page, cx)
    assert reply.body in (b"Sweets!", b"Nuts.")
    assert said(reply) == (["max-age=60, private"], ["Cookie"])


def test_in_a_stream_that_others_may_get_nobody_takes_part(cx: Recorder) -> None:
    def page() -> Response:
        split()
        pieces = stream_template_string("x" * 10_000 + "{{ cx_experience('flask.split') }}")
        return Response(pieces, headers={"Cache-Control": PUBLIC})

    reply = asked(page, cx)
    assert reply.body.endswith(b"xWelcome")
    assert said(reply) == ([PUBLIC], [])
    assert [one.decision.assignment for one in cx.named("experience.shown") if one.decision] == [None]
