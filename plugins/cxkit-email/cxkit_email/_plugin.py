"""What this plugin registers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cxkit.hookspecs import hookimpl
from cxkit.roles import Channel, Factory
from cxkit_email import channel

if TYPE_CHECKING:
    import click


@hookimpl
def cxkit_channels() -> Sequence[Factory[Channel]]:
    return [channel.FACTORY]


@hookimpl
def cxkit_commands(cli: click.Group) -> None:
    from cxkit.cli.language import add_texts  # what is imported here, only the command line needs
    from cxkit_email.commands import email

    add_texts("cxkit-email", Path(__file__).parent / "locale")
    cli.add_command(email)
