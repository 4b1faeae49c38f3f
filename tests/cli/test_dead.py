"""``cxkit dead``: real applications whose other side refuses some, looked at, given back, removed."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.codec.frame import Record
from cxkit.delivery.account import Account, read_account
from cxkit.delivery.dead import QUOTA_BYTES, DeadLetters
from cxkit.delivery.files import lock
from cxkit.delivery.forks import let_go
from cxkit.testing.oracle import conserved
from cxkit.testing.receiver import Answer, Receiver, Request
from tests.cli.terminal import command, cxkit, environment
from tests.delivery.processes import Child, configure

AT = "2026-11-21T10:30:00Z"
ROOT = Path(".cxkit")
PATIENCE_S = 60

SHOP = """
BOUGHT, ADDED = cxkit.touchpoint("gift_card.bought"), cxkit.touchpoint("cart.item_added")
def shop(cards, carts=2):
    return [BOUGHT.capture(worth=n) for n in range(cards)] + [ADDED.capture(n=n) for n in range(carts)]
"""


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["dead", *arguments])


class Backend:
    """A collector that knows no gift cards until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.receiver = Receiver(answer=self._answer)

    def _answer(self, request: Request) -> Answer:
        return Answer(status=202 if self.mended or b"gift_card" not in request.body else 400)

    @property
    def cards(self) -> int:
        return sum(one.name == "gift_card.bought" for one in self.receiver.interactions)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend()
    with backend.receiver:
        configure(tmp_path, out=backend.receiver)
        yield backend


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    children: list[Child] = []

    def start(script: str) -> Child:
        children.append(Child(SHOP + script, folder=tmp_path, stderr=tmp_path / f"stderr-{len(children)}"))
        return children[-1]

    yield start
    for child in children:
        child.end()


Start = Callable[[str], Child]


def ended(child: Child) -> Account:
    assert child.wait() == 0, child.stderr
    account = read_account(ROOT)
    assert account.balanced
    return account


def refused(start: Start, cards: int = 3) -> None:
    """An application that has run and is gone."""
    account = ended(start(f"shop({cards}); assert cxkit.flush(timeout_s=30).complete"))
    assert account.exporters["out"].dead == cards


def delivering(start: Start) -> Account:
    """Its next start, until all is delivered."""
    return ended(start("shop(0, 1); flushed = cxkit.flush(timeout_s=30); assert flushed.complete, flushed"))


def letter(
    number: int = 1, *, exporter: str = "out", reason: str = "http_400", at: str = AT, **properties: Any
) -> None:
    ROOT.mkdir(mode=0o700, exist_ok=True)
    payload = {"id": f"0198c0de-{number}", "type": "io.cxkit.cart.item_added", "data": {"properties": properties}}
    DeadLetters(ROOT / "dead", exporter, "token").add(Record(json.dumps(payload).encode()), reason=reason, at=at)


# --- whose they are ---

VERBS = [["list"], ["show"], ["replay", "--yes"], ["purge", "--yes"], ["export"]]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_name_that_no_exporter_has_is_an_error_with_the_nearest_right_one(backend: Backend, verb: list[str]) -> None:
    letter(exporter="crm")
    for wrong, right in (("cmr", "crm"), ("outt", "out")):
        told = run(*verb, "--exporter", wrong)
        assert (told.exit_code, told.stdout) == (2, "")
        assert f"there is no exporter of this name here; did you mean {right}?" in told.stderr
    told = run(*verb, "--exporter", "nosuch")
    assert (told.exit_code, "known: crm, out\n" in told.stderr) == (2, True)
    assert "1 dead letter\n" in run("list").output, "nothing was done"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_an_exporter_without_letters_is_known_by_the_configuration_or_the_account(
    backend: Backend, start: Start, verb: list[str]
) -> None:
    ended(start("shop(0, 1); assert cxkit.flush(timeout_s=30).complete"))
    code = 1 if verb == ["show"] else 0
    assert run(*verb, "--exporter", "out").exit_code == code
    Path("cxkit.toml").unlink()
    assert run(*verb, "--exporter", "out").exit_code == code, "it may be one that the application makes"
    assert run(*verb, "--exporter", "_store").exit_code == code


