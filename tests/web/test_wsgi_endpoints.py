"""What cxkit itself answers, behind WSGI: methods, bodies, visitors, and nothing of it in the visits."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

import cxkit
from cxkit import Kit
from cxkit.capture.scope import current_scope
from cxkit.model import Facts
from cxkit.roles import Endpoint, Reply
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from cxkit.testing.web_shop import Browser, served_wsgi
from cxkit.web import WSGIMiddleware
from tests.web.wsgi_driver import Got, ask, giving

MOST = 10


class Booth:
    """A channel that says back what it is told."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(path="/say", methods=frozenset({"POST"}), handle=self._say, max_body_bytes=MOST),
            Endpoint(path="/o/{token}", methods=frozenset({"GET"}), handle=self._say),
            Endpoint(path="/allow", methods=frozenset({"POST"}), handle=self._allow),
            Endpoint(path="/broken", methods=frozenset({"GET"}), handle=self._broken),
            Endpoint(path="/odd", methods=frozenset({"GET"}), handle=lambda facts, body: Reply(status=799)),
            Endpoint(path="/gone", methods=frozenset({"GET"}), handle=lambda facts, body: Reply(status=204)),
        )

    def _say(self, facts: Facts, body: bytes) -> Reply:
        return Reply(status=200, headers=(("X-Path", facts.path),), body=body or b"nothing")

    def _allow(self, facts: Facts, body: bytes) -> Reply:
        cxkit.grant("analytics")
        return Reply()

    def _broken(self, facts: Facts, body: bytes) -> Reply:
        raise ValueError("canary")


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(exporter: RecordingExporter) -> Iterator[Kit]:
    kit = Kit(Settings(strict=False), exporters={"recorder": exporter}, in_memory=True)
    kit.channels = (Booth(),)
    yield kit
    kit.close()


@pytest.fixture
def app(kit: Kit) -> Any:
    return WSGIMiddleware(giving([b"the app"], status="404 Not Found"), kit=kit)


def post(app: Any, body: bytes = b"almonds", path: str = "/cx/say", **fields: Any) -> Got:
    given = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "REQUEST_METHOD": "POST"}
    return ask(app, path, **{**given, **fields})


def test_it_says_that_it_honours_gpc(app: Any) -> None:
    got = ask(app, "/.well-known/gpc.json")
    assert (got.began[0][0], got.all("content-type")) == ("200 OK", ["application/json"])
    assert json.loads(b"".join(got.pieces)) == {"gpc": True}
    assert got.all("content-length") == [str(len(got.pieces[0]))]


def test_what_is_told_is_answered(app: Any) -> None:
    got = post(app)
    assert (got.error, got.began[0][0], got.pieces) == (None, "200 OK", [b"almonds"])
    assert ask(app, "/cx/o/abc").all("x-path") == ["/cx/o/abc"]


def test_below_a_mount_it_is_found_too(app: Any) -> None:
    assert ask(app, "/cx/o/abc", SCRIPT_NAME="/shop").all("x-path") == ["/shop/cx/o/abc"]


