"""Pictures of answers as SVG: bars, flows, a matrix, spans. Nothing here depends on colour alone.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any common
colour vision tell apart; every shape has its words beside it. All sizes are in pixels.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from unicodedata import combining, east_asian_width

import attrs

from cxkit.cli.terminal import visible

__all__ = ["Bar", "Cell", "Flow", "Span", "Words", "bars", "flows", "matrix", "spans"]

PALETTE: Final = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_VERMILION, _BLUE, _SKY, _GREY, _INK = "#D55E00", "#0072B2", "#56B4E9", "#999999", "#1A1A1A"
_SIZE, _SMALL, _MARGIN = 13, 11, 16


@attrs.frozen(kw_only=True)
class Words:
    """What stands around every picture."""

    name: str
    """One word for ids; pictures on one page need different ones."""
    title: str
    notes: Sequence[str]
    """Lines under the picture: the definition, and what was left out."""
    twin: str
    """The same answer as text, for who cannot see it."""


@attrs.frozen
class Bar:
    """A whole in three parts."""

    label: str
    parts: tuple[int, int, int]
    told: str
    """The same in words."""


@attrs.frozen
class Flow:
    """Something that goes on from one column to the next."""

    column: int
    """From 1."""
    origin: str
    target: str
    size: int


@attrs.frozen
class Cell:
    """What stands where a row and a column cross."""

    weight: int
    lines: Sequence[str]


@attrs.frozen
class Span:
    """A number and how far it may be from the truth."""

    label: str
    low: float | None
    value: float | None
    high: float | None
    told: str
    """The same in words."""


End = tuple[float, str]
"""A place on an axis, and what it is called."""


def bars(words: Words, parts: tuple[str, str, str], rows: Sequence[Bar]) -> str:
    """A bar for each row, in three parts; the third is hatched: nobody knows what it is."""
    room, told_room = _widest((one.label for one in rows), 220), _widest((one.told for one in rows), 420)
    left, length, height, step = _MARGIN + room + 12, 320, 20, 30
    told = left + length + 12
    width = told + told_room + _MARGIN
    fills = (_VERMILION, _BLUE, "url(#hatch)")
    shapes, x, top = [_HATCH], float(left), 58
    for name, fill in zip(parts, fills, strict=True):
        shapes += [_rect(x, top - 12, 14, 14, fill), _text(x + 20, top, name)]
        x += 20 + text_width(name, _SIZE) + 20
    width, y = max(width, x), top + 20
    for row in rows:
        shapes.append(_text(_MARGIN, y + 15, fit(row.label, room, _SIZE), told=row.label))
        x = float(left)
        for name, size, fill in zip(parts, row.parts, fills, strict=True):
            if size:
                wide = length * size / sum(row.parts)
                shapes.append(_rect(x, y, wide, height, fill, told=f"{row.label}: {name} {size}"))
                x += wide
        shapes.append(_text(told, y + 15, fit(row.told, told_room, _SIZE)))
        y += step
    return _page(words, width, y, shapes)


def flows(words: Words, columns: Sequence[str], edges: Sequence[Flow], grey: frozenset[str]) -> str:
    """Columns of nodes and what flows between them, as wide as it is much (after M. H. Sankey, 1898).

    Args:
        columns: The heading of each column.
        grey: Names that stand for no single thing, drawn last.
    """
    sizes = _sizes(edges)
    ranks = _ranks(edges, grey)
    pitch, thick, top = 210.0, 12.0, 74.0
    scale = 400 / max((sum(nodes.values()) for nodes in sizes.values()), default=1)
    places: dict[tuple[int, str], float] = {}
    bottom = top
    for column, nodes in sizes.items():
        y = top
        for name in sorted(nodes, key=lambda name: ranks[name]):
            places[column, name] = y
            y += max(nodes[name] * scale, 14) + 8
        bottom = max(bottom, y)
    colours = {name: _GREY if name in grey else PALETTE[rank % len(PALETTE)] for name, rank in ranks.items()}
    shapes = _ribbons(edges, places, ranks, colours, scale, pitch, thick)
    for column, nodes in sizes.items():
        x = _MARGIN + (column - 1) * pitch
        shapes.append(_text(x, 58, columns[column - 1], size=_SMALL))
        for name, size in nodes.items():
            y = places[column, name]
            shapes.append(_rect(x, y, thick, max(size * scale, 2), colours[name], told=f"{name}: {size}"))
            number = f" {size}"
            short = fit(name, pitch - thick - 20 - text_width(number, _SMALL), _SMALL)
            shapes.append(_text(x + thick + 5, y + 11, short + number, size=_SMALL, halo=True, told=f"{name}: {size}"))
    return _page(words, _MARGIN * 2 + max(sizes, default=1) * pitch, bottom, shapes)


def matrix(words: Words, axes: tuple[str, str], names: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> str:
    """A table of rows and columns of the same names; the more, the darker.

    Args:
        axes: What the rows and the columns are.
        cells: By the names of row and column.
    """
    wide, high, top = 128.0, 58.0, 92.0
    room = _widest((*names, *axes), 200)
    left = _MARGIN + room + 12
    most = max((one.weight for one in cells.values()), default=1)
    shapes = [_text(left, 60, axes[1], size=_SMALL), _text(_MARGIN, top - 8, axes[0], size=_SMALL)]
    for place, name in enumerate(names):
        shapes.append(_text(left + place * wide + 6, top - 8, fit(name, wide - 10, _SIZE), told=name))
        shapes.append(
            _text(_MARGIN, top + place * high + 33, fit(name, room, _SIZE), told=name),
        )
    for row, origin in enumerate(names):
        for column, target in enumerate(names):
            x, y = left + column * wide, top + row * high
            cell = cells.get((origin, target))
            shade = 0.12 + 0.78 * cell.weight / most if cell else 0
            shapes.append(_rect(x, y, wide - 3, high - 3, _SKY if cell else "#FFFFFF", opacity=shade))
            for number, line in enumerate(cell.lines if cell else ()):
                size = _SMALL if number else _SIZE
                short = fit(line, wide - 24, size)  # bold is wider
                shapes.append(_text(x + 6, y + 17 + number * 15, short, size=size, bold=not number))
    return _page(words, left + len(names) * wide + _MARGIN, top + len(names) * high, shapes)


def spans(words: Words, rows: Sequence[Span], ends: tuple[End, End], *, at: End | None) -> str:
    """A dot and a line for each row: the number, and the interval about it.

    Args:
        ends: Of the axis.
        at: A place on it that matters, where a dashed line is drawn: no difference, say.
    """
    room, told_room = _widest((one.label for one in rows), 260), _widest((one.told for one in rows), 460)
    left, length, step, top = _MARGIN + room + 12, 320.0, 30, 84.0
    (first, _), (last, _) = ends
    told, bottom = left + length + 24, top + step * len(rows)

    def place(value: float) -> float:
        return left + length * min(1.0, max(0.0, (value - first) / ((last - first) or 1.0)))

    shapes = []
    for number, (value, name) in enumerate([*ends, *([at] if at else [])]):
        x = place(value) if number == 2 else left + length * number
        short = fit(name, length if number == 2 else length / 2 - 8, _SMALL)
        wide = text_width(short, _SMALL)
        shapes.append(_line(x, top - 8, x, bottom, dashed=number == 2))
        x = min(max(x - wide / 2, left), left + length - wide)
        shapes.append(_text(x, 54 if number == 2 else 70, short, size=_SMALL))
    for number, row in enumerate(rows):
        y = top + step * number + 10
        shapes.append(_text(_MARGIN, y + 5, fit(row.label, room, _SIZE), told=row.label))
        if row.low is not None and row.high is not None:
            low, high = place(row.low), place(row.high)
            shapes += [_line(low, y, high, y, wide=3.0), _line(low, y - 5, low, y + 5), _line(high, y - 5, high, y + 5)]
        if row.value is not None:
            dot = f'cx="{place(row.value):.1f}" cy="{y:.1f}" r="5" fill="{_VERMILION}" stroke="{_INK}"'
            shapes.append(f"<circle {dot}>{_title(row.told)}</circle>")
        shapes.append(_text(told, y + 5, fit(row.told, told_room, _SIZE), told=row.told))
    return _page(words, told + told_room + _MARGIN, bottom, shapes)


# --- flows ---


def _sizes(edges: Iterable[Flow]) -> dict[int, dict[str, int]]:
    """For each column the size of its nodes: what comes in or what goes out, whichever is more."""
    sizes: dict[int, dict[str, int]] = {}
    for coming in (True, False):
        sums: Counter[tuple[int, str]] = Counter()
        for one in edges:
            sums[(one.column + 1, one.target) if coming else (one.column, one.origin)] += one.size
        for (column, name), size in sums.items():
            nodes = sizes.setdefault(column, {})
            nodes[name] = max(nodes.get(name, 0), size)
    return sizes


def _ranks(edges: Iterable[Flow], grey: frozenset[str]) -> dict[str, int]:
    """Their order from top to bottom, the same in all columns: what is most first, grey ones last."""
    totals: dict[str, int] = {}
    for one in edges:
        totals[one.origin] = totals.get(one.origin, 0) + one.size
        totals.setdefault(one.target, 0)
    names = sorted(totals, key=lambda name: (name in grey, -totals[name], name))
    return {name: rank for rank, name in enumerate(names)}


def _ribbons(
    edges: Iterable[Flow],
    places: Mapping[tuple[int, str], float],
    ranks: Mapping[str, int],
    colours: Mapping[str, str],
    scale: float,
    pitch: float,
    thick: float,
) -> list[str]:
    ends = {("out", *place): y for place, y in places.items()} | {("in", *place): y for place, y in places.items()}
    shapes = []
    for one in sorted(edges, key=lambda one: (one.column, ranks[one.origin], ranks[one.target])):
        wide = max(one.size * scale, 0.8)
        begin, end = ("out", one.column, one.origin), ("in", one.column + 1, one.target)
        y0, y1 = ends[begin], ends[end]
        ends[begin], ends[end] = y0 + one.size * scale, y1 + one.size * scale
        x0, x1 = _MARGIN + (one.column - 1) * pitch + thick, _MARGIN + one.column * pitch
        middle = (x0 + x1) / 2
        line = (
            f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}v{wide:.1f}"
            f"C{middle:.1f} {y1 + wide:.1f} {middle:.1f} {y0 + wide:.1f} {x0:.1f} {y0 + wide:.1f}z"
        )
        told = _title(f"{one.column}: {one.origin} > {one.target}: {one.size}")
        shapes.append(f'<path d="{line}" fill="{colours[one.origin]}" fill-opacity="0.4">{told}</path>')
    return shapes


# --- shapes ---

_HATCH: Final = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="6" height="6" fill="#FFFFFF"/><rect width="2" height="6" fill="{_INK}"/></pattern></defs>'
)


def text_width(text: str, size: float) -> float:
    """About how wide it is, rather too much than too little: in DejaVu Sans, the widest of the common fonts."""
    return sum(map(_em, text)) * size


def _widest(texts: Iterable[str], most: float) -> float:
    return min(most, max((text_width(visible(one), _SIZE) for one in texts), default=0.0))


def fit(text: str, room: float, size: float) -> str:
    """The text, or as much of its two ends as there is room for.

    Example:
        >>> fit("checkout.payment_method_selected", 120, 12)
        'checkou…elected'
    """
    text = visible(text)
    if text_width(text, size) <= room:
        return text
    keep = len(text)
    while keep > 2 and text_width(text[: keep // 2] + "…" + text[-(keep - keep // 2) :], size) > room:
        keep -= 1
    return text[: keep // 2] + "…" + text[-(keep - keep // 2) :]


def wrap(text: str, room: float, size: float) -> list[str]:
    """The text in lines that fit."""
    lines = [""]
    for word in visible(text).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) > room and lines[-1]:
            lines.append(fit(word, room, size))
        else:
            lines[-1] = longer
    return lines


def _em(one: str) -> float:
    if combining(one):
        return 0.0
    if east_asian_width(one) in "WF":
        return 1.05
    if one in "ijltfrI.,:;|!'()[]/ ":
        return 0.42
    return 0.98 if one in "mwMW%@…→" else 0.78 if one.isupper() else 0.64


def _rect(x: float, y: float, width: float, height: float, fill: str, *, told: str = "", opacity: float = 1.0) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" '
        f'fill-opacity="{opacity:.2f}" stroke="{_INK}" stroke-width="0.6">{_title(told)}</rect>'
    )


def _line(x0: float, y0: float, x1: float, y1: float, *, wide: float = 1.0, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    colour = _BLUE if wide > 1 else _INK
    ends = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{wide:g}"{dashes}/>'


def _text(
    x: float, y: float, text: str, *, size: int = _SIZE, bold: bool = False, halo: bool = False, told: str = ""
) -> str:
    style = (' font-weight="bold"' if bold else "") + (
        ' stroke="#FFFFFF" stroke-width="3" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    )
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{style}>{_safe(text)}{_title(told)}</text>'


def _title(text: str) -> str:
    return f"<title>{_safe(text)}</title>" if text else ""


def _safe(text: str) -> str:
    return html.escape("\n".join(map(visible, text.split("\n"))))


def _page(words: Words, width: float, bottom: float, shapes: Iterable[str]) -> str:
    width = max(width, 640.0, text_width(words.title, 17) + 2 * _MARGIN)
    lines = [line for note in words.notes for line in wrap(note, width - 2 * _MARGIN, _SMALL)]
    notes = [_text(_MARGIN, bottom + 28 + place * 16, line, size=_SMALL) for place, line in enumerate(lines)]
    height = bottom + 28 + len(lines) * 16 + _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-labelledby="{words.name}-title {words.name}-desc" '
        f'font-family="DejaVu Sans, Verdana, Arial, sans-serif" fill="{_INK}">'
    )
    return "\n".join(
        [
            head,
            f'<title id="{words.name}-title">{_safe(words.title)}</title>',
            f'<desc id="{words.name}-desc">{_safe(words.twin)}</desc>',
            '<rect width="100%" height="100%" fill="#FFFFFF"/>',
            _text(_MARGIN, 30, words.title, size=17, bold=True),
            *shapes,
            *notes,
            "</svg>\n",
        ]
    )
