"""The WSGI middleware around apps without a framework: what is captured, and how a visit ends."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from wsgiref.validate import validator

import pytest

import cxkit
from cxkit import Kit
from cxkit.api import Experience, Touchpoint
from cxkit.capture.scope import current_scope
from cxkit.codec import encode
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
from cxkit.testing.web_shop import bare_wsgi
from cxkit.testing.web_suite import Handler, WebSuite, served_wsgi
from cxkit.web import WSGIMiddleware
from tests.web.wsgi_driver import TEXT, ask, environ_of, giving, pieces, wrapped

SEEN = Touchpoint(TouchpointSpec(name="web.seen"))
HERO = Experience(ExperienceSpec(name="web.hero", variants=(Variant(name="known", depth=2),)))
ERROR = ValueError("secret")


def _judged(app: Any) -> Any:
    """Within Python's own judge of WSGI; it insists on a type of content, which what cxkit answers need not have."""
    judged = validator(app)

    def correct(environ: Any, start_response: Any) -> Any:
        inside = environ["PATH_INFO"].startswith(("/cx/", "/.well-known/"))
        return (app if inside else judged)(environ, start_response)

    return correct


def _typed(app: Any) -> Any:
    def typed(environ: Any, start_response: Any) -> Any:
        def started(status: str, headers: Any, *more: Any) -> Any:
            named = {name.lower() for name, _ in headers} | (
                {"content-type"} if status[:3] in ("204", "304") else set()
            )
            return start_response(status, headers if "content-type" in named else [*headers, *TEXT], *more)

        return app(environ, started)

    return typed


class TestJudgedWSGI(WebSuite):
    """On both sides of the middleware the standard library's judge looks on."""

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        app = _judged(_typed(bare_wsgi(handlers)))
        for _ in range(self.times if kit is not None else 0):
            app = _judged(WSGIMiddleware(app, kit=kit, route=lambda environ: environ.get("bare.route")))
        return served_wsgi(app)


# --- how a visit ends ---


@pytest.mark.parametrize(
    ("body", "status", "take", "outcome", "error"),
    [
        ([b"x"], "200 OK", None, "completed", None),
        ([], "204 No Content", None, "completed", None),
        ((), "304 Not Modified", None, "completed", None),
        ([b"x"], "404 Not Found", None, "completed", None),
        ([b"x"], "503 Service Unavailable", None, "failed", None),
        (pieces(), "200 OK", None, "completed", None),
        (pieces(b"", b""), "200 OK", None, "completed", None),
        (pieces(b"x", b"y"), "200 OK", None, "completed", None),
        (pieces(b"x", b"y"), "200 OK", 0, "abandoned", None),
        (pieces(b"x", b"y"), "200 OK", 1, "abandoned", None),
        (pieces(ERROR), "200 OK", None, "failed", "ValueError"),
        (pieces(b"x", ERROR), "200 OK", None, "failed", "ValueError"),
        (pieces(b"x", KeyboardInterrupt()), "200 OK", None, "abandoned", "KeyboardInterrupt"),
    ],
)
def test_how_a_visit_ends(kept: Any, body: Any, status: str, take: int | None, outcome: str, error: str | None) -> None:
    got = ask(wrapped(kept, giving(body, status=status)), take=take)
    assert (got.error is None) is (error is None), "the app's own error, and no other"
    viewed = kept.viewed
    assert (viewed.properties["status"], viewed.outcome, viewed.error) == (int(status[:3]), outcome, error)
    assert b"secret" not in encode(viewed)


@pytest.mark.parametrize(
    ("error", "outcome", "status"),
    [(ERROR, "failed", 500), (GeneratorExit(), "abandoned", None), (SystemExit(1), "abandoned", None)],
    ids=repr,
)
def test_what_an_app_raises_is_its_own(kept: Any, error: BaseException, outcome: str, status: int | None) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise error

    assert ask(wrapped(kept, app)).error is error
    viewed = kept.viewed
    assert (viewed.outcome, viewed.properties["status"], viewed.error) == (outcome, status, type(error).__name__)


def test_an_app_that_returns_nothing_fails_as_it_would(kept: Any) -> None:
    assert isinstance(ask(giving(None)).error, TypeError)
    assert isinstance(ask(wrapped(kept, giving(None))).error, TypeError)
    assert kept.viewed.outcome == "failed"


