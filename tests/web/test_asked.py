"""Forms on the web: what is asked of one visitor is in no shared cache, and what is known is no HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2

import cxkit
from cxkit.testing import Recorder
from cxkit.web import template_globals
from tests.web.surface import GPC, get

PUBLIC = [(b"cache-control", b"public, max-age=60")]
FORM = cxkit.experience(
    "asked.form", questions=[cxkit.Question(name="taste"), cxkit.Question(name="csat", scale="csat")]
)


def asking(seen: list[Any]) -> Callable[[], None]:
    return lambda: seen.append(FORM.show())


def test_a_page_that_asks_is_for_one_visitor_and_one_that_does_not_is_for_all(
    visitor: Any, shop: Callable[..., Any]
) -> None:
    seen: list[Any] = []
    page = shop(asking(seen), headers=PUBLIC)
    assert get(page, "/").all("cache-control") == ["public, max-age=60"], "of a stranger nothing is asked"
    assert get(visitor.in_(page), "/").all("cache-control") == ["max-age=60, private"]
    assert [[one.name for one in each.questions] for each in seen] == [[], ["taste", "csat"]]
    assert get(visitor.in_(page), "/").all("cache-control") == ["public, max-age=60"], "they were asked a moment ago"


def test_an_answer_that_was_posted_holds_in_the_next_request(visitor: Any, shop: Callable[..., Any]) -> None:
    seen: list[Any] = []
    get(visitor.in_(shop(lambda: cxkit.answer("taste", "vegan"))), "/")
    get(visitor.in_(shop(asking(seen))), "/")
    assert (seen[0].not_asked, seen[0].prefill) == ({"taste": "known"}, {}), "a cookie is no login"


def test_a_browser_that_objects_is_asked_all_the_same(visitor: Any, shop: Callable[..., Any]) -> None:
    seen: list[Any] = []
    get(visitor.in_(shop(asking(seen))), "/", GPC)
    assert seen[0].asks("taste"), "it objects to advertising and sale"


def test_a_robot_is_not(visitor: Any, shop: Callable[..., Any]) -> None:
    seen: list[Any] = []
    get(visitor.in_(shop(asking(seen))), "/", (b"user-agent", b"Googlebot/2.1 (+http://www.google.com/bot.html)"))
    assert seen[0].questions == ()


TEMPLATE = """{% set form = cx_experience("asked.form") -%}
<input name="csat"{{ " disabled" if not form.asks("csat") }}>{% for one in form.questions %} {{ one.name }}{% endfor %}
{%- for name, value in form.prefill.items() %} <input name="{{ name }}" value="{{ value }}">{% endfor %}"""
HOSTILE = '"><script>alert(1)</script>'


def test_a_template_asks_and_fills_in_and_lets_no_answer_be_html(cx: Recorder) -> None:
    environment = jinja2.Environment(autoescape=True)
    environment.globals.update(template_globals())
    page = environment.from_string(TEMPLATE)
    assert page.render() == '<input name="csat" disabled>'
    with cxkit.scope(user_id="nancy", evidence="login"):
        cxkit.grant("personalization", "analytics")
        assert page.render() == '<input name="csat"> taste csat'
        cxkit.answer("taste", HOSTILE)
        filled = page.render()
    assert '<input name="taste" value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">' in filled
    assert "<script>" not in filled
