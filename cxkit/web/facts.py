"""Facts from what a server hands over: an ASGI scope, a WSGI environ. Nothing is read but what is needed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final

from cxkit.model import Facts
from cxkit.web.cookies import CookieNames, read_cookies

__all__ = ["FactsReader", "wsgi_path"]

_SECRET: Final = frozenset([b"authorization", b"cookie", b"proxy-authorization"])
_UNPREFIXED: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_HIDDEN: Final = frozenset(["HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_PROXY_AUTHORIZATION"])

ClientIP = Callable[[Mapping[str, str], "str | None"], "str | None"]
"""Headers and the socket's other end in, the customer's address out."""


class FactsReader:
    """Reads facts for one site.

    Args:
        cookie_names: What the cookies are called on requests of a scheme.
        client_ip: How the customer's address is found.
        proxied: Whether the socket's other end is a proxy whose headers count.
        cookies: Further cookies to know.
    """

    def __init__(
        self,
        *,
        cookie_names: Callable[[str], CookieNames],
        client_ip: ClientIP,
        proxied: Callable[[str | None], bool] = lambda peer: False,
        cookies: tuple[str, ...] = (),
    ) -> None:
        self._cookie_names = cookie_names
        self._client_ip = client_ip
        self._proxied = proxied
        self._more = cookies

    def asgi(self, scope: MutableMapping[str, Any]) -> Facts:
        """The facts of an ASGI scope."""
        if not isinstance(scope["headers"], (list, tuple)):
            scope["headers"] = list(scope["headers"])  # it may be good for one reading only
        raw = _joined(scope["headers"])
        client, host, cookies = scope.get("client"), raw.get(b"host"), raw.get(b"cookie")
        for name in _SECRET:
            raw.pop(name, None)
        headers, scheme, peer = _Headers(raw), scope.get("scheme", "http"), client[0] if client else None
        return Facts(
            method=scope.get("method", "GET"),
            scheme=scheme,
            host=None if host is None else host.decode("latin-1"),
            path=scope["path"],
            headers=headers,
            peer=peer,
            cookies=self._read(cookies.decode("latin-1"), scheme) if cookies else {},
            query=scope.get("query_string", b"").decode("latin-1"),
            root=scope.get("root_path", "").rstrip("/"),
            client_ip=self._client_ip(headers, peer),
            proxied=self._proxied(peer),
        )

    def wsgi(
        self,
        environ: Mapping[str, Any],
        *,
        scheme: str | None = None,
        path: str | None = None,
        root: str | None = None,
    ) -> Facts:
        """The facts of a WSGI environ (PEP 3333), or of what Django makes to look like one.

        Args:
            scheme: Where the framework knows it better than ``wsgi.url_scheme``.
            path: Likewise the whole path.
            root: Likewise where the app is mounted.
        """
        headers, peer = _Environ(environ), environ.get("REMOTE_ADDR") or None
        scheme = scheme or environ.get("wsgi.url_scheme", "http")
        cookies = environ.get("HTTP_COOKIE")
        return Facts(
            method=environ.get("REQUEST_METHOD", "GET"),
            scheme=scheme,
            host=environ.get("HTTP_HOST"),
            path=wsgi_path(environ) if path is None else path,
            headers=headers,
            peer=peer,
            cookies=self._read(cookies, scheme) if cookies else {},
            query=environ.get("QUERY_STRING", ""),
            root=(_decoded(environ.get("SCRIPT_NAME", "")) if root is None else root).rstrip("/"),
            client_ip=self._client_ip(headers, peer),
            proxied=self._proxied(peer),
        )

    def _read(self, header: str, scheme: str) -> dict[str, str]:
        return read_cookies(header, (*self._cookie_names(scheme), *self._more))


def wsgi_path(environ: Mapping[str, Any]) -> str:
    """The whole path that was asked for."""
    return _decoded(environ.get("SCRIPT_NAME", "")).rstrip("/") + _decoded(environ.get("PATH_INFO", ""))


def _decoded(text: str) -> str:
    """A path as it was meant: WSGI hands over its bytes as if they were Latin-1."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _keyed(name: str) -> str:
    return _UNPREFIXED.get(name.lower()) or "HTTP_" + name.upper().replace("-", "_")


@lru_cache(maxsize=256)
def _written(name: str) -> bytes:
    return name.lower().encode("latin-1", "replace")


def _joined(raw: Collection[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """One value for each name; repeated ones joined (RFC 9110, section 5.3; RFC 9113, section 8.2.3)."""
    joined = dict(raw)
    if len(joined) < len(raw):
        joined = {}
        for name, value in raw:
            between = b"; " if name == b"cookie" else b", "
            joined[name] = joined[name] + between + value if name in joined else value
    return joined


class _Headers(Mapping[str, str]):
    """The request's headers, each decoded when it is asked for. What authenticates is not among them.

    Args:
        raw: With names in lower case, as ASGI has them.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        return self._raw[_written(name)].decode("latin-1")

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping; this one is asked for what most requests lack, where an exception would cost."""
        value = self._raw.get(_written(name))
        return default if value is None else value.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw)

    def __len__(self) -> int:
        return len(self._raw)


class _Environ(Mapping[str, str]):
    """The same of a WSGI environ, whose server has joined what was repeated."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return str(value)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping, without an exception for what is not there."""
        key = _keyed(name)
        value = None if key in _HIDDEN else self._environ.get(key)
        return default if value is None or (value == "" and key in _UNPREFIXED.values()) else value

    def __iter__(self) -> Iterator[str]:
        for name, key in _UNPREFIXED.items():
            if self._environ.get(key):
                yield name
        for key in self._environ:
            if key.startswith("HTTP_") and key not in _HIDDEN:
                yield key[5:].lower().replace("_", "-")

    def __len__(self) -> int:
        return sum(1 for _ in self)
