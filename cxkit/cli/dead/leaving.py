"""``cxkit dead replay`` and ``cxkit dead purge``: letters leave, to their exporter or for good."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs
import click

from cxkit.cli.asking import may
from cxkit.cli.checks.letters import Survey, Wanted, survey
from cxkit.cli.dead.selection import filters, root_of, tell_of_strange
from cxkit.cli.language import count, say
from cxkit.cli.terminal import json_option, print_json, print_table
from cxkit.cli.times import age
from cxkit.delivery.removal import Removed, alone, give_back, remove
from cxkit.delivery.returns import spool_holds
from cxkit.errors import StateError
from cxkit.kit.assembly import STORE_LANE
from cxkit.settings import Settings

__all__ = ["purge", "replay"]

_WAIT_S: Final = 5.0
_MIB: Final = 1 << 20

_id_option = click.option("--id", metavar="ID", help="Only that of this interaction, or those whose ids begin so.")
_dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
_yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@filters
@_id_option
@_dry_run_option
@_yes_option
@json_option
def replay(*, wanted: Wanted, settings: Settings, id: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Give dead letters back to the exporter that refused them.

    Only that exporter gets them again, under the same ids, and only if consent still allows it. The
    application may be running. An exporter that is not in the configuration, for it is made in code,
    has to be named. Exits with 1 if letters are left that were wanted.
    """
    wanted = attrs.evolve(wanted, id=id)
    root = root_of(settings)
    found = survey(root, wanted)
    names = [name for name, held in sorted(found.exporters.items()) if held.number]
    known = {*settings.exporters, STORE_LANE}
    taken = [name for name in names if name in known or name == wanted.exporter]
    others = set(names) - set(taken)
    leaving = _Leaving(root, found, taken, word="replayed", as_json=as_json, known=known, others=others)
    leaving.show(dry_run=dry_run)
    if dry_run:
        return
    _check_room(root, settings, leaving)

    def again(name: str, moved: Callable[[int], object]) -> Removed:
        return give_back(root, name, wanted.takes, segment_bytes=settings.spool.segment_bytes, moved=moved)

    if leaving.may(say("give them back? [y/N]"), yes=yes):
        leaving.go(again, say("Giving back"))
    leaving.tell()


