"""What is set is shown with where it came from, and never a secret; all that is wrong is found at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.cli.config.values import MASK
from tests.theirs import ENRICHER, installing

PASSWORD = "hunter2-hunter2-hunter2"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["config", *arguments])


def shown(*arguments: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("show", "--json", *arguments).stdout)
    return told


def write(text: str) -> None:
    Path("cxkit.toml").write_text(text, "utf-8")


# --- show ---


def test_every_setting_has_a_value_and_an_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    write('service = "shop"\n[queue]\nmax_bytes = 5_000\n[web]\nexclude = ["/a/"]')
    monkeypatch.setenv("CXKIT_SPOOL__MAX_AGE_S", "60")
    told = shown()
    assert told["service"] == {"value": "shop", "origin": "file cxkit.toml"}
    assert told["spool.max_age_s"] == {"value": 60.0, "origin": "env CXKIT_SPOOL__MAX_AGE_S"}
    assert told["web.exclude"] == {"value": ["/a/"], "origin": "file cxkit.toml"}
    assert told["strict"] == {"value": False, "origin": "default"}
    assert told["keys.identifier"] == {"value": None, "origin": "default"}
    assert told["store.path"]["value"].endswith(".cxkit/state.db")


def test_people_see_the_same_and_the_origin_if_they_ask() -> None:
    write('service = "shop"')
    assert "file cxkit.toml" not in run("show").output
    lines = run("show", "--origin").output.splitlines()
    assert lines[0].split() == ["setting", "value", "origin"]
    assert lines[1].split() == ["service", '"shop"', "file", "cxkit.toml"]


@pytest.mark.parametrize("form", [["--json"], ["--origin"]])
def test_no_secret_is_shown_wherever_it_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: list[str]) -> None:
    monkeypatch.setenv("SECRET", PASSWORD)
    write(
        """
        [keys]
        identifier = "${SECRET}"
        signing = ["${SECRET}"]
        [exporters.receiver]
        type = "http"
        url = "https://me:${SECRET}@cx.example.com/${SECRET}?key=${SECRET}"
        headers = { X-Anything = "${SECRET}" }
        purposes = ["analytics"]
        [exporters.unknown]
        type = "nobody_knows_it"
        anything = "${SECRET}"
        [exporters.wrong]
        type = "http"
        urll = "${SECRET}"
        [theirs]
        api_key = "${SECRET}"
        link = "https://me:${SECRET}@host.example/?token=${SECRET}"
        nested = [{ password = "${SECRET}" }]
        [nobodys]
        word = "${SECRET}"
        """
    )
    (tmp_path / "site").mkdir()
    with installing(tmp_path / "site") as install:
        install("cxkit_theirs", THEIRS)
        result = run("show", *form)
    assert "hunter2" not in result.output
    assert result.exit_code == 1
    for setting in ("keys.identifier", "exporters.receiver.headers.X-Anything", "theirs.api_key", "nobodys.word"):
        assert setting in result.output
    assert MASK in result.output


THEIRS = """
    import attrs
    from cxkit.hookspecs import hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        api_key: str
        link: str
        nested: list[dict]
        rounds: int = 3

    @hookimpl
    def cxkit_settings():
        return {"theirs": Options}
