"""``cxkit experiments readout``: what an experiment has shown, and whether it may be decided upon."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import get_args

import attrs
import click
import msgspec

from cxkit.cli.capture import strict_kit
from cxkit.cli.experiments.apart import who_took_no_part
from cxkit.cli.experiments.declared import Declared, find, module_option
from cxkit.cli.experiments.page import page
from cxkit.cli.experiments.wording import alarms, reasons, sentences, status, tables
from cxkit.cli.language import say
from cxkit.cli.local import file_option, open_local
from cxkit.cli.terminal import json_option, print_json, visible
from cxkit.codec import decode
from cxkit.flows.readouts import tell_readout
from cxkit.flows.rulings import RULED
from cxkit.model.touchpoint import TOUCHPOINT
from cxkit.rules.measure import experiments as _experiments
from cxkit.rules.measure.experiments import NEVER_MS, PERSONAL_SQL, SQL, Dimension
from cxkit.rules.measure.readout import LEAST_GROUP, Design, Readout, Tally, read, shareable

__all__ = ["readout"]

_FIELDS = [one.name for one in attrs.fields(Tally)]


def _dimensions(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    known: tuple[str, ...] = get_args(Dimension)
    given = tuple(dict.fromkeys(one.strip() for one in (text or "").split(",") if one.strip()))
    if any(one not in known for one in given):
        raise click.BadParameter(say("name some of {known}", known=", ".join(known)), ctx=context, param=parameter)
    return given


def _goals(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for one in given:
        if not TOUCHPOINT.fullmatch(one):
            raise click.BadParameter(say('"{text}" is no touchpoint', text=one), ctx=context, param=parameter)
    return given


@click.command()
@click.argument("name")
@click.option(
    "--goal",
    "goals",
    multiple=True,
    callback=_goals,
    metavar="TOUCHPOINT",
    help="What was to be reached, instead of what is declared.",
)
@click.option("--by", metavar="NAMES", callback=_dimensions, help="Groups, too: device,language,country, or some.")
@module_option
@file_option
@json_option
@click.option(
    "--html", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with a picture to this file."
)
@click.option("--share", is_flag=True, help="Capture it, so that it goes to exporters: without small groups.")
def readout(
    *,
    name: str,
    goals: tuple[str, ...],
    by: tuple[str, ...],
    module: str | None,
    file: Path | None,
    as_json: bool,
    to: Path | None,
    share: bool,
) -> None:
    """What the experiment or holdout NAME has shown, if it may be decided on.

    Of a holdout, whom experiments may reach stand beside those whom none does: name a --goal. Where an
    experiment has a planned number of units, the interval as planned is shown once all of them have come;
    that at any time is shown always.
    """
    declared = find(name, module)
    found = _read(declared, declared.design(goals=goals), by, file)
    if to is not None:
        _write(to, page(found, declared.about))
    if as_json:
        print_json(_as_json(found, declared))
    else:
        _tell(found, declared, who_took_no_part(declared, file) if "nobody" in found.reasons else ())
    if share:
        _share(found, declared)


def _read(declared: Declared, design: Design, by: Sequence[str], file: Path | None) -> Readout:
    goals = design.goals or ("",)
    with open_local(file) as connection:
        connection.execute("BEGIN")  # one moment for all
        design = attrs.evolve(design, ended_ms=_ended(connection, design))
        asked = {"experiment": design.experiment, "version": design.version, "until_ms": design.ended_ms or NEVER_MS}

        def tallies(dimension: str) -> dict[str, list[Tally]]:
            return {goal: _tallies(connection, {**asked, "goal": goal, "by": dimension}) for goal in goals}

        return read(
            design,
            tallies(""),
            by={dimension: tallies(dimension) for dimension in by},
            personal={one: _personal(connection, declared.experiences, one) for one in by},
        )


def _personal(connection: sqlite3.Connection, experiences: Sequence[str], dimension: str) -> dict[str, tuple[int, int]]:
    """Label to who was shown one of the experiences, and to whom of them a personal decision: once for each of them."""
    total, personal = Counter[str](), Counter[str]()
    for one in experiences:
        for label, many, of_them in connection.execute(PERSONAL_SQL, {"experience": one, "by": dimension}):
            total[label] += many
            personal[label] += of_them
    return {label: (total[label], personal[label]) for label in total}


def _ended(connection: sqlite3.Connection, design: Design) -> int | None:
    """When it was stopped or concluded, and not started again."""
    ended = None
    ruled = "SELECT at_ms, payload FROM interactions WHERE name = ? ORDER BY at_ms, id"
    for at_ms, payload in connection.execute(ruled, (RULED.name,)):
        said = decode(payload.encode() if isinstance(payload, str) else payload).properties
        if (said.get("experiment"), said.get("version")) == (design.experiment, design.version):
            ended = None if said.get("running") else ended or at_ms
    return ended


def _tallies(connection: sqlite3.Connection, asked: dict[str, object]) -> list[Tally]:
    return [Tally(**dict(zip(_FIELDS, row, strict=True))) for row in connection.execute(SQL, asked)]


def _as_json(found: Readout, declared: Declared) -> dict[str, object]:
    return {
        "experiences": list(declared.experiences),
        "ready": found.ready,
        **msgspec.to_builtins(attrs.asdict(found)),
        "definition": _experiments.DEFINITION,
    }


def _tell(found: Readout, declared: Declared, apart: Iterable[str]) -> None:
    click.echo(
        say(
            "{experiment}, {about}: {status}",
            experiment=found.experiment,
            about=declared.about,
            status=status(found),
        )
    )
    for one in (*reasons(found), *apart, *alarms(found)):
        click.echo(f"- {one}")
    for table in tables(found):
        click.echo()
        for line in table.lines:
            click.echo(line)
    click.echo()
    for one in sentences(found):
        click.echo(one)
    click.echo()
    width = min(100, get_terminal_size().columns)
    click.echo(click.wrap_text(say("Definition: {text}", text=say(_experiments.DEFINITION)), width))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise click.FileError(visible(str(path)), error.strerror or "") from error
    click.echo(say("Written to {path}", path=visible(str(path))), err=True)


def _share(found: Readout, declared: Declared) -> None:
    told = shareable(found)
    kit = strict_kit()
    try:
        tell_readout(kit.desk, kit.root_scope, _as_json(told, declared))
    finally:
        pending = kit.close().pending
    click.echo(say("shared as experiment.read"), err=True)
    if len(told.lines) < len(found.lines):
        what = say("not shared: groups of fewer than {least} units, and what would give them away", least=LEAST_GROUP)
        click.echo(what, err=True)
    for exporter, number in pending.items():
        click.echo(
            say("{exporter}: {count} not delivered yet; the next start goes on", exporter=exporter, count=number),
            err=True,
        )
