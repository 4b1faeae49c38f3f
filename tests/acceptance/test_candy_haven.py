"""Candy Haven over HTTP: both languages, every page, and what nobody should ask of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from cxkit.testing.receiver import Receiver

VOID = frozenset("area br hr img input link meta".split())
PAGES = [
    "/", "/sweets", "/sweets/ALM-200", "/search?words=almond", "/search?words=liquorice", "/blog",
    "/compare?sku=ALM-100&sku=ORA-100", "/cart", "/checkout", "/login", "/support", "/blog/almond-blossom",
    "/share/ALM-200", "/share/almond-blossom",
]  # fmt: skip


@attrs.frozen
class Open:
    """A shop that is open, and where its interactions go."""

    url: str
    receiver: Receiver
    output: Path
    visitors: ModuleType
    call: Callable[[str, str, str], str]

    def browser(self, language: str = "en") -> Any:
        return self.visitors.Browser(self.url, headers={"Accept-Language": language})


@pytest.fixture
def shop(servers: ModuleType, visitors: ModuleType, tmp_path: Path) -> Iterator[Open]:
    with Receiver() as receiver:
        configuration = tmp_path / "cxkit.toml"
        configuration.write_text(
            f'service = "shop"\ndirectory = "{tmp_path}/.cxkit"\n'
            f'[exporters.receiver]\ntype = "http"\nurl = "{receiver.url}"\npurposes = ["analytics"]\n'
        )
        with servers.Shop(configuration) as running:
            yield Open(running.url, receiver, running.output, visitors, running.call)


class Outline(HTMLParser):
    """What a screen reader and a keyboard meet in a page; fails where the HTML is not well formed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.language = ""
        self.headings: list[int] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.scripts: list[str | None] = []
        """Where they come from; None: they stand in the page."""
        self.unnamed: list[str] = []
        """Fields that no label belongs to."""
        self._open: list[str] = []
        self._labelled: set[str] = set()
        self._fields: list[tuple[str, bool]] = []
        self.feed(html)
        self.close()
        assert self._open == []
        self.unnamed += [id for id, inside in self._fields if not inside and id not in self._labelled]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attributes}
        if tag not in VOID:
            self._open.append(tag)
        if tag == "html":
            self.language = has.get("lang", "")
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag == "label":
            self._labelled.add(has.get("for", ""))
        if tag in ("select", "textarea", "input") and has.get("type") != "hidden":
            self._fields.append((has.get("id", tag), "label" in self._open))
        self.scripts += [has.get("src")] if tag == "script" else [None for name in has if name.startswith("on")]
        self.ids |= {has["id"]} if "id" in has else set()
        self.links += [has[name] for name in ("href", "src", "action") if name in has and tag != "script"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_is_accessible_in_both_languages_and_asks_nothing_of_others(language: str, shop: Open) -> None:
    browser = shop.browser(language)
    for path in PAGES:
        outline = Outline(browser.open(path).text)
        assert outline.language == language, path
        assert outline.headings[0] == 1, path
        assert all(below <= above + 1 for above, below in zip(outline.headings, outline.headings[1:], strict=False))
        assert outline.headings.count(1) == 1, path
        assert outline.unnamed == [], path
        assert [script and script.partition("?")[0] for script in outline.scripts] == ["/cx/cx.js"], path
        assert outline.links[0] == "#main", f"{path}: the skip link comes first"
        assert "main" in outline.ids, path
        assert all(link.startswith(("/", "#")) for link in outline.links), path


def test_a_customers_pages_are_accessible_as_well(shop: Open) -> None:
    browser = shop.browser("fr")
    browser.open("/login", name="nancy", password="amande")
    browser.open("/cart", sku="ALM-200")
    for path in ("/cart", "/checkout"):
        assert Outline(browser.open(path).text).unnamed == []
    browser.open("/checkout", card="4000 0000 0000 0002")
    account = browser.open("/account").text
    assert Outline(account).headings == [1, 2]
    assert Outline(account).unnamed == []
    assert "Commandes de Nancy" in account


def test_every_page_speaks_the_visitors_language(shop: Open) -> None:
    english, french = ([shop.browser(one).open(path).heading for path in PAGES] for one in ("en", "fr-CA,fr;q=0.9"))

    same = {path for path, one, other in zip(PAGES, english, french, strict=True) if one == other}
    assert same == {"/blog"}, "the word is the same"
    browser = shop.browser("fr")
    browser.open("/language", language="en")
    assert browser.open("/cart").heading == "Your cart"


def test_prices_are_written_as_they_are_there(shop: Open, pages: ModuleType) -> None:
    assert "EUR 24.90" in shop.browser("en").open("/sweets/ALM-200").text
    assert "24,90 EUR" in shop.browser("fr").open("/sweets/ALM-200").text
    view = pages.View(language="fr", cart={}, customer=None, undecided=False)
    assert view.price(Decimal("7")) == "7,00 EUR"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("almond", {"ALM-100", "ALM-200", "ALM-300"}),
        ("AMANDES miel", {"ALM-300"}),
        ("dragees", {"ALM-100"}),
        ("dragées", {"ALM-100"}),
        ("liquorice", set()),
        ("\N{CYRILLIC SMALL LETTER A}lmond", set()),
        ("<script>", set()),
    ],
)
def test_search_finds_what_the_words_are_said_of(words: str, found: set[str], shop: Open, stock: ModuleType) -> None:
    page = shop.browser().open(f"/search?words={words}")

    assert {sku for sku in stock.SWEETS if f'value="{sku}"' in page.text} == found
    assert words in page.heading
    assert "<script>" not in page.text


