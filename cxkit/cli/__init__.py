"""The command line: one file per verb, imported when it is asked for. Everything else is asked of the rooms below.

``terminal`` and ``language`` are what the verbs have in common.
"""

from __future__ import annotations

import os
from importlib import import_module
from keyword import iskeyword
from typing import Final

import click

from cxkit.cli.language import say, translate
from cxkit.errors import ConfigurationError, CXError

__all__ = ["main"]

VERBS: Final = {
    "plugins": "The plugins in use, and what they offer.",
    "stats": "What became of everything captured here.",
}
"""Each is a command of that name in a file of that name; the help lists them without importing them."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        self._add_plugins()
        return sorted({*VERBS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            if cmd_name not in self.commands:
                name = cmd_name + "_" * iskeyword(cmd_name)
                self.add_command(translate(getattr(import_module(f"cxkit.cli.{name}"), name)), cmd_name)
        elif cmd_name not in self.commands:
            self._add_plugins()
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, say(VERBS[name]) if name in VERBS else self.commands[name].get_short_help_str())
            for name in self.list_commands(ctx)
        ]
        with formatter.section(say("Commands")):
            formatter.write_dl(rows)

    def _add_plugins(self) -> None:
        from cxkit.registry import Registry
        from cxkit.settings import load

        try:
            Registry(load().plugins).add_commands(self)
        except ConfigurationError as error:  # what mends the configuration must run without one
            click.echo(str(error), err=True)


@click.group(cls=_Verbs)
@click.version_option(package_name="cxkit")
def cli() -> None:
    """What cxkit does in this directory's application."""


def main() -> None:
    """Run the command line, plugins' commands included; an error of ours is one line and exit code 1."""
    try:
        translate(cli)
        cli(color=False if os.environ.get("NO_COLOR") else None)
    except CXError as error:
        raise SystemExit(str(error)) from None
