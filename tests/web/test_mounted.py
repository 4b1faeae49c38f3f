"""What cxkit itself answers: endpoints of its own and of plugins' channels, on ASGI and on WSGI."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from cxkit.capture.scope import current_scope
from cxkit.kit import Kit
from cxkit.roles import Endpoint, Reply
from cxkit.settings import Settings, Web
from cxkit.web import ASGIMiddleware, Sites, WSGIMiddleware
from tests.theirs import installing

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "endpoints.md"
HOOKS = """
    import attrs, cxkit
    from urllib.parse import unquote
    from cxkit.hookspecs import hookimpl
    from cxkit.roles import Endpoint, Factory, Reply

    @attrs.frozen
    class Options:
        pass

    def told(facts, body):
        if body == b"allow":
            cxkit.grant("analytics")
        if body == b"fail":
            raise RuntimeError("canary")
        if body == b"header":
            name, _, value = facts.query.partition(":")
            return Reply(status=200, headers=((name, unquote(value)),), body=b"canary")
        cxkit.touchpoint("hook.called", purpose="necessary").capture()
        return Reply(status=200, headers=(("X-Path", facts.path),), body=body or facts.query.encode())

    class Hooks:
        def endpoints(self):
            yield Endpoint(path="/hook", methods=frozenset({"GET", "POST"}), handle=told, max_body_bytes=8)
            yield Endpoint(path="/o/{messageId2}", methods=frozenset({"GET"}), handle=told)

    class Broken:
        def endpoints(self):
            raise RuntimeError("canary")

    @hookimpl
    def cxkit_channels():
        return [
            Factory(name="broken", settings=Options, build=lambda options: Broken()),
            Factory(name="hooks", settings=Options, build=lambda options: Hooks()),
        ]
"""


@attrs.frozen
class Told:
    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[..., Told]


@pytest.fixture
def opened(tmp_path: Path, make: Any) -> Iterator[Callable[..., Any]]:
    site = tmp_path / "site"
    site.mkdir()
    with installing(site) as install:
        install("cxkit_hooks", HOOKS)
        yield lambda **web: make({"strict": False, "web": Web(**web)})


@pytest.fixture(params=["asgi", "wsgi"])
def ask_of(request: pytest.FixtureRequest, client: Any, answering: Any) -> Callable[[Kit], Ask]:
    def over_asgi(kit: Kit) -> Ask:
        app = client(ASGIMiddleware(answering(), kit=kit))

        def ask(path: str, *, headers: Mapping[str, str] = {}, body: bytes | None = None, **fields: Any) -> Told:
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            received = [{"type": "http.request", "body": body}] if body is not None else [{"type": "http.request"}]
            fields["query_string"] = fields.pop("query", "").encode()
            sent = app.ask(path, headers=raw, received=received, **fields)
            assert sent.error is None
            found = {name.decode().lower(): value.decode("latin-1") for name, value in sent.headers}
            return Told(sent.messages[0]["status"], found, b"".join(one["body"] for one in sent.messages[1:]))

        return ask

    def over_wsgi(kit: Kit) -> Ask:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [b"ok"]

        wrapped = WSGIMiddleware(app, kit=kit)

        def ask(
            path: str,
            *,
            method: str = "GET",
            headers: Mapping[str, str] = {},
            body: bytes | None = None,
            query: str = "",
            root_path: str = "",
        ) -> Told:
            started: list[Any] = []
            environ = {
                "REQUEST_METHOD": method,
                "PATH_INFO": path.removeprefix(root_path),
                "SCRIPT_NAME": root_path,
                "QUERY_STRING": query,
                "HTTP_HOST": "shop.example",
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(body or b""),
                **({"CONTENT_LENGTH": str(len(body))} if body is not None else {}),
                **{_variable(name): value for name, value in headers.items()},
            }
            pieces = wrapped(environ, lambda *said: started.append(said))
            status, found = started[0]
            return Told(int(status[:3]), {name.lower(): value for name, value in found}, b"".join(pieces))

        return ask

    return {"asgi": over_asgi, "wsgi": over_wsgi}[request.param]


def _variable(name: str) -> str:
    name = name.upper().replace("-", "_")
    return name if name in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{name}"


@pytest.fixture
def ask(opened: Any, ask_of: Callable[[Kit], Ask]) -> Ask:
    return ask_of(opened().kit)


def test_a_channel_answers_in_the_visitors_scope_and_no_page_is_viewed(opened: Any, ask_of: Any) -> None:
    kept = opened()
    told = ask_of(kept.kit)("/cx/hook", query="a=1")
    assert (told.status, told.headers["x-path"], told.body) == (200, "/cx/hook", b"a=1")
    assert [one.name for one in kept.interactions] == ["hook.called"]
    assert kept.interactions[0].channel == "web"


def test_what_is_chosen_there_is_remembered_in_the_browser(ask: Ask) -> None:
    assert "cxkit_visitor" not in ask("/cx/hook").headers.get("set-cookie", "")
    told = ask("/cx/hook", method="POST", body=b"allow")
    assert "cxkit_consent" in told.headers["set-cookie"]


def test_a_path_may_hold_a_value(ask: Ask) -> None:
    assert ask("/cx/o/abc").headers["x-path"] == "/cx/o/abc"
    assert ask("/cx/o/abc/def").body == ask("/cx/o/").body == b"ok", "that is the app's"


def test_below_where_the_app_is_mounted(ask: Ask) -> None:
    assert ask("/shop/cx/hook", root_path="/shop").headers["x-path"] == "/shop/cx/hook"


def test_the_mount_can_be_moved_and_left_out(opened: Any, ask_of: Any) -> None:
    moved = ask_of(opened(mount="/experience/of").kit)
    assert moved("/experience/of/hook").status == 200
    assert moved("/cx/hook").body == b"ok"
    none = ask_of(opened(mount="").kit)
    assert [none(path).body for path in ("/cx/hook", "/hook", "/.well-known/gpc.json")] == [b"ok"] * 3


def test_nothing_is_mounted_for_who_debugs(kept: Any) -> None:
    """S31: without a plugin's channels there is what the reference tells of, and nothing else."""
    exact, patterned = Sites(kept.kit)()._mounted
    paths = {"/cx/consent", "/cx/preferences", "/cx/cx.css", "/cx/cx.js", "/cx/i", "/.well-known/gpc.json"}
    assert (exact.keys(), patterned) == (paths, [])
    page = REFERENCE.read_text("utf-8")
    assert [path for path in sorted(paths) if f"`{path}`" not in page] == []


