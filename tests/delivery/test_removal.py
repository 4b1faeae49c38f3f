"""Letters leave wholly or not at all: whoever is interrupted, and whoever writes or takes at the same time."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cxkit.codec.frame import COMMAND, Record
from cxkit.delivery.account import Account, Ledger, read_account
from cxkit.delivery.adoption import adopt
from cxkit.delivery.dead import DeadLetters, Letter, read_letters
from cxkit.delivery.expiry import KEPT_DAYS, expire
from cxkit.delivery.files import lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.lane import Lane
from cxkit.delivery.removal import Removed, alone, give_back, letter_files, remove, unfinished
from cxkit.delivery.shelf import Shelf, SpoolLimits
from cxkit.delivery.spool import Spool
from cxkit.errors import StateError
from cxkit.roles import Batch, Outcome
from cxkit.testing.recorder import RecordingExporter

AT = "2026-11-21T10:30:00Z"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMITS = SpoolLimits(max_bytes=1 << 24, max_records=10_000, max_age_s=1e6, segment_bytes=1 << 16, sync_interval_s=0.2)
TIMEOUT_S = 120
STEP = "1" if os.environ.get("CXKIT_FAULTS") == "full" else "3"

Make = Callable[..., list[Record]]
LaneFor = Callable[..., Lane]
Work = Callable[[Lane], None]


class Picky(RecordingExporter):
    """Refuses what has an odd number: every third of them for being odd, the others for being ugly."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        super().export(batch, deadline_s=deadline_s)
        refused = {
            place: "odd" if number % 3 == 0 else "ugly"
            for place, number in enumerate(map(number_of, batch.payloads))
            if number % 2
        }
        return Outcome.reject(refused) if refused else Outcome.delivered()


def number_of(payload: bytes) -> int:
    return int(json.loads(payload)["id"][-12:])


@pytest.fixture
def root(tmp_path: Path, records: Make, lane_for: LaneFor, work: Work) -> Path:
    """Twelve were captured: ``other`` has them all, ``sink`` refused six, two for being odd and four for being ugly."""
    root = tmp_path / "root"
    root.mkdir(mode=0o700)
    spool = Spool.create(root / "spool", segment_bytes=1 << 16)
    made = [
        record._replace(priority=number % 3, subject=bytes([number]) * 16) for number, record in enumerate(records(12))
    ]
    spool.begin("sink")
    spool.begin("other")
    spool.append(made)
    work(lane_for(Picky(), spool, name="sink", dead=root / "dead"))
    work(lane_for(RecordingExporter(), spool, name="other"))
    Ledger(root).fold(spool, {})
    spool.remove()
    return root


def ugly(letter: Letter) -> bool:
    return letter.reason == "ugly"


def every(letter: Letter) -> bool:
    return True


def kept(root: Path) -> list[int]:
    return sorted(number_of(bytes(one.interaction)) for path in letter_files(root) for one in read_letters(path))


def spooled(root: Path) -> dict[str, list[Record]]:
    """The spools that there are now to adopt, and what is in them."""
    found = {}
    for path in sorted((root / "spool").glob("[!.]*")):
        spool = adopt(path, segment_bytes=1 << 16)
        assert spool is not None
        found[path.name] = spool.read(spool.positions()["sink"], max_records=100, max_bytes=1 << 20).records
        spool.close()
    return found


def numbers(root: Path) -> list[int]:
    return sorted(number_of(record.payload) for records in spooled(root).values() for record in records)


def given_back(root: Path, chosen: Callable[[Letter], bool] = ugly) -> Removed:
    with alone(root, wait_s=5.0):
        return give_back(root, "sink", chosen, segment_bytes=1 << 16)


def removed(root: Path, chosen: Callable[[Letter], bool] = ugly, *, damaged: bool = False) -> Removed:
    with alone(root, wait_s=5.0):
        return remove(root, "sink", chosen, damaged=damaged)


def balanced(root: Path) -> Account:
    account = read_account(root)
    assert account.balanced
    assert account.captured == 12
    return account


