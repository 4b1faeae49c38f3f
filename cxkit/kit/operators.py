"""What an operator does to the graph of a kit and to its experiments: what it would do, doing it, what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

import attrs

from cxkit.capture.scope import Scope
from cxkit.flows.bus import Committed
from cxkit.flows.documents import Ledger, identifier_doc, keys_of, ledger_doc, owned_in, read
from cxkit.flows.operate import MERGED, UNMERGED, merge_people, merged, merging, unmerge_people, unmerged
from cxkit.flows.people import read_lives
from cxkit.flows.reading import Reading
from cxkit.flows.rulings import read_rulings, rule_experiment
from cxkit.kit.kit import Kit
from cxkit.model import JSON, Context, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.rules.experience import Ruling
from cxkit.rules.identity import Merge, Parting, Person, Resolution

__all__ = [
    "Done",
    "Merging",
    "Unmerging",
    "latest_merge",
    "merge",
    "rule",
    "rulings",
    "unmerge",
    "would_merge",
    "would_unmerge",
]

_PATIENCE_S: Final = 5.0


@attrs.frozen(kw_only=True)
class Merging:
    """What a merge would do now."""

    people: tuple[Person, ...]
    """Those named, as they are; fewer than two if one is nobody."""
    found: Resolution
    conflicts: tuple[str, ...] = ()
    """Purposes that are denied from then on, for they disagree, or one said nothing; until they choose again."""


@attrs.frozen(kw_only=True)
class Unmerging:
    """What undoing a merge would do now."""

    merge: Merge | None
    """None: the store knows of no such merge."""
    parting: Parting


@attrs.frozen(kw_only=True)
class Done:
    """What came of a command."""

    command: str | None
    """None: there was no room for it."""
    committed: bool
    """Whether the store was seen to have taken it in hand. If not, it is spooled, and follows."""
    refused: tuple[str, ...] = ()
    """Why it changed nothing."""

    @property
    def complete(self) -> bool:
        """Whether it was seen done."""
        return self.committed and not self.refused


def would_merge(kit: Kit, one: Identity, other: Identity, *, actor: str, reason: str, force: bool) -> Merging:
    """What `merge` would do now. Writes nothing.

    Raises:
        StoreError: The store cannot be asked.
    """
    desk, reading = kit.desk, Reading(kit.premises.store())
    said = merging(desk.keyring, other.identifiers[0], actor=actor, reason=reason, force=force)
    command = _command(MERGED, one, said, at=desk.intake.stamper.now())
    names = [identifier_doc(key) for identity in (one, other) for key in keys_of(desk.keyring, identity)]
    owners = [owned_in(body).person for body in reading.get(names).values()]
    people = tuple(life.graph for life in read_lives(reading, owners).values())
    found = merged(reading, desk.keyring, command, types=desk.identifying.types)
    records = [
        cast("dict[str, Any]", put.body)["records"][-1]
        for name, put in reading.puts.items()
        if name.startswith("consent/") and put.body is not None
    ]
    return Merging(people=people, found=found, conflicts=tuple(p for one in records for p in one["conflicts"]))


def merge(kit: Kit, one: Identity, other: Identity, *, actor: str, reason: str, force: bool) -> Done:
    """Have two people be one, and wait a little until the store has it."""
    scopes = [_scope_of(kit, identity) for identity in (one, other)]
    both = scopes[0].allowed.granted & scopes[1].allowed.granted
    give = partial(
        merge_people,
        kit.desk,
        scopes[0],
        other=other.identifiers[0],
        purposes=purpose_bits(both),
        actor=actor,
        reason=reason,
        force=force,
    )
    return _awaited(kit, give)


def latest_merge(kit: Kit, identity: Identity) -> str | None:
    """The command of the latest merge of somebody; None if nobody ever became part of them.

    Raises:
        StoreError: The store cannot be asked.
    """
    reading = Reading(kit.premises.store())
    names = map(identifier_doc, keys_of(kit.desk.keyring, identity))
    lives = read_lives(reading, [owned_in(body).person for body in reading.get(names).values()])
    return next((life.graph.merges[-1] for life in lives.values() if life.graph.merges), None)


def would_unmerge(kit: Kit, merge: str) -> Unmerging:
    """What `unmerge` would do now. Writes nothing.

    Raises:
        StoreError: The store cannot be asked.
    """
    reading = Reading(kit.premises.store())
    body = reading.get([ledger_doc(merge)]).get(ledger_doc(merge))
    command = _command(UNMERGED, Identity(), {"merge": merge}, at=kit.desk.intake.stamper.now())
    parting = unmerged(reading, kit.desk.keyring, command)
    return Unmerging(merge=None if body is None else read(body, Ledger).merge, parting=parting)


def unmerge(kit: Kit, merge: str, *, actor: str, reason: str) -> Done:
    """Undo a merge, and wait a little until the store has it."""
    scope = kit.open_scope(Context())
    return _awaited(kit, partial(unmerge_people, kit.desk, scope, merge=merge, actor=actor, reason=reason))


def _scope_of(kit: Kit, identity: Identity) -> Scope:
    scope = kit.open_scope(Context())
    scope.change(identity=identity)
    kit.desk.recall(scope, patience_s=_PATIENCE_S)
    return scope


def _awaited(kit: Kit, give: Callable[[], str | None]) -> Done:
    heard: dict[str, Committed] = {}
    stop = kit.subscribe(lambda event: heard.update({event.command.id: event}))
    try:
        id = give()
        kit.flush(timeout_s=_PATIENCE_S)
    finally:
        stop()
    event = heard.get(id or "")
    return Done(
        command=id, committed=event is not None, refused=tuple(sorted({*event.refused.values()})) if event else ()
    )


def _command(spec: TouchpointSpec, identity: Identity, said: dict[str, JSON], *, at: datetime) -> Interaction:
    return Interaction(
        id="preview", occurred_at=at, name=spec.name, kind=spec.kind, source="/", identity=identity, properties=said
    )


def rule(
    kit: Kit, experiment: str, *, version: int, running: bool, winner: str | None, actor: str, reason: str
) -> Done:
    """Say of an experiment that it runs, or does not, and what has won; and wait a little until the store has it."""
    give = partial(
        rule_experiment,
        kit.desk,
        kit.open_scope(Context()),
        experiment,
        version=version,
        running=running,
        winner=winner,
        actor=actor,
        reason=reason,
    )
    return _awaited(kit, give)


def rulings(kit: Kit) -> dict[str, Ruling]:
    """What operators said last of each experiment.

    Raises:
        StoreError: The store cannot be asked.
    """
    return read_rulings(kit.premises.store())
