"""``cxkit export``: try an exporter."""

from __future__ import annotations

import attrs
import click
import msgspec

from cxkit.capture.stamp import Stamper
from cxkit.cli.language import say
from cxkit.cli.terminal import json_option, print_json, visible
from cxkit.codec import encode
from cxkit.kit.assembly import build_exporter
from cxkit.model import Interaction
from cxkit.registry import Registry
from cxkit.roles import Batch, Exporter, Outcome, Previewing
from cxkit.settings import Settings, load

__all__ = ["export"]


@click.group()
def export() -> None:
    """Try an exporter."""


@export.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show what would leave, and let nothing leave.")
@json_option
def test(*, name: str, dry_run: bool, as_json: bool) -> None:
    """Hand one interaction to an exporter, and say how that ended.

    NAME is that of its table. The interaction, cxkit.export_tested, holds no personal data and
    passes by the spool. Exits with 1 if it is not delivered.
    """
    settings = load()
    if name not in settings.exporters:
        names = ", ".join(settings.exporters) or "-"
        raise click.BadParameter(say("no exporter has this name; those in the configuration: {names}", names=names))
    exporter = build_exporter(Registry(settings.plugins), settings, name)
    try:
        batch = _sample(settings)
        if dry_run:
            _show(exporter, batch, as_json=as_json)
        else:
            _try(name, exporter, batch, deadline_s=settings.exporters[name].deadline_s, as_json=as_json)
    finally:
        exporter.close()


def _sample(settings: Settings) -> Batch:
    stamper = Stamper()
    sample = Interaction(
        id=stamper.stamp()[0],
        occurred_at=stamper.now(),
        name="cxkit.export_tested",
        source=f"/{settings.service}",
        purpose="necessary",
        consent={"necessary": True},
    )
    return Batch(f"test-{sample.id}", (encode(sample),))


def _show(exporter: Exporter, batch: Batch, *, as_json: bool) -> None:
    preview = exporter.preview(batch) if isinstance(exporter, Previewing) else None
    if as_json:
        print_json({"preview": preview, "payloads": [msgspec.Raw(one) for one in batch.payloads]})
    elif preview is not None:
        click.echo(preview)
    else:
        click.echo(say("this type of exporter cannot show what leaves; it would be given:"))
        for payload in batch.payloads:
            click.echo(payload)


def _try(name: str, exporter: Exporter, batch: Batch, *, deadline_s: float, as_json: bool) -> None:
    try:
        outcome = exporter.export(batch, deadline_s=deadline_s)
    except Exception as error:  # noqa: BLE001 - a stranger's code; a lane takes it the same way
        outcome = Outcome.retry(type(error).__name__)
    if as_json:
        print_json({**attrs.asdict(outcome), "again": sorted(outcome.again)})
    else:
        click.echo(_in_words(name, outcome))
    if outcome.verdict != "delivered":
        raise SystemExit(1)


def _in_words(name: str, outcome: Outcome) -> str:
    reason = visible(outcome.rejected.get(0) or outcome.reason)
    if outcome.verdict == "delivered":
        return say("{name}: delivered", name=name)
    if outcome.verdict == "retry":
        return say("{name}: not delivered ({reason}); the application would try again", name=name, reason=reason)
    if outcome.verdict == "pause":
        return say("{name}: refused ({reason}); nothing is accepted until somebody mends it", name=name, reason=reason)
    return say("{name}: refused for ever ({reason}); it would become a dead letter", name=name, reason=reason)
