"""What was captured, as the local file has it: read in the order of arrival, and told in one line each."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import attrs

from cxkit.cli.language import pair, say
from cxkit.cli.local import shown
from cxkit.cli.terminal import visible, visible_json
from cxkit.codec import decode
from cxkit.errors import CodecError, LocalFileError
from cxkit.exporters.local import read
from cxkit.model import Interaction
from cxkit.model.context import MACHINES

__all__ = [
    "Arrivals",
    "Seen",
    "Wanted",
    "as_json",
    "as_logfmt",
    "as_text",
    "choice_word",
    "choices_in",
    "clock",
    "passes",
    "seen_of",
    "what",
]

_PATIENCE_S: Final = 0.2
_MOST: Final = 2**63 - 1
_OF_QUESTIONS: Final = ("profile.asked", "profile.skipped", "profile.answered")
_TOLD: Final[Mapping[str, Sequence[str]]] = {
    "experiment.assigned": ("experiment", "variation"),
    "experiment.ruled": ("experiment", "running", "winner", "actor", "reason"),
    **dict.fromkeys(_OF_QUESTIONS, ("question",)),
}
"""Properties of what cxkit captures itself that say what it is about."""


@attrs.frozen(kw_only=True)
class Seen:
    """One interaction in the local file."""

    row: int
    """Its place in the order of arrival."""
    person: str | None
    """Whose it is, as the file knows it now."""
    payload: str
    """Canonical JSON."""
    interaction: Interaction


@attrs.frozen(kw_only=True)
class Wanted:
    """Which interactions; None is any."""

    name: str | None = None
    """A pattern, with ``*`` and ``?``."""
    channel: str | None = None
    people: tuple[str, ...] | None = None
    since: datetime | None = None


def seen_of(row: sqlite3.Row) -> Seen:
    """A row of ``interactions``; of a form that this version cannot decode, what its columns tell."""
    try:
        interaction = decode(row["payload"].encode())
    except CodecError:
        plain = {
            name: row[name] for name in ("id", "source", "name", "kind", "channel", "direction", "stage", "purpose")
        }
        occurred_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=row["at_ms"])
        interaction = Interaction(occurred_at=occurred_at, **plain)
    return Seen(row=row["rowid"], person=row["person"], payload=row["payload"], interaction=interaction)


# --- arrival --------------------------------------------------------------------------------------

_ARRIVED: Final = """
SELECT rowid, * FROM interactions
WHERE rowid > $after AND ($name IS NULL OR name GLOB $name) AND ($channel IS NULL OR channel = $channel)
  AND ($people IS NULL OR person IN (SELECT value FROM json_each($people))) AND ($since IS NULL OR at_ms >= $since)
ORDER BY rowid DESC LIMIT $most"""


class Arrivals:
    """What arrives in a local file, from one look to the next. The file is opened for each look.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._after = 0
        self._file: tuple[int, int] | None = None

    def skip(self) -> None:
        """Pass over all that has arrived so far.

        Raises:
            LocalFileError: The file cannot be read.
        """
        with read(self.path, patience_s=_PATIENCE_S) as connection:
            self._look(connection)
            self._after = _last(connection)

    def new(self, wanted: Wanted = Wanted(), *, most: int | None = None) -> list[Seen]:
        """What has arrived since the last look, the oldest first.

        Args:
            most: Only the last so many.

        Raises:
            LocalFileError: The file cannot be read.
        """
        with read(self.path, patience_s=_PATIENCE_S) as connection:
            self._look(connection)
            asked = {
                "after": self._after,
                "name": wanted.name,
                "channel": wanted.channel,
                "people": None if wanted.people is None else json.dumps(wanted.people),
                "since": wanted.since and _milliseconds(wanted.since),
                "most": _MOST if most is None else most,
            }
            connection.execute("BEGIN")
            self._after, last = _last(connection), self._after
            found = connection.execute(_ARRIVED, {**asked, "after": last}).fetchall()
        return [seen_of(row) for row in reversed(found)]

    def _look(self, connection: sqlite3.Connection) -> None:
        """Begin again where the file is another one now; where rows were removed, go on behind the last."""
        status = os.stat(self.path)
        if self._file != (status.st_dev, status.st_ino):
            self._file, self._after = (status.st_dev, status.st_ino), 0
        self._after = min(self._after, _last(connection))


def passes(error: LocalFileError) -> bool:
    """Whether it is a matter of time: there is no file yet, or it is locked."""
    return error.code == LocalFileError.default_code or isinstance(error.__cause__, sqlite3.OperationalError)


