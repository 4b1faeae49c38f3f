"""Traits: what is known of a person, and from when, by whom and until when.

Each trait is kept apart for each provenance, so what is known less well never touches what is known better, and shows
again when that has ended. Within one provenance the four ways to change a trait are kept apart too:

- ``set``: the latest;
- ``set_once``: the earliest; it shows only where nothing else does;
- ``increment``: the sum of all commands, each counted once;
- ``union``: each member with the last time it was named.

A trait that was changed in several ways is what the latest of them makes it: set, counted or collected, never a
mixture. "Later" is a greater time, and of one time a greater command id (both are in each command, so every process
agrees, whatever arrives first).

**Bounds.** To count each command once, the ids of the newest `SEEN_INCREMENTS` are kept for each counter; older ones
are folded into one number. A command that comes so late that as many newer ones have been folded in before it is
not counted: a counter may be too low then, and never too high. A union keeps the newest `MEMBERS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from cxkit.model import JSON
from cxkit.model.profile import PROVENANCES, Provenance, Trait

__all__ = ["MEMBERS", "SEEN_INCREMENTS", "Held", "Traits", "merge_traits", "part_traits", "values", "with_traits"]

SEEN_INCREMENTS: Final = 256
MEMBERS: Final = 256

Number = int | float
Order = tuple[datetime, str]


@attrs.frozen(kw_only=True)
class Register:
    """One value and the command that gave it."""

    value: Any
    at: datetime
    id: str
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Step:
    """One command's addition."""

    by: Number
    at: datetime
    id: str


@attrs.frozen(kw_only=True)
class Counter:
    """A sum that knows what was added to it last."""

    steps: tuple[Step, ...] = ()
    """The newest, in order."""
    folded: Number = 0
    """The sum of the older ones."""
    folded_at: datetime | None = None
    """With the id: the newest of those. Nothing older is counted any more."""
    folded_id: str = ""

    def total(self) -> Number:
        """The same whatever came first, also of floats: the steps are in order."""
        return sum((one.by for one in self.steps), self.folded)


@attrs.frozen(kw_only=True)
class Held:
    """One trait as known in one way: declared, observed or inferred."""

    latest: Register | None = None
    earliest: Register | None = None
    counter: Counter | None = None
    members: tuple[Register, ...] = ()
    """Of a union, in order."""


@attrs.frozen(kw_only=True)
class Traits:
    """All traits of a person. Plain enough for msgspec to write and read."""

    held: Mapping[str, Mapping[Provenance, Held]] = attrs.field(factory=dict)
    """Name to provenance to what is held."""


def _order(one: Register | Step) -> Order:
    return one.at, one.id


def with_traits(state: Traits, traits: Mapping[str, Trait], *, id: str, at: datetime) -> Traits:
    """The traits after one command. The same command again changes nothing.

    Args:
        id: The command's.
        at: When it was given, aware.

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> once = with_traits(Traits(), {"visits": Trait(value=1, how="increment")}, id="a", at=noon)
        >>> twice = with_traits(once, {"visits": Trait(value=1, how="increment")}, id="b", at=noon)
        >>> again = with_traits(twice, {"visits": Trait(value=1, how="increment")}, id="b", at=noon)
        >>> values(again, now=noon)
        {'visits': 2}
    """
    held = {name: dict(ways) for name, ways in state.held.items()}
    for name, trait in traits.items():
        ways = held.setdefault(name, {})
        ways[trait.provenance] = _with(ways.get(trait.provenance, Held()), trait, id=id, at=at)
    return Traits(held=held)


