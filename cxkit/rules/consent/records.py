"""The records of choices: which choice holds, since when, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from cxkit.model import PURPOSES, Choice, Consent
from cxkit.rules.consent.policy import Policy

__all__ = ["all_named", "chained", "choices_of", "ends", "later", "merged", "record", "unexpired"]


def all_named(choices: Mapping[str, Choice]) -> dict[str, Choice]:
    """An answer to a form that lists every purpose: what it does not name is denied.

    Only for such an answer. A single ``grant("analytics")`` says nothing of the rest. (Segment, consent in
    Unify: a category missing from a list of categories counts as refused.)

    Example:
        >>> all_named({"analytics": "granted"})["advertising"]
        'denied'
    """
    return {purpose: choices.get(purpose, "denied") for purpose in PURPOSES if purpose != "necessary"}


def record(choices: Mapping[str, Choice], *, policy: Policy, decided_at: datetime, **fields: Any) -> Consent:
    """A choice under a policy, which says how long it holds.

    Args:
        fields: The other fields of `Consent`.
    """
    values = set(choices.values())
    return Consent(
        choices=dict(choices),
        decided_at=decided_at,
        expires_at=policy.expires_at(decided_at) if "granted" in values else None,
        ask_again_at=policy.ask_again_at(decided_at) if "denied" in values else None,
        policy=policy.name,
        mechanism=policy.mechanism,
        **fields,
    )


def chained(records: Iterable[Consent]) -> list[Consent]:
    """The records in order, each once and with the last one before it that decides one of the same purposes.

    What supersedes what follows from the records, so it is not kept with them: one may come days late.

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> yes = Consent(id="01", choices={"analytics": "granted"}, decided_at=noon)
        >>> [one.supersedes for one in chained([attrs.evolve(yes, id="02"), yes])]
        [None, '01']
    """
    last: dict[str, str] = {}
    chain = []
    for id, one in sorted({one.id: one for one in records}.items()):
        chain.append(
            attrs.evolve(one, supersedes=max((last[name] for name in one.choices if name in last), default=None))
        )
        last.update(dict.fromkeys(one.choices, id))
    return chain


def choices_of(records: Iterable[Consent], *, now: datetime | None = None) -> dict[str, tuple[Choice, datetime]]:
    """The latest explicit choice for each purpose; of two at one moment the denial.

    Args:
        now: Leave out the grants that have ended by then: they are no choice any more, and do not
            bring back what was chosen before them.
    """
    latest: dict[str, tuple[Choice, datetime]] = {}
    for purpose, one in _holding(records).items():
        if now is None or not _ended(one, purpose, now):
            latest[purpose] = (one.choices[purpose], one.decided_at)
    return latest


def ends(records: Iterable[Consent], *, now: datetime) -> tuple[frozenset[str], dict[str, datetime]]:
    """The purposes whose grant has ended, where no answer means no; and until when the other grants hold.

    Where somebody had to object (``opt_out``), an answer that has ended leaves what holds without one.
    """
    ended, until = set(), {}
    for purpose, one in _holding(records).items():
        if one.choices[purpose] == "denied" or one.expires_at is None:
            continue
        if not _ended(one, purpose, now):
            until[purpose] = one.expires_at
        elif one.mechanism == "opt_in":
            ended.add(purpose)
    return frozenset(ended), until


def unexpired(
    choices: Mapping[str, tuple[Choice, datetime]], *, policy: Policy, now: datetime
) -> dict[str, tuple[Choice, datetime]]:
    """The choices, as a cookie holds them without their records, less the grants that have ended."""
    return {
        purpose: (choice, at)
        for purpose, (choice, at) in choices.items()
        if choice == "denied" or now < policy.expires_at(at)
    }


def merged(one: Iterable[Consent], other: Iterable[Consent], *, id: str, at: datetime) -> Consent | None:
    """The record to add when two persons turn out to be one.

    For each purpose on which they disagree, or of which one said nothing that holds, it denies and names the
    conflict; a later choice settles it. It depends only on what was chosen until then, so it is the same
    however often and in whichever order it is made.

    Args:
        id: The id of the merge.
        at: When they were merged.

    Returns:
        None where they agree.

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> yes = Consent(choices={"analytics": "granted"}, decided_at=noon)
        >>> merged([yes], [], id="m1", at=noon).choices
        {'analytics': 'denied'}
        >>> merged([yes], [yes], id="m1", at=noon) is None
        True
    """
    mine, theirs = ({name: made[0] for name, made in _until(records, at).items()} for records in (one, other))
    conflicts = tuple(
        purpose for purpose in PURPOSES if purpose != "necessary" and mine.get(purpose) != theirs.get(purpose)
    )
    if not conflicts:
        return None
    denied: dict[str, Choice] = dict.fromkeys(conflicts, "denied")
    return Consent(id=id, choices=denied, decided_at=at, method="merge", conflicts=conflicts, policy="merge/1")


def _until(records: Iterable[Consent], at: datetime) -> dict[str, tuple[Choice, datetime]]:
    return choices_of((record for record in records if record.decided_at <= at), now=at)


def later(
    one: Mapping[str, tuple[Choice, datetime]], other: Mapping[str, tuple[Choice, datetime]]
) -> dict[str, tuple[Choice, datetime]]:
    """The later choice for each purpose; of two at one moment the denial."""
    choices = dict(one)
    for purpose, new in other.items():
        held = choices.get(purpose)
        if held is None or _weight(*new) > _weight(*held):
            choices[purpose] = new
    return choices


def _holding(records: Iterable[Consent]) -> dict[str, Consent]:
    """Purpose to the record whose choice holds."""
    holding: dict[str, Consent] = {}
    for one in records:
        for purpose in one.choices:
            if purpose not in holding or _outweighs(one, holding[purpose], purpose):
                holding[purpose] = one
    return holding


def _outweighs(one: Consent, held: Consent, purpose: str) -> bool:
    mine, theirs = (_weight(record.choices[purpose], record.decided_at) for record in (one, held))
    return (mine, one.id) > (theirs, held.id)


def _weight(choice: Choice, at: datetime) -> tuple[datetime, bool]:
    """The later choice holds; of two at one moment the denial."""
    return at, choice == "denied"


def _ended(one: Consent, purpose: str, now: datetime) -> bool:
    return one.choices[purpose] == "granted" and one.expires_at is not None and one.expires_at <= now
