"""The local file on the command line: the right one is found, and so is who is meant."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from cxkit.cli.local import file_option, local_path, open_local, shown, subjects, typed
from cxkit.cli.local.person import read_person
from cxkit.errors import CXError, LocalFileError
from cxkit.exporters.local import read
from cxkit.flows.identify import identifiers_of
from cxkit.kit.assembly import open_keyring
from cxkit.settings import Settings, load
from tests.exporters.happened import happened, keep


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(overrides={"directory": str(tmp_path / "of_cxkit")})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "local.db"


def configured(text: str) -> Settings:
    Path("cxkit.toml").write_text(text, "utf-8")
    return load()


# --- Which file -----------------------------------------------------------------------------------


@click.command()
@file_option
def names(file: Path | None) -> None:
    with open_local(file) as connection:
        click.echo(json.dumps([row["name"] for row in connection.execute("SELECT name FROM events")]))


def test_the_file_given_comes_first() -> None:
    keep(Path("configured.db"), happened(name="not.this"))
    keep(Path("given.db"), happened(name="this.one"))
    configured('[exporters.mine]\ntype = "local"\npurposes = ["analytics"]\npath = "configured.db"\n')
    assert CliRunner().invoke(names, ["--file", "given.db"]).output == '["this.one"]\n'
    assert CliRunner().invoke(names, []).output == '["not.this"]\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ".cxkit/local.db"),
        ('directory = "kept"\n', "kept/local.db"),
        ('[exporters.a]\ntype = "console"\npath = "no.db"\n[exporters.b]\ntype = "local"\npath = "b.db"\n', "b.db"),
        ('[exporters.b]\ntype = "local"\n[exporters.a]\ntype = "local"\npath = "a.db"\n', ".cxkit/local.db"),
        ("development = true\n", ".cxkit/local.db"),
    ],
)
def test_the_file_is_that_of_the_first_local_exporter(text: str, expected: str) -> None:
    assert local_path(None, configured(text)).absolute() == Path(expected).absolute()


def test_a_wrong_setting_of_it_is_named() -> None:
    with pytest.raises(CXError, match=r"exporters\.b\.max_rows"):
        local_path(None, configured('[exporters.b]\ntype = "local"\nmax_rows = "many"\n'))


def test_where_there_is_none_it_says_how_to_get_one() -> None:
    with pytest.raises(LocalFileError) as refused, open_local(None):
        pass
    assert refused.value.code == "CX6101"
    assert "cxkit dev -- COMMAND" in refused.value.fix
    assert not Path(".cxkit").exists()


# --- Who ------------------------------------------------------------------------------------------


def who(path: Path, text: str, settings: Settings) -> list[str]:
    with read(path) as connection:
        return subjects(connection, text, settings)


def refusal(path: Path, text: str, settings: Settings) -> LocalFileError:
    with pytest.raises(LocalFileError) as refused:
        who(path, text, settings)
    assert not any(part in str(refused.value) for part in ("nancy", "7f3a", "8b1c", "+33", "51fe"))
    return refused.value


def contact(settings: Settings, **values: str) -> str:
    (one,) = identifiers_of(open_keyring(settings, in_memory=False, shared=False), values, evidence="login")
    return f"{one.type}:{one.value}"


def test_a_name_is_a_user_id(path: Path, settings: Settings) -> None:
    keep(path, happened("login user_id:nancy", "cookie visitor:7f3a"), happened("login user_id:nan"))
    for text in ("nancy", "user_id:nancy", " nancy ", "visitor:7f3a"):
        assert who(path, text, settings) == ["user_id:nancy"]
    assert who(path, "nan", settings) == ["user_id:nan"]
    assert refusal(path, "nanc", settings).code == "CX6105"  # not the beginning of a name: it is somebody else's


def test_a_name_with_a_colon(path: Path, settings: Settings) -> None:
    keep(path, happened("login user_id:urn:customer:5"))
    for text in ("urn:customer:5", "user_id:urn:customer:5"):
        assert who(path, text, settings) == ["user_id:urn:customer:5"]


def test_a_type_that_is_known_and_a_value_as_python_spells_them(path: Path, settings: Settings) -> None:
    keep(path, happened("login user_id:nancy", "cookie visitor:7f3a=b"), happened("login user_id:plan=gold"))
    for text in ("user_id=nancy", "visitor=7f3a=b", "visitor:7f3a=b"):
        assert who(path, text, settings) == ["user_id:nancy"]
    assert who(path, "plan=gold", settings) == ["user_id:plan=gold"]
    assert who(path, "user_id:plan=gold", settings) == ["user_id:plan=gold"]


def test_who_is_not_linked_is_themselves(path: Path, settings: Settings) -> None:
    keep(path, happened("cookie visitor:7f3a2b1c9d0e"))
    assert who(path, "visitor:7f3a2b1c9d0e", settings) == ["visitor:7f3a2b1c9d0e"]


def test_a_beginning_is_enough_for_what_nobody_types(path: Path, settings: Settings) -> None:
    keep(path, happened("cookie visitor:7f3a2b1c"), happened("cookie visitor:7f3a8b1c"))
    assert who(path, "visitor:7f3a2", settings) == ["visitor:7f3a2b1c"]
    ambiguous = refusal(path, "visitor:7f3a", settings)
    assert (ambiguous.code, ambiguous.what[:2]) == ("CX6106", "2 ")
    keep(path, happened("login user_id:nancy", "cookie visitor:7f3a2b1c"))
    assert who(path, "visitor:7f3a2", settings) == ["user_id:nancy"]
    keep(path, happened("login user_id:nancy", "cookie visitor:7f3a8b1c"))
    assert who(path, "visitor:7f3a", settings) == ["user_id:nancy"]  # both are hers


def test_one_value_may_be_the_beginning_of_another(path: Path, settings: Settings) -> None:
    keep(path, happened("cookie visitor:7f3a"), happened("cookie visitor:7f3a8b1c"))
    assert who(path, "visitor:7f3a", settings) == ["visitor:7f3a"]


def test_a_contested_device_is_whoever_uses_it(path: Path, settings: Settings) -> None:
    device = "cookie visitor:7f3a2b1c9d0e"
    keep(path, happened("login user_id:ann", device), happened("login user_id:bob", device))
    assert who(path, "visitor:7f3a2b", settings) == ["user_id:ann"]  # nobody else's yet
    keep(path, visit := happened(device))
    (nobody,) = who(path, "visitor:7f3a2b", settings)
    assert nobody not in ("user_id:ann", "user_id:bob", "visitor:7f3a2b1c9d0e")
    assert who(path, nobody, settings) == who(path, "visitor:7f3a2b1c9d0e", settings) == [nobody]
    assert shown(nobody) == "visitor 7f3a2b1c"
    assert who(path, typed(nobody), settings) == [nobody]
    assert read_person_ids(path, nobody, settings) == [visit.id]


def read_person_ids(path: Path, text: str, settings: Settings) -> list[str]:
    with read(path) as connection:
        return [one.interaction.id for one in read_person(connection, text, settings).seen]


def test_a_file_of_an_earlier_version_answers(path: Path, settings: Settings) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((Path(__file__).parent.parent / "exporters" / "test_local_1.sql").read_text())
    assert who(path, "nancy", settings) == who(path, "visitor:b", settings) == ["user_id:nancy"]
    assert len(read_person_ids(path, "nancy", settings)) == 6
    assert refusal(path, "otto", settings).code == "CX6105"


@pytest.mark.parametrize(
    ("kept", "typed"),
    [
        ({"phone": "+33 6 39 98 12 34"}, "phone:+33639981234"),
        ({"phone": "+33639981234"}, "phone:+33 6.39.98.12.34"),
        ({"email": "nancy@example.org"}, "email: Nancy@Example.ORG"),
    ],
)
def test_contacts_are_found_as_capture_keeps_them(path: Path, settings: Settings, kept: Any, typed: str) -> None:
    subject = contact(settings, **kept)
    keep(path, happened(f"claim {subject}"))
    assert who(path, typed, settings) == [subject]
    assert who(path, subject, settings) == [subject]
    assert who(path, subject[:14], settings) == [subject]  # as it is shown
    keep(path, happened("login user_id:nancy", f"login {subject}"))
    assert who(path, typed, settings) == ["user_id:nancy"]


@pytest.mark.parametrize(
    "text",
    [
        "phone:+33699",
        "email:x@example.org",
        "visitor:ff",
        "visitor:",
        "phone:",
        "bob",
        "null",
        "",
        "\udcff",
        "phone:\udcff",
    ],
)
def test_nobody_is_found_by_what_is_not_there(path: Path, settings: Settings, text: str) -> None:
    keep(path, happened("login user_id:nancy", f"login {contact(settings, phone='+33639981234')}"))
    assert refusal(path, text, settings).code == "CX6105"


def test_look_alike_letters_are_other_letters(path: Path, settings: Settings) -> None:
    keep(path, happened("login user_id:nancy"))
    assert refusal(path, "n\N{CYRILLIC SMALL LETTER A}ncy", settings).code == "CX6105"


def test_a_type_that_is_misspelt_is_told(path: Path, settings: Settings) -> None:
    keep(path, happened("cookie visitor:7f3a"), happened("login user_id:nancy", "login phone:51fe"))
    assert refusal(path, "vistor:7f3a", settings).fix == 'did you mean "visitor"?'
    assert refusal(path, "visitor:0000", settings).fix.startswith("see")
    assert refusal(path, "loyalty:5", settings).fix == "known: phone, user_id, visitor"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("visitor:7f3a2b1c9d0e", "visitor 7f3a2b1c"),
        ("user_id:nancy", "user_id nancy"),
        ("phone:51fe0a9dffff", "phone 51fe0a9d"),
        ("loyalty:A-123456789", "loyalty A-123456789"),
        ("user_id:\x1b[31mred", r"user_id \x1b[31mred"),
    ],
)
def test_how_somebody_is_called(subject: str, expected: str) -> None:
    assert shown(subject) == expected


@pytest.mark.parametrize(
    "subject", ["visitor:7f3a2b1c9d0e", "user_id:nancy", "phone:51fe0a9dffff", "loyalty:A-123456789"]
)
def test_who_was_seen_is_found_as_they_are_typed(subject: str, path: Path, settings: Settings) -> None:
    keep(path, happened(f"cookie {subject}"))
    assert who(path, typed(subject), settings) == [subject]
