"""The slow walk: any Python value as bounded, plain JSON, without running the app's code.

What `scan` does not vouch for comes here. A type, or a subclass; what becomes of it; the marker it leaves:

==================================================  ====================================  =================
None, bool, float, int within +-2**53               itself; an IntEnum its number
int beyond; Decimal, Fraction, complex              text; null if too long                bigint; huge:DIGITS
NaN, infinities, also of Decimal                    null                                  nan, inf, -inf
str                                                 itself; lone surrogates are U+FFFD    surrogate
- with more bytes than the limits allow             its beginning                         cut:CHARACTERS
- a link, also within the same site                 less userinfo and secret parameters   url
datetime, date, time, timedelta; UUID               ISO 8601 (UTC is Z); text
- datetime without a zone, or one that raises       as if in UTC                          naive, timezone
bytes, bytearray, memoryview                        {"$bytes": LENGTH}
dict, ChainMap, MappingProxyType, UserDict          object
attrs, dataclass, pydantic, msgspec.Struct          object of its fields
list, tuple, set, frozenset, deque, range           list; plain members of a set in order
- any of these with more entries than allowed       the first of them                     cut:ENTRIES
- inside itself; too deep                           "$cycle"; "$depth"                    cycle; depth
Enum, numpy scalar                                  what it stands for
under a secret key, in a field with repr=False      "[redacted]"; null stays              redacted
anything else                                       "$type:NAME"                          type:NAME
what raises or changes while it is read, twice      "$unreadable:NAME"                    unreadable:NAME
==================================================  ====================================  =================

Keys become text: 1 is "1", None "null", a tuple "$type:tuple". One that is cut, mended or, because it was
there before, numbered ("1~2") is marked key. A stand-in for which all texts together left no room is null
(cut). The walk is wide, not deep: when the nodes run out, what is near the top has been kept.

No attribute is looked up in the ordinary way, no method of a subclass is called: `type` cannot lie, fields
are read from where they are stored, containers through their base. So of a lazy proxy, a query set, a mock
or a generator only the name is kept; of other Mappings, too: Starlette's request is one, and would give its
headers away. Only a time zone is asked for its offset, and keys of a ChainMap are compared; both guarded.
"""

from __future__ import annotations

import collections
import datetime as dt
import enum
import gc
import sys
import types
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from itertools import count, islice
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from cxkit.capture.interruption import let_through
from cxkit.capture.redact import ABSENT, HIDDEN, REDACTED, Redactor, bases, encodable, fields, stored, type_name
from cxkit.capture.scan import RELATIVE
from cxkit.model import JSON

__all__ = ["Limits", "Sanitised", "sanitise"]

_EXACT: Final = 2**53
_MAX_MARKS: Final = 32


@attrs.frozen(kw_only=True)
class Limits:
    """How much is kept of the properties of one interaction.

    Args:
        max_depth: Containers within each other, the properties themselves included.
        max_nodes: Values in all.
        max_keys: Keys of one object.
        max_string_bytes: UTF-8 bytes of one text.
        max_text_bytes: UTF-8 bytes of all texts together; keys are not counted.
        max_key_chars: Characters of one key; at least 64, or ValueError is raised.
        max_repr_chars: Characters of a number as text.

    Example:
        >>> Limits(max_depth=3).max_nodes
        2000
    """

    max_depth: int = 8
    max_nodes: int = 2000
    max_keys: int = 128
    max_string_bytes: int = 8192
    max_text_bytes: int = 49_152
    max_key_chars: int = attrs.field(default=256, validator=attrs.validators.ge(64))
    max_repr_chars: int = 256


@attrs.frozen(kw_only=True)
class Sanitised:
    """Properties fit to be encoded, and what was changed on the way.

    Args:
        properties: New containers throughout; nothing of the app's is shared or changed.
        trimmed: Path ("a.b[3]"; the whole is "") to markers, joined by commas. Paths hold names of
            keys, never values. After 32 markers, "..." holds the number of the others.

    Example:
        >>> Sanitised(properties={"a": None}, trimmed={"a": "nan"}).trimmed
        {'a': 'nan'}
    """

    properties: dict[str, JSON]
    trimmed: dict[str, str]


