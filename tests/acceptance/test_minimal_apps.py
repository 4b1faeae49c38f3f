"""A first app as its framework's own tutorial writes it, and one added line: allowed visits are recognised.

Without the line and its import it is the tutorial's own, and answers the same bytes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs
import pytest

from cxkit.testing.web_shop import Browser, Reply, served_wsgi

Served = Callable[[ModuleType], AbstractContextManager[int]]


@attrs.frozen(kw_only=True)
class Minimal:
    """One of ``examples/minimal``.

    Attributes:
        added: What is added to the tutorial's own: the import, and the line.
        served: A real server for what the module made; yields its port.
        route: What is to be captured of the page at the path.
    """

    file: str
    added: tuple[str, str]
    served: Served
    path: str = "/"
    route: str = "/"


APPS: Final = {
    "flask": Minimal(
        file="flask_app.py",
        added=("from cxkit_flask import CXFlask\n", "CXFlask(app)\n"),
        served=lambda module: served_wsgi(module.app),
    ),
}


@pytest.fixture(params=APPS.values(), ids=APPS)
def minimal(request: pytest.FixtureRequest) -> Minimal:
    found: Minimal = request.param
    return found


@contextlib.contextmanager
def running(minimal: Minimal, text: str) -> Iterator[int]:
    """The app that this text makes, behind a server."""
    module = ModuleType("minimal")
    exec(compile(text, minimal.file, "exec"), module.__dict__)  # noqa: S102 - our own example
    with minimal.served(module) as port:
        yield port


def text_of(minimal: Minimal, examples: Path) -> str:
    return (examples / "examples" / "minimal" / minimal.file).read_text("utf-8")


def without(minimal: Minimal, text: str) -> str:
    for line in minimal.added:
        assert text.count(line) == 1
        text = text.replace(line, "")
    assert "cx" not in text.lower()
    return text


def test_visits_are_recognised_once_that_is_allowed(minimal: Minimal, examples: Path, cx: Any) -> None:
    with running(minimal, text_of(minimal, examples)) as port:
        browser = Browser(port)
        browser.ask(minimal.path)
        asked = json.loads(browser.ask("/cx/consent").body)["asked"]
        said = browser.ask(
            "/cx/consent",
            method="POST",
            headers={"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"},
            body=json.dumps({"choices": dict.fromkeys(asked, "granted")}).encode(),
        )
        assert said.status == 200, said
        assert sorted(browser.cookies) == ["cxkit_consent", "cxkit_visitor"]
        for _ in range(2):
            assert not browser.ask(minimal.path).all("set-cookie")
    before, *after = cx.named("page.viewed")
    assert {one.context.page.route for one in (before, *after)} == {minimal.route}
    assert not before.identity
    visitors = {one.identity.get("visitor") for one in after}
    assert len(after) == 2
    assert len(visitors) == 1
    assert visitors != {None}


def test_without_the_line_it_is_as_it_was(minimal: Minimal, examples: Path, cx: Any) -> None:
    text = text_of(minimal, examples)

    def answered(text: str) -> list[Reply]:
        with running(minimal, text) as port:
            browser = Browser(port)
            return [browser.ask(minimal.path), browser.ask(minimal.path, method="HEAD"), browser.ask("/nowhere")]

    ours = answered(text)
    captured = len(cx.interactions)
    plain = answered(without(minimal, text))
    assert [bytes_of(one) for one in ours] == [bytes_of(one) for one in plain]
    assert [one.status for one in plain] == [200, 200, 404]
    assert captured == len(cx.interactions) == 3


def bytes_of(reply: Reply) -> tuple[object, ...]:
    """All but the time of day."""
    return (reply.status, [pair for pair in reply.headers if pair[0].lower() != "date"], reply.body)
