"""JSON of somebody else: nothing in it is taken for what it should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

__all__ = ["Told", "decoded", "send_id"]

_ID: Final = re.compile(r"[!-~]{1,256}")
_SEND: Final = re.compile(r"[0-9a-f]{32}")
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999, after which there are no dates
_WIDEST: Final = 2**63  # numbers of thousands of digits are not worth their text
_MOST_FIELDS: Final = 32
_KEY_CHARS: Final = 64
_VALUE_CHARS: Final = 512


def decoded(body: bytes) -> object | None:
    """The JSON of a body; None where it is none, is nested too deep, or is nothing but ``null``.

    Of two equal keys the last counts.
    """
    try:
        said: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return said


def send_id(text: str | None) -> str | None:
    """The text, if it is one of our sends' ids.

    Example:
        >>> send_id("0f" * 16), send_id("0F" * 16), send_id("nancy")
        ('0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f', None, None)
    """
    return text if text is not None and _SEND.fullmatch(text) else None


class Told:
    """An object of JSON: each field is asked for with its type, and is None, or empty, where it is not of it.

    Example:
        >>> told = Told({"at": 1, "who": {"name": "Nancy"}})
        >>> told.text("at"), told.table("who").text("name"), told.table("at").text("name")
        (None, 'Nancy', None)
    """

    __slots__ = ("_fields",)

    def __init__(self, value: object) -> None:
        self._fields: Mapping[str, object] = value if isinstance(value, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._fields)

    def names(self) -> tuple[str, ...]:
        """Of its fields, the first 32 that are no longer than 64 characters."""
        return tuple(name for name in self._fields if len(name) <= _KEY_CHARS)[:_MOST_FIELDS]

    def text(self, *names: str, most: int = 1_024) -> str | None:
        """The first of them that is text, and not empty; at most so much of it."""
        found = (self._fields.get(name) for name in names)
        return next((one[:most] for one in found if isinstance(one, str) and one), None)

    def id(self, *names: str) -> str | None:
        """The first of them that can be an id: a number, or up to 256 characters that can be seen."""
        for name in names:
            value = self._fields.get(name)
            text = str(value) if type(value) is int and abs(value) < _WIDEST else value
            if isinstance(text, str) and _ID.fullmatch(text):
                return text
        return None

    def flag(self, name: str) -> bool | None:
        """True or false, if it is one of them."""
        value = self._fields.get(name)
        return value if isinstance(value, bool) else None

    def number(self, name: str) -> float | None:
        """A number, or text that is one."""
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return None
        try:
            return float(value[:32] if isinstance(value, str) else value)
        except (ValueError, OverflowError):
            return None

    def table(self, name: str) -> Told:
        """Another object."""
        return Told(self._fields.get(name))

    def tables(self, name: str) -> list[Told]:
        """A list of them; what is none in it is an empty one."""
        value = self._fields.get(name)
        return [Told(one) for one in value] if isinstance(value, list) else []

    def words(self, name: str, *, most: int = _MOST_FIELDS) -> tuple[str, ...]:
        """A list of texts, or the one text: the first so many, each cut at 512 characters."""
        value = self._fields.get(name)
        listed = value if isinstance(value, list) else [value]
        return tuple(one[:_VALUE_CHARS] for one in listed if isinstance(one, str) and one)[:most]

    def instant(self, *names: str) -> datetime | None:
        """A time as RFC 3339 writes it, with its zone; in UTC."""
        text = self.text(*names, most=64)
        try:
            at = datetime.fromisoformat(text or "")
            return None if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def epoch(self, name: str) -> datetime | None:
        """A time in seconds since the epoch, or in milliseconds: no mail of ours is older than 1973."""
        at_s = self.number(name)
        if at_s is None or not at_s >= 0:  # so written, it is true of NaN too
            return None
        at_s = at_s / 1000 if at_s > 100_000_000_000 else at_s
        return datetime.fromtimestamp(at_s, UTC) if at_s < _LAST_SECOND else None

    def metadata(self, *, without: frozenset[str] = frozenset()) -> dict[str, str]:
        """All fields that are texts, numbers or flags, as texts: the first 32, each cut at 512 characters."""
        kept: dict[str, str] = {}
        for name, value in self._fields.items():
            if len(kept) < _MOST_FIELDS and name not in without and len(name) <= _KEY_CHARS:
                if isinstance(value, bool):
                    kept[name] = "true" if value else "false"
                elif isinstance(value, (str, float)) or (isinstance(value, int) and abs(value) < _WIDEST):
                    kept[name] = str(value)[:_VALUE_CHARS]
        return kept
