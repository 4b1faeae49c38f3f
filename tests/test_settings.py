"""Where settings come from, who wins, what is refused, and that secrets stay secret."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import string
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import cxkit.settings
from cxkit.errors import ConfigurationError
from cxkit.model import PURPOSES, ExperienceSpec, Variant
from cxkit.settings import (
    Consent,
    ExporterTable,
    Keys,
    Plugins,
    Queue,
    RawTable,
    Redact,
    Secret,
    Settings,
    Spool,
    StoreTable,
    Web,
    load,
    structure,
)

ROOT = Path(__file__).parents[1]
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
SIGNING, IDENTIFIER = "an old signing secret", "an identifier secret"

EVERY: list[tuple[str, str, str, object]] = [  # dotted name, as in the file, as in the environment, as it is then
    ("service", '"shop"', "shop", "shop"),
    ("strict", "true", "true", True),
    ("directory", '"/var/lib/cx"', "/var/lib/cx", Path("/var/lib/cx")),
    ("durability", '"queue"', "queue", "queue"),
    ("exit_timeout_s", "3", "3", 3.0),
    ("store_budget_s", "0.5", "0.5", 0.5),
    ("queue.max_bytes", "1_000", "1000", 1000),
    ("spool.max_bytes", "9_000_000", "9000000", 9_000_000),
    ("spool.max_age_s", "60.5", "60.5", 60.5),
    ("spool.segment_bytes", "4096", "4096", 4096),
    ("spool.sync_interval_s", "0", "0", 0.0),
    (
        "keys.signing",
        f'["{SIGNING}", "{IDENTIFIER}"]',
        f"{SIGNING}, {IDENTIFIER}",
        (Secret(SIGNING), Secret(IDENTIFIER)),
    ),
    ("keys.identifier", f'"{IDENTIFIER}"', IDENTIFIER, Secret(IDENTIFIER)),
    ("consent.policy", '"gdpr"', "gdpr", "gdpr"),
    ("consent.before_choice", '"drop"', "drop", "drop"),
    ("web.exclude", '["/ping", "/assets/"]', "/ping,/assets/", ("/ping", "/assets/")),
    ("web.visitor_max_age_s", "86400", "86400", 86_400),
    ("web.consent_max_age_s", "3600", "3600", 3600),
    ("web.cookie_prefix", '"shop"', "shop", "shop"),
    ("redact.extra", '["nickname"]', "nickname", ("nickname",)),
    ("redact.keep", '["token_hint"]', "token_hint", ("token_hint",)),
    ("plugins.allow", '["cxkit-flask"]', "cxkit-flask", ("cxkit-flask",)),
    ("plugins.block", '["cxkit-django"]', "cxkit-django", ("cxkit-django",)),
    ("store.type", '"memory"', "memory", "memory"),
    ("store.options.path", '"x.db"', "x.db", "x.db"),
    ("exporters.NAME.type", '"console"', "console", "console"),
    ("exporters.NAME.purposes", '["analytics", "necessary"]', "analytics,necessary", {"analytics", "necessary"}),
    ("exporters.NAME.deadline_s", "0.5", "0.5", 0.5),
    ("exporters.NAME.max_batch_records", "7", "7", 7),
    ("exporters.NAME.max_batch_bytes", "70_000", "70000", 70_000),
    ("exporters.NAME.options.url", '"http://cx"', "http://cx", "http://cx"),
    ("experiences.NAME.level", '"3"', "3", "3"),
    ("tables.flask.theme", '"dark"', "dark", "dark"),
]
NEEDED = {"exporters": {"receiver": {"type": "http"}}}


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def key_of(name: str) -> tuple[str, ...]:
    """How a setting is addressed; options and plugins' tables have no level of their own there."""
    path = name.replace("NAME", "receiver").removeprefix("tables.").replace(".options.", ".")
    return tuple(path.split("."))


def value_of(loaded: Settings, name: str) -> object:
    keys = name.replace("NAME", "receiver").split(".")
    return reduce(lambda at, key: at[key] if isinstance(at, Mapping) else getattr(at, key), keys, loaded)  # type: ignore[arg-type, return-value]


def nested(name: str, value: object) -> dict[str, Any]:
    return reduce(lambda below, key: {key: below}, reversed(key_of(name)), value)  # type: ignore[arg-type, return-value]


def variable_of(name: str) -> str:
    return "CXKIT_" + "__".join(key_of(name)).upper()


def write(text: str, path: str = "cxkit.toml") -> Path:
    Path(path).write_text(text, "utf-8")
    return Path(path)


def write_setting(name: str, toml: str) -> None:
    *tables, key = key_of(name)
    needed = '[exporters.receiver]\ntype = "http"\n' if name.startswith("exporters") and key != "type" else ""
    write(f"{needed if tables else ''}{'' if needed or not tables else '[' + '.'.join(tables) + ']'}\n{key} = {toml}\n")


