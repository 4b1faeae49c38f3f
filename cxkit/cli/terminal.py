"""What the verbs have in common on the terminal: answers for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from unicodedata import combining, east_asian_width

import click
import msgspec

__all__ = ["json_option", "print_json", "print_table", "table_lines", "visible", "visible_json"]

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
"""Passes ``as_json``."""

_NO_BREAK_SPACE: Final = "\u00a0"
"""Harmless: French has it before some marks."""


def visible(text: str) -> str:
    r"""Text from elsewhere as it may stand on a terminal: what does not print is shown as its escape.

    Example:
        >>> visible("caf\u00e9 \x1b[31m\u202e")
        'café \\x1b[31m\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == _NO_BREAK_SPACE else ascii(one)[1:-1] for one in text)


def print_json(body: object) -> None:
    """One line of JSON."""
    click.echo(visible_json(msgspec.json.encode(body).decode()))


def visible_json(text: str) -> str:
    """The same JSON, in which what does not print is escaped."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need to be; numbers to the right, None as a dash."""
    for line in table_lines(heads, rows):
        click.echo(line)


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """What `print_table` prints."""
    cells = [["-" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(heads, *cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[place], int | float) for row in rows) for place in range(len(heads))]
    lines = []
    for line in [list(heads), *cells]:
        padded = [
            " " * (width - _width(cell)) + cell if numbers else cell + " " * (width - _width(cell))
            for cell, width, numbers in zip(line, widths, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def _width(text: str) -> int:
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)
