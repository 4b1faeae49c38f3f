"""What can go wrong with Redis, as errors of the role. No message holds a value or a password."""

from __future__ import annotations

from typing import Final, NamedTuple

import redis.exceptions as redis

from cxkit.errors import RewoundError, StoreError

__all__ = ["CLUSTER", "EVICTS", "GONE_BACK", "NEWER", "OLD_SERVER", "Trouble", "failed", "store_error"]


class Trouble(NamedTuple):
    """In the words of `cxkit.errors.CXError`.

    Example:
        >>> NEWER.code
        'CX9069'
    """

    code: str | None
    what: str
    """Follows "Redis"."""
    fix: str


_UNREACHED: Final = Trouble("CX9063", "cannot be reached", "see that it runs, and that url names it")
_REFUSED: Final = Trouble(
    "CX9064",
    "lets this user not in, or not do that",
    "correct user and password, and allow what the plugin's page says",
)
_SLOW: Final = Trouble("CX9065", "did not answer in time", "see what holds it up, or raise timeout_s")
_FULL: Final = Trouble("CX9066", "has no memory left, or cannot write its file", "raise maxmemory, or see its log")
_READ_ONLY: Final = Trouble("CX9067", "is a replica", "name the primary in url")
_LOADING: Final = Trouble("CX9068", "is starting or busy", "wait; it reads its file, or runs a script")
NEWER: Final = Trouble("CX9069", "holds a store of another version of cxkit", "use the same cxkit-redis everywhere")
GONE_BACK: Final = Trouble(
    "CX9070",
    "has lost commits that were read here: it was restarted, restored or emptied, or a replica took over",
    "nothing: it is read again; see the plugin's page on durability",
)
OLD_SERVER: Final = Trouble("CX9071", "is older than version 7", "upgrade it, or use Valkey")
EVICTS: Final = Trouble("CX9072", "throws keys away when its memory is full", "set maxmemory-policy to noeviction")
CLUSTER: Final = Trouble(
    "CX9073", "is a node of a cluster that does not hold our slot", "use a server that is not in cluster mode"
)
_OTHER: Final = Trouble(None, "could not do what was asked", "look at the cause below")

_BY_WORD: Final = {
    "NOPERM": _REFUSED, "NOAUTH": _REFUSED, "WRONGPASS": _REFUSED,
    "OOM": _FULL, "MISCONF": _FULL, "NOREPLICAS": _FULL,
    "READONLY": _READ_ONLY, "MASTERDOWN": _READ_ONLY,
    "LOADING": _LOADING, "BUSY": _LOADING,
    "CXSCHEMA": NEWER,
    "MOVED": CLUSTER, "ASK": CLUSTER, "CLUSTERDOWN": CLUSTER, "CROSSSLOT": CLUSTER,
}  # fmt: skip
"""By the first word of what the server says. Source: redis.io, "Redis serialization protocol", errors."""

_BY_KIND: Final = (
    (redis.AuthenticationError, _REFUSED),
    (redis.NoPermissionError, _REFUSED),
    (redis.ReadOnlyError, _READ_ONLY),
    (redis.OutOfMemoryError, _FULL),
    (redis.BusyLoadingError, _LOADING),
    (redis.ClusterError, CLUSTER),
    (redis.TimeoutError, _SLOW),
    (TimeoutError, _SLOW),
)
"""The client library takes the first word away where it knows it."""


def failed(trouble: Trouble) -> StoreError:
    """The error that names a trouble.

    Example:
        >>> failed(EVICTS).what
        'Redis throws keys away when its memory is full'
    """
    kind = RewoundError if trouble is GONE_BACK else StoreError
    return kind(f"Redis {trouble.what}", fix=trouble.fix, code=trouble.code)


def store_error(error: Exception) -> StoreError:
    """The error of the role for one of the client library.

    Example:
        >>> store_error(TimeoutError()).code
        'CX9065'
    """
    for kind, trouble in _BY_KIND:
        if isinstance(error, kind):
            return failed(trouble)
    for word, trouble in _BY_WORD.items():
        if word in str(error).split(" ", 3)[:3]:  # of an error within a script it is not the first
            return failed(trouble)
    return failed(_UNREACHED if isinstance(error, redis.ConnectionError | OSError) else _OTHER)
