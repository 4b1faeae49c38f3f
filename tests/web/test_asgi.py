"""The ASGI middleware around apps without a framework: what is captured, and what is left alone."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit import Kit
from cxkit.api import Experience, Touchpoint
from cxkit.capture.scope import Scope, current_scope
from cxkit.codec import encode
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
from cxkit.testing.web_shop import bare_app
from cxkit.testing.web_suite import Handler, WebSuite, served
from cxkit.web import ASGIMiddleware

START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1")]}
PART = {"type": "http.response.body", "body": b"x", "more_body": True}
END = {"type": "http.response.body", "body": b"x"}
GONE = {"type": "http.disconnect"}
SEEN = Touchpoint(TouchpointSpec(name="web.seen"))
HERO = Experience(ExperienceSpec(name="web.hero", variants=(Variant(name="known", depth=2),)))


class TestBareASGI(WebSuite):
    websockets = background = True

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        app: Any = bare_app(handlers)
        for _ in range(0 if kit is None else self.times):
            app = ASGIMiddleware(app, kit=kit, route=lambda scope: scope.get("bare.route"))
        return served(app)


def sending(*steps: Any) -> Any:
    """An app that sends messages, raises errors, or receives (None)."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            await (receive() if step is None else send(step))

    return app


# --- how a visit ends ---

ERROR, CANCELLED = ValueError("secret"), asyncio.CancelledError()


@pytest.mark.parametrize(
    ("steps", "status", "outcome", "error"),
    [
        ([START, END], 200, "completed", None),
        ([START, PART, END], 200, "completed", None),
        ([START, {"type": "http.response.pathsend", "path": "/x"}], 200, "completed", None),
        ([START, {"type": "http.response.zerocopysend", "file": 7}], 200, "completed", None),
        ([{**START, "status": 404}, END], 404, "completed", None),
        ([{**START, "status": 503}, END], 503, "failed", None),
        ([{"type": "http.response.early_hint", "links": []}, START, END], 200, "completed", None),
        ([ERROR], 500, "failed", "ValueError"),
        ([START, ERROR], 200, "failed", "ValueError"),
        ([START, PART, ERROR], 200, "failed", "ValueError"),
        ([START, END, ERROR], 200, "completed", None),
        ([], None, "abandoned", None),
        ([START, PART], 200, "abandoned", None),
        ([CANCELLED], None, "abandoned", "CancelledError"),
        ([START, PART, CANCELLED], 200, "abandoned", "CancelledError"),
        ([START, END, CANCELLED], 200, "completed", None),
        ([None], None, "abandoned", None),
        ([None, ERROR], None, "abandoned", "ValueError"),
        ([START, PART, None], 200, "abandoned", None),
        ([START, PART, None, ERROR], 200, "abandoned", "ValueError"),
        ([START, END, None], 200, "completed", None),
    ],
)
def test_how_a_visit_ends(
    kept: Any, client: Any, steps: list[Any], status: int | None, outcome: str, error: str | None
) -> None:
    sent = client(ASGIMiddleware(sending(*steps), kit=kept.kit)).ask(received=[GONE])
    raised = [step for step in steps if isinstance(step, BaseException)]
    assert sent.error is (raised[0] if raised else None), "the app's own error, and no other"
    viewed = kept.viewed
    assert (viewed.properties["status"], viewed.outcome, viewed.error) == (status, outcome, error)
    assert b"secret" not in encode(viewed)


def test_a_client_that_is_gone_when_something_is_sent(kept: Any, client: Any) -> None:
    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client is gone")

    async def run() -> None:
        app = ASGIMiddleware(sending(START, PART, END), kit=kept.kit)
        await app(client(app).scope(), asyncio.Event().wait, send)

    with pytest.raises(OSError, match="gone"):
        asyncio.run(run())
    assert (kept.viewed.outcome, kept.viewed.properties) == ("abandoned", {"status": 200})


def test_a_request_that_is_cancelled_from_outside(kept: Any, client: Any) -> None:
    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await receive()

    async def run() -> None:
        async def send(message: Any) -> None:
            task.cancel()

        app = ASGIMiddleware(hangs, kit=kept.kit)
        task = asyncio.create_task(app(client(app).scope(), asyncio.Event().wait, send))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert (kept.viewed.outcome, kept.viewed.properties) == ("abandoned", {"status": 200})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "TRACE"])
