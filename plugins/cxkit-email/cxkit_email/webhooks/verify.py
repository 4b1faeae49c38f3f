"""Whether a request comes from whom it says: on its raw bytes, in constant time, and before anything else is told."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from binascii import unhexlify
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal

import attrs

from cxkit.errors import ConfigurationError, MissingDependencyError
from cxkit.settings import Secret
from cxkit_email.webhooks.schemes import Place, SignatureScheme
from cxkit_email.webhooks.told import Told, decoded

__all__ = ["Check", "Refusal", "Refused", "Verified", "checks_of", "late_or_early", "no_cryptography", "verify"]

Refusal = Literal[
    "missing_signature", "malformed_signature", "wrong_signature", "missing_timestamp", "malformed_timestamp", "stale",
    "future", "missing_id", "unreadable", "foreign_topic", "foreign_address", "bad_certificate", "unreachable",
]  # fmt: skip
"""Why a request is not believed. ``unreachable`` alone may be otherwise if it is asked again."""
Check = Callable[[bytes, bytes], bool]
"""Whether the second is a signature of the first."""

_MOST_CHARS: Final = 8_192
_MOST_SIGNATURES: Final = 16
_DIGITS: Final = re.compile(r"[0-9]{1,16}")
_ID: Final = re.compile(r"[!-~]{1,256}")
_HOLES: Final = re.compile(r"\{(\w+)\}")
_LEAST_CHARS: Final = 16


@attrs.frozen(kw_only=True)
class Verified:
    """A request that is believed."""

    id: str | None = None
    """The same where it is repeated."""
    at: datetime | None = None
    """When it was signed."""
    payload: bytes = attrs.field(default=b"", repr=False)
    """What it says; empty where there is nothing to tell."""


@attrs.frozen(kw_only=True)
class Refused:
    """One that is not."""

    reason: Refusal


@attrs.frozen(kw_only=True)
class _Request:
    headers: Mapping[str, str]
    body: bytes
    path: str
    told: Told

    def values(self, places: Iterable[Place]) -> Iterator[bytes]:
        for place in places:
            value = self._raw(place)
            if value is None:
                continue
            value = value[:_MOST_CHARS]
            parts = [value] if place.separator is None else value.split(place.separator.encode(), _MOST_SIGNATURES)
            prefix = place.prefix.encode()
            for part in parts:
                if part.startswith(prefix) and len(part) > len(prefix):
                    yield part[len(prefix) :]

    def first(self, places: Iterable[Place]) -> str | None:
        return next((value.decode("latin-1") for value in self.values(places)), None)

    def _raw(self, place: Place) -> bytes | None:
        if place.part == "path":
            return self.path.rpartition("/")[2].encode("utf-8", "surrogatepass")
        if place.part == "body":
            *tables, name = place.name.split(".")
            told = self.told
            for table in tables:
                told = told.table(table)
            text = told.id(name)
            return None if text is None else text.encode()
        text = self.headers.get(place.name)
        return None if text is None else text.encode("latin-1", "replace")


def verify(
    scheme: SignatureScheme,
    checks: Iterable[Check],
    *,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    path: str = "",
    method: str = "POST",
    url: str = "",
) -> Verified | Refused:
    """Whether one of the secrets signed this, and not too long ago.

    Args:
        checks: From `checks_of`; any of them will do.
        headers: With names in lower case, repeated ones joined.
        body: As it came.
        now: Seconds since the epoch.
        url: As whoever signs knows it, where the scheme covers it.

    Example:
        >>> from cxkit_email.webhooks.schemes import SCHEMES
        >>> checks = checks_of(SCHEMES["secret"], [Secret("correct horse battery")], where="shop")
        >>> verify(SCHEMES["secret"], checks, headers={"x-cx-secret": "correct horse battery"}, body=b"{}", now=0.0)
        Verified(id=None, at=None)
        >>> verify(SCHEMES["secret"], checks, headers={"x-cx-secret": "guessed"}, body=b"{}", now=0.0)
        Refused(reason='wrong_signature')
    """
    in_body = any(place.part == "body" for place in (*scheme.signature, *scheme.timestamp, *scheme.id))
    request = _Request(headers=headers, body=body, path=path, told=Told(decoded(body) if in_body else None))
    signatures = _signatures(scheme, request)
    if isinstance(signatures, Refused):
        return signatures
    stamp, id = request.first(scheme.timestamp), request.first(scheme.id)
    if scheme.timestamp and (stamp is None or not _DIGITS.fullmatch(stamp)):
        return Refused(reason="missing_timestamp" if stamp is None else "malformed_timestamp")
    if id is not None and not _ID.fullmatch(id):
        id = None
    if "{id}" in scheme.signed and id is None:
        return Refused(reason="missing_id")
    known = {"timestamp": stamp or "", "id": id or "", "method": method, "url": url}
    message = _message(scheme.signed, {name: text.encode("latin-1", "replace") for name, text in known.items()}, body)
    if not any(check(message, signature) for check in checks for signature in signatures):
        return Refused(reason="wrong_signature")
    at_s = None if stamp is None else int(stamp) / (1000 if scheme.unit == "ms" else 1)
    far = None if at_s is None else late_or_early(at_s, now, past_s=scheme.tolerance_s, ahead_s=scheme.tolerance_s)
    if far is not None:
        return far
    return Verified(id=id, at=None if at_s is None else datetime.fromtimestamp(at_s, UTC), payload=body)


def _message(template: str, known: Mapping[str, bytes], body: bytes) -> bytes:
    """What is signed: the template with its holes filled."""
    fixed_and_names = _HOLES.split(template)
    values = {**known, "body": body}
    return b"".join(values[piece] if index % 2 else piece.encode() for index, piece in enumerate(fixed_and_names))


def late_or_early(at_s: float, now: float, *, past_s: float, ahead_s: float) -> Refused | None:
    """None if a time is near enough to now."""
    if now - at_s > past_s:
        return Refused(reason="stale")
    return Refused(reason="future") if at_s - now > ahead_s else None


def _signatures(scheme: SignatureScheme, request: _Request) -> list[bytes] | Refused:
    """Those that can be read, a few at most: nobody who rotates keys has more, and each costs a check."""
    given = list(request.values(scheme.signature))
    if not given:
        return Refused(reason="missing_signature")
    if len(given) > _MOST_SIGNATURES:
        return Refused(reason="malformed_signature")
    read = [one for one in map(_reading(scheme), given) if one]
    return read or Refused(reason="malformed_signature")


def _reading(scheme: SignatureScheme) -> Callable[[bytes], bytes | None]:
    if scheme.encoding == "text":
        return lambda text: text
    decode = unhexlify if scheme.encoding == "hex" else lambda text: b64decode(text, validate=True)

    def read(text: bytes) -> bytes | None:
        try:
            return decode(text)
        except ValueError:
            return None

    return read


# --- Keys -----------------------------------------------------------------------------------------


def checks_of(scheme: SignatureScheme, secrets: Iterable[Secret], *, where: str) -> tuple[Check, ...]:
    """What each of the secrets, or public keys, can check. All errors are of the start, none of a request.

    Args:
        where: The dotted name of the setting they are from.

    Raises:
        ConfigurationError: One cannot be read, or is so short that it can be guessed.
        MissingDependencyError: *cryptography* is needed, and not installed.
    """
    return tuple(_check_of(scheme, _key_of(scheme, secret, where), where) for secret in secrets)


def _key_of(scheme: SignatureScheme, secret: Secret, where: str) -> bytes:
    text = secret.reveal().strip().removeprefix(scheme.key_prefix)
    try:
        key = b64decode("".join(text.split()), validate=True) if scheme.key == "base64" else text.encode()
    except ValueError:
        raise _unreadable(where, "is not base64") from None
    if scheme.algorithm in ("hmac-sha256", "hmac-sha1", "secret") and len(key) < _LEAST_CHARS:
        raise _unreadable(where, f"has fewer than {_LEAST_CHARS} characters")
    return key


def _unreadable(where: str, what: str) -> ConfigurationError:
    error = ConfigurationError(
        f'a secret of "{where}" {what}',
        fix="copy the whole of what the provider shows; one of your own needs 16 characters",
        code="CX9232",
    )
    error.setting = where
    return error


def _check_of(scheme: SignatureScheme, key: bytes, where: str) -> Check:
    if scheme.algorithm == "secret":
        digest = hashlib.sha256(key).digest()  # so that not even its length shows
        return lambda _, given: hmac.compare_digest(digest, hashlib.sha256(given).digest())
    if scheme.algorithm in ("hmac-sha256", "hmac-sha1"):
        name = scheme.algorithm.removeprefix("hmac-")
        return lambda message, given: hmac.compare_digest(hmac.digest(key, message, name), given)
    return _public(scheme, key, where)


def _public(scheme: SignatureScheme, key: bytes, where: str) -> Check:
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    except ImportError:
        raise no_cryptography(where) from None
    try:
        verifies = _edwards(key) if scheme.algorithm == "ed25519" else _p256(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unreadable(where, "is no public key for its signatures") from None

    def check(message: bytes, given: bytes) -> bool:
        try:
            verifies(given, message)
        except InvalidSignature:
            return False
        return True

    return check


def _edwards(key: bytes) -> Callable[[bytes, bytes], None]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(key).verify


def _p256(key: bytes) -> Callable[[bytes, bytes], None]:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    public, algorithm = load_der_public_key(key), ec.ECDSA(SHA256())
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise ValueError
    return lambda given, message: public.verify(given, message, algorithm)


def no_cryptography(where: str) -> MissingDependencyError:
    """What is raised where signatures by public keys are to be checked without the library that can."""
    return MissingDependencyError(
        f'"{where}" needs cryptography, to check what others sign',
        fix="pip install 'cxkit-email[signatures]'",
        code="CX9233",
    )
