"""Letters of Candy Haven in Chromium: a button leads into the shop; to leave needs no JavaScript, in both languages."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.model import Interaction
from cxkit.settings import load
from cxkit.testing import FakeClock, RecordingExporter
from cxkit.testing.story_haven import candy_haven
from cxkit.testing.web_shop import served
from tests.hosts.servers import until

pytestmark = pytest.mark.services

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The modules of the shop that are asked for here."""
    with candy_haven(_ROOT, tmp_path_factory.mktemp("home")):
        names = ("customers", "letters", "mailbox", "fronts.starlette")
        found = {name.rpartition(".")[2]: importlib.import_module(f"examples.candy_haven.{name}") for name in names}
        yield SimpleNamespace(**found)


@attrs.define
class Haven:
    """The shop, open, and where its letters and its interactions go."""

    url: str
    kit: cxkit.Kit
    exporter: RecordingExporter
    clock: FakeClock
    mailbox: Any
    shop: Any

    def congratulate(self) -> str:
        assert self.kit.flush(timeout_s=10).complete  # a job has another scope: what she did is in the store by then
        with cxkit.scope(kit=self.kit):
            said: str = self.shop.letters.congratulate(self.shop.customers.CUSTOMERS["nancy"])
        return said

    def birthday(self) -> Any:
        """The letter, a minute after it was sent."""
        assert self.congratulate() == "sent"
        self.clock.advance(60)
        return self.mailbox.letters[-1]

    def named(self, name: str) -> list[Interaction]:
        assert self.kit.flush(timeout_s=10).complete
        return [one for one in self.exporter.interactions if one.name == name]


@pytest.fixture
def haven(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Haven]:
    clock, exporter, made = FakeClock(), RecordingExporter(purposes=frozenset({"necessary"})), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:  # letters say where it is, so it is there before them
        await made[0](scope, receive, send)

    with ExitStack() as stack:
        mailbox = stack.enter_context(shop.mailbox.Mailbox())
        url = f"http://127.0.0.1:{stack.enter_context(served(app))}"
        email = {"url": f"{url}/cx", "opens": "individual"}
        settings = load(environ={}, overrides={"email": email, "topics": {"birthday": {}}})
        kit = cxkit.Kit(
            settings, exporters={"recorder": exporter}, stamper=Stamper(time_ns=clock.time_ns), in_memory=True
        )
        stack.callback(kit.close, timeout_s=10)
        made.append(shop.starlette.make(kit))
        monkeypatch.setenv("CANDY_HAVEN_SMTP", mailbox.address)
        monkeypatch.setenv("CANDY_HAVEN_URL", url)
        yield Haven(url, kit, exporter, clock, mailbox, shop)


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """A page in a browser of its own."""
    with ExitStack() as stack:

        def visit(**options: Any) -> Any:
            context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 800, "height": 700}, **options})
            stack.callback(context.close)
            return context.new_page()

        yield visit


def nancy(haven: Haven, page: Any) -> None:
    """She allows all but advertising, signs in, wants a letter on her birthday, and chooses French."""
    page.goto(haven.url)
    page.get_by_label("Also know whether I open letters").check()
    page.get_by_role("button", name="Accept", exact=True).click()
    page.goto(f"{haven.url}/login")
    page.get_by_label("Name").fill("nancy")
    page.get_by_label("Password").fill("amande")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{haven.url}/account")
    page.get_by_role("button", name="Write to me on my birthday").click()
    page.get_by_role("button", name="Français").click()
    page.get_by_role("link", name="Accueil").wait_for()


def test_the_button_of_a_letter_leads_into_the_shop_and_the_visit_says_by_which(
    haven: Haven, visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit()
    nancy(haven, page)
    page.context.clear_cookies(name="signed_in")
    letter = haven.birthday()
    (tmp_path / "letter.html").write_text(letter.html, "utf-8")
    with page.expect_response(lambda answer: "/cx/o/" in answer.url):
        page.goto((tmp_path / "letter.html").as_uri())
    assert page.get_by_role("link").count() == 2, "the third nobody sees, and no keyboard reaches it"
    with page.expect_popup() as opened_in:  # letters open what they lead to beside them
        page.get_by_role("link", name="Choisir vos douceurs").click()
    opened_in.value.get_by_role("heading", name="Nos douceurs").wait_for()
    (landed,) = [one for one in haven.named("page.viewed") if one.context.page and one.context.page.route == "/sweets"]
    assert [(one.type, one.evidence) for one in landed.identity.identifiers] == [
        ("visitor", "cookie"),
        ("email", "token"),
    ]
    (opened,), (clicked,) = haven.named("message.opened"), haven.named("message.clicked")
    assert (opened.properties["by"], clicked.properties["by"]) == ("human", "human")
    opened_in.value.keyboard.press("Tab")
    opened_in.value.goto("about:blank")

    def confirmed() -> bool:
        message = haven.kit.messages.of(clicked.properties["message"])
        assert message is not None
        return any("js_confirmed" in one["signs"] for one in message.hits)

    until(confirmed, "what she did there arrives")
    assert not haven.named("message.verdict_revised"), "she was human before"


@pytest.mark.parametrize(
    ("locale", "leave", "left"),
    [("en-GB", "Unsubscribe", "You are unsubscribed"), ("fr-FR", "Se désabonner", "Vous êtes désabonné")],
)
def test_its_recipient_leaves_without_javascript(
    haven: Haven, visit: Callable[..., Any], locale: str, leave: str, left: str
) -> None:
    nancy(haven, visit())
    letter = haven.birthday()
    page = visit(locale=locale, java_script_enabled=False)
    page.goto(letter.leave)
    assert page.get_by_role("heading", name=leave).is_visible()
    assert haven.congratulate() == "sent", "to look at it is not to leave"
    page.get_by_role("button", name=leave).click()
    assert page.get_by_role("heading", name=left).is_visible()
    assert haven.congratulate() == "send:marketing:opted_out:email"
    assert len(haven.named("message.unsubscribed")) == 1
