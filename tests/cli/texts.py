"""The texts of the command line, as its source has them; ``python -m tests.cli.texts`` brings catalogues up to date.

They are what ``say`` and ``count`` are called with, the help of each verb, its options and what is below it, and
the definitions of metrics. What comes from click is in the catalogue too, under the reference ``click``.
A plugin whose commands speak French has a catalogue of its own, of what cxkit does not say already.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from inspect import cleandoc
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

import click
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import cxkit.cli
from cxkit.cli import VERBS
from cxkit.rules import measure

_ALWAYS = datetime(2026, 11, 21, tzinfo=UTC)
CLICK = "click"
"""The reference of texts that click says."""


class Room(NamedTuple):
    """Where texts are said, and the catalogue of their French."""

    folder: Path
    domain: str

    @property
    def source(self) -> Path:
        return self.folder / "locale" / "fr" / "LC_MESSAGES" / f"{self.domain}.po"

    @property
    def compiled(self) -> Path:
        return self.source.with_suffix(".mo")


CORE = Room(Path(cxkit.cli.__file__).parent, "cxkit")
PLUGINS = tuple(
    Room(found.parent, found.parents[1].name)
    for found in sorted(Path(__file__).parents[2].glob("plugins/cxkit-*/cxkit_*/locale"))
)
ROOMS = (CORE, *PLUGINS)


class Text(NamedTuple):
    """A text in English, with its plural if it has one."""

    one: str
    many: str | None = None

    @property
    def id(self) -> str | tuple[str, str]:
        """How a catalogue calls it."""
        return self.one if self.many is None else (self.one, self.many)


class NotLiteralError(Exception):
    """A text that nobody can extract."""


def texts(room: Room = CORE) -> dict[Text, str]:
    """Each text, and a file that says it.

    Raises:
        NotLiteralError: What is said is not a literal.
    """
    found: dict[Text, str] = {}
    for path in sorted(room.folder.rglob("*.py")):
        place = path.relative_to(room.folder).as_posix()
        for text in said(ast.parse(path.read_text("utf-8")), place):
            found.setdefault(text, place)
    for place, text in (*_helps(), *_definitions()) if room == CORE else _helps_of_plugin(room):
        found.setdefault(Text(text), place)
    if room != CORE:
        for text in texts():
            found.pop(text, None)  # there it is found first
    return found


def said(tree: ast.Module, place: str) -> Iterator[Text]:
    """What a source says.

    Raises:
        NotLiteralError: A text that nobody can extract.
    """
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    within = {id(node): function for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("say", "count"):
            if ast.unparse(node.args[0]) in ("VERBS[name]",) or ast.unparse(node.args[0]).endswith(".DEFINITION"):
                continue  # gathered with the helps and the definitions
            several = [_literals(one, within.get(id(node))) for one in node.args[: 1 + (node.func.id == "count")]]
            if not all(several):
                raise NotLiteralError(f"{place}, line {node.lineno}: {ast.unparse(node)}")
            yield from (Text(*one) for one in zip(*several, strict=True))


def _literals(node: ast.expr, function: ast.AST | None) -> list[str]:
    """The text that is written there, or what a name in the same function was given."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Name) and function is not None:
        given = [
            one.value
            for one in ast.walk(function)
            if isinstance(one, ast.Assign) and any(isinstance(to, ast.Name) and to.id == node.id for to in one.targets)
        ]
        return [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return []


def _helps() -> Iterator[tuple[str, str]]:
    yield from _help_of(cxkit.cli.cli, "__init__.py")
    for verb, line in VERBS.items():
        name = verb + "_" * iskeyword(verb)
        yield "__init__.py", line
        yield from _help_of(getattr(import_module(f"cxkit.cli.{name}"), name), f"{name}.py")


def _helps_of_plugin(room: Room) -> Iterator[tuple[str, str]]:
    group = click.Group()
    import_module(f"{room.folder.name}._plugin").cxkit_commands(group)
    for command in group.commands.values():
        yield from _help_of(command, "_plugin.py")


def _help_of(command: click.Command, place: str) -> Iterator[tuple[str, str]]:
    if command.help:
        yield place, cleandoc(command.help)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            yield place, parameter.help
    if isinstance(command, click.Group) and command is not cxkit.cli.cli:
        for below in command.commands.values():
            yield from _help_of(below, place)


def _definitions() -> Iterator[tuple[str, str]]:
    for path in sorted(Path(measure.__file__).parent.glob("*.py")):
        definition = getattr(import_module(f"{measure.__name__}.{path.stem}"), "DEFINITION", None)
        if definition is not None:
            yield f"rules/measure/{path.name}", definition


# --- the catalogue --------------------------------------------------------------------------------


def catalogue(room: Room = CORE) -> Catalog:
    """The French texts as they are now."""
    with room.source.open("rb") as file:
        return read_po(file, locale="fr")


def is_of_click(message: Message) -> bool:
    return any(place == CLICK for place, _ in message.locations)


def compiled(source: Catalog) -> bytes:
    """What the program reads."""
    written = io.BytesIO()
    write_mo(written, source)
    return written.getvalue()


def updated(room: Room = CORE) -> Catalog:
    """The catalogue with exactly the texts there are: new ones are empty."""
    before = catalogue(room) if room.source.exists() else Catalog(locale="fr")
    after = Catalog(
        locale="fr",
        domain=room.domain,
        project=room.domain,
        version="1",
        header_comment="# The command line in French. Brought up to date by: python -m tests.cli.texts",
        last_translator="The cxkit authors",
        language_team="The cxkit authors",
        msgid_bugs_address="none",
        creation_date=_ALWAYS,
        revision_date=_ALWAYS,
        fuzzy=False,
    )
    for text, place in texts(room).items():
        held = before.get(text.one)
        after.add(text.id, held.string if held is not None and held.id == text.id else None, locations=[(place, None)])
    for message in before:
        if message.id and is_of_click(message):
            after.add(message.id, message.string, locations=[(CLICK, None)])
    return after


def main() -> None:
    """Bring the catalogues up to date; exits with 1 if texts are without French."""
    missing = []
    for room in ROOMS:
        source = updated(room)
        room.source.parent.mkdir(parents=True, exist_ok=True)
        with room.source.open("wb") as file:
            write_po(file, source, sort_by_file=True, width=120, omit_header=False, include_lineno=False)
        room.compiled.write_bytes(compiled(catalogue(room)))
        missing += [message.id for message in source if message.id and not all(_strings(message))]
    sys.exit("\n".join(map(str, missing)) or None)


def _strings(message: Message) -> list[str]:
    return [*message.string] if isinstance(message.string, tuple | list) else [message.string]


if __name__ == "__main__":
    main()
