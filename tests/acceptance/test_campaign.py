"""A campaign of a thousand e-mails, and all that may become of them: the account of it equals what was scripted.

A real server of SMTP takes them and refuses some; bounces and complaints come back by mail, deliveries by a provider's
webhook over HTTP, each as often as such things do; scanners, proxies and people ask for links and pictures over HTTP.
"""

from __future__ import annotations

import http.client
import json
import smtplib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from click.testing import CliRunner

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.cli import cli
from cxkit.kit import install
from cxkit.settings import load
from cxkit.testing import FakeClock, RecordingExporter
from cxkit.testing.ports import free_port
from cxkit.testing.web_shop import Browser, served
from cxkit.web import ASGIMiddleware
from cxkit_email import Prepared, prepare, receive
from cxkit_email.html import find_links
from cxkit_email.sending import send

pytestmark = pytest.mark.services

SECRET: Final = "a secret that the provider sends along"
CHROME: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
)
PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
GMAIL: Final = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE: Final = "Mozilla/5.0"

HTML: Final = """<html><body><h1>Spring at Candy Haven</h1>
<p><a href="http://{host}/almonds">Almonds</a> <a href="http://{host}/nougat?size=2">Nougat</a></p>
<p><a href="http://{host}/box">The box</a></p></body></html>
"""

# Who of the thousand does what: their numbers, each a range.
SUPPRESSED = range(0, 10)  # somebody of theirs complained last year
LEFT_BEFORE = range(10, 30)
REFUSING = range(30, 130)  # no statistics, no pixel
UNKNOWN = range(130, 155)  # refused at once: no such user
FULL = range(155, 165)
BLOCKING = range(165, 170)
BOUNCING = range(170, 180)  # taken, and sent back an hour later
SCANNED = range(180, 240)  # by a program that follows all there is, at once; nobody reads them
PREFETCHED = range(240, 340)  # by Apple, whether anybody reads them or not
OPENED_BY_PROXY = range(340, 460)
OPENED = range(460, 610)
CLICKED = range(540, 620)  # 70 of them had the pictures shown, too
COMPLAINED = range(620, 627)
LEFT_BY_CLICK = range(627, 639)
LEFT_BY_PAGE = range(639, 644)
LEFT_BY_MAIL = range(644, 647)
FORGED = range(647, 652)  # somebody writes that mails to them bounced, or that they complain
FORWARDED = range(652, 655)  # to a friend, who follows the link in a browser that is known as another's
NANCY = 655  # has an account, and follows the link in the browser in which she signed in
TAKEN = [one for one in range(30, 1000) if one not in (*UNKNOWN, *FULL, *BLOCKING)]
REPLIES: Final[Mapping[range, str]] = {
    UNKNOWN: "550 5.1.1 No such user here",
    FULL: "552 5.2.2 The mailbox is full",
    BLOCKING: "554 5.7.1 Blocked, your address is on a list",
}


def address(number: int) -> str:
    return f"customer{number}@example.com"


class Mailboxes:
    """The other side: refuses whom it is told to refuse, and keeps the rest."""

    def __init__(self) -> None:
        self.letters: dict[str, Envelope] = {}
        self.came = Counter[str]()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, rcpt: str, _: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        number = int(rcpt.removeprefix("customer").partition("@")[0])
        for these, reply in REPLIES.items():
            if number in these:
                return reply
        envelope.rcpt_tos.append(rcpt)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        self.letters[envelope.rcpt_tos[0]] = envelope
        self.came[envelope.rcpt_tos[0]] += 1
        return "250 2.0.0 taken"


