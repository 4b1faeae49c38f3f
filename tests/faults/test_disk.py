"""F5, F6, F7: disks that are full, that fail, and directories that are not to be trusted; no root is needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Receiver
from tests.faults.world import Run, configure, duplicates, healed, judge

FULL_DISK = """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def disk(room):
    "From here on no file may grow beyond that: a short write first, then an error."
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

"""


@pytest.mark.parametrize("mode", ["queue", "write", "sync"])
def test_a_full_disk_costs_what_the_memory_cannot_hold_and_that_is_counted(
    run: Run, tmp_path: Path, receiver: Receiver, mode: str
) -> None:
    """F5: what is there is delivered meanwhile; memory takes over; ``queue_full`` is exact; with room all goes on."""
    configure(tmp_path, f'durability = "{mode}"\n[queue]\nmax_bytes = 100_000\n', sink=receiver)
    child = run(
        FULL_DISK
        + """
captured = capture(100)
deliver()
disk(60_000)
captured += capture(1000)
dropped = captured.count(None)
cxkit.flush(timeout_s=0.5)
account = cxkit.stats()
assert account.queued and account.dropped == {"queue_full": dropped}, account
say(dropped, account.queued)
sys.stdin.readline()
disk(resource.RLIM_INFINITY)
captured += capture(1)
assert captured[-1] is not None or cxkit.flush(timeout_s=5).complete
deliver()
say(captured.count(None))
"""
    )
    dropped, queued = map(int, child.line())
    assert dropped > 0
    assert receiver.wait_for(1100 - dropped - queued, timeout_s=20), "what is on the disk is delivered while it is full"
    child.tell()
    dropped = int(child.line()[0])
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    judge(read_account(tmp_path / ".cxkit"), captured=1101, sink=receiver)
    assert read_account(tmp_path / ".cxkit").dropped == {"queue_full": dropped}
    assert duplicates(receiver) == 0
    healed(run, tmp_path, captured=1101, sink=receiver)


def test_what_a_full_disk_does_not_take_until_the_end_is_counted(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F5: as ``disk_error``, exactly, by the process itself; the next start finds the disk as it should be."""
    configure(tmp_path, sink=receiver)
    child = run(
        FULL_DISK + "capture(10); deliver(); disk(5_000); capture(100); cxkit.close(); say(cxkit.stats().dropped)"
    )
    assert child.line() == ["{'disk_error':", "100}"], child.stderr
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    healed(run, tmp_path, captured=110, sink=receiver)


FAILING = """
import errno
real = {name: getattr(os, name) for name in ("fdatasync", "write")}
left = {"fdatasync": 0, "write": 0}

def failing(name):
    def call(*args):
        if left[name] and (name != "write" or len(args[1]) > 100):
            left[name] -= 1
            raise OSError(errno.EIO, "of the disk")
        return real[name](*args)
    return call

for name in real:  # before cxkit takes hold of them
    setattr(os, name, failing(name))
"""


@pytest.mark.parametrize(("call", "says"), [("fdatasync", "cannot be synced"), ("write", "cannot be written")])
def test_a_disk_that_fails_is_said_once_and_costs_nothing(
    run: Run, tmp_path: Path, receiver: Receiver, call: str, says: str
) -> None:
    """F6: EIO five times; a new segment is used after a sync that failed, and everything arrives."""
    configure(tmp_path, "[spool]\nsync_interval_s = 0\n", sink=receiver)
    child = run(
        FAILING
        + f"""
import pathlib
capture(10)
deliver()
left[{call!r}] = 5
for _ in range(100):
    capture(10)
    deliver()
    if not left[{call!r}]:
        break
say(cxkit.stats().captured, max(one.name for one in pathlib.Path(".cxkit/spool").glob("**/*.seg")))
"""
    )
    captured, last = child.line()
    assert child.wait() == 0, child.stderr
    assert child.stderr.count(says) >= 1
    assert child.stderr.count("\n") <= 5, "once for each time it began"
    assert "Traceback" not in child.stderr
    assert call == "write" or last > "00000001.seg"
    judge(read_account(tmp_path / ".cxkit"), captured=int(captured), sink=receiver)
    assert read_account(tmp_path / ".cxkit").exporters == {"sink": ExporterAccount(delivered=int(captured))}
    healed(run, tmp_path, captured=int(captured), sink=receiver)


KEYS = '[keys]\nsigning = ["0123456789abcdef"]\nidentifier = "0123456789abcdef"\n\n[store]\ntype = "memory"\n'


@pytest.mark.parametrize("how", ["group may write", "a link", "another owner", "a file"])
def test_a_directory_that_is_not_to_be_trusted_is_done_without(
    run: Run, tmp_path: Path, receiver: Receiver, how: str
) -> None:
    """F7: in memory, with one warning; all is delivered; nothing is written there."""
    (tmp_path / ".cxkit").mkdir(mode=0o700)
    spool, elsewhere = tmp_path / ".cxkit" / "spool", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if how == "a link":
        spool.symlink_to(elsewhere)
    elif how == "a file":
        spool.write_text("a file where a directory should be")
    else:
        spool.mkdir(mode=0o700)
        if how == "another owner":
            if os.geteuid() != 0:
                pytest.skip("only root can give a directory away")
            os.chown(spool, 12345, 12345)
        else:
            spool.chmod(0o770)
    configure(tmp_path, KEYS, sink=receiver)
    child = run("capture(50); deliver(); say(cxkit.stats().balanced, cxkit.stats().captured); capture(50)")
    assert child.line() == ["True", "50"], child.stderr
    assert child.wait() == 0, child.stderr
    assert child.stderr.count("\n") == 1
    assert "cannot hold a spool" in child.stderr
    assert len(set(receiver.ids)) == len(receiver.ids) == 100
    assert list(elsewhere.iterdir()) == []
    assert not spool.is_dir() or list(spool.iterdir()) == []
