"""The Starlette middleware under real servers with two workers: one visitor for both, and no visit is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxkit.delivery.account import read_account
from cxkit.testing.receiver import Receiver
from cxkit.testing.web_shop import Browser
from tests.hosts.servers import serving, until

pytestmark = pytest.mark.services

SHOP = """
import os
import cxkit
from cxkit_starlette import CXMiddleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def page(request):
    return PlainTextResponse(str(os.getpid()))


async def allow(request):
    cxkit.grant("analytics")
    return PlainTextResponse(str(os.getpid()))


app = Starlette(routes=[Route("/pages/{name}", page), Route("/allow", allow, methods=["POST"])])
app.add_middleware(CXMiddleware)
"""


@pytest.mark.parametrize("name", ["uvicorn", "gunicorn uvicorn", "granian"])
def test_a_visitor_is_the_same_for_all_workers(name: str, tmp_path: Path, receiver: Receiver) -> None:
    with serving(name, tmp_path, source=SHOP) as host:
        browser, visits = Browser(host.port), 0
        processes = {browser.ask("/allow", method="POST").body}
        assert sorted(browser.cookies) == ["cxkit_consent", "cxkit_visitor"]
        while len(processes) < 2 or visits < 20:
            processes.add(browser.ask("/pages/canary").body)
            visits += 1
            assert visits < 2000, "the other worker never answered"
            assert not Browser(host.port).ask("/pages/canary").all("set-cookie")
        until(lambda: _known(receiver) == visits + 1, "all visits are delivered")
        host.end()
        assert "Traceback" not in host.printed, host.printed
    seen = [one for one in receiver.interactions if one.name == "page.viewed"]
    known = [one for one in seen if one.identity]
    assert len({one.identity.get("visitor") for one in known}) == 1
    assert {one.context.page and one.context.page.route for one in seen} == {"/allow", "/pages/{name}"}
    assert len(set(receiver.ids)) == len(receiver.ids)
    assert not any(b"canary" in payload for payload in receiver.payloads)
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    assert account.exporters["sink"].delivered == len(receiver.ids)


def _known(receiver: Receiver) -> int:
    return len([one for one in receiver.interactions if one.name == "page.viewed" and one.identity])