class Campaign:
    """The shop that sends it, and the programs and people it is sent to."""

    def __init__(
        self, kit: cxkit.Kit, clock: FakeClock, exporter: RecordingExporter, boxes: Mailboxes, smtp: int, web: int
    ) -> None:
        self.kit = kit
        self.clock = clock
        self.exporter = exporter
        self.boxes = boxes
        self.smtp = smtp
        self.web = web
        self.prepared: dict[int, Prepared] = {}
        self.not_sent = Counter[str]()
        self.connection = http.client.HTTPConnection("127.0.0.1", web, timeout=60)

    def run(self, campaign: str) -> None:
        """Prepare and send to all, each by itself."""
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=60) as client:
            for number in range(1000):
                answer = prepare(self._mail(number), address(number), topic="news", campaign=campaign, kit=self.kit)
                if isinstance(answer, Prepared):
                    self.prepared[number] = answer
                    send(client, answer)
                else:
                    self.not_sent[getattr(answer, "reason", "?")] += 1

    def _mail(self, number: int) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = "Candy Haven <us@shop.example>"
        mail["To"] = address(number)
        mail["Subject"] = "Spring at Candy Haven"
        mail.set_content("Spring is here.")
        mail.add_alternative(HTML.format(host=f"127.0.0.1:{self.web}"), subtype="html")
        return mail

    def letter(self, number: int) -> Any:
        from email import message_from_bytes, policy

        return message_from_bytes(self.boxes.letters[address(number)].content, policy=policy.default)

    def links(self, number: int) -> list[str]:
        """The paths of the links in what arrived: first the one that nobody sees, where there is one."""
        html = self.letter(number).get_body(("html",)).get_content()
        return [urlsplit(url).path for url in find_links(html).urls]

    def pixel(self, number: int) -> str | None:
        html = self.letter(number).get_body(("html",)).get_content()
        _, found, rest = html.partition(f"http://127.0.0.1:{self.web}/cx/o/")
        return f"/cx/o/{rest.partition(chr(34))[0]}" if found else None

    def ask(
        self, path: str, *, agent: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, Any]:
        sent = {"User-Agent": agent, "Host": f"127.0.0.1:{self.web}", **headers}
        self.connection.request("GET" if body is None else "POST", path, body=body, headers=sent)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, answer.headers

    def tells(self, *told: Mapping[str, Any]) -> None:
        """The provider calls, and as such do, twice now and then."""
        for number, one in enumerate(told):
            for _ in range(2 if number % 20 == 0 else 1):
                headers = {"Content-Type": "application/json", "X-CX-Secret": SECRET}
                status, _ = self.ask(
                    "/cx/webhooks/postmark", agent="Postmark", body=json.dumps(one).encode(), headers=headers
                )
                assert status == 200

    def counts(self, name: str, *, where: Callable[[Any], bool] = lambda one: True) -> int:
        """How many different interactions there are of this name."""
        return len({one.id for one in self.exporter.interactions if one.name == name and where(one)})

    def may_send(self, number: int, topic: str = "news") -> str:
        with cxkit.scope(kit=self.kit):
            answer = cxkit.may_send(topic, "email", email=address(number))
        return answer.reason if isinstance(answer, cxkit.Blocked) else type(answer).__name__


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    smtp, clock, boxes = free_port(), FakeClock(), Mailboxes()
    exporter = RecordingExporter(purposes=frozenset({"necessary"}))
    with ExitStack() as ends:
        sites: list[Any] = []

        async def front(scope: Any, receive: Any, send: Any) -> None:
            await (sites or [_page])[0](scope, receive, send)

        web = ends.enter_context(served(front))
        overrides = {
            "strict": True,
            "exporters": {"local": {"type": "local", "purposes": ["necessary", "analytics"]}},
            "email": {
                "url": f"http://127.0.0.1:{web}/cx",
                "opens": "individual",
                "bounces": "bounces.shop.example",
                "unsubscribe": "leave@shop.example",
                "webhooks": {"postmark": {"type": "postmark", "secrets": [SECRET]}},
            },
            "topics": {
                "news": {"defaults": {"email": "granted"}},
                "club": {"defaults": {"email": "granted"}},
                "receipt": {"kind": "transactional"},
            },
            "web": {"asked": ["analytics", "personalization", "identity_stitching", "message_open"]},
        }
        stamper = Stamper(time_ns=clock.time_ns)
        kit = cxkit.Kit(load(environ={}, overrides=overrides), exporters={"recorder": exporter}, stamper=stamper)
        ends.callback(kit.close, timeout_s=30)
        sites.append(ASGIMiddleware(_page, kit=kit))
        controller = Controller(boxes, hostname="127.0.0.1", port=smtp)
        controller.start()
        ends.callback(controller.stop)
        before = install(lambda: kit)
        ends.callback(install, before)
        found = Campaign(kit, clock, exporter, boxes=boxes, smtp=smtp, web=web)
        ends.callback(found.connection.close)
        yield found


