"""The shop, its customers, and what they experienced, live: ``python -m examples.shop.demo``.

Everything runs on this machine: the shop under uvicorn, a receiver of its interactions, and three
customers with a script; or you, with ``--browse``. The exit code is 0 if nothing was lost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from hashlib import blake2s
from http.client import HTTPException
from pathlib import Path

import cxkit
from cxkit.codec import decode
from cxkit.delivery.account import Account, read_account
from examples.shop.servers import Receiver, Shop, configure
from examples.shop.visitors import DisappointedError, gita, nancy, otto

_PACE_S = 0.3
"""How long a customer pauses between two steps, so that one can follow."""
_PATIENCE_S = 10.0
"""How long what was captured last may take to arrive."""
_STYLED = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.shop.demo", description=__doc__.split("\n")[0])
    parser.add_argument("--browse", action="store_true", help="open the shop for your own browser instead")
    parser.add_argument("--seconds", type=float, default=None, metavar="N", help="close the shop after N seconds")
    parser.add_argument("--keep", type=Path, default=None, metavar="DIR", help="work in DIR and leave everything there")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = (options.keep or Path(tempfile.mkdtemp(prefix="cxkit-demo-"))).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    demo = Demo(directory, seconds=options.seconds)
    try:
        demo.run(browse=options.browse)
    except KeyboardInterrupt:
        demo.wrong.append("interrupted while opening or closing")
    for one in demo.wrong:
        say(f"WRONG: {one}")
    if options.keep or demo.wrong:
        say(f"Everything is in {directory}")
    else:
        shutil.rmtree(directory)
        say("The files are gone again; --keep DIR leaves them there.")
    return 1 if demo.wrong else 0


class Demo:
    """One run.

    Args:
        directory: Where all files go.
        seconds: When to close the shop, counted from now; None is never.
    """

    def __init__(self, directory: Path, *, seconds: float | None = None) -> None:
        self.wrong: list[str] = []
        self._directory = directory
        self._closes_at = None if seconds is None else time.monotonic() + seconds
        self._arrivals = Arrivals(directory / "receiver.jsonl")

    def run(self, *, browse: bool) -> None:
        with Receiver(self._directory / "receiver.jsonl") as receiver:
            configuration = configure(self._directory, receiver.url)
            with Shop(configuration) as shop:
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
        self._conclude(visited=not browse)

    def _play(self, shop: Shop) -> None:
        for visit in (nancy(shop.url, shop.call), otto(shop.url), gita(shop.url)):
            for story in visit:
                self._watch(_PACE_S)
                if self._closed:
                    raise DisappointedError("the shop closed before they were done")
                say(story, heading=True)
        self._watch(_PACE_S)

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

    def _look_after(self, shop: Shop, receiver: Receiver) -> None:
        if not shop.running:
            last = shop.output.read_text("utf-8", "replace").strip().splitlines()[-5:]
            self.wrong.append("\n  ".join(["the shop ended by itself; its last words:", *last]))
        if not receiver.running:
            self.wrong.append("the receiver ended by itself")

    def _account(self) -> Account:
        """As it lies in the shop's directory; ``cxkit stats`` prints the same."""
        return read_account(self._directory / ".cxkit")

    def _conclude(self, *, visited: bool) -> None:
        """Print the account, and look for what is wrong with it."""
        say("What became of it", heading=True)
        try:
            account = self._account()
        except (OSError, cxkit.CXError) as error:
            self.wrong.append(f"the account cannot be read: {error}")
            return
        for line in table(account):
            say(line)
        if visited and not account.captured:
            self.wrong.append("nothing was captured")
        self._judge(account)

    def _judge(self, account: Account) -> None:
        files = {"receiver": "receiver.jsonl", "ads": "ads.jsonl"}
        for name, one in account.exporters.items():
            arrived = len(different(self._directory / files[name]))
            if not adds_up(account, name):
                self.wrong.append(f"the account of {name} does not add up")
            if one.pending or one.dead:
                self.wrong.append(f"{name}: {one.pending} did not arrive, {one.dead} were refused")
            if arrived != one.delivered:
                self.wrong.append(f"{name}: {one.delivered} were delivered, but {arrived} are there")


class Arrivals:
    """Interactions as they come in at a file.

    Who is told by a keyed hash: it tells customers apart, and not who they are.
    """

    COLUMNS = f"{'time (UTC)':<14}{'channel':<9}{'touchpoint':<21}{'who':<17}{'stage':<15}outcome"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = file.stat().st_size if file.exists() else 0
        self._key = os.urandom(16)

    def lines(self) -> Iterator[str]:
        """One for each interaction that has come in since."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            stream.seek(self._read)
            whole, _, _ = stream.read().rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        for payload in whole.splitlines():
            yield self._line(decode(payload))

    def _line(self, one: cxkit.Interaction) -> str:
        when = one.occurred_at.strftime("%H:%M:%S.%f")[:-3]
        shown = f"{one.decision.experience}: {one.decision.variant}" if one.decision else None
        ended = one.outcome or shown or "-"
        columns = f"{when:<14}{one.channel or '-':<9}{one.name:<21}{self._who(one):<17}{one.stage or '-':<15}"
        return columns + ended

    def _who(self, one: cxkit.Interaction) -> str:
        if not one.identity:
            return "-"
        strongest = one.identity.identifiers[0]
        name = f"{strongest.type}\0{strongest.value}".encode()
        return f"{strongest.type} {blake2s(name, key=self._key, digest_size=3).hexdigest()}"


def different(file: Path) -> set[str]:
    """The ids in a file of interactions: at least once each, so some may be there twice."""
    return {decode(line).id for line in file.read_bytes().splitlines()} if file.exists() else set()


def adds_up(account: Account, name: str) -> bool:
    """Whether everything captured for an exporter is accounted for."""
    one = account.exporters[name]
    ended = one.delivered + one.pending + one.dead + sum(account.dropped.values()) + sum(one.dropped.values())
    return account.captured == one.before + ended + account.queued


def table(account: Account) -> Iterator[str]:
    """The account of every exporter."""
    if not account.exporters:
        yield "Nobody came: nothing was captured."
        return
    heads = ("exporter", "captured", "delivered", "pending", "dead letters", "adds up", "dropped")
    yield _row(heads)
    for name, one in account.exporters.items():
        dropped = [f"{count} {reason}" for reason, count in [*account.dropped.items(), *one.dropped.items()]]
        counts = (account.captured - one.before, one.delivered, one.pending, one.dead)
        yield _row((name, *map(str, counts), "yes" if adds_up(account, name) else "NO", ", ".join(dropped) or "0"))


def _row(cells: Iterable[str]) -> str:
    return "".join(f"{cell:<14}" for cell in cells).rstrip()


def say(text: str, *, heading: bool = False) -> None:
    """Print a line at once."""
    print(f"\n\033[1m{text}\033[0m" if heading and _STYLED else f"\n{text}" if heading else text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
