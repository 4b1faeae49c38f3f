"""An interaction as a row of the local file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import attrs

from cxkit.model import Context, Evidence, Interaction
from cxkit.rules.identity import Types, added_in, type_of

__all__ = ["EXPOSE", "INSERT", "OPERATED", "Row", "Seen", "row_of", "seen_in"]

Seen = Mapping[str, tuple[str, Evidence]]
"""The identifiers in an interaction: key to type and evidence, the strongest first."""

INSERT: Final = """
INSERT INTO interactions VALUES (
    $id, $at_ms, $local_day, $source, $name, $kind, $channel, $direction, $stage, $purpose, $presence,
    $subject, $person, $session, NULL, $route, $device, $country, $locale, $actor, $experience, $variant,
    $outcome, $duration_ms, $value_minor, $currency, $scale, $score, $engaged_ms, $case, $cause, $analytics,
    $payload
) ON CONFLICT (id) DO NOTHING"""
"""What is delivered again changes nothing. Whom it belongs to (``person``) is for `cxkit.exporters.local.people`."""

EXPOSE: Final = """
INSERT INTO exposures VALUES ($interaction, $experiment, $version, $variation, $unit_type, $unit, $crossed_over)
ON CONFLICT DO NOTHING"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_INTEGERS: Final = range(-(2**63), 2**63)
"""Those that the file can hold."""
_LINKED: Final = "identity.linked"
_SHOWN: Final = "experience.shown"
OPERATED: Final = ("identity.merged", "identity.unmerged")
"""What operators do to the graph."""
_STITCHING: Final = "identity_stitching"
_PLAIN: Final = frozenset({str, float, type(None)})


@attrs.frozen
class Row:
    """What becomes of an interaction, before it is known whose it is."""

    columns: dict[str, Any]
    """Those of the table ``interactions``, but for ``subject`` and ``person``."""
    seen: Seen
    stitching: bool
    """Whether the customer let what recognises them be joined to what names them, as far as it says."""
    said: Mapping[str, Any]
    """What an operator said in it; nothing, in what is none of theirs."""
    added: frozenset[str] = frozenset()
    """Which of the identifiers were linked to the others by it."""
    exposed: tuple[Mapping[str, Any], ...] = ()
    """What experiments gave in it, and to which of the identifiers, or to which session."""

    @property
    def id(self) -> str:
        """The interaction's."""
        return str(self.columns["id"])

    @property
    def subject(self) -> str | None:
        """The strongest of them."""
        return next(iter(self.seen), None)

    @property
    def other(self) -> str | None:
        """Whom an operator says in it to be one with whom it is about."""
        other = self.said.get("with")
        return f"{other.get('type')}:{other.get('value')}" if isinstance(other, Mapping) else None

    @property
    def teaches(self) -> bool:
        """Whether it shows whose identifiers are: by a login, or by having been recorded for that."""
        logins = any(evidence == "login" for _, evidence in self.seen.values())
        return logins or self.columns["name"] == _LINKED

    def ambiguous(self, types: Types) -> bool:
        """Whether several identifiers decide whose it is: a login of which a person has one does so alone."""
        if len(self.seen) < 2:
            return False
        type, evidence = next(iter(self.seen.values()))
        return evidence != "login" or not type_of(type, types).unique

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in the order of all."""
        return self.columns["at_ms"], self.columns["id"]


def seen_in(interaction: Interaction) -> Seen:
    """Its identifiers."""
    return {f"{one.type}:{one.value}": (one.type, one.evidence) for one in interaction.identity.identifiers}


def row_of(interaction: Interaction, payload: bytes, zone: tzinfo) -> Row:
    """The row of an interaction.

    Args:
        payload: The same as it came.
        zone: Where its day is asked for.

    Raises:
        OverflowError: Its time is too early or too late for a day there.
        ValueError: It holds what no column can.
    """
    columns = {
        "payload": payload.decode(),
        **_declared(interaction),
        **_happened(interaction, zone),
        **_circumstances(interaction.context),
    }
    exposed = _exposed(interaction)
    for one in columns.values():
        if type(one) not in _PLAIN and not (type(one) is int and one in _INTEGERS):
            raise ValueError("a value is neither text nor a number of 64 bits")
    for given in exposed:
        texts = {type(given["experiment"]), type(given["variation"])}
        if texts != {str} or type(given["version"]) is not int or given["version"] not in _INTEGERS:
            raise ValueError("an assignment is none")
    said = interaction.properties if interaction.name in OPERATED else {}
    seen, added = seen_in(interaction), frozenset[str]()
    if interaction.name == _LINKED:
        added = added_in({key: type for key, (type, _) in seen.items()}, interaction.properties.get("added"))
    return Row(columns, seen, interaction.consent.get(_STITCHING, True), said, added, exposed)


def _exposed(one: Interaction) -> tuple[Mapping[str, Any], ...]:
    if one.decision is None or one.name != _SHOWN:
        return ()
    units = {known.type: f"{known.type}:{known.value}" for known in reversed(one.identity.identifiers)}
    if one.context.session is not None:
        units["session"] = f"session:{one.context.session}"
    return tuple(
        {
            "interaction": one.id,
            "experiment": given.experiment,
            "version": given.version,
            "variation": given.variation,
            "unit_type": given.unit,
            "unit": units[given.unit],
            "crossed_over": int(given.crossed_over is True),
        }
        for given in (one.decision.assignment, one.decision.holdout)
        if given is not None and given.unit in units
    )


def _declared(one: Interaction) -> dict[str, Any]:
    return {
        "source": one.source,
        "name": one.name,
        "kind": one.kind,
        "channel": one.channel or one.context.channel,
        "direction": one.direction,
        "stage": one.stage,
        "purpose": one.purpose,
        "presence": one.presence,
    }


def _happened(one: Interaction, zone: tzinfo) -> dict[str, Any]:
    day = one.occurred_at.astimezone(zone)
    return {
        "id": one.id,
        "at_ms": (one.occurred_at - _EPOCH) // _MILLISECOND,
        "local_day": day.year * 10_000 + day.month * 100 + day.day,
        "experience": one.decision and one.decision.experience,
        "variant": one.decision and one.decision.variant,
        "outcome": one.outcome,
        "duration_ms": None if one.duration is None else one.duration / _MILLISECOND,
        "value_minor": one.value and one.value.minor,
        "currency": one.value and one.value.currency,
        "scale": one.feedback and one.feedback.scale,
        "score": one.feedback and one.feedback.score,
        "case": one.case,
        "cause": one.cause,
        "analytics": int(one.consent.get("analytics", True)),
    }


def _circumstances(context: Context) -> dict[str, Any]:
    return {
        "session": context.session,
        "route": context.page and context.page.route,
        "device": context.device and context.device.type,
        "country": context.place and context.place.country,
        "locale": context.locale,
        "actor": context.actor,
        "engaged_ms": context.page and context.page.engaged_ms,
    }
