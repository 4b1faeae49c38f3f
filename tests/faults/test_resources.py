"""F40, F41, F42: no threads, no descriptors, no memory, and far too much to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxkit.delivery.account import read_account
from cxkit.testing.receiver import Receiver
from tests.faults.counting import Counting
from tests.faults.figures import figure
from tests.faults.world import Run, configure, duplicates, healed, judge, progress, whole

# --- F40: threads ---------------------------------------------------------------------------------

KILL = """
import ctypes

def kill(name):
    "Have a thread of cxkit meet an exit, wherever it is: what a stranger's code may do, or a lack of memory."
    for thread in threading.enumerate():
        if thread.name == name:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
            return
    raise AssertionError(name)

"""


@pytest.mark.parametrize("name", ["cxkit-spool", "cxkit-sink", "cxkit-_store"])
def test_a_thread_that_is_killed_goes_on(run: Run, tmp_path: Path, receiver: Receiver, name: str) -> None:
    """F40: again and again; it goes on, and what it held in its hand just then is counted."""
    configure(tmp_path, sink=receiver)
    child = run(
        KILL
        + f"""
capture(10)
deliver()
for _ in range(5):
    kill({name!r})
    capture(10)
    deliver()
"""
    )
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    account = read_account(tmp_path / ".cxkit")
    judge(account, captured=60, sink=receiver)
    assert set(account.dropped) <= ({"internal_error"} if name == "cxkit-spool" else set())
    figure("F40", f"{name} killed 5 times: lost of 60, counted", sum(account.dropped.values()))
    healed(run, tmp_path, captured=60, sink=receiver)


def test_no_thread_can_be_started(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F40: captures are kept in memory; when threads can be had again, all arrives, and at the end in any case."""
    configure(tmp_path, sink=receiver)
    child = run(
        """
import _thread
real = _thread.start_new_thread

def refused(*_):
    raise RuntimeError("can't start new thread")

_thread.start_new_thread = threading._start_new_thread = refused
assert None not in capture(100)
cxkit.flush(timeout_s=0.2)
_thread.start_new_thread = threading._start_new_thread = real
say("again")
capture(50)
"""
    )
    assert child.line() == ["again"], child.stderr
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    judge(read_account(tmp_path / ".cxkit"), captured=150, sink=receiver)
    account = healed(run, tmp_path, captured=150, sink=receiver)
    assert account.exporters["sink"].delivered == 151


# --- F41: descriptors and memory ------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the start", "at work"])
def test_no_descriptor_is_left(run: Run, tmp_path: Path, receiver: Receiver, when: str) -> None:
    """F41: EMFILE for every file and connection; the app does not notice, and all arrives when there are some again."""
    configure(tmp_path, "[spool]\nsegment_bytes = 5000\n", sink=receiver)
    child = run(
        f"""
import resource
kit = cxkit.configure()
if {when == "at work"}:
    capture(10)
    deliver()
    kit.start()
resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
assert None not in capture(300)
cxkit.flush(timeout_s=1)
cxkit.flush(timeout_s=1)
for one in taken:
    os.close(one)
assert None not in capture(10)
kit._starter.again_at = 0.0  # the time for another try has come
deliver()
account = cxkit.stats()
assert account.balanced and not account.dropped, account
say(account.captured, account.exporters["sink"].delivered)
"""
    )
    captured = 310 + (10 if when == "at work" else 0)
    assert child.line() == [str(captured)] * 2, child.stderr
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    assert len(set(receiver.ids)) == captured
    assert duplicates(receiver) == 0
    if when == "at work":  # before the start no file could be had, and memory had to do for this process
        healed(run, tmp_path, captured=captured, sink=receiver)


