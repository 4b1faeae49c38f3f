"""Conditions: whom a variant or an experiment is for, read once and then asked many times.

A condition is a mapping of dotted names of attributes to what their values must be: a value, or operators; and of
``$and``, ``$or``, ``$nor``, ``$not`` to further conditions. All of it must hold; an attribute that is not there is
null.

Source: GrowthBook SDK specification 0.8.0, ``evalCondition``. Stricter than there: a value alone is equal to one of
its own type only, and what the specification would let match nobody (an operator it does not know, an operand of the
wrong type, a pattern that is none) is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from cxkit.errors import DeclarationError, nearest
from cxkit.model import JSON
from cxkit.rules.experience.comparing import (
    ORDERS,
    Test,
    among,
    as_text,
    equal_to,
    kind_of,
    ordering,
    version_ordering,
)
from cxkit.rules.experience.patterns import WrongPattern, searching

__all__ = ["Condition", "Groups", "compile_condition"]

Groups = Mapping[str, Sequence[JSON]]
"""Saved groups: the values that each has."""

_Holds = Callable[[Mapping[str, Any]], bool]
_DEEPEST: Final = 24
_KINDS: Final = ("string", "number", "boolean", "object", "array", "null")
_LEGACY: Final = "$groups"
"""The one attribute that begins with a $, in old payloads of GrowthBook."""


class Condition:
    """What `compile_condition` made of a condition.

    Called with attributes it says whether they fulfil it; `missed` says why not.
    """

    __slots__ = ("_clauses", "reads")

    def __init__(self, clauses: Sequence[tuple[str, _Holds]], reads: frozenset[str]) -> None:
        self._clauses = tuple(clauses)
        self.reads = reads
        """The dotted names of attributes that it may look at."""

    def __call__(self, attributes: Mapping[str, Any]) -> bool:
        return self.missed(attributes) is None

    def missed(self, attributes: Mapping[str, Any]) -> str | None:
        """The first name or operator whose part is not fulfilled; None if all are."""
        for key, holds in self._clauses:
            if not holds(attributes):
                return key
        return None


def compile_condition(condition: Mapping[str, JSON], *, groups: Groups | None = None, where: str) -> Condition:
    """The condition as something to ask: never raises then, and looks at no more attributes than it needs.

    Args:
        groups: What ``$inGroup`` and ``$notInGroup`` look in; one that is not there is empty. None: there are none
            here, so that both are refused.
        where: Whose it is, for the message: ``experience "home.hero", variant "gold"``.

    Raises:
        DeclarationError: It is none; names the place and what to write there.

    Example:
        >>> gold = compile_condition({"country": {"$in": ["FR", "BE"]}, "traits.plan": "gold"}, where="here")
        >>> gold({"country": "BE", "traits": {"plan": "gold"}}), gold.missed({"country": "BE"})
        (True, 'traits.plan')
    """
    compiling = _Compiling(groups, where)
    clauses = compiling.clauses(condition, ())
    return Condition(clauses, frozenset(compiling.reads))


class _Compiling:
    """One condition on its way to closures."""

    def __init__(self, groups: Groups | None, where: str) -> None:
        self._groups, self._where = groups, where
        self.reads = set[str]()

    def clauses(self, condition: object, path: tuple[str, ...]) -> list[tuple[str, _Holds]]:
        """Its parts by name: all must hold."""
        if not isinstance(condition, Mapping):
            raise self._wrong(path, f"is {_a(condition)}, not a condition", 'write {"country": "FR"}')
        self._not_too_deep(path)
        return [(key, self._clause(key, value, (*path, str(key)))) for key, value in condition.items()]

    def _clause(self, key: object, value: object, path: tuple[str, ...]) -> _Holds:
        if not isinstance(key, str) or not all(key.split(".")):
            raise self._wrong(path, "names no attribute", 'write dotted names, e.g. "traits.plan"')
        if key == "$not":
            inner = self._all_of(value, path)
            return lambda attributes: not inner(attributes)
        if key in ("$and", "$or", "$nor"):
            several = [
                self._all_of(one, (*path, str(place)))
                for place, one in enumerate(self._list(value, path, 'conditions, e.g. [{"country": "FR"}]'))
            ]
            return _JOINED[key](several)
        if key.startswith("$") and key.partition(".")[0] != _LEGACY:
            known = "$and, $or, $nor and $not"
            fix = f'write {{"country": {{"{key}": ...}}}}' if key in _OPERATORS else f"here are known: {known}"
            raise self._wrong(path, "is no operator that stands before an attribute", fix, code="CX3041")
        test = self._value(value, path)
        first, *rest = key.split(".")
        self.reads.add(key)
        return _reading(first, rest, test)

    def _all_of(self, condition: object, path: tuple[str, ...]) -> _Holds:
        parts = [holds for _, holds in self.clauses(condition, path)]
        if len(parts) == 1:
            return parts[0]
        return lambda attributes: all(holds(attributes) for holds in parts)

    def _value(self, condition: object, path: tuple[str, ...]) -> Test:
        """What a value must be: another value, or all of some operators."""
        self._not_too_deep(path)
        operators = isinstance(condition, Mapping) and [str(key).startswith("$") for key in condition]
        if not operators or not any(operators):
            self._check_json(condition, path)
            return equal_to(condition)
        assert isinstance(condition, Mapping)
        if not all(operators):
            raise self._wrong(path, "has operators beside names", "take apart what is compared, e.g. by dotted names")
        tests = [self._operator(name, operand, (*path, name)) for name, operand in condition.items()]
        if len(tests) == 1:
            return tests[0]
        return lambda found: all(test(found) for test in tests)

    def _operator(self, name: str, operand: object, path: tuple[str, ...]) -> Test:
        make = _OPERATORS.get(name)
        if make is None:
            fix = nearest(name, _OPERATORS)
            raise self._wrong(path, "is no operator that is known", fix, code="CX3041")
        return make(self, operand, path)

    # --- operators: each takes what stands behind it, and where ---

    def _equal(self, operand: object, path: tuple[str, ...]) -> Test:
        self._check_json(operand, path)
        return equal_to(operand)

    def _ordered(self, operand: object, path: tuple[str, ...]) -> Test:
        if kind_of(operand) not in ("number", "string"):
            raise self._operand(path, operand, "a number or a text")
        name = path[-1].lstrip("$")
        if name.startswith("v"):
            return version_ordering(ORDERS[name[1:]], cast("str | float", operand))
        return ordering(ORDERS[name], cast("str | float", operand))

    def _among(self, operand: object, path: tuple[str, ...]) -> Test:
        values = self._list(operand, path, 'values, e.g. ["FR", "BE"]')
        for place, one in enumerate(values):
            if kind_of(one) in ("object", "array", "unknown"):
                raise self._operand((*path, str(place)), one, "a text, a number, true, false or null")
        return among(values, insensitive=path[-1].endswith("i"))

    def _in_group(self, operand: object, path: tuple[str, ...]) -> Test:
        if not isinstance(operand, str):
            raise self._operand(path, operand, "the name of a group")
        if self._groups is None:
            fix = 'write out who is in it, e.g. {"$in": ["gold", "silver"]}'
            raise self._wrong(path, "asks for a saved group, of which there are none here", fix, code="CX3041")
        return among(self._groups.get(operand, ()))

    def _every(self, operand: object, path: tuple[str, ...]) -> Test:
        wanted = [
            self._each(one, (*path, str(place)), insensitive=path[-1] == "$alli")
            for place, one in enumerate(self._list(operand, path, 'values, e.g. ["new", "sale"]'))
        ]
        return lambda found: (
            isinstance(found, (list, tuple)) and all(any(test(one) for one in found) for test in wanted)
        )

    def _each(self, wanted: object, path: tuple[str, ...], *, insensitive: bool) -> Test:
        if insensitive and isinstance(wanted, str):
            return among([wanted], insensitive=True)
        return self._value(wanted, path)

    def _element(self, operand: object, path: tuple[str, ...]) -> Test:
        if not isinstance(operand, Mapping):
            raise self._operand(path, operand, 'a condition, e.g. {"$gt": 10}')
        if operand and all(str(key).startswith("$") and key in _OPERATORS for key in operand):
            test = self._value(operand, path)
        else:
            reads = set(self.reads)
            fits = self._all_of(operand, path)
            self.reads = reads  # what it reads are the element's
            test = lambda one: fits(one if isinstance(one, Mapping) else {})  # noqa: E731 - as the other branch
        return lambda found: isinstance(found, (list, tuple)) and any(one is not None and test(one) for one in found)

    def _size(self, operand: object, path: tuple[str, ...]) -> Test:
        if kind_of(operand) not in ("number", "object"):
            raise self._operand(path, operand, 'a number, or an operator, e.g. {"$gt": 2}')
        test = self._value(operand, path)
        return lambda found: isinstance(found, (list, tuple)) and test(len(found))

    def _exists(self, operand: object, path: tuple[str, ...]) -> Test:
        if not isinstance(operand, bool):
            raise self._operand(path, operand, "true or false")
        return lambda found: (found is not None) is operand

    def _type(self, operand: object, path: tuple[str, ...]) -> Test:
        if operand not in _KINDS:
            raise self._operand(path, operand, f"one of {', '.join(_KINDS)}")
        return lambda found: kind_of(found) == operand

    def _regex(self, operand: object, path: tuple[str, ...]) -> Test:
        if not isinstance(operand, str):
            raise self._operand(path, operand, "a regular expression")
        try:
            has = searching(operand, insensitive=path[-1].endswith("i"))
        except WrongPattern as error:
            fix = "write a simpler one, or join several by $and or $or"
            raise self._wrong(path, f"is a regular expression that {error}", fix, code="CX3043") from None
        return lambda found: (text := as_text(found)) is not None and has(text)

    # --- what is refused ---

    def _list(self, value: object, path: tuple[str, ...], of: str) -> Sequence[object]:
        if not isinstance(value, (list, tuple)):
            raise self._operand(path, value, f"a list of {of}")
        return value

    def _check_json(self, value: object, path: tuple[str, ...]) -> None:
        """Refuse what no attribute can be: a date of TOML, say."""
        self._not_too_deep(path)
        kind = kind_of(value)
        if kind == "unknown" or (isinstance(value, float) and not math.isfinite(value)):
            raise self._operand(path, value, "a text, a number, true, false, null, a list or an object")
        if isinstance(value, Mapping):
            for key, one in value.items():
                self._check_json(one, (*path, str(key)))
        elif isinstance(value, (list, tuple)):
            for place, one in enumerate(value):
                self._check_json(one, (*path, str(place)))

    def _not_too_deep(self, path: tuple[str, ...]) -> None:
        if len(path) > _DEEPEST:
            raise self._wrong(path[:4], "is nested too deep", f"nest at most {_DEEPEST} deep", code="CX3044")

    def _operand(self, path: tuple[str, ...], operand: object, wanted: str) -> DeclarationError:
        return self._wrong(path, f"has {_a(operand)}", f"give {wanted}", code="CX3042")

    def _wrong(self, path: tuple[str, ...], what: str, fix: str, *, code: str = "CX3040") -> DeclarationError:
        at = ".".join(path)[:200] or "the condition"
        return DeclarationError(f"{self._where}: {at} {what}", fix=fix, code=code)


def _a(value: object) -> str:
    kind = kind_of(value)
    return {"null": "null", "unknown": f"a {type(value).__name__}", "array": "an array", "object": "an object"}.get(
        kind, f"a {kind}"
    )


def _reading(first: str, rest: Sequence[str], test: Test) -> _Holds:
    if not rest:
        return lambda attributes: test(attributes.get(first))

    def holds(attributes: Mapping[str, Any]) -> bool:
        found = attributes.get(first)
        for name in rest:
            if type(found) is not dict and not isinstance(found, Mapping):
                return test(None)
            found = found.get(name)
        return test(found)

    return holds


def _and(several: Sequence[_Holds]) -> _Holds:
    return lambda attributes: all(holds(attributes) for holds in several)


def _or(several: Sequence[_Holds]) -> _Holds:
    """Of none: true, as in the specification."""
    return lambda attributes: not several or any(holds(attributes) for holds in several)


def _nor(several: Sequence[_Holds]) -> _Holds:
    either = _or(several)
    return lambda attributes: not either(attributes)


def _negated(make: Callable[[_Compiling, object, tuple[str, ...]], Test]) -> Callable[..., Test]:
    def made(compiling: _Compiling, operand: object, path: tuple[str, ...]) -> Test:
        test = make(compiling, operand, path)
        return lambda found: not test(found)

    return made


_JOINED: Final = {"$and": _and, "$or": _or, "$nor": _nor}
# Those that have no name of their own here are kept apart by the last part of the path.
_OPERATORS: Final[Mapping[str, Callable[[_Compiling, Any, tuple[str, ...]], Test]]] = {
    "$eq": _Compiling._equal,
    "$ne": _negated(_Compiling._equal),
    **dict.fromkeys(["$lt", "$lte", "$gt", "$gte"], _Compiling._ordered),
    **dict.fromkeys(["$veq", "$vne", "$vlt", "$vlte", "$vgt", "$vgte"], _Compiling._ordered),
    **dict.fromkeys(["$in", "$ini"], _Compiling._among),
    **dict.fromkeys(["$nin", "$nini"], _negated(_Compiling._among)),
    "$inGroup": _Compiling._in_group,
    "$notInGroup": _negated(_Compiling._in_group),
    **dict.fromkeys(["$all", "$alli"], _Compiling._every),
    "$elemMatch": _Compiling._element,
    "$size": _Compiling._size,
    "$exists": _Compiling._exists,
    "$type": _Compiling._type,
    **dict.fromkeys(["$regex", "$regexi"], _Compiling._regex),
    **dict.fromkeys(["$notRegex", "$notRegexi"], _negated(_Compiling._regex)),
    "$not": _negated(_Compiling._value),
}
