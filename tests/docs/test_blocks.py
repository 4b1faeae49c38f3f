"""Every block of the pages is run, in order, as a reader would type it.

In a folder of its own for each page:

- a block under a line that ends in a file's name (```shop.py`:``) is written to that file, at its end if the
  line begins with "Add";
- other Python runs in one namespace; what ``>>>`` prints must be what the page says;
- in ``console`` blocks each ``$ command`` is run and must print what is shown (``...`` is anything).
  "leave it running" starts it in the background until the page ends; "Ctrl-C" ends the one started last.
  The command line speaks the language of the page.
- a block without a language under "now shows" is what the one started last goes on to print, line by line;
- dates and times are those of now;
- of the plugins that say something of every visit, a tutorial has those that it names.

Ports are changed for free ones. What cannot be run says so in the page: "Not tested: REASON."
"""

from __future__ import annotations

import doctest
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest
from starlette.testclient import TestClient

from cxkit.kit.experiences import declared
from cxkit.testing import recorder
from cxkit.testing.ports import free_port

_PORT = re.compile(r"\b8[07]00\b")
_CXKIT = "import sys; sys.argv[0] = 'cxkit'; from cxkit.cli import main; main()"
_PROGRAMS = {
    "python": [sys.executable],
    "cxkit": [sys.executable, "-c", _CXKIT],
    "pytest": [sys.executable, "-m", "pytest"],
}
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d\d:\d\d(:\d\d)?\b")
_UNASKED = ("acquisition", "device", "geo")
_READERS = {"toml": tomllib.loads, "json": json.loads}
_PATIENCE_S = 60


