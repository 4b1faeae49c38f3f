"""What a value may be: validators of the settings' fields, each with its fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from cxkit.errors import ConfigurationError, nearest
from cxkit.model import PURPOSES
from cxkit.model.touchpoint import TOUCHPOINT, WORD
from cxkit.settings.sealed import Secret

__all__ = [
    "TEN_YEARS_S",
    "Validator",
    "askable",
    "between",
    "count",
    "id_names",
    "known_purposes",
    "lasting",
    "long_enough",
    "seconds",
    "shaped",
    "time_of_day",
    "touchpoint_names",
    "word",
    "words",
    "zone",
]

TEN_YEARS_S: Final = 315_360_000
_MOST: Final = 2**63 - 1
_ID_FIX: Final = 'write it like { ajs_anonymous_id = "segment_id" }'

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _refused(attribute: attrs.Attribute[Any], what: str, fix: str, code: str = "CX1006") -> ConfigurationError:
    return ConfigurationError(f'"{attribute.name}" {what}', fix=fix, code=code)


def between(low: float, high: int) -> Validator:
    """A number in this range, its ends included."""

    def check(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
        if not low <= value <= high:  # so written, it is true of NaN too
            raise _refused(attribute, "is out of its range", f"give a number from {low} to {high}")

    return check


def shaped(pattern: str, fix: str) -> Validator:
    """Text of this pattern, or texts that all are."""
    shape = re.compile(pattern)

    def check(_: object, attribute: attrs.Attribute[Any], value: str | Iterable[str]) -> None:
        if not all(shape.fullmatch(one) for one in ([value] if isinstance(value, str) else value)):
            raise _refused(attribute, "holds a character or a form that is not allowed", fix)

    return check


def touchpoint_names(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
    """Names of touchpoints."""
    if not all(TOUCHPOINT.fullmatch(one) and len(one) <= 100 for one in value):
        raise _refused(attribute, "names no touchpoint", 'name each like "survey.answered"')


def id_names(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    """Names of cookies or headers, to types of identifiers."""
    for name, type in value.items():
        if not re.fullmatch(r"[A-Za-z0-9_.!~-]{1,64}", name) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", type):
            raise _refused(attribute, "names no cookie or header, or no type of identifier", _ID_FIX)


def long_enough(_: object, attribute: attrs.Attribute[Any], value: Secret | Iterable[Secret] | None) -> None:
    """Secrets that nobody guesses."""
    secrets = [value] if isinstance(value, Secret) else value or ()
    if any(len(one.reveal()) < 16 for one in secrets):
        fix = 'make one with: python -c "import secrets; print(secrets.token_hex(32))"'
        raise _refused(attribute, "holds a secret of fewer than 16 characters", fix, "CX1010")


def known_purposes(_: object, attribute: attrs.Attribute[Any], value: Iterable[str] | None) -> None:
    """Purposes that there are."""
    for purpose in sorted(set(value or ()) - set(PURPOSES)):
        raise _refused(attribute, "holds a purpose that is not known", nearest(purpose[:64], PURPOSES))


def askable(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
    """Purposes that a person may be asked about."""
    known_purposes(_, attribute, value)
    if "necessary" in value:
        raise _refused(attribute, 'holds "necessary", which is nobody\'s choice', "leave it out")


def word(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    """A channel, if there is one."""
    words(_, attribute, () if value is None else (value,))


def words(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
    """Channels."""
    if not all(WORD.fullmatch(one) for one in value):
        raise _refused(attribute, "names a channel that is not one lower-case word", 'use a word like "email"')


def time_of_day(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    """A time like ``21:00``, if there is one."""
    if value is not None and not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise _refused(attribute, "is not a time of day", 'write it like "21:00"')


def zone(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    """A time zone that is known here, if there is one."""
    if value is None:
        return
    from zoneinfo import ZoneInfo  # 4 ms that most do without

    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # KeyError: there is none of that name
        fix = 'name it like "Europe/Paris"; where this machine has no zones, install tzdata'
        raise _refused(attribute, "is not a time zone that is known here", fix) from None


count = between(1, _MOST)
seconds = between(0, TEN_YEARS_S)
lasting = between(1, TEN_YEARS_S)