def test_no_memory_is_left(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F41: what cannot be encoded is counted, nothing is raised, the threads live on; with memory all goes on."""
    configure(tmp_path, sink=receiver)
    child = run(
        """
import resource
capture(100)
deliver()
limits = resource.getrlimit(resource.RLIMIT_AS)
size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
big = {"n": 1, "items": ["x" * 8000 for _ in range(7)]}
resource.setrlimit(resource.RLIMIT_AS, (size + (8 << 20), limits[1]))
found = []
for _ in range(2000):
    found.append(SEEN.capture(**big))
resource.setrlimit(resource.RLIMIT_AS, limits)
say(found.count(None), len(found))
threads = {one.name for one in threading.enumerate()}
assert {"cxkit-spool", "cxkit-sink"} <= threads, threads
assert None not in capture(10)
deliver()
"""
    )
    lost, of = map(int, child.line())
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    account = read_account(tmp_path / ".cxkit")
    assert sum(account.dropped.values()) == lost
    judge(account, captured=of + 110, sink=receiver)
    figure("F41", "captures without memory: counted as lost, of 2,000", lost)
    healed(run, tmp_path, captured=of + 110, sink=receiver)


# --- F42: overload --------------------------------------------------------------------------------


def test_ten_times_more_than_can_be_written(run: Run, tmp_path: Path, counting: Counting) -> None:
    """F42: the lower its priority, the more of it is lost; each loss is counted; memory keeps its bound."""
    seconds = whole(600, 4)
    configure(tmp_path, "[spool]\nmax_bytes = 50_000_000\n", sink=(Receiver(), {"url": counting.url}))
    child = run(
        f"""
signal.alarm({seconds + 200})
LOW = cxkit.touchpoint("shop.low", priority="low")
CRITICAL = cxkit.touchpoint("shop.critical", priority="critical")
capture(10)
deliver()
before, most, calls, lost, samples = rss(), 0, 0, {{"low": 0, "normal": 0, "critical": 0}}, []
ends = time.monotonic() + {seconds}
clock = time.perf_counter

def flood():
    global calls
    own, misses, times = 0, dict(lost), []
    while time.monotonic() < ends:
        for _ in range(50):
            began = clock()
            misses["low"] += LOW.capture(n=1, text="x" * 200) is None
            if len(times) < 200_000:
                times.append(clock() - began)
            misses["normal"] += SEEN.capture(n=1, text="x" * 200) is None
        misses["critical"] += CRITICAL.capture(n=1) is None
        own += 101
    with guard:
        calls += own
        samples.extend(times)
        for name, count in misses.items():
            lost[name] += count

guard = threading.Lock()
threads = [threading.Thread(target=flood) for _ in range(2)]
for thread in threads: thread.start()
while any(thread.is_alive() for thread in threads):
    most = max(most, rss())
    threads[0].join(0.1)
for thread in threads: thread.join()
samples.sort()
say(calls + 10, lost["low"], lost["normal"], lost["critical"], most - before,
    samples[len(samples) // 2] * 1e6, samples[len(samples) * 99 // 100] * 1e6)
cxkit.close(timeout_s=60)
"""
    )
    progress(f"an overload of {seconds} s")
    said = child.line()
    calls, low, normal, critical, grown = (int(float(one)) for one in said[:5])
    assert child.process.wait(120) == 0, child.stderr
    assert "Traceback" not in child.stderr
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    arrived, reports = counting.end(), account.captured - calls
    assert 0 <= reports <= seconds / 60 + 2, "of the losses, one a minute and one at the end"
    assert account.exporters["sink"].delivered == arrived
    assert account.dropped.get("queue_full", 0) == low + normal + critical
    assert 50 * critical <= normal <= low, "of each of the others 50 times as many were captured"
    assert grown < 100e6
    figure("F42", f"overload of {seconds} s: captured", calls / seconds, "/s")
    figure("F42", f"overload of {seconds} s: arrived", arrived / seconds, "/s")
    figure("F42", f"overload of {seconds} s: lost low, normal, critical", f"{low:,}, {normal:,}, {critical:,}")
    figure("F42", f"overload of {seconds} s: capture p50", float(said[5]), "us")
    figure("F42", f"overload of {seconds} s: capture p99", float(said[6]), "us")
