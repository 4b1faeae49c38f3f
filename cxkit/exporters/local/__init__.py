"""The local file: everything in one SQLite file on this machine, to be looked at and asked.

Made for people with questions, not for machines with millions: plain tables, one view, `read` to ask
them here, and any program that reads SQLite.

``schema``     the tables and the view           ``rows``      an interaction as a row
``opening``    the file, made and checked        ``people``    whose interactions are
``reading``    the way in for those who ask      ``graph``     whose identifiers are
``retention``  what is too old or too much       ``erasing``   of whom nothing may be left
``names``      who is called what                ``sessions``  which run of interactions a row belongs to

The file is opened for each batch, as by the exporter ``file``: nothing is held in between, so it may be
moved away at any time, and a fork finds nothing to inherit.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final

import attrs

from cxkit.codec import decode
from cxkit.errors import CodecError, ConfigurationError
from cxkit.exporters.local.erasing import Graves, erases
from cxkit.exporters.local.opening import TroubleError, log_cleared, opened
from cxkit.exporters.local.people import People
from cxkit.exporters.local.reading import read
from cxkit.exporters.local.retention import Retention
from cxkit.exporters.local.rows import EXPOSE, INSERT, Row, row_of
from cxkit.exporters.local.sessions import Sessions
from cxkit.roles import Batch, Exporter, Factory, Outcome
from cxkit.rules.identity import TYPES, IdentifierType

__all__ = ["FACTORY", "LocalExporter", "Settings", "read"]

_CENTURY_DAYS: Final = 36_525


def _zone(name: str) -> tzinfo:
    if name == "UTC":  # for which not every machine has a file
        return UTC
    from zoneinfo import ZoneInfo  # its import takes a while, and few need it

    return ZoneInfo(name)


def _known_zone(_: object, attribute: attrs.Attribute[str], name: str) -> None:
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):  # none of that name; no name at all; a folder
        raise ConfigurationError(
            f'"{attribute.name}" is no time zone that this machine knows',
            fix='give an IANA name such as "Europe/Paris"; where the system has none, install tzdata',
            code="CX1055",
        ) from None


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "local"``.

    Example:
        >>> Settings(path="local.db", timezone="UTC").max_rows
        1000000
    """

    path: Path = attrs.field(converter=Path)
    """The file; made with mode 0600, and its directory, if it is not there."""
    max_age_days: float = attrs.field(
        default=90.0, validator=[attrs.validators.gt(0.0), attrs.validators.le(_CENTURY_DAYS)]
    )
    """How long an interaction is kept, counted from when it happened."""
    max_rows: int = attrs.field(default=1_000_000, validator=attrs.validators.ge(1))
    """How many interactions are kept; beyond them the oldest go."""
    timezone: str = attrs.field(default="UTC", validator=_known_zone)
    """Where the days of reports begin: an IANA name."""
    types: Mapping[str, IdentifierType] = TYPES
    """What identifiers are worth; the kit gives it what ``[identity.types]`` says."""


class LocalExporter:
    """Writes interactions to the local file. Delivered means: committed, as safe as the operating system.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = Path(directory, "local.db")
        ...     LocalExporter(Settings(path=path)).export(Batch("b1", ()), deadline_s=1.0).verdict
        ...     with read(path) as connection:
        ...         connection.execute("SELECT * FROM events").fetchall()
        'delivered'
        []
    """

    purposes: frozenset[str] = frozenset()
    erases: Final = "done"

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path.absolute()
        self._zone = _zone(settings.timezone)
        self._types = settings.types
        self._retention = Retention(max_age_days=settings.max_age_days, max_rows=settings.max_rows)
        self._to_clear = False
        """Whether the log may still hold what was erased."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Write the batch in one transaction; what cannot be read is rejected one by one."""
        rejected: dict[int, str] = {}
        rows: dict[int, Row] = {}
        for place, payload in enumerate(batch.payloads):
            try:
                rows[place] = row_of(decode(payload), payload, self._zone)
            except CodecError:
                rejected[place] = "unreadable"
            except (OverflowError, ValueError):
                rejected[place] = "unstorable"
        try:
            with opened(self._path, patience_s=deadline_s) as connection:
                self._write(connection, rows.values())
        except TroubleError as trouble:
            return trouble.outcome
        self._to_clear = (self._to_clear or any(map(erases, rows.values()))) and not log_cleared(self._path)
        return Outcome.reject(rejected) if rejected else Outcome.delivered()

    def preview(self, batch: Batch) -> str:
        """The file, and the interactions it would get."""
        return "\n".join([f">> {self._path}", *(payload.decode("utf-8", "replace") for payload in batch.payloads)])

    def close(self) -> None:
        """Nothing: no file stays open."""

    def _write(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        sessions = Sessions(connection)
        people, graves = People(connection, sessions, types=self._types), Graves(connection)
        added, left = 0, deque(rows)
        while left:
            row = left.popleft()
            if erases(row):
                left.extendleft(reversed(self._rows_of(graves.bury(row))))
                people = People(connection, sessions, types=self._types)  # the other one remembers them
                continue
            if graves.hold(row):
                continue
            person = people.person(row.seen, id=row.id)
            if connection.execute(INSERT, {**row.columns, "subject": row.subject, "person": person}).rowcount:
                added += 1
                connection.executemany(EXPOSE, row.exposed)
                if person is not None and row.columns["session"] is None:
                    sessions.disturb(person, row.columns["source"], row.place)
                people.meet(row)
        sessions.settle()
        self._retention.apply(connection, added=added, now_ms=time.time_ns() // 1_000_000)

    def _rows_of(self, payloads: Iterable[bytes]) -> list[Row]:
        return [row_of(decode(payload), payload, self._zone) for payload in payloads]


FACTORY: Final[Factory[Exporter]] = Factory(name="local", settings=Settings, build=LocalExporter)
"""The kit's way to it: ``type = "local"``."""
