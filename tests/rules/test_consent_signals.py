"""Signals of browsers and apps: one denial denies, and what cannot be read grants nothing."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import PURPOSES, Choice
from cxkit.roles import SignalReader
from cxkit.rules.consent import said
from tests import strategies as some


@attrs.frozen(kw_only=True)
class Words:
    """Reads ``analytics=granted,advertising=denied``."""

    signal: str
    purposes: frozenset[str] = frozenset(PURPOSES)

    def read(self, text: str) -> Mapping[str, Choice]:
        return dict(one.split("=") for one in text.split(",") if one)  # type: ignore[misc]


def text_of(choices: Mapping[str, Choice]) -> str:
    return ",".join(f"{purpose}={choice}" for purpose, choice in choices.items())


choice_maps = st.dictionaries(some.purposes, some.choices)
READERS: list[SignalReader] = [Words(signal="tc"), Words(signal="gpp")]
BOTH = {"tc", "gpp"}


@given(choice_maps, choice_maps)
def test_one_denial_denies_and_the_order_of_readers_does_not_matter(
    tc: dict[str, Choice], gpp: dict[str, Choice]
) -> None:
    signals = {"tc": text_of(tc), "gpp": text_of(gpp)}
    found = said(signals, READERS, honoured=BOTH)
    assert found == said(signals, reversed(READERS), honoured=BOTH)
    assert found.keys() == (tc.keys() | gpp.keys()) - {"necessary"}
    for purpose, choice in found.items():
        assert (choice == "denied") == ("denied" in (tc.get(purpose), gpp.get(purpose)))


@given(choice_maps, st.text(max_size=20).filter(lambda text: text.strip(",") and "=" not in text))
def test_what_cannot_be_read_denies_all_it_could_speak_of(tc: dict[str, Choice], junk: str) -> None:
    speaks_of = frozenset({"advertising", "sale_share"})
    readers: list[SignalReader] = [Words(signal="tc"), Words(signal="gpp", purposes=speaks_of)]
    found = said({"tc": text_of(tc), "gpp": junk}, readers, honoured=BOTH)
    assert found == {**{p: c for p, c in tc.items() if p != "necessary"}, **dict.fromkeys(speaks_of, "denied")}


@given(choice_maps)
def test_a_reader_decides_nothing_it_does_not_claim(tc: dict[str, Choice]) -> None:
    reader = Words(signal="tc", purposes=frozenset({"analytics"}))
    assert said({"tc": text_of(tc)}, [reader], honoured=BOTH).keys() <= {"analytics"}


def test_a_word_that_is_no_choice_denies() -> None:
    assert said({"tc": "analytics=perhaps"}, READERS, honoured=BOTH) == {"analytics": "denied"}
    assert said({"tc": "cooking=granted"}, READERS, honoured=BOTH) == {}


@given(choice_maps)
def test_what_the_policy_does_not_honour_is_not_read(tc: dict[str, Choice]) -> None:
    assert said({"tc": text_of(tc)}, READERS, honoured={"gpc"}) == {}
    assert said({}, READERS, honoured=BOTH) == {}
