"""The walk through segments, over whatever is damaged in them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from cxkit.codec.frame import Record
from cxkit.delivery.cursor import Progress, added
from cxkit.delivery.segment import HEADER_BYTES, READ_BYTES, Segment, next_frame

__all__ = ["Walk", "count_records"]


def count_records(segments: Sequence[Segment]) -> int:
    """The sequence number behind the last whole record."""
    if not segments:
        return 0
    last = segments[-1]
    following, start = last.first, HEADER_BYTES
    while data := last.read(start, READ_BYTES):
        offset, whole = 0, len(data) < READ_BYTES
        while offset < len(data):
            record, end = next_frame(data, offset, whole=whole)
            if end == offset:
                break
            if record is not None:
                following = record.sequence + 1
            offset = end
        start += offset
    return following


class Walk:
    """A position on its way through the segments."""

    def __init__(self, progress: Progress) -> None:
        self.found: list[Record] = []
        self.size = 0
        self.segment = progress.segment
        self.offset = progress.offset
        self.sequence = progress.sequence
        self._began = progress
        self._missing: dict[str, int] = {}

    def through(self, data: bytes, whole: bool, max_records: int, max_bytes: int) -> None:
        """Take records from ``data``, which starts at the position; ``whole`` if nothing follows it."""
        offset = 0
        while offset < len(data) and len(self.found) < max_records and self.size < max_bytes:
            record, end = next_frame(data, offset, whole=whole)
            if end == offset:
                break  # the frame goes on behind what was read
            if record is not None and record.sequence >= self.sequence:
                self.skip_to(record.sequence, "corrupt")
                self.found.append(record)
                self.size += len(record.payload)
                self.sequence += 1
            offset = end
        self.offset += offset

    def skip_to(self, sequence: int, reason: str) -> None:
        """Count what is missing before ``sequence``."""
        if sequence > self.sequence:
            self._missing[reason] = self._missing.get(reason, 0) + sequence - self.sequence
            self.sequence = sequence

    def progress(self) -> Progress:
        return attrs.evolve(
            self._began,
            segment=self.segment,
            offset=self.offset,
            sequence=self.sequence,
            counts=added(self._began.counts, {f"dropped.{why}": count for why, count in self._missing.items()}),
        )