def test_methods(kept: Any, client: Any, answering: Any, method: str) -> None:
    client(ASGIMiddleware(answering(), kit=kept.kit)).ask(method=method)
    assert kept.viewed.context.page.method == method


def test_a_method_nobody_knows_is_not_kept(kept: Any, client: Any, answering: Any) -> None:
    client(ASGIMiddleware(answering(), kit=kept.kit)).ask(method="CANARY")
    assert kept.viewed.context.page.method is None
    assert b"CANARY" not in encode(kept.viewed)


def test_a_visit_lasts_until_its_last_byte(kept: Any, client: Any) -> None:
    """Not as long as what the app does afterwards; what is captured there still is the visitor's."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cxkit.grant("analytics")
        await send(START)
        await send(END)
        SEEN.capture()

    client(ASGIMiddleware(app, kit=kept.kit)).ask()
    viewed, seen = kept.named("page.viewed") + kept.named("web.seen")
    names = [one.name for one in kept.interactions]
    assert names.index("page.viewed") < names.index("web.seen")
    assert seen.identity == viewed.identity != cxkit.model.Identity()


# --- what passes ---


def test_what_needs_no_change_is_not_touched(kept: Any, client: Any) -> None:
    """The very messages, in both directions; nothing is read that the app does not read."""
    messages, read = [START, PART, END], []
    request = {"type": "http.request", "body": b"x", "more_body": True}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        read.append(await receive())
        for message in messages:
            await send(message)

    async def run() -> tuple[list[Any], int]:
        sent, asked = [], []

        async def receive() -> Any:
            asked.append(1)
            return request

        async def send(message: Any) -> None:
            sent.append(message)

        around = ASGIMiddleware(app, kit=kept.kit)
        await around(client(around).scope(), receive, send)
        return sent, len(asked)

    sent, asked = asyncio.run(run())
    assert all(one is other for one, other in zip(sent, messages, strict=True))
    assert (asked, read[0] is request) == (1, True)


def test_headers_that_an_app_uses_again_stay_its_own(kept: Any, client: Any, answering: Any) -> None:
    headers = [(b"cache-control", b"public"), (b"a", b"1")]
    message = {"type": "http.response.start", "status": 200, "headers": headers}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cxkit.grant("analytics", "personalization")
        await send(message)
        await send(END)

    sent = client(ASGIMiddleware(app, kit=kept.kit)).ask()
    assert len(sent.headers) > 2
    assert message == {"type": "http.response.start", "status": 200, "headers": headers}
    assert headers == [(b"cache-control", b"public"), (b"a", b"1")]


def test_headers_that_can_be_read_only_once_are_read_once(kept: Any, client: Any) -> None:
    pairs = [(b"a", b"1"), (b"b", b"2")]
    read = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        read.extend(scope["headers"])
        await send({**START, "headers": iter(pairs)})
        await send(END)

    sent = client(ASGIMiddleware(app, kit=kept.kit)).ask(headers=iter(pairs))
    assert sent.error is None
    assert sent.headers == pairs
    assert read[1:] == pairs
    assert kept.viewed.outcome == "completed"


def test_an_app_that_breaks_the_protocol_meets_the_server_not_us(make: Any, client: Any) -> None:
    kept = make({"strict": False})
    steps = [
        {"type": "http.response.start"},
        {},
        {"type": "http.response.start", "status": "?", "headers": [1]},
    ]
    sent = client(ASGIMiddleware(sending(*steps), kit=kept.kit)).ask()
    assert sent.error is None
    assert sent.messages == steps
    assert client(ASGIMiddleware(sending(START, END), kit=kept.kit)).ask(path=None).error is None


def test_a_status_may_be_of_another_type(kept: Any, client: Any, answering: Any) -> None:
    client(ASGIMiddleware(answering(status=HTTPStatus.CREATED), kit=kept.kit)).ask()
    assert kept.viewed.properties == {"status": 201}


def test_what_is_no_visit_passes_whole(kept: Any) -> None:
    scope, given = {"type": "something.new"}, []

    async def app(*parts: Any) -> None:
        given.extend(parts)
        assert current_scope() is None

    asyncio.run(ASGIMiddleware(app, kit=kept.kit)(scope, asyncio.sleep, _swallow))
    assert given[0] is scope
    assert given[1:] == [asyncio.sleep, _swallow]
    assert scope == {"type": "something.new"}
    assert not kept.interactions


LIFE = [
    {"type": "lifespan.startup.complete"},
    {"type": "lifespan.shutdown.complete"},
    {"type": "lifespan.startup.failed", "message": "no"},
]


def test_a_lifespan_passes(kept: Any, client: Any) -> None:
    scope = {"type": "lifespan", "state": {}}
    sent: list[Any] = []

    async def app(given: Any, receive: Any, send: Any) -> None:
        assert given is scope
        assert receive is asyncio.sleep
        for message in LIFE:
            await send(message)
        raise ERROR

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ValueError, match="secret"):
        asyncio.run(ASGIMiddleware(app, kit=kept.kit)(scope, asyncio.sleep, send))
    assert all(one is other for one, other in zip(sent, LIFE, strict=True))
    assert scope == {"type": "lifespan", "state": {}}
    client(ASGIMiddleware(sending(START, END), kit=kept.kit)).ask()
    assert kept.viewed.outcome == "completed", "served again, it captures again"


def test_the_end_of_a_lifespan_delivers_what_is_left(kept: Any, client: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in LIFE[1:2] if scope["type"] == "lifespan" else [START, END]:
            await send(message)

    around = ASGIMiddleware(app, kit=kept.kit)
    client(around).ask()
    asyncio.run(around({"type": "lifespan"}, asyncio.sleep, _swallow))
    assert [one.name for one in kept.exporter.interactions] == ["page.viewed"]


def test_an_app_may_configure_its_kit_while_it_starts(make: Any, as_default: Any, tmp_path: Path) -> None:
    """Nothing is made before it has."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert not (tmp_path / ".cxkit").exists()
        with as_default(make().kit):
            await send(LIFE[0])

    with as_default(None):
        asyncio.run(ASGIMiddleware(app)({"type": "lifespan"}, asyncio.sleep, _swallow))


