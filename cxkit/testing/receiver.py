"""A real HTTP collector on this machine, which keeps what it accepts and misbehaves as it is told.

In a test::

    with Receiver() as receiver:
        receiver.script(Answer(status=503, headers={"Retry-After": "0"}))
        ...                                     # the first request fails, all others are accepted
        assert receiver.ids == [...]

As a process of its own, for demonstrations and for tests that kill their client::

    python -m cxkit.testing.receiver --port 8700 --file accepted.jsonl

It prints ``listening URL`` first, appends each accepted event to the file before it answers, and
prints ``received N unique N`` when it is told to stop (SIGTERM, SIGINT).
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from cxkit.codec import BATCH_CONTENT_TYPE, CONTENT_TYPE, decode, split_batch
from cxkit.errors import CodecError
from cxkit.testing.answers import MAX_BODY_BYTES, Answer, Request

if TYPE_CHECKING:
    import ssl

    from cxkit.model import Interaction

__all__ = ["Answer", "Receiver", "Request"]


class Receiver:
    """A collector in threads of its own; a context manager. Requests need a ``Content-Length``.

    Args:
        host: The address to listen on.
        port: 0 takes a free one; it stays the same when the receiver is started again.
        tls: To speak https: a context with a certificate.
        answer: How to answer what no script covers; accepts everything by default.
        keep: Called with the events of a request before they are accepted and answered; if it
            returns False they are not, and the answer is 503.

    Example:
        >>> from cxkit.transport import Transport
        >>> transport = Transport()
        >>> with Receiver(answer=lambda request: Answer(status=404)) as receiver:
        ...     transport.request("GET", receiver.url, deadline_s=5.0).status
        404
        >>> transport.close()
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        answer: Callable[[Request], Answer] = lambda request: Answer(),
        keep: Callable[[Sequence[bytes]], bool] = lambda payloads: True,
    ) -> None:
        self.host = host
        self.port = port
        self._tls = tls
        self._answer = answer
        self._keep = keep
        self._script: deque[Answer] = deque()
        self._requests: list[Request] = []
        self._payloads: list[bytes] = []
        self._ids: list[str] = []
        self._connections = 0
        self._changed = threading.Condition()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, again if it was stopped; what was accepted is kept."""
        self._server = _Server((self.host, self.port), self, self._tls)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections and break off those there are; idempotent."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
            self._server = self._thread = None

    def script(self, *answers: Answer) -> None:
        """How to answer the next requests, one each, in the order they come."""
        self._script.extend(answers)

    def wait_for(self, count: int, *, timeout_s: float) -> bool:
        """Wait until that many different events are accepted; whether they were."""
        with self._changed:
            return self._changed.wait_for(lambda: len(set(self._ids)) >= count, timeout_s)

    @property
    def url(self) -> str:
        """Where to post."""
        return f"{'http' if self._tls is None else 'https'}://{self.host}:{self.port}/"

    @property
    def requests(self) -> list[Request]:
        """All requests so far."""
        return list(self._requests)

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return self._connections

    @property
    def open_connections(self) -> int:
        """How many of them are open now."""
        return len(self._server.connections) if self._server is not None else 0

    @property
    def payloads(self) -> list[bytes]:
        """The accepted events as they came, duplicates included."""
        return list(self._payloads)

    @property
    def ids(self) -> list[str]:
        """The ids of the accepted events, duplicates included."""
        return list(self._ids)

    @property
    def interactions(self) -> list[Interaction]:
        """The accepted events, decoded.

        Raises:
            CodecError: One is no interaction of cxkit.
        """
        return [decode(payload) for payload in self._payloads]

    def connected(self) -> None:
        """Note a connection."""
        with self._changed:
            self._connections += 1

    def scripted(self) -> Answer | None:
        """The next answer of the script."""
        with contextlib.suppress(IndexError):
            return self._script.popleft()
        return None

    def judge(self, request: Request, answer: Answer | None) -> Answer:
        """Note a request, accept its events if that is the answer, and give the answer."""
        with self._changed:
            self._requests.append(request)
            answer = self._answer(request) if answer is None else answer
            if answer.early or not 200 <= answer.status < 300:
                return answer
            try:
                payloads = [one for index, one in enumerate(_payloads(request)) if index not in answer.refused]
                ids = [_id_decoder.decode(payload).id for payload in payloads]
            except (CodecError, msgspec.MsgspecError, ValueError):
                return Answer(status=400)
            if payloads and not self._keep(payloads):
                return Answer(status=503)
            self._payloads += payloads
            self._ids += ids
            self._changed.notify_all()
            return answer


class _Identified(msgspec.Struct):
    id: str


_id_decoder: Final = msgspec.json.Decoder(_Identified)


def _payloads(request: Request) -> list[bytes]:
    body = request.content
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == BATCH_CONTENT_TYPE:
        return [bytes(one) for one in split_batch(body)]
    return [body] if kind == CONTENT_TYPE else []


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], receiver: Receiver, tls: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.receiver = receiver
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()
        self._tls = tls
        self._workers: list[threading.Thread] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        work = self.process_request_thread
        worker = threading.Thread(target=work, args=(request, client_address), daemon=True)
        self._workers = [one for one in self._workers if one.is_alive()] + [worker]
        worker.start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):  # the client went away, or TLS was not agreed on
            if self._tls is None:
                super().finish_request(request, client_address)
                return
            # The handshake comes with the first read, when `stop` knows the connection.
            with self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as wrapped:
                super().finish_request(wrapped, client_address)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        for connection in list(self.connections):
            _break_off(connection)
        self.server_close()
        for worker in self._workers:
            worker.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)
        self.server.receiver.connected()
        if self.server.stopping.is_set():
            _break_off(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        receiver = self.server.receiver
        scripted = receiver.scripted()
        early = scripted is not None and scripted.early
        length = int(self.headers.get("Content-Length", 0))
        answer = receiver.judge(
            Request(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=b"" if early else self.rfile.read(min(length, MAX_BODY_BYTES)),
                peer=self.client_address[1],
            ),
            scripted,
        )
        self.server.stopping.wait(answer.delay_s)
        self._write(answer)
        self._end("close" if answer.early and answer.end == "keep" else answer.end)

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - the base class finds them by these names

    def _write(self, answer: Answer) -> None:
        left = answer.cut_bytes
        for piece in answer.pieces():
            piece = piece[:left]
            for part in (piece[at : at + 1] for at in range(len(piece))) if answer.drip_s else (piece,):
                self.wfile.write(part)
                self.server.stopping.wait(answer.drip_s)
            if left is not None:
                left -= len(piece)
            if left == 0 or self.server.stopping.is_set():
                return

    def _end(self, end: str) -> None:
        self.close_connection = end != "keep"
        if end == "half_close":
            self.connection.shutdown(socket.SHUT_WR)
        if end in ("half_close", "hang"):
            while self.connection.recv(65_536):
                pass
        if end == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()  # it would keep the socket open
            self.connection.close()


def _break_off(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _main() -> None:
    import argparse
    import signal

    from cxkit.exporters import file
    from cxkit.roles import Batch

    parser = argparse.ArgumentParser(prog="python -m cxkit.testing.receiver")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--file", required=True, help="where accepted events are appended as JSON lines")
    options = parser.parse_args()
    exporter = file.FileExporter(file.Settings(path=options.file))

    def keep(payloads: Sequence[bytes]) -> bool:
        return exporter.export(Batch("", tuple(payloads)), deadline_s=5.0).verdict == "delivered"

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Receiver(port=options.port, keep=keep) as receiver:
        print(f"listening {receiver.url}", flush=True)  # noqa: T201 - a process of its own
        stop.wait()
    print(f"received {len(receiver.ids)} unique {len(set(receiver.ids))}", flush=True)  # noqa: T201 - a process of its own


if __name__ == "__main__":
    _main()
