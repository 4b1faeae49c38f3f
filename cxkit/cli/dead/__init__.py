"""``cxkit dead``: what other sides refused for ever: looked at, given back, removed, handed on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import attrs
import click
import msgspec

from cxkit.cli.checks.letters import Survey, Wanted, letters, survey
from cxkit.cli.dead.leaving import purge, replay
from cxkit.cli.dead.selection import filters, root_of, tell_of_strange
from cxkit.cli.dead.showing import show
from cxkit.cli.language import count, say
from cxkit.cli.local.seen import clock
from cxkit.cli.terminal import json_option, print_json, print_table, visible_json
from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.delivery.dead import QUOTA_BYTES
from cxkit.delivery.removal import unfinished
from cxkit.settings import Settings

__all__ = ["dead"]

_KIB = 1 << 10
_MIB = 1 << 20


@click.group()
def dead() -> None:
    """What other sides refused for ever: look at it, give it back, remove it."""


dead.add_command(show)
dead.add_command(replay)
dead.add_command(purge)


@dead.command("list")
@filters
@json_option
def list_(*, wanted: Wanted, settings: Settings, as_json: bool) -> None:
    """How many dead letters there are, by exporter and reason.

    Those that could not be kept, were removed, or are damaged, are told too.
    """
    root = root_of(settings)
    found, accounts = survey(root, wanted), read_account(root).exporters
    accounts = {name: one for name, one in accounts.items() if one.unkept and wanted.exporter in (None, name)}
    at_work = unfinished(root)
    if as_json:
        print_json(_as_json(found, accounts, at_work))
        return
    rows = [
        [exporter, reason, alike.number, _short(alike.oldest), _short(alike.newest), -(-alike.bytes // _KIB)]
        for exporter, held in sorted(found.exporters.items())
        for reason, alike in sorted(held.reasons.items())
    ]
    if rows:
        print_table([say("exporter"), say("reason"), say("letters"), say("oldest"), say("newest"), say("KiB")], rows)
    number = sum(held.number for held in found.exporters.values())
    click.echo(count("{number} dead letter", "{number} dead letters", number))
    for line in _remarks(found, accounts, at_work):
        click.echo(line)
    tell_of_strange(found)


@dead.command()
@filters
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A file to write to; there must be none of this name yet."
)
def export(*, wanted: Wanted, settings: Settings, output: Path | None) -> None:
    """Write dead letters as JSON lines, as they were captured.

    Each line has the exporter, the reason, when it was refused, and the interaction, a CloudEvent. They
    hold personal data. Nothing is removed.
    """
    root, found = root_of(settings), Survey()
    lines = (msgspec.json.encode(one.letter) for one in letters(root, wanted, found))
    if output is None:
        for line in lines:
            click.echo(visible_json(line.decode()))
    else:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            number = sum(bool(file.write(line + b"\n")) for line in lines)
            file.flush()
            os.fsync(descriptor)
        click.echo(
            count("{number} letter written to {file}", "{number} letters written to {file}", number, file=output)
        )
    tell_of_strange(found)


def _short(at: datetime | None) -> str | None:
    return None if at is None else clock(at)


def _remarks(found: Survey, accounts: dict[str, ExporterAccount], at_work: int) -> Iterator[str]:
    for name, one in sorted(accounts.items()):
        reasons = ", ".join(f"{reason} {number}" for reason, number in one.unkept.items())
        yield count(
            "{name}: {number} more is counted and cannot be read: {reasons}",
            "{name}: {number} more are counted and cannot be read: {reasons}",
            sum(one.unkept.values()),
            name=name,
            reasons=reasons,
        )
    for name, held in sorted(found.exporters.items()):
        if held.near:
            yield say(
                "{name}: its letters take {size} of {most} MiB; those for which there is no room are only counted",
                name=name,
                size=held.bytes // _MIB,
                most=QUOTA_BYTES // _MIB,
            )
        if held.damaged:
            yield count(
                "{name}: {number} place in its files is damaged, where letters may have been",
                "{name}: {number} places in its files are damaged, where letters may have been",
                held.damaged,
                name=name,
            )
    if at_work:
        yield say("somebody is taking letters away, or was interrupted in it; the next to do so puts that right")


def _as_json(found: Survey, accounts: dict[str, ExporterAccount], at_work: int) -> dict[str, object]:
    return {
        "letters": [
            {"exporter": exporter, "reason": reason, **attrs.asdict(alike)}
            for exporter, held in sorted(found.exporters.items())
            for reason, alike in sorted(held.reasons.items())
        ],
        "exporters": {
            name: {
                "bytes": held.bytes,
                "most_bytes": QUOTA_BYTES,
                "near": held.near,
                "damaged": held.damaged,
            }
            for name, held in sorted(found.exporters.items())
        },
        "unkept": {name: one.unkept for name, one in sorted(accounts.items())},
        "strange": [str(path) for path in found.strange],
        "unfinished": at_work,
    }
