"""The command line: one file or folder per verb, imported when it is asked for. The rest is asked of the rooms below.

What verbs have in common: ``terminal`` and ``language``; ``local`` reads the local file, and ``checks``
is what `doctor` finds wrong.
"""

from __future__ import annotations

import os
from importlib import import_module
from keyword import iskeyword
from typing import Final

import click

from cxkit import __version__
from cxkit.cli.language import say, translate
from cxkit.cli.terminal import visible
from cxkit.errors import CXError

__all__ = ["main"]

VERBS: Final = {
    "config": "What is set, where it came from, and whether it is sound.",
    "doctor": "What is wrong here, and what to do about it.",
    "experiments": "What tests of variants have shown; which could be made.",
    "export": "Try an exporter.",
    "capture": "Record one interaction by hand.",
    "dead": "What other sides refused for ever: look, give back, remove.",
    "dev": "Run an application, and watch what it captures.",
    "identity": "Two people are one, or never were.",
    "init": "Add the middleware to your application.",
    "import": "Rows of a CSV file become interactions.",
    "insights": "First answers, each with its definition.",
    "journey": "What one person did, across channels and devices.",
    "plugins": "The plugins in use, and what they offer.",
    "privacy": "What is held of somebody: find, disclose, erase.",
    "schema": "Touchpoints as they are declared, and as they were captured.",
    "stats": "What became of everything captured here.",
    "tail": "What was captured, one line each, as it arrives.",
    "why": "Why a person is recognised, what they allow, what was decided.",
}
"""Each is a command of that name in a module of that name; the help lists them without importing them."""


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

        own = {*self.commands}
        try:
            Registry(load().plugins).add_commands(self)
        except CXError as error:  # what mends the configuration must run without one
            click.echo(str(error), err=True)
        for name in self.commands.keys() - own:
            translate(self.commands[name])


@click.group(cls=_Verbs)
@click.version_option(__version__)
def cli() -> None:
    """What cxkit does in this directory's application."""


def main() -> None:
    """Run the command line, plugins' commands included; an error of ours is one line and exit code 1."""
    try:
        translate(cli)
        cli(color=False if os.environ.get("NO_COLOR") else None)
    except CXError as error:
        raise SystemExit(visible(str(error))) from None
    except OSError as error:  # a file or directory that is not what it should be
        raise SystemExit(say("{path}: {reason}", path=error.filename or "-", reason=_reason(error))) from None


def _reason(error: OSError) -> str:
    if error.errno is None or error.strerror != os.strerror(error.errno):
        return str(error.strerror or error)  # in words of our own
    if isinstance(error, FileExistsError):
        return say("there is one of this name already: name another, or remove it")
    if isinstance(error, FileNotFoundError):
        return say("there is none of this name: see how it is spelt")
    if isinstance(error, PermissionError):
        return say("this user may not: see whose it is")
    return error.strerror
