"""Whom an operator means: by a name that may be in the store, in the local file, or in neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final

import attrs
import click

from cxkit.cli.capture import strict_kit
from cxkit.cli.checks.code import in_code, unread
from cxkit.cli.checks.finding import with_fix
from cxkit.cli.language import say
from cxkit.cli.local import type_and_value
from cxkit.cli.local.known import keyed
from cxkit.errors import InvalidInteractionError, LocalFileError
from cxkit.exporters.local.names import names_from, types_in
from cxkit.flows.documents import identifier_doc
from cxkit.flows.identify import TYPE, identifiers_of
from cxkit.kit import Kit, privacy
from cxkit.kit.local import opened_local
from cxkit.model import Identifier, Identity
from cxkit.rules.identity import type_of
from cxkit.settings import load

__all__ = ["named", "opened"]

_KEY: Final = re.compile(r"[0-9a-f]{6,32}")
"""A contact's key, or how it begins."""
_KEY_CHARS: Final = 32
_PAGE: Final = 1000


@contextmanager
def opened() -> Iterator[Kit]:
    """The kit of this directory, if cxkit was ever used here; nothing is made or started."""
    settings = load()
    directory, code = settings.directory.absolute(), in_code()
    where = say("looking in {directory}, store {store}", directory=directory, store=settings.store.type)
    click.echo(where, err=True)
    if code is not None:
        told = unread(code)
        click.echo(with_fix(told.what, told.fix), err=True)
    if not keyed(settings):
        what = say("{directory} has nothing of anybody: no identifier was ever kept there", directory=directory)
        raise click.ClickException(what)
    if settings.store.type == "memory":
        what = say("the store is in the memory of the application: call cxkit.erase or cxkit.disclose there")
        raise click.ClickException(what)
    kit = strict_kit()
    try:
        yield kit
    finally:
        kit.close()


def named(kit: Kit, text: str) -> Identity:
    """What is meant by ``nancy`` (a ``user_id``), ``type:value`` or ``type=value``.

    A contact may be given as an address or number, or as its key; the key or a visitor by how it begins, where the
    local file knows them.

    Raises:
        click.BadParameter: It is a value that names nobody, or a type that nothing here has.
        LocalFileError: Several in the local file begin like this (CX6106).
    """
    type, value = type_and_value(text, kit.desk.identifying.types)
    identity = _identity(kit, type, value)
    if type not in kit.desk.identifying.types and _is_nobody(kit, identity):
        _refuse_type(kit, type)
    return identity


def _identity(kit: Kit, type: str, value: str) -> Identity:
    keyring, types = kit.desk.keyring, kit.desk.identifying.types
    # What is held under a misspelt type must be found as well.
    declared = attrs.evolve(kit.desk.identifying, types={**types, type: type_of(type, types)})
    if type in keyring.contacts and _KEY.fullmatch(value):
        value = _whole(kit, type, value)
        if len(value) == _KEY_CHARS:
            return Identity(identifiers=(Identifier(type=type, value=value, evidence="claim"),))
    elif type == "visitor" and value:
        value = _whole(kit, type, value)
    try:
        return Identity(identifiers=tuple(identifiers_of(keyring, {type: value}, evidence="claim", declared=declared)))
    except InvalidInteractionError:
        if not TYPE.fullmatch(type):
            _refuse_type(kit, type)
        what = say("this value names nobody: give a real one, as in nancy or phone:+33123456789")
        raise click.BadParameter(what, param_hint="SUBJECT") from None


def _is_nobody(kit: Kit, identity: Identity) -> bool:
    """Whether everything was looked at, and not even a tombstone says that they ever were."""
    found = privacy.find(kit.premises, identity)
    return found.empty and not found.kept


def _refuse_type(kit: Kit, type: str) -> None:
    """Unless somebody else is known by one: a type may be captured without being declared.

    Raises:
        click.BadParameter: Nothing here is of that type.
    """
    known = {*kit.desk.identifying.types, *_types(kit)}
    if type in known:
        return
    close = get_close_matches(type.lower(), known, n=1)
    if close:
        what = say('nothing here is of the type "{type}": did you mean "{close}"?', type=type[:32], close=close[0])
    else:
        what = say(
            'nothing here is of the type "{type}"; known: {known}; a user_id with a colon is user_id:{type}:...',
            type=type[:32],
            known=", ".join(sorted(known)),
        )
    raise click.BadParameter(what, param_hint="SUBJECT")


def _types(kit: Kit) -> Iterator[str]:
    """Of what types there are identifiers in the store and in the local file."""
    store, after, prefix = kit.premises.store(), "", identifier_doc("")
    while page := store.scan(prefix, after=after, limit=_PAGE):
        yield from (str(one.body.get("type")) for one in page)
        after = page[-1].key
    with opened_local(kit.settings) as local:
        yield from types_in(local) if local else ()


def _whole(kit: Kit, type: str, value: str) -> str:
    name = f"{type}:{value}"
    with opened_local(kit.settings) as local:
        found = names_from(local, name) if local else []
    if len(found) > 1 and name not in found:
        what = f"several in the local file begin like this {type}"
        raise LocalFileError(what, fix="type more of it", code="CX6106")
    return found[0].partition(":")[2] if len(found) == 1 else value