@click.command()
@filters
@_id_option
@click.option("--older-than", "before", metavar="AGE", callback=age, help="Only those older than that: 30d, 12h.")
@_dry_run_option
@_yes_option
@json_option
def purge(
    *,
    wanted: Wanted,
    settings: Settings,
    id: str | None,
    before: datetime | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove dead letters for good.

    The account goes on counting them. What is damaged goes with all letters of its exporter, but not with
    a choice of them. Exits with 1 if letters are left that were wanted.
    """
    wanted = attrs.evolve(wanted, id=id, before=before)
    root = root_of(settings)
    found = survey(root, wanted)
    names = [name for name, held in sorted(found.exporters.items()) if held.number or (held.damaged and wanted.all)]
    leaving = _Leaving(root, found, names, word="purged", as_json=as_json)
    leaving.show(dry_run=dry_run)
    if dry_run:
        return

    def gone(name: str, moved: Callable[[int], object]) -> Removed:
        return remove(root, name, wanted.takes, damaged=wanted.all, moved=moved)

    if leaving.may(say("remove them for good? [y/N]"), yes=yes):
        leaving.go(gone, say("Removing"))
    leaving.tell()


class _Leaving:
    """Letters that are to leave, and what the operator is told of it.

    Args:
        names: The exporters whose letters may leave.
        word: What becomes of them, for programs.
        known: Those in the configuration.
        others: Those whose letters may not.
    """

    def __init__(
        self,
        root: Path,
        found: Survey,
        names: Sequence[str],
        *,
        word: str,
        as_json: bool,
        known: Set[str] = frozenset(),
        others: Set[str] = frozenset(),
    ) -> None:
        self._root = root
        self._found = found
        self._names = names
        self._word = word
        self._as_json = as_json
        self._others = sorted(others)
        self._unknown = sorted(set(names) - known)
        self._done: dict[str, Removed] = {}

    @property
    def bytes(self) -> int:
        """How much it is."""
        return sum(one.bytes for name in self._names for one in self._found.exporters[name].reasons.values())

    @property
    def number(self) -> int:
        """How many letters."""
        return sum(self._found.exporters[name].number for name in self._names)

    def show(self, *, dry_run: bool) -> None:
        """What it is about; to programs only if that is all."""
        held = {name: self._found.exporters[name] for name in self._names}
        if self._as_json:
            if dry_run:
                print_json({"would": {name: one.number for name, one in held.items()}, "left": self._others})
            return
        rows = [
            [name, reason, alike.number] for name, one in held.items() for reason, alike in sorted(one.reasons.items())
        ]
        if rows:
            print_table([say("exporter"), say("reason"), say("letters")], rows)
        click.echo(count("{number} dead letter", "{number} dead letters", self.number))
        for name in self._others:
            click.echo(
                say(
                    "{name} is not in the configuration: its letters stay; where it is made in code, name it: "
                    "--exporter {name}",
                    name=name,
                ),
                err=True,
            )
        tell_of_strange(self._found)

    def may(self, question: str, *, yes: bool) -> bool:
        """Whether to do it."""
        return bool(self._names) and may(question, yes=yes, quiet=self._as_json)

    def go(self, act: Callable[[str, Callable[[int], object]], Removed], label: str) -> None:
        """Do it, exporter by exporter."""
        length = sum(self._found.exporters[name].bytes for name in self._names)
        hidden = self._as_json or not sys.stderr.isatty()
        with (
            alone(self._root, wait_s=_WAIT_S),
            click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar,
        ):
            for name in self._names:
                self._done[name] = act(name, bar.update)

    def tell(self) -> None:
        """What has been done. Exits with 1 if something was left."""
        if self._as_json:
            done = {name: attrs.asdict(one) for name, one in self._done.items()}
            print_json({self._word: done, "left": self._others})
        else:
            for line in self._lines():
                click.echo(line)
        if self._others or self._names != [*self._done] or any(one.busy for one in self._done.values()):
            raise SystemExit(1)

    def _lines(self) -> Iterator[str]:
        for name, one in self._done.items():
            if self._word == "replayed":
                done = count(
                    "{name}: {number} letter given back", "{name}: {number} letters given back", one.letters, name=name
                )
            else:
                done = count(
                    "{name}: {number} letter removed", "{name}: {number} letters removed", one.letters, name=name
                )
            yield done
            yield from _besides(name, one)
        if self._word == "replayed" and any(one.letters for one in self._done.values()):
            yield say("a running application takes them up within a minute, otherwise its next start does")
            for name in self._unknown:
                yield say(
                    "{name} is not in the configuration: unless it is made in code, nobody takes them, and "
                    "spool.max_age_s gives them up",
                    name=name,
                )


def _besides(name: str, done: Removed) -> Iterator[str]:
    """What became of what is no letter, or could not be taken in hand."""
    if done.damaged:
        yield count(
            "{name}: {number} damaged place removed", "{name}: {number} damaged places removed", done.damaged, name=name
        )
    if done.busy:
        yield count(
            "{name}: {number} file left alone, for somebody has it in hand",
            "{name}: {number} files left alone, for somebody has them in hand",
            done.busy,
            name=name,
        )


def _check_room(root: Path, settings: Settings, leaving: _Leaving) -> None:
    """Refuse what the spool would give up for lack of room: letters would be lost, not delivered."""
    spool = settings.spool
    held_bytes, held_records = spool_holds(root)
    if held_bytes + leaving.bytes > spool.max_bytes or held_records + leaving.number > spool.max_records:
        raise StateError(
            f"the spool holds {held_records} interactions in {held_bytes // _MIB} MiB, and with these "
            f"{leaving.number} in {-(-leaving.bytes // _MIB)} MiB it would hold more than it may",
            fix="choose fewer of them with --since or --reason, wait until less is pending, or raise "
            "spool.max_bytes and spool.max_records",
            code="CX7008",
        )
