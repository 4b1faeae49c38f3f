"""Addresses that break what reads them, marks that say too much, and promises of pages that nobody could keep."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.keyring import Keyring
from cxkit.model import Bounce, Facts, Message
from cxkit.stores.memory import MemoryStore
from cxkit_email import Prepared
from cxkit_email.channel import channel_of
from cxkit_email.endpoints import Followed
from cxkit_email.urls import ascii_url, parts_of, plain_path, with_parameter
from tests.flows.world import Faulty

Make = Callable[..., Any]
NANCY = "nancy@example.com"
LINK = re.compile(r"https://shop\.example(/cx/c/[\w-]{55})")


def followed(post: Any, url: str, **given: Any) -> Any:
    """What the link of a mail answers that leads there; an hour after it was sent."""
    mail = post.mail(html=None)
    mail.add_alternative(f'<body><a href="{escape(url)}">There</a>', subtype="html")
    prepared = post.prepared(message=mail, **given)
    prepared.sent()
    post.clock.advance(3_600)
    return post.client().get(LINK.findall(post.html_of(prepared))[1])


def leave(prepared: Prepared) -> str:
    return urlsplit(str(prepared.message["List-Unsubscribe"]).strip("<>")).path


# --- where links lead -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://partner.example/日本?q=é#ü", "https://partner.example/%E6%97%A5%E6%9C%AC?q=%C3%A9#%C3%BC"),
        ("https://bücher.example/", "https://b%C3%BCcher.example/"),
        ("https://partner.example/a\u2028b", "https://partner.example/a%E2%80%A8b"),
        ("https://partner.example/a b", "https://partner.example/a%20b"),
        ("https://partner.example/%0d%0aSet-Cookie:%20a=b", "https://partner.example/%0d%0aSet-Cookie:%20a=b"),
        ("https://[partner.example/x", "https://[partner.example/x"),
        ("https://a℀b.example/", "https://a%E2%84%80b.example/"),
        ("https://shop.example@partner.example/", "https://shop.example@partner.example/"),
        ("https://partner.example\\@shop.example/", "https://partner.example\\@shop.example/"),
        ("https://partner.example/" + "a" * 10_000, "https://partner.example/" + "a" * 10_000),
    ],
)
def test_every_address_leads_where_it_led(post: Make, url: str, location: str) -> None:
    here = post()
    here.allows("analytics")
    answer = followed(here, url)
    assert (answer.status_code, answer.headers["location"]) == (302, location)
    assert "set-cookie" not in answer.headers
    assert len(here.captured("message.clicked")) == 1


def test_an_address_that_no_client_goes_to_is_led_to(post: Make) -> None:
    here = post()
    here.allows("analytics")
    url = "https://partner.example:abc/"
    prepared = here.prepared(message=here.mail(html=f'<body><a href="{url}">x</a></body>'))
    path = LINK.findall(here.html_of(prepared))[1]
    facts = Facts(method="GET", scheme="https", host="shop.example", path=path, headers={})
    with cxkit.scope(kit=here.kit):
        reply = Followed(channel_of(here.kit)).handle(facts, b"")
    assert (reply.status, dict(reply.headers)["Location"]) == (302, url)


@given(st.text())
def test_no_address_is_too_strange(text: str) -> None:
    url = "https://" + re.sub(r"[\ud800-\udfff]", "", text)
    parts_of(url)
    assert ascii_url(url).isascii()
    assert not re.search(r"[\x00-\x20\x7f]", ascii_url(url))
    assert len(plain_path(url)) <= 200
    assert with_parameter(url, "a", "1").replace("?a=1", "", 1).replace("&a=1", "", 1)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/almonds/roasted-2027", "/almonds/roasted-2027"),
        ("/reset/7fK2-canary", "/reset/*"),
        ("/of/nancy@example.com/", "/of/*/"),
        ("/orders/10042", "/orders/*"),
        ("", ""),
    ],
)
def test_a_path_that_may_be_one_persons_is_not_captured(post: Make, path: str, told: str) -> None:
    here = post()
    here.allows("analytics")
    followed(here, f"https://shop.example{path}?token=canary", topic="receipt")
    (clicked,) = here.captured("message.clicked")
    assert (clicked.properties["host"], clicked.properties["path"]) == ("shop.example", told)


def test_more_links_than_have_numbers(post: Make) -> None:
    here = post()
    here.allows("analytics")
    html = "<body>" + "".join(f'<a href="https://shop.example/{number}"></a>' for number in range(65_540))
    written = here.html_of(here.prepared(message=here.mail(html=html)))
    assert len(LINK.findall(written)) == 65_535 + 1
    assert 'href="https://shop.example/65535"' in written


# --- marks ----------------------------------------------------------------------------------------


def mark(location: str) -> str:
    (found,) = parse_qs(urlsplit(location).query)["cx_m"]
    return found


def of_nancy(here: Any) -> Message:
    to = here.kit.messages.recipient("email", NANCY)
    return Message(id="1" * 32, channel="email", topic="news", to=to, at=here.kit.intake.stamper.now())


def test_a_mark_tells_no_script_of_the_page_who_it_is(post: Make) -> None:
    """What is the same in each of somebody's addresses is an identifier, whatever it is made of."""
    here = post()
    here.allows("analytics")
    key = here.kit.messages.recipient("email", NANCY).value
    marks = []
    for _ in range(2):
        marks.append(mark(followed(here, "https://shop.example/a").headers["location"]))
        with cxkit.scope(kit=here.kit):
            assert channel_of(here.kit).recognise(marks[-1]).value == key
    one, other = ({each[at : at + 16] for at in range(48)} for each in marks)
    assert not one & other
    assert not any(key[at : at + 16] in one for at in range(16))


