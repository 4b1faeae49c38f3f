"""Times as they are typed on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from cxkit.cli.language import say

__all__ = ["age", "date"]

_AGE: Final = re.compile(r"(\d{1,6})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def date(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """A date, or a date and a time; without a zone it is the time of this machine."""
    try:
        given = None if text is None else datetime.fromisoformat(text)
        return given.astimezone() if given is not None else None
    except (ValueError, OverflowError, OSError):
        message = say("this is no date; write it like 2026-11-21 or 2026-11-21T10:30")
        raise click.BadParameter(message, ctx=context, param=parameter) from None


def age(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """When something was that is as old as ``30d`` or ``12h`` now."""
    if text is None:
        return None
    found = _AGE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    except (ValueError, OverflowError):
        message = say("this is no age; write it like 30d, 12h or 90m")
        raise click.BadParameter(message, ctx=context, param=parameter) from None
