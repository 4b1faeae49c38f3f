"""Delivery: the account, what waits and for how long, dead letters, and what was given up."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cxkit.cli.checks.configuration import Examined
from cxkit.cli.checks.finding import Finding
from cxkit.cli.checks.reasons import CONSENT, meaning_of
from cxkit.cli.language import count, say
from cxkit.delivery.account import read_account
from cxkit.delivery.backlog import Owed, read_backlog
from cxkit.delivery.dead import read_letters

__all__ = ["check_account", "check_backlog", "check_dead_letters", "check_dropped", "letters_of"]

_LONG_S: Final = 600.0
_WORD: Final = re.compile(r"[a-z0-9_.-]{1,64}")
"""What a reason may look like to be shown: anything else could hold what nobody should read here."""


def check_account(examined: Examined) -> Iterator[Finding]:
    """Whether everything captured is accounted for."""
    root = examined.settings.directory.absolute()
    if not read_account(root).balanced:
        yield Finding(
            severity="error",
            about="account",
            what=say("the account does not add up"),
            fix=say("report it, with the output of `cxkit stats --json`"),
        )
    if (root / "ledger.damaged").exists():
        yield Finding(
            severity="warning",
            about="account",
            what=say("the ledger was damaged: the account begins anew after it"),
            fix=say("check the disk, then remove {path}", path=root / "ledger.damaged"),
        )


def check_backlog(examined: Examined) -> Iterator[Finding]:
    """What has waited for long, for an exporter that is configured or for one that is not any more."""
    backlog = read_backlog(examined.settings.directory.absolute())
    for name, owed in backlog.owed.items():
        waited_s = time.time() - owed.since
        if waited_s > _LONG_S:
            yield Finding(
                severity="warning",
                about="exporter",
                what=count(
                    "exporter {name}: {number} interaction has waited for {minutes} minutes",
                    "exporter {name}: {number} interactions have waited for {minutes} minutes",
                    owed.pending,
                    name=name,
                    minutes=round(waited_s / 60),
                ),
                fix=_fix_of(name, owed, examined),
            )
    for spool, reason in backlog.unreadable.items():
        yield Finding(
            severity="error",
            about="spool",
            what=say("the spool {spool} cannot be read ({reason})", spool=spool, reason=reason),
            fix=say("run this as the user that runs the application, with the newest cxkit in use here"),
        )


def _fix_of(name: str, owed: Owed, examined: Examined) -> str:
    if name not in examined.settings.exporters:
        return say("configure it again; or do nothing, and spool.max_age_s will give it up")
    if owed.delivering:
        return say("run `cxkit export test {name}`: it says what the other side answers", name=name)
    return say("start the application: no process of it is running")


def check_dead_letters(examined: Examined) -> Iterator[Finding]:
    """What other sides refused for ever, and why."""
    for name, (paths, reasons) in letters_of(examined.settings.directory.absolute()).items():
        shown = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        yield Finding(
            severity="warning",
            about="exporter",
            what=count(
                "exporter {name}: {number} dead letter in {paths} ({shown})",
                "exporter {name}: {number} dead letters in {paths} ({shown})",
                sum(reasons.values()),
                name=name,
                paths=", ".join(map(str, paths)),
                shown=shown,
            ),
            fix=say("look at them with `cxkit export dead {name}`, mend the cause, then remove the file", name=name),
        )


def letters_of(root: Path) -> dict[str, tuple[list[Path], Mapping[str, int]]]:
    """Exporter to its files of dead letters, and reason to their number."""
    found: dict[str, tuple[list[Path], Counter[str]]] = {}
    for path in sorted((root / "dead").glob("*.dead")):
        reasons = Counter(one.reason if _WORD.fullmatch(one.reason) else "other" for one in read_letters(path))
        if reasons:
            paths, sums = found.setdefault(path.stem.rpartition("-")[0], ([], Counter()))
            paths.append(path)
            sums.update(reasons)
    return {name: (paths, dict(sums)) for name, (paths, sums) in found.items()}


def check_dropped(examined: Examined) -> Iterator[Finding]:
    """What was given up, by reason; what consent withholds is no fault, and told elsewhere."""
    account = read_account(examined.settings.directory.absolute())
    for reason, number in account.dropped.items():
        if reason not in CONSENT:
            what = count(
                "{number} interaction was given up before the spool: {reason}, {meaning}",
                "{number} interactions were given up before the spool: {reason}, {meaning}",
                number,
                reason=reason,
                meaning=meaning_of(reason).what,
            )
            yield Finding(severity="warning", about="dropped", what=what, fix=meaning_of(reason).fix)
    for name, one in account.exporters.items():
        for reason, number in one.dropped.items():
            if reason not in CONSENT:
                what = count(
                    "exporter {name}: {number} interaction was given up: {reason}, {meaning}",
                    "exporter {name}: {number} interactions were given up: {reason}, {meaning}",
                    number,
                    name=name,
                    reason=reason,
                    meaning=meaning_of(reason).what,
                )
                yield Finding(severity="warning", about="dropped", what=what, fix=meaning_of(reason).fix)