def test_the_site_says_that_it_honours_gpc(ask: Ask) -> None:
    told = ask("/.well-known/gpc.json")
    assert (told.headers["content-type"], told.body) == ("application/json", b'{"gpc":true}')
    assert told.headers["content-length"] == "12"
    head = ask("/.well-known/gpc.json", method="HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "12", b"")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"method": "DELETE"}, 405),
        ({"method": "POST", "body": b"123456789"}, 413),
        ({"method": "POST", "body": b"12345678"}, 200),
        ({"method": "POST", "headers": {"content-length": "9" * 4000}}, 413),
        ({"method": "POST", "headers": {"content-length": "-1"}}, 400),
        ({"method": "POST", "headers": {"content-length": "\u0661"}}, 400),
        ({"method": "POST", "body": b"12", "headers": {"content-encoding": "gzip"}}, 415),
        ({"method": "POST", "body": b"12", "headers": {"content-encoding": "gzip, gzip"}}, 415),
        ({"method": "POST", "body": b"12", "headers": {"content-encoding": "identity"}}, 200),
    ],
)
def test_what_cannot_be_taken_is_refused_before_it_is_read(ask: Ask, asked: Any, status: int) -> None:
    """B67, B69."""
    if not str(asked.get("headers", {})).isascii():
        asked["headers"] = {name: value.encode().decode("latin-1") for name, value in asked["headers"].items()}
    told = ask("/cx/hook", **asked)
    assert (told.status, told.headers.get("cache-control")) == (status, None if status == 200 else "no-store")


def test_which_methods_there_are_is_said(ask: Ask) -> None:
    assert ask("/cx/hook", method="PUT").headers["allow"] == "GET, HEAD, POST"


