"""What anybody may send to the beacon's endpoint: read strictly, refused quickly, and nothing raises."""

from __future__ import annotations

import contextlib
import cProfile
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cxkit.web.beacon.claims import Claim, Envelope, read_claim, read_envelope

ID = "0b1c7d1a-5a52-4a8e-9c58-0a5a3c1b2d3e"
EVENT = {"id": ID, "at": 1000, "name": "element.clicked", "properties": {"element": "buy"}}
GOOD = {"sent": 1000, "events": [EVENT]}


def body(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


UNREADABLE = {
    "B64 invalid UTF-8": b'{"sent": 1, "events": [], "x": "\xff"}',
    "B64 UTF-8 surrogates": b'{"sent": 1, "events": [], "x": "\xed\xa0\x80"}',
    "B65 byte order mark": b"\xef\xbb\xbf" + body(),
    "B65 UTF-16": body().decode().encode("utf-16"),
    "B65 UTF-16 without its mark": body().decode().encode("utf-16-le"),
    "B65 UTF-32": body().decode().encode("utf-32"),
    "B66 NaN": b'{"sent": 1, "events": [], "x": NaN}',
    "B66 NaN as a time": b'{"sent": NaN, "events": []}',
    "B66 Infinity": b'{"sent": 1, "events": [], "x": -Infinity}',
    "B66 1e999": b'{"sent": 1, "events": [], "x": 1e999}',
    "B66 5,000 digits": b'{"sent": 1, "events": [], "x": ' + b"9" * 5000 + b"}",
    "B66 60,000 decimals": b'{"sent": 0.' + b"1" * 60_000 + b', "events": []}',
    "B66 a key twice": b'{"sent": 1, "sent": 2, "events": []}',
    "B66 a key twice, escaped": b'{"sent": 1, "\\u0073ent": 2, "events": []}',
    "B66 a key twice, deep inside": b'{"sent": 1, "events": [{"properties": {"a": 1, "a": 2}}]}',
    "B66 depth 100,000 of lists": b"[" * 100_000,
    "B66 depth 100,000 of objects": b'{"a":' * 100_000,
    "B66 depth 17": b'{"sent": 1, "events": [], "x": ' + b"[" * 16 + b"]" * 16 + b"}",
    "nothing": b"",
    "no JSON": b"sent=1&events=",
    "two documents": body() + body(),
    "a list": b"[]",
    "null": b"null",
    "no events": b'{"sent": 1}',
    "no time": b'{"events": []}',
    "a negative time": b'{"sent": -1, "events": []}',
    "a time in words": b'{"sent": "now", "events": []}',
    "a time that is true": b'{"sent": true, "events": []}',
    "events that are none": b'{"sent": 1, "events": {}}',
    "gpc in words": b'{"sent": 1, "events": [], "gpc": "1"}',
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_envelope_is_refused(raw: bytes) -> None:
    """B64, B65, B66."""
    with pytest.raises(ValueError, match=r"."):
        read_envelope(raw)


def calls(raw: bytes) -> int:
    """How many functions it takes to read a body or to refuse it: what it costs, on any machine."""
    profile = cProfile.Profile()
    with profile, contextlib.suppress(ValueError):
        read_envelope(raw)
    return sum(one.callcount for one in profile.getstats())


SHAPES = {
    "lists": lambda size: b'{"sent":1,"events":[' + b"[]," * (size // 3) + b"[]]}",
    "objects": lambda size: b'{"sent":1,"events":[' + b"{}," * (size // 3) + b"{}]}",
    "numbers": lambda size: b'{"sent":1,"events":[' + b"1," * (size // 2) + b"1]}",
    "digits": lambda size: b'{"sent":1,"events":[], "x":' + b"9" * size + b"}",
    "keys": lambda size: b'{"sent":1,"events":[{' + b",".join(b'"%d":1' % one for one in range(size // 8)) + b"}]}",
    "one key": lambda size: b'{"sent":1,"events":[{' + b",".join([b'"a":1'] * (size // 6)) + b"}]}",
    "depth": lambda size: b'{"sent":1,"events":[], "x":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}",
    "text": lambda size: b'{"sent":1,"events":["' + b"\\u0041" * (size // 6) + b'"]}',
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_work_grows_no_faster_than_a_body(shape: Callable[[int], bytes]) -> None:
    """B66, S15."""
    assert calls(shape(64_000)) <= 8.1 * calls(shape(8_000))


def test_depth_16_is_read() -> None:
    """B66, S15."""
    raw = b'{"sent": 1, "events": [], "x": ' + b"[" * 15 + b"]" * 15 + b"}"
    assert read_envelope(raw) == Envelope(sent=1.0, events=[])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"locale": "fr-CA", "zone": "America/Argentina/Ushuaia"}, ("fr-CA", "America/Argentina/Ushuaia")),
        ({"locale": "zh-Hant-TW", "zone": "Etc/GMT+12"}, ("zh-Hant-TW", "Etc/GMT+12")),
        ({"locale": "nancy@shop.example", "zone": "../../etc/passwd"}, (None, None)),
        ({"locale": "x" * 100, "zone": "A" * 100}, (None, None)),
        ({"locale": "fr\n", "zone": "UTC\n"}, (None, None)),
        ({"locale": "", "zone": ""}, (None, None)),
        ({"locale": None, "zone": None}, (None, None)),
    ],
)
def test_language_and_zone_are_what_they_look_like_or_left_out(said: dict[str, Any], kept: tuple[Any, Any]) -> None:
    envelope = read_envelope(body(**said))
    assert (envelope.locale, envelope.zone) == kept


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "short"},
        {"id": "x" * 65},
        {"id": ID + "\n"},
        {"id": "<script>alert(1)</script>"},
        {"id": 7},
        {"id": None},
        {"at": None},
        {"at": 1e300},
        {"at": -1},
        {"name": None},
        {"name": "x" * 101},
        {"route": "x" * 201},
        {"route": "/a\nb"},
        {"route": "/\ud800"},
        {"path": "/" + "x" * 1000},
        {"engaged_ms": -1},
        {"engaged_ms": 86_400_001},
        {"engaged_ms": 1.5},
        {"engaged_ms": True},
        {"properties": []},
        {"properties": {"a": [1]}},
        {"properties": {"a": {"b": 1}}},
        {"properties": {"a": "x" * 1001}},
        {"properties": {"a" * 101: 1}},
        {"properties": {}},
        {"properties": {"element": "Buy now, Nancy"}},
        {"properties": {"element": "buy\n"}},
        {"name": "link.left", "properties": {"to": "https://other.example/path"}},
        {"name": "link.left", "properties": {"to": "https://nancy:secret@other.example"}},
        {"name": "link.left", "properties": {"to": "javascript:alert(1)"}},
        {"name": "page.engaged", "properties": {}},
        {"name": "page.engaged", "properties": {"scroll_percent": 101}, "engaged_ms": 1},
        {"name": "page.vitals", "properties": {"cls": -1}},
    ],
    ids=str,
)
def test_an_event_that_is_wrong_is_none(changes: dict[str, Any]) -> None:
    assert read_claim({**EVENT, **changes}) is None


@pytest.mark.parametrize("event", [None, 1, "x", [], {}, [EVENT]])
def test_what_is_no_event_is_none(event: Any) -> None:
    assert read_claim(event) is None


def test_keys_that_are_not_known_are_left_out() -> None:
    """B75."""
    forged = {"user_id": "nancy", "identity": {"user_id": "nancy"}, "consent": {"analytics": True}, "tenant": "other"}
    (event,) = read_envelope(body(**forged, events=[{**EVENT, **forged, "context": forged}])).events
    claim = read_claim(event)
    assert claim == Claim(id=ID, at=1000.0, name="element.clicked", properties={"element": "buy"})
    more = {**EVENT, "properties": {"element": "buy", "text": "what the button says", **forged}}
    assert read_claim(more) is None  # an object is no property, of cx.js' own events or of others
    assert read_claim({**EVENT, "properties": {"element": "buy", "text": "Buy now"}}) == claim


_PLAIN = body(gpc=True, locale="fr", zone="UTC")
_PIECES = st.sampled_from(
    [b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\", b"9" * 30, b"1e999", b"NaN", b"null", b"\xff"]
)
_cuts = st.lists(
    st.tuples(st.integers(0, len(_PLAIN)), st.integers(0, 6), _PIECES | st.binary(max_size=4)), min_size=1, max_size=3
)


def _cut(cuts: list[tuple[int, int, bytes]]) -> bytes:
    """A good body, of which something is cut out here and there, and something else put in."""
    raw = bytearray(_PLAIN)
    for place, length, piece in cuts:
        raw[place : place + length] = piece
    return bytes(raw)


_values = st.sampled_from([None, True, -1, 0, 10**19, 0.5, 1e300, "", "x" * 1001, "\ud800", [], [[]], {}, {"a": {}}])
_events = st.dictionaries(st.sampled_from([*EVENT, "route", "path", "engaged_ms", "user_id"]), _values, max_size=2).map(
    lambda changes: body(events=[{**EVENT, **changes}])
)


@settings(max_examples=10_000, deadline=1000)
@example(b"")
@given(st.binary(max_size=50) | _cuts.map(_cut) | _events)
def test_no_body_does_more_than_be_refused(raw: bytes) -> None:
    """B66."""
    try:
        envelope = read_envelope(raw)
    except ValueError:
        return
    for event in envelope.events:
        claim = read_claim(event)
        assert claim is None or (len(claim.id) >= 16 and claim.at >= 0)
