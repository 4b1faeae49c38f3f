"""The banner: when it asks, what it is made of, and that nobody gets another's; texts and colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.model import CHANNELS, PURPOSES
from cxkit.settings import Consent, Web
from cxkit.testing import recorder
from cxkit.web import ASGIMiddleware, banner, consent_url, template_globals
from cxkit.web.consent.asking import SELLING
from cxkit.web.consent.texts import TEXTS, notice_of, spoken
from cxkit.web.markup import Html
from tests.web.surface import ASKED, FRENCH, GPC, HTML, SAME, Read, get, json_of, page_of, post

Seen = Callable[..., tuple[Any, Read]]


@pytest.fixture
def site(kept: Any, shop: Callable[..., Any]) -> Callable[..., Any]:
    """A browser on a site whose every page has the banner; what it showed last is in its ``shown``."""

    def site(*, kit: Any = None, act: Callable[[], object] = lambda: None, **options: Any) -> Any:
        def shows() -> None:
            act()
            client.shown = banner(**options)

        client = shop(shows, kit=kit or kept.kit)
        return client

    return site


def look(client: Any, *headers: tuple[bytes, bytes], path: str = "/", query: str = "") -> Read:
    client.sent = get(client, path, *headers, query=query)
    return Read(str(client.shown))


def press(client: Any, choice: str, *headers: tuple[bytes, bytes]) -> Any:
    return post(client, look(client, *headers).fields(choice=choice), HTML, SAME, *headers)


# --- when it asks ---------------------------------------------------------------------------------


def test_it_asks_until_there_is_a_choice_and_then_is_a_link(clock: Any, site: Callable[..., Any]) -> None:
    client = site()
    assert look(client).one("h2").text == "May we use what you do here?"
    press(client, "refuse")
    page = look(client)
    assert not page.all("form")
    assert page.one("a").text == "Your choices"
    clock.advance(181 * 86_400)
    assert look(client).all("form")


@pytest.mark.parametrize(("choice", "granted"), [("accept", ASKED), ("refuse", ())])
def test_its_answer_is_recorded_with_its_text(
    kept: Any, site: Callable[..., Any], choice: str, granted: tuple[str, ...]
) -> None:
    client = site()
    assert press(client, choice, FRENCH).all("location") == ["/"]
    told = json_of(get(client))["choices"]
    assert told == {one: "granted" if one in granted else "denied" for one in ASKED}
    (made,) = kept.named("consent.changed")
    assert (made.properties["notice"]["id"], made.properties["notice"]["language"]) == ("cxkit-banner", "fr")


def test_it_asks_only_for_what_is_open(make: Any, site: Callable[..., Any]) -> None:
    client = site(kit=make({"web": Web(asked=("analytics",))}).kit)
    press(client, "accept")
    later = client.in_(site(kit=make({"web": Web(asked=("analytics", "advertising"))}).kit))
    page = look(later)
    assert [one.attributes["value"] for one in page.all("input", name="asked")] == ["advertising"]
    assert "Statistics" not in str(later.shown)
    press(later, "refuse")
    assert json_of(get(later))["choices"] == {"analytics": "granted", "advertising": "denied"}


def test_what_the_browser_refuses_is_not_asked_for(site: Callable[..., Any]) -> None:
    page = look(site(), GPC)
    assert "advertising" not in [one.attributes["value"] for one in page.all("input", name="asked")]


def test_nothing_is_asked_while_it_is_not_known_what_was_chosen(site: Callable[..., Any]) -> None:
    def unknown() -> None:
        scope = current_scope()
        assert scope is not None
        scope.pending = True

    assert not look(site(act=unknown)).all("form")


def test_a_text_that_is_no_longer_shown_grants_nothing_but_refuses_all_the_same(
    kept: Any, make: Any, site: Callable[..., Any]
) -> None:
    client = site()
    fields = [(name, "old" if name == "notice" else value) for name, value in look(client).fields(choice="refuse")]
    assert post(client, fields, SAME).all("location") == ["/"]
    (made,) = kept.named("consent.changed")
    assert "notice" not in made.properties


# --- what it is made of ---------------------------------------------------------------------------


def test_it_is_a_landmark_with_a_name_and_its_language(site: Callable[..., Any]) -> None:
    page = look(site(), FRENCH)
    section = page.one("section")
    assert section.attributes["lang"] == "fr"
    title = page.one("", id=section.attributes["aria-labelledby"])
    assert (title.name, title.text) == ("h2", "Pouvons-nous utiliser ce que vous faites ici\u00a0?")
    assert not page.all("script")
    assert not any(key in ("style", "tabindex", "autofocus", "aria-modal", "role") or key.startswith("on")
                   for one in page.elements for key in one.attributes)  # fmt: skip


def test_its_three_answers_have_one_weight(site: Callable[..., Any]) -> None:
    page = look(site(), path="/a page", query="q=1")
    refuse, accept, choose = page.all("", class_="cx-button")
    assert [one.name for one in (refuse, accept, choose)] == ["button", "button", "a"]
    assert [refuse.attributes["value"], accept.attributes["value"]] == ["refuse", "accept"]
    assert choose.attributes["href"] == "/cx/consent?lang=en&back=/a%2520page"  # no query: links are logged
    assert page.one("input", name="back").attributes["value"] == "/a%20page?q=1"
    assert page.one("form").attributes == {"method": "post", "action": "/cx/consent"}


def test_every_purpose_is_named_and_explained(site: Callable[..., Any]) -> None:
    page = look(site())
    assert [one.text for one in page.all("dt")] == [TEXTS["en"][one] for one in ASKED]
    assert [one.text for one in page.all("dd")] == [TEXTS["en"][f"{one}.means"] for one in ASKED]
    assert all(TEXTS["en"][one] in page.one("p").text for one in ASKED)
    assert page.one("summary").within("details")


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "javascript:alert(1)", '"><script>'])
def test_a_way_back_that_is_none_is_replaced(site: Callable[..., Any], back: str) -> None:
    page = look(site(back=back), path="/cart")
    assert page.one("input", name="back").attributes["value"] == "/cart"


def test_nobody_comes_back_to_what_they_posted(site: Callable[..., Any]) -> None:
    """There may be no page to ask for: 405."""
    client = site()
    post(client, [], SAME, path="/cart")
    page = Read(str(client.shown))
    assert not page.all("input", name="back")
    assert page.one("a", class_="cx-button").attributes["href"] == "/cx/consent?lang=en"


def test_a_hostile_address_stays_an_address(site: Callable[..., Any]) -> None:
    """B77."""
    page = look(site(), path='/"><script>alert(1)</script>', query='"><script>')
    assert not page.all("script")
    assert page.one("input", name="back").attributes["value"].startswith("/%22%3E%3Cscript")
    assert not look(site(), path="//evil.example").all("input", name="back")


@pytest.mark.parametrize("language", ["fr", "fr-CA", "FR_fr"])
def test_an_app_may_say_which_language(site: Callable[..., Any], language: str) -> None:
    assert look(site(language=language)).one("section").attributes["lang"] == "fr"


def test_a_language_that_is_none_is_the_browsers(site: Callable[..., Any]) -> None:
    assert look(site(language='"><script>'), FRENCH).one("section").attributes["lang"] == "fr"


# --- nobody gets another's --------------------------------------------------------------------------


def test_a_page_with_it_is_for_one_visitor(kept: Any, shop: Callable[..., Any]) -> None:
    client = shop(banner, headers=[(b"cache-control", b"public, max-age=60"), (b"vary", b"Accept")])
    sent = get(client, "/")
    assert sent.all("cache-control") == ["max-age=60, private"]
    assert sent.all("vary") == ["Accept, Cookie, Accept-Language"]


def test_it_is_in_the_language_that_was_chosen_and_leaves_that_of_the_page(
    visitor: Any, shop: Callable[..., Any], kept: Any
) -> None:
    shown: list[str] = []

    def act() -> None:
        cxkit.choose_language("fr")
        shown.append(banner())
        cxkit.language(["de", "it"])
        shown.append(banner(language="en"))

    get(visitor.in_(shop(act)), "/", (b"accept-language", b"en"))
    assert [Read(one).one("section").attributes["lang"] for one in shown] == ["fr", "en"]
    assert kept.named("page.viewed")[-1].context.locale == "de"


def test_also_when_a_scope_within_has_it(kept: Any, shop: Callable[..., Any]) -> None:
    def within() -> None:
        with cxkit.scope(channel="web"):
            banner()

    assert get(shop(within), "/").all("cache-control") == ["private"]


@pytest.mark.parametrize(("language", "lang"), [("fr-CA", "fr"), ("nl", "en"), (None, "en")])
def test_where_others_may_get_the_response_it_is_the_same_for_all(
    kept: Any, client: Any, site: Callable[..., Any], language: str | None, lang: str
) -> None:
    shown: list[str] = []

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]})
        shown.append(banner(language=language))
        await send({"type": "http.response.body", "body": b""})

    visitor = client(ASGIMiddleware(late, kit=kept.kit))
    get(visitor, "/")
    get(visitor, "/", FRENCH)
    press(chooser := site(), "refuse")
    get(chooser.in_(visitor), "/")
    assert shown[0] == shown[1] == shown[2]
    page = Read(shown[0])
    assert not page.all("form")
    assert (page.one("div").attributes["lang"], page.one("a").text) == (lang, TEXTS[lang]["title"])
    with cxkit.scope(kit=kept.kit, channel="web"):  # outside a request likewise
        assert Read(banner(language=language)).one("section").attributes["lang"] == lang


def test_it_never_raises_into_the_app(make: Any, clock: Any, shop: Callable[..., Any]) -> None:
    stopped = False
    shown: list[str] = []

    def time_ns() -> int:
        return int(clock.time_ns() / (not stopped))

    def act() -> None:
        nonlocal stopped
        stopped = True
        shown.append(banner())
        stopped = False

    kept = make({"strict": False}, time_ns=time_ns)
    get(shop(act, kit=kept.kit), "/")
    assert shown == [""]
    assert sum(kept.kit.intake.noted.values()) == 1


def test_outside_a_request_there_is_nothing_to_ask() -> None:
    with recorder(strict=False) as record:
        assert (banner(), consent_url()) == ("", "")
        assert sum(record.kit.intake.noted.values()) == 2


def test_where_nothing_is_mounted_nothing_is_asked(make: Any, site: Callable[..., Any]) -> None:
    client = site(kit=make({"web": Web(mount="")}).kit)
    get(client, "/")
    assert client.shown == ""


# --- where one has to object --------------------------------------------------------------------------


def test_where_one_has_to_object_it_is_a_notice_with_one_button(make: Any, site: Callable[..., Any]) -> None:
    client = site(kit=make({"consent": Consent(policy="us_opt_out")}).kit)
    page = look(client)
    assert page.one("button").text == "Do not sell or share my data"
    assert page.one("section").attributes["aria-labelledby"] == page.one("p").attributes["id"]
    press(client, "refuse")
    told = json_of(get(client))
    assert told["choices"] == dict.fromkeys(SELLING, "denied")
    assert "analytics" in told["allowed"]
    page = look(client)
    assert not page.all("form")
    assert "not sold or shared" in page.one("p").text


def test_where_one_has_to_object_the_browsers_signal_does(make: Any, site: Callable[..., Any]) -> None:
    page = look(site(kit=make({"consent": Consent(policy="us_opt_out")}).kit), GPC)
    assert not page.all("form")
    assert "Global Privacy Control" in page.one("p").text


# --- in templates --------------------------------------------------------------------------------------


def test_template_engines_do_not_escape_it_and_what_is_joined_to_it_is(site: Callable[..., Any]) -> None:
    from django.template import Context, Engine
    from django.utils.html import conditional_escape
    from jinja2 import Environment

    environment = Environment(autoescape=True)
    environment.globals.update(template_globals())
    template = environment.from_string(
        "{{ cx_banner(language='fr') }}|{{ cx_beacon() }}|{{ cx_consent_url() }}|{{ '<b>' }}"
    )
    shown: list[str] = []
    client = site(act=lambda: shown.append(template.render()), language="fr")
    look(client)
    asked, beacon, *others = shown[0].split("|")
    assert asked == client.shown
    assert beacon.startswith('<script src="/cx/cx.js?v=')
    assert others == ["/cx/consent?back=/", "&lt;b&gt;"]
    assert Engine().from_string("{{ it }}").render(Context({"it": client.shown})) == str(client.shown)
    assert conditional_escape(Html("<p>") + "<script>") == "&lt;p&gt;&lt;script&gt;"


def test_its_place_can_be_linked_to(site: Callable[..., Any]) -> None:
    shown: list[str] = []
    urls = [{}, {"language": "fr"}, {"language": "&x="}, {"back": "/cart"}, {"back": "//evil.example"}]
    client = site(act=lambda: shown.extend(consent_url(**one) for one in urls))
    get(client, "/sweets/dragée", HTML, query="token=secret")
    here = "/sweets/drag%25C3%25A9e"
    assert shown == [
        f"/cx/consent?back={here}",
        f"/cx/consent?lang=fr&back={here}",
        f"/cx/consent?lang=%26x%3D&back={here}",
        "/cx/consent?back=/cart",
        f"/cx/consent?back={here}",
    ]
    page = page_of(get(client, "/cx/consent", HTML, query=shown[0].partition("?")[2]))
    assert page.one("a", href="/sweets/drag%C3%A9e").text == "Back"


# --- texts ---------------------------------------------------------------------------------------------


def test_both_languages_say_the_same_things() -> None:
    assert list(TEXTS["fr"]) == list(TEXTS["en"])
    for texts in TEXTS.values():
        assert {*PURPOSES, *(f"{one}.means" for one in PURPOSES), *(f"channel.{one}" for one in CHANNELS)} <= set(texts)
        assert all(text and text == text.strip() and not set("<>&") & set(text) for text in texts.values())
    same = {key for key in TEXTS["en"] if TEXTS["en"][key] == TEXTS["fr"][key]}
    assert same == {"channel.web", "channel.email", "channel.sms", "channel.push"}


def test_french_is_set_as_french_is() -> None:
    for text in TEXTS["fr"].values():
        assert not re.search(r"[^\u00a0][:;!?»]|«[^\u00a0]", text), text


def test_a_text_that_differs_by_a_letter_has_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {notice_of("x", keys, language).version for keys in (("ask",), ("ask", "save")) for language in TEXTS}
    assert len(versions) == 4
    assert notice_of("x", ("ask",), "en") == notice_of("x", ("ask",), "en")


@pytest.mark.parametrize("said", ["", None, ",,,", "fr;q=x", "fr;q=2", "\xff", "a" * 100_000, "fr-" * 50_000, ";q=1"])
def test_a_language_that_cannot_be_read_is_english(said: str | None) -> None:
    assert spoken(said) in (None, "fr")


# --- colours --------------------------------------------------------------------------------------------

CSS = files("cxkit.web.consent").joinpath("cx.css").read_text("utf-8")


DARK = "@media (prefers-color-scheme: dark)"


def schemes() -> dict[str, dict[str, str]]:
    light, dark = (dict(re.findall(r"--cx-([a-z-]+): (#[0-9a-f]{6});", part)) for part in CSS.split(DARK))
    return {"light": light, "dark": dark}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("text", "ground", 4.5),
        ("quiet", "ground", 4.5),
        ("link", "ground", 4.5),
        ("button-text", "button", 4.5),
        ("button", "ground", 3),
        ("edge", "ground", 3),
        ("focus", "ground", 3),
    ],
)
def test_everything_can_be_read(scheme: str, front: str, back: str, least: float) -> None:
    colours = schemes()[scheme]
    assert set(colours) == {"ground", "text", "quiet", "edge", "link", "button", "button-text", "focus"}
    assert contrast(colours[front], colours[back]) >= least


def test_contrast_is_computed_as_the_standard_has_it() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_stylesheet_touches_nothing_of_the_apps() -> None:
    bare = re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)
    selectors = [one.strip() for found in re.findall(r"([^{}]+)\{", bare) for one in found.split(",")]
    ours = re.compile(r"\.cx-|html:has\(\.cx-banner\)|@media ")
    assert [one for one in selectors if not ours.match(one) and not one.startswith("(")] == []
    assert "url(" not in bare
    assert "@import" not in bare