# --- what becomes of them ---


def test_what_is_given_back_is_as_it_was_and_the_rest_stays(root: Path, records: Make) -> None:
    assert given_back(root) == Removed(letters=4)
    assert kept(root) == [3, 9]
    found = [record for spool in spooled(root).values() for record in spool]
    made = dict(enumerate(records(12)))
    assert {number_of(record.payload): record.payload for record in found} == {
        n: made[n].payload for n in (1, 5, 7, 11)
    }
    for record in found:
        number = number_of(record.payload)
        assert record.subject == bytes([number]) * 16
        assert (record.purposes, record.own, record.type) == made[number][2:4] + made[number][5:6]
        assert record.priority == number % 3


def test_each_priority_has_a_spool_of_its_own(root: Path) -> None:
    given_back(root)
    found = {name.partition("-")[2]: {record.priority for record in inside} for name, inside in spooled(root).items()}
    assert found == {"": {1}, "critical": {2}}
    given_back(root, every)
    assert {name.partition("-")[2] for name in spooled(root)} == {"", "critical", "low"}


def test_the_account_takes_them_back(root: Path) -> None:
    assert (balanced(root).exporters["sink"].dead, balanced(root).exporters["sink"].pending) == (6, 0)
    given_back(root)
    account = balanced(root)
    assert (account.exporters["sink"].dead, account.exporters["sink"].pending) == (2, 4)
    assert (account.exporters["other"].delivered, account.exporters["other"].before) == (12, 0)
    assert set(account.exporters) == {"sink", "other"}
    removed(root, every)
    account = balanced(root)
    assert (account.exporters["sink"].dead, account.exporters["sink"].unkept) == (2, {"purged": 2})


def test_only_the_one_that_refused_them_gets_them_again(root: Path, lane_for: LaneFor, work: Work) -> None:
    given_back(root)
    shelf = Shelf(root, limits=LIMITS)
    shelf.begin(["sink", "other", "later"])
    assert shelf.adopt_orphans()
    sinks = {name: RecordingExporter() for name in ("sink", "other", "later")}
    for name, sink in sinks.items():
        lane = lane_for(sink, name=name, spools=lambda: shelf.spools, passed=shelf.passed)
        work(lane)
    assert {name: len(sink.interactions) for name, sink in sinks.items()} == {"sink": 4, "other": 0, "later": 0}
    account = shelf.account(dropped={}, queued=0)
    assert account.balanced
    assert account.captured == 12
    assert (account.exporters["sink"].delivered, account.exporters["sink"].dead) == (10, 2)
    shelf.leave(dropped={}, written=True)
    assert balanced(root).exporters["sink"].pending == 0
    assert list((root / "spool").iterdir()) == []


def test_they_wait_for_the_exporter_where_the_process_does_not_have_it(root: Path) -> None:
    given_back(root)
    shelf = Shelf(root, limits=LIMITS)
    shelf.begin(["other"])
    shelf.adopt_orphans()
    shelf.leave(dropped={}, written=True)
    assert numbers(root) == [1, 5, 7, 11]
    assert balanced(root).exporters["sink"].pending == 4


def test_one_that_was_refused_twice_for_a_crash_came_in_between_is_given_back_once(root: Path) -> None:
    (path,) = (root / "dead").glob("*.dead")
    (root / "dead" / "sink-again.dead").write_bytes(path.read_bytes())
    assert kept(root) == sorted([1, 3, 5, 7, 9, 11] * 2)
    assert given_back(root, every) == Removed(letters=6)
    assert (kept(root), numbers(root)) == ([], [1, 3, 5, 7, 9, 11])
    assert balanced(root).exporters["sink"].dead == 0