# --- back to where they were refused ---


def test_given_back_they_are_delivered_by_the_next_start(backend: Backend, start: Start) -> None:
    refused(start)
    backend.mended = True
    done = cxkit("dead", "replay", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        "out: 3 letters given back",
        "a running application takes them up within a minute, otherwise its next start does",
    ]
    account = delivering(start)
    assert (account.captured, account.exporters["out"].dead, account.exporters["out"].pending) == (6, 0, 0)
    assert (backend.cards, max(Counter(backend.receiver.ids).values())) == (3, 1)
    conserved(account, received={"out": backend.receiver.ids}, captured=6)
    assert run("list").output == "0 dead letters\n"


def test_given_back_while_the_application_runs_it_takes_them_up(backend: Backend, start: Start) -> None:
    """While it goes on to have others refused: each is delivered in the end, or a letter, and none is lost."""
    app = start("""
signal.alarm(90)
ids = shop(3, 0)
assert cxkit.flush(timeout_s=30).complete
say(*ids)
turns = 0
while not os.path.exists("enough"):
    turns += 1
    shop(1, 1)
    time.sleep(0.02)
assert cxkit.flush(timeout_s=30).complete
say(turns)
""")
    first = set(app.line())
    given = 0
    for _ in range(3):
        told = json.loads(cxkit("dead", "replay", "--yes", "--json").stdout)
        given += told["replayed"]["out"]["letters"]
    assert given >= 3
    backend.mended = True
    deadline = time.monotonic() + PATIENCE_S
    while not first <= set(backend.receiver.ids):
        assert time.monotonic() < deadline, "the running application has not taken them up"
        backend.receiver.wait_for(len(set(backend.receiver.ids)) + 1, timeout_s=1.0)
    Path("enough").touch()
    captured = 3 + 2 * int(app.line()[0])
    ended(app)
    cxkit("dead", "replay", "--yes")
    account = delivering(start)
    one = account.exporters["out"]
    assert (account.captured, one.delivered, one.dead, one.pending) == (captured + 1, captured + 1, 0, 0)
    assert set(Counter(backend.receiver.ids).values()) == {1}
    conserved(account, received={"out": backend.receiver.ids}, captured=captured + 1)


def test_refused_again_they_are_letters_again(backend: Backend, start: Start) -> None:
    refused(start)
    assert run("replay", "--yes").exit_code == 0
    account = delivering(start)
    assert (account.captured, account.exporters["out"].dead) == (6, 3)
    assert "3 dead letters" in run("list").output


def test_consent_withdrawn_in_between_stops_them(backend: Backend, start: Start) -> None:
    """S23: 0 are sent, and they are counted as withheld."""
    visit = """
with cxkit.scope(user_id="nancy", evidence="login"):
    {what}
    assert cxkit.flush(timeout_s=30).complete
"""
    ended(start(visit.format(what='cxkit.grant("analytics"); cxkit.flush(timeout_s=30); shop(2, 0)')))
    assert "2 dead letters" in run("list").output
    ended(start(visit.format(what='cxkit.withdraw("analytics")')))
    backend.mended = True
    assert run("replay", "--yes").exit_code == 0
    account = delivering(start)
    assert backend.cards == 0
    assert (account.exporters["out"].dead, account.exporters["out"].pending) == (0, 0)
    assert account.exporters["out"].dropped["consent"] >= 2


def test_two_operators_at_once_give_each_back_once(backend: Backend, start: Start) -> None:
    refused(start, 5)
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(cxkit, "dead", "replay", "--yes", "--json") for _ in range(3)]
        told = [json.loads(one.result().stdout) for one in both]
    assert sum(one["replayed"].get("out", {"letters": 0})["letters"] for one in told) == 5
    backend.mended = True
    delivering(start)
    assert (backend.cards, max(Counter(backend.receiver.ids).values())) == (5, 1)


def test_who_waits_in_vain_for_another_is_told(backend: Backend) -> None:
    letter()
    held = lock(ROOT / "dead" / ".lock")
    assert held is not None
    done = cxkit("dead", "replay", "--yes")
    let_go(held)
    assert (done.returncode, done.stderr.startswith("CX7007: ")) == (1, True)
    assert "1 dead letter\n" in run("list").output


