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
    ("/support", None), ("/support", {"topic": "nothing"}), ("/blog", None), ("/feed", None), ("/feed/nancy.1.0", None),
    ("/answers", {"question": "nuts", "nuts": "no", "back": "//elsewhere.example"}), ("/", None),
    ("/answers", {"question": "nuts", "nuts": "perhaps"}), ("/cart", {"sku": "x" * 200_000}),
]  # fmt: skip
"""Paths, and what is posted there."""


_KEYS: Final = 'keys = { signing = ["a secret of sixteen"], identifier = "another of sixteen" }\n'
"""All fronts have the same, so that one visitor may come to all of them: an experiment gives each the same."""


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


def walked(port: int, *, visitor: str | None = None) -> tuple[list[Reply], str]:
    """What a front answers, and the cookie by which it recognises who walked there, or was told to be walking."""
    browser, replies = Browser(port), []
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    for path, fields in WALK:
        if fields is None:
            replies.append(browser.ask(path))
        else:
            replies.append(browser.ask(path, method="POST", headers=headers, body=urlencode(fields).encode()))
        if path == "/consent":
            visitor = browser.cookies["cxkit_visitor"] = visitor or browser.cookies["cxkit_visitor"]
    assert visitor is not None
    return replies, visitor


@pytest.fixture(scope="module")
def expected(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Reply], str]:
    """What Starlette's front answers, and to whom."""
    folder = tmp_path_factory.mktemp("starlette")
    configure(folder, _KEYS)
    with serving("starlette", examples, folder) as port:
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
def test_the_pages_are_the_same(front: str, expected: tuple[list[Reply], str], examples: Path, tmp_path: Path) -> None:
    replies, visitor = expected
    assert {one.status for one in replies} >= {200, 303, 404, 405, 413}
    with Receiver() as receiver:
        configure(tmp_path, _KEYS, sink=receiver)
        with serving(front, examples, tmp_path) as port:
            found, _ = walked(port, visitor=visitor)
        viewed = [one.context.page for one in receiver.interactions if one.name == "page.viewed"]
    for (path, _), one, other in zip(WALK, replies, found, strict=True):
        assert (path, shown(other)) == (path, shown(one))
    assert len(viewed) == len(WALK)
    assert {"/sweets/{sku}", "/", "/blog/{slug}", None} <= {page.route for page in viewed if page}
