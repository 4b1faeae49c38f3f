"""``cxkit privacy find SUBJECT``: where something is held of somebody, and how much; never what."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cxkit.cli.language import say
from cxkit.cli.privacy.subject import named, opened
from cxkit.cli.terminal import json_option, print_json, print_table
from cxkit.kit import privacy
from cxkit.kit.privacy import Holdings

__all__ = ["find", "holdings_as_json", "print_holdings"]


@click.command()
@click.argument("subject")
@json_option
def find(*, subject: str, as_json: bool) -> None:
    """Show where something is held of somebody, and how much: never what.

    SUBJECT is a user_id, or TYPE:VALUE: nancy, visitor:7f3a, phone:+33123456789. By one identifier all of theirs are
    meant. Exits with 1 if something could not be looked at.
    """
    with opened() as kit:
        found = privacy.find(kit.premises, named(kit, subject))
    if as_json:
        print_json(holdings_as_json(found))
    else:
        print_holdings(found)
    if found.store is None or found.files.unread:
        raise SystemExit(1)


def holdings_as_json(found: Holdings) -> dict[str, object]:
    """For programs."""
    files = found.files
    return {
        "store": found.store,
        "kept": found.kept,
        "spools": {"own": files.own, "live": files.live, "abandoned": files.abandoned},
        "dead_letters": files.dead,
        "local": found.local,
        "unread": files.unread,
    }


def print_holdings(found: Holdings) -> None:
    """A table of what there is; what an erasure leaves apart."""
    rows = [list(row) for row in _rows(found) if row[2]]
    if rows:
        print_table([say("place"), say("what"), say("number")], rows)
    elif found.empty:
        click.echo(say("nothing is held of them"))
    if found.store is None:
        click.echo(say("the store could not be read"), err=True)
    for name in found.files.unread:
        click.echo(say("could not be read: {name}", name=name), err=True)
    if found.kept:
        kept = ", ".join(f"{_document(kind)} {number}" for kind, number in found.kept.items())
        click.echo(say("what an erasure leaves, for it says nothing of them: {kept}", kept=kept))


def _rows(found: Holdings) -> Iterator[tuple[str, str, int]]:
    for kind, number in (found.store or {}).items():
        yield say("store"), _document(kind), number
    yield say("spools of this process"), say("interactions"), found.files.own
    yield say("spools of running processes"), say("interactions"), found.files.live
    yield say("spools nobody looks after"), say("interactions"), found.files.abandoned
    for exporter, number in sorted(found.files.dead.items()):
        yield say("dead letters"), exporter, number
    yield say("local file"), say("interactions"), found.local or 0


def _document(kind: str) -> str:
    return {
        "identifier": say("identifiers"),
        "person": say("people, with their traits"),
        "ledger": say("merges"),
        "history": say("remembered contacts"),
        "sent": say("counted messages"),
        "asked": say("questions asked"),
        "consent": say("choices"),
        "preference": say("preferences"),
        "suppression": say("suppressed addresses"),
        "tombstone": say("tombstones"),
    }.get(kind, kind)
