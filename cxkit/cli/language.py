"""The language of the command line: the operator's own, English or French.

English texts are the keys; ``locale/`` holds the rest. `gettext` takes the language from
``LANGUAGE``, ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``, in this order.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

import click

__all__ = ["count", "say", "translate"]


def say(text: str, /, **values: object) -> str:
    """The text in the operator's language, with its ``{names}`` replaced."""
    return _catalogue().gettext(text).format(**values) if text else ""


def count(one: str, many: str, number: int, /, **values: object) -> str:
    """One text for one of something, another for many; ``{number}`` is the number."""
    return _catalogue().ngettext(one, many, number).format(number=number, **values)


def translate(command: click.Command) -> click.Command:
    """The command, its help and that of its options in the operator's language."""
    catalogue = _catalogue()
    if command.help:
        command.help = catalogue.gettext(command.help)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = catalogue.gettext(parameter.help)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            translate(below)
    return command


@cache
def _catalogue() -> gettext.NullTranslations:
    return gettext.translation("cxkit", Path(__file__).parent / "locale", fallback=True)
