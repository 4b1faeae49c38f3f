"""Candy Haven under Django, in a process of its own: its pages are those of the other fronts."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest

pytest.importorskip("cxkit_django")

from cxkit.testing.receiver import Receiver
from cxkit.testing.web_shop import Browser, Reply, served
from tests.delivery.processes import configure

_SERVER: Final = """
import sys
from cxkit.testing.wsgi_server import served_wsgi
from examples.candy_haven.fronts.django import app

with served_wsgi(app) as port:
    print(port, flush=True)
    sys.stdin.read()
"""
WALK: Final[list[tuple[str, dict[str, str] | None]]] = [
    ("/", None), ("/sweets", None), ("/sweets/ALM-200", None), ("/search?words=almond&words=", None),
    ("/compare?sku=ALM-100&sku=ORA-100", None), ("/cart", None), ("/blog/almond-blossom", None),
    ("/sweets/nothing", None), ("/nowhere", None), ("/logout", None), ("/search?words=caf%C3%A9", None),
    ("/consent", {"choice": "accept"}), ("/language", {"language": "fr"}), ("/", None),
    ("/cart", {"sku": "ALM-200"}), ("/cart", None), ("/checkout", None), ("/account", None), ("/search", {}),
    ("/support", {"topic": "nothing"}), ("/cart", {"sku": "x" * 200_000}),
]  # fmt: skip
"""Paths, and what is posted there."""


@contextlib.contextmanager
def serving(examples: Path, folder: Path) -> Iterator[int]:
    """Django's settings are those of a process."""
    path = ":".join([str(examples), *filter(None, sys.path)])
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        cwd=folder,
        env={"PYTHONPATH": path, "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server:
        yield int(server.stdout.readline())
        server.stdin.close()


def walked(port: int) -> list[Reply]:
    browser = Browser(port)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return [
        browser.ask(path)
        if fields is None
        else browser.ask(path, method="POST", headers=headers, body=urlencode(fields).encode())
        for path, fields in WALK
    ]


def test_the_pages_are_those_of_starlette(examples: Path, tmp_path: Path) -> None:
    with served(importlib.import_module("examples.candy_haven.fronts.starlette").make()) as port:
        expected = walked(port)
    assert {one.status for one in expected} >= {200, 303, 404, 405, 413}
    with Receiver() as receiver:
        configure(tmp_path, sink=receiver)
        with serving(examples, tmp_path) as port:
            found = walked(port)
        assert receiver.wait_for(len(WALK), timeout_s=60)
        routes = {one.context.page.route for one in receiver.interactions if one.context.page}
    for (path, _), one, other in zip(WALK, expected, found, strict=True):
        assert (path, other.status, other.body) == (path, one.status, one.body)
        for header in ("location", "content-type", "cache-control", "vary"):
            assert other.all(header) == one.all(header) or header == "content-type", (path, header)
        named = [[cookie.partition("=")[0] for cookie in reply.all("set-cookie")] for reply in (one, other)]
        assert sorted(named[0]) == sorted(named[1]), path
    assert {"/sweets/{sku}", "/", "/blog/{slug}", None} <= routes
