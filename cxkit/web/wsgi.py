"""WSGI: a visit around each request. Bodies, files, streams and errors pass untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from cxkit.capture.scope import current_scope, enter
from cxkit.kit import Kit
from cxkit.roles import Endpoint
from cxkit.web.mounted import answer
from cxkit.web.sites import Sites
from cxkit.web.visit import Visit, open_visit

__all__ = ["ROUTE", "Body", "WSGIMiddleware"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
Finds = Callable[[Mapping[str, Any]], "str | None"]
Failed = Callable[[MutableMapping[str, Any]], "BaseException | None"]

_MAX_DIGITS: Final = 19
ROUTE: Final = "cxkit.route"
"""Where in the environ the route's template is kept, once it is found."""


class WSGIMiddleware:
    """Put it around a WSGI app (PEP 3333). Installed twice, the inner one steps aside.

    Args:
        app: The app.
        kit: Whose; by default the one that is current when a request comes.
        route: Finds the route's template in the environ after routing.
        user: Finds there the id of who is signed in, if the app has asked its framework for that.
        error: Finds there the exception that the framework made a response of.

    Example:
        >>> def app(environ, start_response):
        ...     start_response("200 OK", [])
        ...     return [b"almonds"]
        >>> app = WSGIMiddleware(app)
    """

    def __init__(
        self,
        app: App,
        *,
        kit: Kit | None = None,
        route: Finds = lambda environ: None,
        user: Finds = lambda environ: None,
        error: Failed = lambda environ: None,
    ) -> None:
        self.app = app
        self._sites = Sites(kit)
        self._route = route
        self._user = user
        self._error = error

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        visit = open_visit(
            self._sites,
            environ,
            lambda site: site.facts.wsgi(environ),
            route=partial(self._template, environ),
            user=partial(self._user, environ),
        )
        if visit is None:
            return self.app(environ, start_response)
        if visit.endpoint is not None:
            return self._answer(visit, visit.endpoint, environ, start_response)
        return self._request(visit, environ, start_response)

    def _template(self, environ: Environ) -> str | None:
        """The route's template, kept once it is found: frameworks forget it before the response has left."""
        route: str | None = environ.get(ROUTE)
        if route is None:
            route = environ[ROUTE] = self._route(environ)
        return route

    def _request(self, visit: Visit, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began: list[tuple[str, str]] = []

        def started(status: str, headers: Sequence[tuple[str, str]], *more: Any) -> Any:
            try:
                self._template(environ)
            except Exception as error:  # noqa: BLE001 - a framework that surprises us costs the route, no more
                visit.site.failed(error)
            sent = visit.status
            headers = _begun(visit, status, headers)
            began[:] = headers if isinstance(headers, list) else []
            try:
                return start_response(status, headers, *more)
            except BaseException:
                visit.status = sent  # it is too late for another
                raise

        try:
            body = self.app(environ, started)
            if not (hasattr(body, "__len__") or _is_file_of(environ, body)):
                return Body(body, visit, headers=began, error=partial(self._error, environ))
            # It is all there, or a file that the server sends in its own way: nothing of ours comes in between.
            visit.end(self._error(environ))
        except BaseException as error:
            visit.close(error)
            raise
        visit.close()
        return body

    def _answer(
        self, visit: Visit, endpoint: Endpoint, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        status, raw, body = answer(visit, endpoint, _reading(environ))
        start_response(
            f"{status} {_phrase(status)}", [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        )
        return [body]


class Body(Iterator[bytes]):
    """What the app answers, piece by piece as it comes; with its last piece the visit ends.

    Args:
        pieces: Of the response.
        visit: Of the request.
        headers: Of the response; here once the first piece is.
        error: Tells what the framework made this response of.

    Raises:
        TypeError: They are no pieces.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        visit: Visit,
        *,
        headers: Sequence[tuple[str, str]] = (),
        error: Callable[[], BaseException | None] = lambda: None,
    ) -> None:
        self._pieces = pieces
        self._visit = visit
        self._headers = headers
        self._error = error
        self._next = iter(pieces)
        self._left_bytes: int | None = None

    def __next__(self) -> bytes:
        self._return()
        try:
            piece = next(self._next)
        except StopIteration:
            self._visit.end(self._error())
            raise
        except BaseException as error:
            self._visit.close(error)
            raise
        if self._left_bytes is None:
            self._left_bytes = _announced_bytes(self._headers)
        if isinstance(piece, bytes):
            self._left_bytes -= len(piece)
            if self._left_bytes == 0:  # a test's client, and some servers, ask for no more
                self._visit.end(self._error())
                self._visit.step_out()
        return piece

    def close(self) -> None:
        """What the server calls in the end, however that came."""
        self._return()
        try:
            closes = getattr(self._pieces, "close", None)
            if closes is not None:
                closes()
        except BaseException as error:
            self._visit.close(error)
            raise
        self._visit.close()

    def _return(self) -> None:
        """To the visitor: a server may have been at somebody else's response in this thread, or is in another now."""
        scope, own = current_scope(), self._visit.scope
        while scope is not own and scope is not None:
            scope = scope.parent
        if scope is None and not own.closed:
            enter(own)


def _begun(visit: Visit, status: Any, headers: Any) -> Any:
    """The response's headers with ours: the same object, unless there are any.

    Whatever an app calls a header goes to bytes and back unchanged; what is none is the server's to refuse.
    """
    try:
        headers = headers if isinstance(headers, (list, tuple)) else list(headers)
        raw = [
            (name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass")) for name, value in headers
        ]
        code = status[:3]
    except Exception:  # noqa: BLE001 - the guest's promise
        visit.scope.begin()
        return headers
    changed = visit.begin(code, raw)
    if changed is raw:
        return headers
    return [(name.decode("utf-8", "surrogatepass"), value.decode("utf-8", "surrogatepass")) for name, value in changed]


def _announced_bytes(headers: Sequence[tuple[str, str]]) -> int:
    """How long the body is to be; -1 if that is not said."""
    said = next((value for name, value in headers if name.lower() == "content-length"), "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < _MAX_DIGITS else -1


def _is_file_of(environ: Environ, body: object) -> bool:
    """Whether it is a file that the server has wrapped, or left as it is, to send it in its own way."""
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type):
        return isinstance(body, wrapper)
    return wrapper is not None and (hasattr(body, "filelike") or hasattr(body, "read"))


def _reading(environ: Environ) -> Callable[[int], bytes] | None:
    """What reads the body; None where nothing tells its end, so that reading could wait for ever."""
    if environ.get("CONTENT_LENGTH") or environ.get("wsgi.input_terminated"):
        read: Callable[[int], bytes] = environ["wsgi.input"].read
        return read
    return None if environ.get("HTTP_TRANSFER_ENCODING") else lambda most: b""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "-"
