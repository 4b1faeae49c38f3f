"""What a response says to caches, and how one that is for one visitor alone is kept from the others.

Sources: RFC 9111 (HTTP caching), section 5.2; RFC 9110, section 12.5.5 (``Vary``); RFC 9213
(targeted cache control), and three headers that caches in front of an app put before all of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

__all__ = ["BY_HEADER", "Headers", "audience", "for_one_visitor", "varying"]

Headers = Iterable[tuple[bytes, bytes]]
"""Names and values as they go over the wire; names in any case."""

BY_HEADER: Final = {"asked": "accept-language"}
"""What a scope `follows` to the header that caches see it by; by the rest nobody but us can tell visitors apart."""
_DIRECTIVE: Final = re.compile(rb'[^\s,="]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,]*))?')
_REPLACED: Final = frozenset([b"public", b"s-maxage", b"private"])
_KEPT: Final = frozenset(
    [b"public", b"s-maxage", b"stale-while-revalidate", b"stale-if-error", b"etag", b"last-modified"]
)
"""Directives and headers with which a shared cache keeps a response that it may not give unasked."""
_LASTING: Final = frozenset([300, 301, 308, 404, 405, 410, 414, 501])
_TARGETED: Final = {
    b"edge-control": b"no-store",
    b"surrogate-control": b"no-store",
    b"x-accel-expires": b"0",
    b"x-litespeed-cache-control": b"no-cache",
}
_TARGETED_SUFFIX: Final = b"cdn-cache-control"


def audience(headers: Headers, *, status: int = 200) -> Literal["shared", "unsaid", "one"]:
    """Who may keep a response, by its own word: shared caches, this one browser, or it does not say.

    One that can be validated is kept, whatever else it says but private and no-store: a shared cache asks with
    ``no-cache`` and ``max-age=0`` whether it still holds (RFC 9111, section 4.3), and then gives what it kept. And one
    that says nothing is kept for what its status says to be so for good (RFC 9110, section 15.1).

    Example:
        >>> audience([(b"cache-control", b"public, max-age=60")])
        'shared'
        >>> audience([(b"Cache-Control", b"no-store")])
        'one'
        >>> audience([])
        'unsaid'
    """
    said: set[bytes] = set()
    for name, value in headers:
        name = name.lower()
        if name in _KEPT:
            said.add(name)
        elif name == b"cache-control":
            said.update(_DIRECTIVE.findall(value.lower()))
        elif name == b"expires":
            said.add(b"max-age=0" if value.strip() in (b"0", b"-1") else b"expires")
        elif _targeted(name) and value.strip() not in (b"no-store", b"private", _TARGETED.get(name)):
            return "shared"
    if not said.isdisjoint((b"private", b"no-store")):
        return "one"
    fresh = {_named(one) for one in said - {b"max-age=0"}}
    if fresh & _KEPT or (fresh & {b"max-age", b"expires"} and b"no-cache" not in said):
        return "shared"
    return "shared" if status in _LASTING and not said else "unsaid"


def for_one_visitor(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers, changed so that no shared cache gives the response to anybody else.

    ``Cache-Control`` becomes private and ``Vary`` names ``Cookie``, each where it stands if it is
    there; what a browser's own cache may do stays as it was.

    Example:
        >>> for_one_visitor([(b"cache-control", b"public, max-age=60"), (b"vary", b"Accept")])
        [(b'cache-control', b'max-age=60, private'), (b'vary', b'Accept, Cookie')]
    """
    changed = [
        (name, _TARGETED.get(name.lower(), b"no-store") if _targeted(name.lower()) else value)
        for name, value in headers
    ]
    directives = [one for value in _values(changed, b"cache-control") for one in _DIRECTIVE.findall(value)]
    private = [*(one for one in directives if _named(one) not in _REPLACED), b"private"]
    changed = _replaced(changed, b"cache-control", b", ".join(private))
    return varying(changed, ["cookie"])


def varying(headers: Headers, names: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """The headers, whose ``Vary`` names these of the request, too; where it stands if it is there.

    Example:
        >>> varying([(b"vary", b"Accept")], ["accept-language", "accept"])
        [(b'vary', b'Accept, Accept-Language')]
    """
    varies = [part.strip() for value in _values(headers, b"vary") for part in value.split(b",") if part.strip()]
    said = {part.lower() for part in varies}
    more = [name.title().encode() for name in sorted(names) if name.encode() not in said]
    if b"*" in said or not more:
        return list(headers)
    return _replaced(headers, b"vary", b", ".join([*varies, *more]))


def _named(directive: bytes) -> bytes:
    return directive.partition(b"=")[0].strip().lower()


def _targeted(name: bytes) -> bool:
    return name in _TARGETED or name.endswith(_TARGETED_SUFFIX)


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name.lower() == wanted]


def _replaced(headers: Headers, wanted: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """With one header of that name, where the first of them stood, else at the end."""
    replaced: list[tuple[bytes, bytes]] = []
    placed = False
    for pair in headers:
        if pair[0].lower() != wanted:
            replaced.append(pair)
        elif not placed:
            placed = True
            replaced.append((pair[0], value))
    return replaced if placed else [*replaced, (wanted, value)]
