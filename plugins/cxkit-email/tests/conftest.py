"""Kits with a table ``[email]``, a site in front of them, and a customer who gets mails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.model import Interaction
from cxkit.roles import Store
from cxkit.settings import load
from cxkit.testing import FakeClock, RecordingExporter
from cxkit_email import Prepared, prepare
from cxkit_starlette import CXMiddleware

NANCY = "nancy@example.com"
URL = "https://shop.example/cx"
HTML = """<!doctype html>
<html><body><p>Hello</p>
<a href="https://shop.example/almonds?a=1&amp;b=2#top">Almonds</a> <a href='https://partner.example/x'>Partner</a>
<a href="mailto:us@shop.example">Write</a></body></html>
"""
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"


def mail(*, html: str | None = HTML, text: str = "Hello") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Candy Haven <us@shop.example>"
    message["To"] = NANCY
    message["Subject"] = "Almonds"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def html_of(prepared: Prepared) -> str:
    return next(part for part in prepared.message.walk() if part.get_content_type() == "text/html").get_content()


class Post:
    """A kit that sends mails, and the site that answers for them."""

    def __init__(self, kit: cxkit.Kit, exporter: RecordingExporter, clock: FakeClock) -> None:
        self.kit = kit
        self.exporter = exporter
        self.clock = clock
        app = Starlette(routes=[Route("/{rest:path}", self._page)])
        app.add_middleware(CXMiddleware, kit=kit)
        self.app = app

    mail = staticmethod(mail)
    html_of = staticmethod(html_of)

    async def _page(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse("A page")

    def client(self, *, agent: str = BROWSER) -> TestClient:
        return TestClient(
            self.app, base_url="https://shop.example", headers={"user-agent": agent}, follow_redirects=False
        )

    def allows(self, *purposes: str, address: str = NANCY) -> None:
        with cxkit.scope(kit=self.kit, email=address, evidence="login"):
            cxkit.grant(*purposes)

    def prepared(self, *, address: str = NANCY, topic: str = "news", **given: Any) -> Prepared:
        answer = prepare(given.pop("message", None) or mail(), address, topic=topic, kit=self.kit, **given)
        assert isinstance(answer, Prepared), answer
        return answer

    def captured(self, name: str) -> list[Interaction]:
        assert self.kit.flush(timeout_s=10).complete
        return [one for one in self.exporter.interactions if one.name == name]

    def may_send(self, topic: str = "news", *, address: str = NANCY) -> str:
        with cxkit.scope(kit=self.kit):
            answer = cxkit.may_send(topic, "email", email=address)
        return answer.reason if isinstance(answer, cxkit.Blocked) else type(answer).__name__


@pytest.fixture
def post() -> Iterator[Callable[..., Post]]:
    """Makes one; what is given goes into ``[email]``."""
    yield from _making()


@pytest.fixture(scope="module")
def posts() -> Iterator[Callable[..., Post]]:
    """The same for all tests of a file."""
    yield from _making()


def _making() -> Iterator[Callable[..., Post]]:
    kits: list[cxkit.Kit] = []

    def make(*, strict: bool = True, store: Store | None = None, tables: Mapping[str, Any] = {}, **email: Any) -> Post:
        clock = FakeClock()
        overrides = {
            "strict": strict,
            "email": {"url": URL, **email},
            "topics": {
                "news": {"defaults": {"email": "granted"}},
                "club": {"defaults": {"email": "granted"}},
                "receipt": {"kind": "transactional"},
            },
            **tables,
        }
        exporter = RecordingExporter(purposes=frozenset({"necessary"}))
        parts = {"store": store} if store else {}
        kit = cxkit.Kit(
            load(environ={}, overrides=overrides), exporters={"recorder": exporter},
            stamper=Stamper(time_ns=clock.time_ns), in_memory=True, **parts,
        )  # fmt: skip
        kits.append(kit)
        assert not [one for one in kit.registry.failures if one.plugin == "email"]
        assert "email" in kit.tables, "the plugin is not installed"
        return Post(kit, exporter, clock)

    yield make
    for one in kits:
        one.close(timeout_s=5)
