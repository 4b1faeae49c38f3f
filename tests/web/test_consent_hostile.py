"""What is not taken for a choice: what others post, what cannot be read; and nobody is sent elsewhere."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.errors import InvalidInteractionError
from cxkit.model import Facts
from cxkit.settings import Web
from cxkit.web import posted
from cxkit.web.consent.asking import notices
from cxkit.web.consent.posted import fields_of
from cxkit.web.paths import safe_back
from tests.web.surface import (
    ASKED,
    FORM,
    FRENCH,
    HTML,
    JSON,
    SAME,
    error_of,
    get,
    json_of,
    page_of,
    post,
    status_of,
)

COUNTS = msgspec.json.Decoder(dict[str, int])


@pytest.fixture
def browser(shop: Callable[..., Any]) -> Any:
    return shop()


def chosen(client: Any) -> dict[str, str]:
    return dict(json_of(get(client))["choices"])


# --- from where --------------------------------------------------------------------------------------

ACCEPT = [("choice", "accept"), *(("asked", one) for one in ASKED), ("notice", next(iter(notices(ASKED, "en"))))]
ONE = [("asked", "analytics"), ("notice", next(iter(notices(("analytics",), "en"))))]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="missing"),
        pytest.param([(b"origin", b"null")], id="null"),
        pytest.param([(b"origin", b"")], id="empty"),
        pytest.param([(b"origin", b"https://evil.example")], id="another"),
        pytest.param([(b"origin", b"http://shop.example.evil.example")], id="suffix"),
        pytest.param([(b"origin", b"http://evil-shop.example")], id="prefix"),
        pytest.param([(b"origin", b"http://shop.example@evil.example")], id="userinfo"),
        pytest.param([(b"origin", b"http://shop.example:8080")], id="port"),
        pytest.param([(b"origin", b"http://shop.example/")], id="path"),
        pytest.param([(b"origin", b"http://shop.example http://shop.example")], id="two in one"),
        pytest.param([(b"origin", b"http://shop.example"), (b"origin", b"http://evil.example")], id="two"),
        pytest.param([(b"referer", b"http://shop.example/")], id="only a referrer"),
        pytest.param([(b"sec-fetch-site", b"cross-site")], id="cross-site"),
        pytest.param([(b"sec-fetch-site", b"same-site")], id="same-site"),
        pytest.param([(b"sec-fetch-site", b"none")], id="typed in"),
        pytest.param([(b"sec-fetch-site", b"cross-site"), (b"origin", b"http://shop.example")], id="contradiction"),
        pytest.param([(b"sec-fetch-site", b"same-origin, cross-site")], id="joined"),
    ],
)
def test_what_another_site_posts_is_no_choice(kept: Any, browser: Any, headers: list[tuple[bytes, bytes]]) -> None:
    """S16."""
    for body in (ACCEPT, {"choices": {"analytics": "granted"}}):
        sent = post(browser, body, *headers)
        assert error_of(sent) == (403, "CX3170")
        assert "pass Host on" in json_of(sent)["error"]["fix"]
        assert not sent.cookies
    page = page_of(post(browser, ACCEPT, HTML, *headers))
    assert "CX3170" in page.one("", role="alert").text
    assert page.all("input", checked="") == []
    assert kept.named("consent.changed") == []


@pytest.mark.parametrize("headers", [[SAME], [(b"origin", b"http://shop.example")]])
def test_what_a_page_of_the_site_posts_is_one(browser: Any, headers: list[tuple[bytes, bytes]]) -> None:
    assert status_of(post(browser, ACCEPT, *headers)) == 303
    assert chosen(browser)["analytics"] == "granted"


def test_a_site_that_may_post_elsewhere_may_not_choose(make: Any, shop: Callable[..., Any]) -> None:
    client = shop(kit=make({"web": Web(origins=("https://www.example.com",))}).kit)
    assert error_of(post(client, ACCEPT, (b"origin", b"https://www.example.com"))) == (403, "CX3170")


def test_who_claims_to_be_somebody_is_not_given_their_choices(make: Any, shop: Callable[..., Any]) -> None:
    """S17."""
    claimed = make({"web": Web(id_headers={"x-user": "user_id"})})
    with cxkit.scope(kit=claimed.kit, user_id="nancy", evidence="login"):
        cxkit.grant("advertising")
    somebody = shop(lambda: cxkit.grant("analytics"), kit=claimed.kit)
    get(somebody, "/")
    told = json_of(post(somebody, {"choices": {"profiling": "denied"}}, SAME, (b"x-user", b"nancy")))
    assert told["choices"] == {"analytics": "granted", "profiling": "denied"}
    assert told["allowed"] == ["necessary", "analytics"]


# --- hostile bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param([], "CX3171", id="empty"),
        pytest.param([("choice", "accept")], "CX3171", id="nothing asked"),
        pytest.param([("asked", "analytics")], "CX3171", id="no button"),
        pytest.param([("choice", "delete"), ("asked", "analytics")], "CX3171", id="another button"),
        pytest.param([*ACCEPT, ("choice", "refuse")], "CX3171", id="two buttons"),
        pytest.param([("choice", "accept"), ("asked", "spying")], "CX3172", id="unknown purpose"),
        pytest.param([("choice", "refuse"), ("asked", "x" * 10_000)], "CX3172", id="long purpose"),
        pytest.param([("choice", "refuse"), ("asked", "<script>")], "CX3172", id="markup"),
        pytest.param([("choice", "accept"), ("asked", "functional")], "CX3172", id="not asked here"),
        pytest.param([("choice", "refuse"), ("asked", "necessary")], "CX3173", id="necessary"),
        pytest.param([("choice", "accept"), ("asked", "analytics")], "CX3171", id="no text"),
        pytest.param([*ACCEPT, ("notice", "x")], "CX3171", id="two texts"),
        pytest.param([*ACCEPT[:-1], ("notice", "0" * 16)], "CX3174", id="another text"),
        pytest.param([*ACCEPT[:2], ACCEPT[-1]], "CX3174", id="text about something else"),
        pytest.param([("choice", "save"), *ACCEPT[1:], ("purpose", "functional")], "CX3172", id="not shown"),
        pytest.param(
            [("choice", "save"), *ONE, *(("purpose", one) for one in ("analytics", "advertising"))],
            "CX3174",
            id="ticked, and not shown",
        ),
    ],
)
def test_a_form_that_is_wrong_changes_nothing(kept: Any, browser: Any, body: Any, code: str) -> None:
    """B77."""
    sent = post(browser, body, SAME)
    assert error_of(sent) == (409 if code == "CX3174" else 400, code)
    page = page_of(post(browser, body, SAME, HTML, FRENCH))
    assert code in page.one("", role="alert").text
    assert not page.all("script")
    assert not browser.cookies
    assert kept.named("consent.changed") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "CX3171"),
        (b"[]", "CX3171"),
        (b"null", "CX3171"),
        (b"{}", "CX3171"),
        (b'{"choices":{}}', "CX3171"),
        (b'{"choices":{"analytics":true}}', "CX3171"),
        (b'{"choices":{"analytics":"GRANTED"}}', "CX3171"),
        (b'{"choices":["analytics"]}', "CX3171"),
        (b'{"choices":{"analytics":"granted"},"method":"operator"}', "CX3171"),
        (b'{"choices":{"analytics":"granted"},"user_id":"nancy"}', "CX3171"),
        (b'{"choices":{"analytics":"granted"},"notice":{"id":""}}', "CX3171"),
        (b'{"choices":{"analytics":"granted"},"notice":{"id":"a\\u0000"}}', "CX3171"),
        (b'{"choices":{"analytics":"granted"},"notice":{"id":"' + b"a" * 201 + b'"}}', "CX3171"),
        (b'{"choices":{"analytics":"granted"}', "CX3171"),
        (b'\xff{"choices":{}}', "CX3171"),
        (b"[" * 60_000, "CX3171"),
        (b'{"choices":' + b'{"a":' * 10_000, "CX3171"),
        (b'{"choices":{"spying":"denied"}}', "CX3172"),
        (b'{"choices":{"functional":"granted"}}', "CX3172"),
        (b'{"choices":{"necessary":"denied"}}', "CX3173"),
        (b'{"choices":{"analytics":"granted","necessary":"denied"}}', "CX3173"),
    ],
)
def test_json_that_is_wrong_changes_nothing(kept: Any, browser: Any, body: bytes, code: str) -> None:
    """B64."""
    assert error_of(post(browser, body, SAME, JSON)) == (400, code)
    assert not browser.cookies
    assert kept.named("consent.changed") == []


@pytest.mark.parametrize(
    "kind", [b"", b"text/plain", b"multipart/form-data; boundary=x", b"application/jsonx", b"text/json", b";"]
)
def test_nothing_else_is_read(browser: Any, kind: bytes) -> None:
    sent = post(browser, b'{"choices":{"analytics":"granted"}}', SAME, (b"content-type", kind))
    assert error_of(sent) == (400, "CX3171")
    error = json_of(sent)["error"]
    assert "neither application/x-www-form-urlencoded nor application/json" in error["what"]
    assert "new URLSearchParams(new FormData(form))" in error["fix"]


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"choice=%FF&asked=analytics", b"choice=accept&" + b"a=&" * 20_000, "choice=é".encode()]
)
def test_a_form_that_is_none_is_not_read(browser: Any, body: bytes) -> None:
    """B64."""
    assert error_of(post(browser, body, SAME, FORM)) == (400, "CX3171")


def test_a_body_that_is_too_long_is_not_read(browser: Any) -> None:
    assert status_of(post(browser, b"a" * 65_537, SAME, FORM)) == 413


@given(st.binary(max_size=200), st.sampled_from([FORM, JSON]))
def test_no_body_makes_it_fail(body: bytes, kind: tuple[bytes, bytes]) -> None:
    facts = Facts(method="POST", scheme="http", host="x", path="/", headers={"content-type": kind[1].decode()})
    try:
        fields_of(body).all("a") if kind is FORM else posted.json_of(facts, body, COUNTS)
    except InvalidInteractionError as error:
        code = error.code
    else:
        code = None
    assert code in (None, "CX3171")


# --- where to go back to (B76) -----------------------------------------------------------------------------

ELSEWHERE = {
    "two slashes": "//evil.example",
    "three slashes": "///evil.example",
    "scheme without slashes": "https:evil.example",
    "scheme": "https://evil.example/",
    "slash and backslash": "/\\evil.example",
    "backslashes": "\\\\evil.example",
    "user": "https://ok.example@evil.example",
    "suffix": "https://shop.example.evil.example",
    "backslash in the host": "https://evil.example\\.shop.example",
    "line feed": "/\n/evil.example",
    "carriage return": "/\r/evil.example",
    "tab": "/\t/evil.example",
    "header": "/\r\nSet-Cookie: a=1",
    "end of line": "/cart\n",
    "script": "javascript:alert(1)",
    "data": "data:text/html,x",
    "ideographic full stop": "//evil\u3002example",
    "Cyrillic": "https://sh\u043ep.example",
    "trailing dot": "https://shop.example./",
    "no slash": "shop.example",
    "space first": " //evil.example",
    "control character": "\x01//evil.example",
    "nothing": "",
    "dots to two slashes": "/.//evil.example",
    "two slashes later": "/a//evil.example",
    "fragment": "/#//evil.example",
    "not ASCII": "/caf\u00e9",
    "half an escape": "/%e",
    "NUL": "/\x00",
    "full-width slash": "/\uff0fevil.example",
    "too long": "/" + "a" * 2_001,
}


@pytest.mark.parametrize("back", ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_nobody_is_sent_elsewhere(browser: Any, back: str) -> None:
    """B76, B77, S4."""
    sent = post(browser, [*ACCEPT, ("back", back)], HTML, SAME)
    assert (status_of(sent), sent.all("location")) == (303, ["/cx/consent?lang=en&saved=1"])
    assert len(sent.all("set-cookie")) == len(sent.cookies)


@pytest.mark.parametrize("back", ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_no_page_links_elsewhere(browser: Any, back: str) -> None:
    """B76."""
    page = page_of(get(browser, "/cx/consent", HTML, query=urlencode({"back": back})))
    assert all(one.attributes["href"].startswith("/cx/") for one in page.all("a"))
    assert page.all("input", name="back") == []


def test_two_ways_back_are_none(browser: Any) -> None:
    """B76."""
    sent = post(browser, [*ACCEPT, ("back", "/a"), ("back", "//evil.example")], SAME)
    assert error_of(sent) == (400, "CX3171")


@pytest.mark.parametrize(
    "back", ["/", "/cart", "/cart?step=2&x=%2F%2F", "/a/b;c=1/d.e~f@g:h", "/%2F%2Fevil", "/%5Cevil"]
)
def test_a_path_of_this_site_is_gone_back_to(browser: Any, back: str) -> None:
    assert post(browser, [*ACCEPT, ("back", back)], HTML, SAME).all("location") == [back]


@given(
    st.one_of(
        st.text(max_size=40),
        st.text("/\\.:@?#%\t\r\n ehtps" + string.digits, max_size=30),
        st.tuples(st.sampled_from(list(ELSEWHERE.values())), st.text("/\\.@%2Fa", max_size=10)).map("".join),
    )
)
def test_whatever_is_gone_back_to_is_on_this_site(text: str) -> None:
    """B76."""
    back = safe_back(text)
    if back is None:
        return
    assert back == text
    assert back.isascii()
    assert back.isprintable()
    there = urlsplit(urljoin("https://shop.example/cx/consent", back))
    assert (there.scheme, there.netloc) == ("https", "shop.example")
    assert not there.path.startswith("//")
