"""``cxkit email classify``: mails that came in: files are explained, mailboxes and folders counted."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import click
import msgspec

from cxkit.cli.language import count, pair, say
from cxkit.cli.terminal import print_table, visible, visible_json
from cxkit.kit import Kit
from cxkit.settings import load
from cxkit_email.commands.inbox import Held, Unread, held, many, size
from cxkit_email.commands.known import known
from cxkit_email.commands.words import limit_word, why_word
from cxkit_email.inbound import Inbound
from cxkit_email.inbound import classify as read
from cxkit_email.receive import ours, receive

__all__ = ["classify"]

_MOST_SHOWN: Final = 20
_PATIENCE_S: Final = 30.0
_STEPS: Final = 500
_WORD: Final = re.compile(r"[a-z0-9_.-]{1,60}")

Reader = Callable[[bytes], Inbound]


@attrs.define
class _Tally:
    """What they all were."""

    mails: int = 0
    ours: int = 0
    """Those with a token of ours that verifies."""
    cut: int = 0
    """Those that were not read to their end."""
    kinds: Counter[str] = attrs.field(factory=Counter)
    bounces: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    """Recipients that a mail did not arrive at, by class and reason."""
    unread: list[Unread] = attrs.field(factory=list)
    """The first of them."""
    unreadable: int = 0

    def add(self, found: Inbound) -> None:
        self.mails += 1
        self.kinds[found.kind] += 1
        self.ours += any(one.send for one in found.reports)
        self.cut += bool(found.limits)
        self.bounces.update(
            (one.bounce.kind, one.bounce.reason)
            for one in found.reports
            if one.bounce is not None and one.happened == "bounced"
        )

    def missed(self, one: Unread) -> None:
        self.unreadable += 1
        if len(self.unread) < _MOST_SHOWN:
            self.unread.append(one)


def classify(paths: Sequence[Path], *, report: bool, as_json: bool) -> None:
    """Say what mails are. Exits with 1 if something could not be read, or there was none.

    Raises:
        OSError: What was named cannot be read.
        ConfigurationError: A setting is wrong.
        StoreError: What one says cannot be kept now; the same again goes on.
    """
    several = [many(one) for one in paths]
    tally = _Tally()
    with _reading(report=report) as (reader, keys), _progress(paths, quiet=not any(several)) as moved:
        told = _json(paths, reader, tally, moved) if as_json else _words(paths, several, reader, tally, moved)
        for line in told:
            click.echo(line)
    if not as_json:
        _tell(tally, single=not any(several) and len(paths) == 1, keys=keys, report=report)
    for one in tally.unread:
        click.echo(say("{path}: could not be read ({reason})", path=one.path, reason=one.why), err=True)
    if tally.unreadable > len(tally.unread):
        click.echo(say("and {number} more", number=tally.unreadable - len(tally.unread)), err=True)
    if not tally.mails:
        click.echo(say("there is no mail"), err=True)
    if tally.unreadable or not tally.mails:
        raise SystemExit(1)


@contextmanager
def _reading(*, report: bool) -> Iterator[tuple[Reader, bool]]:
    """What reads a mail, and whether it knows tokens of ours."""
    if not report:
        with known() as here:
            keyring = here.keyring
            yield partial(read, ours=lambda one: None if keyring is None else ours(keyring, one)), keyring is not None
        return
    kit = Kit(load())
    try:
        yield partial(_received, kit), True
    finally:
        kit.close()


def _received(kit: Kit, raw: bytes) -> Inbound:
    found = receive(raw, kit=kit)
    if kit.intake.queued_bytes > kit.settings.queue.max_bytes // 4:
        kit.flush(timeout_s=_PATIENCE_S)
    return found


def _words(
    paths: Sequence[Path], several: Sequence[bool], reader: Reader, tally: _Tally, moved: Callable[[int], None]
) -> Iterator[str]:
    for path, counted in zip(paths, several, strict=True):
        for one in held(path, moved):
            if isinstance(one, Unread):
                tally.missed(one)
                continue
            found = reader(one.raw)
            tally.add(found)
            if not counted:
                if len(paths) > 1:
                    yield visible(f"{path}:")
                yield from _explained(found)
                yield ""


def _explained(found: Inbound) -> Iterator[str]:
    yield pair(say("kind"), found.kind)
    for step in found.why:
        yield f"  {why_word(_word(step))}"
    for limit in found.limits:
        yield "  " + say("not read to its end: {reason}", reason=limit_word(limit))
    send = next((one.send for one in found.reports if one.send), None)
    yield pair(say("message"), send or say("no token of ours says which"))
    if found.reports and found.reports[0].at is not None:
        yield pair(say("when"), found.reports[0].at.isoformat())
    numbers = Counter(_told(found))
    yield pair(say("recipients"), sum(one.recipient is not None for one in found.reports))
    for what, number in numbers.items():
        yield "  " + (what if number == 1 else f"{what} ({number})")


def _told(found: Inbound) -> Iterator[str]:
    """What each report says, without whom of."""
    for one in found.reports:
        bounce = one.bounce
        said: list[str | None] = [one.happened, one.reason and _word(one.reason)]
        if bounce is not None:
            said = [one.happened, bounce.kind, bounce.reason, bounce.status, str(bounce.smtp or "")]
        yield visible(", ".join(each for each in said if each))


def _word(text: str) -> str:
    """A stable word; what somebody else wrote in its place is not told, for it may be anything."""
    return text if _WORD.fullmatch(text) else "..."


def _tell(tally: _Tally, *, single: bool, keys: bool, report: bool) -> None:
    if not single and tally.mails:
        rows: list[list[object]] = [[kind, number] for kind, number in tally.kinds.most_common()]
        print_table([say("kind"), say("number")], rows)
        click.echo()
    if not single and tally.bounces:
        print_table(
            [say("bounce"), say("reason"), say("recipients")],
            [[kind, reason, number] for (kind, reason), number in _sorted(tally.bounces)],
        )
        click.echo()
    if not single:
        mails = count("{number} mail", "{number} mails", tally.mails)
        click.echo(say("{mails}, {ours} of them with a token of ours", mails=mails, ours=tally.ours))
        if tally.cut:
            click.echo(say("{number} not read to their end", number=tally.cut))
    if not keys:
        click.echo(say("there are no keys here, so no token can be ours: run this where the application is"))
    if report:
        click.echo(say("handed to the application's state; only what has a token of ours has consequences"))
    else:
        click.echo(say("nothing was changed: --report hands it to the application's state"))


def _sorted(bounces: Counter[tuple[str, str]]) -> list[tuple[tuple[str, str], int]]:
    order = ("hard", "soft", "block", "unknown")
    return sorted(bounces.items(), key=lambda one: (order.index(one[0][0]), -one[1], one[0][1]))


# --- for programs ---------------------------------------------------------------------------------


def _json(paths: Sequence[Path], reader: Reader, tally: _Tally, moved: Callable[[int], None]) -> Iterator[str]:
    """One object, in as many lines as there are mails, so that nothing is held."""
    between = '{"mails":['
    for path in paths:
        for one in held(path, moved):
            if isinstance(one, Unread):
                tally.missed(one)
                continue
            found = reader(one.raw)
            tally.add(found)
            yield between + visible_json(msgspec.json.encode(_as_json(one, found)).decode())
            between = ","
    rest = {
        "mails": tally.mails,
        "ours": tally.ours,
        "cut": tally.cut,
        "unreadable": tally.unreadable,
        "kinds": dict(tally.kinds),
        "bounces": [{"class": kind, "reason": why, "number": number} for (kind, why), number in _sorted(tally.bounces)],
    }
    yield ("" if tally.mails else between) + '],"counts":' + msgspec.json.encode(rest).decode() + "}"


def _as_json(one: Held, found: Inbound) -> dict[str, Any]:
    return {
        "file": str(one.path),
        "number": one.number,
        "kind": found.kind,
        "why": [_word(step) for step in found.why],
        "limits": found.limits,
        "reports": [
            {
                "happened": each.happened,
                "message": each.send,
                "at": each.at,
                "recipient_told": each.recipient is not None,
                "reason": each.reason and _word(each.reason),
                "bounce": None
                if each.bounce is None
                else {
                    "class": each.bounce.kind,
                    "reason": each.bounce.reason,
                    "status": each.bounce.status,
                    "smtp": each.bounce.smtp,
                },
            }
            for each in found.reports
        ],
    }


@contextmanager
def _progress(paths: Sequence[Path], *, quiet: bool) -> Iterator[Callable[[int], None]]:
    if quiet or not sys.stderr.isatty():
        yield lambda octets: None
        return
    length = sum(map(size, paths))
    with click.progressbar(
        length=length, label=say("Reading"), file=sys.stderr, update_min_steps=max(1, length // _STEPS)
    ) as bar:
        yield bar.update
