"""``cxkit schema``: touchpoints as they are declared, and whether what was captured agrees."""

from __future__ import annotations

import importlib
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import click
import msgspec

from cxkit.api import Touchpoint
from cxkit.api.declared import RESERVED
from cxkit.api.touchpoints import touchpoints
from cxkit.cli.language import count, say
from cxkit.cli.local import file_option, open_local
from cxkit.cli.schema.shapes import Property, json_type, properties_of
from cxkit.cli.terminal import json_option, print_json, print_table, visible

__all__ = ["imported", "schema"]

_OURS: Final = RESERVED | {"cxkit.export_tested", "cxkit.loss_report"}
_SEEN: Final = "SELECT name, kind, stage, channel, purpose, payload FROM interactions ORDER BY name"


@click.group()
def schema() -> None:
    """Touchpoints as they are declared, and as they were captured."""


@schema.command(name="list")
@click.argument("module", required=False)
@file_option
@json_option
def list_(*, module: str | None, file: Path | None, as_json: bool) -> None:
    """List the touchpoints that a module declares, or those of the local file.

    MODULE is imported: name the one your application starts with, such as shop.app.
    """
    if module is not None:
        rows = [_declared_row(one) for one in sorted(_declared_by(module).values(), key=lambda one: one.spec.name)]
    else:
        with open_local(file) as connection:
            rows = _seen_rows(connection)
    if as_json:
        print_json(rows)
        return
    heads = [say("name"), say("kind"), say("stage"), say("channel"), say("purpose"), say("properties")]
    print_table(heads, [[*list(row.values())[:5], ", ".join(row["properties"]) or None] for row in rows])


@schema.command()
@click.argument("module")
@file_option
@json_option
def check(*, module: str, file: Path | None, as_json: bool) -> None:
    """Compare what was captured with what a module declares.

    Found in the local file are touchpoints that nobody declares, properties that are unknown or
    missing, and values of another type; then exits with 1. MODULE is imported.
    """
    declared = _declared_by(module)
    with open_local(file) as connection:
        totals, found = _compared(connection, declared)
    findings = [
        {"name": name, **attrs.asdict(problem), "count": number, "of": totals[name]}
        for (name, problem), number in sorted(found.items(), key=_order)
    ]
    if as_json:
        print_json({"checked": totals.total(), "findings": findings})
    else:
        for one in findings:
            click.echo(visible(_in_words(**one)))
        click.echo(count("{number} interaction looked at", "{number} interactions looked at", totals.total()))
    if findings:
        raise SystemExit(1)


# --- what is declared -----------------------------------------------------------------------------


def _declared_by(module: str) -> dict[str, Touchpoint[...]]:
    """The touchpoints that importing a module declares."""
    before = set(touchpoints)
    imported(module)
    return {name: one for name, one in touchpoints.items() if name not in before}


def imported(module: str) -> None:
    """Import a module of the application, as if from its directory.

    Raises:
        click.BadParameter: There is none of that name, or it imports what there is not.
        click.ClickException: It fails.
    """
    sys.path.insert(0, str(Path.cwd()))
    try:
        importlib.import_module(module)
    except (ImportError, ValueError, TypeError) as error:
        what = say("{module} cannot be imported ({error})", module=module, error=visible(str(error)))
        raise click.BadParameter(what) from None
    except Exception as error:  # the module is the app's own: it may raise anything
        what = say("{module} fails when it is imported ({error})", module=module, error=type(error).__name__)
        raise click.ClickException(what) from error
    finally:
        sys.path.pop(0)


def _declared_row(touchpoint: Touchpoint[...]) -> dict[str, Any]:
    spec, properties = touchpoint.spec, properties_of(touchpoint.shape)
    shown = ["..."] if properties is None else [one.shown for one in properties]
    return {**_envelope(spec.name, spec.kind, spec.stage, spec.channel, spec.purpose), "properties": shown}


def _envelope(name: str, kind: str, stage: str | None, channel: str | None, purpose: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "stage": stage, "channel": channel, "purpose": purpose}


# --- what was captured ----------------------------------------------------------------------------


class _Content(msgspec.Struct):
    properties: dict[str, Any] = {}
    trimmed: dict[str, str] = {}


class _Payload(msgspec.Struct):
    data: _Content


_read: Final = msgspec.json.Decoder(_Payload).decode


def _seen_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, set[str]]] = {}
    for *envelope, payload in connection.execute(_SEEN):
        properties = found.setdefault(tuple(envelope), {})
        for key, value in _read(payload).data.properties.items():
            properties.setdefault(key, set()).add(json_type(value))
    return [
        {
            **_envelope(*envelope),
            "properties": [f"{key}: {'|'.join(sorted(types))}" for key, types in properties.items()],
        }
        for envelope, properties in found.items()
    ]


@attrs.frozen(kw_only=True)
class _Problem:
    problem: str
    """``undeclared``, ``missing``, ``unknown`` or ``type``."""
    property: str | None = None
    declared: str | None = None
    """Its types, where they are the problem."""
    found: str | None = None
    """The type that was found."""


def _compared(
    connection: sqlite3.Connection, declared: Mapping[str, Touchpoint[...]]
) -> tuple[Counter[str], Counter[tuple[str, _Problem]]]:
    """Touchpoint to how many were looked at, and each problem to how many have it."""
    shapes = {name: properties_of(one.shape) for name, one in declared.items()}
    totals, found = Counter[str](), Counter[tuple[str, _Problem]]()
    for name, _, _, _, _, payload in connection.execute(_SEEN):
        if name in _OURS:
            continue
        totals[name] += 1
        if name not in declared:
            found[name, _Problem(problem="undeclared")] += 1
        elif (promised := shapes[name]) is not None:
            found.update((name, problem) for problem in _problems(_read(payload).data, promised))
    return totals, found


def _problems(content: _Content, promised: Iterable[Property]) -> Iterator[_Problem]:
    """What is wrong with the properties of one interaction; what capture has changed is not judged."""
    known = {one.name: one for one in promised}
    for key, one in known.items():
        if one.required and key not in content.properties:
            yield _Problem(problem="missing", property=key)
    for key, value in content.properties.items():
        found = json_type(value)
        if key not in known:
            yield _Problem(problem="unknown", property=key, found=found)
        elif key not in content.trimmed and (types := known[key].types) is not None and found not in types:
            yield _Problem(problem="type", property=key, declared=known[key].types_shown, found=found)


def _order(item: tuple[tuple[str, _Problem], int]) -> tuple[str, ...]:
    (name, problem), _ = item
    return name, problem.property or "", problem.problem, problem.found or ""


def _in_words(**one: Any) -> str:
    if one["problem"] == "undeclared":
        return say("{name}: nobody declares it ({count} of {of})", **one)
    if one["problem"] == "missing":
        return say("{name}: {property} is missing ({count} of {of})", **one)
    if one["problem"] == "unknown":
        return say("{name}: {property} is not declared ({count} of {of})", **one)
    return say("{name}: {property} is {found}, declared is {declared} ({count} of {of})", **one)
