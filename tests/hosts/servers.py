"""Real hosts, each a tree of processes of its own, and clients that note what was acknowledged to them."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cxkit.testing.ports import free_port

_PATIENCE_S: Final = 60.0

WSGI = """
import os
import cxkit
from cxkit.kit import default_kit

SEEN = cxkit.touchpoint("shop.seen")


def fallen_back():
    return default_kit().intake.noted["write_fell_back"]


def app(environ, start_response):
    before = fallen_back()
    with cxkit.scope(channel="web"):
        id = SEEN.capture(path=environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {id} {fallen_back() - before}".encode()]
"""

ASGI = """
import asyncio
import os
import cxkit
from cxkit.kit import default_kit

SEEN = cxkit.touchpoint("shop.seen")


def fallen_back():
    return default_kit().intake.noted["write_fell_back"]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await asyncio.to_thread(cxkit.close)
        await send({"type": "lifespan.shutdown.complete"})
        return
    before = fallen_back()
    with cxkit.scope(channel="web"):
        id = SEEN.capture(path=scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"{os.getpid()} {id} {fallen_back() - before}".encode()})
"""


def _gunicorn(*options: str) -> tuple[str, ...]:
    return ("gunicorn", "--workers=2", "--bind=127.0.0.1:{port}", "--log-level=warning", *options, "shop:app")


HOSTS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "gunicorn": (WSGI, _gunicorn("--preload")),
    "gunicorn threads": (WSGI, _gunicorn("--preload", "--threads=4")),
    "gunicorn gevent": (WSGI, _gunicorn("--worker-class=gevent")),
    "gunicorn gevent preload": (WSGI, _gunicorn("--worker-class=gevent", "--preload")),
    "gunicorn uvicorn": (ASGI, _gunicorn("--worker-class=uvicorn_worker.UvicornWorker")),
    "uvicorn": (ASGI, ("uvicorn", "--workers=2", "--port={port}", "--log-level=warning", "shop:app")),
    "granian": (ASGI, ("granian", "--interface=asgi", "--workers=2", "--port={port}", "shop:app")),
    "granian wsgi": (WSGI, ("granian", "--interface=wsgi", "--workers=2", "--port={port}", "shop:app")),
}
"""Each with the app it serves, and how it is started. gevent patches before it imports the app; with
``--preload``, after."""


class Acknowledged:
    """What clients were told had been captured, by process, in the order they were told."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.by_process: defaultdict[str, list[str]] = defaultdict(list)
        self.queued: set[str] = set()
        """Those that a disk which stalled (on a busy machine any disk does) left to the queue in the mode ``write``."""

    def add(self, answer: bytes) -> None:
        process, id, fell_back = answer.decode().split()
        assert id != "None", "something was not captured"
        with self._guard:
            self.by_process[process].append(id)
            if fell_back != "0":
                self.queued.add(id)

    @property
    def ids(self) -> set[str]:
        with self._guard:
            return {id for ids in self.by_process.values() for id in ids}


class Host:
    """A host that serves an app from a folder; the head of a process group.

    Args:
        command: What Python is to run as a module; ``{port}`` is where it listens.
        folder: Where the app and ``.cxkit/`` are.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.port = free_port()
        self._printed = folder / "printed"
        with self._printed.open("ab") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *(word.format(port=self.port) for word in command)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        try:
            until(self._listens, f"{command[0]} listens")
        except BaseException:
            self.kill()
            raise

    @property
    def printed(self) -> str:
        return self._printed.read_text()

    def ask(self, path: str = "/") -> bytes:
        """One request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            return body

    def end(self) -> int:
        """As an operator ends it: SIGTERM to the head alone."""
        self.process.terminate()
        return self.process.wait(_PATIENCE_S)

    def kill(self) -> None:
        """All its processes at once, without notice. Idempotent."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_PATIENCE_S)

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.printed
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False


@contextlib.contextmanager
def hosting(command: Sequence[str], folder: Path) -> Iterator[Host]:
    """A host that is gone afterwards, whatever happens."""
    host = Host(command, folder)
    try:
        yield host
    finally:
        host.kill()


@contextlib.contextmanager
def serving(name: str, folder: Path, source: str | None = None) -> Iterator[Host]:
    """One of `HOSTS`, with its usual app or another."""
    usual, command = HOSTS[name]
    (folder / "shop.py").write_text(usual if source is None else source)
    with hosting(command, folder) as host:
        yield host


@contextlib.contextmanager
def traffic(host: Host, acknowledged: Acknowledged, *, clients: int = 4) -> Iterator[None]:
    """Clients that ask without a pause, until the end of the block or of the host."""
    stop = threading.Event()

    def wander() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while not stop.is_set():
                acknowledged.add(host.ask())

    threads = [threading.Thread(target=wander) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def until(happened: Callable[[], object], what: str) -> None:
    """Look again and again until it has happened."""
    deadline = time.monotonic() + _PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)
