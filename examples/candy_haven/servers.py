"""The demo's other processes: the shop, its phone desk, and the receiver of what both capture.

All on this machine's loopback, on ports the system picks.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self

HOME = Path(__file__).resolve().parents[2]
"""Where ``examples`` stands."""

_APP = "examples.candy_haven.fronts.starlette:app"
_CONFIGURATION = """\
# Written by the demo: what is captured goes three ways, each with a purpose of its own.
service = "shop"
directory = {directory}

[web.client_ip]  # the customers come through a proxy on this machine, as it were: so they are somewhere
strategy = "rightmost_trusted_range"
trusted = ["loopback"]

[topics.newsletter]
kind = "marketing"

[topics.birthday]
kind = "marketing"

[topics.box]
kind = "transactional"

[topics.receipt]
kind = "transactional"

[email]  # links are followed of who allows analytics; that a letter was opened is known of who allows that
url = {mail}
opens = "individual"

[exporters.local]
type = "local"
purposes = ["analytics"]

[exporters.receiver]
type = "http"
url = {url}
purposes = ["analytics"]

[exporters.ads]
type = "file"
path = {ads}
purposes = ["advertising"]
"""


def configure(directory: Path, url: str, *, shop: str) -> Path:
    """Write ``cxkit.toml`` for the shop, the desk and the letters.

    Args:
        directory: Where it goes, and all that the shop keeps.
        url: Where to post what may serve analytics.
        shop: The shop's own address: links in letters lead there.
    """
    texts = {
        "directory": str(directory / ".cxkit"),
        "url": url,
        "mail": f"{shop}/cx",
        "ads": str(directory / "ads.jsonl"),
    }
    quoted = {name: json.dumps(text, ensure_ascii=False) for name, text in texts.items()}
    file = directory / "cxkit.toml"
    file.write_text(_CONFIGURATION.format(**quoted), "utf-8")
    return file


class Shop:
    """The shop under uvicorn, and its phone desk. A context manager; may be ended and started again.

    Args:
        configuration: The ``cxkit.toml``; what the shop prints goes to ``shop.out`` beside it.
        port: Where it is; 0: the system picks one.
        smtp: Host and port of who takes its letters; without it writes none.
    """

    def __init__(self, configuration: Path, *, port: int = 0, smtp: str = "") -> None:
        self._configuration = configuration
        self.output = configuration.with_name("shop.out")
        self._port = port
        self._smtp = smtp
        self._running: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The same after another start."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        # It inherits a socket that listens already, so nobody has to wait for the shop to open.
        with socket.create_server(("127.0.0.1", self._port)) as listener, self.output.open("a") as output:
            self._port = listener.getsockname()[1]
            uvicorn = f"-m uvicorn {_APP} --fd {listener.fileno()} --log-level warning --no-proxy-headers"
            self._running = _python(
                *uvicorn.split(),
                configuration=self._configuration,
                letters=self._letters,
                output=output,
                errors=output,
                inherited=listener.fileno(),
            )

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._running is not None:
            end(self._running)

    def kill(self) -> None:
        """End it as a crash would: SIGKILL."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def call(self, phone: str, topic: str, *more: str) -> str:
        """Call the desk.

        Args:
            more: The case, if there is one, and ``--proven``.

        Returns:
            What its operator reads on the screen.

        Raises:
            subprocess.SubprocessError: Nobody answered.
        """
        return _printed("-m", "examples.candy_haven.desk", phone, topic, *more, configuration=self._configuration)

    def may_write(self, topic: str, email: str) -> str:
        """Ask the job that writes the letters whether it may.

        Raises:
            subprocess.SubprocessError: It did not say.
        """
        return _printed("-m", "examples.candy_haven.letters", topic, email, configuration=self._configuration)

    def congratulate(self, email: str) -> str:
        """Have that job write for a birthday; what it prints: that it did, or why not.

        Raises:
            subprocess.SubprocessError: It did not say.
        """
        arguments = ("-m", "examples.candy_haven.letters", "birthday", email)
        return _printed(*arguments, configuration=self._configuration, letters=self._letters)

    @property
    def _letters(self) -> dict[str, str]:
        return {"CANDY_HAVEN_SMTP": self._smtp, "CANDY_HAVEN_URL": self.url}


class Receiver:
    """``python -m cxkit.testing.receiver``: takes batches of CloudEvents over HTTP into a file.

    A context manager.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> Self:
        self._running = _python("-m", "cxkit.testing.receiver", "--file", str(self._file))
        assert self._running.stdout is not None
        self.url = self._running.stdout.readline().removeprefix("listening").strip()
        return self

    def __exit__(self, *raised: object) -> None:
        end(self._running)

    @property
    def running(self) -> bool:
        return self._running.poll() is None


def cxkit(*arguments: str, configuration: Path) -> str:
    """What the command line prints, as ``cxkit ARGUMENTS`` does in the shop's own directory.

    Raises:
        subprocess.SubprocessError: It ended badly.
    """
    return _printed("-m", "cxkit.cli", *arguments, configuration=configuration)


def end(running: subprocess.Popen[str]) -> None:
    """Ask a process to end; make it, if it does not listen."""
    running.terminate()
    try:
        running.wait(timeout=10)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    if running.stdout is not None:
        running.stdout.close()


def _printed(*arguments: str, configuration: Path, letters: Mapping[str, str] = MappingProxyType({})) -> str:
    running = _python(*arguments, configuration=configuration, letters=letters)
    try:
        printed, _ = running.communicate(timeout=60)
    finally:
        end(running)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, " ".join(arguments))
    return printed.strip()


def _python(
    *arguments: str,
    configuration: Path | None = None,
    letters: Mapping[str, str] = MappingProxyType({}),
    output: IO[str] | int = subprocess.PIPE,
    errors: IO[str] | None = None,
    inherited: int | None = None,
) -> subprocess.Popen[str]:
    """Start ``python`` with no other setting of cxkit than this file."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CXKIT_")} | {**letters}
    if configuration is not None:
        environment["CXKIT_CONFIG"] = str(configuration)
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=HOME,
        env=environment,
        process_group=0,  # Ctrl-C is for the demo alone: it ends the others, one after the other
        pass_fds=() if inherited is None else (inherited,),
        stdout=output,
        stderr=errors,
        text=True,
    )
