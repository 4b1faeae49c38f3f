"""The ASGI middleware as a guest: hostile requests, and what of ours fails, change nothing for the app."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.api import Experience, Touchpoint
from cxkit.codec import encode
from cxkit.errors import ConfigurationError
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
from cxkit.web import ASGIMiddleware

SEEN = Touchpoint(TouchpointSpec(name="web.seen"))
HERO = Experience(ExperienceSpec(name="web.hero", variants=(Variant(name="known", depth=2),)))


# --- hostile input ---

HOSTILE: dict[str, dict[str, Any]] = {
    "500 cookies": {"headers": [(b"cookie", b"; ".join(b"c%d=canary" % n for n in range(500)))]},
    "500 cookie headers": {"headers": [(b"cookie", b"c%d=canary" % n) for n in range(500)]},
    "64 KB of cookie": {"headers": [(b"cookie", b"cxkit_visitor=" + b"canary" * 11_000)]},
    "64 KB of semicolons": {"headers": [(b"cookie", b";" * 65_000 + b"cxkit_visitor=canary")]},
    "64 KB header": {"headers": [(b"x-canary", b"canary" * 11_000)]},
    "bytes that are no text": {"headers": [(b"\xff\xfe", b"\xff\x00canary"), (b"cookie", b"cxkit_consent=\xff\xfe")]},
    "one name twice": {"headers": [(b"host", b"canary"), (b"user-agent", b"canary"), (b"user-agent", b"canary")]},
    "hosts": {"headers": [(b"host", b"canary:999999999\xff[::1%25]@<script>")]},
    "upper case": {"headers": [(b"User-Agent", b"canary"), (b"COOKIE", b"cxkit_visitor=canary")]},
    "no client": {"client": None},
    "an odd client": {"client": ["canary", None]},
    "a unix socket": {"client": ("", 0), "server": ("/canary.sock", None)},
    "http/1.0": {"http_version": "1.0", "headers": []},
    "a scheme": {"scheme": "canary"},
    "a path": {"path": "/canary/\udcff\x00/../..//%ff?#"},
    "a query": {"query_string": b"canary=canary&\xff"},
    "forwarded": {"headers": [(b"x-forwarded-for", b"canary"), (b"forwarded", b"for=canary;host=canary")]},
    "gpc": {"headers": [(b"sec-gpc", b"\xff,canary"), (b"sec-gpc", b"")]},
}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=HOSTILE)
def test_hostile_requests_are_visits_like_any_other(
    kept: Any, client: Any, answering: Any, fields: dict[str, Any]
) -> None:
    """B71."""
    sent = client(ASGIMiddleware(answering(), kit=kept.kit)).ask(**fields)
    assert sent.error is None
    assert [one["type"] for one in sent.messages] == ["http.response.start", "http.response.body"]
    assert not any(sent.cookies.values()), "at most, what is no visitor's is deleted"
    viewed = kept.viewed
    assert viewed.outcome == "completed"
    assert not viewed.identity
    assert b"canary" not in encode(viewed)


# --- when something of ours fails ---


PLUGIN = """
import attrs

from cxkit.hookspecs import hookimpl
from cxkit.roles import Factory

@attrs.frozen
class Settings:
    pass

class Broken:
    def enrich(self, facts, context):
        raise RuntimeError("this enricher is broken")

@hookimpl
def cxkit_enrichers():
    return [Factory(name="broken", settings=Settings, build=lambda settings: Broken())]
"""


@pytest.fixture
def broken_enricher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that is installed, as far as Python can tell."""
    site, about = tmp_path / "site", tmp_path / "site" / "cxkit_broken_enricher-1.dist-info"
    about.mkdir(parents=True)
    (site / "cxkit_broken_enricher.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cxkit-broken-enricher\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[cxkit]\nbroken = cxkit_broken_enricher\n")
    monkeypatch.syspath_prepend(site)


@pytest.mark.usefixtures("broken_enricher")
def test_an_enricher_that_fails_costs_what_it_adds(make: Any, client: Any, answering: Any) -> None:
    """B78."""
    kept = make({"strict": False})
    sent = client(ASGIMiddleware(answering(SEEN.capture), kit=kept.kit, route=lambda scope: "/")).ask()
    assert sent.error is None
    assert kept.viewed.context.page.route == kept.named("web.seen")[0].context.page.route == "/"
    assert kept.kit.desk.intake.noted["enricher_failed.broken"] == 1


class BrokenStore:
    remote = False

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("this store is broken")


def broken_clock() -> int:
    raise RuntimeError("this clock is broken")


def broken_route(scope: Any) -> str:
    raise RuntimeError("this framework is broken")


@pytest.mark.parametrize("what", ["clock", "store", "route", "closed"])
def test_in_production_the_app_never_notices(
    make: Any, client: Any, answering: Any, as_default: Any, what: str
) -> None:
    whole = make({"strict": False})
    visitor = client(ASGIMiddleware(answering(lambda: cxkit.grant("analytics", "personalization")), kit=whole.kit))
    visitor.ask()
    parts = {"clock": {"time_ns": broken_clock}, "store": {"store": BrokenStore()}}.get(what, {})
    kit = make({"strict": False}, **parts).kit
    if what == "closed":
        kit.close()

    def act() -> None:
        HERO.show()
        SEEN.capture()
        cxkit.identify(user_id="nancy")
        cxkit.withdraw("advertising")

    app = answering(act, status=201, headers=[(b"a", b"1")])
    route = broken_route if what == "route" else lambda scope: None
    broken = client(ASGIMiddleware(app, kit=kit, route=route))
    broken.cookies = dict(visitor.cookies)
    with as_default(kit):
        sent = broken.ask()
    assert sent.error is None
    assert [one["type"] for one in sent.messages] == ["http.response.start", "http.response.body"]
    assert (sent.messages[0]["status"], sent.headers[0], sent.messages[1]["body"]) == (
        201,
        (b"a", b"1"),
        b"ok",
    )


@pytest.mark.parametrize("what", ["clock", "route"])
def test_in_strict_mode_the_app_notices(make: Any, client: Any, answering: Any, what: str) -> None:
    kit = make(**({"time_ns": broken_clock} if what == "clock" else {})).kit
    route = broken_route if what == "route" else lambda scope: None
    sent = client(ASGIMiddleware(answering(), kit=kit, route=route)).ask()
    assert isinstance(sent.error, RuntimeError)


def test_an_error_of_the_app_goes_before_ours(make: Any, client: Any, answering: Any) -> None:
    error = ValueError()

    def act() -> None:
        raise error

    assert client(ASGIMiddleware(answering(act), kit=make(time_ns=broken_clock).kit)).ask().error is error


def test_without_a_configuration_the_app_runs(
    client: Any, answering: Any, as_default: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "cxkit.toml").write_text("nonsense = 1\n")
    app = client(ASGIMiddleware(answering()))
    with as_default(None), caplog.at_level(logging.DEBUG, logger="cxkit"):
        assert [app.ask().messages[1]["body"] for _ in range(3)] == [b"ok"] * 3
    (record,) = caplog.records
    assert ConfigurationError.default_code[:4] in record.getMessage()
    assert not (tmp_path / ".cxkit").exists()


def test_importing_it_is_silent_and_starts_nothing() -> None:
    code = (
        "import sys, threading, asyncio, logging; before = set(sys.modules);"
        "import cxkit, cxkit.web;"
        "assert threading.active_count() == 1;"
        "assert not logging.getLogger('cxkit').handlers and not logging.getLogger().handlers;"
        "assert not {'starlette', 'httpx', 'httpcore', 'pytest'} & (set(sys.modules) - before), sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