async def _page(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        if scope["path"] == "/login":
            cxkit.identify(user_id="nancy", email=address(NANCY))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"A page"})


def bounced(campaign: Campaign, number: int) -> bytes:
    """What the server of a mailbox sends back (RFC 3464), to the address in the envelope."""
    letter = campaign.boxes.letters[address(number)]
    head = letter.content.partition(b"\r\n\r\n")[0].decode()
    return f"""From: MAILER-DAEMON@mx.example.com
To: {letter.mail_from}
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce-{number}@mx.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {address(number)}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 The email account that you tried to reach does not exist

--b
Content-Type: text/rfc822-headers

{head}
--b--
""".replace("\r\n", "\n").encode()


def complained(number: int, *, to: str, returned: str = "") -> bytes:
    """What a provider of mailboxes sends where somebody says that it is spam (RFC 5965)."""
    return f"""From: feedback@mailboxes.example
To: {to}
Subject: Complaint
Message-ID: <complaint-{number}@mailboxes.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

It is spam, they say.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Loop/1.0
Version: 1
Original-Rcpt-To: {address(number)}

--b
Content-Type: text/rfc822-headers

{returned or "Subject: Spring"}
--b--
""".encode()


def hidden_first(campaign: Campaign, number: int) -> tuple[str, list[str]]:
    """The link that nobody sees, and those that people do."""
    trap, *seen = campaign.links(number)
    return trap, seen


def prepare_customers(campaign: Campaign) -> None:
    for number in range(1000):
        with cxkit.scope(kit=campaign.kit, email=address(number), evidence="login"):
            if number in REFUSING:
                cxkit.withdraw("analytics", "message_open")
            else:
                cxkit.grant("analytics", "message_open")
            if number in SUPPRESSED:
                cxkit.suppress("email", "complaint", email=address(number))
            elif number in LEFT_BEFORE:
                cxkit.prefer("news", "email", "denied", email=address(number))
    campaign.clock.advance(60)


def programs_and_people(campaign: Campaign) -> None:
    """What is asked over HTTP, in the order in which it happens."""
    campaign.clock.advance(1)
    for number in SCANNED:
        trap, seen = hidden_first(campaign, number)
        for path in (seen[0], campaign.pixel(number), trap, *seen[1:]):
            campaign.ask(str(path), agent=CHROME)
    campaign.clock.advance(29)
    for number in PREFETCHED:
        campaign.ask(str(campaign.pixel(number)), agent=APPLE)
    campaign.clock.advance(3_600)
    for number in OPENED_BY_PROXY:
        campaign.ask(str(campaign.pixel(number)), agent=GMAIL)
    campaign.clock.advance(3_600)
    for number in OPENED:
        campaign.ask(str(campaign.pixel(number)), agent=PHONE)
    campaign.clock.advance(20)
    for number in CLICKED:
        status, headers = campaign.ask(hidden_first(campaign, number)[1][number % 3], agent=CHROME)
        assert status == 302
        assert headers["Location"].startswith(f"http://127.0.0.1:{campaign.web}/")