def test_nothing_is_told_of_a_failure(opened: Any, ask_of: Any) -> None:
    kept = opened()
    told = ask_of(kept.kit)("/cx/hook", method="POST", body=b"fail")
    assert (told.status, told.body, told.headers["cache-control"]) == (500, b"", "no-store")
    assert "canary" not in str(told.headers)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("X-A:caf%C3%A9\t, b", 200),
        ("X-A:", 200),
        ("X-A:%E2%82%AC", 500),
        ("X-A:a%0D%0ASet-Cookie: canary=1", 500),
        ("X-A:a%0A", 500),
        ("X-A:a%00", 500),
        ("X-A: a", 500),
        ("X A:a", 500),
        (":a", 500),
    ],
)
def test_what_is_no_header_is_a_failure(opened: Any, ask_of: Any, header: str, status: int) -> None:
    """B77."""
    kept = opened()
    told = ask_of(kept.kit)("/cx/hook", method="POST", body=b"header", query=header)
    assert (told.status, told.headers.get("cache-control")) == (status, "no-store" if status == 500 else None)
    assert ("canary" in f"{told.headers}{told.body!r}") is (status == 200)
    assert sum(kept.kit.desk.intake.noted.values()) == (2 if status == 500 else 1), "the broken channel is the other"


def test_where_no_body_comes_the_scope_ends_all_the_same(opened: Any, client: Any, answering: Any) -> None:
    async def run() -> None:
        async def receive() -> dict[str, Any]:
            raise OSError("canary")

        scope = client(None).scope("/cx/hook", method="POST")
        with pytest.raises(OSError, match="canary"):
            await ASGIMiddleware(answering(), kit=opened().kit)(scope, receive, receive)
        assert scope["cxkit.scope"].closed
        assert current_scope() is None

    asyncio.run(run())


def test_a_body_that_breaks_off_is_none(opened: Any, client: Any, answering: Any) -> None:
    """B70."""
    app = client(ASGIMiddleware(answering(), kit=opened().kit))
    part = {"type": "http.request", "body": b"allow", "more_body": True}
    assert app.ask("/cx/hook", method="POST", received=[part]).messages[0]["status"] == 400
    assert not app.cookies


def test_a_body_that_does_not_say_how_long_it_is_ends_at_the_limit(opened: Any, client: Any, answering: Any) -> None:
    """B70."""
    app = client(ASGIMiddleware(answering(), kit=opened().kit))
    endless = ({"type": "http.request", "body": b"123", "more_body": True} for _ in range(1_000_000))
    assert app.ask("/cx/hook", method="POST", received=endless).messages[0]["status"] == 413


def test_a_body_that_is_slow_is_not_waited_for(
    opened: Any, client: Any, answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B70."""
    from cxkit.web import asgi

    monkeypatch.setattr(asgi, "PATIENCE_S", 0.05)
    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"", "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        app = ASGIMiddleware(answering(), kit=opened().kit)
        await app(client(None).scope("/cx/hook", method="POST"), receive, send)

    asyncio.run(run())
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"cache-control"]) == (408, b"no-store")


def test_settings_of_the_mount() -> None:
    for wrong in ("cx", "/cx/", "/", "/c x", "/cx\n"):
        with pytest.raises(Exception, match="CX1006"):
            Settings(web=Web(mount=wrong))


@pytest.mark.parametrize(("path", "kept_paths"), [("/shop/static/a.js", 0), ("/shop/healthz", 0), ("/shop/statics", 1)])
def test_what_is_excluded_is_so_where_the_app_is_mounted(
    opened: Any, client: Any, answering: Any, path: str, kept_paths: int
) -> None:
    kept = opened()
    client(ASGIMiddleware(answering(), kit=kept.kit)).ask(path, root_path="/shop")
    assert len(kept.named("page.viewed")) == kept_paths


def test_an_endpoint_that_hangs_takes_no_thread_of_the_apps(kept: Any) -> None:
    """A loop has few threads, and an app looks up names by them."""
    hangs = threading.Event()

    class Waiting:
        def handle(self, facts: object, body: bytes) -> Reply:
            hangs.wait(60)
            return Reply()

        def endpoints(self) -> list[Endpoint]:
            return [Endpoint(path="/waits", methods=frozenset({"GET"}), handle=self.handle)]

    kept.kit.channels = (Waiting(),)
    app = ASGIMiddleware(None, kit=kept.kit)  # type: ignore[arg-type]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def all_at_once() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/cx/waits",
            "scheme": "https",
            "headers": [],
            "query_string": b"",
        }
        asking = [asyncio.create_task(app(dict(scope), receive, send)) for _ in range(64)]
        try:
            await asyncio.sleep(0)
            await asyncio.wait_for(asyncio.to_thread(lambda: None), 10)
        finally:
            hangs.set()
            await asyncio.gather(*asking)

    asyncio.run(all_at_once())
    assert [one["status"] for one in sent if one["type"] == "http.response.start"] == [204] * 64