def test_a_body_that_fails_to_close(kept: Any) -> None:
    class Body(list[bytes]):
        def close(self) -> None:
            raise ERROR

    class Streamed(Iterator[bytes]):
        def __next__(self) -> bytes:
            raise StopIteration

        def close(self) -> None:
            raise ERROR

    assert ask(wrapped(kept, giving(Body([b"x"])))).error is ERROR
    assert ask(wrapped(kept, giving(Streamed()))).error is ERROR
    assert [one.outcome for one in kept.named("page.viewed")] == ["completed"] * 2
    assert current_scope() is None


def test_a_body_left_in_the_middle_that_fails_to_close(kept: Any) -> None:
    def stubborn() -> Iterator[bytes]:
        try:
            yield b"x"
        finally:
            raise ERROR

    assert ask(wrapped(kept, giving(stubborn)), take=1).error is ERROR
    assert (kept.viewed.outcome, kept.viewed.error) == ("failed", "ValueError")


def test_an_error_page_in_place_of_what_had_begun(kept: Any) -> None:
    """PEP 3333: ``start_response`` may be called again, with the error, as long as nothing has left."""

    def app(environ: Any, start_response: Any) -> Any:
        cxkit.grant("analytics")
        start_response("200 OK", [*TEXT, ("X-First", "1")])
        try:
            raise ERROR
        except ValueError:
            start_response("500 Oh", TEXT, sys.exc_info())
        return [b"oh"]

    got = ask(wrapped(kept, app))
    assert [status for status, _ in got.began] == ["200 OK", "500 Oh"]
    assert got.headers[:1] == TEXT
    assert list(got.cookies) == ["cxkit_visitor", "cxkit_consent"]
    assert (kept.viewed.outcome, kept.viewed.properties) == ("failed", {"status": 500})


def test_an_error_after_the_first_piece_is_raised_as_the_server_does(kept: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"x"
        try:
            raise ERROR
        except ValueError:
            start_response("500 Oh", TEXT, sys.exc_info())

    got = ask(wrapped(kept, app))
    assert got.error is ERROR
    assert got.began == [("200 OK", TEXT)]
    assert (kept.viewed.outcome, kept.viewed.error) == ("failed", "ValueError")
    assert kept.viewed.properties == {"status": 200}, "as was sent"


def test_what_start_response_returns_is_the_servers_own(kept: Any) -> None:
    writes: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        writes.append(start_response("200 OK", TEXT))
        writes[0](b"written")
        return []

    got = ask(wrapped(kept, app))
    assert got.pieces == [b"written"]
    assert writes == [got.pieces.append]
    assert kept.viewed.outcome == "completed"


def test_a_response_that_begins_with_its_first_piece(kept: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        cxkit.grant("analytics")
        start_response("201 Created", TEXT)
        yield b"x"

    got = ask(wrapped(kept, app))
    assert list(got.cookies) == ["cxkit_visitor", "cxkit_consent"]
    assert kept.viewed.properties == {"status": 201}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "TRACE", "CANARY"])
def test_methods(kept: Any, method: str) -> None:
    assert ask(wrapped(kept, giving([b"x"])), REQUEST_METHOD=method).pieces == [b"x"]
    assert kept.viewed.context.page.method == (None if method == "CANARY" else method)
    assert b"CANARY" not in encode(kept.viewed)


def test_a_body_as_long_as_announced_has_left_with_its_last_byte(kept: Any) -> None:
    """Whoever asks for no more than that has not gone away."""
    headers = [*TEXT, ("content-Length", "3")]
    assert ask(wrapped(kept, giving(pieces(b"al", b"m", b""), headers=headers)), take=1).pieces == [b"al"]
    assert ask(wrapped(kept, giving(pieces(b"al", b"m", b""), headers=headers)), take=2).pieces == [b"al", b"m"]
    assert ask(wrapped(kept, giving(pieces(b"al", b"mo"), headers=headers))).pieces == [b"al", b"mo"]
    assert [one.outcome for one in kept.named("page.viewed")] == ["abandoned", "completed", "completed"]


def test_then_what_runs_in_that_thread_is_nobodys(kept: Any) -> None:
    def run() -> None:
        body: Any = wrapped(kept, giving(pieces(b"x"), headers=[("Content-Length", "1")]))(
            environ_of(), lambda *began: None
        )
        assert next(body) == b"x"
        assert current_scope() is None
        body.close()

    contextvars.Context().run(run)


