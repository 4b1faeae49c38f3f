"""The first project of Django's tutorial: one added line recognises visitors, and removed it leaves no trace."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cxkit_django")

from cxkit.testing.ports import free_port
from cxkit.testing.receiver import Receiver
from cxkit.testing.web_shop import Browser
from tests.delivery.processes import configure

_APP = Path(__file__).parents[2] / "examples" / "minimal" / "django_app"
_LINE = '    "cxkit_django.CXMiddleware",\n'


@contextlib.contextmanager
def running(folder: Path) -> Iterator[int]:
    """Django's own server, and its port."""
    port = free_port()
    path = os.pathsep.join(one for one in sys.path if one)
    server = subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", "--insecure", f"127.0.0.1:{port}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                break
            assert time.monotonic() < deadline
            assert server.poll() is None
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of it, as somebody has it on their machine."""
    return Path(shutil.copytree(_APP, tmp_path / "mysite"))


def without(project: Path) -> None:
    settings = project / "mysite" / "settings.py"
    text = settings.read_text("utf-8")
    assert text.count("cxkit") == text.count(_LINE) == 1
    settings.write_text(text.replace(_LINE, ""), "utf-8")


def said(port: int) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """What a visitor is answered; the page for a path that is not there shows the port."""
    replies = [Browser(port).ask(path) for path in PATHS]
    shown = str(port).encode()
    return [
        (one.status, [pair for pair in one.headers if pair[0] != "Date"], one.body.replace(shown, b"PORT"))
        for one in replies
    ]


PATHS = ["/polls/", "/polls/7/", "/polls", "/polls/canary/"]


def test_one_line_recognises_visitors_and_changes_nothing_else(project: Path) -> None:
    with Receiver() as receiver:
        configure(project, sink=receiver)
        with running(project) as port:
            with_it = said(port)
            browser = Browser(port)
            here = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
            chosen = browser.ask(
                "/cx/consent", method="POST", headers=here, body=b'{"choices":{"analytics":"granted"}}'
            )
            assert chosen.status == 200
            assert sorted(browser.cookies) == ["cxkit_consent", "cxkit_visitor"]
            browser.ask("/polls/7/")
            browser.ask("/polls/8/")
            assert receiver.wait_for(7, timeout_s=60)
        viewed = [one for one in receiver.interactions if one.name == "page.viewed"]
        routes = [one.context.page.route for one in viewed if one.context.page]
        assert sorted(filter(None, routes)) == ["/polls/", *["/polls/{question_id}/"] * 3]
        visitors = [one.identity.get("visitor") for one in viewed if one.identity]
        assert len(visitors) == 2
        assert len(set(visitors)) == 1
    before = sorted(path.relative_to(project) for path in project.rglob("*") if ".cxkit" not in path.parts)
    without(project)
    with running(project) as port:
        assert said(port) == with_it
        assert Browser(port).ask("/cx/consent").status == 404
    assert sorted(path.relative_to(project) for path in project.rglob("*") if ".cxkit" not in path.parts) == before
