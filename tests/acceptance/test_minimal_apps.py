"""A first app as its framework's own tutorial writes it, and one added line: allowed visits are recognised.

Without the line it is the tutorial's own, answers the same bytes, and nothing of us stays.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import attrs
import pytest

from cxkit.model import Interaction
from cxkit.testing.receiver import Receiver
from cxkit.testing.web_shop import Browser, exchanged
from tests.delivery.processes import configure
from tests.hosts.servers import hosting, until

MINIMAL: Final = Path(__file__).parents[2] / "examples" / "minimal"
TUTORIALS: Final = {
    "flask": """from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello_world():
    return "<p>Hello, World!</p>"
""",
    "starlette": """from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def homepage(request):
    return JSONResponse({"hello": "world"})


app = Starlette(
    debug=True,
    routes=[
        Route("/", homepage),
    ],
)
""",
    "fastapi": """from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root():
    return {"message": "Hello World"}
""",
}
"""As https://flask.palletsprojects.com/quickstart/, https://www.starlette.io and
https://fastapi.tiangolo.com/tutorial/first-steps/ write them, but for quotes and blank lines."""


@attrs.frozen(kw_only=True)
class Minimal:
    """One of ``examples/minimal``.

    Attributes:
        project: Its folder; none if it is one file.
        changed: The file that has what was added.
        added: The line, and its import if it needs one.
        command: How its tutorial starts it.
        path: Of a page.
        route: What is to be captured of that.
    """

    project: str = ""
    changed: str
    added: tuple[str, ...]
    command: tuple[str, ...]
    path: str = "/"
    route: str = "/"

    def copy(self, folder: Path) -> Path:
        """As somebody has it on their machine."""
        if self.project:
            shutil.copytree(MINIMAL / self.project, folder, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir()
            shutil.copy(MINIMAL / self.changed, folder)
        return folder

    def take_out(self, folder: Path) -> None:
        """What was added."""
        changed = folder / self.changed
        text = changed.read_text("utf-8")
        for line in self.added:
            assert text.count(line) == 1
            text = text.replace(line, "")
        changed.write_text(text, "utf-8")


_ASGI: Final = ("from cxkit_starlette import CXMiddleware\n", "app.add_middleware(CXMiddleware)\n")
_UVICORN: Final = ("--port={port}", "--log-level=warning")
APPS: Final = {
    "flask": Minimal(
        changed="flask_app.py",
        added=("from cxkit_flask import CXFlask\n", "CXFlask(app)\n"),
        command=("flask", "--app=flask_app", "run", "--port={port}"),
    ),
    "starlette": Minimal(changed="starlette_app.py", added=_ASGI, command=("uvicorn", "starlette_app:app", *_UVICORN)),
    "fastapi": Minimal(changed="fastapi_app.py", added=_ASGI, command=("uvicorn", "fastapi_app:app", *_UVICORN)),
    "django": Minimal(
        project="django_app",
        changed="mysite/settings.py",
        added=('    "cxkit_django.CXMiddleware",\n',),
        command=("manage", "runserver", "--noreload", "{port}"),
        path="/polls/7/",
        route="/polls/{question_id}/",
    ),
}


@pytest.fixture(params=APPS)
def minimal(request: pytest.FixtureRequest) -> Minimal:
    return APPS[request.param]


def viewed(receiver: Receiver) -> list[Interaction]:
    return [one for one in receiver.interactions if one.name == "page.viewed"]


def test_visits_are_recognised_once_that_is_allowed(minimal: Minimal, tmp_path: Path) -> None:
    folder = minimal.copy(tmp_path / "app")
    with Receiver() as receiver:
        configure(folder, sink=receiver)
        with hosting(minimal.command, folder) as host:
            browser = Browser(host.port)
            assert not browser.ask(minimal.path).all("set-cookie")
            headers = {"Origin": f"http://127.0.0.1:{host.port}", "Content-Type": "application/json"}
            chosen = b'{"choices": {"analytics": "granted"}}'
            assert browser.ask("/cx/consent", method="POST", headers=headers, body=chosen).status == 200
            assert sorted(browser.cookies) == ["cxkit_consent", "cxkit_visitor"]
            for _ in range(2):
                assert not browser.ask(minimal.path).all("set-cookie")
            until(lambda: len(viewed(receiver)) == 3, "the visits are delivered")
        before, *after = viewed(receiver)
    assert "Traceback" not in host.printed, host.printed
    assert {one.context.page and one.context.page.route for one in (before, *after)} == {minimal.route}
    assert not before.identity
    visitors = {one.identity.get("visitor") for one in after}
    assert len(visitors) == 1
    assert visitors != {None}


@pytest.mark.parametrize("name", TUTORIALS)
def test_without_the_line_it_is_the_tutorials(name: str, tmp_path: Path) -> None:
    folder = APPS[name].copy(tmp_path / "app")
    APPS[name].take_out(folder)
    assert (folder / APPS[name].changed).read_text("utf-8") == TUTORIALS[name]


def test_without_the_line_everything_is_as_it_was(minimal: Minimal, tmp_path: Path) -> None:
    folders = minimal.copy(tmp_path / "with"), minimal.copy(tmp_path / "without")
    minimal.take_out(folders[1])
    assert not [one for one in folders[1].rglob("*.py") if "cx" in one.read_text("utf-8").lower()]
    said = [answers(minimal, folder) for folder in folders]
    assert said[0] == said[1]
    assert b" 404 " in said[1][-1].splitlines()[0]
    assert left(folders[0]) == left(folders[1]) | {".cxkit"}


def answers(minimal: Minimal, folder: Path) -> list[bytes]:
    """What the app says, byte for byte but for the time."""
    with hosting(minimal.command, folder) as host:
        asked = (f"GET {minimal.path}", f"HEAD {minimal.path}", "DELETE /nowhere")
        end = "HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        found = [exchanged(host.port, f"{one} {end}".encode()) for one in asked]
    assert "cxkit" not in host.printed, host.printed
    return found


def left(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()} - {"__pycache__"}
