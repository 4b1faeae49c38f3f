"""``cxkit email check``: files as they are, in the directory of a shop that sends mails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

import cxkit
from cxkit.model import Bounce, Report
from cxkit.settings import load
from cxkit.testing import RecordingExporter
from cxkit_email import Prepared, prepare
from cxkit_email.commands import email
from cxkit_email.commands.mail import outgoing
from cxkit_email.dkim import dkim_headers
from cxkit_email.wire import wire
from cxkit_starlette import CXMiddleware

NANCY = "nancy@example.com"
SECRET = "0f2d6d5ac2f84a5b9d10" * 2
CONFIGURATION = """
[keys]
signing = ["0123456789abcdef0123456789abcdef"]
identifier = "fedcba9876543210fedcba9876543210"

[email]
url = "https://shop.example/cx"
bounces = "bounces.shop.example"
unsubscribe = "leave@shop.example"
opens = "individual"

[topics.news.defaults]
email = "granted"

[topics.receipt]
kind = "transactional"
"""
HTML = f"""<body>
<a href="https://shop.example/almonds?mail=nancy@example.com">Almonds</a>
<a href="https://shop.example/reset/{SECRET}" data-cx-direct>Password</a>
<a href="mailto:us@shop.example">Write</a> <a href="#top">Up</a> <a href="/about">About</a>
<a href="https://shop.example/bye" rel="unsubscribe">Leave</a> <a href="https://{{{{ host }}}}/">Later</a>
<a href="https://{"[broken"}/">Broken</a>
</body>"""


class Shop:
    """A directory in which mails are prepared, and looked at afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def configured(self, text: str = CONFIGURATION) -> Shop:
        (self.folder / "cxkit.toml").write_text(text, "utf-8")
        return self

    def prepared(
        self, *purposes: str, topic: str = "news", then: Callable[[cxkit.Kit, Prepared], object] | None = None
    ) -> Prepared:
        kit = cxkit.Kit(load(), exporters={"recorder": RecordingExporter(purposes=frozenset({"necessary"}))})
        try:
            if purposes:
                with cxkit.scope(kit=kit, email=NANCY, evidence="login"):
                    cxkit.grant(*purposes)
            assert kit.flush(timeout_s=30).complete
            answer = prepare(mail(), NANCY, topic=topic, campaign="spring", kit=kit)
            assert isinstance(answer, Prepared), answer
            answer.sent()
            if then is not None:
                then(kit, answer)
            assert kit.flush(timeout_s=30).complete
        finally:
            kit.close(timeout_s=30)
        return answer

    def check(self, raw: bytes, *options: str, exits: int = 0) -> str:
        (self.folder / "mail.eml").write_bytes(raw)
        told = run("check", "mail.eml", *options)
        assert (told.exit_code, told.exception is None or told.exit_code == 1) == (exits, True), told.output
        return told.output

    def answer(self, raw: bytes, *, exits: int = 0) -> Any:
        return json.loads(self.check(raw, "--json", exits=exits))

    def found(self, raw: bytes, *, exits: int = 0) -> set[tuple[str, str]]:
        """Severity and subject of what is found."""
        return {(one["severity"], one["about"]) for one in self.answer(raw, exits=exits)["findings"]}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(email, arguments)


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Candy Haven <us@shop.example>"
    message["To"] = f"Nancy <{NANCY}>"
    message["Subject"] = "Almonds"
    message.set_content("Hello")
    message.add_alternative(HTML, subtype="html")
    return message


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    for name in [one for one in os.environ if one.startswith("CXKIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path).configured()


@pytest.fixture(scope="module")
def key() -> bytes:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def files(folder: Path) -> Mapping[str, bytes]:
    """What is kept, without what a database makes for whoever reads it."""
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and not one.name.endswith(("-wal", "-shm", ".eml"))
    }


# --- what is sound ---


def test_a_prepared_mail_is_explained(shop: Shop) -> None:
    prepared = shop.prepared("analytics", "message_open")
    answer = shop.answer(wire(prepared.message))
    assert answer["message"] | {"happened": 0} == {
        "id": prepared.id, "topic": "news", "campaign": "spring", "transactional": False, "state": "sent",
        "contradictory": False, "happened": 0, "bounce": None, "hits": [],
    }  # fmt: skip
    assert answer["leaving"] == {"https": True, "http": False, "mailto": True, "one_click": True}
    assert {(one["where"], one["verified"], one["message"]) for one in answer["tokens"]} == {
        (where, True, prepared.id)
        for where in ("X-CX-Send", "List-Unsubscribe", "List-Unsubscribe mailto", "link", "pixel")
    }
    assert [(one["to"], one["followed"], one["why"]) for one in answer["links"]] == [
        ("honeypot", True, None),
        ("shop.example/almonds", True, None),
        ("shop.example/reset/...", False, "direct"),
        ("mailto:", False, "not_web"),
        ("#", False, "fragment"),
        ("/about", False, "relative"),
        ("shop.example/bye", False, "unsubscribe"),
        ("{{ host }}/", False, "template"),
        ("...", True, None),
    ]
    assert answer["faults"] == []
    assert [one["severity"] for one in answer["findings"]] == ["note"]


def test_it_tells_people_the_same(shop: Shop) -> None:
    prepared = shop.prepared("analytics", "message_open")
    told = shop.check(wire(prepared.message))
    for line in (
        rf"message: {prepared.id}, prepared \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d",
        "topic: news", "campaign: spring", "state: sent", r"happened: sent \d{4}.*",
        "leaving: with one click, by a mail",
        rf"X-CX-Send +1  yes, of {prepared.id}",
        "0  shop.example/almonds +yes",
        "-  mailto: +no: it is not of the web",
        "note +it is not signed: .*",
        "0 errors, 0 warnings, 1 note",
    ):  # fmt: skip
        assert re.search(rf"^{line}$", told, re.MULTILINE), (line, told)


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_neither_addresses_nor_tokens_nor_queries_are_told(shop: Shop, option: tuple[str, ...]) -> None:
    prepared = shop.prepared("analytics", "message_open")
    told = shop.check(b"Return-Path: <%b>\r\n%b" % ((prepared.sender or "").encode(), wire(prepared.message)), *option)
    assert "@" not in told
    for secret in ("nancy", "us@", "leave@", SECRET, "mail=", prepared.headers["X-CX-Send"]):
        assert secret not in told
    assert re.search(r"[A-Za-z0-9_-]{53,}", told) is None


def test_it_changes_nothing(shop: Shop) -> None:
    raw = wire(shop.prepared("analytics").message)
    before = files(shop.folder)
    shop.check(raw)
    assert files(shop.folder) == before


def test_a_link_that_could_be_followed_and_is_not(shop: Shop) -> None:
    answer = shop.answer(wire(shop.prepared().message))
    assert [one["why"] for one in answer["links"] if one["to"] == "shop.example/almonds"] == ["unknown"]
    assert "a mail does not tell" in json.dumps(answer["findings"])


def test_what_is_transactional_needs_no_way_out(shop: Shop) -> None:
    answer = shop.answer(wire(shop.prepared("analytics", topic="receipt").message))
    assert answer["message"]["transactional"]
    assert {one["about"] for one in answer["findings"]} == {"dkim"}


def test_what_became_of_it_is_told(shop: Shop) -> None:
    def follow(kit: cxkit.Kit, prepared: Prepared) -> None:
        app = Starlette()
        app.add_middleware(CXMiddleware, kit=kit)
        html = next(one for one in prepared.message.walk() if one.get_content_type() == "text/html").get_content()
        path = re.findall(r"https://shop.example(/cx/c/[\w-]{55})", html)[1]
        client = TestClient(app, base_url="https://shop.example", follow_redirects=False)
        assert client.get(path, headers={"user-agent": "curl/8"}).status_code == 302
        bounce = Bounce(reason="user_unknown", status="5.1.1", smtp=550, diagnostic=f"no {NANCY} here")
        kit.messages.reported(Report(happened="bounced", send=prepared.id, bounce=bounce), channel="email")
        kit.messages.reported(Report(happened="delivered", send=prepared.id), channel="email")

    raw = wire(shop.prepared("analytics", then=follow).message)
    message = shop.answer(raw)["message"]
    assert (message["state"], message["contradictory"]) == ("bounced", True)
    assert set(message["happened"]) == {"sent", "bounced", "delivered", "clicked"}
    assert message["bounce"] == {"kind": "hard", "reason": "user_unknown", "status": "5.1.1", "smtp": 550}
    assert [(one["kind"], one["link"], one["by"], one["reasons"][0]) for one in message["hits"]] == [
        ("click", 0, "machine", "bot_ua")
    ]
    assert ("warning", "message") in shop.found(raw)
    told = shop.check(raw)
    assert "bounce: hard, user_unknown, 5.1.1, 550" in told
    assert re.search(r"click +0  machine +bot_ua", told)
    assert "nancy" not in told


# --- what is wrong ---


def test_an_altered_token_is_found(shop: Shop) -> None:
    prepared = shop.prepared("analytics")
    raw = wire(prepared.message).replace(b"/cx/c/AQ", b"/cx/c/AR")
    assert ("error", "tokens") in shop.found(raw, exits=1)


def test_other_keys_are_found(shop: Shop) -> None:
    raw = wire(shop.prepared("analytics").message)
    shop.configured(CONFIGURATION.replace("0123456789abcdef", "another_secret__"))
    answer = shop.answer(raw, exits=1)
    assert answer["message"] is None
    assert not any(one["verified"] for one in answer["tokens"])


def test_one_mail_for_two_recipients_is_found(shop: Shop) -> None:
    one, other = shop.prepared("analytics"), shop.prepared("analytics")
    raw = wire(one.message).replace(one.headers["X-CX-Send"].encode(), other.headers["X-CX-Send"].encode(), 1)
    assert ("error", "tokens") in shop.found(raw, exits=1)


def test_links_whose_mailing_is_lost_are_found(shop: Shop) -> None:
    raw = wire(shop.prepared("analytics").message)
    for one in shop.folder.glob(".cxkit/state.db*"):
        one.unlink()
    shop.prepared()
    found = shop.found(raw, exits=1)
    assert {("error", "links"), ("warning", "message")} <= found


@pytest.mark.parametrize(
    ("before", "after", "about"),
    [
        (rb"List-Unsubscribe: [^\r]+\r\n(?: [^\r]+\r\n)*", b"", "wire"),
        (rb"List-Unsubscribe(?:-Post)?: [^\r]+\r\n(?: [^\r]+\r\n)*", b"", "leaving"),
        (rb"List-Unsubscribe-Post: [^\r]+\r\n", b"", "leaving"),
        (rb"<https://", b"<http://", "leaving"),
        (rb"List-Unsubscribe: <", b"List-Unsubscribe: =?utf-8?q?=3C?= <", "wire"),
        (rb"Subject: ", b"Subject: \xe9", "wire"),
        (rb"Subject: Almonds", b"Subject: Almonds\r\nSubject: Nuts", "wire"),
        (rb"Subject: Almonds\r\n", b"Subject: Almonds\n", "wire"),
    ],
)
def test_what_is_wrong_with_the_headers_is_found(shop: Shop, before: bytes, after: bytes, about: str) -> None:
    raw, changed = re.subn(before, after, wire(shop.prepared("analytics").message))
    assert changed
    assert ("error", about) in shop.found(raw, exits=1)


@pytest.mark.parametrize(
    ("included", "more", "found"),
    [
        (dkim_headers(), {}, set()),
        ((b"from", b"subject"), {}, {("error", "dkim")}),
        (dkim_headers(), {"length": True}, {("warning", "dkim")}),
    ],
)
def test_what_signatures_leave_out_is_found(
    shop: Shop, key: bytes, included: tuple[bytes, ...], more: dict[str, Any], found: set[tuple[str, str]]
) -> None:
    raw = wire(shop.prepared("analytics").message)
    signed = dkim.sign(raw, b"a", b"shop.example", key, include_headers=list(included), **more) + raw
    exits = int(("error", "dkim") in found)
    assert {one for one in shop.found(signed, exits=exits) if one[1] == "dkim"} == found
    told = shop.check(signed, exits=exits)
    assert "signed: shop.example (a), " in told


# --- elsewhere ---


def test_a_mail_of_somebody_else(shop: Shop) -> None:
    shop.prepared()
    leaving = b"List-Unsubscribe: <https://b.example/u/%b>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    answer = shop.answer(b"From: a@b.example\r\n" + leaving % (b"a" * 55) + b"\r\nHi")
    assert answer["message"] is None
    assert answer["tokens"] == []
    assert {one["severity"] for one in answer["findings"]} == {"note", "warning"}


def test_where_nothing_was_ever_sent_nothing_is_made(shop: Shop) -> None:
    (shop.folder / "cxkit.toml").unlink()
    assert ("warning", "tokens") in shop.found(wire(mail()))
    assert sorted(one.name for one in shop.folder.iterdir()) == ["mail.eml"]


def test_with_keys_and_no_store_nothing_is_made_either(shop: Shop) -> None:
    assert ("note", "message") in shop.found(wire(mail()))
    assert sorted(one.name for one in shop.folder.iterdir()) == ["cxkit.toml", "mail.eml"]


def test_a_broken_store_costs_what_it_knows(shop: Shop) -> None:
    raw = wire(shop.prepared("analytics").message)
    for one in shop.folder.glob(".cxkit/state.db*"):
        one.unlink()
    (shop.folder / ".cxkit" / "state.db").write_bytes(b"no database" * 1_000)
    before = files(shop.folder)
    answer = shop.answer(raw)
    assert files(shop.folder) == before
    assert all(one["verified"] for one in answer["tokens"])
    assert [one["about"] for one in answer["findings"] if one["severity"] == "warning"] == ["message"]


# --- what is hostile ---


def nested(levels: int) -> bytes:
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (one, one) for one in range(levels)
    )
    return b"From: a@b.example\r\n" + opened + b"\r\nHello"


@pytest.mark.parametrize("raw", [nested(1_000), nested(20_000), b"", b"\r\n", b"\0" * 100], ids=len)
def test_broken_files_are_explained(shop: Shop, raw: bytes) -> None:
    answer = shop.answer(raw, exits=int(b"\0" in raw or len(raw) > 1_000))
    assert answer["links"] == []


def test_a_large_binary_file_is_explained(shop: Shop) -> None:
    answer = shop.answer(os.urandom(10_000_000), exits=1)
    assert answer["faults"]


def test_a_mail_with_many_links_is_explained(shop: Shop) -> None:
    message = EmailMessage()
    message.set_content("<a href=x://y>z</a>" * 100_000, subtype="html")
    answer = shop.answer(wire(message))
    assert len(answer["links"]) == 10_000
    assert ("note", "links") in {(one["severity"], one["about"]) for one in answer["findings"]}


def test_a_file_larger_than_any_mail_is_refused(shop: Shop) -> None:
    with (shop.folder / "large.eml").open("wb") as file:
        file.truncate((64 << 20) + 1)
    told = run("check", "large.eml")
    assert (told.exit_code, "larger than any mail" in told.output) == (1, True)


def test_what_a_mail_says_does_not_steer_the_terminal(shop: Shop) -> None:
    raw = b"DKIM-Signature: v=1; a=x; b=x; bh=x; d=\x1b[31m; s=\x1b]0x\x07; h=from\r\nFrom: a@b\r\n\r\n"
    told = shop.check(raw)
    assert "signed: \\x1b[31m" in told
    assert all(one.isprintable() for one in told.splitlines())


@given(raw=st.binary(max_size=400))
def test_any_octets_are_a_mail(raw: bytes) -> None:
    outgoing(raw, keyring=None, url="https://shop.example/cx")


@given(
    html=st.text(alphabet="<>a=\"' hrefcoimg/:?#&;-x@.[]", max_size=200),
    coding=st.sampled_from(["7bit", "base64", "quoted-printable"]),
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_html_has_links_or_none(html: str, coding: str) -> None:
    head = f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {coding}\r\n\r\n"
    found = outgoing((head + html).encode(), keyring=None, url="https://shop.example/cx")
    assert all("@" not in one.to for one in found.links)


# --- files ---


def cxkit_email(*arguments: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    """As one types it."""
    program = "import sys; sys.argv[0] = 'cxkit'; from cxkit.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "email", *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "LANGUAGE": language, "PYTHONIOENCODING": "utf-8"},
        timeout=60,
    )


@pytest.mark.parametrize("name", ["none.eml", "."])
def test_a_file_that_is_none(shop: Shop, name: str) -> None:
    told = cxkit_email("check", name)
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (1, "", 1)
    assert told.stderr.startswith(f"{name}: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="who may everything is not refused")
def test_a_file_that_one_may_not_read(shop: Shop) -> None:
    (shop.folder / "closed.eml").write_bytes(b"")
    (shop.folder / "closed.eml").chmod(0)
    assert isinstance(run("check", "closed.eml").exception, PermissionError)


def test_it_speaks_french(shop: Shop) -> None:
    (shop.folder / "mail.eml").write_bytes(wire(shop.prepared("analytics").message))
    told, help = cxkit_email("check", "mail.eml", language="fr"), cxkit_email("--help", language="fr")
    assert "sujet\u00a0: news" in told.stdout
    assert "Ce qu\u2019un e-mail porte, et ce qui en est revenu." in help.stdout
