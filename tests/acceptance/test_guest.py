"""A guest: importing and using cxkit leaves the host as it was. Each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest


def run(code: str, directory: Path | str) -> subprocess.CompletedProcess[str]:
    """Run this as a program of its own, in that directory."""
    return subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", dedent(code)],
        cwd=directory, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def assert_fine(ended: subprocess.CompletedProcess[str], printed: str = "fine\n") -> None:
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, printed, "")


def test_importing_it_starts_opens_and_loads_nothing(tmp_path: Path) -> None:
    code = """
        import logging, signal, sys, threading
        before = {n: signal.getsignal(n) for n in signal.valid_signals()}
        seen, code = [], (".py", ".pyc", ".so")

        def watch(event, arguments):
            if event in ("os.listdir", "os.scandir"):
                return  # the import itself
            if event == "open" and str(arguments[0]).endswith(code) and not arguments[2] & 3:
                return  # likewise: read only
            if event.split(".")[0] in ("open", "os", "socket", "_thread", "subprocess", "sqlite3", "shutil"):
                seen.append((event, arguments))

        sys.addaudithook(watch)
        import cxkit
        assert not [name for name in sys.modules if name.startswith("cxkit.")], "not even the rooms"
        cxkit.touchpoint
        assert "cxkit.kit" in sys.modules
        assert seen == [], seen
        assert threading.enumerate() == [threading.main_thread()]
        assert before == {n: signal.getsignal(n) for n in signal.valid_signals()}
        assert (logging.root.level, logging.root.handlers, logging.root.filters) == (logging.WARNING, [], [])
        own = logging.getLogger("cxkit")
        assert (own.level, own.handlers, own.propagate, own.disabled) == (0, [], True, False)
        heavy = "httpcore h11 httpx sqlite3 starlette cxkit_starlette cxkit.transport cxkit.testing cxkit.web"
        exporters = "cxkit.exporters.http cxkit.exporters.file cxkit.exporters.console"
        assert not sys.modules.keys() & {*heavy.split(), *exporters.split()}
        open("/dev/null").close()
        assert len(seen) == 1, "the watch sees"
        print("fine")
    """
    assert_fine(run(code, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_capture_leaves_signals_logging_and_stack_as_they_were(tmp_path: Path) -> None:
    code = """
        import logging, signal, socket, sys, threading
        def state():
            return (
                {n: signal.getsignal(n) for n in signal.valid_signals()},
                logging.root.handlers[:], logging.root.level, logging.getLogger("cxkit").handlers[:],
                sys.excepthook, threading.excepthook, sys.gettrace(), sys.getprofile(),
                socket.socket, socket.getaddrinfo, socket.getdefaulttimeout(),
            )
        before = state()
        import cxkit
        assert cxkit.touchpoint("a.b").capture(c=1)
        assert cxkit.flush(timeout_s=30).complete
        assert state() == before
        cxkit.close()
        assert state() == before
        print("fine")
    """
    assert_fine(run(code, tmp_path))


def test_without_any_configuration_it_works_and_nothing_leaves_the_machine(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        seen = []
        sys.addaudithook(lambda event, _: event.startswith("socket.") and seen.append(event))
        import cxkit
        STARTED = cxkit.touchpoint("program.started")
        with cxkit.scope(channel="store", user_id="nancy"):
            cxkit.grant("analytics")
            assert STARTED.capture(day="sunday")
        assert cxkit.flush(timeout_s=30).complete
        account = cxkit.stats()
        assert account.balanced
        kept = [*Path(".cxkit").rglob("*")]
        assert any(one.suffix == ".seg" for one in kept)
        assert not [one for one in kept if one.stat().st_mode & 0o077], "others may read it"
        print(account.spooled, dict(account.exporters), sorted(set(seen)))
    """
    assert_fine(run(code, tmp_path), "2 {} []\n")
    assert_fine(run(code, tmp_path), "4 {} []\n")

    assert [one.name for one in tmp_path.iterdir()] == [".cxkit"]


def test_a_program_that_ends_at_once_is_silent_and_loses_nothing(tmp_path: Path) -> None:
    capture = "import cxkit; cxkit.touchpoint('program.started').capture()"
    account = "import cxkit; account = cxkit.stats(); print(account.spooled, dict(account.dropped))"

    for _ in range(3):
        assert_fine(run(capture, tmp_path), "")

    assert_fine(run(account, tmp_path), "3 {}\n")


def unwritable(kind: str, tmp_path: Path) -> Path | str:
    if kind == "a file in its place":
        (tmp_path / ".cxkit").write_text("")
    if kind == "a link to nowhere in its place":
        (tmp_path / ".cxkit").symlink_to(tmp_path / "nowhere" / "at" / "all")
    return "/dev/fd" if kind == "no directory for files" else tmp_path


KINDS = ["a file in its place", "a link to nowhere in its place", "removed", "no directory for files"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unwritable_working_directory_does_not_crash_the_app(kind: str, tmp_path: Path) -> None:
    code = f"""
        import os, cxkit
        {"os.rmdir(os.getcwd())" if kind == "removed" else ""}
        CHECKOUT = cxkit.touchpoint("checkout.attempted")
        hero = cxkit.experience("home.hero", fallback=cxkit.Variant(name="all", content="welcome"))
        with cxkit.scope(channel="store", user_id="nancy"):
            cxkit.grant("analytics")
            cxkit.identify(user_id="nancy")
            with CHECKOUT.interaction():
                assert hero.show().content == "welcome"
            CHECKOUT.capture(step=1)
        print(cxkit.current().profile.traits)
    """
    ended = run(code, unwritable(kind, tmp_path))

    assert (ended.returncode, ended.stdout) == (0, "{}\n"), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "cxkit" in ended.stderr, "it must say that nothing can be kept"
    assert ended.stderr.count("\n") <= 3, "and not again and again"


@pytest.mark.parametrize("kind", KINDS)
def test_an_unwritable_working_directory_does_not_crash_a_web_app(kind: str, tmp_path: Path) -> None:
    code = f"""
        import asyncio, os
        from cxkit.web import ASGIMiddleware
        {"os.rmdir(os.getcwd())" if kind == "removed" else ""}

        async def app(scope, receive, send):
            await send({{"type": "http.response.start", "status": 200, "headers": []}})
            await send({{"type": "http.response.body", "body": b"served"}})

        async def send(message):
            print(message.get("status", message.get("body")))

        scope = {{"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}}
        asyncio.run(ASGIMiddleware(app)(scope, None, send))
    """
    ended = run(code, unwritable(kind, tmp_path))

    assert (ended.returncode, ended.stdout) == (0, "200\nb'served'\n"), ended.stderr


def test_a_wrong_setting_does_not_crash_the_app(tmp_path: Path) -> None:
    (tmp_path / "cxkit.toml").write_text("[exporters.receiver]\ntype = 'nothing of the kind'\n")
    code = """
        import cxkit
        ARRIVED = cxkit.touchpoint("customer.arrived")
        with cxkit.scope(channel="store", user_id="nancy"):
            for _ in range(3):
                assert ARRIVED.capture() is None
        print("fine")
    """
    ended = run(code, tmp_path)

    assert (ended.returncode, ended.stdout) == (0, "fine\n"), ended.stderr
    assert ended.stderr.count("CX1") == 1, "said once, with its code"
    assert os.listdir(tmp_path) == ["cxkit.toml"]
