"""What a payload says of whom, and of what, in the words of a table: TOML has no null, and groups are written out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cxkit.cli.language import say
from cxkit.errors import DeclarationError
from cxkit.rules.experience import compile_condition

__all__ = ["LeftOut", "condition_of", "key_of", "names_in", "parent_condition_of", "value_of"]

_KEY: Final = re.compile(r"[\w.:/-]{1,100}", re.ASCII)
_JOINING: Final = ("$and", "$or", "$nor")


class LeftOut(Exception):  # noqa: N818 - it is caught for each rule, and becomes a note
    """Why something has no counterpart."""


def condition_of(condition: object, groups: Mapping[str, Any]) -> dict[str, Any]:
    """The same condition without groups and without null.

    Raises:
        LeftOut: It is none, or there is no other way to say it.
    """
    try:
        compile_condition(condition, groups=_lists(groups), where="its condition")  # type: ignore[arg-type]  # a stranger's: judged there
        carried = _carried(condition, groups)
        compile_condition(carried, where="its condition")
    except DeclarationError as error:
        raise LeftOut(error.what) from None
    return carried


def parent_condition_of(condition: object, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Of a prerequisite: its ``value`` is the content here.

    Raises:
        LeftOut: Likewise.
    """
    return _renamed(condition_of(condition, groups))


def names_in(condition: Mapping[str, Any]) -> frozenset[str]:
    """The attributes that a condition names."""
    return frozenset(name.partition(".")[0] for name in compile_condition(condition, where="its condition").reads)


def key_of(text: object) -> str:
    """A seed or a name as it is.

    Raises:
        LeftOut: It cannot be one here; another one would divide people anew.
    """
    if not isinstance(text, str) or not _KEY.fullmatch(text):
        raise LeftOut(say("has a key or a seed that is none here: letters, digits and . : / - alone"))
    return text


def value_of(value: Any) -> Any:
    """A value as TOML can have it.

    Raises:
        LeftOut: There is null in it.
    """
    if value is None:
        raise LeftOut(say("has a value with null in it, which TOML cannot say"))
    if isinstance(value, Mapping):
        return {key: value_of(one) for key, one in value.items()}
    return [value_of(one) for one in value] if isinstance(value, list) else value


def _carried(condition: Any, groups: Mapping[str, Any]) -> dict[str, Any]:
    parts = [_part(key, value, groups) for key, value in condition.items()]
    merged: dict[str, Any] = {}
    for part in parts:
        if merged.keys() & part.keys():  # two of one name, as null has become a condition of its own
            return {"$and": parts}
        merged.update(part)
    return merged


def _part(key: str, value: Any, groups: Mapping[str, Any]) -> dict[str, Any]:
    if key in _JOINING:
        return {key: [_carried(one, groups) for one in value]}
    if key == "$not":
        return {key: _carried(value, groups)}
    if value is None:
        return {key: {"$exists": False}}
    if not _is_operators(value):
        return {key: value_of(value)}
    parts = [_operator(key, name, operand, groups) for name, operand in value.items()]
    if all(part.keys() == {key} for part in parts):
        return {key: {name: operand for part in parts for name, operand in part[key].items()}}
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _operator(key: str, name: str, operand: Any, groups: Mapping[str, Any]) -> dict[str, Any]:
    if name in ("$eq", "$ne") and operand is None:
        return {key: {"$exists": name == "$ne"}}
    if name in ("$inGroup", "$notInGroup"):
        name, operand = {"$inGroup": "$in", "$notInGroup": "$nin"}[name], list(_lists(groups).get(operand, ()))
    if name in ("$in", "$ini", "$nin", "$nini") and None in operand:
        rest = {key: {name: [one for one in operand if one is not None]}}
        if name.startswith("$n"):
            return {"$and": [rest, {key: {"$exists": True}}]}
        return {"$or": [rest, {key: {"$exists": False}}]}
    if name == "$not":
        inner = _part(key, operand, groups)
        return {key: {"$not": inner[key]}} if inner.keys() == {key} else {"$not": inner}
    if name == "$elemMatch" and not _is_operators(operand):
        return {key: {name: _carried(operand, groups)}}
    if name in ("$elemMatch", "$size"):
        return {key: {name: _inside(operand, groups)}}
    if name in ("$all", "$alli"):
        return {key: {name: [_inside(one, groups) for one in operand]}}
    return {key: {name: value_of(operand)}}


def _inside(value: Any, groups: Mapping[str, Any]) -> Any:
    """What an element must be: there is no name there that null could be put to."""
    part = _part("x", value, groups)
    if part.keys() != {"x"}:
        raise LeftOut(say("has null in a list of a condition"))
    return part["x"]


def _is_operators(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(str(key).startswith("$") for key in value)


def _lists(groups: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Saved groups in either form: a list, or a table that has one."""
    found = dict[str, Sequence[Any]]()
    for name, group in groups.items():
        values = group.get("values") if isinstance(group, Mapping) else group
        if isinstance(values, list):
            found[name] = values
    return found


def _renamed(condition: Mapping[str, Any]) -> dict[str, Any]:
    found = dict[str, Any]()
    for key, value in condition.items():
        if key in _JOINING:
            found[key] = [_renamed(one) for one in value]
        elif key == "$not":
            found[key] = _renamed(value)
        else:
            first, dot, rest = key.partition(".")
            found[("content" if first == "value" else first) + dot + rest] = value
    return found
