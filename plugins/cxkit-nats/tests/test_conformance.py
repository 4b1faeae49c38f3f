"""The checks that every exporter must pass, on a real server behind a proxy that misbehaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StreamConfig

from cxkit.codec import decode
from cxkit.errors import CodecError
from cxkit.testing.exporter_suite import Fault, ProxiedBackend, Received, exporter_suite
from cxkit_nats import FACTORY

pytestmark = pytest.mark.services


class JetStream(ProxiedBackend):
    """One server with one stream, and one user who may use it."""

    fields = (
        *("name", "kind", "source", "purpose", "channel", "direction", "stage", "identity", "context"),
        *("consent", "value", "occurred_at", "properties"),
    )
    Server: ClassVar[Callable[..., Any]]
    Desk: ClassVar[Callable[..., Any]]

    def start(self) -> None:
        self._server = self.Server(self.directory / "server", config=self._known_by(self.secret))
        self._server.start()
        self._desk = self.Desk(self._server, user="desk", password="desk")
        self._desk.stream()
        self.front("127.0.0.1", self._server.port)

    def stop(self) -> None:
        super().stop()
        self._server.stop()

    def settings(self) -> Mapping[str, Any]:
        server = f"nats://127.0.0.1:{self.port}"
        return {"servers": [server], "user": "cx", "password": self.secret, "stream": "CX"}

    def read_back(self) -> Sequence[Received]:
        return [self._received(message.data, message.headers["Nats-Msg-Id"]) for message in self._desk.messages()]

    def _received(self, payload: bytes, key: str) -> Received:
        try:
            one = decode(payload)
        except CodecError:  # bytes are passed on as they are: what they mean is for whoever reads them
            return Received(id=json.loads(payload)["id"], key=key)
        return Received(id=one.id, key=key, fields={name: getattr(one, name) for name in self.fields})

    def play(self, fault: Fault) -> None:
        self.heal()
        if fault.name == "deny":
            self._restart("somebody else's password")
        elif fault.name in ("fail", "throttle"):
            self._full = True
            self._configure(max_bytes=1)  # JetStream answers 503: whatever the reason, it knows no other word
        else:
            super().play(fault)

    def heal(self) -> None:
        super().heal()
        if self._full:
            self._full = False
            self._configure(max_bytes=-1)
        if self._denies:
            self._restart(self.secret)

    _full = _denies = False

    def _known_by(self, password: str) -> str:
        users = f'{{ user: cx, password: "{password}" }}, {{ user: desk, password: desk }}'
        return f"authorization {{ users: [{users}] }}"

    def _restart(self, password: str) -> None:
        self._denies = password != self.secret
        self._server.stop()
        self._server.configure(self._known_by(password))
        self._server.start()

    def _configure(self, **limits: int) -> None:
        async def update(js: JetStreamContext) -> None:
            await js.update_stream(StreamConfig(name="CX", subjects=["cx.>"], discard=DiscardPolicy.NEW, **limits))

        self._desk.ask(update)


@pytest.fixture(autouse=True, scope="module")
def _real(server_types: tuple[Any, Any]) -> None:
    JetStream.Server, JetStream.Desk = server_types


ONE_BY_ONE = "each message is acknowledged or refused alone: test_nats.py does it with what JetStream can refuse"

TestNATS = exporter_suite(
    FACTORY,
    backend=JetStream,
    skips={
        "test_retry_after_is_passed_on": "NATS has no way to ask for a wait",
        "test_poison_is_isolated": ONE_BY_ONE,
        "test_partial_acceptance_is_exact": ONE_BY_ONE,
        "test_limits_are_kept": "there are no batches on the wire, so none that is too large",
        "test_compressed_batches_arrive": "nothing is compressed",
    },
)
