"""Connections: some for the threads of a process, one at a time each, and every answer within a deadline."""

from __future__ import annotations

import math
import select
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cxkit.errors import ConfigurationError
from cxkit.settings import Secret
from cxkit_postgres.trouble import BUSY, failed

__all__ = ["Link", "Links", "checked", "has_input"]

T = TypeVar("T")

_EVENTS: Final = {1: select.POLLIN, 2: select.POLLOUT}


class Link(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing lasts longer than ``timeout_s``.

    The server cannot be asked to see to that alone: it may be the one that hangs.
    """

    timeout_s: float = 5.0

    @classmethod
    def to(cls, dsn: Secret, *, timeout_s: float) -> Link:
        """Connect; what ``dsn`` says comes first.

        Raises:
            psycopg.Error: There is no connection.
        """
        ours = {"connect_timeout": math.ceil(timeout_s), "fallback_application_name": "cxkit"}
        words: dict[str, Any] = ours | conninfo_to_dict(dsn.reveal()) | {"client_encoding": "utf8"}
        # Nothing is prepared: behind PgBouncer the next statement may meet another connection.
        link = cls.connect("", autocommit=True, prepare_threshold=None, **words)
        link.timeout_s = timeout_s
        return link

    def wait(self, gen: Generator[Any, Any, T], *_: Any, **__: Any) -> T:
        """What the client library waits with, but not for ever.

        Its generators ask for what shall be possible (1: read, 2: write, 3: either) and are told what is.
        """
        deadline = monotonic() + self.timeout_s
        poll = select.poll()
        try:
            wanted = next(gen)
            while True:
                poll.register(self.fileno(), sum(event for bit, event in _EVENTS.items() if wanted & bit))
                found = poll.poll(max(0.0, deadline - monotonic()) * 1000)
                if not found:
                    raise TimeoutError
                # An end or an error is for whoever reads or writes next to find out.
                ready = sum(bit for bit, event in _EVENTS.items() if found[0][1] & event)
                wanted = gen.send(ready or wanted)
        except StopIteration as ended:
            result: T = ended.value
            return result


def checked(dsn: Secret) -> Secret:
    """The same, if libpq can read it.

    Raises:
        ConfigurationError: It cannot.

    Example:
        >>> checked(Secret("host=db.example dbname=shop"))
        ********
    """
    try:
        conninfo_to_dict(dsn.reveal())
    except psycopg.Error:
        raise ConfigurationError(
            '"dsn" or "listen_dsn" is not one that libpq can read',
            fix='write "postgresql://user@host:5432/name", and special characters of a password in per cent',
            code="CX9041",
        ) from None
    return dsn


def has_input(link: Link, *, timeout_s: float = 0.0) -> bool:
    """Whether there is something to read, an end included."""
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


class Links:
    """Connections of one process, opened when they are needed.

    Args:
        open_: Opens one.
        most: How many at a time.
        timeout_s: How long to wait for one of them.
    """

    def __init__(self, open_: Callable[[], Link], *, most: int, timeout_s: float) -> None:
        self._open = open_
        self._timeout_s = timeout_s
        self._slots = threading.Semaphore(most)
        self._idle: list[Link] = []
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[Link]:
        """A connection for this thread; closed if anything is raised.

        Raises:
            StoreError: None is free in time.
            psycopg.Error: There is no connection.
        """
        if not self._slots.acquire(timeout=self._timeout_s):
            raise failed(BUSY)
        try:
            link = self._found() or self._open()
            try:
                yield link
            except BaseException:
                link.close()
                raise
            self._idle.append(link)
            if self._closed:
                self.close()
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close those that nobody uses, and the others as soon as they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _found(self) -> Link | None:
        while self._idle:
            link = self._idle.pop()
            # Nothing was asked: what there is to read is that the server has gone.
            if not link.closed and not has_input(link):
                return link
            link.close()
        return None
