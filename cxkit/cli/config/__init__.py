"""``cxkit config``: what is set, where it came from, and whether it is sound."""

from __future__ import annotations

import attrs
import click
import msgspec

from cxkit.cli.checks.configuration import check_configuration, check_plugins
from cxkit.cli.checks.experiences import check_experiences
from cxkit.cli.checks.finding import fails, print_findings
from cxkit.cli.config.values import values_of
from cxkit.cli.language import say
from cxkit.cli.terminal import json_option, print_json, print_table, visible
from cxkit.kit.examination import examined

__all__ = ["config"]


@click.group()
def config() -> None:
    """What is set, where it came from, and whether it is sound."""


@config.command()
@click.option("--origin", is_flag=True, help="Also where each value came from.")
@json_option
def show(*, origin: bool, as_json: bool) -> None:
    """Show every setting and its value.

    Those of plugins are included, and secrets are masked. What is wrong is left out and told on
    standard error; then exits with 1.
    """
    found = examined()
    values = [*values_of(found.settings, found.registry)]
    if as_json:
        print_json({one.setting: {"value": one.value, "origin": one.origin} for one in values})
    else:
        heads = [say("setting"), say("value"), *([say("origin")] if origin else [])]
        print_table(heads, [[one.setting, _written(one.value), *([one.origin] if origin else [])] for one in values])
    for error in found.errors:
        click.echo(visible(str(error)), err=True)
    if found.errors:
        raise SystemExit(1)


@config.command()
@json_option
def check(*, as_json: bool) -> None:
    """Find all that is wrong with the configuration.

    Exits with 1 if anything is. A name in an experience that is nearly one of cxkit's is a warning. Nothing is
    connected to, and no file is made.
    """
    found = examined()
    findings = [*check_configuration(found), *check_plugins(found), *check_experiences(found)]
    if as_json:
        print_json({"sound": not fails(findings), "findings": [attrs.asdict(one) for one in findings]})
    elif findings:
        print_findings(findings)
    else:
        click.echo(say("nothing is wrong with the configuration"))
    if fails(findings):
        raise SystemExit(1)


def _written(value: object) -> str | None:
    """As it is written in the file; None if it is not set."""
    return None if value is None else msgspec.json.encode(value).decode()
