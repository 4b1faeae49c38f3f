"""Where choices are read and made: for people without JavaScript, and for scripts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import cxkit
from cxkit.settings import Consent, Web
from cxkit.web import WSGIMiddleware
from cxkit.web.consent.asking import SELLING, notices
from tests.web.surface import (
    ASKED,
    FORM,
    FRENCH,
    GPC,
    HTML,
    SAME,
    ask,
    get,
    json_of,
    page_of,
    post,
    status_of,
    text_of,
)

DAY_S = 86_400


@pytest.fixture
def browser(shop: Callable[..., Any]) -> Any:
    return shop()


def chosen(client: Any) -> dict[str, str]:
    return dict(json_of(get(client))["choices"])


def press(client: Any, choice: str, *headers: tuple[bytes, bytes], ticked: tuple[str, ...] | None = None) -> Any:
    """Press a button of the page, as a browser without JavaScript does."""
    fields = page_of(get(client, "/cx/consent", HTML, *headers)).fields(choice=choice, ticked=ticked)
    return post(client, fields, HTML, SAME, *headers)


# --- reading --------------------------------------------------------------------------------------


def test_a_script_is_told_what_is_asked_and_what_holds(browser: Any) -> None:
    sent = get(browser)
    assert json_of(sent) == {
        "ask": True,
        "asked": list(ASKED),
        "due": list(ASKED),
        "choices": {},
        "allowed": ["necessary"],
        "policy": "strict/1",
        "mechanism": "opt_in",
        "gpc": False,
    }
    assert sent.all("cache-control") == ["private, no-store"]
    assert not sent.cookies


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True),
        ("text/html;q=0.9, application/json;q=0.8", True),
        ("application/xhtml+xml", True),
        ("text/*", True),
        ("TEXT/HTML", True),
        ("*/*", False),
        ("", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("text/html;q=0.0, */*", False),
        (";;,,q=1;q=", False),
        ("text/html;q=9", True),
        ("," * 100_000 + "text/html", False),
    ],
)
def test_people_get_a_page_and_scripts_get_json(browser: Any, accept: str, html: bool) -> None:
    sent = get(browser, "/cx/consent", (b"accept", accept.encode()))
    assert sent.all("content-type") == ["text/html; charset=utf-8" if html else "application/json"]


def test_the_page_has_a_label_and_a_meaning_for_each_purpose(browser: Any) -> None:
    page = page_of(get(browser, "/cx/consent", HTML))
    boxes = page.all("input", type="checkbox")
    assert [one.attributes["value"] for one in boxes] == list(ASKED)
    for box in boxes:
        assert page.one("label", for_=box.attributes["id"]).text
        assert page.one("", id=box.attributes["aria-describedby"]).text
        assert "checked" not in box.attributes
        assert box.within("fieldset")
    assert page.one("legend").text
    assert page.one("html").attributes["lang"] == "en"
    assert page.one("h1").text == page.one("title").text == "Your choices"
    assert page.one("h1").within("main")
    form = page.one("form")
    assert (form.attributes["method"], form.attributes["action"]) == ("post", "/cx/consent")
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))


def test_every_answer_has_the_same_weight_and_enter_presses_none_of_the_two(browser: Any) -> None:
    buttons = page_of(get(browser, "/cx/consent", HTML)).all("button")
    assert [one.attributes["value"] for one in buttons] == ["save", "refuse", "accept"]
    assert {one.attributes["class"] for one in buttons} == {"cx-button"}


def test_a_page_needs_no_script_and_no_inline_style_and_lets_nobody_frame_it(browser: Any) -> None:
    sent = get(browser, "/cx/consent", HTML)
    page = page_of(sent)
    assert not page.all("script")
    assert not page.all("style")
    assert not any(key == "style" or key.startswith("on") for one in page.elements for key in one.attributes)
    (policy,) = sent.all("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert sent.all("cache-control") == ["private, no-store"]
    assert sent.all("referrer-policy") == ["same-origin"]  # with none, a browser would post "Origin: null"


@pytest.mark.parametrize(
    ("query", "accepts", "language"),
    [
        ("", None, "en"),
        ("", b"fr", "fr"),
        ("", b"fr-CA,fr;q=0.9,en;q=0.5", "fr"),
        ("", b"de, en;q=0.1, fr;q=0.2", "fr"),
        ("", b"fr;q=0, de", "en"),
        ("", b"*", "en"),
        ("lang=fr", b"en", "fr"),
        ("lang=fr-BE", b"en", "fr"),
        ("lang=tlh", b"fr", "fr"),
        ("lang=%3Cscript%3E", b"fr", "fr"),
        ("lang=%FF", None, "en"),
        ("lang=fr&lang=en", None, "fr"),
    ],
)
def test_the_language_is_the_one_asked_for(browser: Any, query: str, accepts: bytes | None, language: str) -> None:
    headers = [(b"accept-language", accepts)] if accepts else []
    sent = get(browser, "/cx/consent", HTML, *headers, query=query)
    assert page_of(sent).one("html").attributes["lang"] == language
    assert sent.all("content-language") == [language]


@pytest.mark.parametrize("page", ["/cx/consent", "/cx/preferences"])
@pytest.mark.parametrize(
    ("chosen", "query", "language", "vary"),
    [
        ("fr", "", "fr", ["Cookie"]),
        ("fr-CA", "", "fr", ["Cookie"]),
        ("fr", "lang=en", "en", []),
        ("fr", "lang=tlh", "fr", ["Cookie"]),
        ("de", "", "en", ["Accept-Language"]),
    ],
)
def test_our_own_pages_are_in_the_language_that_was_chosen(
    visitor: Any, shop: Any, page: str, chosen: str, query: str, language: str, vary: list[str]
) -> None:
    visitor.in_(shop(lambda: cxkit.choose_language(chosen))).ask()
    sent = get(visitor, page, HTML, (b"accept-language", b"en"), query=query)
    assert page_of(sent).one("html").attributes["lang"] == language
    assert sent.all("vary") == vary
    assert "private" in sent.all("cache-control")[0]


@pytest.mark.parametrize("query", ["choice=accept", "choice=accept&asked=analytics&purpose=analytics", "saved=1"])
def test_a_get_never_changes_anything(kept: Any, browser: Any, query: str) -> None:
    for method in ("GET", "HEAD"):
        sent = ask(browser, "/cx/consent", HTML, SAME, method=method, query=query)
        assert status_of(sent) == 200
        assert not sent.cookies
    assert chosen(browser) == {}
    assert kept.named("consent.changed") == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_is_answered(browser: Any, method: str) -> None:
    sent = ask(browser, "/cx/consent", SAME, method=method)
    assert status_of(sent) == 405
    assert sent.all("allow") == ["GET, HEAD, POST"]


# --- choosing by a form ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "ticked", "granted", "method"),
    [
        ("accept", (), ASKED, "accept"),
        ("refuse", ASKED, (), "reject"),
        ("save", ("analytics", "advertising"), ("analytics", "advertising"), "save"),
        ("save", (), (), "save"),
    ],
)
def test_a_choice_is_recorded_with_the_text_that_was_shown(
    kept: Any, browser: Any, choice: str, ticked: tuple[str, ...], granted: tuple[str, ...], method: str
) -> None:
    sent = press(browser, choice, FRENCH, ticked=ticked)
    assert (status_of(sent), sent.all("location")) == (303, ["/cx/consent?lang=fr&saved=1"])
    assert sent.all("cache-control") == ["private, no-store"]
    assert list(sent.cookies) == (["cxkit_visitor"] if granted else []) + ["cxkit_consent"]
    assert chosen(browser) == {one: "granted" if one in granted else "denied" for one in ASKED}
    (made,) = kept.named("consent.changed")
    assert made.properties["method"] == method
    assert made.properties["notice"]["id"] == "cxkit-page"
    assert made.properties["notice"]["language"] == "fr"
    assert made.properties["notice"]["version"] in notices(ASKED, "fr")
    page = page_of(get(browser, "/cx/consent", HTML, query="lang=fr&saved=1"))
    assert page.one("", role="status").text == "Vos choix sont enregistrés."
    assert [one.attributes["value"] for one in page.all("input", checked="")] == list(granted)


def test_what_was_chosen_can_be_changed_and_the_visitor_stays_the_same(kept: Any, clock: Any, browser: Any) -> None:
    press(browser, "save", ticked=("analytics",))
    before = browser.cookies["cxkit_visitor"]
    clock.advance(1)
    press(browser, "save", ticked=("personalization",))
    assert chosen(browser)["analytics"] == "denied"
    assert browser.cookies["cxkit_visitor"] == before
    assert len(kept.named("consent.changed")) == 2
    clock.advance(1)
    press(browser, "refuse")
    assert list(browser.cookies) == ["cxkit_consent"]


def test_after_a_choice_the_visitor_goes_back_where_they_came_from(browser: Any) -> None:
    page = page_of(get(browser, "/cx/consent", HTML, query="back=/cart%3Fstep=2"))
    assert page.one("a", href="/cart?step=2").text == "Back"
    sent = post(browser, page.fields(choice="refuse"), HTML, SAME)
    assert sent.all("location") == ["/cart?step=2"]


def test_where_an_app_is_mounted_its_pages_are_below(shop: Callable[..., Any]) -> None:
    client = shop()
    page = page_of(ask(client, "/shop/cx/consent", HTML, root_path="/shop"))
    assert page.one("form").attributes["action"] == "/shop/cx/consent"
    assert page.one("link").attributes["href"].startswith("/shop/cx/cx.css?")


# --- choosing by a script ------------------------------------------------------------------------------


def test_a_script_chooses_and_is_told_what_holds_now(kept: Any, browser: Any) -> None:
    notice = {"id": "our-own", "version": "3", "language": "de"}
    sent = post(browser, {"choices": {"analytics": "granted", "advertising": "denied"}, "notice": notice}, SAME)
    assert status_of(sent) == 200
    told = json_of(sent)
    assert told["choices"] == {"analytics": "granted", "advertising": "denied"}
    assert told["allowed"] == ["necessary", "analytics"]
    assert (told["ask"], told["due"]) == (True, ["personalization", "profiling"])
    (made,) = kept.named("consent.changed")
    assert (made.properties["method"], made.properties["notice"]) == ("save", notice)


def test_anything_known_can_be_refused_also_what_is_not_asked_here(browser: Any) -> None:
    sent = post(browser, {"choices": {"functional": "denied"}}, SAME)
    assert json_of(sent)["choices"] == {"functional": "denied"}


def test_what_was_allowed_elsewhere_can_be_taken_back_here(kept: Any, shop: Callable[..., Any]) -> None:
    client = shop()
    elsewhere = client.in_(shop(lambda: cxkit.grant("functional")))
    elsewhere.ask()
    page = page_of(get(client, "/cx/consent", HTML))
    assert [one.attributes["value"] for one in page.all("input", checked="")] == ["functional"]
    press(client, "refuse")
    assert chosen(client)["functional"] == "denied"


# --- whether to ask ------------------------------------------------------------------------------------


def test_nobody_is_asked_again_before_it_is_time(clock: Any, browser: Any) -> None:
    press(browser, "refuse")
    assert json_of(get(browser))["ask"] is False
    clock.advance(179 * DAY_S)
    assert json_of(get(browser))["ask"] is False
    clock.advance(2 * DAY_S)
    assert json_of(get(browser))["due"] == list(ASKED)


def test_only_what_is_new_is_asked_for(make: Any, shop: Callable[..., Any]) -> None:
    client = shop(kit=make({"web": Web(asked=("analytics",))}).kit)
    press(client, "refuse")
    later = client.in_(shop(kit=make({"web": Web(asked=("analytics", "advertising"))}).kit))
    told = json_of(get(later))
    assert (told["ask"], told["due"], told["asked"]) == (True, ["advertising"], ["analytics", "advertising"])


def test_where_nothing_is_asked_the_page_says_what_is_necessary(make: Any, shop: Callable[..., Any]) -> None:
    client = shop(kit=make({"web": Web(asked=())}).kit)
    assert json_of(get(client))["ask"] is False
    page = page_of(get(client, "/cx/consent", HTML))
    assert "Necessary" in page.one("main").text
    assert not page.all("button")


# --- Global Privacy Control ------------------------------------------------------------------------------


def test_the_browsers_signal_is_obeyed_and_said(browser: Any) -> None:
    told = json_of(get(browser, "/cx/consent", GPC))
    assert (told["gpc"], told["due"]) == (True, ["analytics", "personalization", "profiling"])
    page = page_of(get(browser, "/cx/consent", HTML, GPC))
    assert "Global Privacy Control" in page.one("main").text
    assert "refused by your browser" in page.one("main").text


def test_to_accept_all_does_not_outweigh_the_signal_but_a_tick_does(clock: Any, browser: Any) -> None:
    press(browser, "accept", GPC)
    assert "advertising" not in json_of(get(browser, "/cx/consent", GPC))["allowed"]
    assert json_of(get(browser, "/cx/consent", GPC))["ask"] is False
    clock.advance(1)
    press(browser, "save", GPC, ticked=ASKED)
    assert "advertising" in json_of(get(browser, "/cx/consent", GPC))["allowed"]
    assert "Global Privacy Control" not in page_of(get(browser, "/cx/consent", HTML, GPC)).one("main").text


def test_where_the_signal_leaves_nothing_to_ask_accepting_records_nothing(make: Any, shop: Callable[..., Any]) -> None:
    asked = make({"web": Web(asked=("advertising",))})
    client = shop(kit=asked.kit)
    assert json_of(get(client, "/cx/consent", GPC))["ask"] is False
    assert status_of(press(client, "accept", GPC)) == 303
    assert asked.named("consent.changed") == []


# --- where one has to object -------------------------------------------------------------------------------


def test_where_one_has_to_object_the_page_says_so_and_lets_them(make: Any, shop: Callable[..., Any]) -> None:
    client = shop(kit=make({"consent": Consent(policy="us"), "web": Web(asked=("analytics",))}).kit)
    told = json_of(get(client))
    assert (told["ask"], told["mechanism"], told["asked"]) == (False, "opt_out", ["analytics", *SELLING])
    page = page_of(get(client, "/cx/consent", HTML))
    assert "sold or shared, unless you object" in page.one("main").text
    assert [one.attributes["value"] for one in page.all("input", checked="")] == ["analytics", *SELLING]
    press(client, "save", ticked=("analytics",))
    told = json_of(get(client))
    assert set(told["allowed"]).isdisjoint(SELLING)
    assert "analytics" in told["allowed"]
    assert "is not sold or shared" in page_of(get(client, "/cx/consent", HTML)).one("main").text


# --- the rest -------------------------------------------------------------------------------------------


def test_the_stylesheet_is_the_same_for_all_and_kept(browser: Any) -> None:
    sent = get(browser, "/cx/cx.css")
    assert sent.all("content-type") == ["text/css; charset=utf-8"]
    assert sent.all("cache-control") == ["public, max-age=86400"]
    (tag,) = sent.all("etag")
    href = page_of(get(browser, "/cx/consent", HTML)).one("link").attributes["href"]
    assert parse_qs(urlsplit(href).query)["v"] == [tag.strip('"')]
    again = get(browser, "/cx/cx.css", (b"if-none-match", f'"x", W/{tag}'.encode()))
    assert (status_of(again), text_of(again), again.all("etag")) == (304, "", [tag])
    assert status_of(get(browser, "/cx/cx.css", (b"if-none-match", b'"x"'))) == 200


def test_wsgi_takes_a_choice_alike(kept: Any) -> None:
    began: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("the app is not asked")

    body = b"choice=refuse&asked=analytics&back=/cart"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/cx/consent",
        "HTTP_HOST": "shop.example",
        "HTTP_ORIGIN": "http://shop.example",
        "CONTENT_TYPE": FORM[1].decode(),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    answer = WSGIMiddleware(app, kit=kept.kit)(environ, lambda *given: began.append(given))
    assert b"".join(answer) == b""
    ((status, headers, *_),) = began
    assert status.startswith("303")
    assert {key.lower(): value for key, value in headers}["location"] == "/cart"
    assert any(value.startswith("cxkit_consent=") for _, value in headers)


def test_no_page_of_our_own_is_a_visit(kept: Any, browser: Any) -> None:
    get(browser)
    press(browser, "accept")
    assert kept.named("page.viewed") == []
