"""Candy Haven's fronts, each in a process of its own, give the same pages, whatever framework they stand in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest

from cxkit.testing.receiver import Receiver
from cxkit.testing.web_shop import Browser, Reply
from tests.delivery.processes import Child, configure

FRONTS: Final = {"starlette": "served", "flask": "served_wsgi", "django": "served_wsgi"}
"""Each with the server of `cxkit.testing.web_shop` for it."""
_SERVER: Final = """
signal.alarm(300)  # it walks far
sys.path.insert(0, {examples!r})
from cxkit.testing.web_shop import {served}
from examples.candy_haven.fronts.{front} import app

with {served}(app) as port:
    say(port)
    sys.stdin.readline()
"""
WALK: Final[list[tuple[str, dict[str, str] | None]]] = [
    ("/", None), ("/sweets", None), ("/sweets/ALM-200", None), ("/search?words=almond&words=", None),
    ("/compare?sku=ALM-100&sku=ORA-100", None), ("/cart", None), ("/blog/almond-blossom", None),
    ("/sweets/nothing", None), ("/nowhere", None), ("/logout", None), ("/search?words=caf%C3%A9", None),
    ("/consent", {"choice": "accept"}), ("/language", {"language": "fr"}), ("/", None),
    ("/cart", {"sku": "ALM-200", "quantity": "2"}), ("/cart", None), ("/checkout", None),
    ("/login", {"email": "nancy@example.com", "next": "/"}), ("/account", None), ("/search", {}),
    ("/support", None), ("/support", {"topic": "nothing"}), ("/cart", {"sku": "x" * 200_000}),
]  # fmt: skip
"""Paths, and what is posted there."""


@contextmanager
def serving(front: str, examples: Path, folder: Path) -> Iterator[int]:
    """A front with the configuration of a folder, and its port."""
    script = _SERVER.format(front=front, served=FRONTS[front], examples=str(examples))
    server = Child(script, folder=folder, stderr=folder / "printed")
    try:
        yield int(server.line()[0])
        server.tell("that is all")
        assert (server.wait(), server.stderr) == (0, "")
    finally:
        server.end()


def walked(port: int) -> list[Reply]:
    browser = Browser(port)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    return [
        browser.ask(path)
        if fields is None
        else browser.ask(path, method="POST", headers=headers, body=urlencode(fields).encode())
        for path, fields in WALK
    ]


@pytest.fixture(scope="module")
def expected(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Reply]:
    """What Starlette's front answers."""
    with serving("starlette", examples, tmp_path_factory.mktemp("starlette")) as port:
        return walked(port)


def shown(reply: Reply) -> dict[str, object]:
    """What customers, their browsers and caches make of it; cookies have values of their own."""
    kept = ["location", "cache-control", "vary", *(["content-type"] if reply.body else [])]
    return {
        "status": reply.status,
        "body": reply.body,
        **{name: reply.all(name) for name in kept},
        "cookies": sorted(one.partition("=")[0] for one in reply.all("set-cookie")),
    }


@pytest.mark.parametrize("front", sorted(FRONTS.keys() - {"starlette"}))
def test_the_pages_are_the_same(front: str, expected: list[Reply], examples: Path, tmp_path: Path) -> None:
    assert {one.status for one in expected} >= {200, 303, 404, 405, 413}
    with Receiver() as receiver:
        configure(tmp_path, sink=receiver)
        with serving(front, examples, tmp_path) as port:
            found = walked(port)
        viewed = [one.context.page for one in receiver.interactions if one.name == "page.viewed"]
    for (path, _), one, other in zip(WALK, expected, found, strict=True):
        assert (path, shown(other)) == (path, shown(one))
    assert len(viewed) == len(WALK)
    assert {"/sweets/{sku}", "/", "/blog/{slug}", None} <= {page.route for page in viewed if page}