def test_a_letter_given_back_before_its_span_is_closed_is_pending_once(
    root: Path, records: Make, lane_for: LaneFor
) -> None:
    """Of three in a span the first is refused, and the lane tries the others again and again."""
    spool = Spool.create(root / "spool", segment_bytes=1 << 16)
    spool.begin("other")
    lane = lane_for(
        RecordingExporter(outcomes=[Outcome.reject({0: "ugly"}, again=[1, 2])] + [Outcome.retry("network")] * 9),
        spool,
        name="sink",
        dead=root / "dead",
    )
    spool.append(records(3, first=100))
    lane._work_guarded()
    assert 100 in kept(root)
    given_back(root, lambda letter: number_of(bytes(letter.interaction)) == 100)
    account = read_account(root)
    assert account.balanced
    assert account.captured == 15
    assert (account.exporters["sink"].dead, account.exporters["sink"].pending) == (5, 4)
    spool.close()


def test_commands_keep_their_type(root: Path, records: Make) -> None:
    letters = DeadLetters(root / "dead", "_store", "token")
    letters.add(records(1)[0]._replace(type=COMMAND), reason="conflict", at=AT)
    with alone(root, wait_s=1.0):
        give_back(root, "_store", every, segment_bytes=1 << 16)
    (path,) = (root / "spool").iterdir()
    spool = adopt(path, segment_bytes=1 << 16)
    assert spool is not None
    assert [one.type for one in spool.read(spool.positions()["_store"], max_records=9, max_bytes=999).records] == [
        COMMAND
    ]
    spool.close()


def test_large_letters_fill_several_segments(tmp_path: Path) -> None:
    root = tmp_path
    letters = DeadLetters(root / "dead", "sink", "token")
    for number in range(40):
        letters.add(Record(b'{"id":"%012d","pad":"%s"}' % (number, b"x" * 20_000), sequence=number), reason="a", at=AT)
    assert given_back(root, every).letters == 40
    (path,) = (root / "spool").iterdir()
    assert len(list(path.glob("*.seg"))) > 10
    assert numbers(root) == list(range(40))


# --- damage and strangers ---


def test_what_is_damaged_stays_with_what_stays_and_goes_with_all(root: Path) -> None:
    (path,) = (root / "dead").glob("*.dead")
    bytes_ = bytearray(path.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    path.write_bytes(bytes_)
    before = kept(root)
    assert len(before) == 5
    assert given_back(root).damaged == 0
    left = sum(one.stat().st_size for one in letter_files(root))
    assert left > 0
    given_back(root, every)
    assert kept(root) == []
    assert sorted(numbers(root)) == before
    assert [one.stat().st_size > 0 for one in letter_files(root)] == [True]
    assert removed(root, every, damaged=True) == Removed(damaged=1)
    assert letter_files(root) == []


@pytest.mark.parametrize("wrong", ["link", "open"])
def test_a_directory_that_others_may_write_to_is_neither_read_nor_given_back(root: Path, wrong: str) -> None:
    """S14: who can plant letters could have anything delivered."""
    if wrong == "link":
        (root / "dead").rename(root / "planted")
        (root / "dead").symlink_to(root / "planted")
    else:
        (root / "dead").chmod(0o777)
    with pytest.raises(PermissionError):
        letter_files(root)
    with pytest.raises(PermissionError), alone(root, wait_s=0.0):
        raise AssertionError
    with pytest.raises(PermissionError):
        expire(root, now=NOW)


def test_files_are_nobody_elses_business(root: Path) -> None:
    os.umask(before := os.umask(0))
    try:
        os.umask(0)
        given_back(root)
    finally:
        os.umask(before)
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in [*(root / "dead").rglob("*"), *(root / "spool").rglob("*")]
    }
    assert {mode & 0o077 for mode in modes.values()} == {0}


def test_a_file_that_somebody_holds_is_left_alone_and_told(root: Path) -> None:
    (path,) = (root / "dead").glob("*.dead")
    held = lock(path)
    assert held is not None
    assert given_back(root) == Removed(busy=1)
    let_go(held)
    assert kept(root) == [1, 3, 5, 7, 9, 11]
    assert unfinished(root) == 0
    assert given_back(root) == Removed(letters=4)