def test_only_what_is_wanted_is_given_back(backend: Backend) -> None:
    for number, (reason, at) in enumerate(
        [("http_400", AT), ("http_422", AT), ("bad_type", AT), ("http_400", "2026-11-23T00:00:00Z")]
    ):
        letter(number, reason=reason, at=at)
    assert json.loads(run("replay", "--reason", "http_*", "--dry-run", "--json").output) == {
        "would": {"out": 3},
        "left": [],
    }
    assert json.loads(run("replay", "--since", "2026-11-22T12:00", "--dry-run", "--json").output)["would"] == {"out": 1}
    assert json.loads(run("replay", "--id", "0198c0de-2", "--dry-run", "--json").output)["would"] == {"out": 1}
    assert "4 dead letters" in run("list").output
    assert "out: 3 letters given back" in run("replay", "--reason", "http_*", "--yes").output
    assert [one["reason"] for one in json.loads(run("list", "--json").output)["letters"]] == ["bad_type"]


def test_of_an_exporter_that_is_not_in_the_configuration_it_has_to_be_named(backend: Backend) -> None:
    letter(1)
    letter(2, exporter="gone")
    done = run("replay", "--yes")
    assert done.exit_code == 1
    assert "out: 1 letter given back" in done.output
    assert "gone is not in the configuration: its letters stay" in done.output
    assert "1 dead letter\n" in run("list").output
    named = run("replay", "--yes", "--exporter", "gone")
    assert named.exit_code == 0
    assert "nobody takes them, and spool.max_age_s gives them up" in named.output


@pytest.mark.parametrize("limit", ["max_bytes = 1000\nsegment_bytes = 500", "max_records = 9"])
def test_where_the_spool_would_give_them_up_they_stay(limit: str) -> None:
    Path("cxkit.toml").write_text(f"[spool]\n{limit}\n[exporters.out]\ntype = 'console'\n")
    for number in range(10):
        letter(number, pad="x" * 100)
    done = cxkit("dead", "replay", "--yes")
    assert (done.returncode, done.stderr.startswith("CX7008: ")) == (1, True)
    assert "10 dead letters" in run("list").output
    assert run("replay", "--yes", "--id", "0198c0de-1").exit_code == 0
    assert cxkit("dead", "replay", "--yes").returncode == 1, "what is pending counts"
    assert "9 dead letters" in run("list").output


# --- asking ---


@pytest.mark.parametrize("verb", ["replay", "purge"])
@pytest.mark.parametrize(("answer", "done"), [("y", True), ("n", False)])
def test_at_a_keyboard_it_asks(backend: Backend, verb: str, answer: str, done: bool) -> None:
    letter()
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, f"{answer}\n".encode())
        ended = subprocess.run(
            command("dead", verb),
            stdin=terminal,
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
            timeout=PATIENCE_S,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert "[y/N]" in ended.stdout
    assert ended.returncode == (0 if done else 1)
    assert json.loads(run("list", "--json").output)["letters"] == [] if done else "1 dead letter" in run("list").output


@pytest.mark.parametrize("verb", ["replay", "purge"])
def test_without_a_keyboard_nothing_is_done(backend: Backend, verb: str) -> None:
    letter()
    for form in ([], ["--json"]):
        result = cxkit("dead", verb, *form)
        assert (result.returncode, "--yes does it" in result.stderr) == (1, True)
    assert cxkit("dead", verb, "--dry-run").returncode == 0
    assert "1 dead letter\n" in run("list").output


def test_where_there_is_nothing_nothing_is_asked(backend: Backend) -> None:
    for verb in ("list", "replay", "purge", "export"):
        assert run(verb).exit_code == 0
    assert run("show").exit_code == 1
    assert not (ROOT / "dead").exists()


# --- removing ---


def test_removed_they_are_counted_as_such(backend: Backend, start: Start) -> None:
    refused(start)
    done = run("purge", "--yes")
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "out: 3 letters removed")
    account = read_account(ROOT)
    assert (account.exporters["out"].dead, account.exporters["out"].unkept) == (3, {"purged": 3})
    assert "out: 3 more are counted and cannot be read: purged 3" in run("list").output
    assert "dead 3   dropped 0   of the dead, no longer kept (purged 3)" in cxkit("stats").stdout
    assert not list((ROOT / "dead").glob("*.dead"))


