"""The command line: one file per verb. Everything else is asked of the rooms below."""

from __future__ import annotations

import click

from cxkit.cli.plugins import plugins
from cxkit.cli.stats import stats
from cxkit.errors import CXError
from cxkit.registry import Registry
from cxkit.settings import load

__all__ = ["main"]


@click.group()
@click.version_option(package_name="cxkit")
def cli() -> None:
    """What cxkit does in this directory's application."""


cli.add_command(plugins)
cli.add_command(stats)


def main() -> None:
    """Run the command line, plugins' commands included; an error of ours is one line and exit code 1."""
    try:
        Registry(load().plugins).add_commands(cli)
        cli()
    except CXError as error:
        raise SystemExit(str(error)) from None
