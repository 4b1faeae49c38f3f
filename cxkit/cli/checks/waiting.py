"""What waits for exporters: since when, for how long yet, and how near that is to the limits of the spool."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cxkit.cli.checks.finding import Finding
from cxkit.cli.checks.reasons import meaning_of
from cxkit.cli.language import count, say
from cxkit.cli.local.seen import clock
from cxkit.delivery.backlog import Owed, read_backlog
from cxkit.kit.examination import Examined
from cxkit.settings.tree import Spool

__all__ = ["at", "check_backlog", "is_late"]

_LATE_S: Final = 900.0
"""Three of the longest pauses between attempts: what is away for less mends itself, and nobody need look."""
_LATE: Final = 0.1
"""Of the age at which it is given up: most of the time to mend it is still ahead."""
_NEAR: Final = 0.8


def is_late(owed: Owed, spool: Spool, *, now: float) -> bool:
    """Whether an exporter takes nothing, or too little, for too long.

    A file that was last written long ago is late even if some of it is handled now and then. Otherwise
    nothing was handled for long although there was something: what is still there, or what was before it.
    """
    waited_since = 0.0 if owed.removed else owed.since
    return now - min(owed.written_at, max(waited_since, owed.handled_at)) > min(_LATE_S, _LATE * spool.max_age_s)


def at(seconds: float) -> str:
    """A time of a file, in Unix seconds, where this machine is."""
    return clock(datetime.fromtimestamp(seconds, UTC))


def check_backlog(examined: Examined) -> Iterator[Finding]:
    """Exporters that take nothing for long, configured or not any more, and what that costs or is about to cost."""
    spool, now = examined.settings.spool, time.time()
    backlog = read_backlog(examined.settings.directory.absolute())
    for name, owed in backlog.owed.items():
        if owed.pending > owed.removed and is_late(owed, spool, now=now):
            what = _waiting(name, owed, until=owed.written_at + spool.max_age_s)
            yield Finding(severity="warning", about="exporter", what=what, fix=_fix_of(name, owed, examined))
        yield from _near(name, owed, spool, now=now)
        if owed.removed:
            yield _removed(name, owed)
    for path, reason in backlog.unreadable.items():
        yield Finding(
            severity="error",
            about="spool",
            what=say("the spool {spool} cannot be read ({reason})", spool=path, reason=reason),
            fix=say("run this as the user that runs the application, with the newest cxkit in use here"),
        )


def _waiting(name: str, owed: Owed, *, until: float) -> str:
    number, since = owed.pending - owed.removed, at(owed.since)
    if not owed.handled_at:
        return count(
            "exporter {name}: {number} interaction has waited since {since}, and is given up from {until} on",
            "exporter {name}: {number} interactions wait, the oldest since {since}; it is given up from {until} on",
            number,
            name=name,
            since=since,
            until=at(until),
        )
    return count(
        "exporter {name} last took something at {taken}: {number} interaction has waited since {since}, and is given "
        "up from {until} on",
        "exporter {name} last took something at {taken}: {number} interactions wait, the oldest since {since}; it is "
        "given up from {until} on",
        number,
        name=name,
        taken=at(owed.handled_at),
        since=since,
        until=at(until),
    )


def _fix_of(name: str, owed: Owed, examined: Examined) -> str:
    if name not in examined.settings.exporters:
        return say("configure it again; or do nothing, and spool.max_age_s will give it up")
    if owed.delivering:
        return say("run `cxkit export test {name}`: it says what the other side answers", name=name)
    return say("start the application: no process of it is running")


def _near(name: str, owed: Owed, spool: Spool, *, now: float) -> Iterator[Finding]:
    waited_s = 0.0 if math.isinf(owed.written_at) else now - owed.written_at
    used = {
        "spool.max_bytes": owed.bytes / spool.max_bytes,
        "spool.max_records": (owed.pending - owed.removed) / spool.max_records,
        "spool.max_age_s": waited_s / spool.max_age_s,
    }
    for setting, share in used.items():
        if share > _NEAR:
            what = say(
                "exporter {name}: what waits for it has come to {percent} % of {setting}, beyond which the oldest is "
                "given up",
                name=name,
                percent=int(100 * share),
                setting=setting,
            )
            fix = say("mend the exporter, or raise {setting}", setting=setting)
            yield Finding(severity="warning", about="exporter", what=what, fix=fix)


def _removed(name: str, owed: Owed) -> Finding:
    what = count(
        "exporter {name}: {number} interaction was given up for lack of room or for its age, and is counted when the "
        "exporter comes to the gap",
        "exporter {name}: {number} interactions were given up for lack of room or for their age, and are counted when "
        "the exporter comes to the gap",
        owed.removed,
        name=name,
    )
    return Finding(severity="warning", about="dropped", what=what, fix=meaning_of("spool_full").fix)
