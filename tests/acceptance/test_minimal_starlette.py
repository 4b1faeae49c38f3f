"""Starlette's and FastAPI's first apps with one line: visitors are known once they allow it; without it, as before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from cxkit.exporters.local import read
from cxkit.testing.ports import free_port
from cxkit.testing.web_shop import Browser, exchanged
from tests.hosts.servers import until

MINIMAL: Final = Path(__file__).parents[2] / "examples" / "minimal"
ASKED: Final = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CONFIGURATION: Final = '[exporters.local]\ntype = "local"\npath = "local.db"\npurposes = ["necessary"]\n'
TUTORIALS: Final = {
    "starlette_app": """from starlette.applications import Starlette
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
    "fastapi_app": """from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root():
    return {"message": "Hello World"}
""",
}
"""As https://www.starlette.io and https://fastapi.tiangolo.com/tutorial/first-steps/ write them, but for quotes."""


@contextmanager
def running(folder: Path, name: str) -> Iterator[int]:
    """The app under uvicorn, in a process of its own and in this folder; its port."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    command = [sys.executable, "-m", "uvicorn", f"{name}:app", f"--port={port}", "--log-level=warning"]
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=printed, stderr=printed)
        try:
            until(lambda: _answers(port), "it answers")
            yield port
        finally:
            process.terminate()
            process.wait(60)
    assert (folder / "printed").read_text() == ""


def _answers(port: int) -> bool:
    try:
        return bool(exchanged(port, b"HEAD /nowhere HTTP/1.0\r\n\r\n"))
    except OSError:
        return False


def without(source: str) -> str:
    return "".join(line for line in source.splitlines(keepends=True) if "CXMiddleware" not in line)


@pytest.mark.parametrize("name", TUTORIALS)
def test_one_line_and_its_visitors_are_known(name: str, tmp_path: Path) -> None:
    source = (MINIMAL / f"{name}.py").read_text("utf-8")
    assert source.count("CXMiddleware") == 2, "an import and one line"
    (tmp_path / f"{name}.py").write_text(source, "utf-8")
    (tmp_path / "cxkit.toml").write_text(CONFIGURATION, "utf-8")
    with running(tmp_path, name) as port:
        browser = Browser(port)
        assert not browser.ask("/").all("set-cookie")
        body = json.dumps({"choices": {"analytics": "granted"}}).encode()
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
        assert browser.ask("/cx/consent", method="POST", body=body, headers=headers).status == 200
        assert sorted(browser.cookies) == ["cxkit_consent", "cxkit_visitor"]
        for _ in range(2):
            assert browser.ask("/").status == 200
    with read(tmp_path / "local.db") as connection:
        visits = connection.execute("SELECT subject FROM interactions WHERE route = '/' ORDER BY at_ms, id")
        visitors = [row["subject"] for row in visits]
    assert visitors == [None, visitors[-1], visitors[-1]]
    assert visitors[-1] is not None


@pytest.mark.parametrize("name", TUTORIALS)
def test_without_it_everything_is_as_it_was(name: str, tmp_path: Path) -> None:
    source = (MINIMAL / f"{name}.py").read_text("utf-8")
    assert without(source) == TUTORIALS[name]
    answers = []
    for folder, text in (("with", source), ("without", without(source))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(text, "utf-8")
        with running(tmp_path / folder, name) as port:
            answers.append([exchanged(port, ASKED), exchanged(port, ASKED.replace(b"GET /", b"DELETE /nowhere"))])
    assert answers[0] == answers[1]
    assert (tmp_path / "with" / ".cxkit").exists()
    assert {one.name for one in (tmp_path / "without").iterdir()} <= {f"{name}.py", "printed", "__pycache__"}
