"""How far somebody is on a journey: a rule over their contacts, whatever the order in which these became known.

Only the latest contact with each step counts, so nothing depends on what arrives first, and one that arrives late
counts as if it had come in time:

- **The step** is the furthest of those taken this time. Going back, or taking a step again, does not lead back; steps
  may be skipped. Of contacts at one time the one with the greater id is the later.
- **This time**: a step taken ``ends_after_s`` or longer before the latest one counts no more, and none does once the
  latest is that old itself.
- **Completed** is who took the last step. What follows belongs to that, until they take the first step again: then
  it is another time, of which all is that followed the completion.
- **Stalled** is who has begun, is not at the end, and took no step for longer than ``stalled_after_s``.
- A contact that failed or was abandoned is no step taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from cxkit.model import JourneySpec, Progress, Recent, Taken

__all__ = ["last_at", "progress"]


def last_at(contacts: Iterable[Recent]) -> dict[str, Recent]:
    """Place to the latest contact there that counts; given in any order, also several times."""
    last: dict[str, Recent] = {}
    for one in contacts:
        if one.succeeded and (one.place not in last or _order(one) > _order(last[one.place])):
            last[one.place] = one
    return last


def progress(spec: JourneySpec, last: Mapping[str, Recent], *, now: datetime) -> Progress:
    """How far somebody is.

    Args:
        last: What `last_at` makes of their contacts.

    Example:
        >>> from datetime import UTC
        >>> checkout = JourneySpec(name="checkout", steps=("cart.item_added", "/checkout", "order.paid"))
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> added = Recent(id="a", at=noon, name="cart.item_added", channel="web")
        >>> then = progress(checkout, last_at([added]), now=noon + timedelta(hours=1))
        >>> then.step, then.next, then.stalled
        ('cart.item_added', '/checkout', True)
    """
    run = _this_time(spec, _latest(spec, last), now)
    if not run:
        return Progress(journey=spec.name, next=spec.steps[0])
    furthest, end = max(run), len(spec.steps) - 1
    idle = now - max(one.at for one in run.values())
    return Progress(
        journey=spec.name,
        step=spec.steps[furthest],
        next=None if furthest == end else spec.steps[furthest + 1],
        stalled=furthest < end and idle > timedelta(seconds=spec.stalled_after_s),
        completed=furthest == end,
        since=run[furthest].at,
        channel=run[furthest].channel,
        taken=tuple(Taken(step=spec.steps[step], at=one.at, channel=one.channel) for step, one in sorted(run.items())),
    )


def _latest(spec: JourneySpec, last: Mapping[str, Recent]) -> dict[int, Recent]:
    """Step to the latest contact with it."""
    latest: dict[int, Recent] = {}
    for place, step in spec.step_of.items():
        one = last.get(place)
        if one is not None and (step not in latest or _order(one) > _order(latest[step])):
            latest[step] = one
    return latest


def _this_time(spec: JourneySpec, latest: Mapping[int, Recent], now: datetime) -> dict[int, Recent]:
    """Of these the ones of this time."""
    ends = timedelta(seconds=spec.ends_after_s)
    newest = max((one.at for one in latest.values()), default=None)
    if newest is None or now - newest >= ends:
        return {}
    held = {step: one for step, one in latest.items() if newest - one.at < ends}
    last = held.get(len(spec.steps) - 1)
    if last is None:
        return held
    anew = 0 in held and _order(held[0]) > _order(last)
    return {step: one for step, one in held.items() if (_order(one) > _order(last)) is anew}


def _order(one: Recent) -> tuple[datetime, str]:
    return one.at, one.id