class Terminal:
    """A reader's terminal, and the Python prompt in it.

    Args:
        folder: Where the reader works.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.language = "en"
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.running: list[subprocess.Popen[str]] = []
        self._ports: dict[str, str] = {}

    def read(self, block: Any, where: str) -> None:
        """Do what a block asks for."""
        if "Ctrl-C" in block.lead:
            self.interrupt()
        text = _PORT.sub(lambda found: self._ports.setdefault(found[0], str(free_port())), block.text)
        if block.file:
            path = self.folder / block.file
            before = path.read_text("utf-8") + "\n\n" if block.more else ""
            path.write_text(before + text, "utf-8")
        elif block.language == "python" and ">>> " in text:
            self.prompt(text, where, block.line)
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + text, where, "exec"), self.namespace)  # noqa: S102 - our own pages
        elif block.language == "console":
            exits = re.search(r"exits with (\d)", block.lead)
            for command, shown in attrs.evolve(block, text=text).commands:
                if block.stays:
                    self.start(command, shown)
                else:
                    self.type(command, shown, where, status=int(exits[1]) if exits else 0)
        elif block.shown_later:
            self.await_lines(self.running[-1], text, where)
        elif block.language in _READERS:
            _READERS[block.language](text)

    def prompt(self, text: str, where: str, line: int) -> None:
        test = doctest.DocTestParser().get_doctest(text, self.namespace, where, where, line - 1)
        test.globs = self.namespace
        runner, report = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), io.StringIO()
        if runner.run(test, out=report.write, clear_globs=False).failed:
            pytest.fail(report.getvalue() + self.printed(), pytrace=False)

    def type(self, command: str, shown: str, where: str, *, status: int) -> None:
        """Run a command to its end; it prints what is shown, if anything is."""
        if command == "python -m pip install -e .":
            install(self.folder)
            return
        code, printed = self.ended(command)
        if not fits(shown or printed, printed) or code != status:
            pytest.fail(f"{where}: $ {command}\nexits with {code} and prints\n{printed}", pytrace=False)

    def start(self, command: str, shown: str) -> None:
        """Leave a command running that has printed all that is shown."""
        running = self._popen(command)
        self.running.append(running)
        assert shown, f"{command}: show what it prints when it is ready"
        self.await_lines(running, shown, command)

    def await_lines(self, running: subprocess.Popen[str], shown: str, where: str) -> None:
        """Read on until it has printed these lines, whatever else it prints between them."""
        awaited = shown.splitlines()
        assert running.stdout is not None
        printed: list[str] = []
        alarm = threading.Timer(_PATIENCE_S, kill, [running])
        alarm.start()
        while awaited and (line := running.stdout.readline()):
            printed.append(line)
            if fits(f"{awaited[0]}\n", line):
                awaited.pop(0)
        alarm.cancel()
        assert not awaited, f"{where}: it has not printed {awaited}, but\n{''.join(printed)}"

    def interrupt(self) -> None:
        """Press Ctrl-C where something was started last."""
        running = self.running.pop()
        running.send_signal(signal.SIGINT)
        try:
            running.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            kill(running)
            running.communicate()
            raise

    def printed(self) -> str:
        """End what runs, and tell what it has printed besides: why a page's own words are not so may be there."""
        for running in self.running:
            kill(running)
        left = [f"$ {running.args}\n{running.communicate()[0]}" for running in self.running]
        self.running.clear()
        return "\n".join(left)

    def close(self) -> None:
        """Close the terminal: what was started and what the prompt holds ends."""
        while self.running:
            self.interrupt()
        for value in self.namespace.values():
            if callable(getattr(value, "close", None)) and not isinstance(value, (ModuleType, type)):
                value.close()

    def _popen(self, command: str) -> subprocess.Popen[str]:
        words = shlex.split(command)
        assert words[0] in _PROGRAMS, f"nobody knows how to run: {command}"
        return subprocess.Popen(
            [*_PROGRAMS[words[0]], *words[1:]],
            cwd=self.folder,
            env=environment(self.language),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def ended(self, command: str) -> tuple[int, str]:
        """The exit code of a command, and what it printed."""
        running = self._popen(command)
        try:
            printed, _ = running.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            kill(running)
            raise
        return running.returncode, printed


def fits(shown: str, printed: str) -> bool:
    """Whether the one is printed where the page shows the other; ``...`` is anything, and now another time."""
    one, other = (_TIME.sub("TIME", text) for text in (shown, printed))
    return doctest.OutputChecker().check_output(one, other, doctest.ELLIPSIS)


def kill(running: subprocess.Popen[str]) -> None:
    """End a command at once, and what it has started: that would hold on to the terminal."""
    try:
        os.killpg(running.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all of it has ended


def environment(language: str) -> dict[str, str]:
    """A reader's environment; where cxkit is not installed, pytest is told of its plugin."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])  # as if it were activated
    told = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "80", "NO_COLOR": "1", "LANGUAGE": language}
    if not any(one.name == "cxkit" for one in entry_points(group="pytest11")):
        told["PYTEST_ADDOPTS"] = "-p cxkit.testing.pytest_plugin"
    return told


def install(folder: Path) -> None:
    """What ``pip install -e .`` leaves behind, without the network that it would need."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = [
        line
        for group, names in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in names.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(points) + "\n")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    before, environ = set(sys.modules), dict(os.environ)
    opened = Terminal(tmp_path)
    yield opened
    opened.close()
    os.environ.clear()
    os.environ.update(environ)
    for name in set(sys.modules) - before:  # a page's own modules; another page may name one alike
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_what_it_shows_is_so(page: Any, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.language = page.language
    declared.clear()  # of other tests: its reader has declared nothing yet
    if page.name.startswith("docs/tutorial/"):  # its reader has installed what it says, and nothing else
        monkeypatch.setenv("CXKIT_PLUGINS__BLOCK", ",".join(one for one in _UNASKED if f"cxkit-{one}" not in page.text))
    for block in page.blocks:
        if not block.untested:
            terminal.read(block, page.name)


def test_the_first_screen_of_the_readme_is_an_app_that_works(pages: dict[str, Any]) -> None:
    first = pages["README.md"].blocks[0]
    assert first.line < 10
    shown: dict[str, Any] = {"__name__": "readme"}
    with recorder() as record:
        exec(first.text, shown)  # noqa: S102 - our own page
        visitor = TestClient(shown["app"])
        assert visitor.get("/").text == "Almonds, honey, time."
        assert visitor.post("/cart").text == "added"
    assert record.one("cart.item_added").properties == {"sku": "ALM-200", "quantity": 1}
    assert record.one("experience.shown").decision.variant == "all"
    assert not any(one.identity for one in record.interactions)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("leave it running\n\n```console\n$ python -c 'print(2)'\n3\n```\n", "has not printed"),
        (
            "leave it running\n\n```console\n$ python -c 'print(1)'\n1\n```\n\nIt now shows:\n\n```\n3\n```\n",
            "has not printed ['3']",
        ),
        ("```python\n>>> 1 + 1\n3\n\n```\n", "Expected"),
        ("```python\nassert 1 == 2\n```\n", "AssertionError"),
        ("```console\n$ python -c 'print(2)'\n3\n```\n", "prints"),
        ("```console\n$ python -c 'raise SystemExit(3)'\n```\n", "exits with 3"),
        ("```console\n$ rm -r x\n```\n", "nobody knows how to run"),
        ("```toml\nx =\n```\n", "Invalid"),
        ("In `x.py`:\n\n```python\nprint(1)\n```\n\n```console\n$ python x.py\n2\n```\n", "prints"),
    ],
)
def test_what_is_not_so_is_found(
    text: str, said: str, pages: dict[str, Any], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = type(pages["README.md"])(terminal.folder / "page.md")
    page.path.write_text(text, "utf-8")
    with pytest.raises((pytest.fail.Exception, AssertionError, tomllib.TOMLDecodeError)) as wrong:
        test_what_it_shows_is_so(page, terminal, monkeypatch)
    assert said in wrong.exconly()
