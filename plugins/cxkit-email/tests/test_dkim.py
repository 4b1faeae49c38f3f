"""What signatures cover: against those that dkimpy makes, and what it says when something is changed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from email.message import EmailMessage
from functools import cache
from itertools import combinations
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from cxkit_email.dkim import Coverage, dkim_coverage, dkim_headers
from cxkit_email.headers import PlainHeader, feedback, unsubscribe_headers
from cxkit_email.wire import wire

NAMES = (b"list-unsubscribe", b"list-unsubscribe-post", b"subject")


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=1_024)


def signed(raw: bytes, headers: tuple[bytes, ...], **more: Any) -> bytes:
    pem = key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return bytes(dkim.sign(raw, b"a", b"shop.example", pem, include_headers=list(headers), **more)) + raw


def verifies(raw: bytes) -> bool:
    der = key().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)
    return bool(dkim.verify(raw, minkey=1_024, dnsfunc=lambda name, timeout=5: record))


@pytest.fixture
def raw() -> bytes:
    message = EmailMessage()
    message["From"] = "shop@shop.example"
    message["To"] = "nancy@example.com"
    message["Subject"] = "Almonds"
    message.set_content("Hello\n")
    ours = {"Message-ID": f"<{'0af1' * 8}@shop.example>", "X-CX-Send": "0af1" * 8}
    leaving = unsubscribe_headers(url="https://shop.example/u/" + "a" * 55, mailto="leave@shop.example")
    for name, value in {**leaving, **ours}.items():
        message[name] = PlainHeader(name, value)
    feedback(message, sender="candy-haven", parts=["spring"])
    return wire(message)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "from": lambda raw: raw.replace(b"From: shop@", b"From: other@"),
    "list-unsubscribe": lambda raw: raw.replace(b"<https://shop", b"<https://evil"),
    "list-unsubscribe-post": lambda raw: raw.replace(b"One-Click\r\n", b"Two-Click\r\n"),
}


@pytest.mark.parametrize(
    "headers",
    [chosen for n in range(4) for chosen in combinations(NAMES, n)],
    ids=lambda chosen: b"+".join(chosen).decode(),
)
def test_what_is_said_to_be_covered_cannot_be_changed(headers: tuple[bytes, ...], raw: bytes) -> None:
    mail = signed(raw, (b"from", *headers))
    assert verifies(mail)
    coverage = dkim_coverage(mail)
    (one,) = coverage.signatures
    assert (one.domain, one.selector, one.partial, one.expires_s) == ("shop.example", "a", False, None)
    assert one.signed == tuple(name.decode() for name in (b"from", *headers))
    for name, change in CHANGES.items():
        assert change(mail) != mail
        assert verifies(change(mail)) == (name in one.uncovered), name
    assert coverage.one_click == (not one.uncovered)


@pytest.mark.parametrize("more", [(), (b"list-unsubscribe",), (b"from", b"list-unsubscribe", b"list-unsubscribe-post")])
def test_what_is_said_to_be_oversigned_cannot_be_added(more: tuple[bytes, ...], raw: bytes) -> None:
    mail = signed(raw, (b"from", b"list-unsubscribe", b"list-unsubscribe-post", *more))
    (one,) = dkim_coverage(mail).signatures
    assert one.oversigned == tuple(name.decode() for name in more)
    for name in ("list-unsubscribe", "list-unsubscribe-post"):  # a second From dkimpy refuses in any case
        added = name.encode() + b": other@shop.example\r\n" + mail
        assert verifies(added) == (name not in one.oversigned), name
        covered = name in one.oversigned
        assert (name in dkim_coverage(added).signatures[0].uncovered) == (not covered), "of two, one is not signed"


def test_what_a_signer_is_told_to_sign_covers_everything(raw: bytes) -> None:
    mail = signed(raw, dkim_headers())
    assert verifies(mail)
    coverage = dkim_coverage(mail)
    assert coverage.one_click
    (one,) = coverage.signatures
    assert {"from", "list-unsubscribe", "list-unsubscribe-post"} <= set(one.oversigned)
    written = {line.split(b":")[0].lower() for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] != b" "}
    assert written <= set(dkim_headers()), "all that a message of ours has"


def test_a_signature_of_half_a_body_is_told(raw: bytes) -> None:
    mail = signed(raw, dkim_headers(), length=True)
    assert verifies(mail + b"added\r\n"), "which is why it is unsafe"
    assert dkim_coverage(mail).signatures[0].partial


def header(**tags: str) -> bytes:
    all_tags = {"v": "1", "a": "rsa-sha256", "d": "shop.example", "s": "a", "h": "from", "bh": "x", "b": "y", **tags}
    return (
        b"DKIM-Signature: "
        + "; ".join(f"{name}={value}" for name, value in all_tags.items() if value).encode()
        + b"\r\n"
    )


BODY = b"From: a@shop.example\r\nList-Unsubscribe: <https://shop.example>\r\nList-Unsubscribe-Post: x\r\n\r\n"


def test_each_signature_is_told_of() -> None:
    ours = header(h=" From :\r\n\tLIST-UNSUBSCRIBE : list-unsubscribe-post ", x="1700000000", d="Mail.Shop.Example")
    coverage = dkim_coverage(header(d="esp.example") + ours + BODY)
    assert [one.domain for one in coverage.signatures] == ["esp.example", "mail.shop.example"]
    assert [one.uncovered for one in coverage.signatures] == [("list-unsubscribe", "list-unsubscribe-post"), ()]
    assert coverage.one_click
    assert [one.expired(now_s=1_700_000_000.0) for one in coverage.signatures] == [False, True]
    assert not coverage.signatures[1].expired(now_s=1_699_999_999.0)


def test_two_signatures_that_cover_one_header_each_do_not_cover_both() -> None:
    mail = header(h="from:list-unsubscribe") + header(h="from:list-unsubscribe-post") + BODY
    assert not dkim_coverage(mail).one_click
    assert not dkim_coverage(header(h="list-unsubscribe:list-unsubscribe-post") + BODY).one_click, (
        "without From it is none"
    )


def test_without_both_headers_there_is_nothing_to_click() -> None:
    mail = header(h="from:list-unsubscribe:list-unsubscribe-post") + b"From: a@shop.example\r\n\r\n"
    assert not dkim_coverage(mail).one_click
    assert dkim_coverage(mail).signatures[0].oversigned == ("list-unsubscribe", "list-unsubscribe-post")
    assert dkim_coverage(BODY) == Coverage(signatures=(), unreadable=0, one_click=False)


@pytest.mark.parametrize(
    "tags",
    [{"v": "2"}, {"v": ""}, {"d": ""}, {"h": ""}, {"s": ""}, {"b": ""}, {"s": "é"}, {"x": "soon"}, {"x": "9" * 5_000}],
)
def test_what_is_no_signature_is_counted(tags: dict[str, str]) -> None:
    assert dkim_coverage(header(**tags) + BODY) == Coverage(signatures=(), unreadable=1, one_click=False)


def test_a_tag_that_comes_twice_makes_none() -> None:
    assert dkim_coverage(header(b="y; h=from") + BODY).unreadable == 1


WORDS = (b"DKIM-Signature:", b"v=1;", b"h=from:", b"d=x;", b"=", b";", b":", b" ", b"\r\n", b"\r\n ", b"\xff", b"x=1")


@given(st.binary() | st.lists(st.sampled_from(WORDS)).map(b"".join))
def test_no_octets_are_too_strange(raw: bytes) -> None:
    dkim_coverage(raw)
