"""Candy Haven's letters, to three customers of the story, through a real server of SMTP: what of them is captured."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.model import Interaction
from cxkit.settings import load
from cxkit.testing import FakeClock, RecordingExporter
from cxkit.testing.story_haven import until

URL: Final = "https://candy.example"
CARD: Final = "4000 0000 0000 0002"
SAFARI: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
CHROME: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
GOOGLE: Final = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE: Final = "Mozilla/5.0"
LEAVE: Final = {"List-Unsubscribe": "One-Click"}
PASSWORDS: Final = {"nancy": "amande", "odile": "nougat"}


@pytest.fixture(scope="module")
def shop(examples: Path) -> Any:
    """The modules of the shop that are asked for here."""
    names = ("customers", "letters", "mailbox", "fronts.starlette")
    found = {name.rpartition(".")[2]: importlib.import_module(f"examples.candy_haven.{name}") for name in names}
    return SimpleNamespace(**found)


class Haven:
    """The shop, open, and where its letters and its interactions go."""

    def __init__(self, kit: cxkit.Kit, exporter: RecordingExporter, clock: FakeClock, mailbox: Any, shop: Any) -> None:
        self.kit, self.exporter, self.clock, self.mailbox = kit, exporter, clock, mailbox
        self._shop = shop
        self._app = shop.starlette.make(kit)

    def browser(self, agent: str = SAFARI, *, follow: bool = True) -> TestClient:
        headers = {"user-agent": agent, "accept": "text/html", "accept-language": "fr"}
        return TestClient(self._app, base_url=URL, headers=headers, follow_redirects=follow)

    def customer(self, name: str, *, choice: str = "accept", **allowed: str) -> TestClient:
        """Somebody who has signed in, has chosen, and wants a letter on their birthday."""
        browser = self.browser()
        browser.post("/consent", data={"choice": choice, **allowed})
        browser.post("/login", data={"name": name, "password": PASSWORDS[name]})
        browser.post("/account/birthday", data={"wanted": "y"})
        self.settle()
        return browser

    def orders(self, browser: TestClient) -> Any:
        """The letter that confirms it."""
        letters, sent = len(self.mailbox.letters), len(self.named("message.sent"))
        self.order(browser)
        letter = self.mailbox.wait_for(letters + 1)[-1]
        until(lambda: len(self.named("message.sent")) > sent, "it is known to be sent")
        return letter

    def order(self, browser: TestClient) -> None:
        browser.post("/cart", data={"sku": "ALM-200"})
        assert browser.post("/checkout", data={"card": CARD}).status_code == 200

    def settle(self) -> None:
        """What was done so far is in the store: whoever writes has another scope, as a job has."""
        assert self.kit.flush(timeout_s=10).complete

    def congratulate(self, name: str) -> str:
        self.settle()
        with cxkit.scope(kit=self.kit):
            said: str = self._shop.letters.congratulate(self._shop.customers.CUSTOMERS[name])
        return said

    def birthday(self, name: str) -> Any:
        assert self.congratulate(name) == "sent"
        return self.mailbox.letters[-1]

    def named(self, *names: str) -> list[Interaction]:
        self.settle()
        return [one for one in self.exporter.interactions if one.name in names]

    def judged(self) -> list[tuple[str, object]]:
        """What was said of each who came to a letter, in order."""
        these = self.named("message.opened", "message.clicked")
        return [(one.name.rpartition(".")[2], one.properties["by"]) for one in these]


@pytest.fixture
def haven(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Haven]:
    clock, exporter = FakeClock(), RecordingExporter(purposes=frozenset({"necessary"}))
    settings = load(
        environ={},
        overrides={
            "strict": True,
            "email": {"url": f"{URL}/cx", "opens": "individual"},
            "topics": {"birthday": {"kind": "marketing"}, "receipt": {"kind": "transactional"}},
        },
    )
    with ExitStack() as stack:
        mailbox = stack.enter_context(shop.mailbox.Mailbox())
        monkeypatch.setenv("CANDY_HAVEN_SMTP", mailbox.address)
        monkeypatch.setenv("CANDY_HAVEN_URL", URL)
        kit = cxkit.Kit(
            settings, exporters={"recorder": exporter}, stamper=Stamper(time_ns=clock.time_ns), in_memory=True
        )
        stack.callback(kit.close, timeout_s=10)
        yield Haven(kit, exporter, clock, mailbox, shop)


def where(haven: Haven, browser: TestClient, url: str) -> str:
    """The path where a link of a letter ends."""
    answer = browser.get(url)
    assert answer.status_code == 200
    return answer.url.path


# --- what they allow is what is in their letters --------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "allowed", "links", "picture"),
    [("refuse", {}, 0, False), ("accept", {}, 3, False), ("accept", {"message_open": "yes"}, 3, True)],
)
def test_a_letter_is_followed_as_its_recipient_allows(
    haven: Haven, choice: str, allowed: dict[str, str], links: int, picture: bool
) -> None:
    browser = haven.customer("odile", choice=choice, **allowed)
    confirmed, birthday = haven.orders(browser), haven.birthday("odile")
    for letter in (confirmed, birthday):
        assert (len(letter.links), letter.picture is not None) == (links, picture)
        assert letter.message["To"] == "Odile <odile@example.com>"
    assert confirmed.leave is None
    assert birthday.leave.startswith(f"{URL}/cx/u/")


def test_who_refuses_everything_gets_what_is_owed_and_asked_for_and_nothing_tells_of_it(haven: Haven) -> None:
    browser = haven.customer("odile", choice="refuse")
    confirmed, birthday = haven.orders(browser), haven.birthday("odile")
    for letter, page in ((confirmed, "/account"), (birthday, "/sweets?utm_source=birthday&amp;utm_medium=email")):
        assert f'href="{URL}{page}"' in letter.html, "it leads there itself"
        assert "/cx/" not in letter.html
    assert "A bag of sugared almonds" in birthday.html, "as for everybody"
    assert where(haven, browser, f"{URL}/sweets") == "/sweets"
    assert haven.judged() == []
    known = {one.name for one in haven.exporter.interactions if one.identity.identifiers}
    assert known == {"identity.identified", "preference.changed", "order.placed", "message.sent"}, (
        "but for what is owed"
    )
    assert haven.browser(CHROME).post(birthday.leave, data=LEAVE).status_code == 200
    assert haven.congratulate("odile") == "send:marketing:opted_out:email", "to leave needs no consent"


def test_who_has_no_account_gets_no_letter_and_a_forwarded_one_makes_them_nobody_else(haven: Haven) -> None:
    nancy = haven.customer("nancy", message_open="yes")
    letter = haven.birthday("nancy")
    gita = haven.browser(CHROME)
    gita.post("/consent", data={"choice": "accept"})
    haven.order(gita)
    assert len(haven.mailbox.letters) == 1
    haven.clock.advance(60)
    assert where(haven, gita, letter.links[1]) == "/sweets"
    landed = haven.named("page.viewed")[-1]
    assert [(one.type, one.evidence) for one in landed.identity.identifiers] == [
        ("visitor", "cookie"),
        ("email", "token"),
    ]
    assert "coffret or" not in gita.get("/").text, "what is for Nancy is not shown to whom she forwards a letter"
    with cxkit.scope(kit=haven.kit, user_id="nancy", evidence="login"):
        hers = cxkit.disclose(user_id="nancy")
    assert landed.identity.get("visitor") is not None
    assert landed.identity.get("visitor").value not in str(hers)  # type: ignore[union-attr]  # there is one
    assert "coffret or" in nancy.get("/").text


# --- Nancy, from her order to her leaving ---------------------------------------------------------


def test_programs_that_come_first_are_nobodys_interest(haven: Haven) -> None:
    letter = haven.orders(haven.customer("nancy", message_open="yes"))
    haven.clock.advance(30)
    apple, scanner = (haven.browser(agent, follow=False) for agent in (APPLE, CHROME))
    assert apple.get(letter.picture).status_code == 200
    haven.clock.advance(30)
    answers = [scanner.get(link).status_code for link in letter.links]
    assert answers == [204, 302, 302], "what nobody sees leads nowhere"
    assert haven.judged() == [("opened", "machine"), *[("clicked", "machine")] * 3]
    came = haven.named("message.opened", "message.clicked")
    assert not [one for one in came if one.identity.identifiers], "nobody's contact"
    assert {next(iter(one.properties["reasons"])) for one in came} == {"apple_mpp_like", "honeypot"}


def test_from_her_birthday_to_her_leaving(haven: Haven) -> None:
    nancy = haven.customer("nancy", message_open="yes")
    nancy.post("/language", data={"language": "fr"})
    letter = haven.birthday("nancy")
    assert letter.message["Subject"] == "Joyeux anniversaire, Nancy\N{NARROW NO-BREAK SPACE}!"
    assert "Un coffret or accompagne" in letter.html, "decided for her, where she is not"
    haven.clock.advance(60)
    haven.browser(GOOGLE).get(letter.picture)
    nancy.cookies.delete("signed_in")
    assert where(haven, nancy, letter.links[1]) == "/sweets"
    assert haven.judged() == [("opened", "proxy"), ("clicked", "human")]
    assert haven.named("message.clicked")[0].properties["campaign"] == "birthday"
    landed = haven.named("page.viewed")[-1]
    assert [(one.type, one.evidence) for one in landed.identity.identifiers] == [
        ("visitor", "cookie"),
        ("email", "token"),
    ]
    for _ in range(2):  # a mail program may post it twice
        assert haven.browser(CHROME).post(letter.leave, data=LEAVE).status_code == 200
    assert len(haven.named("message.unsubscribed")) == 1
    assert haven.congratulate("nancy") == "send:marketing:opted_out:email"
    nancy.post("/login", data={"name": "nancy", "password": "amande"})
    assert haven.orders(nancy).message["Subject"].startswith("Merci, Nancy"), "what is owed goes on"
    assert [one.properties["topic"] for one in haven.named("message.sent")] == ["birthday", "receipt"]


@pytest.mark.parametrize("ask", ["get", "head"])
def test_to_look_at_the_way_out_is_not_to_take_it(haven: Haven, ask: str) -> None:
    haven.customer("nancy")
    letter = haven.birthday("nancy")
    look: Callable[[str], Any] = getattr(haven.browser(CHROME), ask)
    assert look(letter.leave).status_code == 200
    assert haven.congratulate("nancy") == "sent"


def test_who_eats_no_nuts_is_offered_what_they_can_eat(haven: Haven) -> None:
    nancy = haven.customer("nancy")
    nancy.post("/answers", data={"question": "nuts", "nuts": "no", "back": "/"})
    assert "Candied oranges come with your next order: without nuts." in haven.birthday("nancy").html
