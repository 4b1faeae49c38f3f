"""Which dead letters: the options that the verbs below ``cxkit dead`` share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cxkit.cli.checks.letters import Survey, Wanted
from cxkit.cli.language import say
from cxkit.cli.times import date
from cxkit.delivery.account import read_account
from cxkit.delivery.dead import exporter_of
from cxkit.delivery.removal import letter_files
from cxkit.kit.assembly import STORE_LANE
from cxkit.settings import Settings, load

__all__ = ["filters", "root_of", "tell_of_strange"]


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Options for which letters; passes ``wanted`` and the ``settings``."""

    @click.option("--exporter", metavar="NAME", help="Only those of this exporter.")
    @click.option("--reason", metavar="PATTERN", help='Only those refused for this reason, "http_4*" say.')
    @click.option("--since", metavar="DATE", callback=date, help="Only those refused since: a date, or with a time.")
    @wraps(command)
    def filtered(*, exporter: str | None, reason: str | None, since: datetime | None, **rest: Any) -> None:
        settings = load()
        if exporter is not None:
            _check_exporter(exporter, settings)
        command(wanted=Wanted(exporter=exporter, reason=reason, since=since), settings=settings, **rest)

    return filtered


def _check_exporter(name: str, settings: Settings) -> None:
    """Refuse a name that no exporter has, here or in code: of nobody there would be no letters, either.

    Raises:
        click.BadParameter: None has it.
    """
    root = root_of(settings)
    seen = {*read_account(root).exporters, *map(exporter_of, letter_files(root))}
    known = {*settings.exporters, *seen} - {STORE_LANE}
    if name not in {*known, STORE_LANE}:
        if close := get_close_matches(name, known, n=1):
            what = say("there is no exporter of this name here; did you mean {name}?", name=close[0])
        else:
            what = say("there is no exporter of this name here; known: {names}", names=", ".join(sorted(known)) or "-")
        raise click.BadParameter(what, param_hint="--exporter")


def root_of(settings: Settings) -> Path:
    """Where cxkit keeps its files."""
    return settings.directory.absolute()


def tell_of_strange(found: Survey) -> None:
    """What was passed over."""
    for path in found.strange:
        click.echo(say("passed over, for it is no file of letters of this user: {path}", path=path), err=True)
