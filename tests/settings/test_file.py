"""Which file is read, what makes it unreadable, and the ``${NAME}`` in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, assume, given, settings

from cxkit.settings import Settings, load

# --- The file -------------------------------------------------------------------------------------


def test_the_nearest_file_above_is_found(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('service = "far"')
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    far = load(environ={})
    write('[tool.black]\nline-length = 1\n[tool.cxkit]\nservice = "near"', "../pyproject.toml")
    near = load(environ={})
    assert (far.service, far.origins) == ("far", {"service": f"file {tmp_path / 'cxkit.toml'}"})
    assert (near.service, near.origins) == ("near", {"service": f"file {tmp_path / 'a' / 'pyproject.toml'}"})


def test_cxkit_toml_goes_before_pyproject_and_another_projects_pyproject_does_not_count(write: Any) -> None:
    write('[tool.cxkit]\nservice = "pyproject"', "pyproject.toml")
    assert load(environ={}).service == "pyproject"
    write('service = "own"')
    assert load(environ={}).service == "own"
    Path("below").mkdir()
    write("tool = 3", "below/pyproject.toml")
    os.chdir("below")
    assert load(environ={}).service == "own"


def test_a_named_file_goes_before_the_nearest_and_the_argument_before_the_variable(write: Any) -> None:
    write('service = "nearest"')
    named, other = write('service = "named"', "named.toml"), write('service = "other"', "other.toml")
    environ = {"CXKIT_CONFIG": str(named)}
    assert load(environ=environ).service == "named"
    assert load(environ=environ, file=other).origins == {"service": "file other.toml"}


def test_the_directory_is_beside_the_file_that_was_found(write: Any) -> None:
    """So that the command line, called from below, sees what the application sees."""
    named = write('service = "own"').absolute()
    here = Path.cwd()
    assert load(environ={}).directory.absolute() == here / ".cxkit"
    Path("below").mkdir()
    os.chdir("below")
    assert load(environ={}).directory == here / ".cxkit"
    assert load(environ={"CXKIT_DIRECTORY": "own"}).directory == Path("own")
    assert load(environ={}, overrides={"directory": "own"}).directory == Path("own")
    assert (
        load(environ={"CXKIT_CONFIG": str(named)}).directory == load(environ={}, file=named).directory == Path(".cxkit")
    )
    write('directory = "/var/lib/cx"', str(named))
    assert load(environ={}).directory == Path("/var/lib/cx")


def test_a_removed_working_directory_has_no_file() -> None:
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()
    assert load(environ={}) == Settings()


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "loop": lambda path: path.symlink_to(path),
    "latin": lambda path: path.write_bytes('service = "caf\xe9"'.encode("latin-1")),
    "large": lambda path: path.write_bytes(b"#" * 10_000_000),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_named_file_that_cannot_be_read(refusal: Any, kind: str) -> None:
    path = Path("named.toml")
    UNREADABLE[kind](path)
    error = refusal(file=path)
    assert (error.code, str(error)) == ("CX1002", str(refusal(environ={"CXKIT_CONFIG": "named.toml"})))
    assert '"named.toml" cannot be read: ' in error.what


def test_a_file_that_is_forbidden(write: Any, refusal: Any) -> None:
    write('service = "shop"').chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # nothing is forbidden to root
    try:
        error = refusal(file=Path("cxkit.toml"))
    finally:
        if is_root:
            os.seteuid(0)
    assert (error.code, "Permission denied" in error.what) == ("CX1002", True)


@pytest.mark.parametrize("path", ["", "\0", "x" * 5000])
def test_a_path_that_is_none(refusal: Any, path: str) -> None:
    assert refusal(environ={"CXKIT_CONFIG": path}).code == "CX1002"


def test_a_directory_in_the_files_place_is_not_overlooked(refusal: Any) -> None:
    Path("cxkit.toml").mkdir()
    assert refusal().code == "CX1002"


def test_a_named_pyproject_must_have_the_table(write: Any, refusal: Any) -> None:
    assert "tool.cxkit" in refusal(file=write("[tool.black]", "pyproject.toml")).what


@pytest.mark.parametrize(
    "text",
    [
        "service =",
        "a = 1\na = 2",
        "[a",
        "x = " + "[" * 20_000,
        "x = " + "9" * 10_000,
        "\0",
        "service = 'a\nb'",
    ],
)
def test_what_is_not_toml(write: Any, refusal: Any, text: str) -> None:
    write(text)
    assert refusal().code == "CX1003"


def test_a_table_of_pyproject_that_is_none(write: Any, refusal: Any) -> None:
    write("[tool]\ncxkit = 3", "pyproject.toml")
    assert refusal().code == "CX1003"


def test_a_byte_order_mark_is_no_obstacle(write: Any) -> None:
    write('\ufeffservice = "shop"')
    assert load(environ={}).service == "shop"


# --- Replacing ${NAME} ----------------------------------------------------------------------------


def test_references_are_replaced_once_and_anywhere(write: Any) -> None:
    write(
        'service = "shop-${STAGE}"\nstrict = "${STRICT}"\n'
        '[web]\nexclude = ["/${STAGE}/", "/x"]\n[redact]\nkeep = "${KEEP}"\n'
        '[exporters.receiver]\ntype = "http"\ndeadline_s = "${DEADLINE}"\nurl = "${A}$${A}${B}"'
    )
    environ = {"STAGE": "test", "STRICT": "true", "KEEP": "a,b", "DEADLINE": "1.5", "A": "${B}", "B": ""}
    loaded = load(environ=environ)
    receiver = loaded.exporters["receiver"]
    assert (loaded.service, loaded.strict, loaded.redact.keep) == ("shop-test", True, ("a", "b"))
    assert loaded.web.exclude == ("/test/", "/x")
    assert (receiver.deadline_s, receiver.options["url"]) == (1.5, "${B}${A}")
    assert loaded.origins["service"] == "file cxkit.toml"


def test_a_reference_to_nothing_names_variable_and_setting(write: Any, refusal: Any) -> None:
    write('[exporters.receiver]\ntype = "http"\n[exporters.receiver.headers]\nkey = ["x", "${RECEIVER_KEY}"]')
    error = refusal()
    assert error.code == "CX1004"
    assert "RECEIVER_KEY" in error.what
    assert '"exporters.receiver.headers.key[1]" (file cxkit.toml)' in error.what


@pytest.mark.parametrize("text", ["${", "${}", "${A B}", "${A", "${1A}", "${A.B}"])
def test_a_reference_that_is_none(write: Any, refusal: Any, text: str) -> None:
    write(f'service = "{text}"')
    assert refusal(environ={"A": "x"}).code == "CX1004"


def test_only_the_file_has_references() -> None:
    loaded = load(environ={"CXKIT_CONSENT__POLICY": "${A}", "A": "x"}, overrides={"redact": {"keep": ["${A}"]}})
    assert (loaded.consent.policy, loaded.redact.keep) == ("${A}", ("${A}",))


TOML_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    text=st.lists(TOML_TEXT | st.sampled_from(["$", "{", "}", "${", "$${", "${A}"])).map("".join),
    value=TOML_TEXT,
)
def test_escaped_text_stays_and_replaced_text_is_put_in(write: Any, text: str, value: str) -> None:
    escaped = text.replace("${", "$${")
    assume(not escaped.endswith("$"))  # it would escape the reference that follows
    write(f"[consent]\npolicy = {json.dumps(escaped + '${A}', ensure_ascii=False)}")
    assert load(environ={"A": value}).consent.policy == text + value
