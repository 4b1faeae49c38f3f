"""What a property may hold: exactly the values of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

__all__ = ["JSON", "Properties"]

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Properties: TypeAlias = Mapping[str, JSON]
