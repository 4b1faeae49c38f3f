from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cxkit.cli.terminal import visible, visible_json


@given(st.text())
def test_nothing_reaches_the_terminal_that_does_not_print(text: str) -> None:
    harmless = text.replace("\u00a0", " ")  # French has it before some marks
    assert visible(text).replace("\u00a0", " ").isprintable()
    assert (visible(text) == text) is harmless.isprintable()


@given(st.recursive(st.none() | st.text(), lambda more: st.lists(more) | st.dictionaries(st.text(), more)))
def test_json_stays_the_same_json(body: object) -> None:
    try:
        encoded = msgspec.json.encode(body).decode()
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    shown = visible_json(encoded)
    assert shown.isprintable()
    assert json.loads(shown) == body
