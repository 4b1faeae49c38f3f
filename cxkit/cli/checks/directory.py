"""The directory: keys, who may read it, room on its disk, the store and the local file in it, and the clock."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from cxkit.cli.checks.finding import Finding, as_finding
from cxkit.cli.language import count, say
from cxkit.cli.local import local_path
from cxkit.errors import ConfigurationError, LocalFileError, StoreError
from cxkit.exporters.local import read
from cxkit.keyring import GENERATED, Keyring
from cxkit.kit.assembly import build_store, store_options
from cxkit.kit.examination import Examined

__all__ = [
    "check_clock",
    "check_directory",
    "check_disk",
    "check_keys",
    "check_local_file",
    "check_store",
    "unwritable",
]

_SKEW_S: Final = 120.0
_MAX_FILES: Final = 10_000
_MIB: Final = 1 << 20


def check_keys(examined: Examined) -> Iterator[Finding]:
    """Whether keys are configured, or were made up here."""
    settings = examined.settings
    if settings.keys.signing and settings.keys.identifier:
        return
    directory = settings.directory.absolute()
    if (directory / GENERATED).exists():
        try:
            Keyring.open(directory)
        except ConfigurationError as error:
            yield as_finding(error, about="keys")
            return
    yield Finding(
        severity="note" if settings.development else "warning",
        about="keys",
        what=say(
            "no keys are configured: generated ones are kept in {directory}, for this machine alone",
            directory=directory,
        ),
        fix=say("set keys.signing and keys.identifier before you have several machines or real customers"),
    )


def check_directory(examined: Examined) -> Iterator[Finding]:
    """Whether cxkit may write there, and nobody else."""
    directory = examined.settings.directory.absolute()
    refused = unwritable(directory)
    if refused is not None:
        yield refused
    if not directory.is_dir():
        return
    found = directory.stat()
    if found.st_uid != os.geteuid():
        yield Finding(
            severity="error",
            about="directory",
            what=say("{directory} belongs to another user", directory=directory),
            fix=say("run this as the user that runs the application, or give the directory to this one"),
        )
    exposed = [path for path in (directory, *_below(directory)) if _is_exposed(path)]
    if exposed:
        yield Finding(
            severity="error",
            about="directory",
            what=count(
                "others may read or write {path}",
                "others may read or write {path} and more in the directory, {number} in all",
                len(exposed),
                path=exposed[0],
            ),
            fix=say("run: chmod -R go= {directory}", directory=directory),
        )


def unwritable(directory: Path) -> Finding | None:
    """That cxkit may not write there, if so."""
    there = _existing(directory)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return None
    return Finding(
        severity="error",
        about="directory",
        what=say("{directory} cannot be written: what is captured ends with the process", directory=directory),
        fix=say("make it writable for this user, or set directory to another place"),
    )


def check_disk(examined: Examined) -> Iterator[Finding]:
    """Whether there is room for the spool."""
    directory, spool = examined.settings.directory.absolute(), examined.settings.spool
    free = shutil.disk_usage(_existing(directory)).free
    if free < spool.max_bytes:
        yield Finding(
            severity="error" if free < spool.segment_bytes else "warning",
            about="disk",
            what=say(
                "the disk of {directory} has {free} MiB left, the spool may take {most}",
                directory=directory,
                free=free // _MIB,
                most=spool.max_bytes // _MIB,
            ),
            fix=say("free some space, or lower spool.max_bytes"),
        )


def check_store(examined: Examined) -> Iterator[Finding]:
    """Whether the store can be read; a file that is not there yet is made when it is needed."""
    settings = examined.settings
    if settings.store.type == "sqlite" and not Path(str(store_options(settings)["path"])).exists():
        return
    try:
        store = build_store(examined.registry, settings, in_memory=False)
        try:
            store.get_many(["doctor/none"])
        finally:
            store.close()
    except ConfigurationError:
        return  # it is among the errors of the configuration
    except StoreError as error:
        yield as_finding(error, about="store")


def check_local_file(examined: Examined) -> Iterator[Finding]:
    """Whether the local file can be read, and nothing in it is from the future."""
    try:
        path = local_path(None, examined.settings)
        if not path.exists():
            return
        with read(path, patience_s=1.0) as connection:
            (newest_ms,) = connection.execute("SELECT max(at_ms) FROM interactions").fetchone()
    except ConfigurationError:
        return  # it is among the errors of the configuration
    except LocalFileError as error:
        yield as_finding(error, about="local")
        return
    if newest_ms is not None and newest_ms / 1000 > time.time() + _SKEW_S:
        yield Finding(
            severity="error",
            about="clock",
            what=say(
                "the newest interaction in {path} is {seconds} s from now",
                path=path,
                seconds=round(newest_ms / 1000 - time.time()),
            ),
            fix=say("set the clock of this machine, and have it kept right"),
        )


def check_clock(examined: Examined) -> Iterator[Finding]:
    """Whether anything here is from the future."""
    directory, now = examined.settings.directory.absolute(), time.time()
    newest = max((path.lstat().st_mtime for path in _below(directory)), default=now)
    if newest > now + _SKEW_S:
        yield Finding(
            severity="error",
            about="clock",
            what=say(
                "something in {directory} was written {seconds} s from now",
                directory=directory,
                seconds=round(newest - now),
            ),
            fix=say("set the clock of this machine, and have it kept right"),
        )


def _existing(path: Path) -> Path:
    """The path, or the nearest above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


def _below(directory: Path) -> list[Path]:
    return list(islice((path for path in directory.rglob("*") if not path.is_symlink()), _MAX_FILES))


def _is_exposed(path: Path) -> bool:
    """Whether others may read a file, or write where it is; names alone tell nothing."""
    mode = path.stat().st_mode
    if path.name == ".gitignore":
        return False
    return bool(mode & (0o022 if stat.S_ISDIR(mode) else 0o066))
