"""How a value that is there is compared with one that a condition wants.

Types are kept apart, 1 and 1.0 alone are one number: True is not 1, and 1 is not "1". Only what orders values (``$lt``
and its like) turns a text into a number, and nothing into 0, as JavaScript does: the public cases of GrowthBook's
specification ask for it.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

__all__ = ["ORDERS", "Test", "among", "as_text", "equal_to", "kind_of", "ordering", "version_ordering"]

Test = Callable[[object], bool]

ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge, "eq": operator.eq, "ne": operator.ne,
}  # fmt: skip
_SCALARS: Final = {"string": str, "number": int, "boolean": bool, "null": type(None)}
_MOST: Final = 10**308
"""Beyond it nothing is a number in JavaScript."""
_LONGEST: Final = 512
"""In characters: a longer text is no number, and of a version no more is looked at."""
_NUMERAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BLANKS: Final = " \t\n\v\f\r\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def kind_of(value: object) -> str:
    """The name of its type in JSON.

    Example:
        >>> kind_of(True), kind_of(1.0), kind_of(None), kind_of([])
        ('boolean', 'number', 'null', 'array')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (list, tuple)):
        return "array"
    return "object" if isinstance(value, Mapping) else "unknown"


def equal_to(wanted: object) -> Test:
    """Whether a value is this one, of the same type, in and out.

    Example:
        >>> equal_to(1)(1.0), equal_to(1)(True), equal_to(["a"])(["a"])
        (True, False, True)
    """
    if wanted is None or isinstance(wanted, bool):
        return lambda found: found is wanted
    if isinstance(wanted, str):
        return lambda found: isinstance(found, str) and found == wanted
    if isinstance(wanted, (int, float)):
        return lambda found: (type(found) is int or type(found) is float) and found == wanted
    if isinstance(wanted, Mapping):
        return _equal_object({key: equal_to(value) for key, value in wanted.items()})
    return _equal_list([equal_to(one) for one in wanted] if isinstance(wanted, (list, tuple)) else [])


def _equal_object(tests: Mapping[object, Test]) -> Test:
    def test(found: object) -> bool:
        return (
            isinstance(found, Mapping)
            and len(found) == len(tests)
            and all(key in found and same(found[key]) for key, same in tests.items())
        )

    return test


def _equal_list(tests: list[Test]) -> Test:
    def test(found: object) -> bool:
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(tests)
            and all(same(one) for same, one in zip(tests, found, strict=True))
        )

    return test


def among(values: Iterable[object], *, insensitive: bool = False) -> Test:
    """Whether a value, or one of a list, is one of these scalars.

    Example:
        >>> among(["FR", 1])("FR"), among(["FR", 1])(["DE", 1]), among([1])(True)
        (True, True, False)
    """
    table: dict[type, set[object]] = {}
    for value in values:
        if kind := _SCALARS.get(kind_of(value)):
            table.setdefault(kind, set()).add(_lower(value) if insensitive else value)
    if int in table:
        table[float] = table[int]

    def test(found: object) -> bool:
        kind = type(found)
        if kind in table:
            return found in table[kind]
        return isinstance(found, (list, tuple)) and any(one in table.get(type(one), ()) for one in found)

    if not insensitive:
        return test
    return lambda found: test([_lower(one) for one in found] if isinstance(found, (list, tuple)) else _lower(found))


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def ordering(order: Callable[[Any, Any], bool], wanted: str | float) -> Test:
    """Whether a value comes before or after this one: two texts as texts, whatever else as numbers.

    Example:
        >>> ordering(operator.gt, 5)("8"), ordering(operator.gt, -10)(None), ordering(operator.lt, "b")("abc")
        (True, True, True)
    """
    text = wanted if isinstance(wanted, str) else None
    number = _number(wanted) if isinstance(wanted, str) else wanted

    def test(found: object) -> bool:
        if isinstance(found, str):
            return order(_number(found), number) if text is None else _in_order(order, found, text)
        return order(found, number) if isinstance(found, (int, float)) else found is None and order(0, number)

    return test


def version_ordering(order: Callable[[Any, Any], bool], wanted: str | float) -> Test:
    """Whether a version comes before or after this one. Builds (``+...``) do not count.

    Example:
        >>> version_ordering(operator.gt, "1.9.0")("v1.10.0"), version_ordering(operator.lt, "1.0.0")("1.0.0-beta")
        (True, True)
    """
    key = _version_key(wanted)
    return lambda found: _in_order(order, _version_key(found), key)


def as_text(value: object) -> str | None:
    """A text, or a number as JavaScript writes it; None of anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > _MOST:
        return None
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e21
    return str(int(value)) if whole else str(value)


def _version_key(value: object) -> str:
    text = (as_text(value) or "0")[:_LONGEST].removeprefix("v").partition("+")[0]
    parts = re.split(r"[-.]", text)
    if len(parts) == 3:
        parts.append("~")  # comes after any letter: 1.0.0 after 1.0.0-beta
    return "-".join(part.rjust(5) if part.isascii() and part.isdigit() else part for part in parts)


def _in_order(order: Callable[[Any, Any], bool], one: str, other: str) -> bool:
    """Of two texts, by their UTF-16 code units."""
    if one.isascii() and other.isascii():
        return order(one, other)
    return order(one.encode("utf-16-be", "surrogatepass"), other.encode("utf-16-be", "surrogatepass"))


def _number(text: str) -> float:
    if len(text) > _LONGEST:
        return math.nan
    bare = text.strip(_BLANKS)
    if _NUMERAL.fullmatch(bare):
        return float(bare)
    return (
        0.0 if not bare else {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}.get(bare, math.nan)
    )