def test_two_are_not_at_it_at_once(root: Path) -> None:
    with alone(root, wait_s=0.0), pytest.raises(StateError, match="CX7007"), alone(root, wait_s=0.01):
        raise AssertionError
    assert given_back(root).letters == 4


def test_where_the_disk_fails_all_is_as_it_was(root: Path, files_limited: Callable[[int], object]) -> None:
    """F5."""
    before = kept(root)
    with files_limited(600), pytest.raises(OSError):  # type: ignore[attr-defined]  # noqa: PT011 - any will do
        given_back(root)
    assert (kept(root), unfinished(root)) == (before, 0)
    assert list((root / "spool").glob(".*")) == []
    assert balanced(root).exporters["sink"].dead == 6
    assert given_back(root).letters == 4


def test_where_nobody_knows_any_more_what_was_decided_they_are_there_again(root: Path) -> None:
    """F3: rather twice than not at all."""
    token = "0123456789abcdef"
    decided = root / "dead" / f".{token}.decided"
    (decided / "taken").mkdir(parents=True)
    (decided / "left").mkdir()
    (path,) = (root / "dead").glob("*.dead")
    path.rename(decided / "taken" / path.name)
    (decided / "plan.json").write_bytes(b'{"exporter":"sink","spooled":-')
    assert kept(root) == []
    with alone(root, wait_s=1.0):
        assert kept(root) == [1, 3, 5, 7, 9, 11]
    assert unfinished(root) == 0
    assert balanced(root).exporters["sink"].dead == 6


# --- their time ---


def test_letters_are_kept_so_long_and_no_longer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path
    caplog.set_level(logging.WARNING)
    for name, days in (
        ("sink", KEPT_DAYS + 2),
        ("sink", KEPT_DAYS + 1),
        ("sink", 1),
        ("gone", KEPT_DAYS + 1),
        ("new", 3),
    ):
        at = (NOW - timedelta(days=days)).isoformat()
        DeadLetters(root / "dead", name, "token").add(Record(b'{"id":"%012d"}' % days), reason="a", at=at)
    expire(root, now=NOW - timedelta(days=3))
    assert len(kept(root)) == 5
    assert not (root / "dead" / ".lock").exists(), "nothing was to be done"
    expire(root, now=NOW)
    assert kept(root) == [1, 3]
    account = read_account(root)
    assert {name: one.unkept for name, one in account.exporters.items()} == {
        "sink": {"expired": 2},
        "gone": {"expired": 1},
    }
    assert sorted(one.getMessage() for one in caplog.records) == [
        "cxkit: 1 dead letters of exporter gone were removed, for they were older than 30 days",
        "cxkit: 2 dead letters of exporter sink were removed, for they were older than 30 days",
    ]


def test_what_has_no_time_goes_with_its_file(tmp_path: Path) -> None:
    DeadLetters(tmp_path / "dead", "sink", "token").add(Record(b'{"id":"1"}'), reason="a", at=AT)
    path = tmp_path / "dead" / "sink-token.dead"
    path.write_bytes(path.read_bytes()[:-1])
    expire(tmp_path, now=datetime.now(UTC))
    assert path.exists()
    old = (datetime.now(UTC) - timedelta(days=KEPT_DAYS + 1)).timestamp()
    os.utime(path, (old, old))
    expire(tmp_path, now=datetime.now(UTC))
    assert letter_files(tmp_path) == []


def test_a_lane_removes_what_is_too_old_and_finishes_what_was_interrupted(
    root: Path, lane_for: LaneFor, work: Work
) -> None:
    at = (datetime.now(UTC) - timedelta(days=KEPT_DAYS + 1)).isoformat()
    DeadLetters(root / "dead", "gone", "token").add(Record(b'{"id":"000000000099"}'), reason="a", at=at)
    assert 99 in kept(root)
    lane = lane_for(RecordingExporter(), Spool.create(None, segment_bytes=1000), dead=root / "dead")
    lane._expiry.look()
    assert 99 not in kept(root)


