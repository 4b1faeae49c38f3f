"""``cxkit experiments propose``: tests that could be made, and how small an effect they would show."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import click

from cxkit.cli.experiments.declared import module_option, specs
from cxkit.cli.experiments.written import value_of
from cxkit.cli.language import count, say
from cxkit.cli.local import file_option, open_local
from cxkit.cli.terminal import json_option, print_json, visible
from cxkit.model import JSON, ExperienceSpec, Variant
from cxkit.rules.measure.experiments import TRAFFIC_SQL
from cxkit.rules.measure.readout import detectable

__all__ = ["propose"]

_WEEKS: Final = (1, 2, 4)
_WEEK_MS: Final = 7 * 86_400_000
_ASSUMED: Final = 0.1
"""The share that reaches a goal, where it is not known."""


@attrs.frozen(kw_only=True)
class Proposal:
    """A test that could be made."""

    experience: str
    name: str
    variations: tuple[str, ...]
    audience: Mapping[str, JSON]
    """That of the variants, which the experiment takes over."""
    goal: str | None
    people: Mapping[int, int]
    """Weeks to how many were shown the first of the variants since."""
    share: float
    """Of them, who reached the goal since."""
    assumed: bool
    """Whether that is not known, but assumed."""
    detectable: Mapping[int, float | None]
    """Weeks to the least relative effect that is found four times in five; None: they are too few for any."""


@click.command()
@click.option("--goal", metavar="TOUCHPOINT", help="What is to be reached.")
@module_option
@file_option
@json_option
def propose(*, goal: str | None, module: str | None, file: Path | None, as_json: bool) -> None:
    """Which experiences could be tested, and what it would take.

    Those with a variant beside the fallback, and without a running experiment. Nothing is started or written: paste
    what you choose into cxkit.toml.
    """
    untested = [one for one in specs(module) if not any(test.active for test in one.experiments)]
    with open_local(file) as connection:
        connection.execute("BEGIN")  # one moment for all
        now_ms = time.time_ns() // 1_000_000
        found = [
            _proposal(connection, spec, variants, place, goal, now_ms)
            for spec in untested
            for place, variants in enumerate(_alike(spec), start=1)
        ]
    found.sort(key=lambda one: (-one.people[_WEEKS[-1]], one.experience, one.name))
    if as_json:
        print_json([attrs.asdict(one) for one in found])
        return
    if not found:
        click.echo(say("nothing to propose: every experience that is declared is tested, or has nothing to test"))
    for one in found:
        for line in _lines(one):
            click.echo(line)


def _alike(spec: ExperienceSpec) -> list[list[Variant]]:
    """The variants that are for the same people, together; those of an experiment, running or not, are left out."""
    tested = {name for one in spec.experiments for name in one.variations}
    found: dict[str, list[Variant]] = {}
    for variant in spec.variants:
        if variant.name not in tested:
            found.setdefault(json.dumps(variant.audience, sort_keys=True), []).append(variant)
    return list(found.values())


def _proposal(
    connection: sqlite3.Connection,
    spec: ExperienceSpec,
    variants: list[Variant],
    place: int,
    goal: str | None,
    now_ms: int,
) -> Proposal:
    people, share = {}, None
    for weeks in _WEEKS:
        asked = {"experience": spec.name, "shown_variant": variants[0].name, "goal": goal or ""}
        shown, reached = connection.execute(TRAFFIC_SQL, {**asked, "since_ms": now_ms - weeks * _WEEK_MS}).fetchone()
        people[weeks], share = shown, reached / shown if reached else None
    variations = (spec.fallback.name, *(one.name for one in variants))
    return Proposal(
        experience=spec.name,
        name=f"{spec.name.replace('.', '-')}-{place}",
        variations=variations,
        audience=variants[0].audience,
        goal=goal,
        people=people,
        share=share or _ASSUMED,
        assumed=share is None,
        detectable={weeks: _least(share or _ASSUMED, people[weeks], len(variations)) for weeks in _WEEKS},
    )


def _least(share: float, people: int, arms: int) -> float | None:
    """As a part of the share, of two of the arms."""
    least = detectable(share, 2 * people // arms)
    return None if least is None else least / share


# --- for people -----------------------------------------------------------------------------------


def _lines(one: Proposal) -> Iterator[str]:
    yield f"{one.experience}: {visible(', '.join(one.variations))}"
    for weeks in _WEEKS:
        people = count("{number} person", "{number} persons", one.people[weeks])
        least = one.detectable[weeks]
        effect = say("too few") if least is None else f"{100 * least:.0f} %"
        yield "  " + count(
            "in {number} week: {people}; least effect found four times in five: {effect}",
            "in {number} weeks: {people}; least effect found four times in five: {effect}",
            weeks,
            people=people,
            effect=effect,
        )
    share = f"{100 * one.share:.1f} %"
    if one.assumed:
        yield "  " + say(
            "assuming that {share} reach the goal: nobody did yet, or none is named by --goal", share=share
        )
    else:
        yield "  " + say("{share} of them reached {goal}", share=share, goal=one.goal or "")
    if one.audience:
        yield "  " + say("take the audience out of these variants: the experiment has it")
    yield from ("", *map(visible, _toml(one)), "")


def _toml(one: Proposal) -> Iterator[str]:
    yield f"[[experiences.{value_of(one.experience)}.experiments]]"
    yield f"name = {value_of(one.name)}"
    yield f"variations = {value_of(list(one.variations))}"
    yield f"goals = {value_of([one.goal] if one.goal else [])}"
    if one.audience:
        yield f"audience = {value_of(one.audience)}"
