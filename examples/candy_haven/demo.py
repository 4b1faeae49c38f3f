"""Candy Haven, its customers, and what they experienced, live: ``python -m examples.candy_haven.demo``.

Everything runs on this machine: the shop under uvicorn, its phone desk, a server of SMTP that takes
its letters, a receiver of their interactions, and three customers with a script; or you, with
``--browse``. The exit code is 0 if nothing was lost.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from http.client import HTTPException
from io import TextIOWrapper
from pathlib import Path

import cxkit
from cxkit.codec import decode
from cxkit.delivery.account import Account, read_account
from cxkit.exporters.local import read
from cxkit.testing.ports import free_port
from examples.candy_haven.arrivals import Arrivals
from examples.candy_haven.mailbox import Mailbox
from examples.candy_haven.readers import UNHURRIED_S, programs, reads
from examples.candy_haven.servers import Receiver, Shop, configure
from examples.candy_haven.servers import cxkit as command
from examples.candy_haven.visitors import DisappointedError, Visit, gita, her_phone, nancy, otto

_PACE_S = 0.3
"""How long a customer pauses between two steps, so that one can follow."""
_PATIENCE_S = 10.0
"""How long what was captured last may take to arrive."""
_STYLED = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.candy_haven.demo", description=__doc__.split("\n")[0])
    parser.add_argument("--browse", action="store_true", help="open the shop for your own browser instead")
    parser.add_argument("--seconds", type=float, default=None, metavar="N", help="close the shop after N seconds")
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR", help="work in DIR")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # her pages are French; a terminal may not be
    directory = (options.keep or Path(tempfile.mkdtemp(prefix="candy-haven-"))).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    demo = Demo(directory, seconds=options.seconds)
    try:
        demo.run(browse=options.browse)
    except KeyboardInterrupt:
        demo.wrong.append("interrupted while opening or closing")
    for one in demo.wrong:
        say(f"WRONG: {one}")
    say(f"All files are in {directory}", heading=True)
    say(f"The interactions are in {demo.local}: a SQLite file, for this machine alone")
    say(f"Ask more of it: cd {directory} && {Path(sys.executable).with_name('cxkit')} insights stages")
    return 1 if demo.wrong else 0


class Demo:
    """One run.

    Args:
        directory: Where all files go.
        seconds: When to close the shop, counted from now; None is never.

    Attributes:
        local: The file of the exporter ``local``.
        wrong: What went wrong, in words.
    """

    def __init__(self, directory: Path, *, seconds: float | None = None) -> None:
        self.wrong: list[str] = []
        self.local = directory / ".cxkit" / "local.db"
        self._directory = directory
        self._closes_at = None if seconds is None else time.monotonic() + seconds
        self._arrivals = Arrivals(directory / "receiver.jsonl")
        self._mailbox = Mailbox()

    def run(self, *, browse: bool) -> None:
        with Receiver(self._directory / "receiver.jsonl") as receiver, self._mailbox as mailbox:
            port = free_port()  # its configuration tells letters where it is, before it is there
            configuration = configure(self._directory, receiver.url, shop=f"http://127.0.0.1:{port}")
            with Shop(configuration, port=port, smtp=mailbox.address) as shop:
                try:
                    say(f"The shop is at {shop.url}", heading=True)
                    say(Arrivals.COLUMNS)
                    self._wait_for_you() if browse else self._play(shop)
                    self._await_rest()
                except KeyboardInterrupt:
                    self.wrong.append("interrupted before everything had arrived")
                except (DisappointedError, OSError, HTTPException, subprocess.SubprocessError) as error:
                    self.wrong.append(f"a customer met {type(error).__name__}: {error}")
                self._look_after(shop, receiver)
        self._print_arrivals()
        if not browse:
            say("Nancy's journey, on both devices, by letter and on the phone: `cxkit journey nancy`", heading=True)
            self._print(configuration, "journey", "nancy")
        say("What became of everything captured: `cxkit stats`", heading=True)
        self._print(configuration, "stats")
        self._judge(visited=not browse)

    def _play(self, shop: Shop) -> None:
        phone = her_phone(shop.url)
        self._tell(nancy(shop.url, shop.call, phone))
        self._tell(programs(self._mailbox, shop.congratulate))
        letter = self._mailbox.letters[-1]
        self._tell(otto(shop.url))
        self._tell(gita(shop.url))
        self._watch(letter.arrived_at + UNHURRIED_S + _PACE_S - time.monotonic())
        self._tell(reads(letter, phone, self._mailbox, shop.congratulate))
        self._watch(_PACE_S)

    def _tell(self, visit: Visit) -> None:
        for story in visit:
            self._watch(_PACE_S)
            if self._closed:
                raise DisappointedError("the shop closed before they were done")
            say(story, heading=True)

    def _wait_for_you(self) -> None:
        say("Open it in your browser. Ctrl-C ends it.")
        try:
            while not self._closed:
                self._watch(_PACE_S)
        except KeyboardInterrupt:
            say("")

    def _await_rest(self) -> None:
        give_up_at = time.monotonic() + _PATIENCE_S
        while any(one.pending for one in self._account().exporters.values()) and time.monotonic() < give_up_at:
            self._watch(_PACE_S)

    @property
    def _closed(self) -> bool:
        return self._closes_at is not None and time.monotonic() >= self._closes_at

    def _watch(self, seconds: float) -> None:
        """Print what arrives, for some time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._print_arrivals()
            time.sleep(0.02)

    def _print_arrivals(self) -> None:
        for line in self._arrivals.lines():
            say(line)
        for letter in self._mailbox.new():
            say(f"by SMTP       {letter}")

    def _look_after(self, shop: Shop, receiver: Receiver) -> None:
        if not shop.running:
            last = shop.output.read_text("utf-8", "replace").strip().splitlines()[-5:]
            self.wrong.append("\n  ".join(["the shop ended by itself; its last words:", *last]))
        if not receiver.running:
            self.wrong.append("the receiver ended by itself")

    def _print(self, configuration: Path, *verb: str) -> None:
        """Print what the command line says."""
        try:
            say(command(*verb, configuration=configuration))
        except subprocess.SubprocessError as error:
            self.wrong.append(f"cxkit {' '.join(verb)}: {error}")

    def _account(self) -> Account:
        """As it lies in the shop's directory."""
        return read_account(self._directory / ".cxkit")

    def _judge(self, *, visited: bool) -> None:
        """Look for what is wrong with the account."""
        try:
            account = self._account()
            arrived = {name: len(self._arrived(name)) for name in account.exporters}
        except (OSError, cxkit.CXError) as error:
            self.wrong.append(f"what arrived cannot be read: {error}")
            return
        if not account.balanced or (visited and not account.captured):
            self.wrong.append("the account does not add up, or nothing was captured")
        for name, one in account.exporters.items():
            if one.pending or one.dead:
                self.wrong.append(f"{name}: {one.pending} did not arrive, {one.dead} were refused")
            if arrived[name] != one.delivered:
                self.wrong.append(f"{name}: {one.delivered} were delivered, but {arrived[name]} are there")

    def _arrived(self, exporter: str) -> set[str]:
        """The ids of what arrived: at least once each, so some may be in a file of lines twice."""
        if exporter == "local":
            with read(self.local) as connection:
                return {row["id"] for row in connection.execute("SELECT id FROM interactions")}
        file = self._directory / f"{exporter}.jsonl"
        return {decode(line).id for line in file.read_bytes().splitlines()} if file.exists() else set()


def say(text: str, *, heading: bool = False) -> None:
    """Print a line at once."""
    print(f"\n\033[1m{text}\033[0m" if heading and _STYLED else f"\n{text}" if heading else text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
