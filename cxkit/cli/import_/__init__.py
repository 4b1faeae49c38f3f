"""``cxkit import``: till receipts, call lists: rows of a CSV file become interactions, each once."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import click

from cxkit.api import Kit, Touchpoint, scope
from cxkit.cli.capture import declared_options, is_unnamed, spec_of, strict_kit
from cxkit.cli.checks.reasons import CONSENT
from cxkit.cli.import_.rows import Form, Row, WrongFileError, WrongRow, read_rows
from cxkit.cli.language import count, say
from cxkit.cli.terminal import json_option, print_json
from cxkit.delivery.losses import reasons_in
from cxkit.errors import CXError, StateError
from cxkit.model import Evidence
from cxkit.settings import load

__all__ = ["import_"]

_AT_ONCE: Final = 500
_MOST_SHOWN: Final = 20
_SPOOL_TIMEOUT_S: Final = 30.0


@attrs.define
class _Tally:
    """What became of the rows that were captured."""

    imported: int = 0
    unnamed: int = 0
    """Of these, kept without identifiers: no choice of the person is known."""
    already: int = 0
    """Imported before, or the same as an earlier row."""
    withheld: int = 0
    """Not kept, for want of consent."""
    lost: dict[str, int] = attrs.field(factory=dict)
    """Not kept for another reason: that to how many."""

    def missed(self, dropped: Mapping[str, int]) -> None:
        """Count one that was not kept, by the reasons for all that were not."""
        self.lost = {reason: count for reason, count in dropped.items() if reason not in CONSENT}
        self.withheld = sum(dropped.values()) - sum(self.lost.values())


def _one_character(text: str) -> str:
    if len(text) != 1 or text in '"\r\n':
        raise click.BadParameter(say("give one character"))
    return text


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The touchpoint of rows that name none.")
@click.option("-c", "--column", "columns", multiple=True, metavar="FIELD=HEADING", help="Which column holds what.")
@click.option("--evidence", type=click.Choice(["claim", "login"]), default="claim", help="How surely it was them.")
@click.option("--delimiter", type=_one_character, metavar="CHARACTER", help="By default found out.")
@click.option("--encoding", default="utf-8-sig", help="Of the file; by default UTF-8.")
@click.option("--timezone", help="Of times without one: Europe/Paris.")
@click.option("--time-format", help="By default ISO 8601; otherwise like %d/%m/%Y %H:%M.")
@click.option("--decimal-comma", is_flag=True, help="Amounts are written 1.234,50.")
@click.option("--skip-wrong", is_flag=True, help="Import the other rows where some are wrong.")
@click.option("--dry-run", is_flag=True, help="Look at every row and import none.")
@declared_options
@json_option
def import_(
    *,
    file: Path,
    name: str | None,
    columns: Sequence[str],
    evidence: Evidence,
    skip_wrong: bool,
    dry_run: bool,
    as_json: bool,
    delimiter: str | None,
    encoding: str,
    timezone: str | None,
    time_format: str | None,
    decimal_comma: bool,
    **declared: Any,
) -> None:
    """Rows of a CSV file become interactions, each once.

    FIELD is at, name, key, channel, case, value, currency, user_id, loyalty, email, phone,
    identifier:TYPE, or the name of a property; a column that is not mentioned is the field of its
    heading. All rows are looked at first: where one is wrong, none is imported. What was imported
    before is not imported again, so a file may grow, and an import that was cut off goes on.
    """
    form = Form(
        columns=dict(_column(one) for one in columns),
        name=name,
        delimiter=delimiter,
        encoding=encoding,
        timezone=timezone,
        time_format=time_format,
        decimal_comma=decimal_comma,
    )
    touchpoints = _Touchpoints(declared)
    rows, wrong = _looked_at(file, form, touchpoints, evidence)
    for one in wrong[:_MOST_SHOWN]:
        click.echo(say("line {line}: {reason}", line=one.line, reason=one.reason), err=True)
    if len(wrong) > _MOST_SHOWN:
        click.echo(say("and {number} more", number=len(wrong) - _MOST_SHOWN), err=True)
    tally = None
    if not dry_run and (skip_wrong or not wrong):
        tally = _import(file, form, touchpoints, evidence, skip={one.line for one in wrong})
    if as_json:
        counts = attrs.asdict(tally or _Tally())
        print_json({"rows": rows, "wrong": [attrs.asdict(one) for one in wrong], **counts})
    else:
        _tell(tally, rows, wrong)
    if wrong or (tally and tally.lost):
        raise SystemExit(1)


def _column(text: str) -> tuple[str, str]:
    field, equals, heading = text.partition("=")
    if not (field and equals and heading):
        raise click.BadParameter(say('"{text}" is not FIELD=HEADING', text=text))
    return field, heading


def _looked_at(file: Path, form: Form, touchpoints: _Touchpoints, evidence: Evidence) -> tuple[int, list[WrongRow]]:
    """How many rows there are, and those that cannot be captured: tried on a like kit that keeps nothing."""
    rows, wrong = 0, list[WrongRow]()
    settings = attrs.evolve(load(), strict=True, exporters={})
    with closing(Kit(settings, in_memory=True)) as kit, _progress(file, say("Looking")) as moved:
        kit.intake.closed = True
        for row in read_rows(file, form, moved):
            rows += 1
            if isinstance(row, Row):
                try:
                    _capture(kit, touchpoints, row, evidence)
                except CXError as error:
                    row = WrongRow(line=row.line, reason=str(error))
            if isinstance(row, WrongRow):
                wrong.append(row)
    if not rows:
        raise WrongFileError(say("{path} has no rows", path=file))
    return rows, wrong


def _import(file: Path, form: Form, touchpoints: _Touchpoints, evidence: Evidence, *, skip: Set[int]) -> _Tally:
    """Some rows at a time: captured, on disk, and only then remembered as imported."""
    tally = _Tally()
    with closing(strict_kit()) as kit, _remembered(kit) as seen, _progress(file, say("Importing")) as moved:
        limit = kit.settings.queue.max_bytes // 4
        good = _good(read_rows(file, form, moved), file, skip)
        while rows := list(islice(good, _AT_ONCE)):
            with seen:  # one transaction: another import waits, and then sees these
                seen.execute("BEGIN IMMEDIATE")
                for row in rows:
                    at = row.at.astimezone(UTC).isoformat()
                    mark = kit.desk.keyring.identifier_key("import", f"{row.name}\0{at}\0{row.key}")
                    if seen.execute("SELECT 1 FROM imported WHERE mark = ?", [mark]).fetchone():
                        tally.already += 1
                    elif (captured := _capture(kit, touchpoints, row, evidence)) is None:
                        tally.missed(reasons_in(kit.intake.dropped))
                    else:
                        tally.imported += 1
                        tally.unnamed += captured == "unnamed"
                        seen.execute("INSERT INTO imported VALUES (?)", [mark])
                    if kit.intake.queued_bytes > limit:
                        _await_spool(kit)
                _await_spool(kit)
    return tally


def _good(rows: Iterator[Row | WrongRow], file: Path, skip: Set[int]) -> Iterator[Row]:
    """The rows to import; a file that changes under our hands is not read on."""
    for row in rows:
        if row.line in skip:
            continue
        if isinstance(row, WrongRow):
            raise WrongFileError(say("{path} was changed meanwhile; import it again, it goes on", path=file))
        yield row


def _capture(kit: Kit, touchpoints: _Touchpoints, row: Row, evidence: Evidence) -> Literal["named", "unnamed"] | None:
    """None: it was not kept."""
    with scope(kit=kit, channel=row.channel, evidence=evidence, **row.identifiers):
        occurrence = touchpoints[row.name].on(value=row.value, case=row.case, at=row.at, key=f"{row.name}\0{row.key}")
        if occurrence.capture(**row.properties) is None:
            return None
        return "unnamed" if is_unnamed(row.name) else "named"


class _Touchpoints(dict[str, Touchpoint[...]]):
    """Those that rows name, each declared once."""

    def __init__(self, declared: dict[str, Any]) -> None:
        self._declared = declared

    def __missing__(self, name: str) -> Touchpoint[...]:
        made = self[name] = Touchpoint(spec_of(name, self._declared))
        return made


def _await_spool(kit: Kit) -> None:
    until = time.monotonic() + _SPOOL_TIMEOUT_S
    while kit.intake.queued:
        if time.monotonic() > until:
            raise StateError(
                f"what was read could not be spooled within {_SPOOL_TIMEOUT_S:.0f} seconds",
                fix="see `cxkit doctor`, then import again: it goes on where it stopped",
                code="CX7005",
            )
        time.sleep(0.002)


@contextmanager
def _remembered(kit: Kit) -> Iterator[sqlite3.Connection]:
    """What was imported into this directory: a keyed hash of each row, nothing of its content."""
    path = kit.settings.directory / "imported.db"
    try:
        with closing(sqlite3.connect(path, timeout=_SPOOL_TIMEOUT_S, isolation_level=None)) as connection:
            os.chmod(path, 0o600)
            connection.execute("CREATE TABLE IF NOT EXISTS imported (mark BLOB PRIMARY KEY) WITHOUT ROWID")
            yield connection
    except sqlite3.Error as error:
        raise StateError(
            f"{path} cannot be used ({error})", fix="mend or move it; without it rows are imported again", code="CX7006"
        ) from error


@contextmanager
def _progress(file: Path, label: str) -> Iterator[Callable[[int], None]]:
    length = file.stat().st_size if file.is_file() else 0
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield bar.update


def _tell(tally: _Tally | None, rows: int, wrong: list[WrongRow]) -> None:
    click.echo(count("{number} row, {wrong} wrong", "{number} rows, {wrong} wrong", rows, wrong=len(wrong)))
    if tally is None:
        click.echo(say("nothing was imported"))
        return
    click.echo(count("{number} imported", "{number} imported", tally.imported))
    if tally.unnamed:
        click.echo(say("{number} of them without identifiers: no choice of the person is known", number=tally.unnamed))
    if tally.already:
        click.echo(count("{number} was there already", "{number} were there already", tally.already))
    if tally.withheld:
        click.echo(say("{number} withheld: there was no consent", number=tally.withheld))
    for reason, number in tally.lost.items():
        click.echo(say("{number} NOT IMPORTED: {reason}", number=number, reason=reason), err=True)
