"""Experiences by their names, as templates know them."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

import cxkit
from cxkit.errors import DeclarationError
from cxkit.model import Decision
from cxkit.testing import Recorder, recorder
from cxkit.web import template_globals
from cxkit.web.shown import show


def test_it_is_shown() -> None:
    cxkit.experience("named.hero", fallback=cxkit.Variant(name="all", content="Welcome"))
    with recorder() as record:
        assert show("named.hero").content == "Welcome"
        assert [one.decision and one.decision.experience for one in record.named("experience.shown")] == ["named.hero"]


def test_a_name_that_nobody_gave_shows_nothing_and_is_counted() -> None:
    with recorder(strict=False) as record:
        decision = show("named.hera")
        assert (decision.form, decision.content, decision.sequence, decision.variant) == ("", "", "", "default")
        assert record.interactions == []
        assert sum(record.kit.intake.noted.values()) == 1


def test_while_developing_it_raises_and_says_what_was_meant() -> None:
    cxkit.experience("named.hero")
    with recorder(strict=True), pytest.raises(DeclarationError) as caught:
        show("named.hera")
    assert caught.value.code == "CX3017"
    assert "named.hero" in caught.value.fix


# --- in Jinja ---

HOSTILE = "<script>alert('&')</script>"
ESCAPED = "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"


def rendered(text: str, **values: Any) -> str:
    environment = jinja2.Environment(autoescape=True)
    environment.globals.update(template_globals())
    return environment.from_string(text).render(**values)


def hero(**slots: Any) -> None:
    cxkit.experience("named.hero", fallback=cxkit.Variant(name=slots.pop("name", "all"), **slots))


def test_a_template_prints_what_it_says(cx: Recorder) -> None:
    hero(content="Welcome")
    assert rendered("<h1>{{ cx_experience('named.hero') }}</h1>") == "<h1>Welcome</h1>"
    assert len(cx.named("experience.shown")) == 1


def test_a_template_uses_all_slots_and_the_variants_name(cx: Recorder) -> None:
    hero(content={"title": "Sweets"}, form={"as": "grid"}, sequence=["nuts", "honey"])
    text = (
        "{% set hero = cx_experience('named.hero') %}{{ hero.variant }} {{ hero.form.as }} {{ hero.content.title }}"
        "{% for one in hero.sequence %} {{ one }}{% endfor %}{{ hero }}"
    )
    with cxkit.scope():
        assert rendered(text) == "all grid Sweets nuts honey"


@pytest.mark.parametrize("content", [None, 7, True, {"title": "x"}, ["x"]])
def test_what_is_no_text_is_not_printed(cx: Recorder, content: Any) -> None:
    hero(content=content)
    assert rendered("[{{ cx_experience('named.hero') }}]") == "[]"


@pytest.mark.parametrize("whole", ["{{ cx_experience('named.hero') }}", "{{ cx_experience('named.hero').content }}"])
def test_html_is_escaped_wherever_it_comes_from(cx: Recorder, whole: str) -> None:
    hero(name=HOSTILE, content=HOSTILE, form=[HOSTILE], sequence={"a": HOSTILE})
    each = "{% set h = cx_experience('named.hero') %}{{ h.variant }}{{ h.form[0] }}{{ h.sequence.a }}"
    assert rendered(whole + each) == ESCAPED * 4


class Trusted(str):
    """A text that says of itself that it is HTML."""

    def __str__(self) -> str:
        return self

    def __html__(self) -> str:
        return self


def test_nothing_is_ever_marked_as_safe() -> None:
    """Whatever a decider puts there."""
    decision = Decision(experience="named.hero", variant="all", content=Trusted(HOSTILE))
    assert rendered("{{ decision }}", decision=decision) == ESCAPED
    assert type(str(decision)) is str


@pytest.mark.parametrize(
    "text",
    [
        "{{ cx_experience('named.hera') }}",
        "{{ cx_experience(missing) }}",
        "{{ cx_experience(['named.hero']) }}",
        "{% set h = cx_experience('named.hera') %}{{ h }}{{ h.content }}{{ h.form }}{{ h.form.as }}"
        "{% for one in h.sequence %}{{ one }}{% endfor %}{% if h.content %}x{% endif %}",
    ],
)
def test_an_unknown_name_renders_nothing_and_is_counted(text: str) -> None:
    with recorder(strict=False) as record:
        assert rendered(text) == ""
        assert sum(record.kit.intake.noted.values()) == 1
