"""What is kept about somebody is found wherever it lies, and erased there, whoever writes or takes at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from cxkit.codec.frame import COMMAND, NOBODY, Record
from cxkit.delivery.account import read_account
from cxkit.delivery.dead import DeadLetters, read_letters
from cxkit.delivery.erasure import Meant
from cxkit.delivery.files import lock
from cxkit.delivery.forks import let_go
from cxkit.delivery.judging import Verdict
from cxkit.delivery.kept import Found, Left, erase_kept, erase_letters, find_kept
from cxkit.delivery.lane import Lane
from cxkit.delivery.removal import alone, give_back, letter_files
from cxkit.delivery.spool import Spool
from cxkit.roles import Outcome
from cxkit.testing import RecordingExporter

AT = "2026-11-21T10:30:00Z"
WHEN = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
NANCY, MARY = b"n" * 16, b"m" * 16
HERS = frozenset([NANCY])
TIMEOUT_S = 120
STEP = "1" if os.environ.get("CXKIT_FAULTS") == "full" else "3"


def about(subject: bytes, number: int, *, minutes: int = 0) -> Record:
    time = (WHEN + timedelta(minutes=minutes)).isoformat()
    payload = json.dumps({"id": f"{number:012}", "time": time, "said": subject.decode()}).encode()
    return Record(payload, subject, 0b111, sequence=number)


def everything(root: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file())


def letters(root: Path) -> list[str]:
    return sorted(json.loads(bytes(one.interaction))["id"] for path in letter_files(root) for one in read_letters(path))


@pytest.fixture
def root(tmp_path: Path, lane_for: Callable[..., Lane], work: Callable[[Lane], None]) -> Path:
    """Eight were captured, four of each; ``sink`` refused all, ``other`` has them."""
    root = tmp_path / ".cxkit"
    spool = Spool.create(root / "spool", segment_bytes=1 << 16)
    for name in ("sink", "other"):
        spool.begin(name)
    spool.append([about(NANCY if number % 2 else MARY, number) for number in range(8)])
    refusing = RecordingExporter(outcomes=[Outcome.reject(dict.fromkeys(range(8), "ugly"))])
    work(lane_for(refusing, spool, name="sink", dead=root / "dead"))
    work(lane_for(RecordingExporter(), spool, name="other"))
    spool.close()
    return root


# --- found ---


def test_it_is_found_by_place_and_nothing_is_changed(root: Path) -> None:
    live = Spool.create(root / "spool", segment_bytes=1 << 16)
    live.append([about(NANCY, 20), about(MARY, 21)])
    before = everything(root)
    assert find_kept(root, HERS) == Found(live=1, abandoned=4, dead={"sink": 4})
    assert find_kept(root, HERS).total == 9
    assert everything(root) == before
    live.close()
    assert find_kept(root, HERS).abandoned == 5


def test_what_is_of_later_is_not_meant(root: Path) -> None:
    back = Spool.create(root / "spool", segment_bytes=1 << 16)
    back.append([about(NANCY, 30, minutes=5)])
    back.close()
    DeadLetters(root / "dead", "sink", "back").add(about(NANCY, 31, minutes=5), reason="a", at=AT)
    assert find_kept(root, HERS, until=WHEN) == Found(abandoned=4, dead={"sink": 4})
    assert erase_kept(root, HERS, until=WHEN) == Left(erased=4, letters=4)
    assert find_kept(root, HERS, until=WHEN) == Found()
    assert find_kept(root, HERS) == Found(abandoned=1, dead={"sink": 1})


def test_of_what_says_nothing_of_its_time_all_is_meant(root: Path) -> None:
    for token, payload in (("a", b"{}"), ("b", b'{"time":"2026-11-21T10:30:00"}'), ("c", b'{"time":1}')):
        DeadLetters(root / "dead", "odd", token).add(Record(payload, NANCY), reason="a", at=AT)
    assert find_kept(root, HERS, until=WHEN - timedelta(days=1)).dead == {"odd": 3}


def test_nobody_is_nowhere(tmp_path: Path, root: Path) -> None:
    DeadLetters(root / "dead", "sink", "nobody").add(Record(b"{}", NOBODY), reason="a", at=AT)
    assert find_kept(root, frozenset([NOBODY])) == Found()
    assert find_kept(tmp_path / "none", HERS) == Found()
    assert erase_kept(tmp_path / "none", HERS) == Left()


def test_what_cannot_be_read_is_named(root: Path) -> None:
    (spool,) = (root / "spool").iterdir()
    (segment,) = spool.glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[4:6] = b"\x00\x09"  # of a version to come
    import struct
    import zlib

    data[16:20] = struct.pack(">I", zlib.crc32(bytes(data[:16])))
    segment.write_bytes(data)
    assert find_kept(root, HERS) == Found(dead={"sink": 4}, unread=(spool.name,))
    assert erase_kept(root, HERS) == Left(letters=4, unread=(spool.name,))


# --- letters ---


def test_letters_go_and_the_account_says_so(root: Path) -> None:
    assert erase_letters(root, Meant.about(HERS), wait_s=0.0) == 4
    assert letters(root) == ["000000000000", "000000000002", "000000000004", "000000000006"]
    assert NANCY not in everything(root / "dead")
    account = read_account(root)
    assert account.balanced
    assert (account.exporters["sink"].dead, account.exporters["sink"].unkept) == (8, {"erased": 4})
    assert account.exporters["other"].unkept == {}
    assert erase_letters(root, Meant.about(HERS), wait_s=0.0) == 0


def test_letters_of_several_exporters_and_of_those_that_are_no_more(root: Path) -> None:
    DeadLetters(root / "dead", "_store", "t").add(about(NANCY, 1)._replace(type=COMMAND), reason="a", at=AT)
    DeadLetters(root / "dead", "gone", "t").add(about(NANCY, 2), reason="a", at=AT)
    assert find_kept(root, HERS).dead == {"_store": 1, "gone": 1, "sink": 4}
    assert erase_kept(root, HERS) == Left(erased=4, letters=6)
    assert find_kept(root, HERS) == Found()


def test_those_that_were_given_back_are_erased_in_their_spool(root: Path) -> None:
    with alone(root, wait_s=5.0):
        assert give_back(root, "sink", lambda letter: True, segment_bytes=1 << 16).letters == 8
    assert find_kept(root, HERS) == Found(abandoned=8)
    assert erase_kept(root, HERS).erased == 8
    assert NANCY not in everything(root)


def test_whoever_has_them_in_hand_is_waited_for_and_then_named(root: Path) -> None:
    held = lock(root / "dead" / ".lock")
    assert held is not None
    assert erase_letters(root, Meant.about(HERS), wait_s=0.0) is None
    assert erase_letters(root, Meant.about(frozenset([b"?" * 16])), wait_s=0.0) == 0, "nothing to wait for"
    assert find_kept(root, HERS).dead == {"sink": 4}, "whoever only looks need not wait"
    let_go(held)
    assert erase_letters(root, Meant.about(HERS), wait_s=0.0) == 4


def test_who_was_erased_while_they_were_refused_gets_no_letter(
    tmp_path: Path, lane_for: Callable[..., Lane], work: Callable[[Lane], None]
) -> None:
    spool = Spool.create(tmp_path / "spool", segment_bytes=1 << 16)
    spool.begin("sink")
    spool.append([about(NANCY, 0), about(MARY, 1), about(NANCY, 2, minutes=5)])
    graves: dict[bytes, datetime] = {}

    class Refusing(RecordingExporter):
        def export(self, batch: object, *, deadline_s: float) -> Outcome:
            graves[NANCY] = WHEN  # it is known now
            return Outcome.reject({0: "ugly", 1: "ugly", 2: "ugly"})

    lane = lane_for(Refusing(), spool, dead=tmp_path / "dead")
    verdict: Verdict = lambda subject, purposes: ("allowed", graves.get(subject))  # noqa: E731
    lane._judging = attrs.evolve(lane._judging, verdict=verdict)
    work(lane)
    assert letters(tmp_path) == ["000000000001", "000000000002"], "what she did since is another matter"
    assert dict(spool.cursor("sink").progress.counts) == {"dead": 2, "dropped.erased": 1}


# --- at the same time, and interrupted ---

WRITING = """
import json, sys
from pathlib import Path
from cxkit.codec.frame import Record
from cxkit.delivery.dead import DeadLetters

