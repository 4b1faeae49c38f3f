"""What the tests of hosts share: a collector, and scripts run as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Receiver
from tests.delivery.processes import configure

_PATIENCE_S = 90


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A collector, and a configuration in the test's folder that delivers to it."""
    with Receiver() as receiver:
        configure(tmp_path, sink=receiver)
        yield receiver


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], list[str]]:
    """Runs a script to its end in the test's folder; what it printed, line by line. It may not complain."""

    def run(script: str) -> list[str]:
        (tmp_path / "script.py").write_text(script)
        done = subprocess.run(
            # From 3.12 on Python itself warns of forks beside threads, which are what is tested here.
            [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "script.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


@pytest.fixture
def delivered(tmp_path: Path, receiver: Receiver) -> Callable[[], int]:
    """How many arrived: each once, all of those captured, and the account says so too."""

    def delivered() -> int:
        account = read_account(tmp_path / ".cxkit")
        count = len(receiver.ids)
        assert len(set(receiver.ids)) == count
        assert account.balanced
        assert (account.captured, account.spooled) == (count, count)
        assert account.exporters == {"sink": ExporterAccount(delivered=count)}
        return count

    return delivered
