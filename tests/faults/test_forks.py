"""F9: forks, whatever the parent holds at that moment."""

from __future__ import annotations

from pathlib import Path

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Receiver
from tests.faults.figures import figure
from tests.faults.world import Run, configure, judge, progress, whole

LOCKS = """
def locks():
    "Every lock and condition that hangs on the kit, by its path; whatever cxkit calls it."
    kinds = (type(threading.Lock()), type(threading.RLock()), threading.Condition)
    found, seen, todo = {}, set(), [("kit", cxkit.configure())]
    while todo:
        path, one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, kinds):
            found[path] = one
        elif type(one).__module__.startswith("cxkit."):
            names = {**getattr(one, "__dict__", {})}
            for kind in type(one).__mro__:
                slots = kind.__dict__.get("__slots__", ())
                names |= {name: getattr(one, name, None) for name in ([slots] if isinstance(slots, str) else slots)}
            todo += [(f"{path}.{name}", value) for name, value in names.items()]
        elif isinstance(one, dict):
            todo += [(f"{path}[{name!r}]", value) for name, value in one.items()]
        elif isinstance(one, (list, tuple, set)):
            todo += [(f"{path}[{place}]", value) for place, value in enumerate(one)]
    return found

def held_by_another(lock):
    held, done = threading.Event(), threading.Event()
    def hold():
        with lock:
            held.set()
            done.wait(30)
    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    return done, thread

"""


def test_a_fork_while_another_thread_holds_a_lock(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F9: each lock of cxkit in turn; the child captures and delivers, and the parent goes on."""
    configure(tmp_path, sink=receiver)
    child = run(
        LOCKS
        + """
signal.alarm(100)
kit = cxkit.configure()
cxkit.configure = lambda: kit
capture(1)
deliver()
count, slowest = 0, 0.0
for path, lock in sorted(locks().items()):
    done, thread = held_by_another(lock)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        began = time.monotonic()
        id = SEEN.capture(path=path)
        took = time.monotonic() - began
        deliver(15)
        os.write(2, b"" if id and took < 1 else path.encode())
        os._exit(0 if id else 1)
    done.set()
    thread.join()
    assert ended(pid) == 0, path
    capture(1)
    count += 1
deliver()
say(count)
"""
    )
    count = int(child.line()[0])
    assert child.wait() == 0, child.stderr
    assert child.stderr == ""
    assert count >= 8, "locks were not found"
    figure("F9", "locks held by another thread at a fork, children that delivered", f"{count} of {count}")
    judge(read_account(tmp_path / ".cxkit"), captured=1 + 2 * count, sink=receiver)
    assert len(set(receiver.ids)) == len(receiver.ids)


def test_a_thousand_forks_while_threads_capture(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F9: no deadlock, each child's first capture within a second, each interaction once, no id twice."""
    forks = whole(1000, 25)
    configure(tmp_path, sink=receiver)
    child = run(
        f"""
signal.alarm(900)
kit = cxkit.configure()  # so that no child is the first to read settings and plugins
stop, count = threading.Event(), []

def app():
    while not stop.is_set():
        count.append(SEEN.capture(by="parent"))
        stop.wait(0.01)

threads = [threading.Thread(target=app, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
slow = 0
for number in range({forks}):
    pid = os.fork()
    if pid == 0:
        began = time.monotonic()
        SEEN.capture(by="child")
        took = time.monotonic() - began
        os._exit(2 if took > 1 else 0 if cxkit.close(timeout_s=20).complete else 1)
    end = ended(pid)
    assert end == 0, (number, end)
    if number % 50 == 49:
        say("forked", number + 1)
stop.set()
for thread in threads:
    thread.join()
deliver()
say("done", len(count))
"""
    )
    while (said := child.line())[0] == "forked":
        progress(f"{said[1]} forks")
    wanted = int(said[1]) + forks
    assert child.wait() == 0, child.stderr
    assert child.stderr == ""
    assert len(set(receiver.ids)) == len(receiver.ids) == wanted
    judge(read_account(tmp_path / ".cxkit"), captured=wanted, sink=receiver)
    assert read_account(tmp_path / ".cxkit").exporters == {"sink": ExporterAccount(delivered=wanted)}
    figure("F9", f"{forks:,} forks while two threads capture: delivered, twice", f"{wanted:,}, 0")
