"""The command line as its users have it: real processes, and what they print while they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 60
_CXKIT = "import sys; sys.argv[0] = 'cxkit'; from cxkit.cli import main; main()"


def command(*arguments: str) -> list[str]:
    """What runs ``cxkit ARGUMENTS``, whether or not it is installed."""
    return [sys.executable, "-c", _CXKIT, *arguments]


def environment(**more: str) -> dict[str, str]:
    """An activated environment of this interpreter, in English."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "LANGUAGE": "en", "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1", **more}


def heed_the_keyboard() -> None:
    """In a child: whoever runs the tests in the background of a shell has it ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def cxkit(*arguments: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; nobody sits at the keyboard."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


class Running:
    """A command that runs on. A context manager, which ends it.

    Args:
        arguments: What to run.
    """

    def __init__(self, arguments: list[str], *, cwd: Path | None = None, **environ: str) -> None:
        self._process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=environment(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,  # what a test presses is not meant for the tests themselves
            preexec_fn=heed_the_keyboard,
        )
        self._news = threading.Condition()
        self._lines: list[str] = []
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise
        finally:
            self._reader.join(PATIENCE_S)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def printed(self) -> str:
        """All that it has printed so far."""
        with self._news:
            return "".join(self._lines)

    def until(self, text: str) -> str:
        """Wait until it has printed that; returns the last line with it.

        Raises:
            AssertionError: It has ended, or takes too long.
        """
        with self._news:
            done = self._news.wait_for(lambda: text in "".join(self._lines) or self._ended, PATIENCE_S)
            told = "".join(self._lines)
        wrong = f"it has not printed {text!r}, but:\n{told}"
        assert done, wrong
        assert text in told, wrong
        return [line for line in told.splitlines() if text in line][-1]

    def press(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self._process.send_signal(number)

    def press_all(self, number: signal.Signals) -> None:
        """Send a signal to it and all it has started, as a terminal does."""
        os.killpg(self._process.pid, number)

    def ended(self) -> int:
        """Wait for its end; returns its exit code."""
        code = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        self._process.stdout.close()
        with self._news:
            self._ended = True
            self._news.notify_all()