def test_websockets_have_a_scope_and_are_no_page(kept: Any, client: Any, answering: Any) -> None:
    visitor = client(ASGIMiddleware(answering(lambda: cxkit.grant("analytics", "personalization")), kit=kept.kit))
    visitor.ask()
    parts: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        parts.extend((receive, send))
        SEEN.capture()
        assert HERO.show().depth == 2, "nobody else can get what is sent here"
        cxkit.grant("advertising")
        await send({"type": "websocket.accept"})
        raise ERROR

    websocket = client(ASGIMiddleware(app, kit=kept.kit), scheme="ws")
    websocket.cookies = visitor.cookies
    sent = websocket.ask(type="websocket", method=None)
    assert sent.error is ERROR
    assert sent.messages == [{"type": "websocket.accept"}]
    assert len(kept.named("page.viewed")) == 1, "the one before"
    (seen,) = kept.named("web.seen")
    assert seen.identity == kept.viewed.identity
    assert seen.identity
    assert all(part.__module__ != "cxkit.web.asgi" for part in parts)


def test_a_websocket_makes_nobody_known_who_was_not(kept: Any, client: Any, answering: Any) -> None:
    """No cookie can be set there, so an identifier would be a new one every time."""
    visitor = client(ASGIMiddleware(answering(lambda: cxkit.grant("analytics")), kit=kept.kit))
    visitor.ask()
    del visitor.cookies["cxkit_visitor"]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cxkit.grant("personalization")
        SEEN.capture()

    websocket = client(ASGIMiddleware(app, kit=kept.kit))
    websocket.cookies = visitor.cookies
    websocket.ask(type="websocket")
    assert not kept.named("web.seen")[0].identity


@pytest.mark.parametrize("copied", [False, True])
def test_installed_twice_the_inner_one_steps_aside(kept: Any, client: Any, answering: Any, copied: bool) -> None:
    inner = ASGIMiddleware(answering(lambda: cxkit.grant("analytics")), kit=kept.kit)

    async def between(scope: Any, receive: Any, send: Any) -> None:
        await inner(dict(scope) if copied else scope, receive, send)

    sent = client(ASGIMiddleware(between, kit=kept.kit)).ask()
    assert len(sent.all("set-cookie")) == 2
    assert kept.viewed.identity


