"""``cxkit email classify``: files, a Maildir and a mailbox as mail servers leave them."""

from __future__ import annotations

import json
import mailbox
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.keyring import Keyring
from cxkit.settings import load
from cxkit_email import Prepared, prepare_html
from cxkit_email.commands import email
from cxkit_email.commands.inbox import Held, held
from cxkit_email.commands.words import limit_word, why_word
from cxkit_email.tokens import bounce_token

SIGNING, IDENTIFIER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
KEYS = f'[keys]\nsigning = ["{SIGNING}"]\nidentifier = "{IDENTIFIER}"\n'
SEND = "0198b2a67f3e7c1d8000aabbccddeeff"
TOKEN = bounce_token(Keyring(signing=[SIGNING.encode()], identifier=IDENTIFIER.encode()), SEND)
OURS = f"bounce+{TOKEN}@bounces.shop.example"
NANCY = "nancy@example.com"


def dsn(
    *, to: str = OURS, status: str = "5.1.1", said: str = "550 5.1.1 No such user", action: str = "failed"
) -> bytes:
    return f"""From: Mail Delivery System <MAILER-DAEMON@mx.example>
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 23 Nov 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {NANCY}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said} {NANCY}

--b--
""".encode()


AWAY = b"From: nancy@example.com\nAuto-Submitted: auto-replied\nSubject: Away\n\nBack on Monday.\n"
REPLY = b"From: nancy@example.com\nSubject: Almonds\n\nWhere are they?\n"
FULL = dsn(status="5.2.2", said="552 5.2.2 Mailbox full")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [one for one in os.environ if one.startswith("CXKIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cxkit.toml").write_text(KEYS, "utf-8")
    return tmp_path


def run(*arguments: str, exits: int = 0) -> Result:
    told = CliRunner().invoke(email, ["classify", *arguments])
    assert told.exit_code == exits, (told.output, told.exception)
    return told


def answer(*arguments: str, exits: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", exits=exits).stdout)


@pytest.fixture
def maildir(folder: Path) -> Path:
    """50 mails: 20 with nobody there, 10 with a full mailbox, 15 from programs, 5 from people, one of these opened."""
    box = mailbox.Maildir(folder / "Maildir")
    for number in range(50):
        raw = dsn() if number < 20 else FULL if number < 30 else AWAY if number < 45 else REPLY
        key = box.add(raw.replace(b"Subject:", b"Message-ID: <%d@mx.example>\nSubject:" % number))
        if number % 2:
            message = box[key]
            message.set_subdir("cur")
            box[key] = message
    return folder / "Maildir"


def test_a_bounce_is_explained(folder: Path) -> None:
    (folder / "bounce.eml").write_bytes(dsn())
    assert run("bounce.eml").stdout == (
        "kind: bounce\n"
        "  a token of ours verifies, in its recipient's address\n"
        "  it is a report of delivery, in the form for programs (RFC 3464)\n"
        "  it says what became of the mail: failed\n"
        f"message: {SEND}\n"
        "when: 2026-11-23T10:00:00+00:00\n"
        "recipients: 1\n"
        "  bounced, hard, user_unknown, 5.1.1, 550\n"
        "\n"
        "nothing was changed: --report hands it to the application's state\n"
    )


def test_programs_are_told_the_same(folder: Path) -> None:
    (folder / "bounce.eml").write_bytes(dsn())
    assert answer("bounce.eml") == {
        "mails": [
            {
                "file": "bounce.eml",
                "number": None,
                "kind": "bounce",
                "why": ["ours_envelope", "dsn", "dsn_failed"],
                "limits": [],
                "reports": [
                    {
                        "happened": "bounced",
                        "message": SEND,
                        "at": "2026-11-23T10:00:00Z",
                        "recipient_told": True,
                        "reason": "user_unknown",
                        "bounce": {"class": "hard", "reason": "user_unknown", "status": "5.1.1", "smtp": 550},
                    }
                ],
            }
        ],
        "counts": {
            "mails": 1,
            "ours": 1,
            "cut": 0,
            "unreadable": 0,
            "kinds": {"bounce": 1},
            "bounces": [{"class": "hard", "reason": "user_unknown", "number": 1}],
        },
    }


def test_several_files_are_explained_and_counted(folder: Path) -> None:
    (folder / "one.eml").write_bytes(AWAY)
    (folder / "other.eml").write_bytes(REPLY)
    told = run("one.eml", "other.eml").stdout
    assert "one.eml:\nkind: autoreply\n  the header Auto-Submitted says that a program wrote it (RFC 3834)\n" in told
    assert "other.eml:\nkind: reply\n" in told
    assert "autoreply       1\nreply           1\n" in told
    assert "2 mails, 0 of them with a token of ours\n" in told


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_neither_addresses_nor_what_was_written_are_told(folder: Path, option: tuple[str, ...]) -> None:
    (folder / "one.eml").write_bytes(dsn())
    (folder / "other.eml").write_bytes(REPLY)
    arf = REPLY.replace(b"\n\n", b"\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: "
                        b"message/feedback-report\n\nFeedback-Type: nancy@example.com\n\n--b\n")  # fmt: skip
    (folder / "third.eml").write_bytes(arf)
    told = run("one.eml", "other.eml", "third.eml", *option).output
    for secret in ("@", "nancy", "Where are they", TOKEN):
        assert secret not in told


def test_a_maildir_is_counted(maildir: Path) -> None:
    assert run("Maildir").stdout == (
        "kind       number\n"
        "bounce         30\n"
        "autoreply      15\n"
        "reply           5\n"
        "\n"
        "bounce  reason        recipients\n"
        "hard    user_unknown          20\n"
        "soft    mailbox_full          10\n"
        "\n"
        "50 mails, 30 of them with a token of ours\n"
        "nothing was changed: --report hands it to the application's state\n"
    )
    assert len(answer("Maildir")["mails"]) == 50


def test_what_is_not_in_a_maildir_yet_and_what_a_server_keeps_there_is_no_mail(maildir: Path) -> None:
    (maildir / "tmp" / "1").write_bytes(REPLY)
    (maildir / "dovecot.index").write_bytes(b"\0")
    box = mailbox.Maildir(maildir).add_folder("Later")
    box.add(AWAY)
    assert answer("Maildir")["counts"]["mails"] == 51


def test_a_folder_of_mails_is_counted_with_what_is_below_it(folder: Path) -> None:
    (folder / "mails" / "more").mkdir(parents=True)
    (folder / "mails" / "a.eml").write_bytes(dsn())
    (folder / "mails" / "more" / "b.eml").write_bytes(AWAY)
    (folder / "mails" / ".hidden").write_bytes(REPLY)
    (folder / "mails" / "round").symlink_to(folder / "mails")
    assert answer("mails")["counts"]["kinds"] == {"bounce": 1, "autoreply": 1}


def test_a_mailbox_is_counted(folder: Path) -> None:
    box = mailbox.mbox(folder / "inbox.mbox")
    for raw in (dsn(), AWAY, REPLY + b"\nFrom here on all is well.\n", FULL):
        box.add(raw)
    box.close()
    found = answer("inbox.mbox")
    assert [(one["number"], one["kind"]) for one in found["mails"]] == [
        (1, "bounce"), (2, "autoreply"), (3, "reply"), (4, "bounce"),
    ]  # fmt: skip
    assert found["counts"]["ours"] == 2
    assert "kind" in run("inbox.mbox").stdout


def test_a_mailbox_is_read_as_the_standard_library_writes_it(folder: Path) -> None:
    path = folder / "inbox.mbox"
    box = mailbox.mbox(path)
    raws = [dsn(), AWAY, REPLY]
    for raw in raws:
        box.add(raw)
    box.close()
    assert [one.raw.strip() for one in held(path) if isinstance(one, Held)] == [raw.strip() for raw in raws]


@given(raw=st.lists(st.sampled_from([b"From ", b"\n", b"\r\n", b"x", b"a: b\n"]), max_size=30).map(b"".join))
def test_all_octets_of_a_mailbox_are_told_as_done(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("box") / "mbox"
    path.write_bytes(b"From a\n" + raw)
    done: list[int] = []
    assert all(isinstance(one, Held) for one in held(path, done.append))
    assert sum(done) == len(raw) + 7


def test_a_mailbox_is_never_held_whole(folder: Path) -> None:
    one = b"From mx Mon Nov 23 10:00:00 2026\nFrom: a@b.example\nSubject: s\n\n" + b"0123456789abcde\n" * 1_000 + b"\n"
    with (folder / "large.mbox").open("wb") as file:
        for _ in range(1_000):
            file.write(one)
    tracemalloc.start()
    try:
        assert sum(1 for _ in held(folder / "large.mbox")) == 1_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_how_far_it_is_is_told_where_somebody_looks(maildir: Path) -> None:
    ours, theirs = os.openpty()
    try:
        told = subprocess.run(
            [sys.executable, "-c", "from cxkit.cli import main; main()", "email", "classify", "Maildir"],
            stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "LANGUAGE": "en"}, timeout=60, check=True,
        ).stdout  # fmt: skip
        bar = os.read(ours, 65_536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"Reading" in bar
    assert b"100%" in bar
    assert told.startswith(b"kind       number\n")


# --- with consequences ---


def test_only_if_asked_for_it_is_handed_on(folder: Path) -> None:
    (folder / "cxkit.toml").write_text(KEYS + '[topics.news.defaults]\nemail = "granted"\n', "utf-8")
    kit = cxkit.Kit(load())
    prepared = prepare_html(None, NANCY, topic="news", kit=kit)
    assert isinstance(prepared, Prepared.__mro__[1])
    (folder / "bounce.eml").write_bytes(dsn(to=f"bounce+{prepared.headers['X-CX-Send']}@bounces.shop.example"))
    try:
        run("bounce.eml")
        assert may_send(kit) == "Clear"
        assert "handed to the application" in run("bounce.eml", "--report").stdout
        assert may_send(kit) == "Blocked"
        run("bounce.eml", "--report")  # once more
    finally:
        kit.close(timeout_s=30)


def may_send(kit: cxkit.Kit) -> str:
    with cxkit.scope(kit=kit):
        return type(cxkit.may_send("news", "email", email=NANCY)).__name__


def test_a_forged_bounce_has_no_consequences(folder: Path) -> None:
    (folder / "cxkit.toml").write_text(KEYS + '[topics.news.defaults]\nemail = "granted"\n', "utf-8")
    (folder / "bounce.eml").write_bytes(dsn(to="bounce+" + "a" * 53 + "@bounces.shop.example"))
    assert "no token of ours says which" in run("bounce.eml", "--report").stdout
    kit = cxkit.Kit(load())
    try:
        assert may_send(kit) == "Clear"
    finally:
        kit.close(timeout_s=30)


def test_looking_makes_nothing(folder: Path) -> None:
    (folder / "a.eml").write_bytes(dsn())
    run("a.eml")
    (folder / "cxkit.toml").unlink()
    assert "there are no keys here" in run("a.eml").stdout
    assert [one.name for one in folder.iterdir()] == ["a.eml"]


# --- what is hostile ---


def nested(levels: int) -> bytes:
    return b"From: a@b.example\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (one, one) for one in range(levels)
    )


def test_hostile_mails_are_told_and_counted(folder: Path) -> None:
    (folder / "mails").mkdir()
    for name, raw in {
        "large": b"Subject: a\n\n" + b"a" * 10_000_000,
        "binary": os.urandom(10_000_000),
        "nested": nested(1_000),
        "empty": b"",
    }.items():
        (folder / "mails" / name).write_bytes(raw)
    counts = answer("mails")["counts"]
    assert (counts["mails"], counts["unreadable"]) == (4, 0)
    assert counts["cut"] >= 3
    assert "not read to its end: its parts are nested too deeply" in run("mails/nested").stdout


def test_a_name_does_not_steer_the_terminal(folder: Path) -> None:
    (folder / "\x1b[31m.eml").write_bytes(REPLY)
    told = run("\x1b[31m.eml", "\x1b[31m.eml").stdout
    assert all(one.isprintable() for one in told.splitlines())


# --- files ---


def test_what_is_not_there_is_told(folder: Path) -> None:
    told = CliRunner().invoke(email, ["classify", "none"])
    assert isinstance(told.exception, FileNotFoundError)  # which the command line tells in a line


def test_a_folder_without_mails_is_told(folder: Path) -> None:
    (folder / "mails").mkdir()
    assert "there is no mail" in run("mails", exits=1).output
    assert answer("mails", exits=1) == {
        "mails": [],
        "counts": {"mails": 0, "ours": 0, "cut": 0, "unreadable": 0, "kinds": {}, "bounces": []},
    }


def test_nothing_to_look_at_is_a_wrong_call(folder: Path) -> None:
    assert "Missing argument" in run(exits=2).output


def test_a_file_in_a_folder_that_goes_meanwhile_is_passed_over(folder: Path) -> None:
    (folder / "mails").mkdir()
    for name in ("a", "b", "c"):
        (folder / "mails" / name).write_bytes(AWAY)
    names = []
    for one in held(folder / "mails"):
        assert isinstance(one, Held)
        names.append(one.path.name)
        (folder / "mails" / "b").unlink(missing_ok=True)
    assert names == ["a", "c"]


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="there is no file that nobody can read")
def test_a_file_in_a_folder_that_cannot_be_read_is_told_and_counted(folder: Path) -> None:
    (folder / "mails").mkdir()
    (folder / "mails" / "a").write_bytes(AWAY)
    for number in range(21):
        (folder / "mails" / f"b{number:02}").symlink_to("/proc/self/mem")
    told = run("mails", exits=1)
    assert "mails/b00: could not be read (Input/output error)" in told.stderr
    assert "mails/b20" not in told.stderr
    assert "and 1 more" in told.stderr
    assert "1 mail, " in told.stdout
    assert answer("mails", exits=1)["counts"]["unreadable"] == 21


@pytest.mark.skipif(os.geteuid() == 0, reason="who may everything is not refused")
def test_a_file_that_one_may_not_read_is_told(folder: Path) -> None:
    (folder / "a.eml").write_bytes(AWAY)
    (folder / "a.eml").chmod(0)
    assert isinstance(CliRunner().invoke(email, ["classify", "a.eml"]).exception, PermissionError)


# --- words ---


def test_every_step_has_its_words() -> None:
    steps = (
        "arf", "dsn", "mdn_displayed", "notice", "no_recipient", "from_server", "subject_unsubscribe",
        "auto_submitted", "x_autoreply", "precedence", "subject", "answer", "message", "empty",
        "arf_abuse", "dsn_failed", "ours_envelope", "ours_returned", "ours_subject", "ours_thread",
    )  # fmt: skip
    assert [one for one in steps if why_word(one) == one] == []
    limits = ("bytes", "headers", "depth", "parts", "lines", "recipients")
    assert [one for one in limits if limit_word(one) == one] == []