def sanitise(properties: object, *, redactor: Redactor, limits: Limits = Limits()) -> Sanitised:
    """Turn properties into JSON that encodes, decodes to itself, and passes here again unchanged.

    Never raises. Of what is no object, no properties are left.

    Example:
        >>> bag = {"price": Decimal("24.90"), "rate": float("nan"), "pwd": "x"}
        >>> found = sanitise(bag, redactor=Redactor())
        >>> found.properties
        {'price': '24.90', 'rate': None, 'pwd': '[redacted]'}
        >>> found.trimmed
        {'rate': 'nan', 'pwd': 'redacted'}
    """
    return _Walk(redactor, limits, limits.max_nodes, limits.max_text_bytes).run(properties)


# Values without parts: type -> (JSON, marker).
_Leaf: TypeAlias = Callable[[Any], tuple[JSON, str | None]]


def _int(value: int) -> tuple[JSON, str | None]:
    number = int.__index__(value)
    if -_EXACT <= number <= _EXACT:
        return number, None
    digits = int(number.bit_length() * 0.30103) + 1  # str() takes long for many, or refuses
    return (str(number), "bigint") if digits < 600 else (None, f"huge:{digits}")


def _float(value: float) -> tuple[JSON, str | None]:
    number = float.__float__(value)
    return (number, None) if number - number == 0.0 else (None, repr(number))


def _decimal(value: Decimal) -> tuple[JSON, str | None]:
    if Decimal.is_finite(value):
        return Decimal.__str__(value), None
    return None, "nan" if Decimal.is_nan(value) else "-inf" if Decimal.is_signed(value) else "inf"


def _datetime(value: dt.datetime) -> tuple[JSON, str | None]:
    bare = dt.datetime.combine(dt.datetime.date(value), dt.datetime.time(value))
    try:
        offset, marker = dt.datetime.utcoffset(value), "naive"
    except Exception as error:  # noqa: BLE001 - a time zone is the app's code
        let_through(error)
        offset, marker = None, "timezone"
    if offset is None:
        return f"{bare.isoformat()}Z", marker
    text = bare.replace(tzinfo=dt.timezone(offset)).isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text, None


_LEAVES: Final[dict[type, _Leaf]] = {
    types.NoneType: lambda value: (None, None),
    bool: lambda value: (value, None),
    int: _int,
    float: _float,
    str: lambda value: (str.__str__(value), None),
    Decimal: _decimal,
    Fraction: lambda value: ("/".join(int.__repr__(stored(value, x)) for x in Fraction.__slots__), None),
    complex: lambda value: (complex.__repr__(value), None),
    uuid.UUID: lambda value: (str(uuid.UUID(int=stored(value, "int"))), None),
    dt.datetime: _datetime,
    dt.date: lambda value: (dt.date.isoformat(value), None),
    dt.time: lambda value: (dt.time.isoformat(value), None),
    dt.timedelta: lambda value: (msgspec.to_builtins(dt.timedelta.__pos__(value)), None),
}

# Values with parts: type -> (number of parts, the first of them).
_Parts: TypeAlias = tuple[int, list[Any]]
_Opener: TypeAlias = Callable[[Any, int], _Parts]
_RANKS: Final = {id(bool): 1, id(int): 1, id(float): 1, id(str): 2}


def _items(value: Any, limit: int) -> _Parts:
    return dict.__len__(value), list(islice(dict.items(value), limit))


def _chained(value: Any, limit: int) -> _Parts:
    merged: dict[Any, Any] = {}
    for mapping in reversed(_members(list)(stored(value, "maps"), limit)[1]):
        merged.update(_items(mapping, limit)[1])
    return _items(merged, limit)


def _length(size: Callable[[Any], int]) -> _Opener:
    return lambda value, limit: (1, [("$bytes", size(value))][:limit])


def _members(base: Any, arrange: Callable[[Iterable[Any]], list[Any]] = list) -> _Opener:
    return lambda value, limit: (base.__len__(value), arrange(islice(base.__iter__(value), limit)))


