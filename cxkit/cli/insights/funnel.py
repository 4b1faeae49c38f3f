"""``cxkit insights funnel``: how many get how far on a journey, and how long each of its steps takes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs
import click

from cxkit.capture.steps import declared
from cxkit.cli.insights import drawing
from cxkit.cli.insights.answer import Answer, Table, give
from cxkit.cli.insights.asking import Asked, asking, lasting
from cxkit.cli.language import count, nearest, say
from cxkit.cli.schema import imported
from cxkit.errors import DeclarationError
from cxkit.kit.assembly import build_journeys
from cxkit.model import JourneySpec
from cxkit.rules.measure import funnel as _funnel
from cxkit.settings import load

__all__ = ["funnel"]

_COLUMNS: Final = ("step", "name", "reached", "persons", "ended", "reached_per_mille", "median_ms")


@click.command()
@click.option("--journey", metavar="NAME", help="The journey, as it is configured or as MODULE declares it.")
@click.option("--steps", metavar="A,B,C", help="Or these steps: touchpoints, and routes of pages.")
@click.argument("module", required=False)
@asking
def funnel(asked: Asked, *, journey: str | None, steps: str | None, module: str | None) -> None:
    """How many get how far on a journey, and how long it takes.

    MODULE is imported for the journeys that it declares: name the one your application starts with.
    """
    spec = _wanted(journey, steps, module)
    found, left = asked.rows(_funnel.SQL, **_funnel.parameters(spec))
    rows = [_funnel.Step(*row) for row in found]
    begun = rows[0].reached
    answer = Answer(
        metric=_funnel.NAME,
        asked=asked.told(journey=journey, steps=list(spec.steps), window_s=spec.ends_after_s),
        tables=[_table(spec, rows)],
        notes=[_window(spec), *asked.left_out(left, found=bool(begun), of="runs")],
        definition=say(_funnel.DEFINITION),
        left_out=attrs.asdict(left),
        picture=partial(_picture, spec, rows),
    )
    give(answer, form=asked.form, output=asked.output)


def _wanted(journey: str | None, steps: str | None, module: str | None) -> JourneySpec:
    if (journey is None) == (steps is None):
        raise click.UsageError(say("give either --journey or --steps"))
    if module is not None:
        imported(module)
    if steps is not None:
        try:
            return JourneySpec(name="asked", steps=[one.strip() for one in steps.split(",")])
        except DeclarationError as error:
            raise click.BadParameter(f"{error.what}; {error.fix}", param_hint="--steps") from None
    known = {**declared, **build_journeys(load())}
    if journey not in known:
        what = say("there is no journey {name}; {fix}", name=str(journey), fix=nearest(str(journey), known))
        if module is None:
            more = say("name the module that declares it, the one your app starts with, as MODULE")
            what = say("{what}; {more}", what=what, more=more)
        raise click.BadParameter(what, param_hint="--journey")
    return known[str(journey)]


def _window(spec: JourneySpec) -> str:
    return say("A pause of {window} ends a run.", window=lasting(int(spec.ends_after_s * 1000)))


def _table(spec: JourneySpec, rows: Sequence[_funnel.Step]) -> Table:
    begun = rows[0].reached
    return Table(
        key="rows",
        columns=_COLUMNS,
        rows=[
            (one.number, name, one.reached, one.persons, one.ended, _per_mille(one.reached, begun), one.median_ms)
            for one, name in zip(rows, spec.steps, strict=True)
        ],
        heads=[
            say("step"),
            say("name"),
            say("reached"),
            say("of all"),
            say("persons"),
            say("ended"),
            say("median time"),
        ],
        cells=[
            (
                one.number,
                name,
                one.reached,
                _percent(one.reached, begun).rjust(7),
                one.persons,
                one.ended,
                None if one.median_ms is None else lasting(one.median_ms),
            )
            for one, name in zip(rows, spec.steps, strict=True)
        ],
    )


def _picture(spec: JourneySpec, rows: Sequence[_funnel.Step], twin: str, notes: Sequence[str]) -> str:
    begun, last = rows[0].reached, len(rows)
    shown = []
    for one, name in zip(rows, spec.steps, strict=True):
        ended = one.ended if one.number < last else 0
        told = count("{number} run", "{number} runs", one.reached) + f" ({_percent(one.reached, begun)})"
        if one.median_ms is not None:
            told = f"{told}, {lasting(one.median_ms)}"
        shown.append(drawing.Bar(name, (ended, one.reached - ended, begun - one.reached), told))
    words = drawing.Words(name=_funnel.NAME, title=say("Funnel"), notes=notes, twin=twin)
    return drawing.bars(words, (say("ended here"), say("got further, or completed it"), say("not reached")), shown)


def _per_mille(part: int, whole: int) -> int | None:
    return (2000 * part + whole) // (2 * whole) if whole else None


def _percent(part: int, whole: int) -> str:
    share = _per_mille(part, whole)
    return "-" if share is None else f"{share // 10}.{share % 10} %"
