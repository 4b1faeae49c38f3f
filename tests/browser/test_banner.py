"""The banner and the pages in Chromium: without JavaScript, by keyboard, on small screens, in few colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

from cxkit import Interaction, Kit
from cxkit.settings import Consent, Settings
from cxkit.testing import RecordingExporter
from cxkit.testing.web_shop import served
from cxkit.web import ASGIMiddleware, banner

pytestmark = pytest.mark.services

_POLICY = b"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'"
_LINES = "".join(f'<p><a href="#{number}" id="line{number}">Line {number}</a></p>' for number in range(40))
_EVIL = """<!doctype html><title>x</title><form method="post" action="http://127.0.0.1:{port}/cx/consent">
<input name="choice" value="refuse"><input name="asked" value="analytics"><button>win</button></form>"""


@attrs.define
class Shop:
    """A site with the banner at the end of every page, and what it captured."""

    port: int
    kit: Kit
    exporter: RecordingExporter

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Interaction]:
        assert self.kit.flush(timeout_s=10).complete
        return [one for one in self.exporter.interactions if one.name == name]


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>'
        '<meta name="viewport" content="width=device-width"></head>'
        f'<body><h1>Almonds</h1><a href="#" id="first">First</a>{_LINES}{banner()}</body></html>'
    )
    found = scope["path"] != "/favicon.ico"
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", _POLICY)]
    await send({"type": "http.response.start", "status": 200 if found else 204, "headers": headers if found else []})
    await send({"type": "http.response.body", "body": body.encode() if found else b""})


@pytest.fixture
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    exporter = RecordingExporter()
    consent = Consent(policy=getattr(request, "param", "strict"))
    settings = Settings(directory=tmp_path / ".cxkit", strict=True, consent=consent)
    kit = Kit(settings, exporters={"recorder": exporter})
    with served(ASGIMiddleware(_app, kit=kit)) as port:
        yield Shop(port, kit, exporter)
    kit.close()


@pytest.fixture
def visit(browser: Any, shop: Shop) -> Iterator[Callable[..., Any]]:
    """Opens the shop in a browser of its own, without JavaScript unless told; nothing may be complained of."""
    said: list[str] = []
    with ExitStack() as stack:

        def visit(path: str = "/", **options: Any) -> Any:
            settings = {"java_script_enabled": False, "locale": "en-GB", "viewport": {"width": 800, "height": 700}}
            context = browser.new_context(**{**settings, **options})
            stack.callback(context.close)
            page = context.new_page()
            page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
            page.goto(shop.url + path)
            return page

        yield visit
        assert said == []


def cookies(page: Any) -> list[str]:
    return sorted(one["name"] for one in page.context.cookies())


# --- without JavaScript ---------------------------------------------------------------------------


def test_refused_in_one_click_and_nothing_stays_but_that(shop: Shop, visit: Callable[..., Any]) -> None:
    page = visit("/almonds?sort=price")
    page.get_by_role("button", name="Refuse all").click()
    assert page.url == f"{shop.url}/almonds?sort=price"
    assert page.get_by_role("region").count() == 0
    assert page.get_by_role("link", name="Your choices").is_visible()
    assert cookies(page) == ["cxkit_consent"]
    assert shop.named("consent.changed")[0].properties["method"] == "reject"


def test_accepted_in_one_click(shop: Shop, visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("button", name="Accept all").click()
    assert page.url == f"{shop.url}/"
    assert page.get_by_role("region").count() == 0
    assert cookies(page) == ["cxkit_consent", "cxkit_visitor"]


def test_chosen_one_by_one_and_changed_later(shop: Shop, visit: Callable[..., Any]) -> None:
    page = visit("/almonds", locale="fr-FR")
    page.get_by_role("link", name="Choisir").click()
    assert page.get_by_role("heading", name="Vos choix").is_visible()
    page.get_by_role("checkbox", name="Statistiques").check()
    page.get_by_role("button", name="Enregistrer mes choix").click()
    assert page.url == f"{shop.url}/almonds"
    page.get_by_role("link", name="Vos choix").click()
    assert page.get_by_role("checkbox", checked=True).count() == 1
    page.get_by_role("checkbox", name="Statistiques").uncheck()
    page.get_by_role("button", name="Enregistrer mes choix").click()
    assert cookies(page) == ["cxkit_consent"]
    assert [one.properties["choices"]["analytics"] for one in shop.named("consent.changed")] == ["granted", "denied"]


def test_what_another_site_posts_is_no_choice(shop: Shop, browser: Any) -> None:
    async def evil(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": _EVIL.format(port=shop.port).encode()})

    context = browser.new_context(java_script_enabled=False)
    with served(evil) as port:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/")  # another port is another origin, and the same site
        page.get_by_role("button", name="win").click()
        assert "CX3170" in page.get_by_role("alert").inner_text()
        page.goto(f"http://localhost:{port}/")
        page.get_by_role("button", name="win").click()
        assert "CX3170" in page.get_by_role("alert").inner_text()
    context.close()
    assert shop.named("consent.changed") == []


# --- by keyboard ----------------------------------------------------------------------------------


def test_by_keyboard_it_is_reached_in_order_and_left_again(shop: Shop, visit: Callable[..., Any]) -> None:
    page = visit(java_script_enabled=True)
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText"))
        if reached[-1] == "Choose":
            break
    assert reached[-4:] == ["What this means", "Refuse all", "Accept all", "Choose"]
    assert reached[0] == "First"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    style = page.evaluate("(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])"
                          "(getComputedStyle(document.activeElement))")  # fmt: skip
    assert style == ["solid", "3px"]
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert shop.named("consent.changed")[0].properties["method"] == "reject"


def test_by_keyboard_the_page_is_filled_in_and_enter_saves(shop: Shop, visit: Callable[..., Any]) -> None:
    page = visit("/cx/consent")
    page.get_by_role("checkbox", name="Statistics").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cx/consent?lang=en&saved=1")
    assert page.get_by_role("status").inner_text() == "Your choices are saved."
    (made,) = shop.named("consent.changed")
    assert (made.properties["method"], made.properties["choices"]["analytics"]) == ("save", "granted")
    assert made.properties["choices"]["advertising"] == "denied"


def test_it_hides_nothing_that_has_the_focus(visit: Callable[..., Any]) -> None:
    page = visit(java_script_enabled=True, viewport={"width": 800, "height": 500})
    for _ in range(41):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """() => { const one = document.activeElement, box = one.getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return top === one; }"""
        )
        assert seen, page.evaluate("document.activeElement.innerText")


# --- on any screen --------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
@pytest.mark.parametrize("path", ["/", "/cx/consent", "/cx/preferences"])
@pytest.mark.parametrize("size", [(320, 568), (320, 256), (1280, 800)])
def test_nothing_is_cut_off_or_too_small_to_touch(
    visit: Callable[..., Any], path: str, locale: str, size: tuple[int, int]
) -> None:
    page = visit(path, locale=locale, java_script_enabled=True, viewport={"width": size[0], "height": size[1]})
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    small = page.evaluate(
        """() => [...document.querySelectorAll('.cx-button, .cx-choice label, summary, .cx-line a, .cx-ways a')]
        .map((one) => [one.innerText, one.getBoundingClientRect()])
        .filter(([, box]) => box.width < 44 || box.height < 44).map(([text]) => text)"""
    )
    assert small == []


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"forced_colors": "active"}, {"reduced_motion": "reduce"}],
    ids=["light", "dark", "forced", "reduced"],
)
@pytest.mark.parametrize(("shop", "path"), [("strict", "/"), ("strict", "/cx/consent"), ("us", "/")], indirect=["shop"])
def test_its_answers_look_alike(shop: Shop, visit: Callable[..., Any], path: str, options: dict[str, str]) -> None:
    page = visit(path, java_script_enabled=True, **options)
    looks = page.evaluate(
        """() => [...document.querySelectorAll('.cx-button')].map((one) => {
        const {color, backgroundColor, borderTopColor, borderTopWidth, fontSize, fontWeight} = getComputedStyle(one);
        const box = one.getBoundingClientRect();
        return [color, backgroundColor, borderTopColor, borderTopWidth, fontSize, fontWeight, Math.round(box.height)];
        })"""
    )
    assert len(looks) == (2 if shop.kit.settings.consent.policy == "us" else 3)
    assert [one for one in looks if one != looks[0]] == []
    assert looks[0][0] != looks[0][1]


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_on_a_small_screen_every_answer_is_in_sight(visit: Callable[..., Any], locale: str) -> None:
    page = visit(locale=locale, java_script_enabled=True, viewport={"width": 320, "height": 568})
    below = page.evaluate(
        """() => [...document.querySelectorAll('.cx-button')]
        .filter((one) => one.getBoundingClientRect().bottom > innerHeight).map((one) => one.innerText)"""
    )
    assert below == []


def test_in_the_dark_it_is_dark(visit: Callable[..., Any]) -> None:
    grounds = [
        visit(java_script_enabled=True, color_scheme=scheme).evaluate(
            "getComputedStyle(document.querySelector('.cx-banner')).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert grounds == ["rgb(255, 255, 255)", "rgb(22, 25, 29)"]
