"""Keys: signed tokens, and the keyed hashes under which identifiers are known.

One secret per list entry; each use derives a key of its own from it, so a cookie never verifies
as a link. The newest signing key signs, all verify. The identifier key is permanent: changing it
makes every customer a stranger.

A token reads ``payload.issued.signature``: issued in hexadecimal seconds, the signature 16 bytes of
keyed BLAKE2b (RFC 7693; a third of the time of HMAC-SHA256, on every request) in base64url.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from binascii import b2a_base64
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cxkit.errors import ConfigurationError, TokenError

__all__ = ["GENERATED", "OUT_OF_DATE", "Keyring", "Signed"]

_PAYLOAD: Final = re.compile(r"[A-Za-z0-9_:~-]{0,512}")
_MAX_TOKEN_CHARS: Final = 600
_CLOCK_SKEW_S: Final = 60
_MIN_CHARS: Final = 16
_DIGEST_BYTES: Final = 16
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
OUT_OF_DATE: Final = "CX4103"
"""What `Keyring.verify` calls a token of ours that is older than it may be."""
GENERATED: Final = "keys.json"
"""Where generated keys are kept, in cxkit's directory."""


class Signed(str):
    """The payload of a token that verified, and when it was issued."""

    __slots__ = ("current", "issued_at")
    issued_at: int
    """Unix seconds."""
    current: bool
    """Whether the newest key signed it."""


class Keyring:
    """Signs, verifies and hashes.

    Args:
        signing: Secrets, the newest first; at least one.
        identifier: The secret under which identifiers are hashed.
        generated: Whether the keys were made up here rather than configured.
        contacts: Types, besides e-mail and phone, whose identifiers are kept as their keyed hash alone.

    Example:
        >>> keys = Keyring(signing=[b"a secret of sixteen"], identifier=b"another of sixteen")
        >>> token = keys.sign("cookie", "v1", now=1_800_000_000)
        >>> keys.verify("cookie", token, now=1_800_000_060, max_age_s=3600)
        'v1'
    """

    def __init__(
        self,
        *,
        signing: Sequence[bytes],
        identifier: bytes,
        generated: bool = False,
        contacts: frozenset[str] = frozenset(),
    ) -> None:
        if not signing or min(map(len, [*signing, identifier])) < _MIN_CHARS:
            raise ConfigurationError(
                "a key is missing or shorter than 16 bytes",
                fix='make one with: python -c "import secrets; print(secrets.token_hex(32))"',
                code="CX1020",
            )
        self._signing = tuple(signing)
        self._identifier = hashlib.blake2b(identifier, digest_size=64).digest()
        self._derived: dict[str, list[hashlib.blake2b]] = {}
        self.generated = generated
        self.contacts = frozenset({"email", "phone"}) | contacts

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        signing: Sequence[str] = (),
        identifier: str | None = None,
        contacts: frozenset[str] = frozenset(),
    ) -> Keyring:
        """The keys given, and for those not given the ones generated once under ``directory``.

        Raises:
            ConfigurationError: The key file cannot be written, or holds no keys.
        """
        if signing and identifier:
            return cls(signing=[one.encode() for one in signing], identifier=identifier.encode(), contacts=contacts)
        kept_signing, kept_identifier = _kept(directory)
        return cls(
            signing=[one.encode() for one in signing or kept_signing],
            identifier=(identifier or kept_identifier).encode(),
            generated=True,
            contacts=contacts,
        )

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._signing)} signing keys>"

    def sign(self, use: str, payload: str, *, now: float) -> str:
        """A token for ``payload`` (letters, digits and ``_ : ~ -``, at most 512).

        Raises:
            ValueError: The payload has other characters.
        """
        if not _PAYLOAD.fullmatch(payload):
            raise ValueError("a payload to sign has characters other than letters, digits and _ : ~ -")
        body = f"{payload}.{int(now):x}"
        return f"{body}.{_signature(self._keys(use)[0], body)}"

    def verify(self, use: str, token: str, *, now: float, max_age_s: float) -> Signed:
        """The payload of a token.

        Raises:
            TokenError: It is malformed, not ours, too old, or from the future.
        """
        body, _, signature = token.rpartition(".")
        payload, _, issued = body.rpartition(".")
        if len(token) > _MAX_TOKEN_CHARS or not token.isascii() or not _PAYLOAD.fullmatch(payload):
            raise TokenError("a token is malformed", fix="treat its bearer as unknown")
        matches = [hmac.compare_digest(_signature(key, body), signature) for key in self._keys(use)]
        if not any(matches):
            raise TokenError("a token is not signed by us", fix="treat its bearer as unknown", code="CX4102")
        signed = Signed(payload)
        signed.issued_at = int(issued, 16)
        signed.current = matches[0]
        if not now - max_age_s <= signed.issued_at <= now + _CLOCK_SKEW_S:
            raise TokenError("a token is out of date", fix="treat its bearer as unknown", code=OUT_OF_DATE)
        return signed

    def seal(self, use: str, payload: bytes) -> bytes:
        """A few bytes, and 16 more by which `unseal` knows them for ours.

        They tell no time of their own: put one into the payload where it is to end.

        Example:
            >>> keys = Keyring(signing=[b"a secret of sixteen"], identifier=b"another of sixteen")
            >>> keys.unseal("link", keys.seal("link", b"7"))
            b'7'
        """
        return payload + _digest(self._keys(use)[0], payload)

    def unseal(self, use: str, sealed: bytes) -> bytes:
        """The payload that `seal` was given for this use.

        Raises:
            TokenError: It is not ours.
        """
        payload, digest = sealed[:-_DIGEST_BYTES], sealed[-_DIGEST_BYTES:]
        matches = [hmac.compare_digest(_digest(key, payload), digest) for key in self._keys(use)]
        if not any(matches):
            raise TokenError("a token is not signed by us", fix="treat its bearer as unknown", code="CX4102")
        return payload

    def identifier_key(self, type: str, value: str) -> bytes:
        """16 bytes that stand for an identifier wherever its value must not be seen."""
        text = f"{type}\0{value}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._identifier, person=b"cxkit-id").digest()

    def _keys(self, use: str) -> list[hashlib.blake2b]:
        held = self._derived.get(use)
        if held is None:
            held = self._derived[use] = self._derive(use)
        return held

    def _derive(self, use: str) -> list[hashlib.blake2b]:
        """Hashes that have taken in their key: copying one costs less than to begin anew."""
        keys = [hmac.digest(secret, f"cxkit {use}".encode(), "sha256") for secret in self._signing]
        return [hashlib.blake2b(digest_size=_DIGEST_BYTES, key=key, person=b"cxkit-token") for key in keys]