@pytest.mark.parametrize("length", ["", "canary", "-1", "\u0663", "9" * 5000, " 1"])
def test_lengths_that_say_nothing(kept: Any, length: str) -> None:
    headers = [("Content-Length", length)]
    assert ask(wrapped(kept, giving(pieces(b"x"), headers=headers)), take=1).pieces == [b"x"]
    assert kept.viewed.outcome == "abandoned"


# --- routes, users, errors ---


def test_a_route_that_is_forgotten_before_the_body_has_left(kept: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["route"] = "/products/{sku}"
        start_response("200 OK", TEXT)
        del environ["route"]
        return iter([b"x"])

    ask(wrapped(kept, app, route=lambda environ: environ.get("route")))
    assert kept.viewed.context.page.route == "/products/{sku}"


def test_a_route_that_is_found_late(kept: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        SEEN.capture()
        environ["route"] = "/products/{sku}"
        start_response("200 OK", TEXT)
        return [b"x"]

    ask(wrapped(kept, app, route=lambda environ: environ.get("route")))
    assert kept.viewed.context.page.route == "/products/{sku}"


@pytest.mark.parametrize("strict", [False, True])
def test_a_route_that_cannot_be_found(make: Any, strict: bool) -> None:
    def broken(environ: Any) -> str:
        raise RuntimeError("this framework is broken")

    kept = make({"strict": strict})
    got = ask(wrapped(kept, giving([b"x"]), route=broken))
    if strict:
        assert isinstance(got.error, RuntimeError)
    else:
        assert (got.error, got.pieces) == (None, [b"x"])
        assert kept.viewed.context.page.route is None


def test_whom_the_app_knows_is_known(kept: Any) -> None:
    ask(wrapped(kept, giving([b"x"], act=lambda: cxkit.grant("analytics")), user=lambda environ: "nancy"))
    assert kept.viewed.identity.get("user_id").value == "nancy"


@pytest.mark.parametrize("body", [[b"oh"], pieces(b"oh")], ids=["whole", "streamed"])
def test_what_a_framework_made_an_error_page_of(kept: Any, body: Any) -> None:
    ask(wrapped(kept, giving(body, status="500 Oh"), error=lambda environ: ERROR))
    viewed = kept.viewed
    assert (viewed.outcome, viewed.error, viewed.properties) == ("failed", "ValueError", {"status": 500})


# --- apart ---


def test_a_server_that_sends_in_turn_keeps_visitors_apart(kept: Any) -> None:
    """All in one thread, a piece of one response after a piece of another."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        for _ in range(3):
            SEEN.capture(objects=environ["HTTP_SEC_GPC"] == "1")
            yield b"x"

    def run() -> None:
        around = wrapped(kept, app)
        bodies: list[Any] = [
            around(environ_of(HTTP_SEC_GPC=str(number % 2)), lambda *began: None) for number in range(4)
        ]
        left = list(bodies)
        while left:
            left = [body for body in left if next(body, None) is not None]
        for body in reversed(bodies):
            body.close()
        assert current_scope() is None

    contextvars.Context().run(run)
    seen = kept.named("web.seen")
    assert len(seen) == 12
    assert all(("advertising" in one.consent) is one.properties["objects"] for one in seen)


def test_a_scope_that_is_open_across_pieces_stays_the_current_one(kept: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        with cxkit.scope(channel="store"):
            yield b"x"
            SEEN.capture()

    ask(wrapped(kept, app))
    assert kept.named("web.seen")[0].channel == "store"


def test_a_body_sent_from_another_thread_is_the_same_visitors(kept: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"x"
        SEEN.capture()

    body: Any = wrapped(kept, app)(environ_of(HTTP_SEC_GPC="1"), lambda *began: None)
    assert contextvars.Context().run(lambda: list(body)) == [b"x"]
    contextvars.Context().run(body.close)
    assert kept.named("web.seen")[0].consent["advertising"] is False


def test_what_an_app_does_when_its_body_is_closed_is_the_visitors(kept: Any) -> None:
    class Body(Iterator[bytes]):
        def __next__(self) -> bytes:
            raise StopIteration

        def close(self) -> None:
            SEEN.capture()

    ask(wrapped(kept, giving(Body)), HTTP_SEC_GPC="1")
    assert kept.named("web.seen")[0].consent["advertising"] is False
