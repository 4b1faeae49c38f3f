"""What can go wrong with PostgreSQL, as errors of the role. No message holds a value or a password."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import psycopg

from cxkit.errors import RewoundError, StoreError

__all__ = ["BUSY", "ENCODING", "GONE_BACK", "NEWER", "OLD_SERVER", "SLOW", "Trouble", "failed", "store_error"]


class Trouble(NamedTuple):
    """In the words of `cxkit.errors.CXError`.

    Example:
        >>> SLOW.code
        'CX9045'
    """

    code: str | None
    what: str
    """Follows "PostgreSQL"."""
    fix: str


_UNREACHED: Final = Trouble("CX9043", "cannot be reached", "see that it runs, and that dsn names it")
_REFUSED: Final = Trouble(
    "CX9044",
    "lets this user not in, or not do that",
    "correct user and password, and grant what the plugin's page says",
)
SLOW: Final = Trouble("CX9045", "did not answer in time", "see what holds it up, or raise timeout_s")
BUSY: Final = Trouble("CX9045", "has no connection free for us in time", "raise connections, or timeout_s")
_FULL: Final = Trouble("CX9046", "has no room left: disk, memory or connections", "make some")
_READ_ONLY: Final = Trouble(
    "CX9047", "is read-only: a standby, it seems", "name the primary, or add target_session_attrs=read-write to dsn"
)
_WRONG_QUESTION: Final = Trouble(
    "CX9048", "was asked for, or given, what no text of it can be", "keep NUL and half characters out of keys and terms"
)
NEWER: Final = Trouble("CX9049", "holds a store of a newer cxkit", "update cxkit-postgres here too")
GONE_BACK: Final = Trouble(
    "CX9050",
    "has lost commits that were read here: it was restored, or a standby took over",
    "nothing: it is read again; see what the standby was short of",
)
OLD_SERVER: Final = Trouble("CX9051", "is older than version 14", "upgrade it")
ENCODING: Final = Trouble("CX9052", "keeps this database in another encoding than UTF-8", "make one with ENCODING UTF8")
_OTHER: Final = Trouble(None, "could not do what was asked", "look at the cause below")

_BY_STATE: Final[Mapping[str, Trouble]] = MappingProxyType(
    {
        "08": _UNREACHED,
        "22": _WRONG_QUESTION,
        "25006": _READ_ONLY,
        "28": _REFUSED,
        "3D": _REFUSED,
        "42501": _REFUSED,
        "53": _FULL,
        "54": _WRONG_QUESTION,
        "55000": _READ_ONLY,
        "55P03": SLOW,
        "57014": SLOW,
        "57": _UNREACHED,
    }
)
"""By SQLSTATE, or its class (the first two characters). Source: PostgreSQL, appendix A."""


def failed(trouble: Trouble) -> StoreError:
    """The error that names a trouble.

    Example:
        >>> failed(SLOW).what
        'PostgreSQL did not answer in time'
    """
    kind = RewoundError if trouble is GONE_BACK else StoreError
    return kind(f"PostgreSQL {trouble.what}", fix=trouble.fix, code=trouble.code)


def store_error(error: Exception) -> StoreError:
    """The error of the role for one of the client library, or of an impossible argument.

    Example:
        >>> store_error(TimeoutError()).code
        'CX9045'
    """
    if isinstance(error, TimeoutError | psycopg.errors.ConnectionTimeout):
        return failed(SLOW)
    if isinstance(error, UnicodeError | OverflowError):
        return failed(_WRONG_QUESTION)
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return failed(_BY_STATE.get(state) or _BY_STATE.get(state[:2], _OTHER))
    if isinstance(error, psycopg.DataError):
        return failed(_WRONG_QUESTION)
    if isinstance(error, psycopg.OperationalError | OSError):
        return failed(_refused(str(error)))
    return failed(_OTHER)


def _refused(text: str) -> Trouble:
    # While connecting, the server's words are all there is: libpq keeps the state to itself.
    if "authentication" in text or "password" in text or "does not exist" in text or "certificate" in text:
        return _REFUSED
    if "too many" in text or "remaining connection slots" in text:
        return _FULL
    return _READ_ONLY if "read-only" in text or "hot standby" in text else _UNREACHED
