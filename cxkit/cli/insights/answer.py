"""An answer and its forms: a table for people, JSON and CSV for programs, a picture; each with its definition."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import Final, Literal

import attrs
import click
import msgspec

from cxkit.cli.language import say
from cxkit.cli.terminal import table_lines, visible, visible_json

__all__ = ["FORMATS", "Answer", "Format", "Table", "give"]

Format = Literal["table", "json", "csv", "svg"]
_FORMULAS: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
FORMATS: Final[tuple[Format, ...]] = ("table", "json", "csv", "svg")


@attrs.frozen(kw_only=True)
class Table:
    """Rows, for programs and for people."""

    key: str
    """Its name in JSON."""
    columns: Sequence[str]
    """Their names in JSON and CSV: never translated."""
    rows: Sequence[Sequence[object]]
    title: str = ""
    heads: Sequence[str]
    cells: Sequence[Sequence[object]]

    @property
    def records(self) -> list[dict[str, object]]:
        """Each row by the names of the columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    @property
    def lines(self) -> list[str]:
        """As it is printed."""
        return [self.title] * bool(self.title) + table_lines(self.heads, self.cells)


@attrs.frozen(kw_only=True)
class Answer:
    """What was found, and what it means."""

    metric: str
    asked: Mapping[str, object]
    tables: Sequence[Table]
    """The first is the one that CSV holds."""
    notes: Sequence[str]
    """What must be known to read it: who is not in it, what is missing."""
    definition: str
    left_out: Mapping[str, int]
    picture: Callable[[str, Sequence[str]], str]
    """Draws it: takes the same as text, and the lines to put under it."""

    @property
    def lines(self) -> list[str]:
        """As it is printed, but for the definition."""
        blocks = [table.lines for table in self.tables if table.rows]
        tables = [line for block in blocks for line in [*block, ""]]
        return [*tables, *self.notes]


def give(answer: Answer, *, form: Format, output: Path | None) -> None:
    """Print the answer, or write it to a file; the table and the definition stay beside a file and a picture.

    Raises:
        click.FileError: The file cannot be written.
    """
    meaning = say("Definition: {text}", text=answer.definition)
    width = min(100, get_terminal_size().columns)
    table = "\n".join([*answer.lines, "", click.wrap_text(meaning, width)])
    text = {"table": lambda: table + "\n", "json": lambda: _json(answer), "csv": lambda: _csv(answer.tables[0])}.get(
        form, lambda: answer.picture("\n".join(answer.lines), [*answer.notes, meaning])
    )()
    if output is None:
        click.echo(text, nl=False)
        if form in ("csv", "svg"):
            click.echo(table, err=True)
        return
    try:
        output.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise click.FileError(visible(str(output)), error.strerror or "") from error
    if form != "table":
        click.echo(table)
    click.echo(say("Written to {path}", path=visible(str(output))), err=True)


def _json(answer: Answer) -> str:
    body = {
        "metric": answer.metric,
        "asked": answer.asked,
        **{table.key: table.records for table in answer.tables},
        "left_out": answer.left_out,
        "notes": answer.notes,
        "definition": answer.definition,
    }
    return visible_json(msgspec.json.encode(body).decode()) + "\n"


def _csv(table: Table) -> str:
    """As RFC 4180 has it; what a spreadsheet would take for a formula is made a text by an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(table.columns)
    writer.writerows([_cell(cell) for cell in row] for row in table.rows)
    return written.getvalue()


def _cell(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = visible(cell)
    return f"'{text}" if text.lstrip().startswith(_FORMULAS) else text