def come_back(campaign: Campaign) -> None:
    """Deliveries by the provider; bounces and complaints by mail; and mails that somebody made up."""
    delivered = [one for one in TAKEN if one not in BOUNCING]
    campaign.tells(*(
        {
            "RecordType": "Delivery", "MessageID": f"m-{number}", "Recipient": address(number),
            "DeliveredAt": "2027-01-15T08:00:05Z", "Metadata": {"cx_send": campaign.prepared[number].id},
        }
        for number in delivered
    ))  # fmt: skip
    for number in BOUNCING:
        for _ in range(2):
            assert receive(bounced(campaign, number), kit=campaign.kit).kind == "bounce"
    for number in COMPLAINED:
        returned = campaign.boxes.letters[address(number)].content.partition(b"\r\n\r\n")[0].decode()
        raw = complained(number, to="abuse@shop.example", returned=returned.replace("\r\n", "\n"))
        for _ in range(2):
            assert receive(raw, kit=campaign.kit).kind == "complaint"
    for number in FORGED:
        victim = bounced(campaign, number).replace(
            campaign.boxes.letters[address(number)].mail_from.encode(), b"us@shop.example"
        )
        head, _, _ = victim.partition(b"Content-Type: text/rfc822-headers")
        receive(head + b"--b--\n", kit=campaign.kit)
        receive(complained(number, to="abuse@shop.example"), kit=campaign.kit)


def leave(campaign: Campaign) -> None:
    for number in (*LEFT_BY_CLICK, *LEFT_BY_PAGE, *LEFT_BY_MAIL):
        web, mailto = (one.strip(" <>") for one in str(campaign.letter(number)["List-Unsubscribe"]).split(","))
        path = urlsplit(web).path
        if number in LEFT_BY_CLICK:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            status, headers = campaign.ask(path, agent="Mail", body=b"List-Unsubscribe=One-Click", headers=form)
            assert (status, headers["Location"], headers["Set-Cookie"]) == (200, None, None)
        elif number in LEFT_BY_PAGE:
            assert campaign.ask(path, agent=CHROME)[0] == 200
            assert campaign.may_send(number) == "Clear", "to look changes nothing"
            assert campaign.ask(path, agent=CHROME, body=b"")[0] == 200
        else:
            subject = unquote(mailto.partition("subject=")[2])
            raw = f"From: {address(number)}\nTo: leave@shop.example\nSubject: {subject}\n\n".encode()
            assert receive(raw, kit=campaign.kit).kind == "unsubscribe"


