"""Candy Haven's fronts give the same pages, whatever framework they stand in."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest

import cxkit
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from cxkit.testing.web_shop import Browser, Reply, served, served_wsgi

FRONTS: Final[dict[str, Callable[[Any], AbstractContextManager[int]]]] = {"flask": served_wsgi}
"""Those that are to be as Starlette's is, and what serves them."""
WALK: Final[list[tuple[str, dict[str, str] | None]]] = [
    ("/", None), ("/sweets", None), ("/sweets/ALM-200", None), ("/search?words=almond&words=", None),
    ("/compare?sku=ALM-100&sku=ORA-100", None), ("/cart", None), ("/blog/almond-blossom", None),
    ("/sweets/nothing", None), ("/nowhere", None), ("/logout", None),
    ("/consent", {"analytics": "granted"}), ("/language", {"language": "fr"}), ("/", None),
    ("/cart", {"sku": "ALM-200", "quantity": "2"}), ("/cart", None), ("/checkout", None),
    ("/login", {"email": "nancy@example.com", "next": "/"}), ("/account", None), ("/search", {}),
    ("/support", None), ("/cart", {"sku": "x" * 200_000}),
]  # fmt: skip
"""Paths, and what is posted there."""


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kit() -> Iterator[cxkit.Kit]:
    kit = cxkit.Kit(Settings(strict=True), exporters={"recorder": RecordingExporter()}, in_memory=True)
    yield kit
    kit.close()


def walked(front: str, serve: Callable[[Any], AbstractContextManager[int]], kit: cxkit.Kit) -> list[Reply]:
    app = importlib.import_module(f"examples.candy_haven.fronts.{front}").make(kit)
    with serve(app) as port:
        browser = Browser(port)
        return [
            browser.ask(path)
            if fields is None
            else browser.ask(
                path,
                method="POST",
                headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"},
                body=urlencode(fields).encode(),
            )
            for path, fields in WALK
        ]


def test_the_pages_are_the_same(front: str, kit: cxkit.Kit, examples: Path) -> None:
    expected, found = walked("starlette", served, kit), walked(front, FRONTS[front], kit)
    assert {one.status for one in expected} >= {200, 303, 404, 405, 413}
    for (path, _), one, other in zip(WALK, expected, found, strict=True):
        assert (path, other.status, other.body) == (path, one.status, one.body)
        assert other.all("location") == one.all("location")
        assert sorted(map(_named, other.all("set-cookie"))) == sorted(map(_named, one.all("set-cookie")))


def _named(set_cookie: str) -> str:
    return set_cookie.partition("=")[0]