root, first = Path(sys.argv[1]), int(sys.argv[2])
letters = DeadLetters(root / "dead", "sink", f"token{first}")
print("ready", flush=True)
for number in range(first, first + 1000):
    who = b"nm"[number % 2 : number % 2 + 1] * 16
    record = Record(json.dumps({"id": f"{number:012}", "time": "2026-11-21T10:30:00Z"}).encode(), who)
    assert not letters.add(record, reason="ugly", at="2026-11-21T10:30:00Z")
"""

ERASING = """
import sys
from pathlib import Path
from cxkit.delivery.erasure import Meant
from cxkit.delivery.kept import erase_letters
from cxkit.delivery.removal import alone, give_back
root, erased, given = Path(sys.argv[1]), 0, 0
print("ready", flush=True)
for line in sys.stdin:
    erased += erase_letters(root, Meant.about(frozenset([b"n" * 16])), wait_s=60.0) or 0
    with alone(root, wait_s=60.0):
        given += give_back(root, "sink", lambda letter: bytes(letter.interaction)[18:19] == b"9",
                           segment_bytes=1 << 16).letters if sys.argv[2] == "gives" else 0
    print(erased, given, flush=True)
"""


def test_while_lanes_write_and_an_operator_gives_back_each_goes_once(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir(mode=0o700)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for script, more in ((ERASING, "erases"), (ERASING, "gives"), (WRITING, "0"), (WRITING, "10000"))
    ]  # fmt: skip
    erasers, writers = started[:2], started[2:]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        counts, more = [[0, 0], [0, 0]], 3
        while more:
            more -= all(one.poll() is not None for one in writers)
            for place, one in enumerate(erasers):
                assert one.stdin is not None
                assert one.stdout is not None
                one.stdin.write("go\n")
                one.stdin.flush()
                counts[place] = [int(word) for word in one.stdout.readline().split()]
    finally:
        for one in started:
            one.kill() if one.poll() is None and one not in writers else one.wait(TIMEOUT_S)
            one.communicate()
    left = find_kept(tmp_path, HERS)
    assert left.dead == {}
    assert sum(erased for erased, _ in counts) + left.abandoned == 1000
    assert sum(given for _, given in counts) - left.abandoned + len(letters(tmp_path)) == 1000


INTERRUPTED = """
import json, os, shutil, sys
from pathlib import Path
from cxkit.delivery.account import read_account
from cxkit.delivery.kept import Found, erase_kept, find_kept

template, work, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
BORDERS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.scandir", "os.listdir"}
hers = frozenset([b"n" * 16])

def interrupted(root, end):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [end]
    def hook(event, arguments):
        if event in BORDERS and str(root) in str(arguments[0] if arguments else ""):
            left[0] -= 1
            if left[0] < 0:
                os._exit(7)
    sys.addaudithook(hook)
    erase_kept(root, hers)
    os._exit(0)

end = 0
while True:
    root = work / str(end)
    shutil.copytree(template, root)
    code = interrupted(root, end)
    mary = find_kept(root, frozenset([b"m" * 16]))
    erase_kept(root, hers)
    assert find_kept(root, hers) == Found(), end
    mary = find_kept(root, frozenset([b"m" * 16]))
    assert (mary.abandoned, mary.dead) == (4, {"sink": 4}), (end, mary)
    account = read_account(root)
    assert account.balanced, end
    assert account.exporters["sink"].unkept == {"erased": 4}, (end, account)
    shutil.rmtree(root)
    if code == 0:
        break
    assert code == 7, code
    end += step
print(end)
"""


def test_interrupted_at_any_border_the_next_one_finishes_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED, str(root), str(tmp_path / "work"), STEP],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