def _last(connection: sqlite3.Connection) -> int:
    (last,) = connection.execute("SELECT max(rowid) FROM interactions").fetchone()
    return last or 0


def _milliseconds(time: datetime) -> int:
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


# --- telling --------------------------------------------------------------------------------------


def clock(time: datetime, *, today: bool = False) -> str:
    """A time where this machine is; without its date if that is wanted."""
    return time.astimezone().strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def as_text(seen: Seen, *, today: bool = False) -> str:
    """The line for people: when, where, what, who, stage, and what is peculiar to it."""
    one = seen.interaction
    who = shown(seen.person) if seen.person else say("nobody")
    if one.context.actor in MACHINES:
        who += f" ({one.context.actor})"
    columns = (one.channel or "-", 8), (one.name, 22), (who, 20), (one.stage or "-", 14)
    aligned = "".join(visible(text).ljust(width) + " " for text, width in columns)
    return f"{clock(one.occurred_at, today=today)}  {aligned}{'  '.join([*what(one), *_around(one)])}".rstrip()


def what(one: Interaction) -> Iterator[str]:
    """What is peculiar to an interaction, in the order in which it matters."""
    if one.decision is not None:
        yield pair(one.decision.experience, one.decision.variant)
    if one.feedback is not None:
        yield f"{one.feedback.scale} {one.feedback.score}"
    yield from _about(one)
    if one.kind == "consent":
        yield from (visible(f"{purpose} {choice_word(choice)}") for purpose, choice in choices_in(one).items())
    if one.kind == "identity":
        yield " + ".join(shown(f"{known.type}:{known.value}") for known in one.identity.identifiers)
    if one.context.page is not None and one.context.page.route is not None:
        yield visible(one.context.page.route)
    status = one.properties.get("status")
    if isinstance(status, int) and status >= 400:
        yield str(status)
    if one.value is not None:
        yield f"{one.value.amount} {one.value.currency}"
    if one.outcome not in (None, "completed"):
        yield visible(f"{one.outcome} ({one.error})" if one.error else str(one.outcome))


def _about(one: Interaction) -> Iterator[str]:
    """Of an experiment or a question: which, and what was said or given; never an answer."""
    told = one.properties
    if one.name == "experiment.assigned":
        yield pair(told.get("experiment"), told.get("variation"))
    elif one.name == "experiment.ruled":
        act = say("it runs") if told.get("running") else say("it has stopped")
        yield pair(told.get("experiment"), say("{winner} won", winner=told["winner"]) if told.get("winner") else act)
        yield pair(told.get("actor"), told.get("reason"))
    elif one.name in _OF_QUESTIONS:
        yield visible(str(told.get("question")))


def choice_word(choice: str) -> str:
    """A choice, in the language of whoever reads it."""
    return {"granted": say("granted"), "denied": say("denied")}.get(choice, choice)


def choices_in(one: Interaction) -> Mapping[str, str]:
    """The choices that a change of consent records."""
    choices = one.properties.get("choices")
    return cast("dict[str, str]", choices) if isinstance(choices, dict) else {}


def _around(one: Interaction) -> Iterator[str]:
    context = one.context
    for text in (context.device and context.device.type, context.locale, context.place and context.place.country):
        if text:
            yield visible(text)


def as_json(seen: Seen) -> str:
    """The canonical JSON, which `cxkit.codec.decode` reads."""
    return visible_json(seen.payload)


def as_logfmt(seen: Seen) -> str:
    """``key=value`` pairs."""
    return " ".join(f"{key}={_quoted(value)}" for key, value in _fields(seen).items() if value is not None)


def _fields(seen: Seen) -> Mapping[str, Any]:
    one, context, decision = seen.interaction, seen.interaction.context, seen.interaction.decision
    return {
        "at": one.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "name": one.name,
        "channel": one.channel,
        "person": seen.person,
        "kind": one.kind,
        "stage": one.stage,
        "route": context.page and context.page.route,
        "experience": decision and decision.experience,
        "variant": decision and decision.variant,
        **{name: one.properties.get(name) for name in _TOLD.get(one.name, ())},
        "outcome": one.outcome,
        "value": one.value and f"{one.value.amount} {one.value.currency}",
        "device": context.device and context.device.type,
        "locale": context.locale,
        "id": one.id,
    }


def _quoted(value: object) -> str:
    text = visible(value if isinstance(value, str) else json.dumps(value))
    plain = text and not set(text) & set(' "=')
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
