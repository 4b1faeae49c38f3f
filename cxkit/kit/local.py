"""The local file of a kit that has one: where it is, and what it holds of somebody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cxkit.codec import decode
from cxkit.errors import CodecError
from cxkit.exporters.local import Settings as LocalSettings
from cxkit.exporters.local import read
from cxkit.kit.assembly import exporter_options
from cxkit.model import Interaction
from cxkit.settings import Settings, structure

__all__ = ["configured_path", "local_interactions", "local_names"]

_PATIENCE_S: Final = 2.0

_PEOPLE: Final = """
SELECT CASE WHEN contested IS NULL THEN person ELSE contested || '.' || subject END
FROM identifiers WHERE subject = $name UNION SELECT person FROM interactions WHERE person = $name"""
"""A contested device's is whoever uses it with no login."""
_THEIRS: Final = "SELECT payload FROM interactions WHERE person = ? ORDER BY at_ms, id"
_LINKED: Final = "SELECT subject FROM identifiers WHERE person = ? AND contested IS NULL ORDER BY subject"


def configured_path(settings: Settings) -> Path | None:
    """The file of the first exporter of type ``local``; None if there is none.

    Raises:
        ConfigurationError: A setting of that exporter is wrong.
    """
    for name, table in settings.exporters.items():
        if table.type == "local":
            options = exporter_options(settings, name)
            configured: LocalSettings = structure(LocalSettings, options, where=f"exporters.{name}")
            return configured.path
    return None


def local_names(settings: Settings, names: Iterable[str]) -> list[str]:
    """What else whoever is called by these (``type:value``) is called in the local file, by logins and links there.

    Raises:
        LocalFileError: It cannot be read.
    """
    return [name for (name,) in _ask(settings, names, _LINKED) or []]


def local_interactions(settings: Settings, names: Iterable[str]) -> list[Interaction] | None:
    """What the local file has of them; None if no such file is configured.

    Raises:
        LocalFileError: It cannot be read.
    """
    rows = _ask(settings, names, _THEIRS)
    if rows is None:
        return None
    found = []
    for (payload,) in rows:
        try:
            found.append(decode(payload.encode()))
        except CodecError:
            continue  # of a later version
    return found


def _ask(settings: Settings, names: Iterable[str], question: str) -> list[sqlite3.Row] | None:
    path = configured_path(settings)
    if path is None:
        return None
    if not path.exists():
        return []
    with read(path, patience_s=_PATIENCE_S) as connection:
        people = {person for name in names for (person,) in connection.execute(_PEOPLE, {"name": name})}
        return [row for one in sorted(people) for row in connection.execute(question, (one,))]
