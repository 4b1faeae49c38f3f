"""Values of a class out of JSON, on any thread.

msgspec learns what a class is made of when it first meets it. A second thread that meets the class meanwhile
finds it half learnt, and the process crashes (seen with 0.22, under 3.11 and 3.13). So whatever reads values
of a class is made when its module is imported, which one thread does: a `converter`, or a ``msgspec.json.Decoder``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

__all__ = ["converter"]

T = TypeVar("T")


def converter(kind: type[T]) -> Callable[[object], T]:
    """What makes a value of a class out of plain JSON. To be made at import.

    The converter raises `msgspec.ValidationError` where the JSON does not fit the class.
    """
    msgspec.json.Decoder(kind)

    def convert(plain: object) -> T:
        return msgspec.convert(plain, kind)

    return convert
