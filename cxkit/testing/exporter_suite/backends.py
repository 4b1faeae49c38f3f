"""Ready other sides: HTTP that plays every fault, a fault proxy before a real server, files of this machine."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, cast, get_args

import attrs

from cxkit.testing.exporter_suite.backend import Backend, Fault, Received, Traffic
from cxkit.testing.fault_proxy import FaultProxy, TCPFault
from cxkit.testing.receiver import Answer, Receiver, Request

__all__ = ["HTTPBackend", "LocalBackend", "ProxiedBackend"]

_DRIP_S: Final = 0.05
_PADDING: Final = {"X-Padding": "x" * 400}
"""So that an answer which drips takes longer than any deadline of the suite."""
_REASONS: Final = ("nancy.canary@customer.example is not wanted", "nancy_canary")
"""What refusals say: an exporter's reasons must not repeat it, neither a sentence nor a word."""


class HTTPBackend(Backend):
    """A real HTTP server on this machine that takes what is posted to it, and plays every fault.

    Give `read`, and `fields`. The rest is for protocols that answer otherwise.

    Example:
        >>> import json
        >>> class Office(HTTPBackend):
        ...     fields = ("name",)
        ...     def read(self, request):
        ...         orders = [json.loads(line) for line in request.content.splitlines()]
        ...         return [Received(id=order["id"], fields={"name": "order.placed"}) for order in orders]
        >>> office = Office(Path("unused"))
        >>> office.start()
        >>> office.read_back(), office.traffic().requests
        ([], 0)
        >>> office.stop()
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.receiver = Receiver(answer=self._answer)
        self._taken: list[Received] = []
        self._fault: Fault | None = None

    @abstractmethod
    def read(self, request: Request) -> Sequence[Received]:
        """What a request puts into the other side if it is accepted; `Request.content` is its body.

        What it raises says that the request cannot be read: it is answered with `poisoned`.
        """

    @property
    def url(self) -> str:
        """Where to post, with credentials that must not show up anywhere."""
        return f"http://cx:{self.secret}@127.0.0.1:{self.receiver.port}/"

    def settings(self) -> Mapping[str, Any]:
        """By default ``{"url": self.url}``. Whatever it is, `Backend.secret` must be in it."""
        return {"url": self.url}

    # --- how the protocol answers ---

    def ok(self, request: Request) -> Answer:
        """All of it is accepted."""
        return Answer()

    def partial(self, request: Request, refused: Mapping[int, str], again: Collection[int]) -> Answer:
        """All but some is accepted: those refused (index in `read` to reason), and those to try again.

        Raises:
            NotImplementedError: The protocol has no words for it.
        """
        return Answer.partial(refused, retry=again)

    def poisoned(self, request: Request) -> Answer:
        """The request as a whole is refused, since something in it is bad; the body repeats it."""
        return Answer(status=400, body=request.content_or_body)

    def too_large(self, request: Request) -> Answer:
        """The request is larger than what is accepted."""
        return Answer(status=413)

    # --- the rest of the interface ---

    def start(self) -> None:
        self.receiver.start()

    def stop(self) -> None:
        self.receiver.stop()

    def read_back(self) -> Sequence[Received]:
        return list(self._taken)

    def play(self, fault: Fault) -> None:
        if fault.name == "partial":
            self.partial(_NOTHING, {}, ())  # raises if there are no words for it
        self.heal()
        self._fault = fault
        if fault.name == "refuse":
            self.receiver.stop()

    def heal(self) -> None:
        before, self._fault = self._fault, None
        if before is not None and before.name == "refuse":
            self.receiver.start()

    def traffic(self) -> Traffic:
        receiver = self.receiver
        return Traffic(
            requests=len(receiver.requests), connections=receiver.connections, open=receiver.open_connections
        )

    def _answer(self, request: Request) -> Answer:
        fault = self._fault
        if fault is not None and fault.name in ("throttle", "fail", "deny"):
            return _refusal(fault, request)
        try:
            received = list(self.read(request))
        except Exception:  # noqa: BLE001 - whatever the dialect's reader stumbles over
            return self.poisoned(request)
        if fault is None:
            self._taken += received
            return self.ok(request)
        return self._misbehave(fault, request, received)

    def _misbehave(self, fault: Fault, request: Request, received: Sequence[Received]) -> Answer:
        if fault.name == "limit" and (len(received) > self.max_records or len(request.body) > self.max_bytes):
            return self.too_large(request)
        if fault.name == "poison" and any(one.id in fault.refused for one in received):
            return self.poisoned(request)
        if fault.name == "partial":
            return self._take_some(request, received, fault)
        self._taken += received
        return _broken(fault, self.ok(request))

    def _take_some(self, request: Request, received: Sequence[Received], fault: Fault) -> Answer:
        refused = {index: _REASONS[index % 2] for index, one in enumerate(received) if one.id in fault.refused}
        again = {index for index, one in enumerate(received) if one.id in fault.again}
        self._taken += [one for index, one in enumerate(received) if index not in refused.keys() | again]
        return self.partial(request, refused, again) if refused or again else self.ok(request)


_NOTHING: Final = Request(method="POST", path="/", headers={}, body=b"", peer=0)


def _refusal(fault: Fault, request: Request) -> Answer:
    """An answer that repeats everything, as careless servers do."""
    said = "".join(f"{name}: {value}\n" for name, value in request.headers.items()).encode() + request.content_or_body
    if fault.name == "throttle":
        return Answer(status=429, headers={"Retry-After": fault.retry_after} if fault.retry_after else {}, body=said)
    return Answer(status=fault.status or 503, body=said)


def _broken(fault: Fault, answer: Answer) -> Answer:
    if fault.name == "drip":
        return attrs.evolve(answer, drip_s=_DRIP_S, headers={**_PADDING, **answer.headers})
    if fault.name == "cut":
        return attrs.evolve(answer, cut_bytes=5, end="close")
    if fault.name in ("hang", "reset"):
        return attrs.evolve(answer, cut_bytes=0, end="hang" if fault.name == "hang" else "reset")
    return answer


class ProxiedBackend(Backend):
    """A real server behind a `FaultProxy`.

    Give `start`, which makes the server ready and then calls `front`; `stop`, which calls this one's and
    ends the server; `settings`, with `port`; `read_back`, past the proxy. The faults that need the
    protocol (throttle, fail, deny, poison, partial, limit) are for you to play, or to skip.
    """

    skips: ClassVar[Mapping[str, str]] = {"test_tries_once": "a TCP proxy sees bytes, not requests"}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.proxy: FaultProxy | None = None

    def front(self, host: str, port: int) -> None:
        """Stand before the server that listens there."""
        self.proxy = FaultProxy(host=host, port=port)
        self.proxy.start()

    @property
    def port(self) -> int:
        """Where the exporter is to connect, on 127.0.0.1."""
        return self._proxy.port

    @property
    def _proxy(self) -> FaultProxy:
        if self.proxy is None:
            raise RuntimeError("call self.front(host, port) in start()")
        return self.proxy

    def stop(self) -> None:
        if self.proxy is not None:
            self.proxy.stop()

    def play(self, fault: Fault) -> None:
        if fault.name not in get_args(TCPFault):
            raise NotImplementedError(f"a proxy cannot play {fault.name}")
        self._proxy.fault = cast(TCPFault, fault.name)

    def heal(self) -> None:
        self._proxy.fault = None

    def traffic(self) -> Traffic:
        return Traffic(connections=self._proxy.connections, open=self._proxy.open_connections)


_NO_WIRE: Final = "a file of this machine: nothing is connected to, nobody answers"


class LocalBackend(Backend):
    """Files below ``self.directory``, which is empty at first. Give `settings` and `read_back`.

    What is delivered to a file can be read from it at once, so `read_back` is asked once and not again. A
    backend that plays some fault after all overrides `play` and `heal`, and takes its checks out of `skips`.

    Args:
        directory: Empty, and of this one alone.
    """

    patience_s: ClassVar[float] = 0.0
    skips: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (
                "test_what_may_pass_is_retried",
                "test_retry_after_is_passed_on",
                "test_broken_connections_are_retried",
                "test_works_again_after_an_outage",
                "test_a_hang_is_bounded",
                "test_a_drip_is_bounded",
                "test_denied_pauses",
                "test_poison_is_isolated",
                "test_partial_acceptance_is_exact",
                "test_limits_are_kept",
                "test_what_is_withdrawn_meanwhile_is_not_sent",
                "test_tries_once",
            ),
            _NO_WIRE,
        ),
        "test_secrets_stay_secret": "a path is no secret",
    }

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def play(self, fault: Fault) -> None:
        raise NotImplementedError(_NO_WIRE)

    def heal(self) -> None:
        pass

    def traffic(self) -> Traffic:
        """How many files below the directory this process holds open."""
        files = {_identity(path.stat()) for path in self.directory.rglob("*")}
        return Traffic(open=sum(_identity(status) in files for status in _open_files()))


def _open_files() -> list[os.stat_result]:
    found = []
    for number in map(int, os.listdir("/dev/fd")):
        try:
            found.append(os.fstat(number))
        except OSError:  # the one that listed them
            continue
    return found


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