def _with(held: Held, trait: Trait, *, id: str, at: datetime) -> Held:
    if trait.how == "increment":
        step = Step(by=_number(trait.value), at=at, id=id)
        return attrs.evolve(held, counter=_counted(held.counter or Counter(), [step]))
    if trait.how == "union":
        named = [Register(value=one, at=at, id=id) for one in _list(trait.value)]
        return attrs.evolve(held, members=_collected([*held.members, *named]))
    ends = None if trait.expires_in_s is None else at + timedelta(seconds=trait.expires_in_s)
    new = Register(value=trait.value, at=at, id=id, expires_at=ends)
    if trait.how == "set":
        return attrs.evolve(held, latest=max(filter(None, [held.latest, new]), key=_order))
    return attrs.evolve(held, earliest=min(filter(None, [held.earliest, new]), key=_order))


def _number(value: JSON) -> Number:
    assert isinstance(value, int | float), "Trait has seen to that"
    return value


def _list(value: JSON) -> list[JSON]:
    assert isinstance(value, list), "Trait has seen to that"
    return value


def _counted(counter: Counter, more: Iterable[Step]) -> Counter:
    """The counter with these steps, each counted once, and the oldest folded in."""
    end = None if counter.folded_at is None else (counter.folded_at, counter.folded_id)
    known = {one.id: one for one in counter.steps}
    for step in more:
        if end is None or _order(step) > end:
            known.setdefault(step.id, step)
    steps = sorted(known.values(), key=_order)
    old, newest = steps[:-SEEN_INCREMENTS], steps[-SEEN_INCREMENTS:]
    if not old:
        return attrs.evolve(counter, steps=tuple(newest))
    at, id = max(_order(old[-1]), end or _order(old[-1]))
    folded = Counter(steps=tuple(old), folded=counter.folded).total()
    return Counter(steps=tuple(newest), folded=folded, folded_at=at, folded_id=id)


def _collected(named: Sequence[Register]) -> tuple[Register, ...]:
    """Each member once, as it was named last, and of these the newest."""
    newest: dict[tuple[bool, Any], Register] = {}
    for one in named:
        held = newest.setdefault(_member(one), one)
        if _order(one) > _order(held):
            newest[_member(one)] = one
    ordered = sorted(newest.values(), key=lambda one: (_order(one), _member(one)))
    return tuple(ordered[-MEMBERS:])


def _member(one: Register) -> tuple[bool, Any]:
    return isinstance(one.value, str), one.value  # so that a text and a number can be sorted


def values(state: Traits, *, now: datetime, provenance: Provenance | None = None) -> dict[str, JSON]:
    """Each trait and what it is now; a trait that has ended is not there.

    Args:
        provenance: Only what is known in this way.

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> said = with_traits(Traits(), {"size": Trait(value="M")}, id="a", at=noon)
        >>> seen = with_traits(said, {"size": Trait(value="L", provenance="observed")}, id="b", at=noon)
        >>> values(seen, now=noon)
        {'size': 'M'}
    """
    found: dict[str, JSON] = {}
    for name, ways in state.held.items():
        for way in reversed(PROVENANCES) if provenance is None else (provenance,):
            live = _live(ways.get(way, Held()), now)
            if live is not None:
                found[name] = live.value
                break
    return found


def _live(held: Held, now: datetime) -> Register | None:
    """What the latest way of changing it makes of a trait; None if there is nothing, or no longer."""
    candidates = [] if held.latest is None else [held.latest]
    if held.counter is not None and held.counter.steps:
        last = held.counter.steps[-1]
        candidates.append(Register(value=held.counter.total(), at=last.at, id=last.id))
    if held.members:
        last_named = held.members[-1]
        named = [one.value for one in held.members]
        candidates.append(Register(value=named, at=last_named.at, id=last_named.id))
    shown = max(candidates, key=_order, default=None)
    if shown is not None and (shown.expires_at is None or now < shown.expires_at):
        return shown
    return held.earliest


