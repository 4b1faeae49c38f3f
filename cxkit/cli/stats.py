"""``cxkit stats``: the account of everything captured here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import click

from cxkit.cli.checks.configuration import Examined, examined
from cxkit.cli.checks.reasons import meaning_of
from cxkit.cli.language import say
from cxkit.cli.terminal import json_option, print_json
from cxkit.delivery.account import Account, ExporterAccount, read_account

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
    if as_json:
        print_json(
            {
                **attrs.asdict(account),
                "captured": account.captured,
                "balanced": account.balanced,
                "directory": str(directory),
                "configured": {name: sorted(found.purposes.get(name, ())) for name in found.settings.exporters},
                "errors": [str(error) for error in found.errors],
            }
        )
    else:
        click.echo(say("directory: {directory}", directory=directory))
        for line in _lines(account, found):
            click.echo(line)
        for error in found.errors:
            click.echo(str(error), err=True)
    if not account.balanced:
        raise SystemExit(2)
    if found.errors:
        raise SystemExit(1)


def _lines(account: Account, found: Examined) -> Iterator[str]:
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
        yield _line(f"{label:<{width}}", account.exporters.get(name), configured=name in configured)
    if not configured and not account.exporters and not found.errors:
        yield say("no exporter is configured: nothing leaves this machine")
    for reason in sorted({*account.dropped, *(one for each in account.exporters.values() for one in each.dropped)}):
        yield say("  {reason}: {meaning}", reason=reason, meaning=meaning_of(reason).what)
    if any(one.dead > sum(one.unkept.values()) for one in account.exporters.values()):
        yield say("`cxkit dead list` tells of the dead ones")
    yield say("the account adds up") if account.balanced else say("THE ACCOUNT DOES NOT ADD UP")


def _label(name: str, found: Examined) -> str:
    purposes = ", ".join(sorted(found.purposes.get(name, ())))
    return f"{name} ({purposes})" if purposes else name


def _line(label: str, one: ExporterAccount | None, *, configured: bool) -> str:
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
    return line if configured else line + say("   not in the configuration")


def _reasons(dropped: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{reason} {number}' for reason, number in sorted(dropped.items()))})" if dropped else ""
