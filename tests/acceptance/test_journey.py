"""One journey over two channels and two processes: each sees at its next decision what happened in the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import cxkit
from cxkit.testing import FakeClock, recorder
from cxkit_starlette import CXMiddleware
from tests.flows.world import eventually

SHOP = """
import sys
import cxkit

channel = sys.argv[1]
ADDED = cxkit.touchpoint("elsewhere.added")
TAKEN = cxkit.touchpoint("elsewhere.order_taken", purpose="necessary")
buying = cxkit.journey("buying", steps=["elsewhere.added", "/checkout", "elsewhere.order_taken"])
greeting = cxkit.experience(
    "elsewhere.greeting",
    fallback=cxkit.Variant(name="all"),
    variants=[
        cxkit.Variant(name="thanks", audience={"journeys.buying.completed": True}, depth=3),
        cxkit.Variant(name="help", audience={"journeys.buying.next": "/checkout"}, depth=3),
    ],
    level=4,
)
for line in sys.stdin:
    with cxkit.scope(user_id="nancy", evidence="login", channel=channel):
        match line.strip():
            case "allow":
                cxkit.grant("analytics", "personalization")
            case "add":
                ADDED.capture()
            case "take":
                TAKEN.capture()
        print(greeting.decide().variant, buying.progress().channel, flush=True)
"""


class Process:
    """One process of the shop, on one channel."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin, self._stdout = stdin, stdout

    def __call__(self, verb: str = "look") -> str:
        """Do something; what is decided right after it."""
        self._stdin.write(f"{verb}\n")
        self._stdin.flush()
        return self._stdout.readline().strip()


@contextmanager
def process(channel: str, folder: Path) -> Iterator[Process]:
    program = [sys.executable, "-c", SHOP, channel]
    with subprocess.Popen(program, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        yield Process(running.stdin, running.stdout)
        running.stdin.close()
        assert running.wait(timeout=60) == 0


@pytest.mark.parametrize("durability", ["queue", "write"])
def test_what_begins_on_the_web_goes_on_by_phone(tmp_path: Path, durability: str) -> None:
    (tmp_path / "cxkit.toml").write_text(f'durability = "{durability}"\nstrict = true\n', "utf-8")
    with process("web", tmp_path) as web, process("phone", tmp_path) as phone:
        assert web("allow") == "all None"
        assert web("add") == "help web"  # at once
        eventually(lambda: phone() == "help web")
        assert phone("take") == "thanks phone"
        eventually(lambda: web() == "thanks phone")
    with process("store", tmp_path) as store:  # another day, another channel
        assert store() == "thanks phone"


LEFT = cxkit.journey("leaving", steps=["/basket/{id}", "/pay", "leaving.paid"], stalled_after_s=60)
PAID = cxkit.touchpoint("leaving.paid", kind="transaction")
BANNER = cxkit.experience(
    "leaving.banner",
    fallback=cxkit.Variant(name="all", content="Welcome."),
    variants=[
        cxkit.Variant(name="thanks", content="Thank you!", audience={"journeys.leaving.completed": True}, depth=2),
        cxkit.Variant(name="help", content="May we help?", audience={"journeys.leaving.stalled": True}, depth=2),
        cxkit.Variant(name="basket", content="To your basket", audience={"journeys.leaving.next": "/pay"}, depth=2),
    ],
    level=3,
)


async def page(request: Request) -> PlainTextResponse:
    if request.method == "POST":
        cxkit.grant("analytics", "personalization")
    if request.url.path == "/done":
        PAID.capture()
    return PlainTextResponse(BANNER.show().content)


def test_an_anonymous_visitor_is_led_from_page_to_page() -> None:
    clock = FakeClock()
    shop = Starlette(
        routes=[Route(path, page, methods=["GET", "POST"]) for path in ("/", "/basket/{id}", "/pay", "/done")]
    )
    with recorder(clock=clock) as record:
        shop.add_middleware(CXMiddleware, kit=record.kit)
        with TestClient(shop, base_url="https://shop.example") as browser, TestClient(shop) as stranger:

            def sees(path: str) -> str:
                clock.advance(1)
                return browser.get(path).text

            clock.advance(1)
            assert browser.post("/").text == "Welcome."
            assert sees("/basket/7") == "Welcome."
            answer = browser.get("/")
            assert answer.text == "To your basket"
            assert "private" in answer.headers["cache-control"]
            assert sees("/pay") == "To your basket"
            assert sees("/") == "Welcome."
            clock.advance(100)
            assert sees("/") == "May we help?"
            assert stranger.get("/").text == "Welcome."
            assert sees("/done") == "Thank you!"
            assert LEFT.progress().step is None  # of nobody
        shown = [one.decision for one in record.named("experience.shown") if one.decision]
        assert {one.variant: one.level for one in shown} == {"all": 1, "basket": 3, "help": 3, "thanks": 3}
