"""What may be declared of a touchpoint, and how a wrong word is refused."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import DeclarationError
from cxkit.model import CHANNELS, PURPOSES, Stage, TouchpointSpec, purpose_bits
from tests import strategies as some

NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*){0,5}")


@given(some.touchpoints)
def test_what_the_words_allow_is_accepted_and_hashable(spec: TouchpointSpec) -> None:
    assert len({spec, spec}) == 1


@given(st.text(max_size=30) | st.from_regex(NAME, fullmatch=True))
def test_a_name_is_lower_case_words_joined_by_dots(name: str) -> None:
    if NAME.fullmatch(name) and len(name) <= 100:
        assert TouchpointSpec(name=name).name == name
    else:
        with pytest.raises(DeclarationError) as caught:
            TouchpointSpec(name=name)
        assert caught.value.code == "CX3002"


@pytest.mark.parametrize(
    "name",
    [None, 1, b"cart", "", "Cart", "cart.", ".cart", "cart..added", "cart added", "cart-added", "cart\n", "cart\r\nx",
     "çart", "cart.item_added\x00", "9cart", "a.b.c.d.e.f.g", "a" * 101],
)  # fmt: skip
def test_another_name_is_refused(name: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        TouchpointSpec(name=name)
    assert caught.value.code == "CX3002"
    assert "cart.item_added" in caught.value.fix


@pytest.mark.parametrize(
    ("field", "wrong", "fix"),
    [
        ("kind", "acton", "action"),
        ("direction", "inbund", "inbound"),
        ("stage", "considration", "consideration"),
        ("purpose", "analytic", "analytics"),
        ("nature", "persn", "person"),
        ("presence", "onlin", "online"),
        ("reach", "indirct", "indirect"),
        ("priority", "critcal", "critical"),
    ],
)
def test_a_misspelt_word_is_refused_with_the_nearest(field: str, wrong: str, fix: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        TouchpointSpec(name="a.b", **{field: wrong})
    assert caught.value.code == "CX3003"
    assert caught.value.fix == f'did you mean "{fix}"?'
    assert "a.b" in caught.value.what


@pytest.mark.parametrize("field", ["kind", "direction", "purpose", "presence", "reach", "priority"])
def test_a_word_that_is_needed_cannot_be_left_out(field: str) -> None:
    with pytest.raises(DeclarationError):
        TouchpointSpec(name="a.b", **{field: None})


@pytest.mark.parametrize("field", ["channel", "via"])
@pytest.mark.parametrize("wrong", ["", "Web", "the web", "web\n", "1web", "w" * 33, 1, ["web"]])
def test_a_channel_is_one_lower_case_word(field: str, wrong: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        TouchpointSpec(name="a.b", **{field: wrong})
    assert caught.value.code == "CX3004"


@pytest.mark.parametrize("wrong", [1, ["x"], object(), "two\nlines", "half a pair: \ud83d", "x" * 501])
def test_a_promise_is_one_line_of_text(wrong: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        TouchpointSpec(name="a.b", promise=wrong)
    assert caught.value.code == "CX3011"


def test_every_documented_channel_and_stage_is_accepted() -> None:
    for channel in (*CHANNELS, "kiosk"):
        assert TouchpointSpec(name="a.b", channel=channel).channel == channel
    for stage in get_args(Stage):
        assert TouchpointSpec(name="a.b", stage=stage).stage == stage


def test_the_order_of_purposes_is_part_of_the_format_of_spools() -> None:
    assert PURPOSES == (
        "necessary", "functional", "analytics", "personalization", "profiling", "advertising", "sale_share",
        "identity_stitching", "precise_location", "message_open",
    )  # fmt: skip


@given(st.sets(some.purposes))
def test_bits_tell_which_purposes(chosen: set[str]) -> None:
    bits = purpose_bits(chosen)
    assert {purpose for place, purpose in enumerate(PURPOSES) if bits >> place & 1} == chosen