def test_only_what_is_old_is_removed(backend: Backend) -> None:
    letter(1, at="2020-01-01T00:00:00Z")
    letter(2, at="2999-01-01T00:00:00Z")
    letter(3, at="no time at all")
    assert "out: 1 letter removed" in run("purge", "--older-than", "30d", "--yes").output
    assert "2 dead letters" in run("list").output
    for wrong in ("30", "3y", "-3d", "d", "9999999d"):
        assert run("purge", "--older-than", wrong, "--yes").exit_code == 2
    assert "2 dead letters" in run("list").output


# --- looking ---


def test_they_are_counted_by_exporter_and_reason(backend: Backend) -> None:
    for number, (exporter, reason) in enumerate(
        [("out", "http_400"), ("out", "http_400"), ("out", "Nancy is not\x1b[31m known here"), ("gone", "http_422")]
    ):
        letter(number, exporter=exporter, reason=reason, at=f"2026-11-21T10:3{number}:00Z")
    lines = [re.split(r"  +", line) for line in run("list").output.splitlines()]
    assert [line[:3] for line in lines[1:]] == [
        ["gone", "http_422", "1"],
        ["out", "http_400", "2"],
        ["out", "other", "1"],
        ["4 dead letters"],
    ]
    told = json.loads(run("list", "--json", "--exporter", "out").output)
    (alike, _) = told["letters"]
    assert (alike["number"], alike["oldest"], alike["newest"]) == (2, "2026-11-21T10:30:00Z", "2026-11-21T10:31:00Z")
    assert list(told["exporters"]) == ["out"]
    assert told["exporters"]["out"]["bytes"] == (ROOT / "dead" / "out-token.dead").stat().st_size


def test_what_there_is_no_room_for_is_counted_and_told_everywhere(backend: Backend, start: Start) -> None:
    """F5, P19: the text is gone, never the number."""
    (ROOT / "dead").mkdir(mode=0o700, parents=True)
    ROOT.chmod(0o700)
    with (ROOT / "dead" / "out-earlier.dead").open("wb") as file:
        file.truncate(QUOTA_BYTES)
    (ROOT / "dead" / "out-earlier.dead").chmod(0o600)
    refused(start)
    account = read_account(ROOT)
    assert account.exporters["out"].unkept == {"no_room": 3}
    listed = run("list").output
    assert "0 dead letters\n" in listed
    assert "out: 3 more are counted and cannot be read: no_room 3" in listed
    assert "out: its letters take 64 of 64 MiB" in listed
    told = json.loads(run("list", "--json").output)
    assert (told["unkept"], told["exporters"]["out"]["near"]) == ({"out": {"no_room": 3}}, True)
    assert "exporter out: 3 dead letters could not be kept (no_room 3)" in cxkit("doctor").stdout
    assert "of the dead, no longer kept (no_room 3)" in cxkit("stats").stdout


def test_what_is_damaged_is_counted_and_never_hidden(backend: Backend) -> None:
    for number in range(3):
        letter(number)
    path = ROOT / "dead" / "out-token.dead"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert run("list").output.splitlines()[-2:] == [
        "2 dead letters",
        "out: 1 place in its files is damaged, where letters may have been",
    ]
    assert "1 place in the files of its dead letters is damaged" in cxkit("doctor").stdout
    assert run("replay", "--yes").exit_code == 0
    assert json.loads(run("list", "--json").output)["exporters"]["out"]["damaged"] == 1
    assert "out: 1 damaged place removed" in run("purge", "--yes").output
    assert run("list").output.splitlines() == ["0 dead letters"]


def test_a_letter_is_shown_as_people_read_it(backend: Backend, start: Start) -> None:
    refused(start, 2)
    result = run("show", "-n", "1")
    head, id, what, *rest = result.output.splitlines()
    assert head.endswith("  refused by out: http_400")
    assert what.split()[-2:] == ["-", "gift_card.bought"]
    assert rest[-1] == "    worth = 1"
    assert run("show", id.strip()).output == result.output
    (told,) = json.loads(run("show", id.strip()[:-1], "-n", "1", "--json").output)
    assert told["interaction"]["id"][:-1] == id.strip()[:-1]
    missing = run("show", "ffffffff")
    assert (missing.exit_code, "there is no such dead letter" in missing.output) == (1, True)


