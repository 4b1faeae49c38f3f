"""``cxkit plugins``: which plugins are in use, and what they offer."""

from __future__ import annotations

import click

from cxkit.cli.language import say
from cxkit.cli.terminal import json_option, print_json, print_table, visible
from cxkit.registry import Registry
from cxkit.settings import load

__all__ = ["plugins"]


@click.command()
@click.option("--hooks", is_flag=True, help="Also the hooks that each implements, and what it came with.")
@json_option
def plugins(*, hooks: bool, as_json: bool) -> None:
    """The plugins in use, the kinds they offer, and those that failed (then exits with 1)."""
    registry = Registry(load().plugins)
    names = sorted(registry.plugins)
    offered = {
        "exporters": sorted(registry.exporters()),
        "stores": sorted(registry.stores()),
        "enrichers": sorted(registry.enrichers()),
        "deciders": sorted(registry.deciders()),
        "channels": sorted(registry.channels()),
        "tables": sorted(registry.tables()),
    }
    failed = {one.plugin: one.reason for one in registry.failures}
    implemented = {
        name: {"distribution": registry.distribution_of(name), "hooks": registry.hooks_of(name)} for name in names
    }
    if as_json:
        print_json({"plugins": names, **offered, **({"hooks": implemented} if hooks else {}), "failures": failed})
    else:
        _print_offered({"plugins": names, **offered})
        if hooks:
            click.echo()
            _print_hooks(registry, names)
        for plugin, reason in failed.items():
            click.echo(say("FAILED     {plugin}: {reason}", plugin=plugin, reason=visible(reason)), err=True)
    if failed:
        raise SystemExit(1)


def _print_offered(offered: dict[str, list[str]]) -> None:
    words = {
        "plugins": say("plugins"),
        "exporters": say("exporters"),
        "stores": say("stores"),
        "enrichers": say("enrichers"),
        "deciders": say("deciders"),
        "channels": say("channels"),
        "tables": say("tables"),
    }
    width = max(10, *map(len, words.values()))
    for role, names in offered.items():
        click.echo(f"{words[role]:<{width}} {', '.join(names) or '-'}")


def _print_hooks(registry: Registry, names: list[str]) -> None:
    rows = [[name, registry.distribution_of(name), ", ".join(registry.hooks_of(name)) or None] for name in names]
    print_table([say("plugin"), say("distribution"), say("hooks")], rows)
