"""What may be declared of a question, and which answers it takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import DeclarationError, InvalidInteractionError
from cxkit.model import SCALES, ExperienceSpec, Question


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scale": "stars"}, "scale"),
        ({"purpose": "spying"}, "purpose"),
        ({"sensitive": True, "purpose": "necessary"}, "sensitive"),
        ({"scale": "nps", "options": (1, 2)}, "options"),
        ({"scale": "nps", "lasts_s": 60}, "lasts"),
        ({"options": ("a", "a")}, "twice"),
        ({"options": ("", "a")}, "options"),
        ({"options": (None,)}, "options"),
        ({"options": ([],)}, "options"),
        ({"options": (float("nan"),)}, "options"),
        ({"options": range(1001)}, "options"),
        ({"friction": 0}, "friction"),
        ({"friction": float("nan")}, "friction"),
        ({"friction": True}, "friction"),
        ({"cooldown_s": -1}, "cooldown_s"),
        ({"cooldown_s": "a month"}, "cooldown_s"),
        ({"most_asks": 0}, "most_asks"),
        ({"most_asks": 101}, "most_asks"),
        ({"most_asks": 1.5}, "most_asks"),
        ({"lasts_s": 0}, "lasts_s"),
        ({"lasts_s": 1e12}, "lasts_s"),
        ({"sample": 1.01}, "sample"),
        ({"text": {"en": 1}}, "no text"),
        ({"why": "because"}, "no text"),
        ({"when": ["device"]}, "condition"),
        ({"unlocks": ("",)}, "name"),
        ({"alternatives": (1,)}, "name"),
        ({"channels": ("the web",)}, "channel"),
    ],
)
def test_what_is_wrong_is_refused_by_name(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match="CX3060") as caught:
        Question(name="diet", **fields)
    assert '"diet"' in caught.value.what
    assert said in caught.value.what


@pytest.mark.parametrize("name", [None, 1, "", "Diet", "my diet", "x" * 101])
def test_a_name_is_like_that_of_a_touchpoint(name: Any) -> None:
    with pytest.raises(DeclarationError, match="CX3002"):
        Question(name=name)


def test_what_it_is_for_follows_from_what_it_is() -> None:
    assert Question(name="diet").purpose == "personalization"
    assert Question(name="nps.visit", scale="nps").purpose == "analytics"
    assert Question(name="nps.visit", scale="nps", purpose="functional").purpose == "functional"


@pytest.mark.parametrize("questions", [("diet",), (Question(name="diet"), Question(name="diet", friction=2))])
def test_an_experience_asks_questions_each_once(questions: Any) -> None:
    with pytest.raises(DeclarationError, match="CX3061"):
        ExperienceSpec(name="home.hero", questions=questions)


# --- answers ---

CHOICE = Question(name="size", options=("S", "M", 42, 1.5, True))


@pytest.mark.parametrize(
    ("given_", "kept"),
    [("S", "S"), (42, 42), ("42", 42), (1.5, 1.5), ("1.5", 1.5), (True, True), ("true", True)],
)
def test_an_option_is_taken_as_it_was_declared_however_a_form_spells_it(given_: Any, kept: Any) -> None:
    read = CHOICE.read(given_)
    assert (read, type(read)) == (kept, type(kept))


def test_a_text_of_a_framework_is_a_text() -> None:
    class Safe(str):
        def __str__(self) -> str:
            raise ZeroDivisionError

    assert CHOICE.read(Safe("42")) == 42
    assert type(Question(name="diet").read(Safe("vegan"))) is str


def test_a_text_that_is_an_option_means_itself() -> None:
    assert Question(name="size", options=(1, "1")).read("1") == "1"


@pytest.mark.parametrize("answer", ["L", "s", 1, 42.0, False, "True", " S"])
def test_what_is_no_option_is_refused(answer: Any) -> None:
    with pytest.raises(InvalidInteractionError, match="CX3160") as caught:
        CHOICE.read(answer)
    assert caught.value.fix.endswith(", ".join(map(str, CHOICE.options)))


def test_of_many_options_the_first_are_named() -> None:
    with pytest.raises(InvalidInteractionError) as caught:
        Question(name="size", options=tuple(range(1000))).read("no")
    assert caught.value.fix.endswith("8, 9, ...")


@pytest.mark.parametrize(
    "answer", [None, "", "  ", "x" * 1001, float("nan"), float("inf"), 2**60, [], {}, b"x", object()]
)
def test_what_is_no_answer_at_all_is_refused(answer: Any) -> None:
    for question in (Question(name="diet"), CHOICE):
        with pytest.raises(InvalidInteractionError, match="CX3161") as caught:
            question.read(answer)
        assert "x" * 10 not in str(caught.value), "it may be anything: no log may have it"


@pytest.mark.parametrize("answer", ["vegan", 0, -1.5, False, "x" * 1000])
def test_where_there_are_no_options_any_short_answer_is_taken(answer: Any) -> None:
    assert Question(name="diet").read(answer) == answer


@pytest.mark.parametrize("scale", SCALES)
def test_a_score_is_a_whole_number_on_its_scale(scale: Any) -> None:
    asked = Question(name="how", scale=scale)
    low, high = SCALES[scale]
    for score in range(low, high + 1):
        assert asked.read(score) == asked.read(str(score)) == score
    for wrong in (low - 1, high + 1, str(high + 1), float(high), True, "", None, "²", f" {high}", "x" * 2000):
        with pytest.raises(InvalidInteractionError, match="CX3162"):
            asked.read(wrong)


JSONS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(JSONS, st.sampled_from([CHOICE, Question(name="a"), Question(name="b", scale="csat")]))
def test_whatever_is_read_is_read_as_itself_again(answer: Any, question: Question) -> None:
    try:
        read = question.read(answer)
    except InvalidInteractionError:
        return
    assert question.read(read) == read
    assert type(question.read(read)) is type(read)
