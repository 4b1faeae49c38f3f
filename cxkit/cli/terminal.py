"""What the verbs have in common on the terminal: answers for programs, tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, east_asian_width

import click
import msgspec

__all__ = ["json_option", "print_json", "print_table"]

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
"""Passes ``as_json``."""


def print_json(body: object) -> None:
    """One line of JSON."""
    click.echo(msgspec.json.encode(body).decode())


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need to be; numbers to the right, None as a dash."""
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(heads, *cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[place], int | float) for row in rows) for place in range(len(heads))]
    for line in [list(heads), *cells]:
        padded = [
            " " * (width - _width(cell)) + cell if numbers else cell + " " * (width - _width(cell))
            for cell, width, numbers in zip(line, widths, right, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def _width(text: str) -> int:
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)
