"""Tokens: what a link of ours, a pixel and a bounce address carry. They name nobody, and lead nowhere by themselves.

======  ==========================================================================  ==============================
use     of bytes                                                                    as
======  ==========================================================================  ==============================
link    version 1, message 16, mailing 6, number 2, seal 16                         base64url, 55 characters
open    the same, the number 0                                                      base64url, 55 characters
leave   the same                                                                    base64url, 55 characters
bounce  version 1, message 16, seal 16                                              base32, 53 characters
======  ==========================================================================  ==============================

Each use has a key of its own, so no token does what another is for. A message's id is a UUIDv7, so a token tells when
it was made. Mail servers may turn a mailbox's name into lower case, so that of a bounce is base32 (RFC 4648).
"""

from __future__ import annotations

from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Literal

import attrs

from cxkit.errors import TokenError
from cxkit.keyring import Keyring

__all__ = ["MOST_LINKS", "NOBODY", "Token", "Use", "bounce_token", "read_bounce", "read_token", "token"]

Use = Literal["link", "open", "leave"]

NOBODY: Final = "0" * 32
"""Instead of a message: what is counted and is of nobody."""
_VERSION: Final = b"\x01"
_CHARS: Final = 55
_BOUNCE_CHARS: Final = 53
MOST_LINKS: Final = 65_535
"""A link's number has two bytes; and one that nobody sees has the next."""


@attrs.frozen(kw_only=True)
class Token:
    """What a token of ours says."""

    send: str
    """The message, 32 hexadecimal digits; or `NOBODY`."""
    mailing: str
    """12 hexadecimal digits."""
    number: int = attrs.field(default=0, validator=attrs.validators.in_(range(MOST_LINKS + 1)))
    """Of the link in the mailing."""


def token(keyring: Keyring, use: Use, said: Token) -> str:
    """A token for one use.

    Example:
        >>> keys = Keyring(signing=[b"a secret of sixteen"], identifier=b"another of sixteen")
        >>> said = Token(send="0198b2a67f3e7c1d8000aabbccddeeff", mailing="00112233aabb", number=3)
        >>> len(token(keys, "link", said)), read_token(keys, "link", token(keys, "link", said)) == said
        (55, True)
    """
    payload = _VERSION + bytes.fromhex(said.send + said.mailing) + said.number.to_bytes(2)
    return urlsafe_b64encode(keyring.seal(f"email {use}", payload)).rstrip(b"=").decode()


def read_token(keyring: Keyring, use: Use, text: str) -> Token:
    """What a token says that is for this use.

    Raises:
        TokenError: It is malformed, altered, or for another use.
    """
    if len(text) != _CHARS or not text.isascii():
        raise _malformed()
    try:
        sealed = urlsafe_b64decode(text + "=")
    except ValueError:
        raise _malformed() from None
    if urlsafe_b64encode(sealed).rstrip(b"=").decode() != text:  # one way to write it, or it could be altered a little
        raise _malformed()
    payload = keyring.unseal(f"email {use}", sealed)
    if len(payload) != 25 or payload[:1] != _VERSION:
        raise _malformed()
    return Token(send=payload[1:17].hex(), mailing=payload[17:23].hex(), number=int.from_bytes(payload[23:]))


def bounce_token(keyring: Keyring, send: str) -> str:
    """What the envelope's sender says, so that a bounce names its message: ``bounce+TOKEN@...`` (VERP).

    Example:
        >>> keys = Keyring(signing=[b"a secret of sixteen"], identifier=b"another of sixteen")
        >>> read_bounce(keys, bounce_token(keys, "ab" * 16).upper())
        'abababababababababababababababab'
    """
    return b32encode(keyring.seal("email bounce", _VERSION + bytes.fromhex(send))).rstrip(b"=").decode().lower()


def read_bounce(keyring: Keyring, text: str) -> str:
    """Which message a bounce's token names.

    Raises:
        TokenError: It is malformed or altered.
    """
    if len(text) != _BOUNCE_CHARS or not text.isascii():
        raise _malformed()
    try:
        sealed = b32decode(text.upper() + "===")
    except ValueError:
        raise _malformed() from None
    if b32encode(sealed).rstrip(b"=").decode() != text.upper():
        raise _malformed()
    payload = keyring.unseal("email bounce", sealed)
    if len(payload) != 17 or payload[:1] != _VERSION:
        raise _malformed()
    return payload[1:].hex()


def _malformed() -> TokenError:
    return TokenError("a token is malformed", fix="treat its bearer as unknown")
