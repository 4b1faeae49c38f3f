"""``cxkit stats``: the account of everything captured here."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import click

from cxkit.cli.checks.reasons import meaning_of, meaning_of_noted
from cxkit.cli.checks.waiting import at, is_late
from cxkit.cli.language import say
from cxkit.cli.terminal import json_option, print_json, visible
from cxkit.delivery.account import Account, ExporterAccount, read_account
from cxkit.delivery.backlog import Owed, read_backlog
from cxkit.kit.examination import Examined, examined

__all__ = ["stats"]


@click.command()
@json_option
def stats(*, as_json: bool) -> None:
    """What became of everything captured here, per exporter.

    Exits with 2 if anything is unaccounted for, and with 1 if the configuration is wrong.
    """
    found = examined()
    directory = found.settings.directory.absolute()
    account = read_account(directory)
    waiting = read_backlog(directory).owed
    if as_json:
        print_json(
            {
                **attrs.asdict(account),
                "captured": account.captured,
                "balanced": account.balanced,
                "directory": str(directory),
                "waiting": {name: _waiting(owed, found) for name, owed in waiting.items()},
                "configured": {name: sorted(found.purposes.get(name, ())) for name in found.settings.exporters},
                "errors": [str(error) for error in found.errors],
            }
        )
    else:
        click.echo(say("directory: {directory}", directory=directory))
        for line in _lines(account, waiting, found):
            click.echo(line)
        for error in found.errors:
            click.echo(str(error), err=True)
    if not account.balanced:
        raise SystemExit(2)
    if found.errors:
        raise SystemExit(1)


def _lines(account: Account, waiting: Mapping[str, Owed], found: Examined) -> Iterator[str]:
    yield say(
        "captured {captured}   spooled {spooled}   dropped before the spool {dropped}{reasons}",
        captured=account.captured,
        spooled=account.spooled,
        dropped=sum(account.dropped.values()),
        reasons=_reasons(account.dropped),
    )
    if not account.captured:
        yield say("nothing was captured here yet")
    configured = found.settings.exporters
    labels = {name: _label(name, found) for name in sorted({*configured, *account.exporters})}
    width = max([16, *map(len, labels.values())])
    for name, label in labels.items():
        line = _line(f"{label:<{width}}", account.exporters.get(name))
        if name in waiting:
            line += _of_the_pending(waiting[name], found)
        yield line if name in configured else line + say("   not in the configuration")
    if not configured and not account.exporters and not found.errors:
        yield say("no exporter is configured: nothing leaves this machine")
    for reason in sorted({*account.dropped, *(one for each in account.exporters.values() for one in each.dropped)}):
        yield say("  {reason}: {meaning}", reason=reason, meaning=meaning_of(reason).what)
    if account.blocked:
        yield say("stopped by consent and preferences (gate:purpose:reason:destination):")
        for text, number in account.blocked.items():
            yield f"  {visible(text.rstrip(':'))} {number}"
    yield from _noted(account.noted)
    if any(one.dead > sum(one.unkept.values()) for one in account.exporters.values()):
        yield say("`cxkit dead list` tells of the dead ones")
    if any(one.removed for one in waiting.values()):
        yield say(
            "  given up already: for lack of room or for its age; it is pending until the exporter comes to the gap, "
            "and then dropped: spool_full, expired"
        )
    yield say("the account adds up") if account.balanced else say("THE ACCOUNT DOES NOT ADD UP")


def _noted(noted: Mapping[str, int]) -> Iterator[str]:
    if noted:
        yield say("went wrong without costing an interaction:")
    for name, number in noted.items():
        yield f"  {visible(name)} {number}: {meaning_of_noted(name).what}"


def _label(name: str, found: Examined) -> str:
    purposes = ", ".join(sorted(found.purposes.get(name, ())))
    return f"{name} ({purposes})" if purposes else name


def _line(label: str, one: ExporterAccount | None) -> str:
    if one is None:
        return say("{exporter} nothing yet", exporter=label)
    line = say(
        "{exporter} delivered {delivered}   pending {pending}   dead {dead}   dropped {dropped}{reasons}",
        exporter=label,
        delivered=one.delivered,
        pending=one.pending,
        dead=one.dead,
        dropped=sum(one.dropped.values()),
        reasons=_reasons(one.dropped),
    )
    if one.unkept:
        line += say("   of the dead, no longer kept{reasons}", reasons=_reasons(one.unkept))
    if one.before:
        line += say("   spooled before it was configured {number}", number=one.before)
    return line


def _of_the_pending(owed: Owed, found: Examined) -> str:
    told = ""
    if owed.removed:
        told += say("   of the pending, given up already {number}", number=owed.removed)
    if is_late(owed, found.settings.spool, now=time.time()) and owed.pending > owed.removed:
        told += say("   the oldest waits since {since}", since=at(owed.since))
    return told


def _waiting(owed: Owed, found: Examined) -> dict[str, Any]:
    """What a program is told of it; times in Unix seconds."""
    return {
        "removed": owed.removed,
        "since": owed.since if math.isfinite(owed.since) else None,
        "handled_at": owed.handled_at or None,
        "late": is_late(owed, found.settings.spool, now=time.time()),
    }


def _reasons(dropped: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{reason} {number}' for reason, number in sorted(dropped.items()))})" if dropped else ""