def _signature(keyed: hashlib.blake2b, body: str) -> str:
    return b2a_base64(_digest(keyed, body.encode()), newline=False).translate(_URLSAFE, b"=").decode()


def _digest(keyed: hashlib.blake2b, payload: bytes) -> bytes:
    hashed = keyed.copy()
    hashed.update(payload)
    return hashed.digest()


def _kept(directory: Path) -> tuple[list[str], str]:
    """The generated keys, for signing and of identifiers; made by whichever process comes first."""
    path = directory / GENERATED
    try:
        if not path.exists():
            _generate(directory, path)
        kept = json.loads(path.read_text("utf-8"))
        signing, identifier = [*kept["signing"]], kept["identifier"]
        if not signing or any(type(one) is not str or len(one) < _MIN_CHARS for one in [*signing, identifier]):
            raise ValueError("it holds no keys")
        return signing, identifier
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the generated keys in {path} cannot be used ({type(error).__name__})",
            fix="configure keys.signing and keys.identifier, or make the directory writable",
            code="CX1021",
        ) from error


def _generate(directory: Path, path: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _keep_out_of_version_control(directory)
    keys = {"signing": [os.urandom(32).hex()], "identifier": os.urandom(32).hex()}
    draft = directory / f".{GENERATED}.{os.urandom(8).hex()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, json.dumps(keys).encode())
        os.fsync(descriptor)
        os.link(draft, path)  # unlike rename, never replaces keys another process made first
    except FileExistsError:
        pass
    finally:
        os.close(descriptor)
        draft.unlink()


def _keep_out_of_version_control(directory: Path) -> None:
    try:
        descriptor = os.open(directory / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, b"*\n")
        os.close(descriptor)
    except OSError:
        pass  # there is one, or there can be none: the keys matter more
