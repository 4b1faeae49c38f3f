"""The WSGI middleware as a guest: what is the app's or the server's own stays so, whatever comes and whatever fails."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper

import pytest

import cxkit
from cxkit.api import Experience, Touchpoint
from cxkit.capture.scope import current_scope
from cxkit.codec import encode
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
from cxkit.web import WSGIMiddleware
from tests.web.wsgi_driver import TEXT, ask, environ_of, giving, pieces, wrapped

SEEN = Touchpoint(TouchpointSpec(name="web.seen"))
HERO = Experience(ExperienceSpec(name="web.hero", variants=(Variant(name="known", depth=2),)))
ERROR = ValueError("secret")


# --- left alone ---


def test_a_list_stays_the_list_that_it_is(kept: Any) -> None:
    body = [b"x"]
    assert ask(wrapped(kept, giving(body))).body is body


def test_servers_find_the_length_of_a_list(kept: Any) -> None:
    said = io.BytesIO()
    handler = SimpleHandler(io.BytesIO(), said, io.StringIO(), environ_of())
    handler.run(wrapped(kept, giving([b"almonds"], headers=[*TEXT])))
    assert b"Content-Length: 7\r\n" in said.getvalue()


class Sendfile:
    """What another server may make of a file, by a function: known by its attributes alone."""

    def __init__(self, file: io.BytesIO) -> None:
        self.filelike = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.filelike)


@pytest.mark.parametrize(
    "wrapper", [FileWrapper, lambda file: Sendfile(file), lambda file: file], ids=["class", "function", "as it is"]
)
def test_a_file_is_left_to_the_server(kept: Any, wrapper: Any) -> None:
    wraps: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        wraps.append(environ["wsgi.file_wrapper"](io.BytesIO(b"file")))
        return wraps[0]

    got = ask(wrapped(kept, app), **{"wsgi.file_wrapper": wrapper})
    assert got.body is wraps[0]
    assert got.pieces == [b"file"]
    assert kept.viewed.outcome == "completed"


def test_other_bodies_are_no_files_of_the_server(kept: Any) -> None:
    app = wrapped(kept, giving(pieces(b"x")))
    assert ask(app, take=0, **{"wsgi.file_wrapper": lambda file: file}).pieces == []
    assert kept.viewed.outcome == "abandoned"


def test_headers_stay_the_list_that_they_are(kept: Any) -> None:
    headers = [*TEXT, ("X-Z", "1"), ("x-a", "\xe9\xff"), ("Set-Cookie", "a=1"), ("X-Z", "")]
    got = ask(wrapped(kept, giving([b"x"], headers=headers)))
    assert got.began == [("200 OK", headers)]
    assert got.began[0][1] is headers


def test_with_our_cookies_theirs_stay_as_they_were(kept: Any) -> None:
    headers = [*TEXT, ("X-Z", "\xe9\xff"), ("X-\u20ac", "\udcff"), ("Set-Cookie", "a=1")]
    got = ask(wrapped(kept, giving([b"x"], headers=headers, act=lambda: cxkit.grant("analytics"))))
    assert got.headers[: len(headers)] == headers
    assert [name for name, _ in got.headers[len(headers) :]] == ["set-cookie"] * 2


@pytest.mark.parametrize(
    ("status", "headers"),
    [(None, TEXT), ("", TEXT), ("nonsense", TEXT), (b"200 OK", TEXT), ("200 OK", None), ("200 OK", [("a",)]),
     ("200 OK", [(b"a", b"b")]), ("200 OK", [("a", 1)]), ("200 OK", 5), ("200 OK", ["ab"])],
    ids=repr,
)  # fmt: skip
def test_what_is_no_response_is_the_servers_to_refuse(make: Any, status: Any, headers: Any) -> None:
    kept = make({"strict": False})
    got = ask(wrapped(kept, giving([b"x"], status=status, headers=headers)))
    assert got.error is None
    assert got.began == [(status, headers)]
    assert got.pieces == [b"x"]


def test_headers_that_can_be_read_once_are_sent(kept: Any) -> None:
    assert list(ask(wrapped(kept, giving([b"x"], headers=iter(TEXT)))).headers) == TEXT


def test_a_personal_page_is_kept_from_shared_caches(kept: Any) -> None:
    def act() -> None:
        cxkit.grant("analytics", "personalization", "identity_stitching")
        HERO.show()

    got = ask(wrapped(kept, giving([b"x"], headers=[("Cache-Control", "public")], act=act)))
    assert (got.all("cache-control"), got.all("vary")) == (["private"], ["Cookie"])


def test_bodies_of_requests_are_never_read(kept: Any) -> None:
    """Neither small ones, nor two gigabytes, nor those whose end is not announced."""
    sizes: list[dict[str, Any]] = [
        {"CONTENT_LENGTH": "5"},
        {"CONTENT_LENGTH": str(2 << 30)},
        {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
        {"CONTENT_LENGTH": "canary"},
    ]
    for fields in sizes:
        got = ask(wrapped(kept, giving(pieces(b"x"))), REQUEST_METHOD="POST", **fields)
        assert (got.error, got.pieces) == (None, [b"x"])
    assert len(kept.named("page.viewed")) == 4


def test_the_app_reads_what_was_sent_and_nothing_before(kept: Any) -> None:
    sent = io.BytesIO(b"almonds")

    def app(environ: Any, start_response: Any) -> Any:
        assert environ["wsgi.input"] is sent
        assert sent.tell() == 0
        return giving([sent.read()])(environ, start_response)

    assert ask(wrapped(kept, app), REQUEST_METHOD="POST", **{"wsgi.input": sent}).pieces == [b"almonds"]


def test_installed_twice_it_captures_once(kept: Any) -> None:
    def act() -> None:
        cxkit.grant("analytics")
        SEEN.capture()

    got = ask(wrapped(kept, wrapped(kept, giving([b"x"], act=act)), route=lambda environ: "/outer"))
    assert list(got.cookies) == ["cxkit_visitor", "cxkit_consent"]
    assert kept.viewed.context.page.route == kept.named("web.seen")[0].context.page.route == "/outer"


def test_excluded_paths_are_not_captured(kept: Any) -> None:
    assert ask(wrapped(kept, giving([b"x"])), "/static/x").pieces == [b"x"]
    assert not kept.interactions


# --- hostile requests ---

HOSTILE: dict[str, dict[str, Any]] = {
    "500 cookies": {"HTTP_COOKIE": "; ".join(f"c{n}=canary" for n in range(500))},
    "64 KB of cookie": {"HTTP_COOKIE": "cxkit_visitor=" + "canary" * 11_000},
    "64 KB of semicolons": {"HTTP_COOKIE": ";" * 65_000 + "cxkit_visitor=canary"},
    "64 KB header": {"HTTP_X_CANARY": "canary" * 11_000},
    "bytes that are no text": {"HTTP_\xff\xfe": "\xff\x00canary", "HTTP_COOKIE": "cxkit_consent=\xff\xfe"},
    "a header without a name": {"HTTP_": "canary", "": "canary"},
    "no strings": {"HTTP_X": 5, "HTTP_Y": None, "HTTP_USER_AGENT": "canary"},
    "hosts": {"HTTP_HOST": "canary:999999999\xff[::1%25]@<script>"},
    "no host": {"HTTP_HOST": ""},
    "no client": {"REMOTE_ADDR": ""},
    "an odd client": {"REMOTE_ADDR": "canary"},
    "a scheme": {"wsgi.url_scheme": "canary"},
    "a path": {"PATH_INFO": "/canary/\xff\x00/../..//%ff?#"},
    "a path that is no WSGI": {"PATH_INFO": "/canary/\u20ac\udcff"},
    "no path": {"PATH_INFO": ""},
    "a mount": {"SCRIPT_NAME": "/canary\xff/", "PATH_INFO": "/\xff"},
    "a query": {"QUERY_STRING": "canary=canary&\xff"},
    "forwarded": {"HTTP_X_FORWARDED_FOR": "canary", "HTTP_FORWARDED": "for=canary;host=canary"},
    "gpc": {"HTTP_SEC_GPC": "\xff,canary,"},
}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=HOSTILE)
def test_hostile_requests_are_visits_like_any_other(kept: Any, fields: dict[str, Any]) -> None:
    """B71."""
    got = ask(wrapped(kept, giving([b"x"])), **fields)
    assert (got.error, got.pieces) == (None, [b"x"])
    assert not any(got.cookies.values()), "at most, what is no visitor's is deleted"
    viewed = kept.viewed
    assert viewed.outcome == "completed"
    assert not viewed.identity
    assert b"canary" not in encode(viewed)


@pytest.mark.parametrize("missing", ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "HTTP_HOST"])
def test_what_an_environ_may_lack(kept: Any, missing: str) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        del environ[missing]
        return wrapped(kept, giving([b"x"]))(environ, start_response)

    assert ask(app).pieces == [b"x"]
    assert kept.viewed.outcome == "completed"


def test_paths_are_read_as_they_were_meant(kept: Any) -> None:
    """WSGI hands over bytes as if they were Latin-1."""
    seen: list[Any] = []
    app = giving([b"x"], act=lambda: seen.append(current_scope().facts))  # type: ignore[union-attr]
    ask(wrapped(kept, app), SCRIPT_NAME="/caf\xc3\xa9", PATH_INFO="/cr\xc3\xa8me", QUERY_STRING="a=%C3")
    assert (seen[0].root, seen[0].path, seen[0].query) == ("/café", "/café/crème", "a=%C3")


# --- when something of ours fails ---


def broken_clock() -> int:
    raise RuntimeError("this clock is broken")


@pytest.mark.parametrize("body", [[b"x"], pieces(b"x")], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", ["clock", "closed", "unconfigured"])
def test_in_production_the_app_never_notices(make: Any, as_default: Any, tmp_path: Path, what: str, body: Any) -> None:
    kit = make({"strict": False}, time_ns=broken_clock if what == "clock" else None).kit
    if what == "closed":
        kit.close()
    (tmp_path / "cxkit.toml").write_text("nonsense = 1\n")

    def act() -> None:
        HERO.show()
        SEEN.capture()
        cxkit.grant("analytics")

    with as_default(None if what == "unconfigured" else kit):
        got = ask(WSGIMiddleware(giving(body, status="201 Created", act=act)))
    assert (got.error, got.pieces, got.began[0][0]) == (None, [b"x"], "201 Created")
    assert got.headers[:1] == TEXT


@pytest.mark.parametrize("body", [[b"x"], pieces(b"x")], ids=["whole", "streamed"])
def test_in_strict_mode_the_app_notices_and_no_scope_is_left(make: Any, body: Any) -> None:
    got = ask(WSGIMiddleware(giving(body), kit=make(time_ns=broken_clock).kit))
    assert isinstance(got.error, RuntimeError)


def test_an_error_of_the_app_goes_before_ours(make: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise ERROR

    assert ask(WSGIMiddleware(app, kit=make(time_ns=broken_clock).kit)).error is ERROR
