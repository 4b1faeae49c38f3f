"""Servers that die under a whole kit: nothing is lost, and the streams hold each interaction once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit import Kit
from cxkit.settings import load

pytestmark = pytest.mark.services

SEEN = cxkit.touchpoint("shelf.seen", purpose="necessary")


@contextmanager
def kit_at(directory: Path, servers: Sequence[Any], **settings: Any) -> Iterator[Kit]:
    table = {
        "type": "nats",
        "servers": [server.url for server in servers],
        "purposes": ["necessary"],
        "stream": "CX",
        "ack_timeout_s": 2.0,
        **settings,
    }
    kit = Kit(load(environ={}, overrides={"directory": str(directory), "exporters": {"stream": table}}))
    try:
        yield kit
    finally:
        kit.close(timeout_s=20)


class Visitors:
    """They keep coming, in a thread of their own, until told to stop."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.captured: list[str | None] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._come)

    def __enter__(self) -> Visitors:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _come(self) -> None:
        with cxkit.scope(kit=self._kit):
            while not self._stop.wait(0.005):
                self.captured.append(SEEN.capture(number=len(self.captured)))


def all_arrive(kit: Kit, captured: Sequence[str | None], found: Callable[[], list[str]]) -> None:
    """All that was captured is delivered by the account, and in the stream once."""
    assert kit.flush(timeout_s=60).complete
    account = kit.account().exporters["stream"]
    assert (account.delivered, account.pending, account.dead) == (len(captured), 0, 0)
    assert None not in captured
    there = found()
    assert sorted(there) == sorted(captured), "lost, or kept twice"


def delivered(kit: Kit) -> int:
    account = kit.account().exporters.get("stream")  # not there before the engine is
    return account.delivered if account else 0


def test_a_server_killed_and_started_again(server: Any, desk: Any, until: Any, tmp_path: Path) -> None:
    with kit_at(tmp_path / "of_cxkit", [server]) as kit:
        with Visitors(kit) as visitors:
            until(lambda: delivered(kit) > 100, what="the first are delivered")
            server.kill()
            before, come = delivered(kit), len(visitors.captured)
            until(lambda: len(visitors.captured) > come + 100, what="visitors come during the outage")
            server.start()
            until(lambda: delivered(kit) > before + 100, what="deliveries go on", timeout_s=60)
        all_arrive(kit, visitors.captured, desk.ids)


def test_the_leader_of_a_cluster_killed(cluster: Any, server_types: Any, until: Any, tmp_path: Path) -> None:
    """The stream elects another for some seconds: cxkit waits, and the message id removes what is sent twice."""
    _, desk_at = server_types
    desk = desk_at(*cluster)
    desk.stream_of_three()
    with kit_at(tmp_path / "of_cxkit", cluster) as kit:
        with Visitors(kit) as visitors:
            until(lambda: delivered(kit) > 100, what="the first are delivered")
            name = until(desk.leader, what="the stream has a leader")
            leader = next(node for node in cluster if node.name == name)
            leader.kill()
            before = delivered(kit)
            until(lambda: delivered(kit) > before + 200, what="deliveries go on", timeout_s=60)
        all_arrive(kit, visitors.captured, desk_at(*(node for node in cluster if node is not leader)).ids)
