"""Experiences in a file of their own: read at the start, read again when it changes, and never half."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

import cxkit
from cxkit.errors import ConfigurationError
from cxkit.kit import Kit, experiences
from cxkit.settings import Settings
from tests.flows.world import eventually

HERO = '[experiences."file.hero"]\nfallback = {{ name = "all", content = "{}" }}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "experiences.toml"
    path.write_text(HERO.format("one"), "utf-8")
    return path


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file all the time."""
    monkeypatch.setattr(experiences, "_LOOK_AGAIN_S", 0.01)


def kit_of(path: Path, **more: object) -> Kit:
    return Kit(Settings(experiences_file=path, **more), in_memory=True)  # type: ignore[arg-type]


def shown(kit: Kit) -> object:
    with cxkit.scope(kit=kit):
        found = cxkit.Experience.named("file.hero")
        return found and found.decide().content


def replaced(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, "utf-8")
    new.replace(path)


def test_it_is_read_at_the_start_and_when_it_changes(file: Path) -> None:
    with closing(kit_of(file)) as kit:
        assert shown(kit) == "one"
        replaced(file, HERO.format("two"))
        eventually(lambda: shown(kit) == "two")
        replaced(file, "")
        eventually(lambda: shown(kit) is None)


def test_it_is_read_while_nobody_decides_so_that_the_next_decision_goes_by_it(file: Path) -> None:
    with closing(kit_of(file)) as kit:
        replaced(file, HERO.format("two"))
        assert shown(kit) == "two", "also the first of the process"
        replaced(file, HERO.format("three"))
        eventually(lambda: kit.experiences.all()["file.hero"].spec.fallback.content == "three")
        assert shown(kit) == "three"


def test_a_kit_that_is_closed_watches_no_more(file: Path) -> None:
    def watching() -> int:
        return [one.name for one in threading.enumerate()].count("cxkit-experiences")

    eventually(lambda: watching() == 0)
    with closing(kit_of(file)) as kit:
        assert shown(kit) == "one"
        assert watching() == 1
    eventually(lambda: watching() == 0)


def told_of(kit: Kit, times: int) -> bool:
    return kit.intake.noted["experiences_refused"] == times


def test_each_mistake_is_told_once_with_its_place(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    def told() -> list[str]:
        return [one for one in caplog.messages if "file of experiences" in one]

    wrong = '[experiences."file.hero"]\n{} = 9\n'
    with closing(kit_of(file)) as kit:
        for turn, key in enumerate(["levle", "levle", "fallbak"], 1):
            replaced(file, wrong.format(key) + "\n" * turn)
            assert shown(kit) == "one"
            eventually(partial(told_of, kit, turn))
        eventually(lambda: len(told()) == 2)  # counted first
        first, second = told()
    assert "CX1001" in first
    assert "file.hero" in first
    assert 'did you mean "level"' in first
    assert 'did you mean "fallback"' in second


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HERO.format("two")[:-9], None),
        ('[experiences."file.hero"]\nlevel = 9\n', "CX1006"),
        ('[experiences."file.hero"]\nvariants = [{ name = "a", audience = { x = { "$like" = 1 } } }]\n', "CX3041"),
        ('service = "shop"\n', "CX1034"),
    ],
)
def test_what_is_wrong_with_it_is_told_at_the_start_and_changes_nothing_later(
    file: Path, text: str, code: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(kit_of(file)) as kit:
        replaced(file, text)
        eventually(lambda: (shown(kit), kit.intake.noted["experiences_refused"] > 0) == ("one", True))
        eventually(lambda: len([one for one in caplog.messages if "file of experiences" in one]) == 1)  # counted first
        replaced(file, HERO.format("two"))
        eventually(lambda: shown(kit) == "two")
    replaced(file, text)
    with pytest.raises((ConfigurationError, cxkit.CXError)) as caught:
        kit_of(file)
    assert code is None or caught.value.code == code
    assert "file.hero" in str(caught.value) or str(file) in str(caught.value) or "service" in str(caught.value)


def test_a_file_that_is_gone_changes_nothing_and_one_that_never_was_is_refused(file: Path, tmp_path: Path) -> None:
    with closing(kit_of(file)) as kit:
        file.unlink()
        eventually(lambda: (shown(kit), kit.intake.noted["experiences_refused"] > 0) == ("one", True))
    with pytest.raises(ConfigurationError):
        kit_of(tmp_path / "nothing.toml")


def test_an_experience_is_configured_once(file: Path) -> None:
    table = {"file.hero": {"fallback": {"name": "all"}}}
    with pytest.raises(ConfigurationError) as caught:
        kit_of(file, experiences=table)
    assert caught.value.code == "CX1034"


def test_a_forked_child_reads_it_again(file: Path) -> None:
    """Its parent's thread, which watches the file, is not there in the child."""
    code = f"""
import os, pathlib, time, cxkit
from cxkit.kit import Kit, experiences
from cxkit.settings import Settings
experiences._LOOK_AGAIN_S = 0.01
kit = Kit(Settings(experiences_file=pathlib.Path({str(file)!r})), in_memory=True)
kit.experiences.get("file.hero")
pathlib.Path({str(file)!r}).write_text({HERO.format("two")!r})
if os.fork() == 0:
    end = time.monotonic() + 20
    while kit.experiences.get("file.hero").spec.fallback.content != "two" and time.monotonic() < end: pass
    os._exit(kit.experiences.get("file.hero").spec.fallback.content != "two")
_, status = os.wait()
os._exit(status != 0)
"""
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}, timeout=60).returncode == 0
