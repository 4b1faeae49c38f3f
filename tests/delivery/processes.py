"""Real processes that capture, and what they leave: for the tests of delivery."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cxkit.delivery.account import Account, read_account
from cxkit.testing.receiver import Receiver

PRELUDE = """
import os, signal, sys, threading, time
import cxkit

signal.alarm(40)  # so that a deadlock is a failure, also in a child
os.register_at_fork(after_in_child=lambda: signal.alarm(30))
SEEN = cxkit.touchpoint("shop.seen")

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def capture(count):
    return [SEEN.capture(n=number) for number in range(count)]

def spool():
    deadline = time.monotonic() + 20
    while cxkit.stats().queued:
        assert time.monotonic() < deadline, "not spooled"
        time.sleep(0.002)

def fell_back():
    from cxkit.kit.default import default_kit
    return default_kit().intake.noted["write_fell_back"]

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

"""


class Child:
    """A process that runs a script in the test's folder."""

    def __init__(self, script: str, *, folder: Path, stderr: Path) -> None:
        self._stderr = stderr
        with stderr.open("wb") as stderr_file:
            self.process = subprocess.Popen(
                # From 3.12 on Python itself warns of forks beside threads, which are what is tested here.
                [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", PRELUDE + script],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr_file,
            )

    def line(self) -> list[str]:
        """What it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode().split()
        assert line, f"it said nothing more: {self.stderr}"
        return line

    def tell(self, word: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def wait(self) -> int:
        return self.process.wait(60)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def stderr(self) -> str:
        return self._stderr.read_text()


Run = Callable[..., Child]


def configure(folder: Path, extra: str = "", **sinks: Receiver) -> None:
    tables = [
        f'[exporters.{name}]\ntype = "http"\nurl = "{sink.url}"\npurposes = ["analytics"]\n'
        for name, sink in sinks.items()
    ]
    (folder / "cxkit.toml").write_text(extra + "\n".join(tables))


def finish(run: Run, folder: Path) -> Account:
    """One more start, which delivers all that is left; what the files then say."""
    child = run("capture(1); flushed = cxkit.flush(timeout_s=30); assert flushed.complete, flushed", folder=folder)
    assert child.wait() == 0, child.stderr
    account = read_account(folder / ".cxkit")
    assert account.balanced
    return account