def test_the_comparison_sets_side_by_side_what_was_ticked(shop: Open) -> None:
    page = shop.browser().open("/compare?sku=ALM-200&sku=ORA-100").text

    cells = page.replace("</td>", "").replace("</tr>", "").split("<td>")
    assert cells[2:4] == ["EUR 24.90", 'EUR 7.20<tr><th scope="row">Weight</th>']
    assert "EUR 8.30" in page
    assert "EUR 4.80" in page, "for 100 g"


def test_an_order_can_be_rated_and_ordered_again_by_its_customer_alone(shop: Open) -> None:
    nancy, other = shop.browser(), shop.browser()
    nancy.open("/login", name="nancy", password="amande")
    nancy.open("/cart", sku="ALM-300")
    nancy.open("/cart", sku="ALM-300")
    order = nancy.open("/checkout", card="4000 0000 0000 0002").found("(order-[0-9a-f]+)")

    other.open("/account/again", 404, order=order)
    other.open("/account/rating", 404, order=order, score="1")
    nancy.open("/account/rating", 400, order=order, score="6")
    again = nancy.open("/account/again", order=order)
    assert "2 &times; Nougat with almonds" in again.text
    nancy.open("/logout", leave="yes")
    assert nancy.open("/account").heading == "Sign in"


def test_a_box_is_paid_for_and_a_choice_is_taken_back(shop: Open) -> None:
    nancy = shop.browser()
    assert nancy.open("/box").heading == "Sign in"
    nancy.open("/consent", choice="accept")
    nancy.open("/login", name="nancy", password="amande")
    assert Outline(nancy.open("/box").text).unnamed == []
    nancy.open("/box", 402, card="4000 0000 0000 0000")
    assert nancy.open("/box", card="4000 0000 0000 0002").found("(box-[0-9a-f]+)")
    allowed = nancy.open("/account/newsletter", wanted="y").text
    assert allowed.count("/consent/withdraw") == 3
    assert nancy.open("/consent/withdraw", purpose="analytics").text.count("/consent/withdraw") == 2


# --- what nobody should ask of it -----------------------------------------------------------------

BAD = [
    ("/nowhere", 404, {}),
    ("/sweets/NONE", 404, {}),
    ("/sweets/\N{CYRILLIC CAPITAL LETTER A}LM-200", 404, {}),
    ("/sweets/%ff%00", 404, {}),
    ("/blog/none", 404, {}),
    ("/share/none", 404, {}),
    ("/share/none", 404, {"link": "please"}),
    ("/search", 400, {}),
    ("/search?words=", 400, {}),
    ("/search?words=%20%20", 400, {}),
    ("/search?words=" + "almond" * 5_000, 400, {}),
    ("/search", 405, {"words": "almond"}),
    ("/consent", 405, {}),
    ("/compare", 400, {}),
    ("/compare?sku=ALM-100&sku=ALM-100", 400, {}),
    ("/compare?sku=ALM-100&sku=NONE", 404, {}),
    ("/cart", 404, {"sku": "NONE"}),
    ("/cart", 404, {"quantity": "1"}),
    ("/checkout", 400, {"card": "4000 0000 0000 0002"}),  # with an empty cart
    ("/login", 403, {"name": "nancy", "password": "amande\0"}),
    ("/login", 403, {"name": "n\N{CYRILLIC SMALL LETTER A}ncy", "password": "amande"}),
    ("/login", 403, {"name": "\N{FULLWIDTH LATIN SMALL LETTER N}ancy", "password": "amande"}),
    ("/login", 403, {"name": "Nancy", "password": "amande"}),
    ("/login", 413, {"name": "n" * 10_000_000, "password": "amande"}),
    ("/support", 413, {"topic": "delivery", "more": "m" * 10_000_000}),
    ("/support", 400, {"topic": "d\N{CYRILLIC SMALL LETTER IE}livery"}),
    ("/account/rating", 404, {"order": "order-1", "score": "5"}),
    ("/account/again", 404, {"order": "order-1"}),
    ("/consent", 400, {"choice": "perhaps"}),
    ("/consent/withdraw", 400, {"purpose": "necessary"}),
    ("/box", 400, {"card": "4000 0000 0000 0002"}),  # nobody has signed in
    ("/language", 400, {"language": "xx"}),
]


