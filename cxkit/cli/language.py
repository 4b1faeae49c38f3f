"""The language of the command line: the operator's own, English or French.

English texts are the keys; ``locale/`` holds the rest, and a plugin's own folder that of its commands. `gettext` takes
the language from ``LANGUAGE``, ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``, in this order.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Final

import click

from cxkit.cli.terminal import visible

__all__ = ["add_texts", "count", "nearest", "pair", "say", "translate"]

_DOMAIN: Final = "cxkit"
_LOCALE: Final = Path(__file__).parent / "locale"


def say(text: str, /, **values: object) -> str:
    """The text in the operator's language, with its ``{names}`` replaced, by what may stand on a terminal."""
    return _catalogue().gettext(text).format(**_visible(values)) if text else ""


def count(one: str, many: str, number: int, /, **values: object) -> str:
    """One text for one of something, another for many; ``{number}`` is the number."""
    return _catalogue().ngettext(one, many, number).format(number=number, **_visible(values))


def pair(name: object, value: object, /) -> str:
    """What something is called and what it is, with the colon of the operator's language."""
    return say("{name}: {value}", name=name, value=value)


def nearest(name: str, known: Iterable[str]) -> str:
    """As `cxkit.errors.nearest`, in the operator's language."""
    names = sorted(known)
    if close := get_close_matches(name, names, n=1):
        return say('did you mean "{name}"?', name=close[0])
    return say("known: {names}", names=", ".join(names)) if names else say("none are known here")


def _visible(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, int | float) else visible(str(value)) for name, value in values.items()}


def translate(command: click.Command) -> click.Command:
    """The command, its help and that of its options in the operator's language."""
    catalogue = _catalogue()
    if command.help:
        command.help = catalogue.gettext(cleandoc(command.help))
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = catalogue.gettext(parameter.help)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            translate(below)
    return command


@cache
def add_texts(domain: str, folder: Path) -> None:
    """Let `say`, `count` and the help of commands find the texts of a plugin, too, after those of cxkit.

    Args:
        domain: The name of its catalogues.
        folder: Where they are, as `gettext` has them: ``fr/LC_MESSAGES/DOMAIN.mo``.
    """
    _catalogue().add_fallback(gettext.translation(domain, str(folder), fallback=True))


@cache
def _catalogue() -> gettext.NullTranslations:
    gettext.bindtextdomain(_DOMAIN, str(_LOCALE))
    gettext.textdomain(_DOMAIN)  # for what click says: it asks for the texts of no domain in particular
    return gettext.translation(_DOMAIN, _LOCALE, fallback=True)
