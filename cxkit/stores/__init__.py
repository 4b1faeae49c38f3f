"""Where state is kept. One file per store, the same public names in each: Settings, the store, FACTORY.

Here stands what every store refuses or compares in the same way; stores of plugins use it too.
``cxkit.testing.store_suite`` judges them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cxkit.errors import ConflictError, StateError, StoreError
from cxkit.model import JSON
from cxkit.roles import Document, Put

__all__ = ["MAX_KEY_LENGTH", "check_open", "check_versions", "document", "encode_puts"]

MAX_KEY_LENGTH: Final = 200
"""In characters."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(dict[str, Any])
_UNENCODABLE: Final = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


def encode_puts(puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, bytes | None]:
    """The bodies to write, as JSON; None deletes.

    Raises:
        StoreError: CX6003, the commit is wrong in itself: no retry mends it.

    Example:
        >>> from cxkit.roles import Put
        >>> encode_puts({"cup/1": Put(body={"full": True})}, expected={"cup/1": 0})
        {'cup/1': b'{"full":true}'}
    """
    if puts.keys() - expected.keys():
        raise _invalid("a document is to be written without the version it must have", "put its key in `expected`")
    for key in expected:
        kind, _, id = _checked_text(key).partition("/")
        if not (kind and id and len(key) <= MAX_KEY_LENGTH):
            raise _invalid(
                f"a key of {len(key)} characters is not one",
                f'write "kind/id", at most {MAX_KEY_LENGTH} characters',
            )
    for put in puts.values():
        for term in put.terms:
            _checked_text(term)
    return {key: None if put.body is None else _encode(put.body) for key, put in puts.items()}


def check_versions(expected: Mapping[str, int], actual: Mapping[str, int]) -> None:
    """Compare the versions; in ``actual`` what does not exist, or is deleted, is absent or 0.

    Raises:
        ConflictError: One differs.

    Example:
        >>> check_versions({"cup/1": 2, "cup/2": 0}, {"cup/1": 2})
    """
    changed = sum(actual.get(key, 0) != version for key, version in expected.items())
    if changed:
        raise ConflictError(
            f"{changed} of {len(expected)} documents changed since they were read",
            fix="read them again and retry",
        )


def check_open(*, closed: bool) -> None:
    """Refuse to work for a store that is closed.

    Raises:
        StateError: It is.

    Example:
        >>> check_open(closed=False)
    """
    if closed:
        raise StateError("the store is closed", fix="close it after the last use")


def document(key: str, version: int, body: bytes | str) -> Document:
    """A document from its stored body.

    Raises:
        StoreError: CX6006, the body is not what a store wrote.

    Example:
        >>> document("cup/1", 1, b'{"full":true}').body
        {'full': True}
    """
    try:
        return Document(key=key, version=version, body=_decoder.decode(body))
    except _UNENCODABLE as error:
        raise StoreError(
            "a stored document is not JSON", fix="restore the store from a backup", code="CX6006"
        ) from error


def _encode(body: Mapping[str, JSON]) -> bytes:
    if not isinstance(body, Mapping):
        raise _invalid(f"a body is a {type(body).__name__}", "make it a mapping of strings to JSON")
    try:
        return _encoder.encode(dict(body))
    except _UNENCODABLE as error:
        raise _invalid(f"a body is not JSON ({type(error).__name__})", "keep to the types of JSON") from error


def _checked_text(text: str) -> str:
    if not isinstance(text, str):
        raise _invalid(f"a key or term is a {type(text).__name__}", "make it a string")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _invalid("a key or term holds half a surrogate pair", "replace it") from error
    return text


def _invalid(what: str, fix: str) -> StoreError:
    return StoreError(what, fix=fix, code="CX6003")
