"""Where customers see and change what they receive: for them without JavaScript, and for scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.settings import TopicTable, Web
from tests.web.surface import FRENCH, HTML, SAME, error_of, get, json_of, page_of, post, status_of

PAGE = "/cx/preferences"
TOPICS = {
    "news": TopicTable(defaults={"email": "denied", "sms": "denied"}),
    "repairs": TopicTable(kind="service"),
    "receipt": TopicTable(kind="transactional"),
}


@pytest.fixture
def posted(make: Any) -> Any:
    return make({"topics": TOPICS})


@pytest.fixture
def nancy(posted: Any, shop: Callable[..., Any], clock: Any) -> Any:
    """A customer who is recognised in her browser, and once signed in there."""

    def act() -> None:
        cxkit.grant("personalization", "identity_stitching")
        cxkit.identify(user_id="nancy", email="nancy@example.com")

    client = shop(act, kit=posted.kit)
    client.ask()
    clock.advance(1)
    return client.in_(shop(kit=posted.kit))


def received(client: Any) -> dict[str, dict[str, str]]:
    return dict(json_of(get(client, PAGE))["preferences"])


def press(client: Any, choice: str, *headers: tuple[bytes, bytes], ticked: tuple[str, ...] | None = None) -> Any:
    fields = page_of(get(client, PAGE, HTML, *headers)).fields(choice=choice, ticked=ticked)
    return post(client, fields, HTML, SAME, *headers, path=PAGE)


def may_send(posted: Any, topic: str, channel: str) -> str:
    with cxkit.scope(kit=posted.kit):
        return str(cxkit.may_send(topic, channel, email="nancy@example.com"))


# --- reading --------------------------------------------------------------------------------------


def test_a_script_is_told_what_a_customer_receives(nancy: Any) -> None:
    sent = get(nancy, PAGE)
    assert json_of(sent) == {
        "known": True,
        "preferences": {
            "news": {"email": "denied", "sms": "denied"},
            "repairs": {"email": "granted", "sms": "granted"},
        },
        "kinds": {"news": "marketing", "repairs": "service"},
        "stopped": False,
    }
    assert sent.all("cache-control") == ["private, no-store"]


def test_the_page_has_a_labelled_box_for_each_topic_on_each_channel(nancy: Any) -> None:
    page = page_of(get(nancy, PAGE, HTML, FRENCH))
    assert [one.text for one in page.all("legend")] == ["news", "repairs"]
    boxes = page.all("input", type="checkbox")
    assert [one.attributes["value"] for one in boxes] == ["news:email", "news:sms", "repairs:email", "repairs:sms"]
    assert [page.one("label", for_=one.attributes["id"]).text for one in boxes] == ["E-mail", "SMS"] * 2
    assert ["checked" in one.attributes for one in boxes] == [False, False, True, True]
    assert page.one("h1").text == "Ce que vous recevez"
    assert [one.attributes["value"] for one in page.all("button")] == ["save", "stop"]


def test_who_is_not_recognised_is_told_so_in_words(posted: Any, shop: Callable[..., Any]) -> None:
    client = shop(kit=posted.kit)
    assert json_of(get(client, PAGE)) == {"known": False}
    sent = get(client, PAGE, HTML)
    page = page_of(sent)
    assert status_of(sent) == 200
    assert "We do not recognise you" in page.one("main").text
    assert not page.all("form")
    assert page.one("a", href="/cx/consent").text == "Your choices"


def test_a_claim_shows_nothing(make: Any, shop: Callable[..., Any]) -> None:
    claimed = make({"topics": TOPICS, "web": Web(id_headers={"x-user": "user_id"})})
    with cxkit.scope(kit=claimed.kit, user_id="nancy", evidence="login"):
        cxkit.prefer("news", "email", "granted")
    somebody = shop(lambda: cxkit.grant("analytics", "identity_stitching"), kit=claimed.kit)
    assert json_of(get(somebody, PAGE, (b"x-user", b"nancy"))) == {"known": False}
    get(somebody, "/")
    told = json_of(get(somebody, PAGE, (b"x-user", b"nancy")))
    assert (told["known"], told["preferences"]["news"]["email"]) == (True, "denied")
    assert (
        status_of(post(somebody, {"preferences": {"news": {"sms": "granted"}}}, SAME, (b"x-user", b"nancy"), path=PAGE))
        == 200
    )
    with cxkit.scope(kit=claimed.kit, user_id="nancy", evidence="login"):
        assert cxkit.current().profile.preferences["news"]["sms"] == "default"


def test_where_there_is_no_topic_there_is_marketing_to_stop(kept: Any, shop: Callable[..., Any], clock: Any) -> None:
    client = shop(lambda: cxkit.grant("analytics"))
    client.ask()
    clock.advance(1)
    visitor = client.in_(shop())
    page = page_of(get(visitor, PAGE, HTML))
    assert "nothing to choose" in page.one("main").text
    assert [one.attributes["value"] for one in page.all("button")] == ["stop"]


# --- choosing -------------------------------------------------------------------------------------


def test_what_is_ticked_is_sent_and_nothing_else_changes(posted: Any, nancy: Any) -> None:
    sent = press(nancy, "save", FRENCH, ticked=("news:email", "repairs:email", "repairs:sms"))
    assert (status_of(sent), sent.all("location")) == (303, ["/cx/preferences?lang=fr&saved=1"])
    assert received(nancy)["news"] == {"email": "granted", "sms": "denied"}
    (made,) = posted.named("preference.changed")
    assert {key: made.properties[key] for key in ("topic", "channel", "choice", "by")} == {
        "topic": "news",
        "channel": "email",
        "choice": "granted",
        "by": "user",
    }
    assert may_send(posted, "news", "email") == "Clear()"
    assert may_send(posted, "receipt", "email") == "Clear()"


def test_leaving_one_leaves_every_other(posted: Any, nancy: Any, clock: Any) -> None:
    press(nancy, "save", ticked=("news:email", "news:sms", "repairs:email", "repairs:sms"))
    clock.advance(1)
    press(nancy, "save", ticked=("news:sms", "repairs:email", "repairs:sms"))
    assert received(nancy) == {
        "news": {"email": "denied", "sms": "granted"},
        "repairs": {"email": "granted", "sms": "granted"},
    }
    assert [may_send(posted, one, "email") for one in ("repairs", "receipt")] == ["Clear()", "Clear()"]


def test_all_marketing_is_stopped_and_allowed_again(posted: Any, nancy: Any, clock: Any) -> None:
    press(nancy, "save", ticked=("news:email", "repairs:email", "repairs:sms"))
    clock.advance(1)
    press(nancy, "stop")
    assert json_of(get(nancy, PAGE))["stopped"] is True
    assert received(nancy)["news"] == {"email": "denied", "sms": "denied"}
    assert received(nancy)["repairs"]["email"] == "granted"
    page = page_of(get(nancy, PAGE, HTML))
    assert "You have stopped all marketing" in page.one("main").text
    clock.advance(1)
    press(nancy, "lift")
    assert received(nancy)["news"] == {"email": "granted", "sms": "denied"}


def test_a_script_chooses(nancy: Any) -> None:
    sent = post(nancy, {"preferences": {"news": {"sms": "granted"}}}, SAME, path=PAGE)
    assert json_of(sent)["preferences"]["news"] == {"email": "denied", "sms": "granted"}
    sent = post(nancy, {"stop_marketing": True}, SAME, path=PAGE)
    assert json_of(sent)["stopped"] is True


def test_a_get_never_changes_anything(posted: Any, nancy: Any) -> None:
    get(nancy, PAGE, HTML, SAME, query="choice=stop&offered=repairs:email")
    assert json_of(get(nancy, PAGE))["stopped"] is False
    assert posted.named("preference.changed") == posted.named("preference.stopped") == []


@pytest.mark.parametrize("headers", [[], [(b"origin", b"null")], [(b"origin", b"http://shop.example.evil.example")]])
def test_what_another_site_posts_changes_nothing(posted: Any, nancy: Any, headers: list[tuple[bytes, bytes]]) -> None:
    for body in ([("choice", "stop")], {"stop_marketing": True}):
        assert error_of(post(nancy, body, *headers, path=PAGE)) == (403, "CX3170")
    assert "CX3170" in page_of(post(nancy, [("choice", "stop")], HTML, *headers, path=PAGE)).one("", role="alert").text
    assert posted.named("preference.stopped") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([("choice", "delete")], "CX3171"),
        ([], "CX3171"),
        ([("choice", "save"), ("choice", "stop")], "CX3171"),
        ([("choice", "save"), ("offered", "spam:email")], "CX3176"),
        ([("choice", "save"), ("offered", "receipt:email")], "CX3176"),
        ([("choice", "save"), ("offered", "news:fax")], "CX3176"),
        ([("choice", "save"), ("offered", "<script>" * 100)], "CX3176"),
        ({}, "CX3171"),
        ({"preferences": {"news": "denied"}}, "CX3171"),
        ({"preferences": {"news": {"email": "perhaps"}}}, "CX3171"),
        ({"preferences": {"spam": {"email": "denied"}}, "stop_marketing": True}, "CX3176"),
        ({"preferences": {}, "email": "paul@example.com"}, "CX3171"),
        (b"\xff", "CX3171"),
    ],
)
def test_what_is_wrong_changes_nothing(posted: Any, nancy: Any, body: Any, code: str) -> None:
    assert error_of(post(nancy, body, SAME, path=PAGE)) == (400, code)
    assert posted.named("preference.changed") == posted.named("preference.stopped") == []


def test_what_was_not_offered_stays_as_it_is(nancy: Any) -> None:
    post(
        nancy,
        [("choice", "save"), ("offered", "news:email"), ("cell", "news:email"), ("cell", "news:sms")],
        SAME,
        path=PAGE,
    )
    assert received(nancy) == {
        "news": {"email": "granted", "sms": "denied"},
        "repairs": {"email": "granted", "sms": "granted"},
    }


def test_nobody_who_is_not_recognised_changes_anything(posted: Any, shop: Callable[..., Any]) -> None:
    client = shop(kit=posted.kit)
    assert error_of(post(client, {"stop_marketing": True}, SAME, path=PAGE)) == (403, "CX3175")
    assert posted.named("preference.stopped") == []


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nX: y"])
def test_nobody_is_sent_elsewhere(nancy: Any, back: str) -> None:
    sent = post(nancy, [("choice", "stop"), ("back", back)], SAME, path=PAGE)
    assert sent.all("location") == ["/cx/preferences?lang=en&saved=1"]
