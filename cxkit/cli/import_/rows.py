"""Rows of a CSV file as occurrences of touchpoints: read, checked, nothing captured yet."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs
import click

from cxkit.api import Money, money
from cxkit.cli.language import say
from cxkit.errors import InvalidInteractionError

__all__ = ["Form", "Row", "WrongFileError", "WrongRow", "read_rows"]

_FIELDS: Final = ("at", "name", "key", "channel", "case", "value", "currency")
_IDENTIFIERS: Final = ("user_id", "loyalty", "email", "phone")
_MAX_COLUMNS: Final = 500
_MAX_HEADING_CHARS: Final = 65_536


class WrongFileError(click.ClickException):
    """The file as a whole cannot be read: nothing of it is imported."""


@attrs.frozen(kw_only=True)
class Form:
    """How to read the file."""

    columns: Mapping[str, str] = attrs.field(factory=dict)
    """Field to the heading of its column; a field that is not named has a column of its own name."""
    name: str | None = None
    """The touchpoint of rows without a name of their own."""
    delimiter: str | None = None
    """None: found out."""
    encoding: str = "utf-8-sig"
    timezone: str | None = None
    """Of times without one; IANA."""
    time_format: str | None = None
    """As `datetime.strptime` takes it; None: ISO 8601."""
    decimal_comma: bool = False


@attrs.frozen(kw_only=True)
class Row:
    """One occurrence."""

    line: int
    name: str
    at: datetime
    key: str
    """What makes it the same occurrence when the file is imported again."""
    identifiers: Mapping[str, str]
    channel: str | None
    case: str | None
    value: Money | None
    properties: Mapping[str, str]


@attrs.frozen(kw_only=True)
class WrongRow:
    """A row that cannot be one."""

    line: int
    reason: str


def read_rows(path: Path, form: Form, moved: Callable[[int], object]) -> Iterator[Row | WrongRow]:
    """All rows, one after the other; the file may be larger than memory.

    Args:
        moved: Told of each number of bytes that was read.

    Raises:
        WrongFileError: It cannot be read, is not text in that encoding, or lacks a column.
    """
    zone, line, position = _zone(form.timezone), 1, 0
    try:
        with path.open("rb") as raw, TextIOWrapper(raw, encoding=form.encoding, newline="") as file:
            delimiter = form.delimiter or _delimiter(file.readline(_MAX_HEADING_CHARS))
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            heads = _heads(next(reader, []), form)
            for cells in reader:
                moved(raw.tell() - position)
                position, line = raw.tell(), reader.line_num
                if cells:
                    yield _row(line, heads, cells, form, zone)
    except OSError as error:
        raise WrongFileError(
            say("{path} cannot be read: {reason}", path=path, reason=error.strerror or error)
        ) from error
    except (UnicodeError, LookupError) as error:
        text = "{path} is not text in {encoding}; name its own with --encoding, such as cp1252"
        raise WrongFileError(say(text, path=path, encoding=form.encoding)) from error
    except csv.Error as error:
        text = "{path}, line {line}: not CSV ({reason})"
        raise WrongFileError(say(text, path=path, line=line + 1, reason=error)) from error


def _delimiter(first_line: str) -> str:
    return max(",;\t|", key=first_line.count)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongFileError(say('"{name}" is not a time zone, such as Europe/Paris', name=name)) from error


def _heads(heads: Sequence[str], form: Form) -> list[str]:
    """For each column the field it holds: one of ours, an identifier's type, or a property."""
    names = [head.strip() for head in heads]
    doubled = sorted({name for name in names if names.count(name) > 1})
    missing = sorted({*form.columns.values()} - {*names})
    if not any(names) or len(names) > _MAX_COLUMNS or doubled or missing:
        what = doubled or missing or [say("no headings")]
        raise WrongFileError(say("the first line does not name the columns: {what}", what=", ".join(what)[:200]))
    fields = {head: field for field, head in form.columns.items()}
    found = [fields.get(name, f"property:{name}" if name in form.columns else name) for name in names]
    needed = ["at"] + ["name"] * (form.name is None)
    absent = [field for field in needed if field not in found]
    if absent:
        text = "no column holds {what}; name it with --column {field}=HEADING"
        raise WrongFileError(say(text, what=", ".join(absent), field=absent[0]))
    return found


def _row(line: int, heads: Sequence[str], cells: Sequence[str], form: Form, zone: ZoneInfo | None) -> Row | WrongRow:
    if len(cells) != len(heads):
        text = "{found} cells where the first line has {wanted}"
        return WrongRow(line=line, reason=say(text, found=len(cells), wanted=len(heads)))
    held = {head: cell.strip() for head, cell in zip(heads, cells, strict=True) if cell.strip()}
    try:
        return Row(
            line=line,
            name=held.get("name") or form.name or "",
            at=_time(held.get("at", ""), form, zone),
            key=held.get("key") or "\x1f".join(cells),
            identifiers={head.removeprefix("identifier:"): cell for head, cell in held.items() if _is_identifier(head)},
            channel=held.get("channel"),
            case=held.get("case"),
            value=_worth(held, form),
            properties={
                head.removeprefix("property:"): cell
                for head, cell in held.items()
                if head not in _FIELDS and not _is_identifier(head)
            },
        )
    except ValueError as error:  # ours among them
        return WrongRow(line=line, reason=str(error))


def _is_identifier(head: str) -> bool:
    return head in _IDENTIFIERS or head.startswith("identifier:")


def _time(text: str, form: Form, zone: ZoneInfo | None) -> datetime:
    try:
        pattern = form.time_format
        at = datetime.strptime(text, pattern) if pattern else datetime.fromisoformat(text)  # noqa: DTZ007 - aware below
    except ValueError:
        raise ValueError(say('"{text}" is not a time', text=text[:40])) from None
    if at.tzinfo is not None:
        return at
    if zone is None:
        raise ValueError(say('"{text}" has no time zone; name it with --timezone', text=text[:40]))
    local = at.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        raise ValueError(say('"{text}" does not exist in {zone}: clocks were set forward', text=text[:40], zone=zone))
    return local


def _worth(held: Mapping[str, str], form: Form) -> Money | None:
    text, currency = held.get("value"), held.get("currency")
    if text is None:
        return None
    if currency is None:
        raise ValueError(say("a value has no currency"))
    digits = re.sub(r"[\s\u00a0\u202f]", "", text)
    if form.decimal_comma:
        digits = digits.replace(".", "").replace(",", ".")
    try:
        return money(digits, currency)
    except InvalidInteractionError as error:
        raise ValueError(say('"{text}": {error}', text=f"{text} {currency}"[:40], error=error)) from error
