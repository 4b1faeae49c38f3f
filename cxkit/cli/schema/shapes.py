"""The shapes of properties: which names and JSON types a declaration promises."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import enum
import inspect
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import attrs
import msgspec

__all__ = ["Property", "json_type", "properties_of"]


@attrs.frozen(kw_only=True)
class Property:
    """One property that a declaration promises."""

    name: str
    types: frozenset[str] | None
    """Those of JSON, and ``integer``; None is any."""
    required: bool

    @property
    def types_shown(self) -> str:
        """``string|null``."""
        if self.types is None:
            return "any"
        return "|".join(sorted(self.types - ({"integer"} if "number" in self.types else set())))

    @property
    def shown(self) -> str:
        """``sku: string``; a question mark stands where it may be left out."""
        return f"{self.name}{'' if self.required else '?'}: {self.types_shown}"


def properties_of(shape: Callable[..., object] | None) -> tuple[Property, ...] | None:
    """What a touchpoint's ``properties`` promise; None if that is not known.

    Known are attrs classes, dataclasses, ``msgspec.Struct``, pydantic models and ``TypedDict``, and
    functions that are annotated to return one of these.

    Example:
        >>> @attrs.frozen
        ... class ItemAdded:
        ...     sku: str
        ...     quantity: int = 1
        >>> [one.shown for one in properties_of(ItemAdded)]
        ['sku: string', 'quantity?: integer']
    """
    if inspect.isfunction(shape) or inspect.ismethod(shape):
        shape = _hints(shape).get("return")
    declared = _declared(shape) if isinstance(shape, type) or is_typeddict(shape) else None
    if declared is None:
        return None
    hints = _hints(shape)
    return tuple(Property(name=name, types=_types(hints.get(name, Any)), required=needed) for name, needed in declared)


def json_type(value: object) -> str:
    """The type of a decoded JSON value; a number without a fraction is an ``integer``.

    Example:
        >>> [json_type(one) for one in (True, 2, 2.5, None, [])]
        ['boolean', 'integer', 'number', 'null', 'array']
    """
    return _OF_VALUES[type(value)]


_OF_VALUES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    NoneType: "null",
    list: "array",
    dict: "object",
}
_OF_CLASSES: Final = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number integer"),
    ((str, dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID, Decimal), "string"),
    (NoneType, "null"),
    ((list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set), "array"),
    (Mapping, "object"),
)
"""What capture makes of them: see ``cxkit.capture.sanitise``."""


def _declared(kind: Any) -> list[tuple[str, bool]] | None:
    """Name of each field, and whether it must be given."""
    if attrs.has(kind):
        return [(field.name, field.default is attrs.NOTHING) for field in attrs.fields(kind)]
    if dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        return [
            (one.name, one.default is missing and one.default_factory is missing) for one in dataclasses.fields(kind)
        ]
    if is_typeddict(kind):
        needed = {NotRequired: False, Required: True}  # where annotations are texts, the class does not know it
        hints = _hints(kind)
        return [(name, needed.get(get_origin(hint), name in kind.__required_keys__)) for name, hint in hints.items()]
    if issubclass(kind, msgspec.Struct):
        return [(one.name, one.required) for one in msgspec.structs.fields(kind)]
    models = getattr(kind, "model_fields", None)
    return [(name, one.is_required()) for name, one in models.items()] if isinstance(models, dict) else None


def _types(hint: Any) -> frozenset[str] | None:
    """The JSON types of what has that type; None is any."""
    if isinstance(hint, NewType):
        return _types(hint.__supertype__)
    origin = get_origin(hint)
    if origin in (Annotated, NotRequired, Required):
        return _types(get_args(hint)[0])
    if origin in (Union, UnionType):
        return _joined(map(_types, get_args(hint)))
    if origin is Literal:
        return _joined(_types(type(one)) for one in get_args(hint))
    kind = NoneType if hint is None else origin or hint
    if not isinstance(kind, type):
        return None
    if issubclass(kind, enum.Enum):
        return _joined(_types(type(one.value)) for one in kind)
    if is_typeddict(kind) or _declared(kind) is not None:
        return frozenset({"object"})
    return next((frozenset(types.split()) for known, types in _OF_CLASSES if issubclass(kind, known)), None)


def _joined(several: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    every = list(several)
    return None if None in every else frozenset(_each(every))


def _each(several: Iterable[frozenset[str] | None]) -> Iterator[str]:
    for types in several:
        yield from types or ()


def _hints(owner: Any) -> dict[str, Any]:
    try:
        return get_type_hints(owner, include_extras=True)
    except Exception:  # noqa: BLE001 - the app's annotations may name what does not exist at run time
        return {}