def test_a_request_that_is_served_again_is_a_visit_again(kept: Any, client: Any) -> None:
    around = ASGIMiddleware(sending(START, END), kit=kept.kit)

    async def retrying(scope: Any, receive: Any, send: Any) -> None:
        await around(scope, receive, send)
        await around(scope, receive, send)

    client(retrying).ask()
    assert len(kept.named("page.viewed")) == 2


@pytest.mark.parametrize(
    ("path", "count"),
    [("/static/x", 0), ("/static/", 0), ("/static", 1), ("/healthz", 0), ("/healthz/x", 1), ("", 1)],
)
def test_excluded_paths(kept: Any, client: Any, answering: Any, path: str, count: int) -> None:
    def act() -> None:
        assert (current_scope() is None) is (count == 0)

    client(ASGIMiddleware(answering(act), kit=kept.kit)).ask(path)
    assert len(kept.named("page.viewed")) == count


# --- whose scope it is ---


def test_a_scope_around_a_request_is_there_again_afterwards(kept: Any, client: Any, answering: Any) -> None:
    """A request within a unit of work, in one task: a test client, an app that calls another."""

    async def run() -> None:
        app = ASGIMiddleware(answering(), kit=kept.kit)
        with cxkit.scope(kit=kept.kit, channel="phone", evidence="login", user_id="nancy"):
            await app(client(app).scope(), asyncio.Event().wait, _swallow)
            SEEN.capture()

    cxkit_purpose = Touchpoint(TouchpointSpec(name="web.necessary", purpose="necessary"))

    async def inside() -> None:
        app = ASGIMiddleware(answering(cxkit_purpose.capture), kit=kept.kit)
        with cxkit.scope(kit=kept.kit, evidence="login", user_id="nancy"):
            await app(client(app).scope(), asyncio.Event().wait, _swallow)
            cxkit_purpose.capture()

    asyncio.run(run())
    (seen,) = kept.named("web.seen")
    assert seen.channel == "phone"
    asyncio.run(inside())
    within, after = kept.named("web.necessary")
    assert not within.identity, "the visitor is not whoever calls"
    assert after.identity.get("user_id").value == "nancy"


def test_a_request_that_begins_within_anothers_is_not_that_visitors(kept: Any, client: Any, as_default: Any) -> None:
    """As servers do with pipelined requests: the second starts while the first one's scope is open."""
    held: list[contextvars.Context] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/first":
            cxkit.grant("analytics")
            second = around(visitor.scope("/second"), asyncio.Event().wait, _swallow)
            await asyncio.create_task(second)
            held[0].run(SEEN.capture, when="the second is over, the first is not")
        else:
            held.append(contextvars.copy_context())
            SEEN.capture(when="during")

    around = ASGIMiddleware(app, kit=kept.kit)
    visitor = client(around)
    with as_default(kept.kit):
        assert visitor.ask("/first").error is None
    during, after = kept.named("web.seen")
    assert not during.identity
    assert not after.identity


async def _swallow(message: Any) -> None: ...


def test_what_is_captured_before_routing_does_not_lose_the_route(kept: Any, client: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        SEEN.capture()
        scope["found"] = "/products/{sku}"
        Touchpoint(TouchpointSpec(name="web.later")).capture()
        await send(START)
        await send(END)

    client(ASGIMiddleware(app, kit=kept.kit, route=lambda scope: scope.get("found"))).ask()
    routes = {one.name: one.context.page.route for one in kept.interactions}
    assert routes == {"web.seen": None, "web.later": "/products/{sku}", "page.viewed": "/products/{sku}"}


def test_nothing_of_a_visit_stays_behind(kept: Any, client: Any, answering: Any) -> None:
    async def run() -> list[object]:
        app = ASGIMiddleware(answering(SEEN.capture), kit=kept.kit)
        for _ in range(100):
            await app(client(app).scope(), asyncio.Event().wait, _swallow)
        gc.collect()
        return [one for one in gc.get_objects() if type(one) is Scope and one.kit is kept.kit]

    assert len(asyncio.run(run())) <= 5, "the kit's own, the lanes' own, and the last one"
