"""Candy Haven of the examples, copied out of the checkout: it needs what is installed, and nothing beside it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import attrs
import pytest

_ROOT = Path(__file__).parents[2]

_GUARD = """
import os, sys
from pathlib import Path

HOME = {home!r}
INSIDE = {{"127.0.0.1", "::1", "localhost", "", None}}

def guard(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in INSIDE:
        Path(HOME, f"refused-{{os.getpid()}}").write_text(f"{{event}} {{host}}")
        raise PermissionError(f"guard: {{event}} {{host}}")

sys.addaudithook(guard)
Path(HOME, f"guarded-{{os.getpid()}}").touch()
"""


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where ``examples`` stands."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(_ROOT / "examples", home / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(home)
        yield home


@pytest.fixture(scope="session")
def servers(examples: Path) -> ModuleType:
    return importlib.import_module("examples.candy_haven.servers")


@pytest.fixture(scope="session")
def visitors(examples: Path) -> ModuleType:
    return importlib.import_module("examples.candy_haven.visitors")


@pytest.fixture(scope="session")
def pages(examples: Path) -> ModuleType:
    return importlib.import_module("examples.candy_haven.pages")


@pytest.fixture(scope="session")
def stock(examples: Path) -> ModuleType:
    return importlib.import_module("examples.candy_haven.stock")


@attrs.frozen
class Guard:
    """Every Python process with this environment refuses to speak to other machines, and says so in files."""

    environment: dict[str, str]
    directory: Path

    @property
    def processes(self) -> int:
        """How many have been under it."""
        return len(list(self.directory.glob("guarded-*")))

    @property
    def refused(self) -> list[str]:
        """What they were kept from."""
        return [one.read_text() for one in self.directory.glob("refused-*")]


def _guard(directory: Path) -> Guard:
    (directory / "sitecustomize.py").write_text(_GUARD.format(home=str(directory)))
    path = os.pathsep.join([str(directory), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Guard({**os.environ, "PYTHONPATH": path}, directory)


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return _guard(tmp_path)


@attrs.frozen
class Run:
    """One run of the demo, from outside."""

    ended: subprocess.CompletedProcess[str]
    directory: Path
    guard: Guard


@pytest.fixture(scope="session")
def demo(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo as anybody runs it, but kept from the network."""
    directory, guard = tmp_path_factory.mktemp("kept"), _guard(tmp_path_factory.mktemp("guard"))
    command = [sys.executable, "-m", "examples.candy_haven.demo", "--keep", str(directory)]
    ended = subprocess.run(
        command, cwd=examples, env=guard.environment, capture_output=True, text=True, timeout=120, check=False
    )
    return Run(ended, directory, guard)
