"""The local file of a kit that has one: where it is, and what it holds of somebody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cxkit.exporters.local import Settings as LocalSettings
from cxkit.exporters.local import read
from cxkit.exporters.local.names import events_of, linked_to
from cxkit.kit.assembly import exporter_options
from cxkit.model import Interaction
from cxkit.settings import Settings, structure

__all__ = ["configured_path", "local_interactions", "local_names", "opened_local"]

_PATIENCE_S: Final = 2.0


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


@contextmanager
def opened_local(settings: Settings) -> Iterator[sqlite3.Connection | None]:
    """The local file, to be asked; None if none is configured, or nothing was ever written to it.

    Raises:
        LocalFileError: It cannot be read.
    """
    path = configured_path(settings)
    if path is None or not path.exists():
        yield None
        return
    with read(path, patience_s=_PATIENCE_S) as connection:
        yield connection


def local_names(settings: Settings, names: Iterable[str]) -> list[str]:
    """What else whoever is called by these (``type:value``) is called in the local file, by logins and links there.

    Raises:
        LocalFileError: It cannot be read.
    """
    with opened_local(settings) as local:
        return linked_to(local, names) if local else []


def local_interactions(settings: Settings, names: Iterable[str]) -> list[Interaction] | None:
    """What the local file has of them; None if no such file is configured.

    Raises:
        LocalFileError: It cannot be read.
    """
    if configured_path(settings) is None:
        return None
    with opened_local(settings) as local:
        return events_of(local, names) if local else []