JUMPING = """
import datetime as dates, sys, time
from pathlib import Path

step = 0.0
real, Real = time.time, dates.datetime

class Jumping(Real):
    @classmethod
    def now(cls, tz=None):
        return Real.fromtimestamp(time.time(), tz)

time.time = lambda: real() + step
dates.datetime = Jumping
from cxkit.codec.frame import Record
from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.expiry import KEPT_DAYS
from cxkit.delivery.removal import letter_files
from cxkit.kit import Kit
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter

root = Path(sys.argv[1])
kit = Kit(Settings(directory=root), exporters={"sink": RecordingExporter(purposes=frozenset({"necessary"}))})
kit.start()
assert kit.flush(timeout_s=30).complete
old = Real.fromtimestamp(real() - (KEPT_DAYS - 1) * 86_400, dates.timezone.utc)
for exporter, at in {"sink": old, "gone": Jumping.now(dates.timezone.utc)}.items():
    DeadLetters(root / "dead", exporter, "token").add(Record(b'{"id":"1"}'), reason="a", at=at.isoformat())
step = 366 * 86_400.0
for lane in kit._starter.awaited(time.monotonic() + 30).lanes:
    lane._expiry._at = 0.0  # the time for it has come
    lane._expiry.look()
print(len(letter_files(root)))
"""


def test_a_clock_that_is_set_forward_makes_no_letter_old(tmp_path: Path) -> None:
    """F8: while a process runs, days pass by its monotonic clock only."""
    done = subprocess.run([sys.executable, "-c", JUMPING, tmp_path / ".cxkit"], capture_output=True, check=False)
    assert (done.stdout.decode(), done.returncode) == ("2\n", 0), done.stderr.decode()


# --- interrupted ---

INTERRUPTED = """
import json, os, shutil, sys
from pathlib import Path
from cxkit.delivery.account import read_account
from cxkit.delivery.dead import read_letters
from cxkit.delivery.expiry import expire
from cxkit.delivery.removal import alone, give_back, letter_files, remove, unfinished
from cxkit.delivery.adoption import adopt

template, work, what, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
BORDERS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.scandir", "os.listdir"}
chosen = lambda letter: letter.reason == "ugly"

def act(root):
    with alone(root, wait_s=5.0):
        if what == "replay":
            give_back(root, "sink", chosen, segment_bytes=1 << 16)
        else:
            remove(root, "sink", chosen, damaged=False)

def number_of(payload):
    return int(json.loads(payload)["id"][-12:])

def kept(root):
    return sorted(number_of(bytes(one.interaction)) for path in letter_files(root) for one in read_letters(path))

def spooled(root):
    found = []
    for path in sorted((root / "spool").glob("[!.]*")):
        spool = adopt(path, segment_bytes=1 << 16)
        read = spool.read(spool.positions()["sink"], max_records=99, max_bytes=1 << 20)
        found += [number_of(one.payload) for one in read.records]
        spool.close()
    return sorted(found)

def interrupted(root, at):
    pid = os.fork()
    if pid == 0:
        left = at
        def border(event, arguments):
            nonlocal left
            if event in BORDERS and str(root) in str(arguments[:2]):
                left -= 1
                if left < 0:
                    os._exit(9)
        sys.addaudithook(border)
        act(root)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9

ends = set()
at = 0
while True:
    root = work / str(at)
    shutil.copytree(template, root)
    cut_off = interrupted(root, at)
    # What can be seen before anybody has put it right: nothing is lost, and the account adds up.
    seen = kept(root) + spooled(root)
    account = read_account(root)
    assert account.balanced, (at, account)
    if what == "replay":
        decided = list((root / "dead").glob(".*.decided"))
        drafts = [number for path in decided for draft in (root / "spool").glob(".*") for number in [1, 5, 7, 11]]
        assert set(seen) | set(drafts) == {1, 3, 5, 7, 9, 11}, (at, seen)
    # Whoever comes next: every other time an operator who wants nothing, else the application.
    if at % 2:
        with alone(root, wait_s=5.0):
            pass
    else:
        from datetime import UTC, datetime
        expire(root, now=datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert unfinished(root) == 0
    assert not list((root / "spool").glob(".*"))
    end = tuple(kept(root)), tuple(spooled(root))
    account = read_account(root)
    one = account.exporters["sink"]
    assert account.balanced and account.captured == 12, (at, account)
    before = ((1, 3, 5, 7, 9, 11), ()), 6, 0, {}
    after = (((3, 9), (1, 5, 7, 11)), 2, 4, {}) if what == "replay" else (((3, 9), ()), 6, 0, {"purged": 4})
    assert (end, one.dead, one.pending, dict(one.unkept)) in (before, after), (at, end, one)
    ends.add(end)
    # And once more, to its end.
    act(root)
    assert (tuple(kept(root)), tuple(spooled(root))) == after[0], at
    assert read_account(root).balanced
    shutil.rmtree(root)
    if not cut_off:
        break
    at += step
print(at, len(ends))
"""


