"""The middleware: what is peculiar to Django is where it keeps what a visit needs to know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from functools import partial
from http.cookies import Morsel, SimpleCookie
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.http.response import HttpResponseBase  # type: ignore[import-untyped]

from cxkit import Kit
from cxkit.web import Sites, Visit, open_visit
from cxkit.web.mounted import answer
from cxkit.web.streams import AsyncBody
from cxkit.web.visit import SCOPE
from cxkit.web.wsgi import Body
from cxkit_django.configured import configure
from cxkit_django.routes import route_of
from cxkit_django.users import heed_logouts, marks_of, user_of

__all__ = ["CXMiddleware"]

_FAILED: Final = "_cxkit_failed"
"""Under which name a request keeps what its view raised."""


class CXMiddleware:
    """Captures each request as ``page.viewed`` and gives it a scope. To stand first in ``MIDDLEWARE``.

    Args:
        get_response: What answers the request, given by Django.
        kit: A kit of your own; by default the configured one.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any], *, kit: Kit | None = None) -> None:
        if kit is None:
            configure()
        heed_logouts()
        self.get_response = get_response
        self._sites = Sites(kit)
        self._awaits = iscoroutinefunction(get_response)
        if self._awaits:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._awaits:
            return self._awaited(request)
        visit = self._visit(request)
        if visit is None:
            return self.get_response(request)
        if visit.endpoint is not None:
            return _reply(*answer(visit, visit.endpoint, _reading(request)))
        try:
            return _begun(visit, request, self.get_response(request))
        except BaseException as error:
            visit.close(error)
            raise

    async def _awaited(self, request: HttpRequest) -> HttpResponseBase:
        visit = self._visit(request)
        if visit is None:
            return await self.get_response(request)
        if visit.endpoint is not None:
            aside = sync_to_async(answer, thread_sensitive=False)
            return _reply(*await aside(visit, visit.endpoint, _reading(request)))
        try:
            return _begun(visit, request, await self.get_response(request))
        except BaseException as error:
            visit.close(error)
            raise

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """Called by Django with what a view raised, of which a response is made before we see it."""
        if SCOPE in marks_of(request):  # else nobody would take it out again
            setattr(request, _FAILED, error)

    def _visit(self, request: HttpRequest) -> Visit | None:
        meta = request.META
        return open_visit(
            self._sites,
            marks_of(request),
            lambda site: site.facts.wsgi(
                meta, scheme=request.scheme, path=request.path, root=meta.get("SCRIPT_NAME", "")
            ),
            route=partial(route_of, request),
            user=partial(user_of, request),
        )


def _begun(visit: Visit, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The response as it is to be sent; unless it is a stream, the visit ends here."""
    raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    changed = visit.begin(response.status_code, raw)
    if changed is not raw:
        _change(response, set(changed).difference(raw), changed)
    failed = request.__dict__.pop(_FAILED, None)
    if response.streaming and getattr(response, "file_to_stream", None) is None:
        kind = AsyncBody if getattr(response, "is_async", False) else Body
        response.streaming_content = kind(response.streaming_content, visit)
        return response
    # It is all there, or a file that the server sends in its own way.
    visit.end(failed if response.status_code >= 500 else None)
    visit.close()
    return response


def _reading(request: HttpRequest) -> Callable[[int], bytes] | None:
    """What reads the body; None where there may be one that Django cannot see: under WSGI, without a length."""
    meta = request.META
    hidden = not hasattr(request, "scope") and meta.get("HTTP_TRANSFER_ENCODING") and not meta.get("CONTENT_LENGTH")
    return None if hidden else request.read


def _reply(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> HttpResponse:
    response = HttpResponse(body, status=status)
    del response.headers["Content-Type"]  # Django's default
    _change(response, set(headers), headers)
    return response


def _change(response: HttpResponseBase, wanted: set[tuple[bytes, bytes]], headers: Any) -> None:
    """Set these of the headers: each where it stands, else at the end; cookies after those of the app."""
    for pair in headers:
        if pair not in wanted:
            continue
        name, value = (part.decode("latin-1") for part in pair)
        if name.lower() == "set-cookie":
            for key, read in SimpleCookie(value).items():
                response.cookies[key] = _Cookie(key, read, value)
        else:
            response.headers[name] = value


class _Cookie(Morsel[str]):
    """A cookie that goes out as it was made, whatever order and spaces Django would give it."""

    def __init__(self, name: str, read: Morsel[str], made: str) -> None:
        super().__init__()
        self.set(name, read.value, read.coded_value)
        self.update(read)
        self._made = made

    def output(self, attrs: Container[str] | None = None, header: str = "Set-Cookie:") -> str:
        return f"{header} {self._made}".lstrip()
