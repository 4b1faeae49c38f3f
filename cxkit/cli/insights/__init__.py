"""``cxkit insights``: first answers from the local file, each with what exactly it means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import get_args

import attrs
import click

from cxkit.cli.insights import drawing
from cxkit.cli.insights.answer import Answer, Table, give
from cxkit.cli.insights.asking import Asked, asking, lasting
from cxkit.cli.insights.funnel import funnel
from cxkit.cli.insights.voice import voice
from cxkit.cli.language import count, say
from cxkit.model import Stage
from cxkit.rules.measure import bounce as _bounce
from cxkit.rules.measure import journeys as _journeys
from cxkit.rules.measure import stages as _stages

__all__ = ["insights"]


@click.group()
def insights() -> None:
    """First answers from the local file, each with its exact definition."""


insights.add_command(funnel)
insights.add_command(voice)

# --- bounce ---


@insights.command()
@click.option(
    "--by", type=click.Choice(_bounce.DIMENSIONS), default="device", show_default=True, help="What to compare."
)
@asking
def bounce(asked: Asked, *, by: _bounce.Dimension) -> None:
    """How many visits bounce, and of how many that is unknown."""
    found, left = asked.rows(_bounce.SQL, by=by)
    rows = [_bounce.Row(*row) for row in found]
    unknown, no_visit = sum(one.unknown for one in rows), sum(one.no_visit for one in rows)
    notes = []
    if unknown:
        notes.append(
            say("{number} unknown: one view, and no beacon that measured whether it was looked at.", number=unknown)
        )
    if no_visit:
        notes.append(
            count(
                "{number} session is no visit: only the company spoke.",
                "{number} sessions are no visits: only the company spoke.",
                no_visit,
            )
        )
    answer = Answer(
        metric=_bounce.NAME,
        asked=asked.told(by=by),
        tables=[_bounce_table(rows, by)],
        notes=[*notes, *asked.left_out(left, found=bool(rows))],
        definition=say(_bounce.DEFINITION),
        left_out=attrs.asdict(left),
        picture=partial(_bounce_picture, rows),
    )
    give(answer, form=asked.form, output=asked.output)


def _bounce_table(rows: Sequence[_bounce.Row], by: _bounce.Dimension) -> Table:
    shown = list(rows)
    if len(rows) > 1:
        sums = [sum(getattr(one, name) for one in rows) for name in ("bounced", "engaged", "unknown", "no_visit")]
        shown.append(_bounce.Row(say("all"), *sums))
    words = {"device": say("device"), "channel": say("channel"), "country": say("country"), "entry": say("entry")}
    return Table(
        key="rows",
        columns=["label", "bounced", "engaged", "unknown", "no_visit", "bounced_per_mille"],
        rows=[(one.label or None, one.bounced, one.engaged, one.unknown, one.no_visit, one.per_mille) for one in rows],
        heads=[words[by], say("bounce rate"), say("bounced"), say("engaged"), say("unknown")],
        cells=[(one.label or None, f"{_percent(one):>8}", one.bounced, one.engaged, one.unknown) for one in shown],
    )


def _bounce_picture(rows: Sequence[_bounce.Row], twin: str, notes: Sequence[str]) -> str:
    shown = [drawing.Bar(one.label or "-", (one.bounced, one.engaged, one.unknown), _in_words(one)) for one in rows]
    words = drawing.Words(name=_bounce.NAME, title=say("Bounce rate"), notes=notes, twin=twin)
    return drawing.bars(words, (say("bounced"), say("engaged"), say("unknown")), shown)


def _in_words(row: _bounce.Row) -> str:
    return say(
        "{rate}: {bounced} of {known}; {unknown} unknown",
        rate=_percent(row),
        bounced=row.bounced,
        known=row.bounced + row.engaged,
        unknown=row.unknown,
    )


def _percent(row: _bounce.Row) -> str:
    return "-" if row.per_mille is None else f"{row.per_mille // 10}.{row.per_mille % 10} %"


# --- journeys ---


@insights.command()
@click.option(
    "--depth",
    type=click.IntRange(1, _journeys.MAX_DEPTH),
    default=5,
    show_default=True,
    help="How many steps to follow.",
)
@click.option(
    "--top",
    type=click.IntRange(1, 50),
    default=7,
    show_default=True,
    help="How many names to tell apart; the rest is (other).",
)
@click.option("--paths", type=click.IntRange(0, 1000), default=10, show_default=True, help="How many paths to list.")
@click.option("--collapse", is_flag=True, help="Take repeats of a step for one.")
@asking
def journeys(asked: Asked, *, depth: int, top: int, paths: int, collapse: bool) -> None:
    """What follows what in a session, and the paths most taken."""
    own: dict[str, object] = {"depth": depth, "top": top, "paths": paths, "collapse": int(collapse)}
    found, left = asked.rows(_journeys.SQL, **own)
    walked = _journeys.Journeys.of_rows(found, depth=depth)
    answer = Answer(
        metric=_journeys.NAME,
        asked=asked.told(**own),
        tables=[_edges_table(walked.edges), _paths_table(walked.paths)],
        notes=asked.left_out(left, found=bool(found)),
        definition=say(_journeys.DEFINITION),
        left_out=attrs.asdict(left),
        picture=partial(_journeys_picture, walked.edges),
    )
    give(answer, form=asked.form, output=asked.output)


def _edges_table(edges: Sequence[_journeys.Edge]) -> Table:
    return Table(
        key="edges",
        columns=["step", "from", "to", "sessions"],
        rows=[attrs.astuple(one) for one in edges],
        heads=[say("step"), say("from"), say("to"), say("sessions")],
        cells=[(one.step, _named(one.origin), _named(one.target), one.sessions) for one in edges],
    )


def _paths_table(paths: Sequence[_journeys.Path]) -> Table:
    return Table(
        key="paths",
        columns=["steps", "ended", "sessions"],
        rows=[attrs.astuple(one) for one in paths],
        heads=[say("sessions"), say("path")],
        cells=[(one.sessions, " > ".join((*one.steps, say("(end)") if one.ended else "..."))) for one in paths],
    )


def _journeys_picture(edges: Sequence[_journeys.Edge], twin: str, notes: Sequence[str]) -> str:
    flows = [drawing.Flow(one.step, _named(one.origin), _named(one.target), one.sessions) for one in edges]
    deepest = max((one.step for one in edges), default=0) + 1
    columns = [say("step {number}", number=number) for number in range(1, deepest + 1)]
    words = drawing.Words(name=_journeys.NAME, title=say("Journeys"), notes=notes, twin=twin)
    return drawing.flows(words, columns, flows, frozenset({say("(other)"), say("(end)")}))


def _named(name: str) -> str:
    return {_journeys.END: say("(end)"), _journeys.OTHER: say("(other)")}.get(name, name)


# --- stages ---


@insights.command()
@asking
def stages(asked: Asked) -> None:
    """How people move between stages, and how long that takes."""
    found, left = asked.rows(_stages.SQL)
    moves = [_stages.Move(*row) for row in found]
    answer = Answer(
        metric=_stages.NAME,
        asked=asked.told(),
        tables=[_stages_table(moves)],
        notes=asked.left_out(left, found=bool(moves), of="people"),
        definition=say(_stages.DEFINITION),
        left_out=attrs.asdict(left),
        picture=partial(_stages_picture, moves),
    )
    give(answer, form=asked.form, output=asked.output)


def _stages_table(moves: Sequence[_stages.Move]) -> Table:
    return Table(
        key="rows",
        columns=["from", "to", "moves", "persons", "median_ms"],
        rows=[attrs.astuple(one) for one in moves],
        heads=[say("from"), say("to"), say("moves"), say("persons"), say("median dwell")],
        cells=[(one.origin, one.target, one.moves, one.persons, lasting(one.median_ms)) for one in moves],
    )


def _stages_picture(moves: Sequence[_stages.Move], twin: str, notes: Sequence[str]) -> str:
    seen = {name for one in moves for name in (one.origin, one.target)}
    known = [name for name in get_args(Stage) if name in seen]
    cells = {
        (one.origin, one.target): drawing.Cell(
            one.moves,
            [
                count("{number} move", "{number} moves", one.moves),
                count("{number} person", "{number} persons", one.persons),
                lasting(one.median_ms),
            ],
        )
        for one in moves
    }
    words = drawing.Words(name=_stages.NAME, title=say("Moves between stages"), notes=notes, twin=twin)
    return drawing.matrix(words, (say("from"), say("to")), [*known, *sorted(seen - set(known))], cells)
