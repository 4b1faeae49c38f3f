"""Values that are not shown: secrets, and tables that may hold some."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NoReturn

__all__ = ["RawTable", "Secret", "Text", "raw"]

_MASK: Final = "********"


class _Sealed:
    __slots__ = ()

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: it would be in clear")


class Secret(_Sealed):
    """Holds a text that must not be shown; it is no ``str``, so nothing shows it by accident.

    It compares in constant time, and is neither hashed nor pickled.

    Example:
        >>> token = Secret("hunter2")
        >>> f"{token}", token == Secret("hunter2"), token.reveal()
        ('********', True, 'hunter2')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(*(one._text.encode("utf-8", "surrogatepass") for one in (self, other)))


class RawTable(_Sealed, Mapping[str, object]):
    """A table before its owner's class gave it types: read-only, and only its keys are shown.

    Example:
        >>> RawTable({"token": "hunter2"})
        RawTable(token=********)
    """

    __slots__ = ("_values", "also", "origins")

    def __init__(
        self,
        values: Mapping[str, object] | None = None,
        *,
        origins: Mapping[str, str] | None = None,
        also: Collection[str] = (),
    ) -> None:
        self._values = dict(values or {})
        self.origins: Mapping[str, str] = origins or {}
        """Dotted setting to where it came from."""
        self.also = also
        """Keys that are known here but were taken by another class."""

    def __getitem__(self, key: str) -> object:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"RawTable({', '.join(f'{key}={_MASK}' for key in self)})"


def raw(table: Mapping[str, object]) -> RawTable:
    """The table as a raw one; itself, if it is."""
    return table if isinstance(table, RawTable) else RawTable(table)


class Text(str):
    """Text out of the environment; unlike text in a file it may stand for a number or a list."""

    __slots__ = ()
