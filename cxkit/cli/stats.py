"""``cxkit stats``: the account of everything captured here."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import click

from cxkit.cli.terminal import json_option, print_json
from cxkit.delivery.account import Account, read_account
from cxkit.settings import load

__all__ = ["stats"]


@click.command()
@json_option
def stats(*, as_json: bool) -> None:
    """What became of everything captured here, per exporter.

    Exits with 2 if anything is unaccounted for.
    """
    account = read_account(load().directory.absolute())
    if as_json:
        print_json({**attrs.asdict(account), "captured": account.captured, "balanced": account.balanced})
    else:
        for line in _lines(account):
            click.echo(line)
    if not account.balanced:
        raise SystemExit(2)


def _lines(account: Account) -> list[str]:
    lines = [
        f"captured {account.captured}   spooled {account.spooled}   "
        f"dropped before the spool {sum(account.dropped.values())}{_reasons(account.dropped)}"
    ]
    lines += [
        f"{name:<16} delivered {one.delivered}   pending {one.pending}   dead {one.dead}   "
        f"dropped {sum(one.dropped.values())}{_reasons(one.dropped)}"
        + (f"   spooled before it was configured {one.before}" if one.before else "")
        for name, one in account.exporters.items()
    ]
    if not account.exporters:
        lines.append("no exporter is configured: nothing leaves this machine")
    lines.append("the account adds up" if account.balanced else "THE ACCOUNT DOES NOT ADD UP")
    return lines


def _reasons(dropped: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{reason} {count}' for reason, count in sorted(dropped.items()))})" if dropped else ""
