"""CloudEvents 1.0 in the eyes of somebody else: the official SDK reads what we write, and we what it writes."""

from __future__ import annotations

import json
import re

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.codec import BATCH_CONTENT_TYPE, CONTENT_TYPE, SCHEMA, decode, decode_batch, encode, encode_batch
from cxkit.model import Interaction
from tests import strategies as some
from tests.codec.test_field_map import FULL

SPECIFIED = {
    "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "data"
}  # fmt: skip


def read(payload: bytes) -> CloudEvent:
    event = JSONFormat().read(None, payload)
    assert isinstance(event, CloudEvent)
    return event


@some.few
@given(some.interactions)
def test_the_sdk_reads_what_we_write(one: Interaction) -> None:
    event = read(encode(one))
    assert event.get_id() == one.id
    assert event.get_type() == f"io.cxkit.{one.name}"
    assert event.get_source() == one.source
    assert event.get_time() == one.occurred_at
    assert event.get_dataschema() == SCHEMA
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("cxchannel") == one.channel
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["properties"] == one.properties


@some.few
@given(some.interactions)
def test_we_read_what_the_sdk_writes(one: Interaction) -> None:
    assert decode(JSONFormat().write(read(encode(one)))) == one


@settings(max_examples=10)
@given(st.lists(some.interactions, max_size=3))
def test_batches_pass_both_ways(several: list[Interaction]) -> None:
    ours = encode_batch(map(encode, several))
    events = [read(json.dumps(event).encode()) for event in json.loads(ours)]
    theirs = b"[" + b", ".join(map(JSONFormat().write, events)) + b"]"
    assert decode_batch(theirs) == several


def test_over_http_the_content_type_says_that_the_event_is_structured() -> None:
    event = from_structured_event(HTTPMessage({"content-type": CONTENT_TYPE}, encode(FULL)))
    message = to_structured_event(event)
    assert message.headers == {"content-type": CONTENT_TYPE}
    assert decode(message.body) == FULL
    assert CONTENT_TYPE.replace("cloudevents", "cloudevents-batch") == BATCH_CONTENT_TYPE


def test_extensions_have_names_that_every_binding_can_carry() -> None:
    """CloudEvents 1.0.2, section 3.1: lower-case letters and digits, and not more than 20."""
    extensions = json.loads(encode(FULL)).keys() - SPECIFIED
    assert len(extensions) == 6
    for name in extensions:
        assert re.fullmatch("[a-z0-9]{1,20}", name)
