"""``cxkit identity``: what an operator does where the graph may not guess: two people are one, or they never were."""

from __future__ import annotations

import click

from cxkit.cli.identity.merging import merge
from cxkit.cli.identity.unmerging import unmerge

__all__ = ["identity"]


@click.group()
def identity() -> None:
    """Merge two people who are one, and undo the latest merge of somebody."""


identity.add_command(merge)
identity.add_command(unmerge)
