"""The transport: single requests over a few connections that it keeps open."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from types import MappingProxyType
from typing import Final

from cxkit.errors import DeadlineError, StateError, TransportError
from cxkit.transport.answer import Response
from cxkit.transport.line import Line, Resolver, broken, tls_context
from cxkit.transport.target import Target, fields_of, parse

__all__ = ["Transport"]

_MAX_IDLE: Final = 16
_quiet: Final = threading.local()


def _system_resolver(host: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Transport:
    """Makes single HTTP/1.1 requests and keeps a few connections open. Safe to use from several threads.

    Args:
        allow_private: Whether private, loopback and other non-public addresses may be reached:
            yes for what the operator configured, no for an address that somebody else gave.
        max_response_bytes: Of a longer body the rest is not read, and the connection is dropped.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's. There
            is no way to switch verification off: name the authority of the certificate here.
        connect_timeout_s: For each address of the host; the deadline limits them all.
        max_connection_age_s: After which a connection is not used again.
        resolver: From a host's name to its IP addresses, in order of preference; raises OSError.
            By default the system's.

    Raises:
        ConfigurationError: ``ca_file`` holds no certificates.

    Example:
        >>> transport = Transport(allow_private=False)
        >>> transport.request("GET", "http://localhost/", deadline_s=2.0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        cxkit.errors.AddressRefusedError: CX5003: http://localhost:80 is not on the public internet. Fix: ...
    """

    def __init__(
        self,
        *,
        allow_private: bool = True,
        max_response_bytes: int = 65_536,
        ca_file: str | None = None,
        connect_timeout_s: float = 5.0,
        max_connection_age_s: float = 60.0,
        resolver: Resolver = _system_resolver,
    ) -> None:
        self._allow_private = allow_private
        self._max_response_bytes = max_response_bytes
        self._connect_timeout_s = connect_timeout_s
        self._max_connection_age_s = max_connection_age_s
        self._resolver = resolver
        self._tls = None if ca_file is None else tls_context(ca_file)
        self._idle: deque[Line] = deque()  # only single, atomic operations: no lock to inherit held
        self._inherited: list[deque[Line]] = []
        self._pid = os.getpid()
        self._closed = False

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes = b"",
        deadline_s: float,
    ) -> Response:
        """Ask once, and return what was answered, whatever the status.

        Nothing is asked again here, not even if the other side closes a kept connection just then.

        Args:
            method: ``GET``, ``POST``, ...
            url: Credentials in it (``https://user:password@host``) become an ``Authorization``
                header, unless there is one.
            headers: Further header fields.
            body: What to send.
            deadline_s: Seconds from now by which all is over.

        Raises:
            DeadlineError: The time is over.
            AddressRefusedError: The host has an address that is not public; nothing was sent.
            TransportError: The other side was not reached, broke off, is not trusted (``CX5004``)
                or does not speak HTTP.
            ConfigurationError: The URL or a header field is malformed.
            StateError: The transport is closed.
        """
        import httpcore

        deadline = monotonic() + deadline_s
        if self._closed:
            raise StateError("a request was made on a closed transport", fix="make it before closing", code="CX7003")
        target = parse(url)
        request = httpcore.Request(
            method,
            httpcore.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=target.path.encode(),
            ),
            headers=fields_of(target, headers, len(body)),
            content=body,
        )
        with _quietly():
            line = self._take(target)
            try:
                return line.exchange(request, max_bytes=self._max_response_bytes, deadline=deadline)
            except TransportError:
                raise
            except TimeoutError:
                raise DeadlineError(
                    f"{target.origin} did not answer in full within {deadline_s:g} s",
                    fix="check that it is up, or allow more time",
                ) from None
            except (OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
                raise broken(target.origin, error) from None
            finally:
                self._give_back(line)

    def close(self) -> None:
        """Close the connections: idle ones now, those in use as soon as they are done; idempotent."""
        self._closed = True
        with _quietly():
            self._trim(0)

    def _take(self, target: Target) -> Line:
        if self._pid != os.getpid():
            # Kept, since collecting them would close what the parent still uses.
            self._inherited.append(self._idle)
            self._pid, self._idle = os.getpid(), deque()
        for _ in range(len(self._idle)):
            line = self._pop()
            if line is None:
                break
            if line.is_stale():
                line.close()
            elif line.origin == target.origin:
                return line
            else:
                self._idle.append(line)
        return self._open(target)

    def _open(self, target: Target) -> Line:
        if target.scheme == "https" and self._tls is None:
            self._tls = tls_context(None)
        return Line(
            target,
            tls=self._tls,
            allow_private=self._allow_private,
            connect_timeout_s=self._connect_timeout_s,
            max_age_s=self._max_connection_age_s,
            resolver=self._resolver,
        )

    def _give_back(self, line: Line) -> None:
        if not line.is_reusable():
            line.close()
        else:
            self._idle.append(line)
            self._trim(0 if self._closed else _MAX_IDLE)

    def _trim(self, size: int) -> None:
        while self._pid == os.getpid() and len(self._idle) > size:
            line = self._pop()
            if line is not None:
                line.close()

    def _pop(self) -> Line | None:
        try:
            return self._idle.popleft()
        except IndexError:  # another thread was quicker
            return None


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep httpcore's loggers, which print the header fields of answers, silent in this thread only."""
    import logging

    for name in ("httpcore.connection", "httpcore.http11"):
        logging.getLogger(name).addFilter(_not_ours)
    _quiet.on = True
    try:
        yield
    finally:
        _quiet.on = False


def _not_ours(record: object) -> bool:
    return not getattr(_quiet, "on", False)
