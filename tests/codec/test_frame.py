"""The frame: packed and unpacked again, torn anywhere, flipped anywhere; never a wrong record."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.codec.frame import HEADER_BYTES, MAX_PAYLOAD_BYTES, Record, find_magic, pack, unpack
from cxkit.model import purpose_bits

records = st.builds(
    Record,
    payload=st.binary(max_size=60),
    subject=st.binary(min_size=16, max_size=16),
    purposes=st.integers(0, 2**16 - 1),
    own=st.integers(0, 255),
    priority=st.integers(0, 255),
    type=st.integers(0, 255),
    sequence=st.integers(0, 2**64 - 1),
    governed=st.booleans(),
    holds=st.sets(st.sampled_from(["advertising", "precise_location"])).map(purpose_bits),
)
SMALL = Record(b'{"a":1}', b"0123456789abcdef", 5, 2, 1, 1, 7)


def all_records(data: bytes) -> list[Record]:
    """As a reader goes through a segment: on to the next frame, over damage to the next marker."""
    found, offset = [], 0
    while True:
        record, end = unpack(data, offset)
        if record is not None:
            found.append(record)
        if end == offset:
            return found
        assert end > offset
        offset = end


@given(records)
def test_what_is_packed_is_unpacked(record: Record) -> None:
    frame = pack(record)
    assert len(frame) == HEADER_BYTES + len(record.payload)
    assert unpack(frame, 0) == (record, len(frame))


@given(st.lists(records, max_size=5))
def test_frames_in_a_row_are_read_in_order(several: list[Record]) -> None:
    assert all_records(b"".join(map(pack, several))) == several


def test_a_frame_torn_anywhere_is_not_whole_yet() -> None:
    frame = pack(SMALL)
    for length in range(len(frame)):
        assert unpack(frame[:length], 0) == (None, 0)
        assert unpack(pack(SMALL) + frame[:length], len(frame)) == (None, len(frame))


def test_no_flipped_bit_makes_another_record() -> None:
    frame, after = pack(SMALL), pack(SMALL._replace(sequence=8))
    for bit in range(len(frame) * 8):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        record, end = unpack(bytes(flipped), 0)
        assert record is None, bit
        assert 0 <= end <= len(frame)
        assert set(all_records(bytes(flipped) + after)) <= {SMALL._replace(sequence=8)}, bit


def test_a_damaged_frame_costs_itself_alone() -> None:
    """Where its length still tells where it ends, or is too long to be one: the next is found by its marker."""
    before, after = SMALL._replace(sequence=6), SMALL._replace(sequence=8)
    for place in range(4 + 4 + 4, HEADER_BYTES + len(SMALL.payload)):
        damaged = bytearray(pack(SMALL))
        damaged[place] ^= 0xFF
        assert all_records(pack(before) + bytes(damaged) + pack(after)) == [before, after], place


@settings(max_examples=200)
@given(st.binary(max_size=120), st.integers(0, 40))
def test_of_any_bytes_nothing_is_made_and_the_reader_gets_on(data: bytes, offset: int) -> None:
    record, end = unpack(data, offset)
    assert record is None
    assert offset <= end <= max(offset, len(data))


@given(records, st.binary(max_size=60))
def test_behind_garbage_the_next_frame_is_found(record: Record, garbage: bytes) -> None:
    data = garbage + pack(record)
    offset = 0
    while unpack(data, offset)[0] is None and offset < len(garbage):
        offset = find_magic(data, offset + 1)
    assert unpack(data, offset)[0] == record


@given(st.binary(max_size=60))
def test_half_a_marker_at_the_end_is_not_passed_over(data: bytes) -> None:
    marker = pack(SMALL)[:4]
    for kept in range(1, 4):
        assert find_magic(data + marker[:kept], 0) <= len(data)


def test_a_payload_that_claims_to_be_longer_than_any_is_damage() -> None:
    longest = pack(Record(bytes(MAX_PAYLOAD_BYTES)))
    assert unpack(longest, 0)[0] is not None
    claimed = longest[:4] + (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "big") + longest[8:] + b"\x00"
    record, end = unpack(claimed, 0)
    assert record is None
    assert end > 0