def test_who_has_withdrawn_is_marked_nowhere(post: Make) -> None:
    here = post()
    here.allows("analytics")
    prepared = here.prepared()
    with cxkit.scope(kit=here.kit, email=NANCY, evidence="login"):
        cxkit.withdraw("analytics")
    answer = here.client().get(LINK.findall(here.html_of(prepared))[1])
    assert answer.headers["location"] == "https://shop.example/almonds?a=1&b=2#top"


def test_a_mark_goes_to_no_other_host_however_it_is_written(post: Make) -> None:
    here = post()
    here.allows("analytics")
    for url in ("https://partner.example\\@shop.example/", "https://shop.example@partner.example/"):
        assert "cx_m" not in followed(here, url).headers["location"]


def test_after_the_keys_were_changed_a_mark_says_nothing(post: Make) -> None:
    """Not somebody else: with another key another recipient would come of it."""
    here = post()
    here.allows("analytics")
    older, newer = b"an older key of sixteen", b"a newer key of sixteen"
    here.kit.desk = attrs.evolve(here.kit.desk, keyring=Keyring(signing=[older], identifier=older))
    marked = channel_of(here.kit).marked(here.kit, "https://shop.example/", of_nancy(here), "0" * 16)
    with cxkit.scope(kit=here.kit):
        assert channel_of(here.kit).recognise(mark(marked)) is not None
        here.kit.desk = attrs.evolve(here.kit.desk, keyring=Keyring(signing=[newer, older], identifier=older))
        assert channel_of(here.kit).recognise(mark(marked)) is None


# --- pages that say what is so --------------------------------------------------------------------


def test_whoever_could_not_leave_is_not_told_that_they_have(post: Make) -> None:
    """Of somebody who was erased, nobody knows any more whom an older mail was sent to."""
    here = post()
    prepared = here.prepared()
    with cxkit.scope(kit=here.kit, email=NANCY, evidence="login"):
        cxkit.erase(email=NANCY)
    answer = here.client().post(leave(prepared), data={"List-Unsubscribe": "One-Click"})
    assert here.may_send() == "Clear"
    assert answer.status_code == 404
    assert "You are not unsubscribed" in answer.text
    assert here.captured("message.unsubscribed") == []


def test_whom_the_server_does_not_know_is_left_alone_though_the_store_was_down(post: Make) -> None:
    """Nobody tells it again: the server has said it, and the next mail would go there, too."""
    store = Faulty(MemoryStore())
    here = post(store=store, strict=False)
    prepared = here.prepared()
    store.broken = True
    prepared.refused(Bounce(reason="user_unknown", status="5.1.1", smtp=550))
    store.broken = False
    assert asyncio.run(here.kit.settled(timeout_s=30))
    assert here.may_send() == "hard_bounce"
    assert len(here.captured("message.bounced")) == 1


# --- what was overheard ---------------------------------------------------------------------------

KEY = "key-0123456789abcdef"


@pytest.fixture
def processes(post: Make) -> list[Any]:
    """Two that share a store, and Mailgun's key; of two webhooks each."""
    store = MemoryStore()
    hooks = {name: {"type": "mailgun", "secrets": (KEY,)} for name in ("one", "two")}
    keys = {"signing": ["a secret of sixteen"], "identifier": "another of sixteen"}
    return [post(store=store, webhooks=hooks, tables={"keys": keys}) for _ in range(2)]


def test_what_mailgun_signed_serves_for_nothing_else_in_any_process(processes: list[Any]) -> None:
    """It signs a time and a token, and not the event: whoever has both could complain for anybody."""
    stamp = str(int(time.time()))
    signed = {"timestamp": stamp, "token": "t" * 50}
    signed["signature"] = hmac.digest(KEY.encode(), (stamp + signed["token"]).encode(), "sha256").hex()

    def told(here: Any, event: str, address: str, *, by: str) -> int:
        event_data = {"event": event, "recipient": address, "timestamp": time.time()}
        answer = here.client().post(f"/cx/webhooks/{by}", json={"signature": signed, "event-data": event_data})
        return int(answer.status_code)

    here, there = processes
    for one in processes:
        one.clock.advance(time.time() - one.clock.time_ns() / 1e9)
    assert told(here, "delivered", NANCY, by="one") == 200
    for other in (here, there):
        for by in ("one", "two"):
            assert told(other, "complained", "victim@example.com", by=by) == 200
    for other in (here, there):
        assert asyncio.run(other.kit.settled(timeout_s=30))
        assert other.may_send(address="victim@example.com") == "Clear"
        assert other.captured("message.complained") == []


@pytest.mark.parametrize("path", ["/cx/o/{}.gif", "/cx/c/{}", "/cx/u/{}"])
def test_a_token_that_is_none_is_counted(post: Make, path: str) -> None:
    here = post()
    here.client().get(path.format("A" * 55))
    assert here.kit.intake.noted == {"token_refused": 1}
