"""WSGI apps without a framework, driven without a server."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from cxkit.web import WSGIMiddleware

TEXT: Final = [("Content-Type", "text/plain")]


class Exploding:
    """A request's body that nobody may touch."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"somebody touched the body: {name}")


@attrs.define
class Got:
    """What came out of one request."""

    began: list[tuple[str, Any]] = attrs.field(factory=list)
    body: Any = None
    pieces: list[bytes] = attrs.field(factory=list)
    error: BaseException | None = None

    @property
    def status(self) -> int:
        """Without its phrase: newer versions of Python call some of them otherwise."""
        return int(self.began[-1][0].split()[0])

    @property
    def headers(self) -> list[tuple[str, str]]:
        return list(self.began[-1][1])

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def cookies(self) -> dict[str, str]:
        return dict(one.split(";")[0].split("=", 1) for one in self.all("set-cookie"))


def environ_of(path: str = "/", **fields: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": "shop.example",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": Exploding(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **fields,
    }


def ask(app: Any, path: str = "/", *, take: int | None = None, **fields: Any) -> Got:
    """One request in a context of its own, as far as so many pieces; whatever it raises is kept."""
    got = Got()

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        if exc_info and got.pieces:
            raise exc_info[1]
        got.began.append((status, headers))
        return got.pieces.append

    def run() -> None:
        try:
            got.body = app(environ_of(path, **fields), start_response)
            pieces = iter(got.body)
            while take is None or len(got.pieces) < take:
                got.pieces.append(next(pieces))
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            got.error = error
        finally:
            try:
                getattr(got.body, "close", lambda: None)()
            except Exception as error:  # noqa: BLE001 - likewise
                got.error = error

    contextvars.Context().run(run)
    return got


def wrapped(kept: Any, app: Any, **finds: Any) -> WSGIMiddleware:
    return WSGIMiddleware(app, kit=kept.kit, **finds)


def giving(body: Any, *, status: str = "200 OK", headers: Any = TEXT, act: Callable[[], object] = lambda: None) -> Any:
    """An app that answers with this."""

    def app(environ: Any, start_response: Any) -> Any:
        act()
        start_response(status, [*TEXT] if headers is TEXT else headers)  # servers add to the list they are given
        return body() if callable(body) else body

    return app


def pieces(*steps: Any) -> Callable[[], Iterator[bytes]]:
    def generate() -> Iterator[bytes]:
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            yield step

    return generate
