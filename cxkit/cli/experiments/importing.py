"""``cxkit experiments import``: what another product decides becomes tables of the configuration."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from cxkit.cli.experiments.growthbook import Imported, read_payload, units_in
from cxkit.cli.experiments.written import toml_of
from cxkit.cli.language import count, pair, say
from cxkit.cli.terminal import visible
from cxkit.flows.stance import SOURCES
from cxkit.model import ExperienceSpec
from cxkit.rules.experience import Chooser, check_together
from cxkit.settings import structure

__all__ = ["import_"]

_MAX_BYTES: Final = 64 * 1024 * 1024
_ACCOUNT: Final = re.compile(r"(?!.*anon).*(user|account|customer|member|login)", re.IGNORECASE)
_SUPPLIED: Final = {
    **dict.fromkeys(("country", "region", "city", "store", "fences", "market", "currency", "local_hour"), "cxkit-geo"),
    **dict.fromkeys(("device", "form"), "cxkit-device"),
    "acquisition": "cxkit-acquisition",
}
"""The plugin that an attribute is from; cxkit itself knows the others."""


class WrongPayloadError(click.ClickException):
    """The file as a whole is not what it should be: nothing of it comes over."""


@click.group("import")
def import_() -> None:
    """Experiments of another product become tables of cxkit.toml."""


@import_.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-u", "--unit", "units", multiple=True, metavar="ATTRIBUTE=TYPE", help="Which identifier divides people.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write; by default they are printed.")
def growthbook(*, file: Path, units: Sequence[str], output: Path | None) -> None:
    """Features of GrowthBook become experiences that decide the same.

    FILE is what its SDKs load: JSON with "features". Each attribute that divides people there is a
    type of identifier here: --unit id=visitor --unit userId=user_id. What cannot come over is said,
    feature by feature, and then it exits with 1.
    """
    payload = _payload(file)
    imported = read_payload(payload, units=_units(units, units_in(payload)))
    text = toml_of(imported.experiences)
    _check(text)
    if output is None:
        click.echo(text, nl=False)
    else:
        with output.open("x", encoding="utf-8") as written:
            written.write(text)
    _tell(imported)


def _payload(file: Path) -> Mapping[str, Any]:
    if file.stat().st_size > _MAX_BYTES:
        raise WrongPayloadError(say("{path} is longer than 64 MiB", path=file))
    try:
        payload = json.loads(file.read_bytes(), parse_constant=_none, parse_float=_finite)
        json.dumps(payload, ensure_ascii=False).encode()  # which half a character cannot be
    except (ValueError, RecursionError):
        raise WrongPayloadError(say("{path} is not JSON", path=file)) from None
    features = payload.get("features") if isinstance(payload, dict) else None
    if isinstance(payload, dict) and not features and "encryptedFeatures" in payload:
        raise WrongPayloadError(say("{path} is encrypted: load it with its key first", path=file))
    if not isinstance(features, dict) or not isinstance(payload.get("savedGroups") or {}, dict):
        raise WrongPayloadError(say('{path} has no "features": give what the SDK loads', path=file))
    return {**payload, "features": features}


def _none(constant: str) -> float:
    """NaN and infinity are no JSON."""
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _none(text)


def _units(given: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    units = dict[str, str]()
    for one in given:
        attribute, equals, kind = one.partition("=")
        if not (attribute and equals and kind):
            raise click.BadParameter(say('"{text}" is not ATTRIBUTE=TYPE', text=one))
        if units.setdefault(attribute, kind) != kind:
            raise click.BadParameter(say('"{text}": it is another type before', text=one))
    if missing := [one for one in wanted if one not in units]:
        flags = " ".join(f"--unit {one}={'user_id' if _ACCOUNT.match(one) else 'visitor'}" for one in missing)
        what = say(
            "say which identifiers divide people: an account's is user_id, a browser's is visitor; e.g. {flags}",
            flags=flags,
        )
        raise click.UsageError(what)
    return units


def _check(text: str) -> None:
    """What is given out can be loaded as it is."""
    specs = []
    for name, table in tomllib.loads(text).get("experiences", {}).items():
        specs.append(structure(ExperienceSpec, {"name": name, **table}, where=f"experiences.{name}"))
        Chooser(specs[-1])
    check_together(specs)


def _tell(imported: Imported) -> None:
    for note in imported.notes:
        place = (
            note.feature if note.rule is None else say("{feature}, rule {rule}", feature=note.feature, rule=note.rule)
        )
        mark = say("NOT IMPORTED") if note.lost else say("note")
        click.echo(pair(mark, f"{place} {note.what}"), err=True)
    for line in _attributes(imported.reads):
        click.echo(visible(line), err=True)
    experiments = len({one["name"] for table in imported.experiences.values() for one in table.get("experiments", ())})
    told = count("{number} experience", "{number} experiences", len(imported.experiences))
    tests = count("{number} experiment or rollout", "{number} experiments and rollouts", experiments)
    click.echo(f"{told}, {tests}", err=True)
    if experiments:
        what = say("who has not allowed analytics takes part in no experiment here, only in rollouts")
        click.echo(what, err=True)
    if any(note.lost for note in imported.notes):
        raise SystemExit(1)


def _attributes(reads: frozenset[str]) -> Iterator[str]:
    """Who says what conditions read."""
    if given := sorted(reads - SOURCES.keys()):
        yield say("your app gives, by given=: {names}", names=", ".join(given))
    if own := sorted(reads & SOURCES.keys()):
        names = ", ".join(f"{name} ({_SUPPLIED[name]})" if name in _SUPPLIED else name for name in own)
        yield say("cxkit's own, and given= never stands in for them: {names}", names=names)
