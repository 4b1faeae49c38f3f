"""One connection, with the network below it: each step ends by the deadline of the request at hand."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from cxkit.errors import AddressRefusedError, ConfigurationError, TransportError
from cxkit.transport.answer import TLS_CODE, Response
from cxkit.transport.target import Target, is_public

if TYPE_CHECKING:
    import ssl

    from httpcore import NetworkBackend, NetworkStream, Request
else:  # httpcore takes any object with their methods, and is imported with the first request only
    NetworkBackend = NetworkStream = object

__all__ = ["Line", "Resolver", "broken", "tls_context"]

Resolver = Callable[[str], Sequence[str]]
"""From a host's name to its IP addresses, in order of preference; raises OSError."""

_MAX_HEADERS: Final = 100


class Line(NetworkBackend):
    """A connection to one origin, used by one request at a time, with the network below it."""

    def __init__(
        self,
        target: Target,
        *,
        tls: ssl.SSLContext | None,
        allow_private: bool,
        connect_timeout_s: float,
        max_age_s: float,
        resolver: Resolver,
    ) -> None:
        from httpcore import HTTPConnection, Origin

        self.origin = target.origin
        self._allow_private = allow_private
        self._connect_timeout_s = connect_timeout_s
        self._resolver = resolver
        self._deadline = monotonic()
        self._expiry = self._deadline + max_age_s
        self._connection = HTTPConnection(
            Origin(target.scheme.encode(), target.host.encode(), target.port),
            ssl_context=tls,
            network_backend=self,
        )

    def exchange(self, request: Request, *, max_bytes: int, deadline: float) -> Response:
        """One request and its answer, by a moment of the monotonic clock.

        Raises:
            TransportError, TimeoutError, OSError, httpcore.NetworkError, httpcore.ProtocolError
        """
        self._deadline = deadline
        response = self._connection.handle_request(request)
        body = bytearray()
        try:
            for chunk in response.iter_stream():
                body += chunk
                if len(body) > max_bytes:
                    break
        finally:
            response.close()
        fields = response.headers[:_MAX_HEADERS]
        return Response(
            status=response.status,
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in fields},
            body=bytes(body[:max_bytes]),
            truncated=len(body) > max_bytes,
        )

    def is_reusable(self) -> bool:
        """Whether the last answer was read to its end and the connection left open."""
        return self._connection.is_available()

    def is_stale(self) -> bool:
        """Whether it is too old, or the other side has closed it."""
        return monotonic() > self._expiry or self._connection.has_expired()

    def close(self) -> None:
        self._connection.close()

    def left_s(self) -> float:
        """What is left of the time.

        Raises:
            TimeoutError: Nothing.
        """
        left_s = self._deadline - monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        addresses = self._addresses(host)
        failure: OSError | None = None
        for index, address in enumerate(addresses):
            # A share for each, so that one address nobody answers at leaves time for the next.
            share_s = self.left_s() / (len(addresses) - index)
            try:
                sock = socket.create_connection((address, port), timeout=min(share_s, self._connect_timeout_s))
            except OSError as error:
                failure = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Stream(self, sock)
        self.left_s()
        raise broken(self.origin, failure or OSError())

    def _addresses(self, host: str) -> list[str]:
        try:
            ipaddress.ip_address(host)
            found: Sequence[str] = (host,)
        except ValueError:
            found = self._resolve(host)
        if not self._allow_private and not all(map(is_public, found)):
            raise AddressRefusedError(
                f"{self.origin} is not on the public internet",
                fix="use a public address, or have the operator configure this one",
            )
        return list(dict.fromkeys(found))

    def _resolve(self, host: str) -> Sequence[str]:
        answers: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolver(host))
            except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
                answers.put(error)

        try:
            threading.Thread(target=ask, name="cxkit-resolver", daemon=True).start()
        except RuntimeError:  # no new thread while the interpreter exits
            ask()
        try:
            answer = answers.get(timeout=self.left_s())
        except Empty:
            raise TimeoutError from None
        if isinstance(answer, Exception):
            raise TransportError(
                f"the host name of {self.origin} does not resolve ({type(answer).__name__})",
                fix="check its spelling and the name server",
                code="CX5005",
            )
        return answer


class _Stream(NetworkStream):
    """A socket each of whose operations ends by the deadline of its line."""

    def __init__(self, line: Line, sock: socket.socket) -> None:
        self._line = line
        self._sock = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._sock.settimeout(self._line.left_s())
        return self._sock.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        from httpcore import WriteError

        rest = memoryview(buffer)
        try:
            while rest:
                self._sock.settimeout(self._line.left_s())
                rest = rest[self._sock.send(rest) :]
        except TimeoutError:
            raise
        except OSError as error:
            raise WriteError from error  # httpcore then reads the answer that a server gave early

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        import ssl

        try:
            self._sock.settimeout(self._line.left_s())
            return _Stream(self._line, ssl_context.wrap_socket(self._sock, server_hostname=server_hostname))
        except BaseException as error:
            self._sock.close()
            broke_off = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
            if not isinstance(error, ssl.SSLError) or isinstance(error, broke_off):
                raise
            why = getattr(error, "verify_message", None) or str(error.reason).replace("_", " ").lower()
            raise TransportError(
                f"{self._line.origin} does not offer TLS that can be trusted ({why.rstrip('.')})",
                fix="mend its certificate, or name the authority that issued it as ca_file",
                code=TLS_CODE,
            ) from None

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if hasattr(self._sock, "selected_alpn_protocol") else None
        return _is_readable(self._sock) if info == "is_readable" else None

    def close(self) -> None:
        self._sock.close()


def _is_readable(sock: socket.socket) -> bool:
    import select

    if sock.fileno() < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def broken(origin: str, error: Exception) -> TransportError:
    """The error for whatever went wrong with the network below or the protocol above."""
    return TransportError(
        f"{origin} was not reached or broke off ({type(error).__name__})",
        fix="check that it is up and reachable",
    )


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and host name verified.

    Raises:
        ConfigurationError: The file holds no certificates.
    """
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"the file of certificate authorities could not be read ({type(error).__name__})",
            fix="name a PEM file as ca_file",
            code="CX1053",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    paths = ssl.get_default_verify_paths()
    system = paths.cafile or (paths.capath and os.listdir(paths.capath))
    if ca_file is None and not system:
        import certifi  # comes with httpcore; a slim container has no authorities of its own

        context.load_verify_locations(certifi.where())
    return context
