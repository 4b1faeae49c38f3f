"""Why the store's graph says that identifiers are one person's: when each was linked, by what, and who was merged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import attrs

from cxkit.cli.language import pair, say
from cxkit.cli.local import shown
from cxkit.cli.local.known import Stored
from cxkit.cli.local.person import Person
from cxkit.cli.local.seen import clock, seen_of
from cxkit.cli.terminal import visible
from cxkit.model import Evidence
from cxkit.rules.identity import Link, Merge, Rule

__all__ = [
    "Parted",
    "evidence_word",
    "graph_as_json",
    "graph_lines",
    "partings",
    "refusal_lines",
    "refusals_as_json",
    "rule_word",
]

_PREFIX = 8
_UNMERGED = "SELECT rowid, * FROM interactions WHERE id = ? AND name = 'identity.unmerged'"


@attrs.frozen(kw_only=True)
class Parted:
    """That an operator said that somebody is somebody else."""

    command: str
    at: datetime
    actor: str | None = None
    """Who did it, why, and what was undone: None where the local file does not know (any more)."""
    reason: str | None = None
    merge: str | None = None


def partings(stored: Stored | None, connection: sqlite3.Connection | None) -> tuple[Parted, ...]:
    """Each by which somebody was parted from others."""
    graph = stored.known.graph if stored else None
    return tuple(_parting(command, connection) for command in sorted({*graph.apart.values()})) if graph else ()


def _parting(command: str, connection: sqlite3.Connection | None) -> Parted:
    row = connection.execute(_UNMERGED, (command,)).fetchone() if connection else None
    if row is None:
        return Parted(command=command, at=_time_of(command))
    one = seen_of(row).interaction
    actor, reason, merge = (str(one.properties.get(name)) for name in ("actor", "reason", "merge"))
    return Parted(command=command, at=one.occurred_at, actor=actor, reason=reason, merge=merge)


def _time_of(command: str) -> datetime:
    """When a command was given: its id, a UUIDv7, begins with the milliseconds."""
    return datetime.fromtimestamp((UUID(command).int >> 80) / 1000, UTC)


def evidence_word(evidence: Evidence) -> str:
    """How something is known, in the operator's language."""
    return {
        "login": say("signed in"),
        "cookie": say("signed cookie"),
        "token": say("link in a message"),
        "claim": say("only claimed"),
    }[evidence]


def graph_lines(stored: Stored | None, parted: Sequence[Parted]) -> Iterator[str]:
    """For people. Values of identifiers that the local file does not show here stay keys."""
    graph = stored.known.graph if stored else None
    if stored is None or graph is None:
        return
    yield "  " + say("person {id}, since {time}", id=graph.id, time=clock(graph.born_at))
    for link in graph.links:
        linked = say(
            "linked on {time}, {evidence}; {rule}",
            time=clock(link.at),
            evidence=evidence_word(link.evidence),
            rule=rule_word(link.rule),
        )
        yield f"    {pair(_called(link, stored.names), linked)}"
    yield from (f"    {line}" for merge in stored.merges for line in _merged(merge, stored.names))
    if stored.known.contested:
        yield "    " + say("known by a device alone that several people use: it may be anybody of them")
    for one in parted:
        yield "    " + say("parted from somebody by an operator: no login merges them again")
        yield "      " + _parted(one)


def _parted(parting: Parted) -> str:
    """When, by whom, why and which merge, as far as that is known."""
    when = say("on {time}; {command}", time=clock(parting.at), command=parting.command)
    if parting.merge is None:
        return when
    who = say("by {actor}: {reason}", actor=parting.actor or "-", reason=parting.reason or "-")
    return "; ".join([when, who, say("what undid the merge {command}", command=parting.merge)])


def _called(link: Link, names: Mapping[str, str]) -> str:
    return shown(names[link.key]) if link.key in names else visible(f"{link.type} {link.key[:_PREFIX]}")


def rule_word(rule: Rule) -> str:
    """By what rule something was linked, or somebody merged."""
    return {
        "new_person": say("nobody was known yet"),
        "strong_owner": say("to the owner of what names them"),
        "oldest_owner": say("to the oldest of the owners"),
        "operator": say("an operator said so"),
    }[rule]


def _merged(merge: Merge, names: Mapping[str, str]) -> Iterator[str]:
    rule = rule_word(merge.rule)
    yield say("merged on {time}; {rule}; {command}", time=clock(merge.at), rule=rule, command=merge.command)
    if merge.actor:
        forced = say("forced by {actor}: {reason}", actor=merge.actor, reason=merge.reason or "")
        plain = say("by {actor}: {reason}", actor=merge.actor, reason=merge.reason or "")
        yield "  " + (forced if merge.forced else plain)
    for one in merge.absorbed:
        keys = ", ".join(_called(link, names) for link in one.links)
        yield "  " + say("absorbed person {id}: {keys}", id=one.id, keys=keys)


def refusal_lines(person: Person) -> Iterator[str]:
    """What the graph refused, for people."""
    for at, reasons in _refusals(person):
        told = ", ".join(f"{type} {reason}" for type, reason in sorted(reasons.items()))
        yield "  " + say("refused on {time}: {reasons}", time=clock(at), reasons=told)


def _refusals(person: Person) -> Iterator[tuple[Any, Mapping[str, str]]]:
    for one in person.refusals:
        reasons = one.interaction.properties.get("reasons")
        if isinstance(reasons, dict):
            yield one.interaction.occurred_at, cast("dict[str, str]", reasons)


def graph_as_json(stored: Stored | None, parted: Sequence[Parted]) -> dict[str, object] | None:
    """For programs; None where the store knows nobody, or cannot be read."""
    graph = stored.known.graph if stored else None
    if stored is None or graph is None:
        return None
    return {
        "person": graph.id,
        "since": graph.born_at,
        "contested": stored.known.contested,
        "parted": [attrs.asdict(one) for one in parted],
        "links": [
            {
                "type": one.type,
                "key": one.key[:_PREFIX],
                "subject": stored.names.get(one.key),
                "evidence": one.evidence,
                "at": one.at,
                "rule": one.rule,
                "command": one.by,
            }
            for one in graph.links
        ],
        "merges": [_merge_as_json(one) for one in stored.merges],
    }


def _merge_as_json(merge: Merge) -> dict[str, object]:
    return {
        "command": merge.command,
        "at": merge.at,
        "rule": merge.rule,
        "actor": merge.actor,
        "reason": merge.reason,
        "forced": merge.forced,
        "absorbed": [
            {"person": one.id, "keys": [f"{link.type} {link.key[:_PREFIX]}" for link in one.links]}
            for one in merge.absorbed
        ],
    }


def refusals_as_json(person: Person) -> list[dict[str, object]]:
    """Likewise what it refused."""
    return [{"at": at, "reasons": reasons} for at, reasons in _refusals(person)]
