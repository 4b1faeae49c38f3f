"""The canonical form: what is written is read back, and what was captured is written again byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit import api
from cxkit.codec import decode, decode_batch, encode, encode_batch, split_batch
from cxkit.codec.wire import assemble, circumstances, declaration, occurrence, rfc3339
from cxkit.errors import CodecError
from cxkit.kit import Kit
from cxkit.model import Context, Identity, Interaction, TouchpointSpec
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from tests import strategies as some

MINIMAL = Interaction(id="1", occurred_at=datetime(2026, 11, 21, tzinfo=UTC), name="cup.filled", source="/bar")


@some.few
@given(some.interactions)
def test_what_is_written_is_read_back(one: Interaction) -> None:
    assert decode(encode(one)) == one


@some.few
@given(some.interactions)
def test_what_is_read_is_written_again_byte_for_byte(one: Interaction) -> None:
    written = encode(one)
    assert encode(decode(written)) == written


@settings(max_examples=15)
@given(st.lists(some.interactions, max_size=3))
def test_a_batch_is_read_back(several: list[Interaction]) -> None:
    written = [encode(one) for one in several]
    body = encode_batch(written)
    assert decode_batch(body) == several
    assert [bytes(one) for one in split_batch(body)] == written
    assert encode_batch(split_batch(body)) == body


@some.few
@given(
    spec=some.touchpoints,
    identity=some.identities,
    context=some.contexts,
    consent=st.dictionaries(some.purposes, st.booleans()),
    happened=some.occurrences,
    properties=some.properties,
    source=some.texts.map("/{}".format),
    at=some.times,
)
def test_the_parts_that_capture_joins_are_the_whole_that_encode_writes(
    spec: TouchpointSpec,
    identity: Identity,
    context: Context,
    consent: dict[str, bool],
    happened: dict[str, Any],
    properties: dict[str, Any],
    source: str,
    at: datetime,
) -> None:
    channel = spec.channel or context.channel
    joined = assemble(
        "0190", rfc3339(at),
        declaration(spec, source=source, channel=channel, plugin=None)
        + circumstances(identity=identity, context=context, consent=consent),
        occurrence(**happened),
        msgspec.json.encode(properties),
    )  # fmt: skip
    declared = {name: getattr(spec, name) for name in some.declared}
    whole = Interaction(
        **{**declared, "channel": channel},
        id="0190",
        occurred_at=at,
        source=source,
        identity=identity,
        context=context,
        consent=consent,
        properties=properties,
        **happened,
    )
    assert joined == encode(whole)
    assert decode(joined) == whole


def test_whatever_capture_produced_is_written_again_byte_for_byte() -> None:
    cup = api.touchpoint("cup.served", stage="purchase", reach="indirect", via="waiter", promise="hot")
    paid = api.touchpoint("cup.paid", purpose="necessary")
    menu = api.experience("cup.menu", fallback=api.Variant(name="all", content={"soup": "é"}))
    exporter = RecordingExporter()
    kit = Kit(Settings(), exporters={"x": exporter}, in_memory=True)
    with api.scope(kit=kit, channel="store", phone="+33 1 23 45 67 89", locale="fr-CA"):
        cup.capture()
        cup.on(value=api.money("4.50", "EUR"), case="4711", cause="1").capture(size=2, bad=float("nan"))
        api.grant("analytics", "personalization")
        api.identify(user_id="nancy", traits={"plan": "gold"})
        menu.show()
        paying = paid.interaction()
        paying.set(nested={"a": [1, 2.5, None, True]})
        with pytest.raises(ZeroDivisionError), paying:
            raise ZeroDivisionError
        kit.flush()  # or else the withdrawal would stop what is on its way
        api.withdraw("analytics")
    kit.close()
    payloads = [payload for batch in exporter.batches for payload in batch.payloads]
    assert len(payloads) == 7
    for payload in payloads:
        assert encode(decode(payload)) == payload


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T10:30:00Z", "2026-11-21T10:30:00+00:00", "2026-11-21T11:30:00.000000+01:00"],
)
def test_times_are_read_in_any_offset(text: str) -> None:
    foreign = encode(MINIMAL).replace(b"2026-11-21T00:00:00.000000Z", text.encode())
    assert decode(foreign).occurred_at == datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


def test_a_time_without_an_offset_is_no_time() -> None:
    """RFC 3339 demands one; whose midnight would it be?"""
    foreign = encode(MINIMAL).replace(b"00:00:00.000000Z", b"00:00:00.000000")
    with pytest.raises(CodecError):
        decode(foreign)


def test_a_microsecond_of_duration_is_kept() -> None:
    one = attrs.evolve(MINIMAL, duration=timedelta(microseconds=1))
    assert decode(encode(one)).duration == timedelta(microseconds=1)


def changed(change: dict[str, Any]) -> bytes:
    """A written interaction with other or further fields, some of them inside data."""
    event = msgspec.json.decode(encode(MINIMAL))
    event["data"].update(change.pop("data", {}))
    event.update(change)
    return msgspec.json.encode(event)


@pytest.mark.parametrize(
    "change",
    [
        {"cxnew": 1, "anything": {"a": []}},
        {"data": {"new": [1]}},
        {"data": {"identity": {"new": 1, "identifiers": [{"type": "a", "value": "b", "evidence": "claim", "new": 2}]}}},
        {"data": {"context": {"new": 1, "page": {"route": "/", "new": {}}, "place": {"new": ""}}}},
        {"data": {"decision": {"experience": "a", "variant": "b", "new": 1}}},
        {"data": {"feedback": {"scale": "nps", "score": 9, "new": 1}}},
        {"data": {"value": {"amount": "1", "currency": "EUR", "new": "1"}}},
    ],
)  # fmt: skip
def test_fields_of_a_later_minor_version_are_ignored(change: dict[str, Any]) -> None:
    assert decode(changed(change)).name == "cup.filled"


@pytest.mark.parametrize("schema", ["urn:cxkit:interaction:2", "urn:cxkit:interaction:10", "", "urn:other:1", None])
def test_another_major_version_is_refused_by_code(schema: str | None) -> None:
    with pytest.raises(CodecError) as caught:
        decode(changed({"dataschema": schema}))
    assert caught.value.code == "CX4004"


@pytest.mark.parametrize(
    "change",
    [
        {"type": "com.example.thing"},
        {"type": ""},
        {"specversion": "0.3"},
        {"specversion": None},
        {"time": None},
    ],
)
def test_what_is_no_event_of_cxkit_is_refused_by_code(change: dict[str, Any]) -> None:
    with pytest.raises(CodecError) as caught:
        decode(changed(change))
    assert caught.value.code == "CX4003"