@pytest.mark.parametrize("what", ["replay", "purge"])
def test_interrupted_at_any_border_no_letter_is_lost_and_none_is_there_twice(
    root: Path, tmp_path: Path, what: str
) -> None:
    """A process that ends before a change it makes to the directory: every third, or each in `nox -s faults`."""
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(root), str(tmp_path / "work"), what, STEP],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    borders, ends = map(int, done.stdout.split())
    assert borders > 25
    assert ends == 2, "both undone and finished"


WRITING = """
import sys
from pathlib import Path
from cxkit.codec.frame import Record
from cxkit.delivery.dead import DeadLetters

root, first = Path(sys.argv[1]), int(sys.argv[2])
letters = DeadLetters(root / "dead", "sink", f"token{first}")
print("ready", flush=True)
for number in range(first, first + 1500):
    record = Record(b'{"id":"%012d"}' % number, sequence=number)
    assert not letters.add(record, reason="ugly" if number % 3 else "odd", at="2026-11-21T10:30:00Z")
"""

TAKING = """
import sys
from pathlib import Path
from cxkit.delivery.removal import alone, give_back
root = Path(sys.argv[1])
print("ready", flush=True)
given = 0
for line in sys.stdin:
    with alone(root, wait_s=60.0):
        given += give_back(root, "sink", lambda letter: letter.reason == "ugly", segment_bytes=1 << 16).letters
    print(given, flush=True)
"""


def test_while_letters_are_written_two_operators_take_each_once(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir(mode=0o700)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for script, *more in ((TAKING,), (TAKING,), (WRITING, "0"), (WRITING, "10000"))
    ]
    takers, writers = started[:2], started[2:]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        rounds = 0
        while any(one.poll() is None for one in writers) or rounds < 3:
            rounds += 1
            for one in takers:
                assert one.stdin is not None
                one.stdin.write("\n")
                one.stdin.flush()
            given = [int(one.stdout.readline()) for one in takers if one.stdout]
        assert [one.wait(TIMEOUT_S) for one in writers] == [0, 0]
    finally:
        for one in started:
            one.kill()
            one.communicate()
    given_back(tmp_path)
    all_numbers = [*range(1500), *range(10000, 11500)]
    assert kept(tmp_path) == [number for number in all_numbers if number % 3 == 0]
    assert Counter(every_number(tmp_path)) == Counter(number for number in all_numbers if number % 3)
    assert sum(given) > 0


def every_number(root: Path) -> list[int]:
    found = []
    for path in (root / "spool").glob("[!.]*"):
        spool = adopt(path, segment_bytes=1 << 16)
        assert spool is not None
        progress = spool.positions()["sink"]
        while records := (read := spool.read(progress, max_records=500, max_bytes=1 << 20)).records:
            found += [number_of(record.payload) for record in records]
            progress = read.progress
        spool.close()
    return found
