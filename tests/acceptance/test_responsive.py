"""Candy Haven's five elements, three customers, two web servers and a telephone.

Each element on its own knows the client and the circumstances, obeys what was chosen, adapts, tests and asks; all of
them together share at once what one learns: in its process with the next decision, in the others within a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from urllib.request import urlopen

import attrs
import pytest
from starlette.testclient import TestClient

from cxkit.model import Interaction
from cxkit.testing import FakeClock, recorder
from cxkit.testing.story_haven import until
from tests.acceptance.elements import (
    BELONGS,
    ELEMENTS,
    Haven,
    Seen,
    at_home,
    blog,
    checkout,
    feed,
    home,
    opened,
    product,
    support,
)

CARD: Final = "4000 0000 0000 0002"
NANCY: Final = "+33 6 39 98 12 34"
CRAWLER: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.fixture(scope="module")
def haven(servers: ModuleType, visitors: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Haven]:
    with opened(tmp_path_factory.mktemp("responsive"), servers, visitors) as haven:
        yield haven


# --- each element on its own ----------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Shown:
    """What an element does for a customer: one field for each of the five."""

    known_by: str | None
    """(1) the strongest identifier of its exposures; None: nothing is captured."""
    seen: Seen
    """(2) and (3): what is told, in which form and order, with (5) what is asked."""
    tested: bool
    """(4) whether an experiment gave what is shown."""


class Played:
    """The three of them, each with each of the elements."""

    def __init__(self, haven: Haven) -> None:
        self.otto = haven.browser(home="DE")
        homes = {"otto": at_home(self.otto.open("/consent", choice="refuse"))}
        self.ana, homes["ana"] = haven.customer(home="CA")
        self.nancy, homes["nancy"] = haven.customer(name="nancy", password="amande", home="FR")
        browsers = {"otto": self.otto, "ana": self.ana, "nancy": self.nancy}
        self.seen = {
            (element, who): homes[who] if element == "home" else look(browser)
            for who, browser in browsers.items()
            for element, look in ELEMENTS.items()
        }
        for country in ("CA", "FR"):  # what came before has arrived by then
            haven.arrived(lambda one: _country(one) == country and _route(one) == "/checkout")  # noqa: B023 - asked before the next turn
        self._shown = [one for one in haven.receiver.interactions if one.decision]
        self._homes = {"otto": "DE", "ana": "CA", "nancy": "FR"}

    def exposures(self, element: str, who: str) -> list[Interaction]:
        """What was captured of it, after they had chosen."""
        return [
            one
            for one in self._shown
            if one.decision
            and BELONGS[one.decision.experience.split(".")[0]] == element
            and _country(one) == self._homes[who]
            and one.consent.get("personalization")
        ]


def _country(one: Interaction) -> str | None:
    return one.context.place.country if one.context.place else None


def _route(one: Interaction) -> str | None:
    return one.context.page.route if one.name == "page.viewed" and one.context.page else None


@pytest.fixture(scope="module")
def played(haven: Haven) -> Played:
    return Played(haven)


SWEETS: Final = ("ALM-100", "ALM-200", "ALM-300", "ORA-100")
TOPICS: Final = ("delivery", "discounts", "ingredients", "other")
NEWEST: Final = ("almond-blossom", "thirteen-desserts")
WORLD: Final = "Sent all over the world within ten days"
EITHER: Final = {
    "home": ({"Almond sweets from Provence", "This year's almonds are in"}, {SWEETS}),
    "product": ({WORLD}, {("ALM-200",), ("ALM-100", "ORA-100")}),
    "checkout": ({""}, {("Pay",), ("Order and pay",)}),
    "support": (
        {"We answer within one working day.", "Thank you for asking: we answer within one working day."}, {TOPICS}
    ),
    "feed": ({"Blog"}, {NEWEST, NEWEST[::-1]}),
}  # fmt: skip
"""What an experiment may give: what is told, and in which order."""

TABLE: Final[Mapping[tuple[str, str], Shown]] = {
    # Refusing all: the same for all; where they are is no secret to a delivery, and needs no choice.
    ("home", "otto"): Shown(known_by=None, seen=Seen("Almond sweets from Provence", "wide", SWEETS), tested=False),
    ("product", "otto"): Shown(known_by=None, seen=Seen(WORLD, "", ("ALM-200",)), tested=False),
    ("checkout", "otto"): Shown(known_by=None, seen=Seen("", "long", ("Pay",)), tested=False),
    ("support", "otto"): Shown(known_by=None, seen=Seen("We answer within one working day.", "", TOPICS), tested=False),
    ("feed", "otto"): Shown(known_by=None, seen=Seen("Blog", "excerpts", NEWEST), tested=False),
    # Consenting, but anonymous: a visitor. Where two are given, an experiment gave one of them.
    ("home", "ana"): Shown(known_by="visitor", seen=Seen("", "wide", (), ("occasion",)), tested=True),
    ("product", "ana"): Shown(known_by="visitor", seen=Seen(WORLD, "", (), ("nuts",)), tested=True),
    ("checkout", "ana"): Shown(known_by="visitor", seen=Seen("", "long", (), ("phone",)), tested=True),
    ("support", "ana"): Shown(known_by="visitor", seen=Seen("", "", TOPICS, ("csat.support",)), tested=True),
    ("feed", "ana"): Shown(known_by="visitor", seen=Seen("Blog", "excerpts", (), ("useful.blog",)), tested=True),
    # Known, and consenting. What is hers goes before what is tested on everybody else.
    ("home", "nancy"): Shown(
        known_by="user_id",
        seen=Seen("Welcome back: your gold box is on us", "wide", SWEETS, ("occasion",)),
        tested=False,
    ),
    ("product", "nancy"): Shown(
        known_by="user_id", seen=Seen("Delivered in France within two days", "", (), ("nuts",)), tested=True
    ),
    ("checkout", "nancy"): Shown(known_by="user_id", seen=Seen("", "long", (), ("phone",)), tested=True),
    ("support", "nancy"): Shown(known_by="user_id", seen=Seen("", "", TOPICS, ("csat.support",)), tested=True),
    ("feed", "nancy"): Shown(known_by="user_id", seen=Seen("Blog", "full", (), ("useful.blog",)), tested=True),
}


@pytest.mark.parametrize(("element", "who"), sorted(TABLE))
def test_it_obeys_adapts_and_asks(element: str, who: str, played: Played) -> None:
    """(2), (3) and (5)."""
    seen, expected = played.seen[element, who], TABLE[element, who].seen
    told, sequences = EITHER[element]
    assert seen.told == expected.told if expected.told else seen.told in told
    assert seen.form == expected.form
    assert seen.sequence == expected.sequence if expected.sequence else seen.sequence in sequences
    assert seen.asks == expected.asks


@pytest.mark.parametrize(("element", "who"), sorted(TABLE))
def test_it_knows_the_client_and_the_circumstances(element: str, who: str, played: Played) -> None:
    """(1), of whoever allows that anything is captured."""
    shown, known_by = played.exposures(element, who), TABLE[element, who].known_by
    if known_by is None:
        assert shown == []
        return
    assert shown
    assert {one.identity.identifiers[0].type for one in shown} == {known_by}
    assert {_country(one) for one in shown} == {"FR" if who == "nancy" else "CA"}
    assert {one.context.device.type for one in shown if one.context.device} == {"desktop"}


@pytest.mark.parametrize(("element", "who"), sorted(TABLE))
def test_it_offers_a_test(element: str, who: str, played: Played) -> None:
    """(4), which who takes part in keeps."""
    given = {
        (one.decision.assignment.experiment, one.decision.assignment.variation)
        for one in played.exposures(element, who)
        if one.decision and one.decision.assignment
    }
    assert bool(given) is TABLE[element, who].tested
    assert len({experiment for experiment, _ in given}) == len(given), "one variation of each"


def test_who_refuses_is_nobody_and_leaves_nothing(haven: Haven, played: Played) -> None:
    assert {one.name for one in played.otto.cookies} == {"cxkit_consent"}
    kept = haven.archive.interactions
    assert not [one for one in kept if _country(one) == "DE" and (one.identity or one.decision)]
    others = [haven.browser() for _ in range(8)]
    for other in others:
        other.open("/consent", choice="refuse")
    for element, look in ELEMENTS.items():
        assert {attrs.evolve(look(other), told="") for other in others} == {
            attrs.evolve(played.seen[element, "otto"], told="")
        }


def test_a_phone_gets_the_short_form_whoever_holds_it(haven: Haven, visitors: ModuleType) -> None:
    phone = {"User-Agent": visitors.PHONE}
    refuses, (allows, at_first) = haven.browser(headers=phone), haven.customer(headers=phone)
    refuses.open("/consent", choice="refuse")
    assert (home(refuses).form, at_first.form) == ("narrow", "narrow")
    assert checkout(refuses) == Seen("", "short", ("Pay",))
    assert checkout(allows) == Seen("", "short", ("Pay",), ("phone",))


def test_a_crawler_takes_part_in_nothing(haven: Haven) -> None:
    crawler = haven.browser(headers={"User-Agent": CRAWLER}, home="IN")
    crawler.open("/consent", choice="accept")
    seen = {element: look(crawler) for element, look in ELEMENTS.items()}
    assert {seen[element].asks for element in seen} == {()}
    assert [seen[element] for element in ("home", "feed")] == [
        Seen("Almond sweets from Provence", "wide", SWEETS), Seen("Blog", "excerpts", NEWEST)
    ]  # fmt: skip
    assert not list(crawler.cookies)
    haven.arrived(lambda one: _country(one) == "IN" and one.name == "page.viewed", 7)
    assert not [one for one in haven.receiver.interactions if _country(one) == "IN" and (one.decision or one.identity)]


# --- all of them together -------------------------------------------------------------------------


def both(haven: Haven, **options: Any) -> tuple[Any, Any]:
    """One visitor who allows all, at the one web server and at the other."""
    here, _ = haven.customer(**options)
    return here, haven.browser(1, cookies=here.cookies, **options)


FRUIT_FIRST: Final = ("ORA-100", "ALM-100", "ALM-200", "ALM-300")


def test_an_answer_on_one_page_changes_all_the_others(haven: Haven) -> None:
    here, there = both(haven)
    assert product(here).asks == ("nuts",)
    assert "fruit" not in home(there).sequence
    here.open("/answers", question="nuts", nuts="no", back="/sweets/ALM-300")
    here.open("/cart", sku="ALM-200")
    assert home(here).sequence == FRUIT_FIRST, "at once"
    assert product(here) == Seen(WORLD, "", ("ORA-100",)), "and it is not asked again"
    until(lambda: home(there).sequence == FRUIT_FIRST, "in the other process within a second")
    assert product(there) == Seen(WORLD, "", ("ORA-100",))
    assert blog(there).sequence == ("thirteen-desserts", "almond-blossom")
    assert checkout(there).told == "", "the cart is in the other browser"
    assert checkout(here).told == "You do not eat nuts: there are some in this cart."


def test_what_they_do_in_one_place_the_others_take_up(haven: Haven) -> None:
    here, there = both(haven)
    here.open("/cart", sku="ALM-200")
    assert home(here).told == "Your cart waits for you"
    assert support(here).told == "Your cart is safe: we help you to pay."
    until(lambda: home(there).told == "Your cart waits for you", "in the other process")
    assert support(there).sequence == ("discounts", "delivery", "ingredients", "other")
    here.open("/checkout", card=CARD)
    assert home(here).told in EITHER["home"][0]
    assert support(here).told == "Your order is on its way: we look after it."
    until(lambda: support(there).told == "Your order is on its way: we look after it.", "in the other process")
    (first, *_) = haven.arrived(lambda one: one.decision is not None and one.decision.variant == "ordered")
    assert first.decision is not None
    assert first.decision.level == 4, "it goes on by phone"


def test_who_left_the_checkout_finds_it_as_it_was(examples: Path) -> None:
    front, clock = importlib.import_module("examples.candy_haven.fronts.starlette"), FakeClock()
    with recorder(clock=clock) as record, TestClient(front.make(record.kit)) as visitor:
        visitor.post("/consent", data={"choice": "accept"})
        visitor.post("/cart", data={"sku": "ALM-200"})
        assert "All is as you left it." not in visitor.get("/checkout").text
        clock.advance(800)
        assert "All is as you left it." not in visitor.get("/checkout").text
        clock.advance(1_000)
        assert "All is as you left it." in visitor.get("/checkout").text


def test_a_refusal_in_one_place_takes_it_all_back_in_the_others(haven: Haven) -> None:
    here, there = both(haven)
    here.open("/answers", question="nuts", nuts="no", back="/")
    here.open("/cart", sku="ALM-200")
    until(lambda: home(there) == Seen("Your cart waits for you", "wide", FRUIT_FIRST), "all know it")
    here.open("/consent/withdraw", purpose="personalization")
    for browser in (here, there):
        until(lambda: home(browser).sequence == SWEETS, "it is obeyed")  # noqa: B023 - asked before the next turn
        assert home(browser).told in EITHER["home"][0]
        assert product(browser).asks == ()
        assert "nuts" not in checkout(browser).told
        assert support(browser).sequence == TOPICS
        assert blog(browser).sequence in EITHER["feed"][1]


def test_a_login_brings_all_of_it_to_another_device(haven: Haven, visitors: ModuleType) -> None:
    odile = {"name": "odile", "password": "nougat"}
    laptop, _ = haven.customer(**odile)
    laptop.open("/answers", question="nuts", nuts="no", back="/")
    phone, at_first = haven.customer(1, headers={"User-Agent": visitors.PHONE}, **odile)
    until(lambda: home(phone) == Seen(home(phone).told, "narrow", FRUIT_FIRST), "her phone knows it")
    assert at_first.form == "narrow"
    laptop.open("/cart", sku="ALM-100")
    phone.open("/cart", sku="ALM-100")
    phone.open("/checkout", card=CARD, question="phone", phone="+33 6 39 98 56 78")
    until(lambda: 'value="+33 6 39 98 56 78"' in laptop.open("/checkout").text, "she need not type it again")
    laptop.open("/logout", leave="yes")
    assert "39 98 56 78" not in laptop.open("/checkout").text, "who has not signed in is told nothing"
    laptop.open("/login", name="nancy", password="amande")
    laptop.open("/login", **odile)
    until(lambda: "39 98 56 78" not in laptop.open("/checkout").text, "nor who has, on a device that others use")
    assert "39 98 56 78" in phone.open("/checkout").text, "her phone is her own"


def test_the_telephone_goes_on_where_the_web_left_off(haven: Haven) -> None:
    nancy, _ = haven.customer(name="nancy", password="amande", headers={"Accept-Language": "fr"})
    nancy.open("/language", language="fr")
    nancy.open("/cart", sku="ALM-200")
    french = "Votre panier est en sûreté : nous vous aidons à payer."
    until(lambda: french in haven.desk.call(NANCY, "other", "--proven"), "the desk says it in her language")
    assert haven.desk.call(NANCY, "other") == "a gold customer calls about other", "a number alone proves nothing"
    nancy.open("/checkout", card=CARD)
    until(lambda: "Votre commande est en route" in haven.desk.call(NANCY, "other", "--proven"), "she has ordered")


def test_the_end_of_an_experiment_changes_what_everybody_is_shown(
    servers: ModuleType, visitors: ModuleType, tmp_path: Path
) -> None:
    with opened(tmp_path, servers, visitors) as haven:
        crowd = [both(haven) for _ in range(8)]
        before = {home(here).told for here, _ in crowd}
        assert before <= EITHER["home"][0]
        assert all(home(here).told == home(there).told for here, there in crowd), "one has one variation everywhere"
        words = ["--module", "examples.candy_haven.experiences", "--actor", "Ada", "--reason", "it sold more"]
        haven.operate("experiments", "conclude", "hero-text", "--winner", "harvest", *words)
        for browser in [one for each in crowd for one in each] + [haven.browser(), haven.browser(1)]:
            until(lambda: home(browser).told == "This year's almonds are in", "it has won")  # noqa: B023 - asked before the next turn


# --- the feed -------------------------------------------------------------------------------------


def test_a_feed_of_ones_own_is_whole_until_its_address_is_renewed(haven: Haven) -> None:
    nancy, _ = haven.customer(name="nancy", password="amande")
    mine = nancy.open("/account").found('href="(/feed/[^"]+)"')
    reader = haven.browser(home="IN", headers={"User-Agent": "NetNewsWire (RSS Reader; https://example.com/)"})
    until(lambda: feed(reader, mine).form == "full", "who has a plan reads all")
    assert feed(reader, mine).asks in ((), ("useful.blog",))
    excerpts = feed(reader)
    assert (excerpts.form, excerpts.asks) == ("excerpts", ())
    for altered in (
        mine[:-1] + ("0" if mine[-1] != "0" else "1"),
        mine.replace("nancy", "odile"),
        "/feed/x",
        "/feed/%ff.1.é",
    ):
        assert feed(reader, altered) == excerpts, altered
    assert not list(reader.cookies), "nobody has signed in"
    nancy.open("/account/feed", renew="please")
    assert feed(reader, mine) == excerpts
    assert feed(reader, nancy.open("/account").found('href="(/feed/[^"]+)"')).form == "full"
    nancy.open("/consent/withdraw", purpose="personalization")
    assert feed(reader, nancy.open("/account").found('href="(/feed/[^"]+)"')).form == "excerpts"


def test_what_fetches_a_feed_is_a_machine_and_the_address_is_nowhere(haven: Haven) -> None:
    nancy, _ = haven.customer(name="nancy", password="amande")
    mine = nancy.open("/account").found('href="(/feed/[^"]+)"')
    # It says that it is a browser, as some do.
    feed(haven.browser(), mine)
    fetched = haven.arrived(lambda one: _route(one) == "/feed/{token}")
    assert {(one.context.actor, one.outcome) for one in fetched} == {("bot", "completed")}
    assert not any(one.identity for one in fetched)
    token = mine.rpartition(".")[2]
    places = [one for one in haven.directory.rglob("*") if one.is_file() and token.encode() in one.read_bytes()]
    assert places == []
    assert not any(token.encode() in payload for payload in (*haven.receiver.payloads, *haven.archive.payloads))


def test_caches_are_told_whose_feed_it_is(haven: Haven) -> None:
    with urlopen(f"{haven.urls[0]}/feed") as anybodys, urlopen(f"{haven.urls[0]}/feed/x.1.0") as ones_own:
        assert anybodys.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
        assert anybodys.headers["Cache-Control"] == "public, max-age=900"
        assert anybodys.headers["Vary"] == "Accept-Language"
        assert ones_own.headers["Cache-Control"] == "private, max-age=900"
