"""F28, F29: a backlog that is large, and one that is larger than it may be."""

from __future__ import annotations

import time
from pathlib import Path

from cxkit.delivery.account import read_account
from cxkit.testing.receiver import Receiver
from tests.faults.counting import Counting
from tests.faults.figures import figure
from tests.faults.world import FULL, Run, configure, duplicates, healed, judge, progress, until, whole

LIMITS = "[spool]\nmax_bytes = 4_000_000_000\nmax_records = 10_000_000\n"


DRAIN = """
signal.alarm(900)
kit = cxkit.configure()  # reads settings and plugins, backlog or not
before, began = rss(), time.monotonic()
kit.start()
cxkit.touchpoint("shop.urgent", priority="critical").capture()
kit._starter.awaited(time.monotonic() + 100)
say(time.monotonic() - began)
most = 0
while not cxkit.flush(timeout_s=0.5).complete:
    most = max(most, rss())
say(time.monotonic() - began, max(most, rss()) - before)
"""


def test_a_backlog_drains_and_what_is_urgent_goes_first(run: Run, tmp_path: Path, counting: Counting) -> None:
    """F28: start < 1 s, 5,000/s or more, RSS growth < 64 MiB, and what is critical and fresh within 10 s."""
    count = whole(1_000_000, 20_000)
    configure(tmp_path, LIMITS, sink=(Receiver(), {"url": "http://127.0.0.1:9/"}))
    child = run(
        f"signal.alarm(900)\nfor _ in range({count // 1000}):\n    capture(1000)\n    spool()\n"
        "say('spooled')\ncxkit.close(timeout_s=0.2)"
    )
    assert child.line() == ["spooled"], child.stderr
    assert child.process.wait(60) == 0, child.stderr
    progress(f"a backlog of {count:,}")
    configure(tmp_path, LIMITS, sink=(Receiver(), {"url": counting.url}))
    child = run(DRAIN)
    started_s = float(child.line()[0])
    arrived, urgent_s = counting.until(count + 1)
    took_s, grown = map(float, child.line())
    assert child.process.wait(60) == 0, child.stderr
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    assert account.exporters["sink"].delivered == arrived == count + 1
    figure("F28", f"a backlog of {count:,}: start", started_s, "s")
    figure("F28", f"a backlog of {count:,}: drained", count / took_s, "/s")
    figure("F28", f"a backlog of {count:,}: RSS growth", grown / (1 << 20), "MiB")
    figure("F28", f"a backlog of {count:,}: a fresh critical one arrived after", urgent_s, "s")
    assert grown < 64 << 20
    if FULL:
        assert count / took_s >= 5000
        assert (started_s < 1, urgent_s < 10) == (True, True)


def test_a_hundred_mebibytes_are_open_at_once(run: Run, tmp_path: Path) -> None:
    """F2: only the last segment is validated when a spool is opened: the time is a figure."""
    configure(tmp_path, LIMITS, sink=(Receiver(), {"url": "http://127.0.0.1:9/"}))
    count = whole(15_000, 1_500)
    child = run(
        f"signal.alarm(300)\nfor _ in range({count // 100}):\n"
        "    for number in range(100):\n        SEEN.capture(n=number, text='x' * 7_000)\n    spool()\n"
        "cxkit.close(timeout_s=0.2)"
    )
    assert child.process.wait(300) == 0, child.stderr
    size = sum(file.stat().st_size for file in (tmp_path / ".cxkit" / "spool").glob("**/*.seg"))
    child = run(
        f"""
kit = cxkit.configure()
began = time.monotonic()
kit.start()
kit._starter.awaited(time.monotonic() + 100)
while cxkit.stats().exporters["sink"].pending < {count}:
    pass
say(time.monotonic() - began)
"""
    )
    opened_s = float(child.line()[0])
    child.end()
    figure("F2", f"a spool of {size / (1 << 20):.0f} MiB: open and counted", opened_s, "s")
    if FULL:
        assert opened_s < size / (100 << 20) + 1


def test_beyond_its_quota_the_least_important_goes_first(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F29: the oldest of the lowest class; counts by reason exact; the disk holds the quota and a segment at most."""
    quota, segment = 120_000, 10_000
    configure(tmp_path, f"[spool]\nmax_bytes = {quota}\nsegment_bytes = {segment}\n", sink=receiver)
    receiver.stop()
    child = run(
        """
import pathlib
def size(file):
    try:
        return file.stat().st_size
    except FileNotFoundError:  # given up just now
        return 0
LOW = cxkit.touchpoint("shop.low", priority="low")
CRITICAL = cxkit.touchpoint("shop.critical", priority="critical")
most = 0
for number in range(100):
    CRITICAL.capture(n=number)
    for _ in range(3):
        SEEN.capture(n=number)
        LOW.capture(n=number)
    if number % 5 == 0:
        spool()
        most = max(most, sum(size(one) for one in pathlib.Path(".cxkit/spool").glob("**/*.seg")))
say(most)
cxkit.close(timeout_s=0.5)
"""
    )
    most = int(child.line()[0])
    assert child.wait() == 0, child.stderr
    assert most <= quota + 2 * segment, "what is written is measured right after it"
    receiver.start()
    account = healed(run, tmp_path, captured=700, sink=receiver)
    names = [one.name for one in receiver.interactions]
    assert names.count("shop.critical") == 100, "as long as there is less important to give up"
    assert names.count("shop.low") < names.count("shop.seen")
    assert account.exporters["sink"].dropped["spool_full"] == 701 - sum(name.startswith("shop.") for name in names)
    assert duplicates(receiver) == 0
    kept = sorted(int(str(one.properties["n"])) for one in receiver.interactions if one.name == "shop.seen")
    assert kept[0] == 0 < kept[1], "the oldest went; the other one is of the second process"
    assert kept[-1] == 99, "and not the newest"
    figure("F29", "most on the disk, quota 120,000 bytes, segments of 10,000", most, "bytes")


def test_what_is_too_old_goes_by_its_age(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F29: counted as ``expired``, all of it, and what is fresh arrives."""
    configure(tmp_path, "[spool]\nmax_age_s = 1\n", sink=receiver)
    receiver.stop()
    child = run("capture(50); spool(); cxkit.close(timeout_s=0.2)")
    assert child.wait() == 0, child.stderr
    files = list((tmp_path / ".cxkit" / "spool").glob("**/*.seg"))
    assert until(lambda: all(time.time() - file.stat().st_mtime > 1.1 for file in files))
    receiver.start()
    account = healed(run, tmp_path, captured=50, sink=receiver)
    assert account.exporters["sink"].dropped == {"expired": 50}
    judge(account, captured=51, sink=receiver)
