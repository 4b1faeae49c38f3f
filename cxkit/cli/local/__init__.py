"""The local file on the command line: which it is, whom it knows, and how they are called."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from cxkit.cli.terminal import visible
from cxkit.errors import InvalidInteractionError, LocalFileError, nearest
from cxkit.exporters.local import Settings as LocalSettings
from cxkit.exporters.local import read
from cxkit.exporters.local.names import called, types_in
from cxkit.flows.identify import identifiers_of
from cxkit.kit.assembly import exporter_options, identifying_of, open_keyring
from cxkit.rules.identity import CONTACTS, TYPES, normalise
from cxkit.settings import Settings, load, structure

__all__ = ["file_option", "local_path", "open_local", "shown", "subjects", "type_and_value", "typed"]

file_option = click.option(
    "--file", type=click.Path(path_type=Path), help="The local file; by default that of the exporter of type local."
)
"""Passes ``file``: a path, or None."""

_OPAQUE: Final = CONTACTS | {"visitor"}
"""Types whose values nobody types in full: a beginning is enough."""
_SHOWN_CHARS: Final = 8


def local_path(file: Path | None, settings: Settings) -> Path:
    """The file given, else that of the first exporter of type ``local``, else the one there would be.

    Raises:
        ConfigurationError: A setting of that exporter is wrong.
    """
    if file is not None:
        return file
    for name, table in settings.exporters.items():
        if table.type == "local":
            options = exporter_options(settings, name)
            configured: LocalSettings = structure(LocalSettings, options, where=f"exporters.{name}")
            return configured.path
    return settings.directory / "local.db"


@contextmanager
def open_local(file: Path | None) -> Iterator[sqlite3.Connection]:
    """A connection that reads the local file, see `local_path` and `cxkit.exporters.local.read`.

    Raises:
        ConfigurationError: A setting is wrong.
        LocalFileError: There is no such file, or it cannot be read.
    """
    with read(local_path(file, load())) as connection:
        yield connection


def shown(subject_id: str) -> str:
    """How somebody is called on the terminal: what is opaque by its beginning.

    Whoever uses a contested device is called by that device.

    Example:
        >>> shown("user_id:nancy"), shown("visitor:7f3a2b1c9d0e4f5a")
        ('user_id nancy', 'visitor 7f3a2b1c')
    """
    return visible(" ".join(_in_short(subject_id)))


def typed(subject_id: str) -> str:
    """How one types whom `shown` calls somebody: `subjects` takes it.

    Example:
        >>> typed("user_id:nancy"), typed("visitor:7f3a2b1c9d0e4f5a")
        ('nancy', 'visitor:7f3a2b1c')
    """
    type, value = _in_short(subject_id)
    return value if type == "user_id" else f"{type}:{value}"


def _in_short(subject_id: str) -> tuple[str, str]:
    type, _, value = subject_id.partition(":")
    type = type.rpartition(".")[2]
    return type, value[:_SHOWN_CHARS] if type in _OPAQUE else value


def subjects(connection: sqlite3.Connection, text: str, settings: Settings) -> list[str]:
    """Who is meant on the command line, as ``subject_id`` in ``events``.

    Args:
        text: ``nancy`` (a ``user_id``), ``type:value`` or ``type=value``, an address or a number as ``email:...`` or
            ``phone:...``, or the beginning of a visitor's value or of a contact's hash.

    Raises:
        LocalFileError: The file knows nobody of that name (CX6105), or several (CX6106).
        ConfigurationError: The keys that contacts are hashed with cannot be read.
    """
    text = _as_text(text)
    type, value = type_and_value(text, identifying_of(settings).types)
    for subject in (f"{type}:{_kept(type, value, settings)}", f"{type}:{value}", f"user_id:{text}"):
        if found := called(connection, subject):
            return found
    found = called(connection, text, begins=True) if type in _OPAQUE and value else []
    if len(found) > 1:
        raise LocalFileError(
            f"{len(found)} in the local file begin like this {type}", fix="type more of it", code="CX6106"
        )
    return found or _nobody(connection, type)


def type_and_value(text: str, types: Collection[str] = TYPES) -> tuple[str, str]:
    """What is meant by ``nancy`` (a ``user_id``), ``type:value``, or ``type=value`` of a type that is known.

    Example:
        >>> type_and_value("nancy"), type_and_value("phone:+33"), type_and_value("email=a@b.c")
        (('user_id', 'nancy'), ('phone', '+33'), ('email', 'a@b.c'))
    """
    text = _as_text(text)
    type, _, value = text.partition("=")
    if type in types and type != text:
        return type, value
    type, colon, value = text.partition(":")
    return (type, value) if colon else ("user_id", type)


def _as_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # a terminal may give what is no text


def _kept(type: str, value: str, settings: Settings) -> str:
    """The value as capture keeps it: in its one form, and of a contact the keyed hash."""
    if type not in CONTACTS:
        return normalise(type, value) or value
    try:
        (identifier,) = identifiers_of(
            open_keyring(settings, in_memory=False, shared=False), {type: value}, evidence="claim"
        )
    except InvalidInteractionError:
        return value
    return identifier.value


def _nobody(connection: sqlite3.Connection, type: str) -> list[str]:
    # Never a name of somebody else: messages end up in logs.
    known = types_in(connection)
    if type in known:
        what, fix = f"the local file knows nobody by this {type}", "see `cxkit tail` for who was here"
    else:
        what = f'the local file knows nobody by a "{type[:32]}"'
        fix = nearest(type, known) if known else "before they consent, visitors have no name: see `cxkit tail`"
    raise LocalFileError(what, fix=fix, code="CX6105")
