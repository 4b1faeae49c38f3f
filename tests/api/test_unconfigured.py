"""Outside of a scope, and without a configuration that holds: told once, and never raised into the app."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.errors import ConfigurationError, StateError
from cxkit.kit import noted
from cxkit.testing import Recorder, recorder


@pytest.mark.parametrize(
    "act",
    [
        lambda: cxkit.identify(user_id="nancy"),
        lambda: cxkit.grant("analytics"),
        lambda: cxkit.withdraw("analytics"),
    ],
)
def test_without_a_scope_there_is_nobody_to_act_for(act: Any, caplog: pytest.LogCaptureFixture) -> None:
    with recorder(strict=True), pytest.raises(StateError) as caught:
        act()
    assert caught.value.code == "CX7002"
    assert "middleware" in caught.value.fix
    with recorder(strict=False) as record:
        act()
        act()
        assert sum(record.kit.intake.noted.values()) == 2
        assert record.interactions == []
    (told,) = caplog.messages
    assert told.startswith("cxkit: a call had no effect: CX7002: ")


def test_what_went_wrong_in_a_plugin_is_told_and_raised_in_strict_mode_alone() -> None:
    wrong = StateError("there is no such flag", fix="declare it", code="CX7002")
    with recorder(strict=True), cxkit.scope(), pytest.raises(StateError):
        noted(wrong)
    with recorder(strict=False) as record, cxkit.scope():
        noted(wrong)
        assert sum(record.kit.intake.noted.values()) == 1


def test_without_a_scope_interactions_are_nobodys_and_nothing_is_known(cx: Recorder) -> None:
    cxkit.touchpoint("alone.seen").capture()
    assert not cx.one("alone.seen").identity
    assert cxkit.current().profile.traits == {}
    assert cxkit.experience("alone.hero").show().variant == "default"
    assert cxkit.journey("alone", steps=["alone.seen", "alone.bought"]).progress().step is None


EVERY_VERB = """
import asyncio, sys
import cxkit

SEEN = cxkit.touchpoint("app.seen")
HERO = cxkit.experience("app.hero", fallback=cxkit.Variant(name="all", content="Welcome"))
BUYING = cxkit.journey("buying", steps=["app.seen", "app.bought"])

@SEEN
def work():
    return 7

for _ in range(2):
    assert SEEN.capture(a=1) is None
    assert SEEN.on(case="1").capture() is None
    with SEEN.interaction() as it:
        it.set(a=1)
    assert work() == 7
    assert HERO.decide().content == HERO.show().content == "Welcome"
    assert BUYING.progress().next == "app.seen"
    with cxkit.scope(channel="phone", phone="+33 1"):
        SEEN.capture()
        cxkit.identify(user_id="nancy")
        cxkit.grant("analytics")
        cxkit.withdraw("analytics")
        assert cxkit.current().profile.traits == {}
        assert cxkit.carry(work)() == 7
    cxkit.identify(user_id="nancy")
    cxkit.grant("analytics")
    cxkit.current().profile
"""
CONTROLS = """
cxkit.flush(timeout_s=0.1)
cxkit.stats()
asyncio.run(cxkit.settled(timeout_s=0.1))
cxkit.close(timeout_s=0.1)
"""
KEPT = """
from cxkit.kit import default_kit

for _ in range(50):
    SEEN.capture(a=1)
try:
    default_kit()
except Exception as error:
    depth, frame = 0, error.__traceback__
    while frame is not None:
        depth, frame = depth + 1, frame.tb_next
    assert depth < 20, f"an error that is kept grows with each use: {depth}"
"""
WRONG = 'polcy = "strict"'


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", program + "\nprint('done')"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "configuration",
    [
        WRONG,
        "this is not TOML",
        '[store]\ntype = "no such"',
        '[exporters.x]\ntype = "file"\npath = "x.jsonl"',
        '[keys]\nsigning = ["short"]',
        '[experiences."app.hero"]\nlevel = 9',
    ],
)
def test_a_wrong_configuration_is_told_once_and_never_raised_into_the_app(configuration: str) -> None:
    Path("cxkit.toml").write_text(configuration, "utf-8")
    ended = run(EVERY_VERB)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    assert ended.stderr.count("nothing is captured") == 1
    assert ended.stderr.count("\n") == 1
    assert "CX1" in ended.stderr
    assert "Fix: " in ended.stderr


def test_with_a_wrong_configuration_the_controls_do_not_raise_either() -> None:
    """An app calls close() when it ends, whatever became of cxkit."""
    Path("cxkit.toml").write_text(WRONG, "utf-8")
    ended = run(EVERY_VERB + CONTROLS)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_a_wrong_configuration_takes_no_more_memory_with_each_capture() -> None:
    Path("cxkit.toml").write_text(WRONG, "utf-8")
    ended = run(EVERY_VERB + KEPT)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_a_directory_that_cannot_be_used_is_told_and_never_raised_into_the_app() -> None:
    Path(".cxkit").write_text("a file where a directory should be", "utf-8")
    ended = run(EVERY_VERB)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    assert "Traceback" not in ended.stderr


def test_importing_says_and_starts_nothing() -> None:
    ended = run(
        "import threading, sys, cxkit; cxkit.touchpoint; print(threading.active_count(), 'httpcore' in sys.modules)"
    )
    assert (ended.stdout, ended.stderr) == ("1 False\ndone\n", "")
    assert not Path(".cxkit").exists()


def test_configure_says_what_is_wrong() -> None:
    Path("cxkit.toml").write_text(WRONG, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        cxkit.configure()
    assert "polcy" in caught.value.what
