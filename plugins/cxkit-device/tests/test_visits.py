"""The plugin in an app: the same page asked for by people, by a bot and by a mail's reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.settings import load
from cxkit.testing import RecordingExporter
from cxkit.web import ASGIMiddleware

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 "
    "Mobile/15E148 Safari/604.1"
)
DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)
DARK = {
    "sec-ch-ua": '"Google Chrome";v="130", "Not?A_Brand";v="99"',
    "sec-ch-ua-platform": '"Windows"',
    "sec-ch-ua-platform-version": '"15.0.0"',
    "sec-ch-prefers-color-scheme": '"dark"',
}
BOT = "Mozilla/5.0 (compatible; Wappalyzer)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.fixture
def visited(tmp_path: Path) -> Any:
    """One visit of somebody who has allowed everything; what was captured of the page."""

    def visited(agent: str, **headers: str) -> Any:
        kept = RecordingExporter()
        settings = load(environ={}, overrides={"directory": str(tmp_path), "strict": True, "consent": {"policy": "us"}})
        kit = cxkit.Kit(settings, exporters={"recorder": kept})
        said = {"user-agent": agent, **{name.replace("_", "-"): text for name, text in headers.items()}}
        sent = asyncio.run(_asked(ASGIMiddleware(_page, kit=kit), said))
        assert kit.close(timeout_s=10).complete
        [viewed] = [one for one in kept.interactions if one.name == "page.viewed"]
        return viewed, sent

    return visited


async def _page(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def _asked(app: Callable[..., Any], headers: dict[str, str]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    pairs = [(name.encode(), text.encode()) for name, text in headers.items()]
    scope = {
        "type": "http", "method": "GET", "scheme": "https", "path": "/", "query_string": b"", "headers": pairs,
        "client": ("192.0.2.7", 4711),
    }  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def test_a_phone(visited: Any) -> None:
    viewed, _ = visited(PHONE)
    device = viewed.context.device
    assert (viewed.context.actor, device.type, device.os, device.browser) == ("unknown", "phone", "ios", "safari")
    assert viewed.context.agent is None


def test_a_desktop_with_hints(visited: Any) -> None:
    viewed, _ = visited(DESKTOP, **DARK)
    assert (viewed.context.device.type, viewed.context.device.os) == ("desktop", "windows")


@pytest.mark.parametrize(("agent", "actor", "category"), [(BOT, "bot", None), (GMAIL, "prefetch", "mail")])
def test_a_machine_is_nobody(visited: Any, agent: str, actor: str, category: str | None) -> None:
    """Though everything is allowed here, it is known by nothing and given no cookie."""
    viewed, sent = visited(agent)
    assert viewed.context.actor == actor
    assert viewed.context.agent is not None
    assert category in (None, viewed.context.agent.category)
    assert viewed.identity.identifiers == ()
    assert [name for name, _ in sent[0]["headers"] if name == b"set-cookie"] == []