def refusal(**arguments: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load(**{"environ": {}, **arguments})
    return caught.value


# --- Every setting, from each source --------------------------------------------------------------


def test_nothing_set_is_the_defaults() -> None:
    assert load(environ={}) == Settings()
    assert load(environ={}).origins == {}


def test_the_list_here_is_complete() -> None:
    headings = re.findall(r"^### `(.+)`$", (ROOT / "docs/reference/settings.md").read_text("utf-8"), re.MULTILINE)
    tried = {"experiences.NAME" if name.startswith("experiences") else name for name, *_ in EVERY}
    assert {name for name in tried if "options" not in name and not name.startswith("tables")} == set(headings)


@pytest.mark.parametrize(("name", "toml", "_", "expected"), EVERY)
def test_from_the_file(name: str, toml: str, _: str, expected: object) -> None:
    write_setting(name, toml)
    loaded = load(environ={})
    assert value_of(loaded, name) == expected
    assert loaded.origins[".".join(key_of(name))] == "file cxkit.toml"


@pytest.mark.parametrize(("name", "_", "text", "expected"), EVERY)
def test_from_the_environment(name: str, _: str, text: str, expected: object) -> None:
    loaded = load(environ={"CXKIT_EXPORTERS__RECEIVER__TYPE": "http", variable_of(name): text})
    assert value_of(loaded, name) == expected
    assert loaded.origins[".".join(key_of(name))] == f"env {variable_of(name)}"


@pytest.mark.parametrize(("name", "_", "__", "expected"), EVERY)
def test_from_code(name: str, _: str, __: str, expected: object) -> None:
    overrides = nested(name, expected)
    if name.startswith("exporters"):
        overrides = {"exporters": {"receiver": {"type": "http", **overrides["exporters"]["receiver"]}}}
    loaded = load(environ={}, overrides=overrides)
    assert value_of(loaded, name) == expected
    assert loaded.origins[".".join(key_of(name))] == "code"


# --- Who wins -------------------------------------------------------------------------------------


def test_code_wins_over_environment_over_file_over_default() -> None:
    write("[queue]\nmax_bytes = 1")
    environ, overrides = {"CXKIT_QUEUE__MAX_BYTES": "2"}, {"queue": {"max_bytes": 3}}
    seen = [load(environ={}), load(environ=environ), load(environ=environ, overrides=overrides)]
    assert [(one.queue.max_bytes, one.origins["queue.max_bytes"]) for one in seen] == [
        (1, "file cxkit.toml"),
        (2, "env CXKIT_QUEUE__MAX_BYTES"),
        (3, "code"),
    ]


def test_tables_are_merged_and_lists_are_replaced() -> None:
    write('[redact]\nextra = ["a", "b"]\nkeep = ["c"]\n[exporters.receiver]\ntype = "http"\nurl = "http://file"')
    environ = {"CXKIT_REDACT__EXTRA": "d", "CXKIT_EXPORTERS__RECEIVER__URL": "http://env"}
    loaded = load(environ=environ, overrides={"exporters": {"receiver": {"timeout_s": 3}}})
    assert loaded.redact == Redact(extra=("d",), keep=("c",))
    assert loaded.exporters["receiver"].options == {"url": "http://env", "timeout_s": 3}


def test_origins_do_not_count_in_comparisons() -> None:
    assert load(environ={"CXKIT_STRICT": "true"}) == load(environ={}, overrides={"strict": True})


# --- The file -------------------------------------------------------------------------------------


def test_the_nearest_file_above_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('service = "far"')
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    far = load(environ={})
    write('[tool.black]\nline-length = 1\n[tool.cxkit]\nservice = "near"', "../pyproject.toml")
    near = load(environ={})
    assert (far.service, far.origins) == ("far", {"service": f"file {tmp_path / 'cxkit.toml'}"})
    assert (near.service, near.origins) == ("near", {"service": f"file {tmp_path / 'a' / 'pyproject.toml'}"})


def test_cxkit_toml_goes_before_pyproject_and_another_projects_pyproject_does_not_count() -> None:
    write('[tool.cxkit]\nservice = "pyproject"', "pyproject.toml")
    assert load(environ={}).service == "pyproject"
    write('service = "own"')
    assert load(environ={}).service == "own"
    Path("below").mkdir()
    write("tool = 3", "below/pyproject.toml")
    os.chdir("below")
    assert load(environ={}).service == "own"


def test_a_named_file_goes_before_the_nearest_and_the_argument_before_the_variable() -> None:
    write('service = "nearest"')
    named, other = write('service = "named"', "named.toml"), write('service = "other"', "other.toml")
    environ = {"CXKIT_CONFIG": str(named)}
    assert load(environ=environ).service == "named"
    assert load(environ=environ, file=other).origins == {"service": "file other.toml"}


def test_a_removed_working_directory_has_no_file() -> None:
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()
    assert load(environ={}) == Settings()


def make_unreadable(path: Path) -> None:
    path.write_text("")
    path.chmod(0)


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "loop": lambda path: path.symlink_to(path),
    "latin": lambda path: path.write_bytes('service = "caf\xe9"'.encode("latin-1")),
    "large": lambda path: path.write_bytes(b"#" * 10_000_000),
    "forbidden": make_unreadable,
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_named_file_that_cannot_be_read(kind: str, tmp_path: Path) -> None:
    UNREADABLE[kind](tmp_path / "named.toml")
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # nothing is forbidden to root
    try:
        error = refusal(file=tmp_path / "named.toml")
        other = refusal(environ={"CXKIT_CONFIG": str(tmp_path / "named.toml")})
    finally:
        if is_root:
            os.seteuid(0)
    assert (error.code, str(error)) == ("CX1002", str(other))
    assert "named.toml" in error.what


@pytest.mark.parametrize("path", ["", "\0", "x" * 5000])
def test_a_path_that_is_none(path: str) -> None:
    assert refusal(environ={"CXKIT_CONFIG": path}).code == "CX1002"


def test_a_directory_in_the_files_place_is_not_overlooked() -> None:
    Path("cxkit.toml").mkdir()
    assert refusal().code == "CX1002"


def test_a_named_pyproject_must_have_the_table() -> None:
    assert "tool.cxkit" in refusal(file=write("[tool.black]", "pyproject.toml")).what


@pytest.mark.parametrize(
    "text",
    ["service =", "a = 1\na = 2", "[a", "x = " + "[" * 20_000, "x = " + "9" * 10_000, "\0", "service = 'a\nb'"],
)
def test_what_is_not_toml(text: str) -> None:
    write(text)
    assert refusal().code == "CX1003"


def test_a_table_of_pyproject_that_is_none() -> None:
    write("[tool]\ncxkit = 3", "pyproject.toml")
    assert refusal().code == "CX1003"


def test_a_byte_order_mark_is_no_obstacle() -> None:
    write('\ufeffservice = "shop"')
    assert load(environ={}).service == "shop"


# --- Replacing ${NAME} ----------------------------------------------------------------------------


def test_references_are_replaced_once_and_anywhere() -> None:
    write(
        'service = "shop-${STAGE}"\nstrict = "${STRICT}"\n[web]\nexclude = ["/${STAGE}/", "/x"]\n[redact]\nkeep = "${KEEP}"\n'
        '[exporters.receiver]\ntype = "http"\ndeadline_s = "${DEADLINE}"\nurl = "${A}$${A}${B}"'
    )
    environ = {"STAGE": "test", "STRICT": "true", "KEEP": "a,b", "DEADLINE": "1.5", "A": "${B}", "B": ""}
    loaded = load(environ=environ)
    receiver = loaded.exporters["receiver"]
    assert (loaded.service, loaded.strict, loaded.redact.keep) == ("shop-test", True, ("a", "b"))
    assert loaded.web.exclude == ("/test/", "/x")
    assert (receiver.deadline_s, receiver.options["url"]) == (1.5, "${B}${A}")
    assert loaded.origins["service"] == "file cxkit.toml"


def test_a_reference_to_nothing_names_variable_and_setting() -> None:
    write('[exporters.receiver]\ntype = "http"\n[exporters.receiver.headers]\nkey = ["x", "${RECEIVER_KEY}"]')
    error = refusal()
    assert error.code == "CX1004"
    assert "RECEIVER_KEY" in error.what and '"exporters.receiver.headers.key[1]" (file cxkit.toml)' in error.what


@pytest.mark.parametrize("text", ["${", "${}", "${A B}", "${A", "${1A}", "${A.B}"])
def test_a_reference_that_is_none(text: str) -> None:
    write(f'service = "{text}"')
    assert refusal(environ={"A": "x"}).code == "CX1004"


def test_only_the_file_has_references() -> None:
    loaded = load(environ={"CXKIT_CONSENT__POLICY": "${A}", "A": "x"}, overrides={"redact": {"keep": ["${A}"]}})
    assert (loaded.consent.policy, loaded.redact.keep) == ("${A}", ("${A}",))


TOML_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"))


@LAW
@given(text=st.lists(TOML_TEXT | st.sampled_from(["$", "{", "}", "${", "$${", "${A}"])).map("".join), value=TOML_TEXT)
def test_escaped_text_stays_and_replaced_text_is_put_in(text: str, value: str) -> None:
    escaped = text.replace("${", "$${")
    write(f"[consent]\npolicy = {json.dumps(escaped + '${A}', ensure_ascii=False)}")
    if not escaped.endswith("$"):  # else the escape is one of the reference
        assert load(environ={"A": value}).consent.policy == text + value


# --- The environment ------------------------------------------------------------------------------


def test_names_match_in_any_case_what_the_file_has() -> None:
    write('[exporters.receiver]\ntype = "http"\nheaders = { Accept = "text/plain" }\n[Flask]\nx = 1')
    environ = {
        "CXKIT_exporters__Receiver__HEADERS__ACCEPT": "*/*",
        "CXKIT_EXPORTERS__RECEIVER__HEADERS__FROM": "me",
        "CXKIT_FLASK__X": "2",
    }
    loaded = load(environ=environ)
    assert loaded.exporters["receiver"].options["headers"] == {"Accept": "*/*", "from": "me"}
    assert loaded.tables == {"Flask": {"x": "2"}}


@pytest.mark.parametrize(
    ("text", "allowed"), [("off", ()), ("OFF", ()), ("", ()), ("a", ("a",)), (" a , b,", ("a", "b"))]
)
def test_the_variable_of_plugins(text: str, allowed: tuple[str, ...]) -> None:
    loaded = load(environ={"CXKIT_PLUGINS": text})
    assert loaded.plugins.allow == allowed
    assert loaded.origins == {"plugins.allow": "env CXKIT_PLUGINS"}


def test_other_variables_do_not_matter() -> None:
    assert load(environ={"CXKITCHEN": "x", "cxkit_strict": "x", "XCXKIT_STRICT": "x", "LANG": "\udcff"}) == Settings()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CXKIT_STRIKT", '"CXKIT_STRICT"'),
        ("CXKIT_QUEUE__MAX_BYTE", '"CXKIT_QUEUE__MAX_BYTES"'),
        ("CXKIT_CONFG", '"CXKIT_CONFIG"'),
        ("CXKIT_PLUGIN", '"CXKIT_PLUGINS"'),
        ("CXKIT_SERVICE__NAME", '"CXKIT_SERVICE"'),
        ("CXKIT_", "did you mean"),
        ("CXKIT_STORE", "did you mean"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest(name: str, near: str) -> None:
    error = refusal(environ={name: "hunter2"})
    assert (error.code, name in error.what, near in error.fix) == ("CX1001", True, True)


def test_the_environment_of_a_process_and_its_working_directory() -> None:
    write('service = "shop-${STAGE}"')
    code = "from cxkit.settings import load; one = load(); print(one.service, one.queue.max_bytes)"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "STAGE": "test", "CXKIT_QUEUE__MAX_BYTES": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("shop-test 7\n", "")
    undecodable = {**{key.encode(): value.encode() for key, value in environ.items()}, b"CXKIT_SERVICE": b"caf\xe9"}
    done = subprocess.run([sys.executable, "-c", code], env=undecodable, capture_output=True, text=True, timeout=60)
    assert "CX1005" in done.stderr and "CXKIT_SERVICE" in done.stderr


# --- What is refused ------------------------------------------------------------------------------

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [  # code, arguments or the file's text, in what, in fix
    ("CX1001", {"text": "stict = true"}, '"stict" (file cxkit.toml)', 'did you mean "strict"?'),
    ("CX1001", {"text": "[queue]\nmax_byte = 1"}, '"queue.max_byte" (file cxkit.toml)', 'did you mean "max_bytes"?'),
    ("CX1001", {"overrides": {"origins": 3}}, '"origins" (code)', "known"),
    ("CX1002", {"environ": {"CXKIT_CONFIG": "nowhere.toml"}}, '"nowhere.toml"', "path"),
    ("CX1003", {"text": "service"}, '"cxkit.toml"', "correct"),
    ("CX1004", {"text": "service = '${NOWHERE}'"}, "NOWHERE", "set NOWHERE"),
    (
        "CX1005",
        {"text": "[queue]\nmax_bytes = '1'"},
        '"queue.max_bytes" (file cxkit.toml) is not a whole number',
        "100",
    ),
    ("CX1005", {"text": "[queue]\nmax_bytes = true"}, "whole number", "100"),
    ("CX1005", {"text": "strict = 1"}, '"strict" (file cxkit.toml) is not true or false', "true"),
    ("CX1005", {"text": "service = 3"}, "is not text", '"'),
    ("CX1005", {"text": "directory = ''"}, '"directory" (file cxkit.toml) is not a path', '"'),
    ("CX1005", {"text": "queue = 3"}, '"queue" (file cxkit.toml) is not', "{"),
    ("CX1005", {"text": "exporters = 3"}, '"exporters" (file cxkit.toml) is not a table', "{"),
    ("CX1005", {"text": "[[experiences]]\nname = 'a'"}, '"experiences" (file cxkit.toml) is not a table', "{"),
    ("CX1005", {"text": "[web]\nexclude = '/x'"}, '"web.exclude" (file cxkit.toml) is not a list', "["),
    ("CX1005", {"text": "[web]\nexclude = ['/x', 3]"}, '"web.exclude[1]" (file cxkit.toml) is not text', '"'),
    ("CX1005", {"text": "[keys]\nidentifier = ''"}, '"keys.identifier" (file cxkit.toml) is not a secret', "${"),
    ("CX1005", {"environ": {"CXKIT_STRICT": "yes"}}, '"strict" (env CXKIT_STRICT)', "true"),
    ("CX1005", {"environ": {"CXKIT_SERVICE": "\udcff"}}, '"CXKIT_SERVICE"', "UTF-8"),
    ("CX1005", {"overrides": {"spool": {"max_age_s": "7 days"}}}, '"spool.max_age_s" (code) is not a number', "1.5"),
    ("CX1005", {"overrides": {"service": None}}, '"service" (code)', '"'),
    ("CX1006", {"text": "[queue]\nmax_bytes = 0"}, '"queue.max_bytes" (file cxkit.toml)', "from 1 to"),
    ("CX1006", {"text": f"[queue]\nmax_bytes = {2**63}"}, '"queue.max_bytes"', "from 1 to"),
    ("CX1006", {"text": "[spool]\nsync_interval_s = -0.1"}, '"spool.sync_interval_s"', "from 0 to"),
    ("CX1006", {"text": "[spool]\nmax_age_s = nan"}, '"spool.max_age_s"', "from 1 to"),
    ("CX1006", {"environ": {"CXKIT_EXIT_TIMEOUT_S": "inf"}}, '"exit_timeout_s"', "from 0 to"),
    ("CX1006", {"text": "[spool]\nmax_bytes = 5"}, '"spool.segment_bytes"', "spool.max_bytes"),
    ("CX1006", {"text": "durability = 'write'"}, '"durability" (file cxkit.toml) asks for a mode that', "queue"),
    (
        "CX1006",
        {"environ": {"CXKIT_DURABILITY": "sync"}},
        '"durability" (env CXKIT_DURABILITY) asks for a mode',
        "queue",
    ),
    ("CX1006", {"text": "durability = 'quue'"}, '"durability" (file cxkit.toml)', 'did you mean "queue"?'),
    ("CX1006", {"text": "[consent]\nbefore_choice = 'anonymize'"}, '"consent.before_choice"', '"anonymise"'),
    ("CX1006", {"text": "service = 'my shop'"}, '"service" (file cxkit.toml)', "letters"),
    ("CX1006", {"text": "[web]\nexclude = ['ping']"}, '"web.exclude"', "slash"),
    ("CX1006", {"text": "[web]\ncookie_prefix = 'a b'"}, '"web.cookie_prefix"', "letters"),
    ("CX1006", {"text": "[exporters.Big]\ntype = 'x'"}, '"exporters"', "lower-case"),
    ("CX1006", {"text": "[exporters.a]\ntype = 'x'\ndeadline_s = 0"}, '"exporters.a.deadline_s"', "0.001"),
    (
        "CX1006",
        {"environ": {"CXKIT_EXPORTERS__A__TYPE": "x", "CXKIT_EXPORTERS__A__PURPOSES": "necessary,analytic"}},
        '"exporters.a.purposes" (env CXKIT_EXPORTERS__A__PURPOSES)',
        'did you mean "analytics"?',
    ),
    ("CX1007", {"text": "[exporters.a]\nurl = 'x'"}, '"exporters.a.type" is missing', "add type"),
    ("CX1008", {"environ": {"CXKIT_STRICT": "1", "CXKIT_Strict": "1"}}, '"strict" (env CXKIT_STRICT)', "remove"),
    ("CX1008", {"environ": {"CXKIT_PLUGINS": "a", "CXKIT_PLUGINS__ALLOW": "a"}}, '"plugins.allow"', "remove"),
    ("CX1008", {"text": "queue = 3", "environ": {"CXKIT_QUEUE__MAX_BYTES": "3"}}, '"queue" (file cxkit.toml)', "form"),
    ("CX1009", {"text": f"{'.'.join('a' * 2_000)} = 1"}, "deep", "flatter"),
    ("CX1009", {"text": f"x = {'[' * 20}{']' * 20}"}, "deep", "flatter"),
    ("CX1009", {"environ": {"CXKIT_" + "__".join("a" * 99): "1"}}, "deep", "flatter"),
    ("CX1009", {"overrides": {"flask": {3: 4}}}, '"flask"', "text"),
    ("CX1010", {"text": "[keys]\nsigning = ['short']"}, '"keys.signing" (file cxkit.toml)', "secrets"),
    ("CX1010", {"environ": {"CXKIT_KEYS__IDENTIFIER": "short"}}, '"keys.identifier" (env ', "secrets"),
]


@pytest.mark.parametrize(("code", "given", "what", "fix"), REFUSED)
def test_what_is_refused_is_named_with_its_origin_and_a_fix(code: str, given: Any, what: str, fix: str) -> None:
    write(given.get("text", ""))
    error = refusal(**{key: value for key, value in given.items() if key != "text"})
    assert (error.code, what in error.what, fix in error.fix) == (code, True, True), str(error)


def test_every_code_is_documented_and_tried() -> None:
    documented = re.findall(r"^(CX\d{4})  \S", cxkit.settings.__doc__ or "", re.MULTILINE)
    assert documented == sorted({code for code, *_ in REFUSED})


def test_ranges_hold_in_code_too() -> None:
    for make in (lambda: Queue(max_bytes=0), lambda: Keys(signing=(Secret("short"),)), lambda: Spool(max_age_s=1e300)):
        with pytest.raises(ConfigurationError):
            make()


def test_settings_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        load(environ={}).strict = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        Settings(store=StoreTable(options={"a": 1})).store.options["a"] = 2  # type: ignore[index]


# --- structure ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Tls:
    verify: bool = True
    ca: Path | None = None


@attrs.frozen(kw_only=True)
class Receiver:
    url: str = attrs.field(validator=attrs.validators.matches_re("https?://.*"))
    token: Secret | None = None
    retries: int = attrs.field(default=3, validator=attrs.validators.ge(0))
    level: Literal["low", "high"] = "low"
    ports: frozenset[int] = frozenset()
    tls: Tls = Tls()
    mirrors: tuple[Tls, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)
    weights: dict[str, float] = attrs.field(factory=dict)
    either: int | str = 0
    anything: object = None
    _private: int = 0
    counted: int = attrs.field(default=0, init=False)


def receiver(toml: str, environ: Mapping[str, str] | None = None) -> Receiver:
    write(f'[exporters.receiver]\ntype = "http"\nurl = "http://cx"\n{toml}')
    options = load(environ=environ or {}).exporters["receiver"].options
    return structure(Receiver, options, where="exporters.receiver")


def test_structure_gives_the_types_of_the_class() -> None:
    made = receiver(
        'token = "hunter2"\nports = [80, 443]\ntls = { verify = false, ca = "ca.pem" }\nmirrors = [{ verify = false }]\n'
        'headers = { a = "b" }\nweights = { x = 1 }\neither = "x"\nanything = [{ a = 1 }]\nprivate = 4'
    )
    assert made == Receiver(
        url="http://cx",
        token=Secret("hunter2"),
        ports=frozenset({80, 443}),
        tls=Tls(verify=False, ca=Path("ca.pem")),
        mirrors=(Tls(verify=False),),
        headers={"a": "b"},
        weights={"x": 1.0},
        either="x",
        anything=[{"a": 1}],
        private=4,
    )


def test_structure_reads_text_of_the_environment_at_every_level() -> None:
    environ = {
        "CXKIT_EXPORTERS__RECEIVER__RETRIES": "5",
        "CXKIT_EXPORTERS__RECEIVER__PORTS": "80, 443",
        "CXKIT_EXPORTERS__RECEIVER__TLS__VERIFY": "false",
        "CXKIT_EXPORTERS__RECEIVER__WEIGHTS__X": "0.5",
        "CXKIT_EXPORTERS__RECEIVER__ANYTHING": "1",
        "ANY": "x",
    }
    made = receiver('headers = { a = "${ANY}" }', environ)
    assert (made.retries, made.ports, made.tls.verify, made.weights) == (5, {80, 443}, False, {"x": 0.5})
    assert [type(made.anything), type(made.headers["a"]), type(made.url)] == [str, str, str]


@pytest.mark.parametrize(
    ("toml", "code", "what", "fix"),
    [
        ("retires = 1", "CX1001", '"exporters.receiver.retires" (file cxkit.toml)', 'did you mean "retries"?'),
        ("deadlin_s = 1", "CX1001", '"exporters.receiver.deadlin_s"', 'did you mean "deadline_s"?'),
        ("counted = 1", "CX1001", '"exporters.receiver.counted"', "known"),
        ("tls = { verfy = true }", "CX1001", '"exporters.receiver.tls.verfy" (file cxkit.toml)', '"verify"'),
        ("mirrors = [{ verfy = true }]", "CX1001", '"exporters.receiver.mirrors[0].verfy"', '"verify"'),
        ("mirrors = [3]", "CX1005", '"exporters.receiver.mirrors[0]" (file cxkit.toml)', "write"),
        ("retries = '3'", "CX1005", '"exporters.receiver.retries" (file cxkit.toml) is not a whole number', "100"),
        ("either = 1.5", "CX1005", '"exporters.receiver.either"', "100"),
        ("weights = { x = 'y' }", "CX1005", '"exporters.receiver.weights.x" (file cxkit.toml) is not a number', "1.5"),
        ("level = 'hig'", "CX1006", '"exporters.receiver.level"', 'did you mean "high"?'),
        (
            "retries = -1",
            "CX1006",
            '"exporters.receiver.retries" (file cxkit.toml) is refused (ValueError)',
            "reference",
        ),
    ],
)
def test_structure_refuses(toml: str, code: str, what: str, fix: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        receiver(toml)
    assert (caught.value.code, what in caught.value.what, fix in caught.value.fix) == (code, True, True), caught.value


def test_structure_takes_a_plain_table_and_says_what_is_missing() -> None:
    assert structure(Receiver, {"url": "http://x", "token": None}, where="exporters.x") == Receiver(url="http://x")
    with pytest.raises(ConfigurationError, match='CX1007: "url" is missing'):
        structure(Receiver, {}, where="")


def test_structure_makes_experiences_and_passes_on_what_the_model_refuses() -> None:
    write(
        '[experiences."home.hero"]\nlevel = 3\nvariants = [{ name = "vip", audience = { plan = "gold" }, depth = 3 }]\n'
        "[experiences.twice]\nvariants = [{ name = 'a' }, { name = 'a' }]"
    )
    raw = load(environ={}).experiences
    made = structure(ExperienceSpec, {"name": "home.hero", **raw["home.hero"]}, where="experiences.home.hero")
    assert made == ExperienceSpec(
        name="home.hero", level=3, variants=(Variant(name="vip", audience={"plan": "gold"}, depth=3),)
    )
    with pytest.raises(ConfigurationError, match='CX1006: "experiences.twice": two variants of experience "twice"'):
        structure(ExperienceSpec, {"name": "twice", **raw["twice"]}, where="experiences.twice")


# --- Laws -----------------------------------------------------------------------------------------

COUNT = st.integers(1, 2**63 - 1)
SECONDS = st.floats(1, 1e8) | st.integers(1, 10**8)
WORDS = st.lists(st.text(string.ascii_lowercase + "_-", min_size=1), max_size=4)
SECRET = st.text(min_size=16, alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TABLES: dict[type[Any], dict[str, st.SearchStrategy[Any]]] = {
    Queue: {"max_bytes": COUNT},
    Spool: {"segment_bytes": st.integers(1, 10**6), "max_age_s": SECONDS, "sync_interval_s": SECONDS},
    Keys: {"signing": st.lists(SECRET), "identifier": SECRET},
    Consent: {"policy": st.text(), "before_choice": st.sampled_from(["anonymise", "drop"])},
    Web: {"exclude": st.lists(st.from_regex(r"/[a-z/]*", fullmatch=True)), "visitor_max_age_s": st.integers(1, 10**8)},
    Redact: {"extra": WORDS, "keep": WORDS},
    Plugins: {"allow": WORDS, "block": WORDS},
    ExporterTable: {
        "type": st.text(),
        "purposes": st.lists(st.sampled_from(PURPOSES), unique=True),
        "deadline_s": SECONDS,
        "max_batch_records": COUNT,
        "url": st.text(),
    },
    StoreTable: {"type": st.text(), "path": st.text()},
}
REQUIRED = {ExporterTable: {"type"}}


@st.composite
def valid_tables(draw: st.DrawFn) -> tuple[type[Any], dict[str, Any]]:
    cls = draw(st.sampled_from(list(TABLES)))
    keys = {key: value for key, value in TABLES[cls].items() if key in REQUIRED.get(cls, ())}
    return cls, draw(st.fixed_dictionaries(keys, optional={k: v for k, v in TABLES[cls].items() if k not in keys}))


def as_table(value: Any) -> dict[str, Any]:
    """What one would write in the file to get the value."""
    table = {key: one for key, one in attrs.asdict(value, recurse=False).items() if one is not None}
    return {**{key: _written(one) for key, one in table.items() if key != "options"}, **table.get("options", {})}


def _written(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    return [_written(one) for one in value] if isinstance(value, (tuple, frozenset)) else value


@LAW
@given(valid_tables())
def test_what_is_written_is_what_is_read(given_: tuple[type[Any], dict[str, Any]]) -> None:
    cls, table = given_
    made = structure(cls, table, where="it")
    back = as_table(made)
    assert structure(cls, back, where="it") == made
    for key, value in table.items():
        assert (sorted(back[key]) == sorted(value)) if key == "purposes" else (back[key] == value)


@LAW
@given(max_bytes=COUNT, max_age_s=SECONDS, extra=WORDS, strict=st.booleans(), key=SECRET)
def test_the_environment_says_the_same_as_code(
    max_bytes: int, max_age_s: float, extra: list[str], strict: bool, key: str
) -> None:
    environ = {
        "CXKIT_QUEUE__MAX_BYTES": str(max_bytes),
        "CXKIT_SPOOL__MAX_AGE_S": repr(max_age_s),
        "CXKIT_REDACT__EXTRA": ",".join(extra),
        "CXKIT_STRICT": str(strict),
        "CXKIT_KEYS__IDENTIFIER": key,
    }
    assert load(environ=environ) == Settings(
        queue=Queue(max_bytes=max_bytes),
        spool=Spool(max_age_s=max_age_s),
        redact=Redact(extra=tuple(extra)),
        strict=strict,
        keys=Keys(identifier=Secret(key)),
    )


NAMES = st.sampled_from(
    "service strict directory durability exit_timeout_s queue max_bytes spool max_age_s keys signing identifier consent "
    "web exclude plugins allow store type exporters a purposes deadline_s options experiences tables origins x".split()
)
HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.builds(object)
    | st.sampled_from([Secret("x"), Path("x"), 10**400, "\udcff", "${A}", "9" * 5000, Queue()]),
    lambda below: st.lists(below) | st.tuples(below) | st.dictionaries(NAMES | st.text() | st.integers(), below),
    max_leaves=4,
)
TABLE = st.dictionaries(NAMES, HOSTILE | st.dictionaries(NAMES, HOSTILE, max_size=2), max_size=2)


@LAW
@given(overrides=TABLE)
def test_whatever_code_gives_the_answer_is_settings_or_a_configuration_error(overrides: dict[str, Any]) -> None:
    try:
        assert isinstance(load(environ={}, overrides=overrides), Settings)
    except ConfigurationError as error:
        assert re.match(r"CX10\d\d: ", str(error))


@LAW
@given(table=st.dictionaries(st.sampled_from([one.alias for one in attrs.fields(Receiver)]) | st.text(), HOSTILE))
def test_whatever_structure_is_given_the_answer_is_a_value_or_a_configuration_error(table: dict[str, Any]) -> None:
    try:
        assert isinstance(structure(Receiver, {"url": "http://x", **table}, where="exporters.x"), Receiver)
    except ConfigurationError as error:
        assert re.match(r"CX10\d\d: ", str(error))


ENVIRONMENTS = st.dictionaries(
    st.lists(NAMES | st.text(), max_size=4).map(lambda path: "CXKIT_" + "__".join(path).upper()),
    st.text(st.characters()) | st.sampled_from(["true", "1", "a,b", "strict"]),
    max_size=4,
)


@LAW
@given(environ=ENVIRONMENTS)
def test_whatever_the_environment_holds(environ: dict[str, str]) -> None:
    try:
        assert isinstance(load(environ=environ), Settings)
    except ConfigurationError as error:
        assert re.match(r"CX10\d\d: ", str(error))


FRAGMENTS = st.sampled_from(
    [
        "[",
        "]",
        "[[",
        "]]",
        "=",
        ".",
        '"',
        "'",
        "\n",
        ",",
        "{",
        "}",
        "service",
        "queue",
        "max_bytes",
        "1",
        "${A}",
        "1979-05-27",
    ]
)


@LAW
@given(content=st.binary() | st.lists(FRAGMENTS).map(lambda parts: "".join(parts).encode()))
def test_whatever_the_file_holds(content: bytes) -> None:
    Path("any.toml").write_bytes(content)
    try:
        assert isinstance(load(file=Path("any.toml"), environ={}), Settings)
    except ConfigurationError as error:
        assert re.match(r"CX10\d\d: ", str(error))


def test_a_table_within_itself_is_refused() -> None:
    table: dict[str, Any] = {}
    table["flask"] = table
    assert refusal(overrides=table).code == "CX1009"
    with pytest.raises(ConfigurationError, match="CX1009"):
        structure(Receiver, table, where="x")


# --- Secrets --------------------------------------------------------------------------------------

CANARY = "hunter2-hunter2-hunter2"


def secretive() -> Settings:
    write(
        '[keys]\nsigning = ["${CANARY}"]\n[exporters.receiver]\ntype = "http"\ntoken = "${CANARY}"\n[flask]\nkey = "${CANARY}"'
    )
    environ = {"CANARY": CANARY, "CXKIT_KEYS__IDENTIFIER": CANARY, "CXKIT_STORE__PASSWORD": CANARY}
    return load(environ=environ, overrides={"experiences": {"x": {"key": CANARY}}})


SHOWN: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda one: f"{one} {one!r} {'%s' % (one,)}",
    "width": lambda one: [f"{one:>30}" if isinstance(one, Secret) else ""],
    "asdict": lambda one: attrs.asdict(one) if attrs.has(type(one)) else "",
    "astuple": lambda one: attrs.astuple(one) if attrs.has(type(one)) else "",
}


@pytest.mark.parametrize("way", SHOWN)
def test_no_way_of_showing_shows_a_secret(way: str) -> None:
    loaded = secretive()
    for one in (loaded, loaded.keys, loaded.keys.identifier, loaded.exporters["receiver"], loaded.store.options):
        assert CANARY not in repr(SHOWN[way](one))
    assert loaded.keys.identifier is not None and loaded.keys.identifier.reveal() == CANARY
    assert loaded.store.options["password"] == CANARY


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_secret_is_pickled_or_copied(protocol: int) -> None:
    loaded = secretive()
    for one in (loaded, loaded.keys, loaded.keys.identifier, loaded.store.options):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(one, protocol)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(loaded)


def test_a_secret_is_no_text_and_equals_its_like() -> None:
    one: Any = Secret(CANARY)
    assert (one == Secret(CANARY), one == Secret("x"), one == CANARY, one != CANARY) == (True, False, False, True)
    assert Secret("\udcff") == Secret("\udcff")
    for misuse in (lambda: one + "", lambda: "".join([one]), lambda: json.dumps(one), lambda: {one}, lambda: len(one)):
        with pytest.raises(TypeError) as caught:
            misuse()
        assert CANARY not in str(caught.value)


def frames_below(error: BaseException | None) -> Iterator[str]:
    """Each error of the chain with the variables of its frames, but those of the test."""
    while error is not None:
        below = error.__traceback__.tb_next if error.__traceback__ else None
        yield "".join(traceback.TracebackException(type(error), error, below, capture_locals=True).format())
        error = error.__cause__ or error.__context__


LEAKY: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    (f"service = '{CANARY}'\nstrict = 3", {}, {}),
    (f"service = '{CANARY}", {}, {}),
    (f"durability = '{CANARY}'", {}, {}),
    (f"[keys]\nidentifier = ['{CANARY}']", {}, {}),
    (f"[keys]\nsigning = ['{CANARY}', 'short']", {}, {}),
    (f"[queue]\nmax_bytes = '{CANARY}'", {}, {}),
    (f"[web]\nexclude = ['{CANARY}']", {}, {}),
    ("service = '${A}${B}'", {"A": CANARY}, {}),
    ("[queue]\nmax_bytes = '${A}'", {"A": CANARY}, {}),
    ("", {"CXKIT_STRICT": CANARY, "PASSWORD": CANARY}, {}),
    ("", {"CXKIT_STRICT": "x", "CXKIT_STRIC": CANARY}, {}),
    ("", {"CXKIT_SERVICE": "\udcff" + CANARY}, {}),
    ("", {"CXKIT_STRICT": CANARY, "CXKIT_Strict": CANARY}, {}),
    ("", {}, {"keys": {"identifier": {"x": CANARY}}}),
    ("", {}, {"exporters": {"a": {"type": "x", "purposes": [CANARY]}}}),
    ("", {}, {"flask": {3: CANARY}}),
]


@pytest.mark.parametrize(("text", "environ", "overrides"), LEAKY)
def test_no_refusal_shows_a_value_not_even_in_its_frames(text: str, environ: Any, overrides: Any) -> None:
    write(text)
    shown = list(frames_below(refusal(environ=environ, overrides=overrides)))
    assert "CX10" in shown[0] and CANARY not in "".join(shown)


@pytest.mark.parametrize(
    "table",
    [
        {"url": CANARY},
        {"url": "http://x", "token": [CANARY]},
        {"url": "http://x", "token": CANARY, "retries": -1},
        {"url": "http://x", "level": CANARY},
        {"url": "http://x", "nothing": CANARY},
        {"url": "http://x", "tls": {"verify": CANARY}},
    ],
)
def test_nor_does_a_refusal_of_structure(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        structure(Receiver, RawTable(table), where="exporters.receiver")
    shown = list(frames_below(caught.value))
    assert "CX10" in shown[0] and CANARY not in "".join(shown)
