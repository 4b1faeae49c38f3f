"""Whom an operator means: by a name that may be in the store, in the local file, or in neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from cxkit.cli.capture import strict_kit
from cxkit.cli.language import say
from cxkit.errors import LocalFileError
from cxkit.exporters.local import read
from cxkit.flows.identify import identifiers_of
from cxkit.keyring import GENERATED
from cxkit.kit import Kit
from cxkit.kit.local import configured_path
from cxkit.model import Identifier, Identity
from cxkit.settings import load

__all__ = ["named", "opened"]

_KEY: Final = re.compile(r"[0-9a-f]{6,32}")
"""A contact's key, or how it begins."""
_KEY_CHARS: Final = 32
_LAST_CHARACTER: Final = "\U0010ffff"
_BEGINNING: Final = """
SELECT subject FROM identifiers WHERE subject BETWEEN $first AND $last
UNION SELECT person FROM interactions WHERE person BETWEEN $first AND $last LIMIT 2"""


@contextmanager
def opened() -> Iterator[Kit]:
    """The kit of this directory, if cxkit was ever used here; nothing is made or started."""
    settings = load()
    keys = settings.keys
    if not ((keys.signing and keys.identifier) or (settings.directory / GENERATED).exists()):
        raise click.ClickException(say("there is nothing of anybody here: no identifier was ever kept"))
    if settings.store.type == "memory":
        what = say("the store is in the memory of the application: call cxkit.erase or cxkit.disclose there")
        raise click.ClickException(what)
    kit = strict_kit()
    try:
        yield kit
    finally:
        kit.close()


def named(kit: Kit, text: str) -> Identity:
    """What is meant by ``nancy`` (a ``user_id``) or ``type:value``.

    A contact may be given as an address or number, or as its key; the key or a visitor by how it begins, where the
    local file knows them.

    Raises:
        InvalidInteractionError: It identifies nobody.
        LocalFileError: Several in the local file begin like this (CX6106).
    """
    text = text.encode("utf-8", "replace").decode()  # a terminal may give what is no text
    type, colon, value = text.partition(":")
    if not colon:
        type, value = "user_id", text
    keyring, declared = kit.desk.keyring, kit.desk.identifying
    if type in keyring.contacts and _KEY.fullmatch(value):
        value = _whole(kit, type, value)
        if len(value) == _KEY_CHARS:
            return Identity(identifiers=(Identifier(type=type, value=value, evidence="claim"),))
    elif type == "visitor" and value:
        value = _whole(kit, type, value)
    return Identity(identifiers=tuple(identifiers_of(keyring, {type: value}, evidence="claim", declared=declared)))


def _whole(kit: Kit, type: str, value: str) -> str:
    path, name = configured_path(kit.settings), f"{type}:{value}"
    if path is None or not path.exists():
        return value
    with read(path) as connection:
        found = [one for (one,) in connection.execute(_BEGINNING, {"first": name, "last": name + _LAST_CHARACTER})]
    if len(found) > 1 and name not in found:
        what = f"several in the local file begin like this {type}"
        raise LocalFileError(what, fix="type more of it", code="CX6106")
    return found[0].partition(":")[2] if len(found) == 1 else value
