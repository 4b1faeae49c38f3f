"""Which dead letters: the options that the verbs below ``cxkit dead`` share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cxkit.cli.checks.letters import Survey, Wanted
from cxkit.cli.language import say
from cxkit.cli.times import date
from cxkit.settings import Settings

__all__ = ["filters", "root_of", "tell_of_strange"]


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Options for which letters; passes ``wanted``."""

    @click.option("--exporter", metavar="NAME", help="Only those of this exporter.")
    @click.option("--reason", metavar="PATTERN", help='Only those refused for this reason, "http_4*" say.')
    @click.option("--since", metavar="DATE", callback=date, help="Only those refused since: a date, or with a time.")
    @wraps(command)
    def filtered(*, exporter: str | None, reason: str | None, since: datetime | None, **rest: Any) -> None:
        command(wanted=Wanted(exporter=exporter, reason=reason, since=since), **rest)

    return filtered


def root_of(settings: Settings) -> Path:
    """Where cxkit keeps its files."""
    return settings.directory.absolute()


def tell_of_strange(found: Survey) -> None:
    """What was passed over."""
    for path in found.strange:
        click.echo(say("passed over, for it is no file of letters of this user: {path}", path=path), err=True)
