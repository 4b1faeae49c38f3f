"""Experiences as the file has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["toml_of", "value_of"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TABLES: Final = ("variants", "experiments")
"""Lists that have a table of their own for each."""


def toml_of(experiences: Mapping[str, Mapping[str, Any]]) -> str:
    """``[experiences.NAME]`` for each, as `cxkit.toml` has them.

    Example:
        >>> print(toml_of({"home.hero": {"fallback": {"name": "all"}}}), end="")
        [experiences."home.hero"]
        fallback = { name = "all" }
    """
    return "\n".join("".join(f"{line}\n" for line in _lines(name, table)) for name, table in experiences.items())


def _lines(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    at = f"experiences.{_key(name)}"
    yield f"[{at}]"
    for key, value in table.items():
        if key not in _TABLES:
            yield f"{_key(key)} = {value_of(value)}"
    for key in _TABLES:
        for one in table.get(key, ()):
            yield ""
            yield f"[[{at}.{key}]]"
            for name, value in one.items():
                yield f"{_key(name)} = {value_of(value)}"


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _text(text)


def _text(text: str) -> str:
    # A ${NAME} in the file would be replaced by a variable of the environment.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f").replace("${", "$${")


def value_of(value: Any) -> str:
    """A value, without null, as it stands behind a key."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {value_of(one)}' for key, one in value.items())} }}" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(value_of(one) for one in value)}]"
    return json.dumps(value)
