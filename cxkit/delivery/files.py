"""Small files that outlive a crash: locked, replaced as a whole, read without trusting them."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Final

from cxkit.delivery.forks import held, let_go
from cxkit.delivery.greenlets import beside

__all__ = ["LOCK", "check_directory", "is_locked", "lock", "read_small", "sync_directory", "sync_file", "write_whole"]

LOCK: Final = "owner.lock"
"""Whoever holds the lock on this file of a spool owns it."""
_SMALL_BYTES: Final = 1 << 20
_WAIT_STEP_S: Final = 0.005


def lock(path: Path, *, wait_s: float = 0.0) -> int | None:
    """What holds the lock on this file until `let_go` or the end of the process; None if another has it.

    Raises:
        OSError: The file cannot be opened.
    """
    deadline = time.monotonic() + wait_s
    descriptor = held(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                let_go(descriptor)
                return None
            time.sleep(_WAIT_STEP_S)
        else:
            return descriptor


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on this file. It is asked with a shared lock, for a moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def check_directory(path: Path) -> None:
    """Refuse a directory that is a link, or that others may write to.

    Raises:
        OSError: It is one.
    """
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "it is a link, or others may write to it", str(path))


def sync_directory(path: Path) -> None:
    """Put on disk which files there are in it; what is in them is another matter.

    Raises:
        OSError: It is not known what is on disk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        beside(os.fsync, descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Put on disk what is in a file.

    Raises:
        OSError: It is not known what is on disk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_small(path: Path) -> bytes:
    """What a small file holds; nothing, if it is a pipe.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read now.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, _SMALL_BYTES)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a small file; for one writer at a time.

    Raises:
        OSError: It is as it was.
    """
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        beside(os.fsync, descriptor)  # or a power cut may leave an empty file where the old one was
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_directory(path.parent)
