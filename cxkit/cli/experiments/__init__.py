"""``cxkit experiments``: tests of variants, from their first day, or from where they ran before."""

from __future__ import annotations

import click

from cxkit.cli.experiments.importing import import_
from cxkit.cli.experiments.listing import list_
from cxkit.cli.experiments.propose import propose
from cxkit.cli.experiments.readout import readout
from cxkit.cli.experiments.ruling import conclude, start, stop

__all__ = ["experiments"]


@click.group()
def experiments() -> None:
    """Which tests of variants there are; start, stop, conclude them; what they have shown, and which could be made."""


experiments.add_command(conclude)
experiments.add_command(import_)
experiments.add_command(list_)
experiments.add_command(propose)
experiments.add_command(readout)
experiments.add_command(start)
experiments.add_command(stop)
