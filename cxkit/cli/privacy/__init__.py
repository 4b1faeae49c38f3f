"""``cxkit privacy``: what is held of somebody, for them; their leaving; and what is held for nothing."""

from __future__ import annotations

import click

from cxkit.cli.privacy.disclosing import disclose
from cxkit.cli.privacy.erasing import erase
from cxkit.cli.privacy.finding import find
from cxkit.cli.privacy.unused import unused

__all__ = ["privacy"]


@click.group()
def privacy() -> None:
    """What is held of somebody: find it, hand it to them, erase it; and what is held for nothing."""


privacy.add_command(find)
privacy.add_command(disclose)
privacy.add_command(erase)
privacy.add_command(unused)