def visit(campaign: Campaign, number: int, *pages: str) -> None:
    """Somebody, whom the shop knows in their own browser, follows the link in the mail to this customer."""
    browser, phone = Browser(campaign.web), {"User-Agent": PHONE}
    purposes = ["analytics", "personalization", "identity_stitching"]
    chosen = json.dumps({"choices": dict.fromkeys(purposes, "granted")}).encode()
    said = {**phone, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    assert browser.ask("/cx/consent", method="POST", body=chosen, headers=said).status == 200
    for page in ("/", *pages):
        browser.ask(page, headers=phone)
        campaign.clock.advance(1)
    answer = browser.ask(hidden_first(campaign, number)[1][0], headers=phone)
    campaign.clock.advance(1)
    browser.ask(dict(answer.headers)["location"].partition(str(campaign.web))[2], headers=phone)


def test_the_account_of_a_campaign_equals_its_script(campaign: Campaign) -> None:
    prepare_customers(campaign)
    campaign.run("spring")
    assert campaign.not_sent == {"complaint": len(SUPPRESSED), "opted_out": len(LEFT_BEFORE)}
    assert set(campaign.boxes.letters) == set(map(address, TAKEN))
    for number in REFUSING:
        assert campaign.links(number) == [urlsplit(one).path for one in ("/almonds", "/nougat", "/box")]
        assert campaign.pixel(number) is None
    programs_and_people(campaign)
    come_back(campaign)
    leave(campaign)
    for number in FORWARDED:
        visit(campaign, number)
    visit(campaign, NANCY, "/login")
    assert campaign.kit.flush(timeout_s=60).complete
    as_scripted(campaign)
    nobody_who_left_is_mailed_again(campaign)
    a_forwarded_mail_merges_nobody(campaign)
    one_journey(campaign)
    assert campaign.kit.account().balanced


def as_scripted(campaign: Campaign) -> None:
    ours = {"where": lambda one: "message" in one.properties}

    def kind(name: str) -> dict[str, Any]:
        return {"where": lambda one: one.properties.get("bounce") == name and "message" in one.properties}

    assert campaign.counts("message.sent", **ours) == len(TAKEN)
    assert campaign.counts("message.delivered", **ours) == len(TAKEN) - len(BOUNCING)
    assert campaign.counts("message.bounced", **kind("hard")) == len(UNKNOWN) + len(BOUNCING)
    assert campaign.counts("message.bounced", **kind("soft")) == len(FULL)
    assert campaign.counts("message.bounced", **kind("block")) == len(BLOCKING)
    assert campaign.counts("message.complained", **ours) == len(COMPLAINED)
    assert campaign.counts("message.unsubscribed", **ours) == len(LEFT_BY_CLICK) + len(LEFT_BY_PAGE) + len(LEFT_BY_MAIL)
    hits = Counter[tuple[str, str]]()
    for prepared in campaign.prepared.values():
        message = campaign.kit.messages.of(prepared.id)
        assert message is not None
        hits.update((str(hit["kind"]), str(hit["actor"])) for hit in message.hits)
    assert hits == {
        ("open", "human"): len(OPENED),
        ("open", "proxy"): len(OPENED_BY_PROXY),
        ("open", "machine"): len(PREFETCHED) + len(SCANNED),
        ("click", "human"): len(CLICKED) + len(FORWARDED) + 1,
        ("click", "machine"): 4 * len(SCANNED),
    }
    by_people = {"where": lambda one: one.properties["by"] == "human"}
    assert campaign.counts("message.opened", **by_people) == len(OPENED)
    assert campaign.counts("message.clicked", **by_people) == len(CLICKED) + len(FORWARDED) + 1


def nobody_who_left_is_mailed_again(campaign: Campaign) -> None:
    for number in FORGED:
        assert campaign.may_send(number) == "Clear"
    for number in (*LEFT_BY_CLICK, *LEFT_BY_PAGE, *LEFT_BY_MAIL):
        assert (campaign.may_send(number), campaign.may_send(number, "club")) == ("opted_out", "Clear")
    campaign.clock.advance(timedelta(days=7).total_seconds())
    campaign.not_sent.clear()
    campaign.run("summer")
    left = len(LEFT_BY_CLICK) + len(LEFT_BY_PAGE) + len(LEFT_BY_MAIL)
    assert campaign.not_sent == {
        "complaint": len(SUPPRESSED) + len(COMPLAINED),
        "opted_out": len(LEFT_BEFORE) + left,
        "hard_bounce": len(UNKNOWN) + len(BOUNCING),
    }
    for number in (*UNKNOWN, *BOUNCING, *COMPLAINED, *LEFT_BY_CLICK, *LEFT_BY_PAGE, *LEFT_BY_MAIL):
        assert campaign.boxes.came[address(number)] <= 1


def a_forwarded_mail_merges_nobody(campaign: Campaign) -> None:
    for number in FORWARDED:
        with cxkit.scope(kit=campaign.kit):
            known = cxkit.disclose(email=address(number))
        assert {one.type for one in known.identifiers} == {"email"}


def one_journey(campaign: Campaign) -> None:
    """The mail, what became of it, and the page that its link led to: one story of one person."""
    assert campaign.kit.flush(timeout_s=60).complete
    told = CliRunner().invoke(cli, ["journey", "nancy", "--json"])
    assert told.exit_code == 0, told.output
    sessions = json.loads(told.output)["sessions"]
    seen = sorted((one for session in sessions for one in session["interactions"]), key=lambda one: str(one["time"]))
    names = [one["type"].removeprefix("io.cxkit.") for one in seen]
    story = ["message.sent", "message.delivered", "message.clicked", "page.viewed"]
    told_once = [one for one in names[names.index("message.sent") :] if one in story]
    assert told_once[:2] == story[:2]
    assert [*dict.fromkeys(told_once[told_once.index("message.clicked") :])][:2] == story[2:]
