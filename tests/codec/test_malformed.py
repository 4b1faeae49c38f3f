"""Bytes that are not what they claim to be: a CodecError, whatever they are, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cxkit.codec import decode, decode_batch, encode
from cxkit.errors import CodecError
from cxkit.model import Interaction
from tests import strategies as some
from tests.codec.test_field_map import FULL

VALID = encode(FULL)
EVENT: dict[str, Any] = json.loads(VALID)


def only_codec_errors(payload: bytes) -> None:
    for read in (decode, decode_batch):
        try:
            found = read(payload)
        except CodecError:
            continue
        for one in found if isinstance(found, list) else [found]:
            assert isinstance(one, Interaction)
            assert decode(encode(one)) == one


@settings(max_examples=300)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xef\xbb\xbf" + VALID)
@example(VALID.decode().encode("utf-16"))
@example(b"[" * 100_000)
@example(b'{"data":' * 100_000)
@example(VALID + VALID)
def test_of_any_bytes(payload: bytes) -> None:
    only_codec_errors(payload)


@settings(max_examples=300)
@given(st.data())
def test_of_valid_ones_with_some_bytes_changed(data: st.DataObject) -> None:
    payload = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    only_codec_errors(bytes(payload))


def paths(value: Any, before: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where each part of a JSON value stands."""
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before] * bool(before) + [path for key, part in parts for path in paths(part, (*before, key))]


STRANGE = [
    None, True, -1, 0, 1.5, 2**70, 1e300, "", "x", "\x00", "nan", "1e400", "99999-01-01T00:00:00Z",
    "2026-11-21", "10:30", [], [[]], ["a"], {}, {"a": {}}, {"amount": "1"}, {"currency": "EUR"},
    {"identifiers": [{}]}, {"identifiers": "x"}, {"experience": 1}, {"scale": [], "score": 1},
]  # fmt: skip


@pytest.mark.parametrize("path", paths(EVENT), ids=lambda path: ".".join(map(str, path)))
def test_with_any_part_replaced_or_gone(path: tuple[str | int, ...]) -> None:
    def changed(change: Any) -> bytes:
        event = json.loads(VALID)
        inner = event
        for key in path[:-1]:
            inner = inner[key]
        if change is ...:
            del inner[path[-1]]
        else:
            inner[path[-1]] = change
        return json.dumps(event).encode()

    for change in (..., *STRANGE):
        only_codec_errors(changed(change))


@given(some.json_values, some.json_values)
def test_of_any_json_in_the_place_of_the_data(event: Any, data: Any) -> None:
    only_codec_errors(json.dumps(event).encode())
    only_codec_errors(json.dumps({**EVENT, "data": data}).encode())


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"1", b"null", b"[", b"[}", b"[{}", b'"[]"', b"[]]", b"\xff", b'[""\xff]', VALID]
)
def test_a_batch_that_is_no_array_is_refused_by_code(body: bytes) -> None:
    with pytest.raises(CodecError) as caught:
        decode_batch(body)
    assert caught.value.code == "CX4002"


def test_one_bad_event_spoils_its_batch() -> None:
    with pytest.raises(CodecError):
        decode_batch(b"[" + VALID + b",{}]")


def test_a_message_shows_nothing_of_the_content() -> None:
    with pytest.raises(CodecError) as caught:
        decode(VALID.replace(b'"nancy"', b'["secret"]'))
    assert "secret" not in str(caught.value)
