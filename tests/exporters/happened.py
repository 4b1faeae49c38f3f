"""What the tests of the local file put into it, and how they look at what is there."""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cxkit.codec import encode
from cxkit.exporters.local import LocalExporter, Settings, read
from cxkit.model import Context, Evidence, Identifier, Identity, Interaction
from cxkit.roles import Batch, Outcome

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE_MS = 60_000
_HALF_AN_HOUR, _DAY = 30 * MINUTE_MS, 24 * 60 * MINUTE_MS
_numbers = itertools.count()


def known(*identifiers: str) -> Identity:
    """The strongest first: ``login user_id:nancy``, ``cookie visitor:a``."""

    def one(text: str) -> Identifier:
        evidence, _, key = text.partition(" ")
        type, _, value = key.partition(":")
        found: Evidence = evidence  # type: ignore[assignment]
        return Identifier(type=type, value=value, evidence=found)

    return Identity(identifiers=tuple(map(one, identifiers)))


def happened(*identifiers: str, at_ms: int = 0, session: str | None = None, **changes: Any) -> Interaction:
    """An interaction ``at_ms`` after noon, with an id of its own."""
    given = {
        "id": f"{next(_numbers):08}",
        "occurred_at": NOON + timedelta(milliseconds=at_ms),
        "name": "page.viewed",
        "source": "/shop",
        "identity": known(*identifiers),
        "context": Context(session=session),
        **changes,
    }
    return Interaction(**given)


def batch(*contents: Interaction | bytes) -> Batch:
    return Batch("b1", tuple(one if isinstance(one, bytes) else encode(one) for one in contents))


def exporter_of(path: Path, **settings: Any) -> LocalExporter:
    """One that keeps what happened at any noon."""
    return LocalExporter(Settings(path=path, **{"max_age_days": 36_500.0, **settings}))


def keep(path: Path, *contents: Interaction | bytes, **settings: Any) -> Outcome:
    """Export one batch."""
    return exporter_of(path, **settings).export(batch(*contents), deadline_s=30.0)


def asked(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with read(path) as connection:
        return [tuple(row) for row in connection.execute(sql, parameters)]


def people(path: Path) -> dict[str, str | None]:
    """Id to whose it is."""
    return dict(asked(path, "SELECT event_id, subject_id FROM events"))  # type: ignore[arg-type]


def sessions(path: Path) -> list[set[str]]:
    """The ids of each session, by time."""
    found: dict[str, set[str]] = {}
    for id, session in asked(path, "SELECT event_id, session_id FROM events ORDER BY ts_ms, event_id"):
        found.setdefault(session, set()).add(id)
    found.pop(None, None)  # type: ignore[call-overload]
    return list(found.values())


def login(*identifiers: str, **changes: Any) -> Interaction:
    """A login that was recorded as such."""
    return happened(*identifiers, name="identity.identified", kind="identity", purpose="necessary", **changes)


def defined(contents: Iterable[Interaction], people: Mapping[str, str | None]) -> dict[str, str | None]:
    """Id to session, by the definition, from all there is.

    Args:
        people: Id to whose it is.
    """
    found: dict[str, str | None] = {}
    partitions: dict[tuple[str, str], list[tuple[int, str, bool]]] = defaultdict(list)
    for one in contents:
        subject = people[one.id]
        if one.context.session or subject is None:
            found[one.id] = one.context.session
        else:
            at_ms = round(one.occurred_at.timestamp() * 1000)
            partitions[subject, one.source].append((at_ms, one.id, one.direction == "inbound"))
    for (subject, source), events in partitions.items():
        inbound = sorted((at_ms, id) for at_ms, id, comes_in in events if comes_in)
        opening = [
            now for place, now in enumerate(inbound) if place == 0 or now[0] - inbound[place - 1][0] > _HALF_AN_HOUR
        ]
        for at_ms, id, _ in events:
            latest = max((one for one in inbound if one <= (at_ms, id)), default=None)
            if latest is None or at_ms - latest[0] > _HALF_AN_HOUR:
                found[id] = None
                continue
            began_ms = max(one for one in opening if one <= latest)[0]
            days = (latest[0] - began_ms) // _DAY
            found[id] = f"{subject} {source} {began_ms + days * _DAY}"
    return found


def ids(interactions: Iterable[Interaction]) -> set[str]:
    return {one.id for one in interactions}


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as foreign:
        return foreign.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
