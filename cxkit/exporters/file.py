"""A file of JSON lines: one CloudEvent per line, appended.

Several processes may append to one file: each batch is one write, under an advisory lock where the
system has them. The file is opened for each batch, so it may be moved away at any time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import Final

import attrs

from cxkit.roles import Batch, Exporter, Factory, Outcome

try:
    import fcntl
except ImportError:  # Windows: one process per file there
    fcntl = None  # type: ignore[assignment]

__all__ = ["FACTORY", "FileExporter", "Settings"]

_FLAGS: Final = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_CREAT
    | sum(
        getattr(os, flag, 0)  # not every system has each: no symlinks, no wait for a reader, no "\r\n"
        for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
    )
)
_LOCK_POLL_S: Final = 0.005
_PASSING: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)
"""What may pass by itself; anything else (no directory, no right, not a file) somebody must mend."""


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "file"``."""

    path: str = attrs.field(validator=attrs.validators.min_len(1))
    """The file; made with mode 0600 if it is not there. Its directory must exist."""


class FileExporter:
    """Appends interactions to a file. Delivered means: with the operating system, not yet synced to the disk.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = pathlib.Path(directory, "interactions.jsonl")
        ...     exporter = FileExporter(Settings(path=str(path)))
        ...     exporter.export(Batch("b1", (b'{"id":"1"}', b'{"id":"2"}')), deadline_s=1.0).verdict
        ...     path.read_text().splitlines()
        'delivered'
        ['{"id":"1"}', '{"id":"2"}']
    """

    purposes: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self._path = settings.path

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Append all of the batch or nothing."""
        try:
            file = os.open(self._path, _FLAGS, 0o600)
        except OSError as error:
            return _outcome(error)
        try:
            if not _lock(file, deadline_s):
                return Outcome.retry("file_locked")
            _append(file, b"".join(payload + b"\n" for payload in batch.payloads))
        except OSError as error:
            return _outcome(error)
        finally:
            os.close(file)  # and with it the lock is gone
        return Outcome.delivered()

    def preview(self, batch: Batch) -> str:
        """The file, and the lines it would get."""
        return "\n".join([f">> {self._path}", *(payload.decode("utf-8", "replace") for payload in batch.payloads)])

    def close(self) -> None:
        """Nothing: no file stays open."""


def _lock(file: int, deadline_s: float) -> bool:
    end = time.monotonic() + deadline_s
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_LOCK_POLL_S)
    return True


def _append(file: int, lines: bytes) -> None:
    size = os.fstat(file).st_size
    if size:
        os.lseek(file, size - 1, os.SEEK_SET)
        if os.read(file, 1) != b"\n":
            lines = b"\n" + lines  # whoever wrote last was cut off: leave that line, start a fresh one
    try:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        with contextlib.suppress(OSError):  # a pipe cannot be cut
            os.ftruncate(file, size)
        raise


def _outcome(error: OSError) -> Outcome:
    reason = f"file_{errno.errorcode.get(error.errno or 0, 'error').lower()}"
    return Outcome.retry(reason) if error.errno in _PASSING else Outcome.pause(reason)


FACTORY: Final[Factory[Exporter]] = Factory(name="file", settings=Settings, build=FileExporter)
