"""Structured fields, as far as client hints need them: an item, or a list of items. Malformed ones say nothing.

Source: RFC 9651, section 4.2: where parsing fails, the whole field is ignored.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Bare", "item", "members"]

Bare = str | bool | int | float
"""A string or a token, a boolean, an integer, a decimal."""

MAX_CHARS: Final = 1024
_MOST: Final = 32
_STRING: Final = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_BARE: Final = rf"{_STRING}|\?[01]|-?[0-9]{{1,12}}\.[0-9]{{1,3}}|-?[0-9]{{1,15}}|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*"
_NAME: Final = r"[a-z*][a-z0-9_.*-]*"
_ITEM: Final = re.compile(rf"({_BARE})((?:;[ ]*{_NAME}(?:=(?:{_BARE}))?)*)")
_PARAMETER: Final = re.compile(rf";[ ]*({_NAME})(?:=({_BARE}))?")
_BETWEEN: Final = re.compile(r"[ \t]*,[ \t]*")
_ESCAPED: Final = re.compile(r"\\(.)")


def item(text: str) -> Bare | None:
    """What a field of one item holds, less its parameters; None where it is malformed.

    Example:
        >>> item("?1"), item('"Windows"'), item("1280"), item("on"), item("?2")
        (True, 'Windows', 1280, 'on', None)
    """
    if len(text) > MAX_CHARS:
        return None
    found = _ITEM.fullmatch(text.strip(" "))
    return None if found is None else _value(found[1])


def members(text: str) -> tuple[tuple[Bare, dict[str, Bare]], ...]:
    """The items of a list, each with its parameters; nothing where any of it is malformed.

    Example:
        >>> members('"Chromium";v="130", "Not?A_Brand";v="99"')[0]
        ('Chromium', {'v': '130'})
        >>> members('"Chromium";v="130", "Not?A_Brand')
        ()
    """
    if len(text) > MAX_CHARS:
        return ()
    text, at = text.strip(" "), 0
    found: list[tuple[Bare, dict[str, Bare]]] = []
    while len(found) < _MOST:
        one = _ITEM.match(text, at)
        if one is None:
            return ()
        found.append((_value(one[1]), _parameters(one[2])))
        at = one.end()
        if at == len(text):
            return tuple(found)
        comma = _BETWEEN.match(text, at)
        if comma is None:
            return ()
        at = comma.end()
    return ()


def _parameters(text: str) -> dict[str, Bare]:
    return {one[1]: True if one[2] is None else _value(one[2]) for one in _PARAMETER.finditer(text)}


def _value(text: str) -> Bare:
    if text[0] == '"':
        return _ESCAPED.sub(r"\1", text[1:-1])
    if text[0] == "?":
        return text == "?1"
    if text[0] in "-0123456789":
        return float(text) if "." in text else int(text)
    return text
