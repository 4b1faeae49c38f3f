"""Settings one by one, as they may be shown: secrets are masked, and so is what could be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import attrs

from cxkit.capture.redact import Redactor
from cxkit.errors import CXError
from cxkit.kit.assembly import claimed_tables, exporter_options, store_options
from cxkit.registry import Registry
from cxkit.roles import Factory
from cxkit.settings import Secret, Settings, structure

__all__ = ["MASK", "Value", "values_of"]

MASK: Final = "********"
_APART: Final = frozenset({"exporters", "store", "experiences", "journeys", "tables", "origins"})
_redactor: Final = Redactor()


class Value(NamedTuple):
    """One setting."""

    setting: str
    """Its dotted name."""
    value: object
    """Plain JSON; None if it is not set."""
    origin: str
    """``file PATH``, ``env NAME``, ``code`` or ``default``."""


def values_of(settings: Settings, registry: Registry) -> Iterator[Value]:
    """Every setting, in the order of the reference; those of plugins as their own classes complete them."""
    for path, value in (*_core(settings), *_of_exporters(settings, registry), *_of_others(settings, registry)):
        yield Value(path, value, settings.origins.get(path, "default"))


Found = Iterator[tuple[str, object]]


def _core(settings: Settings) -> Found:
    for field in attrs.fields(Settings):
        if field.name not in _APART:
            yield from _leaves(getattr(settings, field.name), field.name)


def _of_exporters(settings: Settings, registry: Registry) -> Found:
    kinds = registry.exporters()
    for name, table in settings.exporters.items():
        where = f"exporters.{name}"
        for field in attrs.fields(type(table)):
            if field.name != "options":
                yield from _leaves(getattr(table, field.name), f"{where}.{field.name}")
        yield from _options(kinds.get(table.type), exporter_options(settings, name), where)


def _of_others(settings: Settings, registry: Registry) -> Found:
    yield "store.type", settings.store.type
    yield from _options(registry.stores().get(settings.store.type), store_options(settings), "store")
    for name, table in settings.experiences.items():
        yield from _leaves(table, f"experiences.{name}")
    for name, table in settings.journeys.items():
        yield from _leaves(table, f"journeys.{name}")
    claimed = claimed_tables(registry)
    for name in (*claimed, *(one for one in settings.tables if one not in claimed)):
        yield from _table(claimed.get(name), settings.tables.get(name, {}), name)


def _options(factory: Factory[Any] | None, table: Mapping[str, object], where: str) -> Found:
    return _table(None if factory is None else factory.settings, table, where)


def _table(kind: type[Any] | None, table: Mapping[str, object], where: str) -> Found:
    """What a class makes of a table; where nobody knows it or it is wrong, its keys alone."""
    try:
        return _leaves(structure(kind, table, where=where), where) if kind else _masked(table, where)
    except CXError:
        return _masked(table, where)


def _masked(table: Mapping[str, object], where: str) -> Found:
    return ((f"{where}.{key}", MASK) for key in table)


def _leaves(value: object, path: str) -> Found:
    """The values below a value, each with its dotted name."""
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}")
    elif attrs.has(kind := type(value)):
        for field in attrs.fields(kind):
            one = getattr(value, field.name)
            if callable(field.repr):
                yield f"{path}.{field.alias}", field.repr(one)
            elif not field.repr:
                yield f"{path}.{field.alias}", None if one is None else MASK
            else:
                yield from _leaves(one, f"{path}.{field.alias}")
    else:
        yield path, _plain(value, path.rpartition(".")[2])


def _plain(value: object, key: str) -> object:
    """A value as JSON. A text whose key speaks of a secret hides, whatever the type its owner gave it."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, str):
        return MASK if _redactor.is_secret(key) else _redactor.strip_url(str(value))
    if isinstance(value, Mapping):
        return {name: _plain(one, name) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, key) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(one, key) for one in value), key=str)
    if isinstance(value, Path):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else f"<{type(value).__name__}>"
