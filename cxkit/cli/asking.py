"""Asking before anything is done that cannot be undone."""

from __future__ import annotations

import sys

import click

from cxkit.cli.language import say

__all__ = ["may"]


def may(question: str, *, yes: bool, quiet: bool = False) -> bool:
    """Whether to do it: told so by ``--yes``, or by whoever sits there; if not, that is said.

    Args:
        quiet: Whether nobody may be asked, as where a program reads what is printed.
    """
    if yes:
        return True
    if quiet or not sys.stdin.isatty():
        click.echo(say("nothing was done, for nobody can be asked here: --yes does it"), err=True)
        return False
    answer = click.prompt(question, default="", show_default=False)
    if answer.strip().lower() in say("y yes").split():
        return True
    click.echo(say("nothing was done"), err=True)
    return False
