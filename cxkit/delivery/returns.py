"""Returns: dead letters on their way back to the exporter that refused them, in spools of their own.

A shelf lets an exporter take part in an adopted spool if it has a cursor there, and others only if it
knows all who have one. So a spool with a cursor of a name that no exporter has (`CLOSED`) is for those
with a cursor in it alone, whoever adopts it.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Final

from cxkit.codec.frame import PRIORITIES, Record
from cxkit.delivery.cursor import Progress
from cxkit.delivery.dead import Letter
from cxkit.delivery.files import check_directory
from cxkit.delivery.segment import open_segments
from cxkit.delivery.spool import NORMAL, Spool
from cxkit.delivery.walk import count_records

__all__ = ["CLOSED", "Returns", "spool_holds"]

CLOSED: Final = "_closed"


def spool_holds(root: Path) -> tuple[int, int]:
    """How many bytes and records the spools of a root hold, handled or not: what their limits are about.

    Raises:
        OSError: One cannot be read now.
    """
    size = number = 0
    for path in (root / "spool").glob("[!.]*/"):
        segments = open_segments(path)
        size += sum(segment.end for segment in segments)
        number += count_records(segments) - segments[0].first if segments else 0
        for segment in segments:
            segment.close()
    return size, number


class Returns:
    """Where letters are given back to: a spool for each priority, which nobody sees yet.

    Args:
        directory: Where spools live.
    """

    def __init__(self, directory: Path, exporter: str, *, segment_bytes: int) -> None:
        self._directory = directory
        self._exporter = exporter
        self._segment_bytes = segment_bytes
        self._open: dict[int, Spool] = {}
        self._seen: set[tuple[int, bytes]] = set()

    def add(self, token: str, record: Record, letter: Letter) -> bool:
        """Spool an interaction as it was; whether it is not there yet.

        A record that was refused twice, for a crash came in between, has left two letters.
        """
        payload = bytes(letter.interaction)
        which = (record.sequence, blake2b(payload, digest_size=16).digest())
        if which in self._seen:
            return False
        self._seen.add(which)
        self._spool(token, record.priority).append([record._replace(payload=payload)])
        return True

    def close(self) -> None:
        """Put them on disk.

        Raises:
            OSError: It is not known what is on disk.
        """
        for spool in self._open.values():
            spool.begin(CLOSED)
            end = Progress(sequence=spool.next_sequence, base=spool.next_sequence)
            for _ in range(2):  # both slots: nothing is kept for it
                spool.cursor(CLOSED).commit(end)
            for name in spool.positions():
                spool.cursor(name).sync()
            spool.sync()
            spool.close()

    def _spool(self, token: str, priority: int) -> Spool:
        if priority not in self._open:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            check_directory(self._directory)
            name = token if priority == NORMAL else f"{token}-{PRIORITIES[priority]}"
            draft = self._directory / f".{name}"
            draft.mkdir(mode=0o700)
            spool = Spool(draft, -1, [], next_sequence=0, segment_bytes=self._segment_bytes)
            spool.begin(self._exporter)
            self._open[priority] = spool
        return self._open[priority]