def test_what_cannot_be_served_is_answered_with_4xx_and_breaks_nothing(shop: Open) -> None:
    browser = shop.browser("fr")
    for path, status, fields in BAD:
        page = browser.open(path, status, **fields)
        assert Outline(page.text).headings == [1], path[:80]
    card = {"card": "4000 0000 0000 0002 or so"}
    browser.open("/cart", sku="ALM-100")
    browser.open("/checkout", 400, **card)

    assert browser.open("/").status == 200
    assert shop.output.read_text() == ""
    assert {one.name for one in browser.cookies} == {"cart"}
    assert shop.receiver.wait_for(len(BAD) + 6, timeout_s=60)
    names = [one.name for one in shop.receiver.interactions]
    assert set(names) == {"page.viewed", "cart.item_added", "experience.shown"}, "nothing happened but the visits"


@pytest.mark.parametrize("cart", ["ALM-100*0", "ALM-100*-1", "ALM-100*100", "ALM-100*1e9", "*", "ALM-100", "x*1", "."])
def test_a_cart_that_was_tampered_with_is_empty(cart: str, shop: Open) -> None:
    browser = shop.visitors.Browser(shop.url, headers={"Cookie": f"cart={cart}"})
    assert "EUR 0.00" in browser.open("/cart").text


def test_it_holds_no_more_than_99_of_each(shop: Open) -> None:
    browser = shop.visitors.Browser(shop.url, headers={"Cookie": "cart=ALM-100*99"})
    assert "(99)" in browser.open("/cart", sku="ALM-100").text


def test_a_caller_is_known_by_the_whole_number_and_nothing_like_it(shop: Open) -> None:
    browser, number = shop.browser(), "+33 6 39 98 12 34"
    browser.open("/consent", choice="accept")
    browser.open("/login", name="nancy", password="amande")

    like_it = [number[:-1] + "\N{FULLWIDTH DIGIT FOUR}", number[1:], "0" + number[4:], "nobody's", "0", "4" * 100_000]
    assert shop.call(number, "discounts", "case-1") == "a gold customer calls about discounts"
    assert {shop.call(one, "other", "case-1") for one in like_it} == {"somebody calls about other"}


def test_the_desk_takes_no_topic_it_does_not_know(examples: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "examples.candy_haven.desk",
        "+33 1 99 00 00 00",
        "d\N{CYRILLIC SMALL LETTER IE}livery",
    ]
    ended = subprocess.run(command, cwd=examples, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_the_shop_knows_no_framework(examples: Path) -> None:
    code = """
import sys
import examples.candy_haven.shop, examples.candy_haven.desk
print(sorted({"starlette", "cxkit_starlette", "cxkit_email", "flask", "django", "uvicorn"} & sys.modules.keys()))
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=examples, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


def test_a_front_is_thin(examples: Path) -> None:
    for front in (examples / "examples" / "candy_haven" / "fronts").glob("[a-z]*.py"):
        assert len(front.read_text("utf-8").splitlines()) < 100, front.name


def test_one_login_is_one_interaction(shop: Open) -> None:
    browser = shop.browser()
    browser.open("/consent", choice="accept")
    browser.open("/login", name="nancy", password="amande")
    for _ in range(3):
        browser.open("/account")
    browser.open("/sweets/ALM-100")

    names: list[str] = []
    while not {"identity.identified", "product.viewed"} <= {*names}:  # the last of each spool: either may come first
        assert shop.receiver.wait_for(len(names) + 1, timeout_s=60), names
        names = [one.name for one in shop.receiver.interactions]
    assert names.count("identity.identified") == 1
