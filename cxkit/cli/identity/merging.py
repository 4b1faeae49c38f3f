"""``cxkit identity merge``: two people are one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import click

from cxkit.cli.asking import may
from cxkit.cli.identity.asking import as_json as done_as_json
from cxkit.cli.identity.asking import conflicts, person_as_json, refusal, said_by, shown, tell
from cxkit.cli.language import say
from cxkit.cli.privacy.subject import named, opened
from cxkit.cli.terminal import json_option, print_json
from cxkit.flows.documents import identifier_doc, keys_of, owned_in
from cxkit.flows.people import alive
from cxkit.flows.reading import Reading
from cxkit.kit import Kit, operators
from cxkit.kit.operators import Merging
from cxkit.model import Identity

__all__ = ["merge"]


@click.command()
@click.argument("subject")
@click.argument("other")
@said_by
@click.option("--force", is_flag=True, help="Merge them whatever speaks against it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def merge(*, subject: str, other: str, actor: str, reason: str, force: bool, yes: bool, as_json: bool) -> None:
    """Merge two people who are one; the elder survives, and it can be undone.

    SUBJECT and OTHER are each a user_id, or TYPE:VALUE: nancy, visitor:7f3a, phone:+33123456789. What forbids it
    to a login forbids it here, too, unless it is forced. Where they chose differently, or one has not chosen, it is
    denied until they choose again. Exits with 1 unless it was seen done.
    """
    with opened() as kit:
        one, two = named(kit, subject), named(kit, other)
        found = operators.would_merge(kit, one, two, actor=actor, reason=reason, force=force)
        if not as_json:
            _show(found)
        if found.found.merge is None:
            _refuse(found, _whom(kit, found, {subject: one, other: two}), as_json=as_json)
        if not may(say("merge them? [y/N]"), yes=yes, quiet=as_json):
            raise SystemExit(1)
        done = operators.merge(kit, one, two, actor=actor, reason=reason, force=force)
    if as_json:
        print_json({**_as_json(found), **done_as_json(done)})
    if not as_json or not done.complete:
        tell(done, say("merged; to undo it: cxkit identity unmerge {command}", command=done.command or ""))


def _show(found: Merging) -> None:
    for person in found.people:
        click.echo(shown(person))
    whole = found.found.person
    if found.found.merge is not None and whole is not None:
        click.echo(say("they become person {id}", id=whole.id[:13]))
        if found.conflicts:
            click.echo(conflicts(found.conflicts))


def _whom(kit: Kit, found: Merging, meant: Mapping[str, Identity]) -> str:
    """The subjects that stand in the way; both, if it is they together."""
    reading, now = Reading(kit.premises.store()), datetime.now(UTC)

    def stands(identity: Identity) -> bool:
        key = next(iter(keys_of(kit.desk.keyring, identity)))
        body = reading.get([identifier_doc(key)]).get(identifier_doc(key))
        return {
            "nobody": body is None,
            "tombstoned": not alive(reading, [key], now),
            "contested": body is not None and owned_in(body).contested is not None,
        }.get(str(found.found.dropped), False)

    return ", ".join([text for text, identity in meant.items() if stands(identity)] or meant)


def _refuse(found: Merging, whom: str, *, as_json: bool) -> None:
    reason = found.found.dropped
    if as_json:
        print_json({**_as_json(found), "command": None, "committed": False, "refused": [reason or "already_one"]})
    elif reason is None:
        click.echo(say("they are one person already"), err=True)
    else:
        click.echo(refusal(reason, whom), err=True)
        if reason not in ("nobody", "tombstoned", "contested", "unexplained"):
            click.echo(say("--force merges them all the same"), err=True)
    raise SystemExit(1)


def _as_json(found: Merging) -> dict[str, object]:
    whole = found.found.person
    return {
        "people": [person_as_json(one) for one in found.people],
        "survivor": whole.id if whole else None,
        "absorbed": [one.id for one in found.found.absorbed],
        "conflicts": found.conflicts,
    }