def test_head_has_the_headers_and_no_body(app: Any) -> None:
    got = ask(app, "/cx/o/abc", REQUEST_METHOD="HEAD")
    assert (got.began[0][0], got.all("content-length"), b"".join(got.pieces)) == ("200 OK", ["7"], b"")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"REQUEST_METHOD": "GET"}, 405),
        ({"REQUEST_METHOD": "DELETE"}, 405),
        ({"REQUEST_METHOD": "CANARY"}, 405),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, 415),
        ({"CONTENT_LENGTH": str(MOST + 1)}, 413),
        ({"CONTENT_LENGTH": str(2 << 30)}, 413),
        ({"CONTENT_LENGTH": "9" * 5000}, 413),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"CONTENT_LENGTH": "canary"}, 400),
        ({"CONTENT_LENGTH": "٣"}, 400),
        ({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, 411),
    ],
    ids=repr,
)
def test_what_is_refused_is_not_read(app: Any, fields: dict[str, str], status: int) -> None:
    """B67, B70."""

    class Unread(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise AssertionError("somebody read the body")

    got = post(app, **fields, **{"wsgi.input": Unread(b"almonds")})
    assert (got.error, got.status, b"".join(got.pieces)) == (None, status, b"")
    assert got.all("allow") == (["POST"] if status == 405 else [])
    assert got.all("cache-control") == ["no-store"]


class Sent:
    """What comes of a body: pieces, and then perhaps an error."""

    def __init__(self, *steps: Any) -> None:
        self.steps, self.asked = list(steps), 0

    def read(self, size: int) -> bytes:
        self.asked += size
        step = self.steps.pop(0) if self.steps else b""
        if isinstance(step, Exception):
            raise step
        return bytes(step[:size])


@pytest.mark.parametrize(
    ("steps", "fields", "status"),
    [
        ([b"al", b"mon", b"ds"], {}, 200),
        ([b"al"], {}, 400),
        ([b"al", TimeoutError()], {}, 408),
        ([ConnectionResetError()], {}, 400),
        ([OSError("no chunk")], {}, 400),
        ([ValueError("the server's own")], {}, 400),
        ([b"almonds"], {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 200),
        ([b"al", b"monds"], {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 200),
        ([b"almonds" * 9], {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 413),
        ([b"al"] * 900, {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 413),
    ],
)
def test_how_a_body_comes(app: Any, steps: list[Any], fields: dict[str, Any], status: int) -> None:
    """B70."""
    sent = Sent(*steps)
    got = post(app, **{**fields, "wsgi.input": sent})
    assert (got.error, got.status) == (None, status)
    assert sent.asked <= (MOST + 1) ** 2
    assert b"".join(got.pieces) == (b"almonds" if status == 200 else b"")


def test_without_a_length_nothing_is_read(app: Any) -> None:
    """Reading could wait for ever."""
    assert post(app, CONTENT_LENGTH="", **{"wsgi.input": None}).pieces == [b"nothing"]


def test_what_fails_tells_nothing_of_itself(app: Any, kit: Kit) -> None:
    got = ask(app, "/cx/broken")
    assert (got.error, got.began[0][0], b"".join(got.pieces)) == (None, "500 Internal Server Error", b"")
    assert sum(kit.desk.intake.noted.values()) == 1


def test_statuses_that_nobody_has_named(app: Any) -> None:
    assert ask(app, "/cx/odd").began[0][0] == "799 -"
    got = ask(app, "/cx/gone")
    assert (got.began[0][0], got.all("content-length")) == ("204 No Content", [])


def test_a_choice_made_there_is_kept_in_the_browser(app: Any) -> None:
    got = post(app, path="/cx/allow")
    assert sorted(got.cookies) == ["cxkit_consent", "cxkit_visitor"]
    assert current_scope() is None


def test_none_of_it_is_a_visit(app: Any, kit: Kit, exporter: RecordingExporter) -> None:
    for path in ("/cx/say", "/cx/o/abc", "/.well-known/gpc.json", "/cx/broken"):
        ask(app, path)
    assert kit.flush(timeout_s=10).complete
    assert not exporter.interactions


@pytest.mark.parametrize(
    "path", ["/cx", "/cx/", "/cx/nothing", "/cx/o/a/b", "/cx/o/", "/CX/say", "/xcx/say", "/.well-known/x"]
)
def test_other_paths_are_the_apps(app: Any, path: str) -> None:
    assert ask(app, path).pieces == [b"the app"]


def test_behind_a_real_server(app: Any) -> None:
    with served_wsgi(app) as port:
        browser = Browser(port)
        assert browser.ask("/cx/say", method="POST", body=b"almonds").body == b"almonds"
        with contextlib.suppress(ConnectionError):  # a server may hang up on what is not read
            assert browser.ask("/cx/say", method="POST", body=b"almonds" * 100_000).status == 413
        assert browser.ask("/.well-known/gpc.json").body == b'{"gpc":true}'
        assert browser.ask("/").body == b"the app"
