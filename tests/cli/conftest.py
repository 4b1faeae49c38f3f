"""A folder in which an application has been visited: Nancy by two devices and the phone, Otto on her tablet, Eve."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import environment

_VISITED = r"""
from datetime import UTC, datetime, timedelta

import cxkit
from cxkit_starlette import CXMiddleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

NOW = datetime.now(UTC)
TOUCHPOINTS = {
    "read": cxkit.touchpoint("blog.read", kind="view", stage="awareness"),
    "compare": cxkit.touchpoint("product.compared", stage="consideration"),
    "pay": cxkit.touchpoint("order.placed", kind="transaction", stage="purchase", purpose="necessary"),
}
CALLED = cxkit.touchpoint("call.answered", kind="service", stage="service", purpose="necessary")
ASKED = cxkit.touchpoint("chat.asked", purpose="necessary")
hero = cxkit.experience(
    "home.hero",
    fallback=cxkit.Variant(name="all"),
    variants=[cxkit.Variant(name="gold", audience={"traits.plan": "gold"}, depth=2)],
)


async def do(request):
    what, hours = request.path_params["what"], float(request.path_params["hours"])
    value = cxkit.money("24.90", "EUR") if what == "pay" else None
    TOUCHPOINTS[what].on(at=NOW - timedelta(hours=hours), value=value).capture()
    return PlainTextResponse("")


async def home(request):
    hero.show()
    return PlainTextResponse("")


async def accept(request):
    cxkit.grant("analytics", "personalization", "identity_stitching", method="accept")
    cxkit.withdraw("profiling", method="reject")
    return PlainTextResponse("")


async def login(request):
    cxkit.identify(user_id=request.path_params["who"], traits={"plan": "gold"})
    return PlainTextResponse("")


app = Starlette(
    routes=[
        Route("/", home),
        Route("/accept", accept),
        Route("/login/{who}", login),
        Route("/do/{what}/{hours}", do),
    ]
)
app.add_middleware(CXMiddleware)


def visit(browser, *paths):
    for path in paths:
        assert browser.get(path).status_code == 200
        cxkit.flush(timeout_s=30)  # in this order


phone, tablet = TestClient(app), TestClient(app, headers={"sec-gpc": "1"})
visit(phone, "/accept", "/do/read/80", "/do/compare/79.8")
visit(tablet, "/accept", "/do/compare/10")
visit(phone, "/login/nancy", "/", "/do/pay/5")
visit(tablet, "/login/nancy")
visit(tablet, "/login/otto")
visit(TestClient(app), "/accept", "/login/eve%1b%5b31m")
with cxkit.scope(channel="phone", user_id="nancy", phone="+33 6 12 34 56 78", evidence="login"):
    CALLED.capture()
with cxkit.scope(channel="chat", email="Nancy@example.org"):
    ASKED.capture()
with cxkit.scope(channel="chat", user_id="nancy", loyalty="L-7"):
    ASKED.capture()
assert cxkit.flush(timeout_s=30).complete
"""


@pytest.fixture(scope="session")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to be looked at: all tests share it."""
    folder = tmp_path_factory.mktemp("visited")
    clean = {name: value for name, value in environment().items() if not name.startswith("CXKIT_")}
    subprocess.run(
        [sys.executable, "-c", _VISITED],
        cwd=folder,
        env={**clean, "CXKIT_DEVELOPMENT": "true", "TZ": "UTC"},
        check=True,
        timeout=120,
    )
    assert os.path.exists(folder / ".cxkit" / "local.db")
    return folder
