"""A store in Redis or Valkey, for all machines; see ``scripts`` for how it is laid out and safe."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from cxkit.roles import Change, Document, Factory, Put, Store
from cxkit.stores import check_open, check_versions, document, encode_puts
from cxkit_redis.settings import Settings

if TYPE_CHECKING:
    from redis.client import PubSub

__all__ = ["FACTORY", "RedisStore"]

_CLOSED_S: Final = 0.5
"""How soon whoever waits for a change sees that the store is closed."""


class RedisStore:
    """A `cxkit.roles.Store` in Redis 7 or newer, or Valkey, and `cxkit.roles.Announcing`.

    Connects on first use. A forked child makes connections of its own.

    Example:
        >>> from cxkit.settings import Secret
        >>> store = RedisStore(Settings(url=Secret("redis://cache.example:6379/0")))
        >>> store.remote
        True
        >>> store.close()
    """

    remote = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channel = f"{{{settings.prefix}}}:changes"
        self._closed = False
        self._given = 0
        """The greatest token that was handed out, and may be lost."""
        self._inherited: list[object] = []
        self._begin()

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        """See `cxkit.roles.Store.get_many`."""
        return {it.key: it for it in _documents(self._ask("get", *map(_bytes, keys)))}

    def commit(self, puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, int]:
        """See `cxkit.roles.Store.commit`."""
        bodies = encode_puts(puts, expected=expected)
        arguments: list[bytes | str | int] = [self._channel, len(expected)]
        for key, version in expected.items():
            arguments += [key, version]
        arguments.append(len(puts))
        for key, body in bodies.items():
            terms = () if body is None else puts[key].terms
            arguments += [key, body or b"", " ".join(map(_digest, terms))]
        done, versions = self._ask("commit", *arguments)
        if not done:
            check_versions(expected, dict(zip(expected, versions, strict=True)))
        return dict(zip(puts, versions, strict=True))

    def lookup(self, term: str, *, limit: int = 1000) -> list[str]:
        """See `cxkit.roles.Store.lookup`."""
        found = self._ask("lookup", _digest(term), max(0, limit))
        return [member.decode().partition(":")[2] for member in found]

    def scan(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[Document]:
        """See `cxkit.roles.Store.scan`."""
        first, start = _bytes(prefix), _bytes(after)
        least = b"(" + start if start >= first else b"[" + first
        # No byte of UTF-8 is 0xFF, so every key with the prefix is below.
        return list(_documents(self._ask("scan", least, b"(" + first + b"\xff", max(0, limit))))

    def changes_since(self, token: int, *, limit: int = 1000) -> list[Change]:
        """See `cxkit.roles.Store.changes_since`.

        Raises:
            StoreError: CX9070, once: of what was read through this store some was lost by the server.
                Whoever remembers it must forget it.
        """
        from cxkit_redis.trouble import GONE_BACK, failed

        found = self._ask("changes", self._given, token, max(0, limit))
        if found is None:
            self._given = 0
            raise failed(GONE_BACK)
        changes = [
            Change(token=int(token), key=key.decode(), version=version, deleted=bool(deleted))
            for token, key, version, deleted in zip(*[iter(found)] * 4, strict=True)
        ]
        self._given = max([self._given, *(change.token for change in changes)])
        return changes

    def await_change(self, token: int, *, timeout_s: float) -> bool:
        """See `cxkit.roles.Announcing.await_change`. What is lost counts as a change."""
        deadline = monotonic() + timeout_s
        with self._translated(), self._waiting:
            try:
                listener = self._listening()
                while not self._ask("changed", self._given, token):
                    while not _hears(listener, timeout_s=min(_CLOSED_S, deadline - monotonic())):
                        check_open(closed=self._closed)
                        if monotonic() >= deadline:
                            return False
                return True
            except BaseException:
                self._hang_up()
                raise

    def close(self) -> None:
        """See `cxkit.roles.Store.close`."""
        self._closed = True
        if self._pid == os.getpid():
            self._client.connection_pool.disconnect()
            # Who waits at this moment notices soon, and closes it then.
            if self._waiting.acquire(blocking=False):
                self._hang_up()
                self._waiting.release()

    # --- inside ---

    def _begin(self) -> None:
        from cxkit_redis.client import client_of, scripts_of
        from cxkit_redis.scripts import KEYS

        self._pid = os.getpid()
        self._waiting = threading.Lock()
        self._listener: PubSub | None = None
        self._client = client_of(self._settings)
        self._scripts = scripts_of(self._client)
        self._keys = [f"{{{self._settings.prefix}}}:{name}" for name in KEYS]

    def _ask(self, name: str, *arguments: bytes | str | int) -> Any:
        from cxkit_redis.scripts import SCHEMA

        with self._translated():
            return self._scripts[name](keys=self._keys, args=[SCHEMA, *arguments])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from redis.exceptions import ReadOnlyError, RedisError

        from cxkit_redis.trouble import store_error

        check_open(closed=self._closed)
        if self._pid != os.getpid():
            self._inherited += [self._client, self._listener]  # kept: collecting them would close what the parent uses
            self._begin()
        try:
            yield
        except (RedisError, OSError) as error:
            if isinstance(error, ReadOnlyError):  # it would go on refusing, and stay connected
                self._client.connection_pool.disconnect()
            raise store_error(error) from error

    def _listening(self) -> PubSub:
        from redis.client import PubSub

        if self._listener is None:
            self._listener = PubSub(self._client.connection_pool)
            self._listener.subscribe(self._channel)
            self._listener.get_message(timeout=self._settings.timeout_s)  # from here on nothing is missed
        return self._listener

    def _hang_up(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()


def _hears(listener: PubSub, *, timeout_s: float) -> bool:
    """Whether something is announced; all that was is heard."""
    heard = listener.get_message(timeout=max(0.0, timeout_s)) is not None
    while heard and listener.get_message(timeout=0.0) is not None:
        pass
    return heard


def _documents(found: list[Any]) -> Iterator[Document]:
    for key, version, body in zip(*[iter(found)] * 3, strict=True):
        yield document(key.decode(), version, body)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _digest(term: str) -> str:
    return hashlib.blake2b(_bytes(term), digest_size=16).hexdigest()


FACTORY: Final[Factory[Store]] = Factory(name="redis", settings=Settings, build=RedisStore)
"""The kit's way to it: ``type = "redis"``."""
