"""Signals of browsers and apps: one denial denies, and what cannot be read grants nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import PURPOSES, Choice
from cxkit.rules.consent import said
from tests import strategies as some

choice_maps = st.dictionaries(some.purposes, some.choices)
ALL = frozenset(PURPOSES)


@given(choice_maps, choice_maps)
def test_one_denial_denies_and_the_order_of_signals_does_not_matter(
    tc: dict[str, Choice], gpp: dict[str, Choice]
) -> None:
    found = said([(ALL, tc), (ALL, gpp)])
    assert found == said([(ALL, gpp), (ALL, tc)])
    assert found.keys() == (tc.keys() | gpp.keys()) - {"necessary"}
    for purpose, choice in found.items():
        assert (choice == "denied") == ("denied" in (tc.get(purpose), gpp.get(purpose)))


@given(choice_maps)
def test_what_cannot_be_read_denies_all_it_could_speak_of(tc: dict[str, Choice]) -> None:
    speaks_of = frozenset({"advertising", "sale_share"})
    found = said([(ALL, tc), (speaks_of, None)])
    assert found == {**{p: c for p, c in tc.items() if p != "necessary"}, **dict.fromkeys(speaks_of, "denied")}


@given(choice_maps)
def test_a_reader_decides_nothing_it_does_not_claim(tc: dict[str, Choice]) -> None:
    assert said([(frozenset({"analytics"}), tc)]).keys() <= {"analytics"}


def test_a_word_that_is_no_choice_denies() -> None:
    strange: Mapping[str, Any] = {"analytics": "perhaps", "cooking": "granted"}
    assert said([(ALL, strange)]) == {"analytics": "denied"}
    assert said([]) == {}