def _in_order(members: Iterable[Any]) -> list[Any]:
    ranked = [(_RANKS.get(id(type(member))), member) for member in members]
    if all(rank for rank, _ in ranked):
        ranked.sort()
    return [member for _, member in ranked]


_OPENERS: Final[dict[type, tuple[_Opener, type]]] = {
    dict: (_items, dict),
    collections.ChainMap: (_chained, dict),
    collections.UserDict: (lambda value, limit: _items(stored(value, "data"), limit), dict),
    types.MappingProxyType: (lambda value, limit: _items(gc.get_referents(value)[0], limit), dict),
    bytes: (_length(bytes.__len__), dict),
    bytearray: (_length(bytearray.__len__), dict),
    memoryview: (_length(lambda value: int(value.nbytes)), dict),
    **{base: (_members(base), list) for base in (list, tuple, collections.deque, range)},
    **{base: (_members(base, _in_order), list) for base in (set, frozenset)},
}
# By identity, for a metaclass that defines __hash__ or __eq__ would be asked.
_BASES: Final = frozenset(map(id, (*_LEAVES, *_OPENERS, enum.Enum)))


def _resolved(value: Any) -> tuple[Any, type | None]:
    """The value, or what it stands for, and the base in the tables above."""
    base = _base(value)
    if base is enum.Enum:
        value = stored(value, "_value_")
        return value, _base(value)
    if base is None and (scalar := stored(sys.modules.get("numpy"), "generic")) is not ABSENT:
        value = scalar.item(value) if any(known is scalar for known in bases(value)) else value
        return value, _base(value)
    return value, base


def _base(value: object) -> type | None:
    return next((base for base in bases(value) if id(base) in _BASES), None)


@attrs.define(eq=False)
class _Place:
    """A container in the walk: what it was made of, and where it stands."""

    source: object
    outer: _Place | None
    path: str
    depth: int

    def path_to(self, step: str | int) -> str:
        return f"{self.path}[{step}]" if type(step) is int else f"{self.path}.{step}"


_TOP: Final = _Place(ABSENT, None, "", 0)
_At: TypeAlias = tuple[_Place, str | int]  # a container, and a key or an index in it


