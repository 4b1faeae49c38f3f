"""``cxkit plugins``: which plugins are in use, and what they offer."""

from __future__ import annotations

import click

from cxkit.cli.terminal import json_option, print_json
from cxkit.registry import Registry
from cxkit.settings import load

__all__ = ["plugins"]


@click.command()
@json_option
def plugins(*, as_json: bool) -> None:
    """The plugins in use, the kinds they offer, and those that failed (then exits with 1)."""
    registry = Registry(load().plugins)
    offered = {
        "exporters": sorted(registry.exporters()),
        "stores": sorted(registry.stores()),
        "enrichers": sorted(registry.enrichers()),
        "deciders": sorted(registry.deciders()),
        "channels": sorted(registry.channels()),
        "tables": sorted(registry.tables()),
    }
    failed = {one.plugin: one.reason for one in registry.failures}
    if as_json:
        print_json({"plugins": sorted(registry.plugins), **offered, "failures": failed})
    else:
        click.echo(f"plugins    {', '.join(sorted(registry.plugins))}")
        for role, names in offered.items():
            click.echo(f"{role:<10} {', '.join(names) or '-'}")
        for plugin, reason in failed.items():
            click.echo(f"FAILED     {plugin}: {reason}", err=True)
    if failed:
        raise SystemExit(1)
