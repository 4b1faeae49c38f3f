"""``cxkit capture``: record one interaction by hand, such as a call or a visit to the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

import attrs
import click
import msgspec

from cxkit.api import Kit, Touchpoint, money, scope
from cxkit.api.declared import declare
from cxkit.capture.scope import current_scope
from cxkit.cli.language import say
from cxkit.cli.terminal import json_option, print_json
from cxkit.codec import NOBODY
from cxkit.delivery.losses import reasons_in
from cxkit.model import Evidence, TouchpointSpec
from cxkit.model.touchpoint import Direction, Kind, Nature, Presence, Stage
from cxkit.settings import load

__all__ = ["capture", "declared_options", "is_unnamed", "spec_of", "strict_kit"]


def declared_options(command: Any) -> Any:
    """Adds the options that say what a touchpoint is; `spec_of` takes them."""
    for option in (
        click.option("--kind", type=click.Choice(get_args(Kind)), default="action", help="What sort of contact it is."),
        click.option("--stage", type=click.Choice(get_args(Stage)), help="The stage of the relation."),
        click.option("--purpose", default="analytics", help="What it is captured for; the consent that governs it."),
        click.option("--nature", type=click.Choice(get_args(Nature)), help="Whom or what the customer met."),
        click.option("--presence", type=click.Choice(get_args(Presence)), default="offline", help="Where they met."),
        click.option("--direction", type=click.Choice(get_args(Direction)), default="inbound", help="Who acted."),
    ):
        command = option(command)
    return command


def spec_of(name: str, declared: dict[str, Any]) -> TouchpointSpec:
    """The touchpoint that the options describe.

    Raises:
        DeclarationError: The name or a word is not one, or the name is one of cxkit's own.
    """
    declare("touchpoint", name)
    return TouchpointSpec(name=name, **declared)


def strict_kit() -> Kit:
    """The kit of this directory; what is wrong with a capture is an error, for somebody is there to read it.

    Without an exporter it keeps what it is given where `cxkit dev` does: else nobody would ever see it.
    """
    settings = load()
    if not settings.exporters:
        settings = load(overrides={"development": True})
    return Kit(attrs.evolve(settings, strict=True))


def is_unnamed(name: str) -> bool:
    """Whether what was just captured under this name in the current scope says nobody's name, for want of a choice."""
    here = current_scope()
    prepared = None if here is None else here.prepared.get(name)
    return prepared is not None and prepared.subject == NOBODY and bool(here and here.identity)


@click.command()
@click.argument("name")
@click.option("-p", "--property", "properties", multiple=True, metavar="KEY=TEXT|KEY:=JSON", help="What it was about.")
@click.option("-i", "--identifier", "identifiers", multiple=True, metavar="TYPE=VALUE", help="Who it was.")
@click.option(
    "--evidence",
    type=click.Choice(get_args(Evidence)),
    default="claim",
    help="How surely that is known: login is proven.",
)
@click.option("--channel", help="Where it happened: phone, store, ...")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]), help="When; by default now.")
@click.option("--value", nargs=2, metavar="AMOUNT CURRENCY", help="What it was worth: 24.90 EUR.")
@click.option("--case", help="The support case it belongs to.")
@declared_options
@json_option
def capture(
    *,
    name: str,
    properties: Sequence[str],
    identifiers: Sequence[str],
    evidence: Evidence,
    channel: str | None,
    at: datetime | None,
    value: tuple[str, str] | None,
    case: str | None,
    as_json: bool,
    **declared: Any,
) -> None:
    """Record one interaction by hand, such as a call or a visit to the store.

    Consent holds here as everywhere: of somebody who has refused, nothing is kept; of somebody who
    has not chosen, nothing that says who it was.
    """
    touchpoint = Touchpoint[...](spec_of(name, declared))
    who, what = dict(_pair(one) for one in identifiers), dict(_property(one) for one in properties)
    kit = strict_kit()
    try:
        with scope(kit=kit, channel=channel, evidence=evidence, **who):
            id = touchpoint.on(value=money(*value) if value else None, at=at, case=case).capture(**what)
            unnamed = is_unnamed(name)
        refused = reasons_in(kit.intake.dropped)
    finally:
        flushed = kit.close()
    if as_json:
        print_json({"id": id, "unnamed": unnamed, "dropped": refused, "pending": flushed.pending})
    elif id is None:
        click.echo(say("nothing was kept: {reasons}", reasons=", ".join(refused)), err=True)
    else:
        click.echo(say("captured as {id}", id=id))
        if unnamed:
            click.echo(say("kept without identifiers: no choice of this person is known here"))
        for exporter, count in flushed.pending.items():
            click.echo(
                say("{exporter}: {count} not delivered yet; the next start goes on", exporter=exporter, count=count)
            )
    if id is None:
        raise SystemExit(1)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise click.BadParameter(say('"{text}" is not NAME=VALUE', text=text))
    return key, value


def _property(text: str) -> tuple[str, object]:
    key, is_json, value = text.partition(":=")
    if not is_json or "=" in key:
        return _pair(text)
    try:
        return key, msgspec.json.decode(value)
    except (msgspec.MsgspecError, ValueError) as error:
        raise click.BadParameter(say('"{text}" is not KEY:=JSON', text=text)) from error
