"""Pictures: well-formed whatever they are given, nothing over anything else, nothing outside."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.cli.insights.drawing import (
    PALETTE,
    Bar,
    Cell,
    Flow,
    Span,
    Words,
    bars,
    fit,
    flows,
    matrix,
    spans,
    text_width,
)
from tests import strategies as some

SVG = "{http://www.w3.org/2000/svg}"
WORDS = Words(name="x", title="Taux de rebond", notes=["Définition : " + "une phrase assez longue. " * 12], twin="a  b")
LONG = "commande.paiement_par_carte_bancaire_confirmé_puis_annulé"
HOSTILE = "</title></svg><script>alert(1)</script>\x00\x1b[31m\u202e\ud800&\"'"
names = st.text(max_size=80) | st.sampled_from([LONG, HOSTILE, "W" * 70, "漢" * 40, ""])


@attrs.frozen
class Box:
    """Where a line of text stands, in pixels."""

    text: str
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: Box) -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not apart and self.top < other.bottom and other.top < self.bottom


def parsed(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert not [one for one in root.iter() if one.tag == f"{SVG}script"]
    return root


def boxes(root: ElementTree.Element) -> list[Box]:
    found = []
    for one in root.iter(f"{SVG}text"):
        x, y, size = (float(one.get(name) or 0) for name in ("x", "y", "font-size"))
        text = one.text or ""
        found.append(Box(text, x, x + text_width(text, size), y - size * 0.8, y + size * 0.2))
    return found


def assert_legible(svg: str) -> None:
    root = parsed(svg)
    width, height = (float(root.get(name) or 0) for name in ("width", "height"))
    placed = [one for one in boxes(root) if one.text]
    assert all(one.left >= 0 and one.right <= width and one.top >= 0 and one.bottom <= height for one in placed)
    assert not [(one, other) for one, other in itertools.combinations(placed, 2) if one.meets(other)]


counts = st.integers(0, 10**9)
bar = st.builds(Bar, names, st.tuples(counts, counts, counts), names)


@some.few
@given(st.lists(bar, max_size=6))
def test_bars_are_legible(rows: list[Bar]) -> None:
    assert_legible(bars(WORDS, ("ayant rebondi", "engagées", "inconnues"), rows))


@st.composite
def walks(draw: st.DrawFn) -> list[Flow]:
    known = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    pairs = st.tuples(st.integers(1, 4), st.sampled_from(known), st.sampled_from([*known, "(fin)"]))
    found = draw(st.dictionaries(pairs, st.integers(1, 10**6), max_size=20))
    return [Flow(column, origin, target, size) for (column, origin, target), size in found.items() if origin != "(fin)"]


@some.few
@given(walks())
def test_flows_are_legible(edges: list[Flow]) -> None:
    assert_legible(flows(WORDS, [f"étape {number}" for number in range(1, 6)], edges, frozenset({"(fin)"})))


@some.few
@given(st.lists(names, max_size=5, unique=True), st.integers(1, 10**9))
def test_a_matrix_is_legible(stages: list[str], weight: int) -> None:
    cells = {
        (one, other): Cell(weight, [f"{weight} passages", f"{weight} personnes", "1000 j 23 h"])
        for one, other in itertools.pairwise(stages)
    }
    assert_legible(matrix(WORDS, ("de", "vers"), stages, cells))


ends = st.none() | st.floats(-1e9, 1e9)


@some.few
@given(st.lists(st.builds(Span, names, ends, ends, ends, names), max_size=6), names, names, names, st.floats(-2, 2))
def test_spans_are_legible(rows: list[Span], low: str, high: str, middle: str, zero: float) -> None:
    assert_legible(spans(WORDS, rows, ((-1.0, low), (1.0, high)), at=(zero, middle)))
    assert_legible(spans(WORDS, rows, ((0.0, low), (0.0, high)), at=None))


def test_a_span_stands_where_its_number_is() -> None:
    rows = [Span("a", -0.5, 0.0, 0.5, "0"), Span("b", None, 9.0, None, "9"), Span("c", None, None, None, "?")]
    root = parsed(spans(WORDS, rows, ((-1.0, "-1"), (1.0, "1")), at=(0.0, "0")))
    dots = [float(one.get("cx") or 0) for one in root.iter(f"{SVG}circle")]
    (dashed,) = [float(one.get("x1") or 0) for one in root.iter(f"{SVG}line") if one.get("stroke-dasharray")]
    (thick,) = [one for one in root.iter(f"{SVG}line") if one.get("stroke-width") == "3"]
    assert dots == [dashed, dashed + 160]
    assert (float(thick.get("x1") or 0), float(thick.get("x2") or 0)) == pytest.approx((dashed - 80, dashed + 80))


def test_a_picture_says_in_words_what_it_shows() -> None:
    svg = bars(attrs.evolve(WORDS, twin="phone  44.0 %"), ("a", "b", "c"), [Bar("phone", (220, 280, 30), "44.0 %")])
    root = parsed(svg)
    told = {one.get("id"): one.text for one in root if one.get("id")}
    assert told == {"x-title": "Taux de rebond", "x-desc": "phone  44.0 %"}
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "x-title x-desc"
    assert {"phone", "44.0 %", "a", "b", "c"} <= {one.text for one in boxes(root)}
    assert "Définition" in svg


def test_flows_are_as_wide_as_they_are_much() -> None:
    edges = [Flow(1, "a", "b", 30), Flow(1, "a", "(end)", 10), Flow(2, "b", "(end)", 30)]
    root = parsed(flows(WORDS, ["1", "2", "3"], edges, frozenset({"(end)"})))
    nodes = {
        title.text: float(one.get("height") or 0)
        for one in root.iter(f"{SVG}rect")
        if (title := one.find(f"{SVG}title")) is not None
    }
    assert nodes["a: 40"] == pytest.approx(400)
    assert nodes["b: 30"] == pytest.approx(300)
    assert nodes["(end): 10"] == pytest.approx(100)
    assert [one.text for one in root.iter(f"{SVG}title")][1:4] == [
        "1: a > b: 30",
        "1: a > (end): 10",
        "2: b > (end): 30",
    ]
    assert len(set(PALETTE)) == 7


@given(names, st.floats(60, 400))
def test_what_does_not_fit_is_shortened_in_the_middle(text: str, room: float) -> None:
    short = fit(text, room, 12)
    assert text_width(short, 12) <= room
    assert fit(short, room, 12) == short
    assert short.replace("\u00a0", " ").isprintable()
