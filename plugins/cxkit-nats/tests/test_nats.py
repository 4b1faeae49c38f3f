"""What is peculiar to JetStream: subjects, duplicates, what its servers refuse, and what becomes of connections."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import DiscardPolicy

from cxkit.codec import decode, encode
from cxkit.errors import ConfigurationError
from cxkit.model import Context, Interaction
from cxkit.roles import Batch, Outcome
from cxkit.testing.fault_proxy import FaultProxy
from cxkit.testing.pages import settings_on
from cxkit_nats import NATSExporter, Settings
from cxkit_nats.message import Pattern

SUBJECT = re.compile(r"[A-Za-z0-9_$-]+(\.[A-Za-z0-9_$-]+)*")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def payload(number: int, *, name: str = "cart.item_added", text: str = "", **more: Any) -> bytes:
    return encode(
        Interaction(
            id=f"01a3185c-5000-7000-b000-{number:012}",
            occurred_at=datetime(2027, 1, 15, 8, 0, tzinfo=UTC),
            name=name,
            source="/shop",
            properties={"number": number, "text": text},
            **more,
        )
    )


def batch(*numbers: int, **more: Any) -> Batch:
    return Batch("b1", tuple(payload(number, **more) for number in numbers))


def ids(*numbers: int) -> list[str]:
    return [f"01a3185c-5000-7000-b000-{number:012}" for number in numbers]


# --- without a server -----------------------------------------------------------------------------


@given(name=st.text(), kind=st.text(), channel=st.none() | st.text(), stage=st.none() | st.text())
def test_whatever_an_interaction_says_its_subject_is_one(
    name: str, kind: str, channel: str | None, stage: str | None
) -> None:
    event = {"id": "1", "type": f"io.cxkit.{name}", "cxkind": kind, "cxchannel": channel, "cxstage": stage}
    made = Pattern("cx.{kind}.{channel}-{stage}.{name}").message(json.dumps(event).encode(), stream=None)
    assert made is None or SUBJECT.fullmatch(made.subject)
    assert made is not None or len(name + kind + (channel or "") + (stage or "")) > 200


@pytest.mark.parametrize(
    "pattern", ["", "cx.", ".cx", "cx..{name}", "cx.*", "cx.>", "cx {name}", "cx.{user}", "cx.{name", "cx.{}", "c\n.x"]
)
def test_a_pattern_that_makes_no_subject_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(servers=("nats://127.0.0.1:4222",), subject=pattern)
    assert caught.value.code == "CX9031"


def test_being_installed_costs_nothing() -> None:
    """Neither the client library nor asyncio is imported before the first batch."""
    code = (
        "import sys, cxkit_nats._plugin as p; p.cxkit_exporters(); print({'nats', 'asyncio', 'ssl'} & {*sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "set()\n", ran.stderr


SILENT_NAMES = """
import socket, sys, time
def never(*_, **__): time.sleep(600)
socket.getaddrinfo = never        # as a name server that does not answer
from cxkit.roles import Batch
from cxkit_nats import NATSExporter, Settings
exporter = NATSExporter(Settings(servers=("nats://nats.example:4222",)))
began = time.monotonic()
print(exporter.export(Batch("b", (b'{"id":"1","type":"io.cxkit.a"}',)), deadline_s=0.5).reason)
exporter.close()
print(time.monotonic() - began < 5)
"""


def test_a_silent_name_server_holds_up_neither_the_lane_nor_the_exit() -> None:
    ran = subprocess.run([sys.executable, "-c", SILENT_NAMES], capture_output=True, text=True, timeout=60)
    assert ran.stdout.split() == ["deadline", "True"], ran.stderr


def test_on_a_thread_with_an_event_loop_of_somebody_else_it_waits() -> None:
    """As when gevent makes two lanes one thread: it says so, and disturbs nobody's loop."""
    exporter = NATSExporter(Settings(servers=("nats://127.0.0.1:1",)))

    async def busy() -> Outcome:
        outcome = exporter.export(batch(1), deadline_s=1)
        exporter.close()
        return outcome

    assert asyncio.run(busy()) == Outcome.retry("event_loop")


# --- with one ---------------------------------------------------------------------------------------


@pytest.mark.services
def test_what_a_reader_finds(server: Any, desk: Any, exporter_of: Any) -> None:
    exporter = exporter_of(server, subject="cx.{channel}.{name}", stream="CX")
    sent = payload(1, channel="web", context=Context(traceparent=TRACE))
    assert exporter.export(Batch("b1", (sent,)), deadline_s=5) == Outcome.delivered()
    (found,) = desk.messages()
    assert found.subject == "cx.web.cart.item_added"
    assert found.data == sent
    assert found.headers == {
        "Nats-Msg-Id": ids(1)[0],
        "Content-Type": "application/cloudevents+json",
        "Nats-Expected-Stream": "CX",
        "traceparent": TRACE,
    }
    assert decode(found.data).properties["number"] == 1


HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "send-to-nats.md"


@pytest.mark.services
@pytest.mark.skipif(not HOW_TO.exists(), reason="the page is part of the checkout, not of this distribution")
def test_the_stream_of_the_page(server: Any, desk_of: Any) -> None:
    (block,) = re.findall(r"^```python\n(import asyncio.+?)^```$", HOW_TO.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    there = "nats://127.0.0.1:4222"
    assert there in block
    exec(block.replace(there, server.url), {})  # noqa: S102 - our own page
    config = desk_of(server).ask(lambda js: js.stream_info("CX")).config
    assert (config.subjects, config.max_age, config.duplicate_window) == (["cx.>"], 604_800, 3600)


@pytest.mark.services
def test_the_same_interaction_is_kept_once(server: Any, desk: Any, exporter_of: Any) -> None:
    """Another process's exporter, another batch: within the duplicate window the id decides."""
    assert exporter_of(server).export(batch(1, 2, 3), deadline_s=5) == Outcome.delivered()
    assert exporter_of(server).export(batch(3, 2, 4), deadline_s=5) == Outcome.delivered()
    assert desk.ids() == ids(1, 2, 3, 4)
    window = desk.ask(lambda js: js.stream_info("CX")).config.duplicate_window
    assert window == 120, "the documented default"


@pytest.mark.services
def test_too_large_for_the_server_is_refused_alone(serve: Any, exporter_of: Any, desk_at: Any) -> None:
    server = serve("max_payload: 4096")
    desk = desk_at(server)
    exporter = exporter_of(server)
    base = len(payload(2, text=""))
    large = payload(2, text="x" * (4096 - base - 20))  # fits without headers, does not with them
    assert len(large) < 4096
    outcome = exporter.export(Batch("b1", (payload(1), large, payload(3))), deadline_s=5)
    assert outcome == Outcome.reject({1: "message_too_large"})
    assert desk.ids() == ids(1, 3)
    assert exporter.export(Batch("b1", (large,)), deadline_s=5) == Outcome.reject({0: "message_too_large"})


@pytest.mark.services
def test_too_large_for_the_stream_is_refused_alone(server: Any, desk_at: Any, exporter_of: Any) -> None:
    desk = desk_at(server, max_msg_size=1000)
    outcome = exporter_of(server).export(
        Batch("b1", (payload(1), payload(2, text="x" * 1000), payload(3))), deadline_s=5
    )
    assert outcome == Outcome.reject({1: "message_too_large"})
    assert desk.ids() == ids(1, 3)


@pytest.mark.services
def test_what_is_acknowledged_is_not_tried_again(server: Any, desk_at: Any, exporter_of: Any) -> None:
    """A stream that is full in the middle of a batch: those kept count, the rest is tried again, to the message."""
    desk = desk_at(server, max_msgs=3, discard=DiscardPolicy.NEW)
    exporter = exporter_of(server)
    large = payload(9, text="x" * 1_100_000)
    outcome = exporter.export(Batch("b1", (*batch(1, 2).payloads, large, *batch(3, 4, 5).payloads)), deadline_s=5)
    assert outcome == Outcome.reject({2: "message_too_large"}, again=[4, 5])
    assert desk.ids() == ids(1, 2, 3)
    assert exporter.export(batch(4, 5), deadline_s=5) == Outcome.retry("jetstream_10077")
    desk.ask(lambda js: js.purge_stream("CX"))
    assert exporter.export(batch(4, 5), deadline_s=5) == Outcome.delivered()
    assert desk.ids() == ids(4, 5)


@pytest.mark.services
def test_no_stream_is_waited_for(server: Any, desk: Any, exporter_of: Any) -> None:
    """Not paused for a minute: a stream that elects its leader answers the same, and does so for seconds."""
    exporter = exporter_of(server)
    desk.delete()
    assert exporter.export(batch(1, 2), deadline_s=5) == Outcome.retry("no_stream")
    desk.stream()
    assert exporter.export(batch(1, 2), deadline_s=5) == Outcome.delivered()
    assert desk.ids() == ids(1, 2)


@pytest.mark.services
def test_another_stream_than_the_one_named_gets_nothing(server: Any, desk: Any, exporter_of: Any) -> None:
    assert exporter_of(server, stream="ORDERS").export(batch(1), deadline_s=5) == Outcome.pause("other_stream")
    assert desk.ids() == []


@pytest.mark.services
def test_some_subjects_without_a_stream_do_not_hold_up_the_others_batch(
    server: Any, desk_at: Any, exporter_of: Any
) -> None:
    desk = desk_at(server, subjects=["cx.cart.>"])
    mixed = Batch("b1", (payload(1), payload(2, name="page.viewed"), payload(3)))
    assert exporter_of(server).export(mixed, deadline_s=5) == Outcome.reject({}, again=[1])
    assert desk.ids() == ids(1, 3)


@pytest.mark.services
def test_a_server_that_hangs_costs_one_deadline(server: Any, desk: Any, exporter_of: Any) -> None:
    exporter = exporter_of(server)
    assert exporter.export(batch(1), deadline_s=5) == Outcome.delivered()
    server.pause()
    try:
        for number in (2, 3):  # over the connection there is; then without one
            began = time.monotonic()
            assert exporter.export(batch(number), deadline_s=0.5) == Outcome.retry("deadline")
            assert time.monotonic() - began < 2.5
    finally:
        server.resume()
    assert exporter.export(batch(2, 3), deadline_s=10) == Outcome.delivered()
    assert sorted(desk.ids()) == ids(1, 2, 3)


@pytest.mark.services
def test_a_late_acknowledgement_is_nobody_elses(server: Any, desk: Any) -> None:
    """What comes for an attempt that was given up must not pass for the answer to the next one."""
    with FaultProxy(port=server.port) as proxy:
        exporter = NATSExporter(Settings(servers=(f"nats://127.0.0.1:{proxy.port}",)))
        assert exporter.export(batch(1), deadline_s=5) == Outcome.delivered()
        proxy.fault = "hang"
        assert exporter.export(batch(2), deadline_s=0.5) == Outcome.retry("deadline")
        desk.delete()
        proxy.fault = None
        assert exporter.export(batch(3), deadline_s=5) == Outcome.retry("no_stream")
        exporter.close()


@pytest.mark.services
def test_where_nothing_is_kept_the_next_server_is_asked(
    serve: Any, tmp_path: Path, desk_at: Any, exporter_of: Any
) -> None:
    """A node that is cut off from the others lets everybody in, and keeps nothing."""
    cut_off, sound = serve(), serve(directory=tmp_path / "sound", name="n2")
    desk = desk_at(sound)
    for number in range(8):  # each begins with a server at random
        exporter = exporter_of(cut_off, sound)
        outcomes = [exporter.export(batch(number), deadline_s=5) for _ in range(2)]
        assert outcomes[1] == Outcome.delivered()
    assert desk.ids() == ids(*range(8))


@pytest.mark.services
def test_a_connection_that_ended_while_idle_costs_no_attempt(serve: Any, desk_at: Any, exporter_of: Any) -> None:
    """Nothing runs between two batches, so the server's pings go unanswered and it hangs up."""
    server = serve('ping_interval: "100ms"\nping_max: 1\ndebug: true')
    desk = desk_at(server)
    exporter = exporter_of(server)
    assert exporter.export(batch(1), deadline_s=5) == Outcome.delivered()
    server.log_says("Stale Client Connection")
    time.sleep(1.0)  # the idle time after which the exporter asks for a sign of life: what is tested
    assert exporter.export(batch(2), deadline_s=5) == Outcome.delivered()
    assert desk.ids() == ids(1, 2)


@pytest.mark.services
def test_a_child_makes_a_connection_of_its_own(server: Any, desk: Any, exporter_of: Any) -> None:
    """Both publish at the same time: on one connection they would read each other's acknowledgements."""
    exporter = exporter_of(server)
    assert exporter.export(batch(0), deadline_s=5) == Outcome.delivered()
    reader, writer = os.pipe()

    def all_delivered(first: int) -> bool:
        batches = [batch(*range(start, start + 20)) for start in range(first, first + 1000, 20)]
        return all(exporter.export(one, deadline_s=5) == Outcome.delivered() for one in batches)

    child = os.fork()
    if not child:
        ended = 1
        try:
            os.write(writer, b"1")
            ended = 0 if all_delivered(2000) else 2
            exporter.close()
        finally:
            os._exit(ended)
    os.read(reader, 1)
    ours = all_delivered(1000)
    theirs = os.waitpid(child, 0)[1] == 0
    os.close(reader)
    os.close(writer)
    assert (ours, theirs) == (True, True)
    assert exporter.export(batch(1), deadline_s=5) == Outcome.delivered()
    assert sorted(desk.ids()) == ids(0, 1, *range(1000, 3000))


@pytest.mark.skipif(not HOW_TO.exists(), reason="the page is part of the checkout, not of this distribution")
def test_every_setting_is_on_its_page() -> None:
    """And in the README, which comes with the distribution."""
    for page in (HOW_TO, Path(__file__).parents[1] / "README.md"):
        assert settings_on(page) == {field.name for field in attrs.fields(Settings)}, page
