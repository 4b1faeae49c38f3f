"""Scripts, their processes and threads: what is captured in any of them is delivered, without a word to cxkit.

F9, F13, F16, P1, P2, P4.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cxkit.delivery.account import read_account
from cxkit.testing.receiver import Receiver

Run = Callable[[str], list[str]]
Delivered = Callable[[], int]

WORK = """
import cxkit

SEEN = cxkit.touchpoint("shop.seen")


def work(count):
    with cxkit.scope(channel="store"):
        assert all(SEEN.capture(n=number) for number in range(count))
    return count
"""


def test_a_script(run: Run, delivered: Delivered) -> None:
    run(WORK + "work(250)")
    assert delivered() == 250


def test_no_signal_handler_is_cxkits(run: Run, delivered: Delivered) -> None:
    """F16: not after import, nor at work, nor after the end; of no signal, in parent and child."""
    run(
        """
import os, signal
handlers = lambda: {number: signal.getsignal(number) for number in signal.valid_signals()}
before, wakeup = handlers(), signal.set_wakeup_fd(-1)
"""
        + WORK
        + """
def unchanged():
    assert handlers() == before
    assert signal.set_wakeup_fd(-1) == wakeup

unchanged()
work(5)
cxkit.flush()
unchanged()
child = os.fork()
if not child:
    work(5)
    assert cxkit.flush().complete
    unchanged()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
cxkit.close()
unchanged()
"""
    )
    assert delivered() == 10


def test_forks(run: Run, delivered: Delivered) -> None:
    """Before the first capture and after it, one beside the other."""
    run(
        WORK
        + """
import os, sys

def fork():
    child = os.fork()
    if not child:
        work(50)
        sys.exit()
    return child

children = [fork(), fork()]
work(50)
children += [fork(), fork()]
work(50)
assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
"""
    )
    assert delivered() == 300


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("before", ["", "work(10)"])
def test_processes_of_multiprocessing(run: Run, delivered: Delivered, method: str, before: str) -> None:
    """Children of ``fork`` end with ``os._exit``, after finalizers: cxkit's is one of them."""
    run(
        WORK
        + f"""
import multiprocessing

if __name__ == "__main__":
    {before or "pass"}
    start = multiprocessing.get_context({method!r}).Process
    children = [start(target=work, args=(50,)) for _ in range(3)]
    for child in children:
        child.start()
    work(10)
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 3
"""
    )
    assert delivered() == (170 if before else 160)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_that_is_closed(run: Run, delivered: Delivered, method: str) -> None:
    """Also where it replaces its workers."""
    run(
        WORK
        + f"""
import multiprocessing

if __name__ == "__main__":
    pool = multiprocessing.get_context({method!r}).Pool(2, maxtasksperchild=3)
    assert sum(pool.imap_unordered(work, [20] * 12)) == 240
    pool.close()
    pool.join()
"""
    )
    assert delivered() == 240


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_executor_of_processes(run: Run, delivered: Delivered, method: str) -> None:
    run(
        WORK
        + f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({method!r})) as pool:
        assert sum(pool.map(work, [20] * 12)) == 240
"""
    )
    assert delivered() == 240


def test_a_child_that_captures_last_of_all(run: Run, delivered: Delivered) -> None:
    """Its first capture is its last act: delivery has not even begun when it ends."""
    run(
        WORK
        + """
import multiprocessing

if __name__ == "__main__":
    for _ in range(8):
        child = multiprocessing.get_context("fork").Process(target=work, args=(1,))
        child.start()
        child.join()
        assert child.exitcode == 0
"""
    )
    assert delivered() == 8


def test_threads_of_all_kinds(run: Run, delivered: Delivered) -> None:
    """Ordinary ones, an executor's, and a daemon that ends with the program."""
    run(
        WORK
        + """
import threading
from concurrent.futures import ThreadPoolExecutor

threads = [threading.Thread(target=work, args=(50,)) for _ in range(4)]
for thread in threads:
    thread.start()
with ThreadPoolExecutor(4) as pool:
    assert sum(pool.map(work, [10] * 40)) == 400
for thread in threads:
    thread.join()

done = threading.Event()
def daemon():
    work(50)
    done.set()
    threading.Event().wait()

threading.Thread(target=daemon, daemon=True).start()
done.wait()
"""
    )
    assert delivered() == 650


def test_a_thread_that_captures_while_the_program_ends(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """What it was given an id for is delivered; the rest is counted. It gives others no turn for a while."""
    lines = run(
        WORK
        + """
import threading, time

kept, begun, over = [], threading.Event(), threading.Event()

def daemon():
    until = time.monotonic() + 2
    while time.monotonic() < until:
        kept.append(SEEN.capture())
        begun.set()
    while not over.wait(0.001):
        kept.append(SEEN.capture())

thread = threading.Thread(target=daemon, daemon=True)
thread.start()
begun.wait()
assert cxkit.close(timeout_s=30).complete
over.set()
thread.join()
assert cxkit.stats().dropped.get("after_close", 0) == sum(id is None for id in kept)
print(sum(id is not None for id in kept))
"""
    )
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    assert len(set(receiver.ids)) == len(receiver.ids) == account.exporters["sink"].delivered
    assert sum(one.name == "shop.seen" for one in receiver.interactions) == int(lines[0]), "and a loss report"