@attrs.define(eq=False)
class _Walk:
    """One walk. Containers wait in line with the parts to fill them with."""

    redactor: Redactor
    limits: Limits
    nodes_left: int
    text_left: int
    waiting: collections.deque[tuple[Any, list[Any], _Place]] = attrs.Factory(collections.deque)
    trimmed: dict[str, str] = attrs.Factory(dict)
    marks: int = 0

    def run(self, root: object) -> Sanitised:
        properties = self.convert(root, (_TOP, "$"))
        if type(properties) is not dict:
            return Sanitised(properties={}, trimmed={"": f"type:{type_name(root)}"})
        while self.waiting:
            target, parts, place = self.waiting.popleft()
            if type(target) is dict:
                self.fill(target, parts, place)
            else:
                target.extend(self.convert(part, (place, index)) for index, part in enumerate(parts))
        if self.marks > _MAX_MARKS:
            self.trimmed["..."] = str(self.marks - _MAX_MARKS)
        return Sanitised(properties=properties, trimmed=self.trimmed)

    def fill(self, target: dict[str, JSON], parts: list[tuple[Any, Any]], place: _Place) -> None:
        clean = self.redactor.clean
        for name, value in parts:
            key, secret = name, value is HIDDEN
            if type(name) is not str or name not in clean or name in target:
                key, named = self.key(name, target, place)
                secret = secret or named
            if secret and value is not None:
                already = type(value) is str and value == REDACTED
                target[key] = self.keep((place, key), REDACTED, None if already else "redacted")
            else:
                target[key] = self.convert(value, (place, key))

    def key(self, name: object, taken: dict[str, JSON], place: _Place) -> tuple[str, bool]:
        """The key as text that is not taken, and whether it hides its value."""
        whole = name if type(name) is str else _key_text(name)
        most = self.limits.max_key_chars
        key = encodable(whole[:most])
        if key in taken:
            key = next(text for text in (f"{key[: most - 6]}~{n}" for n in count(2)) if text not in taken)
        if key != whole:
            self.mark((place, key), "key")
        return key, self.redactor.is_secret(key) or (key != whole and self.redactor.is_secret(whole))

    def convert(self, value: Any, at: _At) -> JSON:
        kind = type(value)
        if kind is str:
            return self.text(value, at)
        if kind is bool or value is None or ((kind is int or kind is float) and -_EXACT <= value <= _EXACT):
            return value  # type: ignore[no-any-return]
        for _ in range(2):  # again, in case another thread was just changing it
            try:
                return self.by_base(*_resolved(value), at)
            except Exception as error:  # noqa: BLE001 - what cannot be read stands for itself
                let_through(error)
        return self.stand_in(f"unreadable:{type_name(value)}", at)

    def by_base(self, value: Any, base: type | None, at: _At) -> JSON:
        if base is str:
            return self.text(str.__str__(value), at)
        if base in _LEAVES:
            leaf, marker = _LEAVES[base](value)
            if type(leaf) is str and len(leaf) > self.limits.max_repr_chars:
                return self.keep(at, None, f"huge:{len(leaf)}")
            return self.keep(at, leaf, marker)
        if base in _OPENERS:
            opener, make = _OPENERS[base]
            return self.open(value, opener, make(), at)
        declared = fields(value)
        if declared is not None:
            return self.open(value, lambda _, limit: (len(declared), declared[:limit]), {}, at)
        return self.stand_in(f"type:{type_name(value)}", at)

    def open(self, value: object, opener: _Opener, target: Any, at: _At) -> JSON:
        """Put a container in line, with as many parts as there is room for."""
        place: _Place | None = at[0]
        while place:
            if place.source is value:
                return self.stand_in("cycle", at)
            place = place.outer
        depth = at[0].depth + 1
        if depth > self.limits.max_depth:
            return self.stand_in("depth", at)
        room = min(self.nodes_left, self.limits.max_keys) if type(target) is dict else self.nodes_left
        size, parts = opener(value, room)
        self.nodes_left -= len(parts)
        if size > len(parts):
            self.mark(at, f"cut:{size}")
        self.waiting.append((target, parts, _Place(value, at[0], at[0].path_to(at[1]), depth)))
        return target  # type: ignore[no-any-return]

    def text(self, value: str, at: _At) -> JSON:
        room = min(self.limits.max_string_bytes, self.text_left)
        if len(value) <= room and value.isascii() and "://" not in value[:8] and not value.startswith(RELATIVE):
            self.text_left -= len(value)
            return value
        text, markers = self.redactor.fit(value, room)
        return self.keep(at, text, *markers)

    def stand_in(self, marker: str, at: _At) -> JSON:
        return self.keep(at, f"${marker}", marker)

    def keep(self, at: _At, leaf: JSON, *markers: str | None) -> JSON:
        """A value without parts; null if it is a text that does not fit any more."""
        size = len(leaf.encode()) if type(leaf) is str else 0
        fits = size <= min(self.text_left, self.limits.max_string_bytes)
        self.text_left -= size if fits else 0
        self.mark(at, *markers, None if fits else "cut")
        return leaf if fits else None

    def mark(self, at: _At, *markers: str | None) -> None:
        for marker in filter(None, markers):
            self.marks += 1
            if self.marks <= _MAX_MARKS:
                path = at[0].path_to(at[1])[len(".$.") :][: self.limits.max_key_chars]
                self.trimmed[path] = f"{self.trimmed[path]},{marker}" if path in self.trimmed else marker


def _key_text(key: Any) -> str:
    try:
        key, base = _resolved(key)
        if base is bytes:  # as in headers; read, so that it can hide its value
            return bytes.decode(key, "utf-8", "replace")
        text = _LEAVES[base](key)[0] if base in _LEAVES else f"$type:{type_name(key)}"
    except Exception as error:  # noqa: BLE001 - the app is not to hear of its broken objects from us
        let_through(error)
        text = f"$unreadable:{type_name(key)}"
    return text if type(text) is str else msgspec.json.encode(text).decode()
