"""One connection to one server: opened, used for batches of messages, thrown away when it is of no use.

Nothing runs between two calls: no thread, no task. What happened in the meantime (a ping of the
server's, the end of the connection) is seen at the next call, which asks for a sign of life first
if some time has passed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from cxkit_nats.loop import Loop
from cxkit_nats.message import Message
from cxkit_nats.verdict import Ack, Failure

__all__ = ["Link"]

_IDLE_S: Final = 1.0
_SIGN_OF_LIFE_S: Final = 2.0
_GOODBYE_S: Final = 0.5
_NO_RESPONDERS: Final = "503"
_decoder: Final = msgspec.json.Decoder(Ack)


class Link:
    """A connection that stands.

    Args:
        server: Its URL; with ``tls://`` nothing is sent before TLS has begun.
        options: Further ones of ``nats.connect``.
        inbox_prefix: Below which acknowledgements are awaited.

    Raises:
        Exception: Whatever went wrong: those of ``nats.errors``, OSError, TimeoutError.
    """

    def __init__(self, server: str, *, options: Mapping[str, Any], inbox_prefix: str, timeout_s: float) -> None:
        self.errors: list[Exception] = []
        """What the server complained of so far, and what went wrong on the way."""
        self._loop = Loop(needs_tls=server.startswith("tls:"))
        self._client = Client()
        self._inbox = f"{inbox_prefix}.{secrets.token_hex(11)}"
        self._acks: dict[int, Ack] = {}
        self._awaited = 0
        self._settled = asyncio.Event()
        try:
            self._loop.within(self._open(server, timeout_s, dict(options)), timeout_s)
        except Exception as error:  # noqa: BLE001 - what is half open is thrown away, whatever went wrong
            self._loop.dispose()
            raise (self.errors or [error])[0] from None
        self._used_at = monotonic()

    @property
    def max_payload(self) -> int:
        """Bytes of headers and payload that the server takes."""
        return self._client.max_payload

    def is_alive(self, *, timeout_s: float) -> bool:
        """Whether the other side is still there; asked only if nothing was heard for a second."""
        if monotonic() - self._used_at < _IDLE_S:
            return self._client.is_connected
        try:
            self._loop.within(self._client.flush(), min(timeout_s, _SIGN_OF_LIFE_S))
        except Exception:  # noqa: BLE001 - whatever it is, it is no sign of life
            return False
        return self._client.is_connected

    def publish(self, messages: Mapping[int, Message], *, timeout_s: float) -> dict[int, Ack]:
        """Publish all, then await the answers; those that came in time, each under its message's number."""
        self._acks = {}
        self._awaited = len(messages)
        self._settled.clear()
        try:
            self._loop.within(self._publish(messages), timeout_s)
        except Exception as error:  # noqa: BLE001 - what is not acknowledged is not delivered, for whatever reason
            self.errors.append(error)
        self._used_at = monotonic()
        return self._acks

    def close(self, *, gracefully: bool) -> None:
        """End it; a broken one without a word."""
        if gracefully and self._client.is_connected:
            try:
                self._loop.within(self._client.close(), _GOODBYE_S)
            except Exception:  # noqa: BLE001 - then without
                pass
        self._loop.dispose()

    async def _open(self, server: str, timeout_s: float, options: dict[str, Any]) -> None:
        await self._client.connect(
            server,
            error_cb=self._failed,
            closed_cb=self._closed,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=timeout_s,  # type: ignore[arg-type]
            **options,
        )
        await self._client.subscribe(f"{self._inbox}.*", cb=self._answered)

    async def _publish(self, messages: Mapping[int, Message]) -> None:
        for number, message in messages.items():
            await self._client.publish(
                message.subject, message.payload, reply=f"{self._inbox}.{number}", headers=message.headers
            )
        await self._settled.wait()

    async def _answered(self, answer: Msg) -> None:
        if not answer.data and (answer.headers or {}).get("Status") == _NO_RESPONDERS:
            ack = Ack(error=Failure(code=503))
        else:
            ack = _decoder.decode(answer.data)
        self._acks[int(answer.subject.rpartition(".")[2])] = ack
        if len(self._acks) == self._awaited:
            self._settled.set()

    async def _failed(self, error: Exception) -> None:
        self.errors.append(error)

    async def _closed(self) -> None:
        self._settled.set()
