"""An app that is loaded again, configured again, tested in parallel: nothing is there twice. F44."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Run = Callable[[str], list[str]]
Delivered = Callable[[], int]

SHOP = """
import cxkit

SEEN = cxkit.touchpoint("shop.seen")
hero = cxkit.experience("shop.hero")
"""


def test_a_module_of_the_app_is_loaded_again(run: Run, delivered: Delivered, tmp_path: Path) -> None:
    """As development servers and notebooks do: old handles and new ones work, with the threads there were."""
    (tmp_path / "shop.py").write_text(SHOP)
    run(
        """
import importlib, threading
import cxkit, shop

assert shop.SEEN.capture()
cxkit.flush()
before, old = threading.active_count(), shop.SEEN
for _ in range(20):
    importlib.reload(shop)
    assert shop.SEEN.capture()
    assert old.capture()
cxkit.flush()
assert threading.active_count() == before
"""
    )
    assert delivered() == 41


def test_cxkit_is_configured_again_and_again(run: Run, delivered: Delivered) -> None:
    """The kit before is closed, with its threads and files; what it held is delivered."""
    run(
        """
import os, threading
import cxkit

SEEN = cxkit.touchpoint("shop.seen")

def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

def turn():
    cxkit.configure()
    assert SEEN.capture()
    cxkit.flush()
    return threading.active_count(), descriptors()

first = [turn() for _ in range(3)][-1]
later = [turn() for _ in range(10)]
assert min(later) <= first, (first, later)  # each may see a thread that is just ending
"""
    )
    assert delivered() == 13


def test_tests_in_parallel_processes(tmp_path: Path) -> None:
    """pytest-xdist: in each process every test has a recorder of its own."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "conftest.py").write_text("from cxkit.testing.pytest_plugin import cx\n")
    (tmp_path / "test_shop.py").write_text(
        """
import threading, pytest
from shop import SEEN

@pytest.mark.parametrize("number", range(20))
def test_one(cx, number):
    SEEN.capture(number=number)
    assert cx.one("shop.seen").properties == {"number": number}

@pytest.mark.parametrize("number", range(4))
def test_no_thread_is_left(number):
    assert [one.name for one in threading.enumerate() if one.name.startswith("cxkit")] == []
"""
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "-p", "xdist", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "24 passed" in done.stdout
