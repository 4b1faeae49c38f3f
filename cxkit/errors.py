"""Every error cxkit raises, split by whose fault it is.

::

    CXError                      (base; carries a stable ``code`` and one ``fix``)
    +-- ConfigurationError       ValueError        the operator: a setting is wrong             CX10xx
    +-- MissingDependencyError   ImportError       the operator: an optional part is missing    CX11xx
    +-- PluginError              RuntimeError      the plugin author: a plugin broke a contract CX20xx
    +-- DeclarationError         ValueError        the app: a touchpoint or experience is wrong CX30xx
    +-- InvalidInteractionError  ValueError        the app: a capture is wrong (strict mode)    CX31xx
    +-- CodecError               ValueError        the sender: bytes are not what they claim    CX40xx
    +-- TokenError               ValueError        the visitor: a cookie or token is not ours   CX41xx
    +-- TransportError           OSError           the network or the other side                CX50xx
    |   +-- DeadlineError        TimeoutError      ... did not answer in time
    |   +-- AddressRefusedError  PermissionError   ... is an address our policy forbids
    +-- StoreError               RuntimeError      the store                                    CX60xx
    |   +-- ConflictError                          ... somebody else wrote the document first
    |   +-- RewoundError                           ... has lost what was read from it
    +-- LocalFileError           OSError           the file of an exporter of type local        CX61xx
    +-- StateError               RuntimeError      the caller: used before or after its time    CX70xx

In production nothing of this reaches the host's request path: it is counted and named instead
(``cxkit.stats()``). In strict mode (development, tests) it is raised.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AddressRefusedError",
    "CXError",
    "CodecError",
    "ConfigurationError",
    "ConflictError",
    "DeadlineError",
    "DeclarationError",
    "InvalidInteractionError",
    "LocalFileError",
    "MissingDependencyError",
    "PluginError",
    "RewoundError",
    "StateError",
    "StoreError",
    "TokenError",
    "TransportError",
]


class CXError(Exception):
    """Base of all cxkit errors.

    ``str(error)`` reads ``CODE: what happened. Fix: what to do.`` and holds no personal data.

    Args:
        what: What happened and where, as one sentence without a final full stop.
        fix: The one thing to do about it, likewise.
        code: A stable code, ``CX`` and four digits; documented in the reference of errors.

    Example:
        >>> str(CXError("the cup is empty", fix="fill it", code="CX0001"))
        'CX0001: the cup is empty. Fix: fill it.'
    """

    default_code = "CX0000"

    def __init__(self, what: str, *, fix: str, code: str | None = None) -> None:
        self.what = what
        self.fix = fix
        self.code = code or self.default_code
        super().__init__(f"{self.code}: {what}. Fix: {fix}" + ("" if fix.endswith("?") else "."))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.fix, self.code)


class ConfigurationError(CXError, ValueError):
    """A setting is missing, misspelt or out of range."""

    default_code = "CX1001"
    setting: str | None = None
    """Its dotted name, where it is one setting that is wrong."""


class MissingDependencyError(CXError, ImportError):
    """An optional part was asked for whose package is not installed."""

    default_code = "CX1101"


class PluginError(CXError, RuntimeError):
    """A plugin could not be loaded or broke its contract; names the plugin and the hook."""

    default_code = "CX2001"


class DeclarationError(CXError, ValueError):
    """A touchpoint or an experience is declared wrongly; raised at declaration, never at capture."""

    default_code = "CX3001"


class InvalidInteractionError(CXError, ValueError):
    """What was to be captured is not acceptable. Strict mode only; otherwise it is counted."""

    default_code = "CX3101"


class CodecError(CXError, ValueError):
    """Bytes do not hold what they claim to hold."""

    default_code = "CX4001"


class TokenError(CXError, ValueError):
    """A signed cookie or token does not verify."""

    default_code = "CX4101"


class TransportError(CXError, OSError):
    """The other side could not be reached or broke off."""

    default_code = "CX5001"


class DeadlineError(TransportError, TimeoutError):
    """The total deadline of a request passed, whatever trickled in before it."""

    default_code = "CX5002"


class AddressRefusedError(TransportError, PermissionError):
    """The address policy forbids this destination."""

    default_code = "CX5003"


class StoreError(CXError, RuntimeError):
    """The store failed; what was to be written is not written."""

    default_code = "CX6001"


class ConflictError(StoreError):
    """A document changed since it was read; nothing was written. Read again and retry."""

    default_code = "CX6002"


class RewoundError(StoreError):
    """The store has lost commits that were read from it: whoever remembers anything of it must read again.

    Raised once for each handle that had read what is lost.
    """

    default_code = "CX6022"


class LocalFileError(CXError, OSError):
    """The file that an exporter of type ``local`` writes cannot be read, or does not hold what was asked for."""

    default_code = "CX6101"


class StateError(CXError, RuntimeError):
    """Something was used before it was ready or after it was closed."""

    default_code = "CX7001"


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the nearest known one, or all of them.

    Example:
        >>> nearest("urll", ["url", "headers"])
        'did you mean "url"?'
        >>> nearest("x", ["url", "headers"])
        'known: headers, url'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(names)}" if names else "none are known here"


def _rebuild(kind: type[CXError], what: str, fix: str, code: str) -> CXError:
    return kind(what, fix=fix, code=code)