def test_what_is_hidden_today_is_not_shown_however_it_was_captured(backend: Backend) -> None:
    """S10: a rule added later, and the words of the other side."""
    with Path("cxkit.toml").open("a") as file:
        file.write('\n[redact]\nextra = ["maiden name"]\n')
    letter(
        maiden_name="almonds-1",
        password="almonds-2",
        deep=[{"api_key": "almonds-3"}],
        url="https://me:almonds-4@shop.example/?token=almonds-5",
        reason="https://me:almonds-6@shop.example/",
    )
    for form in ([], ["--json"]):
        shown = run("show", *form).output
        assert "shop.example" in shown
        assert "almonds" not in shown
    assert "almonds" not in run("list").output + run("list", "--json").output + cxkit("doctor").stdout


def test_they_are_handed_on_as_they_were_captured(backend: Backend, start: Start, tmp_path: Path) -> None:
    refused(start)
    lines = [json.loads(line) for line in run("export").output.splitlines()]
    assert [sorted(one) for one in lines] == [["at", "exporter", "interaction", "reason"]] * 3
    assert {one["interaction"]["type"] for one in lines} == {"io.cxkit.gift_card.bought"}
    target = tmp_path / "letters.jsonl"
    written = run("export", "-o", str(target))
    assert written.output == f"3 letters written to {target}\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [json.loads(line) for line in target.read_text().splitlines()] == lines
    again = cxkit("dead", "export", "-o", str(target))
    assert (again.returncode, "there is one of this name already" in again.stderr) == (1, True)
    assert "3 dead letters" in run("list").output


# --- a directory that is not as it should be ---


@pytest.mark.parametrize("verb", ["list", "show", "export", "replay", "purge"])
@pytest.mark.parametrize("wrong", ["link", "open"])
def test_a_directory_that_others_may_write_to_is_not_even_read(backend: Backend, verb: str, wrong: str) -> None:
    """S14: what is planted there would be shown as captured, or delivered."""
    letter()
    if wrong == "link":
        (ROOT / "dead").rename("planted")
        (ROOT / "dead").symlink_to(Path("planted").absolute())
    else:
        (ROOT / "dead").chmod(0o777)
    done = cxkit("dead", verb, *(["--yes"] if verb in ("replay", "purge") else []))
    assert done.returncode == 1
    assert "it is a link, or others may write to it" in done.stderr
    assert not (ROOT / "spool").exists()
    assert cxkit("doctor").returncode == 1


def test_what_is_no_file_of_letters_is_told_and_left_alone(backend: Backend) -> None:
    letter()
    os.mkfifo(ROOT / "dead" / "out-pipe.dead")
    (ROOT / "dead" / "out-link.dead").symlink_to("/etc/hosts")
    told = run("list").output
    assert "1 dead letter\n" in told
    assert told.count("passed over, for it is no file of letters of this user") == 2
    assert run("purge", "--yes").exit_code == 0
    assert sorted(path.name for path in (ROOT / "dead").glob("*.dead")) == ["out-link.dead", "out-pipe.dead"]


# --- what somebody was interrupted in ---


def test_what_was_interrupted_is_told_and_put_right_by_the_next(backend: Backend) -> None:
    letter(1)
    begun = ROOT / "dead" / ".0123456789abcdef.begun"
    (begun / "taken").mkdir(parents=True)
    (ROOT / "dead" / "out-token.dead").rename(begun / "taken" / "out-token.dead")
    letter(2)
    assert run("list").output.splitlines()[-2:] == [
        "2 dead letters",
        "somebody is taking letters away, or was interrupted in it; the next to do so puts that right",
    ]
    assert "note     somebody is taking dead letters away" in cxkit("doctor").stdout
    assert "out: 2 letters given back" in run("replay", "--yes").output
    assert json.loads(run("list", "--json").output)["unfinished"] == 0
    assert not list((ROOT / "dead").glob(".*.*"))