"""


def test_tables_of_plugins_are_shown_with_the_defaults_of_their_class(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with installing(tmp_path / "site") as install:
        install("cxkit_zone", ENRICHER)
        assert shown()["zone.zone"] == {"value": "Europe/Paris", "origin": "default"}


def test_what_is_wrong_is_left_out_and_told() -> None:
    write('service = "a shop"\nstrict = true')
    result = run("show", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["service"]["origin"], told["strict"]["value"]) == ("default", True)
    assert result.stderr.startswith("CX1006")


# --- check ---

WRONG = """
service = "a shop"
[consent]
policy = "loose"
[exporter.receiver]
type = "http"
[exporters.a]
type = "htp"
purposes = ["analytics"]
[exporters.b]
type = "http"
purposes = ["analytics"]
[exporters.c]
type = "console"
[exporters.d]
type = "file"
path = "${NOWHERE}"
purposes = ["analytiks"]
[exporters.my-own]
type = "console"
[exporters.e]
type = "http"
url = "https://cx.example.com"
ca_file = "no-such-file.pem"
purposes = ["analytics"]
[store]
type = "sqlight"
[experiences.hero]
level = 9
"""


def test_everything_that_is_wrong_is_found_at_once() -> None:
    write(WRONG)
    result = run("check", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["sound"]) == (1, False)
    assert sorted(
        (one["code"], one["what"].split('"')[1] if '"' in one["what"] else "") for one in found["findings"]
    ) == [
        ("CX1001", "exporter"),
        ("CX1004", "exporters.d.path"),
        ("CX1006", "experiences.hero"),
        ("CX1006", "exporters.d.purposes"),
        ("CX1006", "exporters.my-own"),
        ("CX1006", "service"),
        ("CX1007", "exporters.b.url"),
        ("CX1030", "htp"),
        ("CX1030", "sqlight"),
        ("CX1031", "loose"),
        ("CX1032", "c"),
        ("CX1053", ""),
    ]


def test_each_is_a_line_with_its_fix() -> None:
    write("[exporters.c]\ntype = 'console'\n[exporter.x]\ntype = 'console'")
    result = run("check")
    *lines, sums = result.output.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error") and line.count(" Fix: ") == 1 for line in lines)
    assert sums == "2 errors, 0 warnings, 0 notes"


def test_what_is_sound_makes_no_file_and_no_connection(tmp_path: Path) -> None:
    write(
        """
        [exporters.receiver]
        type = "http"
        url = "http://127.0.0.1:1/"
        purposes = ["analytics"]
        [exporters.here]
        type = "local"
        purposes = ["analytics"]
        [exporters.lines]
        type = "file"
        path = "lines.jsonl"
        purposes = ["analytics"]
        """
    )
    result = run("check")
    assert (result.exit_code, result.output) == (0, "nothing is wrong with the configuration\n")
    assert [path.name for path in tmp_path.iterdir()] == ["cxkit.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "@hookimpl\n    def cxkit_exporter(): pass",
        "@hookimpl\n    def cxkit_stores(color): pass",
        "def cxkit_stores(): return []",
    ],
)
def test_a_plugin_that_breaks_its_contract_is_found_and_costs_no_other(tmp_path: Path, text: str) -> None:
    write("[nobodys]\nx = 1")
    (tmp_path / "site").mkdir()
    with installing(tmp_path / "site") as install:
        install(
            "cxkit_bad",
            f"""
    from cxkit.hookspecs import hookimpl

    {text}
""",
        )
        install("cxkit_zone", ENRICHER)
        found = json.loads(run("check", "--json").stdout)["findings"]
        assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
    assert [one["code"][:4] for one in found] == ["CX20", "CX10"]


@pytest.mark.parametrize(
    ("raised", "code"),
    [("ValueError('x')", "CX2001"), ("ConfigurationError('x', fix='y', code='CX1099')", "CX1099")],
)
def test_what_an_exporter_of_a_stranger_raises_is_found(tmp_path: Path, raised: str, code: str) -> None:
    write("[exporters.theirs]\ntype = 'theirs'\n[exporters.c]\ntype = 'console'")
    (tmp_path / "site").mkdir()
    with installing(tmp_path / "site") as install:
        install(
            "cxkit_theirs",
            f"""
            import attrs
            from cxkit.errors import ConfigurationError
            from cxkit.hookspecs import hookimpl
            from cxkit.roles import Factory

            @attrs.frozen(kw_only=True)
            class Options:
                pass

            def build(options):
                raise {raised}

            @hookimpl
            def cxkit_exporters():
                return [Factory(name="theirs", settings=Options, build=build)]
        """,
        )
        found = json.loads(run("check", "--json").stdout)["findings"]
    assert [one["code"] for one in found] == [code, "CX1032"]


# --- names in experiences ---

EXPERIENCE = """
[experiences.hero]
fallback = {{ name = "all" }}
variants = [{{ name = "fr", audience = {audience}, depth = 2 }}, {{ name = "bold" }}]
[[experiences.hero.experiments]]
name = "bolder"
variations = ["all", "bold"]
{unit}
"""


@pytest.mark.parametrize(
    ("audience", "unit", "expected"),
    [
        ('{ contry = "FR" }', "", '"contry" is nothing that cxkit knows. Fix: did you mean "country"?'),
        ('{ "trait.plan" = "gold" }', "", '"trait" is nothing that cxkit knows. Fix: did you mean "traits"?'),
        ("{}", 'unit = "userid"', '"userid" is no declared type of identifier, and divides nobody'),
        ("{}", 'fallback_unit = "userid"', 'did you mean "user_id"?'),
        ("{}", 'audience = { chanel = "web" }', '"bolder": "chanel" is nothing'),
    ],
)
def test_a_name_that_is_nearly_one_is_a_warning(audience: str, unit: str, expected: str) -> None:
    write(EXPERIENCE.format(audience=audience, unit=unit))
    done = run("check")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("warning  ")
    assert expected in done.output
    assert "0 errors, 1 warning, 0 notes" in done.output


@pytest.mark.parametrize(
    ("audience", "unit"),
    [
        ('{ "traits.contry" = "FR", "items" = 3, basket = true }', 'unit = "loyalty_card"'),
        ('{ "form.viewport" = { "$lt" = 600 } }', 'unit = "session"'),
    ],
)
def test_a_name_of_the_apps_own_is_none(audience: str, unit: str) -> None:
    write(EXPERIENCE.format(audience=audience, unit=unit))
    assert run("check").output == "nothing is wrong with the configuration\n"