def merge_traits(survivor: Traits, absorbed: Traits, *, at: datetime) -> Traits:
    """The traits of two persons who are one.

    What was set is the survivor's, if they have it and it has not ended; of what was set once the earliest holds;
    counters add up; unions unite. Commands of either that come once more still change nothing.

    Args:
        at: When they were merged.
    """
    held = {name: dict(ways) for name, ways in survivor.held.items()}
    for name, ways in absorbed.held.items():
        mine = held.setdefault(name, {})
        for way, theirs in ways.items():
            mine[way] = _merged(mine[way], theirs, at) if way in mine else theirs
    return Traits(held=held)


def _merged(mine: Held, theirs: Held, at: datetime) -> Held:
    return Held(
        latest=_survivor(mine.latest, theirs.latest, at),
        earliest=min(filter(None, [mine.earliest, theirs.earliest]), key=_order, default=None),
        counter=_added(mine.counter, theirs.counter),
        members=_collected([*mine.members, *theirs.members]),
    )


def _survivor(mine: Register | None, theirs: Register | None, at: datetime) -> Register | None:
    if mine is None or theirs is None:
        return mine or theirs
    kept = theirs if mine.expires_at is not None and mine.expires_at <= at else mine
    last = max(mine, theirs, key=_order)
    return attrs.evolve(kept, at=last.at, id=last.id)  # else a command of the other's that comes again would win


def _added(mine: Counter | None, theirs: Counter | None) -> Counter | None:
    if mine is None or theirs is None:
        return mine or theirs
    ends = [(one.folded_at, one.folded_id) for one in (mine, theirs) if one.folded_at is not None]
    steps = {one.id: one for one in (*mine.steps, *theirs.steps)}
    at, id = max(ends, default=(None, ""))
    both = Counter(steps=tuple(sorted(steps.values(), key=_order)), folded=mine.folded + theirs.folded)
    return _counted(attrs.evolve(both, folded_at=at, folded_id=id), ())


def part_traits(now: Traits, mine: Traits, theirs: Iterable[Traits], *, at: datetime) -> Traits:
    """The survivor's traits once a merge is undone: as they were before it, and what came since.

    Args:
        now: What they have together.
        mine: What the survivor had before.
        theirs: What those who were absorbed had, in the order in which they were.
        at: When they were merged.

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> ann, nan = (with_traits(Traits(), {"likes": Trait(value=[one], how="union")}, id=one, at=noon)
        ...             for one in ("tea", "rum"))
        >>> both = with_traits(merge_traits(ann, nan, at=noon), {"plan": Trait(value="gold")}, id="z", at=noon)
        >>> values(part_traits(both, ann, [nan], at=noon), now=noon)
        {'likes': ['tea'], 'plan': 'gold'}
    """
    then = mine
    for whole in theirs:
        then = merge_traits(then, whole, at=at)
    held: dict[str, dict[Provenance, Held]] = {}
    for name, ways in now.held.items():
        for way, one in ways.items():
            before, own = then.held.get(name, {}).get(way, Held()), mine.held.get(name, {}).get(way, Held())
            if (parted := _parted(one, before, own)) != Held():
                held.setdefault(name, {})[way] = parted
    return Traits(held=held)


def _parted(now: Held, then: Held, own: Held) -> Held:
    named = {_member(one) for one in own.members}
    since = [one for one in now.members if one not in then.members or _member(one) in named]
    return Held(
        latest=own.latest if now.latest == then.latest else now.latest,
        earliest=own.earliest if now.earliest == then.earliest else now.earliest,
        counter=_less(now.counter, then.counter, own.counter),
        members=_collected([*own.members, *since]),
    )


def _less(now: Counter | None, then: Counter | None, own: Counter | None) -> Counter | None:
    """What was the survivor's own, and all that was added since."""
    if now is None or then is None or now == then:
        return own if then is not None else now
    old = {one.id for one in then.steps}
    new = [one for one in now.steps if one.id not in old]
    known = own or attrs.evolve(then, steps=(), folded=0)
    folded = now.total() - then.total() - sum(one.by for one in new)
    return _counted(attrs.evolve(known, folded=known.folded + folded), new)
