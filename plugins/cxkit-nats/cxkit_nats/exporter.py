"""Batches as messages of JetStream, each acknowledged by its stream.

An interaction counts as delivered when the stream has said that it keeps it, and not before. What
was not acknowledged in time is tried again, under the same ``Nats-Msg-Id``: within the stream's
duplicate window it is kept once.
"""

from __future__ import annotations

import os
import random
from time import monotonic
from typing import TYPE_CHECKING, Final

from cxkit.roles import Batch, Exporter, Factory, Outcome
from cxkit_nats.message import Message, Pattern
from cxkit_nats.settings import Settings, options_of
from cxkit_nats.verdict import outcome_of, unreached

if TYPE_CHECKING:
    from cxkit_nats.link import Link

__all__ = ["FACTORY", "NATSExporter", "Settings"]

_CONNECT_S: Final = 5.0


class NATSExporter:
    """Publishes interactions and waits until they are kept.

    Example:
        >>> exporter = NATSExporter(Settings(servers=("nats://127.0.0.1:1",)))
        >>> exporter.export(Batch("b1", (b'{"id":"1","type":"io.cxkit.page.viewed"}',)), deadline_s=2.0).reason
        'network'
        >>> exporter.close()
    """

    purposes: frozenset[str] = frozenset()
    erases: Final = "requested"  # whoever listens is told; what the stream keeps stays until it is too old

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pattern = Pattern(settings.subject)
        self._options = options_of(settings)
        self._servers = list(settings.servers)
        random.SystemRandom().shuffle(self._servers)  # never the shared generator: forked workers would agree
        self._link: Link | None = None
        self._pid = os.getpid()
        self._abandoned: list[Link] = []

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Publish the batch once, and say which of it is kept."""
        deadline = monotonic() + deadline_s
        messages, rejected = self._messages(batch)
        if not messages:
            return Outcome.reject(rejected) if rejected else Outcome.delivered()
        if _thread_is_taken():
            return Outcome.retry("event_loop")
        try:
            link = self._linked(deadline)
        except Exception as error:  # noqa: BLE001 - whatever the client library raises means one of four things
            return unreached(error)
        rejected |= {place: "message_too_large" for place, one in messages.items() if one.size > link.max_payload}
        messages = {place: one for place, one in messages.items() if place not in rejected}
        timeout_s = max(0.0, min(self._settings.ack_timeout_s, deadline - monotonic()))
        acks = link.publish(messages, timeout_s=timeout_s) if messages else {}
        if len(acks) < len(messages) or (acks and all(ack.error for ack in acks.values())):
            self._drop_link()  # another server may do better
        return outcome_of(messages, acks, rejected=rejected, errors=link.errors)

    def preview(self, batch: Batch) -> str:
        """What would be published, and where."""
        messages, rejected = self._messages(batch)
        lines = [f"to {', '.join(self._settings.servers)}"]
        for message in messages.values():
            lines += ["", message.subject, *(f"{name}: {value}" for name, value in message.headers.items()), ""]
            lines.append(message.payload.decode("utf-8", "replace"))
        return "\n".join([*lines, *(f"refused: interaction {place} ({why})" for place, why in rejected.items())])

    def close(self) -> None:
        """Close the connection."""
        self._drop_link(gracefully=True)

    def _messages(self, batch: Batch) -> tuple[dict[int, Message], dict[int, str]]:
        made = [self._pattern.message(payload, stream=self._settings.stream) for payload in batch.payloads]
        messages = {place: message for place, message in enumerate(made) if message is not None}
        return messages, {place: "undecodable" for place, message in enumerate(made) if message is None}

    def _linked(self, deadline: float) -> Link:
        self._disown()
        if self._link is not None and not self._link.is_alive(timeout_s=(deadline - monotonic()) / 2):
            self._drop_link()
        if self._link is None:
            self._link = self._open(deadline)
        return self._link

    def _open(self, deadline: float) -> Link:
        """A connection to the first server that lets us in."""
        from cxkit_nats.link import (
            Link,
        )  # the client library takes a while, and is not needed where nothing is exported

        failures: list[Exception] = []
        count = len(self._servers)
        for turn in range(count):
            # A share for each, so that one that is silent leaves time for the next.
            share_s = min(_CONNECT_S, (deadline - monotonic()) / (count - turn))
            if share_s <= 0:
                break
            server, prefix = self._servers[0], self._settings.inbox_prefix
            try:
                return Link(server, options=self._options, inbox_prefix=prefix, timeout_s=share_s)
            except Exception as error:  # noqa: BLE001 - the next may do
                failures.append(error)
                self._servers.append(self._servers.pop(0))
        raise min(failures or [TimeoutError()], key=lambda error: unreached(error).verdict == "retry")

    def _drop_link(self, *, gracefully: bool = False) -> None:
        self._disown()
        link, self._link = self._link, None
        if link is not None and _thread_is_taken():
            self._abandoned.append(link)  # nothing can be said to it now; the end of the process closes it
        elif link is not None:
            link.close(gracefully=gracefully)
            self._servers.append(self._servers.pop(0))

    def _disown(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            if self._link is not None:
                self._abandoned.append(self._link)  # kept: collecting it would close what the parent still uses
                self._link = None


def _thread_is_taken() -> bool:
    """Whether somebody else's event loop runs on this thread: under gevent all greenlets are on one."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


FACTORY: Final[Factory[Exporter]] = Factory(name="nats", settings=Settings, build=NATSExporter)
