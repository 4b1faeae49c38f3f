"""Who is there: whom the framework knows to be signed in, and what a front end calls its visitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.codec import encode
from cxkit.settings import Web
from cxkit.web import ASGIMiddleware

ALL = ("analytics", "personalization", "advertising", "identity_stitching")


def known(one: Any) -> dict[str, tuple[str, str]]:
    return {found.type: (found.value, found.evidence) for found in one.identity.identifiers}


@pytest.fixture
def visited(make: Any, client: Any, answering: Any) -> Callable[..., Any]:
    """One request of somebody who allows everything; the visit that was captured."""

    def visited(
        act: Callable[[], object] = lambda: None, *, user: Any = lambda scope: None, headers: Any = (), **web: Any
    ) -> Any:
        kept = make({"web": Web(**web)})
        app = ASGIMiddleware(answering(lambda: (cxkit.grant(*ALL), act())), kit=kept.kit, user=user)
        browser = client(app)
        browser.ask()
        assert browser.ask(headers=list(headers)).error is None
        return kept.named("page.viewed")[-1]

    return visited


def test_whom_the_framework_knows_is_signed_in(visited: Any) -> None:
    found = known(visited(user=lambda scope: "nancy"))
    assert found["user_id"] == ("nancy", "login")
    assert found["visitor"][1] == "cookie"


def test_unless_that_is_switched_off(visited: Any) -> None:
    assert list(known(visited(user=lambda scope: "nancy", users=False))) == ["visitor"]


def test_whom_the_app_itself_named_goes_first(visited: Any) -> None:
    found = visited(lambda: cxkit.identify(user_id="marion"), user=lambda scope: "nancy")
    assert known(found)["user_id"] == ("marion", "login")


def test_who_logs_out_is_nobody_though_the_framework_names_them_still(visited: Any) -> None:
    def act() -> None:
        cxkit.identify(user_id="nancy")
        cxkit.logout()

    assert list(known(visited(act, user=lambda scope: "nancy"))) == ["visitor"]


def test_who_comes_after_a_logout_is_known(visited: Any) -> None:
    def act() -> None:
        cxkit.logout()
        cxkit.identify(user_id="marion")

    assert known(visited(act, user=lambda scope: "nancy"))["user_id"] == ("marion", "login")


def test_a_framework_that_fails_costs_what_it_knows(make: Any, client: Any, answering: Any) -> None:
    def user(scope: Any) -> str:
        raise RuntimeError("canary")

    kept = make({"strict": False})
    assert client(ASGIMiddleware(answering(), kit=kept.kit, user=user)).ask().messages[0]["status"] == 200
    assert not kept.viewed.identity


def test_the_framework_is_asked_when_the_app_is_done_with_it(make: Any, client: Any, answering: Any) -> None:
    asked: list[str] = []
    app = answering(lambda: asked.append("app"))
    client(ASGIMiddleware(app, kit=make().kit, user=lambda scope: asked.append("framework"))).ask()
    assert asked == ["app", "framework"]


def test_ids_of_a_front_end_are_claims(visited: Any) -> None:
    headers = [(b"cookie", b"ajs_anonymous_id=%22anna-7%22"), (b"x-device-id", b"d-1"), (b"x-other", b"canary")]
    web = {"id_cookies": {"ajs_anonymous_id": "segment_id"}, "id_headers": {"x-device-id": "device_id"}}
    one = visited(headers=headers, **web)
    assert known(one) == {"segment_id": ("anna-7", "claim"), "device_id": ("d-1", "claim"), **_visitor(one)}
    assert b"canary" not in encode(one)


@pytest.mark.parametrize("said", [b"cookie", b"x-device-id"])
def test_an_id_may_come_in_one_way_or_another(visited: Any, said: bytes) -> None:
    value = b"device=d-1" if said == b"cookie" else b"d-1"
    one = visited(
        headers=[(said, value)],
        id_cookies={"device": "device_id", "device_2": "device_id"},
        id_headers={"x-device-id": "device_id"},
    )
    assert known(one)["device_id"] == ("d-1", "claim")


def _visitor(one: Any) -> dict[str, tuple[str, str]]:
    return {"visitor": known(one)["visitor"]}


def test_a_claim_never_stands_above_a_login(visited: Any) -> None:
    """S17."""
    web = {"id_headers": {"x-user": "user_id"}}
    one = visited(user=lambda scope: "nancy", headers=[(b"x-user", b"mallory")], **web)
    assert known(one)["user_id"] == ("nancy", "login")


@pytest.mark.parametrize("value", [b"", b"null", b"x" * 201, b"%00", b"\xff\xfe", b"%ff", b"0", b'""'])
def test_what_identifies_nobody_is_left_out(visited: Any, value: bytes) -> None:
    one = visited(headers=[(b"x-device-id", value)], id_headers={"x-device-id": "device_id"})
    found = known(one)
    assert found.pop("visitor")
    assert all(len(text) <= 200 for text, _ in found.values())
    assert not {"", "null", "0", "\0"} & {text for text, _ in found.values()}


def test_nothing_is_claimed_before_a_choice(make: Any, client: Any, answering: Any) -> None:
    kept = make({"web": Web(id_headers={"x-device-id": "device_id"})})
    client(ASGIMiddleware(answering(), kit=kept.kit)).ask(headers=[(b"x-device-id", b"canary")])
    assert not kept.viewed.identity
    assert b"canary" not in encode(kept.viewed)
