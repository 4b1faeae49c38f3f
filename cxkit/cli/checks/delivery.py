"""Delivery: the account, dead letters, what was given up, and what else went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxkit.cli.checks.finding import Finding
from cxkit.cli.checks.letters import Held, Survey, survey
from cxkit.cli.checks.reasons import CONSENT, HARMLESS, meaning_of, meaning_of_noted
from cxkit.cli.language import count, say
from cxkit.delivery.account import read_account
from cxkit.delivery.removal import unfinished
from cxkit.kit.examination import Examined

__all__ = ["check_account", "check_dead_letters", "check_dropped", "check_noted"]


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


def check_dead_letters(examined: Examined) -> Iterator[Finding]:
    """What other sides refused for ever, and why; and what of it can no longer be looked at."""
    root = examined.settings.directory.absolute()
    found = survey(root)
    for name, held in sorted(found.exporters.items()):
        if held.number:
            what = count(
                "exporter {name}: {number} dead letter ({reasons})",
                "exporter {name}: {number} dead letters ({reasons})",
                held.number,
                name=name,
                reasons=", ".join(f"{reason} {one.number}" for reason, one in sorted(held.reasons.items())),
            )
            fix = say(
                "look at them with `cxkit dead show --exporter {name}`, mend the cause, then give them back with "
                "`cxkit dead replay --exporter {name}`",
                name=name,
            )
            yield Finding(severity="warning", about="exporter", what=what, fix=fix)
        if held.damaged:
            yield _damaged(name, held)
    yield from _unkept(root, found)
    if unfinished(root):
        what = say("somebody is taking dead letters away, or was interrupted in it")
        fix = say("nothing: the application puts it right within an hour, `cxkit dead replay` at once")
        yield Finding(severity="note", about="exporter", what=what, fix=fix)


def _damaged(name: str, held: Held) -> Finding:
    what = count(
        "exporter {name}: {number} place in the files of its dead letters is damaged",
        "exporter {name}: {number} places in the files of its dead letters are damaged",
        held.damaged,
        name=name,
    )
    fix = say("check the disk; `cxkit dead purge --exporter {name}` removes them with all others", name=name)
    return Finding(severity="warning", about="exporter", what=what, fix=fix)


def _unkept(root: Path, found: Survey) -> Iterator[Finding]:
    """Letters for which there was no room, or is hardly any more."""
    for name, one in read_account(root).exporters.items():
        lost = {reason: number for reason, number in one.unkept.items() if reason in ("no_room", "disk_error")}
        held = found.exporters.get(name, Held())
        if lost:
            what = count(
                "exporter {name}: {number} dead letter could not be kept ({reasons})",
                "exporter {name}: {number} dead letters could not be kept ({reasons})",
                sum(lost.values()),
                name=name,
                reasons=", ".join(f"{reason} {number}" for reason, number in lost.items()),
            )
        elif held.near:
            what = say("exporter {name}: there is hardly room for more dead letters", name=name)
        else:
            continue
        fix = say("give them back, or write them to a file with `cxkit dead export` and then `cxkit dead purge`")
        yield Finding(severity="warning", about="exporter", what=what, fix=fix)


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


def check_noted(examined: Examined) -> Iterator[Finding]:
    """What went wrong without costing an interaction: a store or a plugin that failed, say."""
    for name, number in read_account(examined.settings.directory.absolute()).noted.items():
        meaning = meaning_of_noted(name)
        what = count(
            "{name}, {number} time: {meaning}",
            "{name}, {number} times: {meaning}",
            number,
            name=name,
            meaning=meaning.what,
        )
        harmless = name.partition(".")[0] in HARMLESS
        yield Finding(severity="note" if harmless else "warning", about="noted", what=what, fix=meaning.fix)
