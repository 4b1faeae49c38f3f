"""A database of places in the format MMDB: opened at start, looked up in memory, replaced while it is in use."""

from __future__ import annotations

import logging
import os
import struct
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import IO, Any, Final

import attrs
import maxminddb

from cxkit.errors import ConfigurationError
from cxkit_geo.found import Found, found
from cxkit_geo.layouts import LAYOUTS, Layout, layout_of

__all__ = ["Database", "Opened"]

_LOOKED_AT: Final = 2_000
"""Networks of each version of IP by which a layout is told."""
_FIRST_V6, _LAST_V6 = int(IPv6Address("2000::")), int(IPv6Address("3fff:ffff::"))
_OLD_S: Final = 45 * 86_400
_CHUNK_BYTES: Final = 1 << 20
_WRONG: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What reading a broken file raises, in C or in Python."""

logger = logging.getLogger("cxkit")

Signature = tuple[int, int, int]


@attrs.frozen(kw_only=True, eq=False)
class Opened:
    """A database as it was at one moment."""

    reader: Any
    layout: Layout
    signature: Signature
    """By which it is known that the file is another one."""
    built_s: float
    """When its vendor made it, in Unix seconds; 0: it does not say."""

    def find(self, address: str) -> Found | None:
        """What it says of an address; None if it does not know it, or is broken there. Never raises."""
        try:
            record = self.reader.get(address)
        except _WRONG:  # also that of an IPv6 address in a database of IPv4
            return None
        return found(self.layout.read(record), source="mmdb")


class Database:
    """A file, and what it held when it was last read.

    Args:
        layout: Of whom, as in `LAYOUTS`; None: by what is in it.
        paths: Where the fields stand instead.
        copy: Whether to copy it into memory. What is mapped from a file that somebody shortens kills the process.
        clock: Unix seconds.

    Raises:
        ConfigurationError: It cannot be read.
    """

    def __init__(
        self,
        path: Path,
        *,
        layout: str | None = None,
        paths: Mapping[str, str] | None = None,
        copy: bool = True,
        interval_s: float = 60.0,
        clock: Any = time.time,
    ) -> None:
        self._path = path
        self._paths = paths or (LAYOUTS[layout] if layout else None)
        self._copy = copy
        self._interval_s = interval_s
        self._clock = clock
        self._watchers: dict[int, threading.Thread] = {}
        """By process."""
        self._refused: Signature | None = None
        self._old: Signature | None = None
        self._missing = False
        try:
            self.opened = self._open()
        except ConfigurationError:
            raise
        except _WRONG as error:
            raise _refusal(path, error) from None
        self._warn_of_age()

    def watch(self) -> None:
        """See to it that one thread of this process looks after the file. Cheap, and does nothing if one does."""
        pid = os.getpid()
        if pid in self._watchers:  # in a forked child, its parent's is under another
            return
        watcher = threading.Thread(target=_watch, args=(weakref.ref(self), self._interval_s), daemon=True)
        watcher.name = "cxkit-geo"
        if self._watchers.setdefault(pid, watcher) is watcher:  # in one step: no lock that a fork could leave locked
            try:
                watcher.start()
            except RuntimeError:  # the process is ending, or has no more threads to give
                del self._watchers[pid]

    def refresh(self) -> bool:
        """Take the file as it is now, if it is another one and sound; else keep the one that is held, and say so."""
        self._warn_of_age()
        try:
            signature = _signature(os.stat(self._path))
        except OSError as error:
            if not self._missing:
                self._missing = True
                self._keep(error)
            return False
        self._missing = False
        if signature in (self.opened.signature, self._refused):
            return False
        try:
            opened = self._open()
        except (ConfigurationError, *_WRONG) as error:
            self._refused = signature
            self._keep(error)
            return False
        self.opened = opened  # whoever looks something up now has the one or the other
        self._refused = None
        logger.info("cxkit: geo: the database %s is a new one, and in use", self._path.name)
        self._warn_of_age()
        return True

    def _open(self) -> Opened:
        before = _signature(os.stat(self._path))
        if self._copy:
            with _copied(self._path) as copied:
                reader = maxminddb.open_database(copied)
        else:
            reader = maxminddb.open_database(str(self._path))
        if _signature(os.stat(self._path)) != before:
            raise OSError("it is being written")
        return Opened(reader=reader, layout=self._layout(reader), signature=before, built_s=_built(reader))

    def _layout(self, reader: Any) -> Layout:
        paths = self._paths
        if paths is None:
            name = layout_of(_records(reader))
            if name is None:
                what = f'"database" is a file whose layout is not known ({self._path.name})'
                fix = "name it in geo.layout, or say in geo.paths where its fields stand"
                raise ConfigurationError(what, fix=fix, code="CX9101")
            paths = LAYOUTS[name]
        return Layout(paths)

    def _keep(self, error: Exception) -> None:
        kind = type(error).__name__
        logger.warning("cxkit: geo: the new %s cannot be used (%s); the one before is", self._path.name, kind)

    def _warn_of_age(self) -> None:
        opened = self.opened
        age_s = self._clock() - opened.built_s
        if opened.built_s and age_s > _OLD_S and self._old != opened.signature:
            self._old = opened.signature
            days = age_s // 86_400
            logger.warning("cxkit: geo: %s is %d days old; its vendor has a newer one", self._path.name, days)


def _watch(reference: weakref.ref[Database], interval_s: float) -> None:
    gone, database = threading.Event(), reference()
    if database is None:
        return
    ended = weakref.ref(database, lambda _: gone.set())
    del database  # or it would never be given up
    while not gone.wait(interval_s):
        database = ended()
        if database is None:
            return
        try:
            database.refresh()
        except Exception as error:  # noqa: BLE001 - no memory left, say: the next turn may have some
            logger.warning("cxkit: geo: the database was not looked at (%s)", type(error).__name__)
        del database


def _records(reader: Any) -> Iterator[Any]:
    """The first that there are, network by network. Iterating over a reader whose tree is all zeros would never end."""
    kinds: list[tuple[Any, int, int, int]] = [(IPv4Address, 32, 0, (1 << 32) - 1)]
    if reader.metadata().ip_version == 6:
        kinds.append((IPv6Address, 128, _FIRST_V6, _LAST_V6))
    for kind, bits, at, last in kinds:
        for _ in range(_LOOKED_AT):
            record, length = reader.get_with_prefix_len(str(kind(at)))
            if record is not None:
                yield record
            wide = bits - length
            at = ((at >> wide) + 1) << wide
            if at > last:
                break


def _signature(stat: os.stat_result) -> Signature:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _built(reader: Any) -> float:
    return float(reader.metadata().build_epoch)


@contextmanager
def _copied(path: Path) -> Iterator[str]:
    """The name of a copy that nobody else knows, and that is gone once it is opened and closed again."""
    with path.open("rb") as file, _nameless() as (copy, name):
        while chunk := file.read(_CHUNK_BYTES):
            copy.write(chunk)
        copy.flush()
        yield name


@contextmanager
def _nameless() -> Iterator[tuple[IO[bytes], str]]:
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with os.fdopen(os.memfd_create("cxkit-geo"), "wb") as copy:
            yield copy, f"/proc/self/fd/{copy.fileno()}"
        return
    with tempfile.NamedTemporaryFile(prefix="cxkit-geo-") as copy:
        yield copy, copy.name


def _refusal(path: Path, error: Exception) -> ConfigurationError:
    what = f'"database" cannot be read ({path.name}: {type(error).__name__})'
    return ConfigurationError(what, fix="name a file in the format MMDB, whole and readable", code="CX9101")
