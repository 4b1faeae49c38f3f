"""``cxkit email``: what a mail says and carries, and what came back. What each command needs it imports when it is run.

``known``     the keys and the store of this directory      ``inbox``     mails in files, folders and mailboxes
``mail``      what of us is in a mail that goes out         ``classify``  what they are, told and counted
``check``     the same, told                                ``words``     why they are taken for that
``findings``  what is wrong with it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from cxkit.cli.terminal import json_option

__all__ = ["email"]


@click.group()
def email() -> None:
    """What a mail carries, and what came back."""


@email.command("check")
@click.argument("message", type=click.Path(path_type=Path))
@json_option
def check_(*, message: Path, as_json: bool) -> None:
    """Explain a mail that is about to be sent, or was sent.

    MESSAGE is a file as servers pass mails on (.eml): its headers on the wire, how one leaves, which
    tokens of this application it carries, what is known of that message, what its signatures cover,
    which links are followed. Tells neither addresses nor tokens, and changes nothing. Exits with 1 if
    something is wrong.
    """
    from cxkit_email.commands.check import check

    check(message, as_json=as_json)


@email.command("classify")
@click.argument("paths", metavar="FILE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--report", is_flag=True, help="Hand what they say to the application's state, as receive() does.")
@json_option
def classify_(*, paths: Sequence[Path], report: bool, as_json: bool) -> None:
    """Say what mails are that came in, and why.

    FILE is one mail, or a mailbox (mbox); FOLDER a Maildir, or any folder of mails. A file is
    explained, what is in mailboxes and folders is counted. Tells neither addresses nor what was
    written. Changes nothing, unless --report is given. Exits with 1 if something could not be read, or
    there was no mail.
    """
    from cxkit_email.commands.classify import classify

    classify(paths, report=report, as_json=as_json)
