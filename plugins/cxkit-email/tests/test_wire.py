"""What a server really gets: a real one, and every way in which apps write and send a message."""

from __future__ import annotations

import asyncio
import copy
import pickle
import smtplib
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import BytesParser
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import InvalidInteractionError
from cxkit_email.headers import PlainHeader, automatic, feedback, unsubscribe_headers
from cxkit_email.wire import FAULTS, fields, wire, wire_faults

URL = "https://mail.example.com/cx/u/" + "a" * 55
MAILTO = "leave+" + "b" * 55 + "@mail.example.com?subject=leave"
SEND = "0af1" * 8


class Server(Controller):
    """One on a port that is free."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        super().__init__(self, hostname="127.0.0.1", port=0)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        self.got.append(envelope.original_content)
        return "250 OK"

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    running.start()
    yield running
    running.stop()


def modern(kind: Any) -> Callable[[], Any]:
    def made() -> Any:
        message = EmailMessage(policy=kind)
        message["Subject"] = "Für Sie: " + "Mandeln, geröstet, " * 8
        message.set_content("Grüße\n" * 3, cte="8bit")
        message.add_alternative("<p>Grüße</p>" + "x" * 2_000, subtype="html")
        return message

    return made


def older() -> Any:
    message = MIMEMultipart("alternative")
    message["Subject"] = Header("Für Sie: " + "Mandeln, geröstet, " * 8, "utf-8")
    message.attach(MIMEText("Grüße", "plain", "utf-8"))
    message.attach(MIMEText("<p>Grüße</p>", "html", "utf-8"))
    return message


def eight_bit() -> Any:
    return message_from_bytes(
        b"Subject: Almonds\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + "Grüße\r\n".encode()
    )


MESSAGES = {
    "default": modern(policy.default), "SMTP": modern(policy.SMTP), "SMTPUTF8": modern(policy.SMTPUTF8),
    "narrow": modern(policy.SMTP.clone(max_line_length=40)), "refold": modern(policy.SMTP.clone(refold_source="all")),
    "MIMEMultipart": older, "eight_bit": eight_bit,
}  # fmt: skip


def by_send_message(server: Server, message: Any) -> None:
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.send_message(message)


def by_bytes(server: Server, message: Any) -> None:
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail(
            "shop@mail.example.com",
            ["nancy@example.com"],
            message.as_bytes(policy=message.policy.clone(linesep="\r\n")),
        )


def by_wire(server: Server, message: Any) -> None:
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("shop@mail.example.com", ["nancy@example.com"], wire(message))


def by_aiosmtplib(server: Server, message: Any) -> None:
    asyncio.run(aiosmtplib.send(message, hostname="127.0.0.1", port=server.port, start_tls=False))


def by_a_queue(server: Server, message: Any) -> None:
    by_send_message(server, pickle.loads(pickle.dumps(copy.deepcopy(message))))  # noqa: S301 - its own


def by_a_file(server: Server, message: Any) -> None:
    """Written and read again, it has lost what kept it plain."""
    by_wire(server, BytesParser(policy=policy.SMTP).parsebytes(message.as_bytes()))


SENDERS = [by_send_message, by_bytes, by_wire, by_aiosmtplib, by_a_queue, by_a_file]


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("made", MESSAGES.values(), ids=MESSAGES)
def test_headers_arrive_as_mail_programs_read_them(
    made: Callable[[], Any], send: Callable[[Server, Any], None], server: Server
) -> None:
    message = made()
    message["From"] = "Candy Haven <shop@mail.example.com>"
    message["To"] = ", ".join(f"Nancy {n} <nancy.{n}@example.com>" for n in range(40))
    ours = {"Message-ID": f"<{SEND}@a-rather-long-name-of-a-host.mail.example.com>", "X-CX-Send": SEND}
    for name, value in {**unsubscribe_headers(url=URL, mailto=MAILTO), **ours}.items():
        message[name] = PlainHeader(name, value)
    feedback(message, sender="candy-haven", parts=["birthday-" + "x" * 40, "offers-" + "y" * 40, "z" * 40])
    automatic(message)
    send(server, message)
    raw = server.got[-1]
    said = {each.name: each.value.strip() for each in fields(raw)[0]}
    assert said[b"list-unsubscribe"].split() == [f"<{URL}>,".encode(), f"<mailto:{MAILTO}>".encode()]
    assert said[b"list-unsubscribe-post"] == b"List-Unsubscribe=One-Click"
    assert said[b"message-id"] == f"<{SEND}@a-rather-long-name-of-a-host.mail.example.com>".encode()
    assert said[b"x-cx-send"] == SEND.encode()
    assert said[b"feedback-id"].endswith(b":candy-haven")
    assert b"=?" not in said[b"feedback-id"]
    utf8 = {"eight_bit_header"} if made is MESSAGES["SMTPUTF8"] else set()
    assert set(wire_faults(raw)) <= utf8
    for url in (URL, MAILTO):
        assert url.encode() in raw, "an address stands in one piece"


def test_what_the_standard_library_makes_of_such_an_address_is_found_and_mended() -> None:
    message = EmailMessage(policy=policy.SMTP)
    message["List-Unsubscribe"] = f"<{URL}>"
    assert wire_faults(message.as_bytes()) in (("encoded_unsubscribe",), ()), "some day it may write it plain"
    assert f"List-Unsubscribe: <{URL}>\r\n".encode() in wire(message)
    assert wire_faults(wire(message)) == ()


def test_who_gets_a_blind_copy_is_not_written() -> None:
    message = EmailMessage()
    message["Bcc"] = "victim@example.com"
    assert b"victim" not in wire(message)
    assert message["Bcc"] == "victim@example.com", "the message itself stays what it was"


def test_the_message_itself_is_not_changed() -> None:
    message = EmailMessage()
    message["List-Unsubscribe"] = f"<{URL}>"
    before = message.as_bytes()
    wire(message)
    assert message.as_bytes() == before


@pytest.mark.parametrize(
    "value", ["Almonds\r\nBcc: v@example.com", "Almonds\nX: y", "Almonds\rX", "Almonds\n", "a\n \nb"]
)
def test_a_line_break_that_begins_another_header_is_refused(value: str) -> None:
    """B77."""
    message = MIMEText("x")
    message["Subject"] = value
    with pytest.raises(InvalidInteractionError, match="CX9201"):
        wire(message)


@pytest.mark.parametrize("name", ["X\r\nBcc: v@example.com\r\nX", "X Y", "X:", "", "é"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    message = MIMEText("x")
    message[name] = "x"
    with pytest.raises(InvalidInteractionError, match="CX9201"):
        wire(message)


def test_a_header_that_is_folded_already_is_sound() -> None:
    message = MIMEText("x")
    message["Subject"] = "Almonds,\r\n roasted"
    assert b"Subject: Almonds,\r\n roasted\r\n" in wire(message)


def test_a_header_too_long_for_the_wire_is_refused() -> None:
    message = MIMEText("x")
    message["X-Long"] = "x" * 1_000
    with pytest.raises(InvalidInteractionError, match="CX9202"):
        wire(message)


@pytest.mark.parametrize("name", ["List-Unsubscribe", "Message-ID", "Feedback-ID"])
def test_what_is_to_be_plain_is_ascii(name: str) -> None:
    message = MIMEText("x")
    message[name] = "<https://shop.example/é>"
    with pytest.raises(InvalidInteractionError, match="CX9201"):
        wire(message)


SOUND = b"From: a@shop.example\r\nList-Unsubscribe: <https://shop.example/u/a>,\r\n\t<mailto:a@shop.example>\r\n"


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        (SOUND + b"\r\nbody\r\n", ()),
        (SOUND + b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n", ()),
        ((SOUND + b"\r\nbody\r\n").replace(b"\r\n", b"\n"), ()),
        (SOUND + b"\r\nbody\n", ("mixed_breaks",)),
        (SOUND + b"X: a\rb\r\n\r\n", ("mixed_breaks", "malformed_header")),
        (SOUND + b"\r\n" + b"x" * 998 + b"\r\n", ()),
        (SOUND + b"\r\n" + b"x" * 999 + b"\r\n", ("long_line",)),
        (SOUND + b"X: " + b"x" * 996 + b"\r\n\r\n", ("long_header_line",)),
        (SOUND + "Subject: é\r\n\r\n".encode(), ("eight_bit_header",)),
        (SOUND + b"not a header\r\n\r\n", ("malformed_header",)),
        (b" first\r\n\r\n", ("malformed_header",)),
        (SOUND + b"from: b@shop.example\r\n\r\n", ("repeated_header",)),
        (SOUND + SOUND[22:] + b"\r\n", ("repeated_header",)),
        (b"List-Unsubscribe: =?us-ascii?q?x?=\r\n\r\n", ("encoded_unsubscribe",)),
        (b"List-Unsubscribe-Post: =?us-ascii?q?x?=\r\n\r\n", ("encoded_unsubscribe",)),
        (b"List-Unsubscribe: https://shop.example\r\n\r\n", ("malformed_unsubscribe",)),
        (b"List-Unsubscribe: <https://shop.ex\r\n ample>\r\n\r\n", ("malformed_unsubscribe",)),
        (b"List-Unsubscribe:\r\n\r\n", ("malformed_unsubscribe",)),
        (SOUND + b"List-Unsubscribe-Post: yes\r\n\r\n", ("other_one_click",)),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n", ("one_click_nowhere",)),
        (b"", ()),
        (b"\r\nList-Unsubscribe: x\r\n", ()),
    ],
)
def test_faults_are_found(raw: bytes, faults: tuple[str, ...]) -> None:
    assert wire_faults(raw) == faults
    assert set(faults) <= set(FAULTS)


WORDS = (
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"<",
    b">",
    b",",
    b"=?",
    b"x",
    b"\xff",
    b"List-Unsubscribe",
    b"List-Unsubscribe-Post",
)


@given(st.binary() | st.lists(st.sampled_from(WORDS)).map(b"".join))
def test_no_octets_are_too_strange(raw: bytes) -> None:
    wire_faults(raw)
    fields(raw)


@given(st.text(st.sampled_from("a \r\n\t\v\f\x85\u2028é:"), max_size=12))
def test_what_is_written_has_as_many_headers_as_the_message(value: str) -> None:
    message = MIMEText("x")
    message["X-Campaign"] = value
    try:
        raw = wire(message)
    except InvalidInteractionError:
        return
    assert [each.name for each in fields(raw)[0]] == [name.lower().encode() for name in message]
    assert fields(raw)[1] == 0


def test_plain_headers_are_kept_by_a_message_of_another_policy() -> None:
    message = EmailMessage()
    message["List-Unsubscribe"] = PlainHeader("List-Unsubscribe", f"<{URL}>")
    for each in (policy.default, policy.SMTP, policy.SMTPUTF8, policy.HTTP, policy.strict):
        assert f"List-Unsubscribe: <{URL}>".encode() in message.as_bytes(policy=each).replace(b"\r\n", b"\n")
