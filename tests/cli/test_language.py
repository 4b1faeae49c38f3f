"""Everything the command line says is said in French as well, and nothing else is kept."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo

from cxkit.cli import VERBS
from tests.cli import texts
from tests.cli.terminal import cxkit, environment

FRENCH = {room: {message.id: message for message in texts.catalogue(room) if message.id} for room in texts.ROOMS}
SPACE = "\u00a0"
"""The one that does not break."""


def strings(text: Any) -> list[str]:
    """The forms of a text, one or two."""
    return [text] if isinstance(text, str) else [*text]


def placeholders(text: str) -> set[str]:
    return {f"{name}!{conversion}" for _, name, _, conversion in Formatter().parse(text) if name is not None}


in_each_room = pytest.mark.parametrize("room", texts.ROOMS, ids=lambda room: room.domain)


@in_each_room
def test_every_text_has_its_french(room: texts.Room) -> None:
    french = FRENCH[room]
    assert [
        text.id for text in texts.texts(room) if text.id not in french or not all(strings(french[text.id].string))
    ] == []


@in_each_room
def test_there_is_no_french_for_what_nobody_says(room: texts.Room) -> None:
    said = {text.id for text in texts.texts(room)}
    assert [id for id, message in FRENCH[room].items() if id not in said and not texts.is_of_click(message)] == []


@in_each_room
def test_what_is_compiled_is_what_is_written(room: texts.Room) -> None:
    with room.compiled.open("rb") as file:
        found = {(*strings(message.id),): strings(message.string) for message in read_mo(file) if message.id}
    assert found == {(*strings(id),): strings(message.string) for id, message in FRENCH[room].items()}


@pytest.mark.parametrize(
    "message",
    [message for room in texts.ROOMS for message in FRENCH[room].values()],
    ids=lambda message: strings(message.id)[0][:30],
)
def test_placeholders_and_typography_are_right(message: Message) -> None:
    english, french = strings(message.id), strings(message.string)
    assert [placeholders(text) for text in french] == [placeholders(text) for text in english]
    for text in french:
        assert re.match(" *", text)[0] == re.match(" *", english[0])[0]  # type: ignore[index]
        assert not re.search(rf"[^{SPACE}\s][;!?»](?=\s|$)|(?<=[^{SPACE}]):(?=\s|$)|[ ][;:!?%»](?=\s|$)", text)
        assert not re.search(rf"«(?!{SPACE})|\w'\w|\"", text)


def test_the_line_of_each_verb_fits_its_line() -> None:
    room = 80 - 2 - max(map(len, VERBS)) - 2 - 2
    french = FRENCH[texts.CORE]
    assert [french[line].string for line in VERBS.values() if len(french[line].string) > room] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("say('a {x}', x=1)", [("a {x}", None)]),
        ("count('one', 'many', 3)", [("one", "many")]),
        ("def f():\n    if x:\n        t = 'a'\n    else:\n        t = 'b'\n    say(t)", [("a", None), ("b", None)]),
    ],
)
def test_texts_are_found(source: str, found: list[tuple[str, str | None]]) -> None:
    assert [tuple(text) for text in texts.said(ast.parse(source), "x.py")] == found


@pytest.mark.parametrize(
    "source", ["say(text)", "say(f'a {x}')", "say('a' + b)", "def f(t):\n    say(t)", "count('a', b, 3)"]
)
def test_a_text_that_cannot_be_found_is_an_error(source: str) -> None:
    with pytest.raises(texts.NotLiteralError, match=r"x\.py"):
        list(texts.said(ast.parse(source), "x.py"))


# --- as it is spoken ---


@pytest.mark.parametrize("variable", ["LANGUAGE", "LC_ALL"])
def test_the_operator_is_answered_in_french(tmp_path: Path, variable: str) -> None:
    spoken = {"LANGUAGE": "", "LC_ALL": "", variable: {"LANGUAGE": "fr", "LC_ALL": "fr_FR.UTF-8"}[variable]}
    told = cxkit("stats", cwd=tmp_path, PYTHONIOENCODING="utf-8", **spoken)
    assert told.stdout.splitlines()[1:] == [
        "notées 0   mises en file 0   écartées avant la file 0",
        "rien n\u2019a encore été noté ici",
        "aucun exportateur n\u2019est configuré\u00a0: rien ne quitte cette machine",
        "le compte est juste",
    ]


def test_click_speaks_it_too(tmp_path: Path) -> None:
    help = cxkit("doctor", "--help", cwd=tmp_path, LANGUAGE="fr").stdout
    assert help.startswith("Utilisation\u00a0: cxkit doctor [OPTIONS]")
    assert "Options\u00a0:\n  --json  Pour les programmes.\n  --help  Afficher ce message et quitter.\n" in help
    wrong = cxkit("stat", cwd=tmp_path, LANGUAGE="fr")
    assert (wrong.returncode, "Erreur\u00a0: Il n\u2019y a pas de commande 'stat'." in wrong.stderr) == (2, True)


def test_a_plugin_may_speak_it_too(tmp_path: Path) -> None:
    said = Catalog(locale="fr", domain="deck")
    for english, french in (("Deal a card.", "Donner une carte."), ("directory", "jamais dit")):
        said.add(english, french)
    compiled = tmp_path / "fr" / "LC_MESSAGES" / "deck.mo"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(texts.compiled(said))
    program = (
        "import sys, pathlib; from cxkit.cli.language import add_texts, say;"
        "add_texts('deck', pathlib.Path(sys.argv[1]));"
        "print(say('Deal a card.'), say('directory'), say('Shuffle.'))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        env=environment(LANGUAGE="fr", PYTHONIOENCODING="utf-8"),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert told.stdout == "Donner une carte. r\u00e9pertoire Shuffle.\n"


def test_a_language_that_is_not_there_is_english(tmp_path: Path) -> None:
    assert "nothing was captured here yet" in cxkit("stats", cwd=tmp_path, LANGUAGE="de").stdout


def test_what_programs_read_is_the_same_in_every_language(tmp_path: Path) -> None:
    one, other = (cxkit("stats", "--json", cwd=tmp_path, LANGUAGE=language).stdout for language in ("en", "fr"))
    assert one == other
