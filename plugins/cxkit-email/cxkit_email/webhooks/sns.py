"""Amazon SNS, by which SES tells what became of messages: signed with RSA, for anybody who has an account there.

So a signature proves that Amazon sent it, and not who had it sent: the topics that are believed are a setting, and
nothing else is looked at, least of all fetched, before the topic. Sources: Amazon SNS Developer Guide, "Verifying the
signatures of Amazon SNS messages" (what is signed, both versions) and "Amazon SNS message delivery retries" (for an
hour at most).
"""

from __future__ import annotations

import re
import threading
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from cxkit.errors import TransportError
from cxkit.transport import Transport
from cxkit.web.limits import Rate
from cxkit_email.webhooks.told import Told, decoded
from cxkit_email.webhooks.verify import Refused, Verified, late_or_early, no_cryptography

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["Get", "Notifications", "over_https"]

Get = Callable[[str], bytes]
"""What is at an address, which is known to be Amazon's; raises OSError. It may wait: never on an event loop."""

_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_MAY_LACK: Final = frozenset({"Subject"})
_HOST: Final = r"sns\.[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE: Final = re.compile(rf"https://({_HOST})/[A-Za-z0-9_-]{{1,128}}\.pem")
_SUBSCRIBE: Final = re.compile(rf"https://({_HOST})/\?[!-~]{{1,2000}}")
_HASHES: Final = ("1", "2")
_PAST_S: Final = 3_900.0
"""The hour for which Amazon tries again, and five minutes for clocks: the time signed is that of the first try."""
_AHEAD_S: Final = 300.0
_MOST_KEYS: Final = 16
_PER_MINUTE: Final = 12
_DEADLINE_S: Final = 5.0
_LEAST_BITS: Final = 2_048
_MOST_BYTES: Final = 65_536
_MOST_CHARS: Final = 1_048_576


def over_https() -> Get:
    """Fetches over the network: five seconds at most, no redirect, public addresses alone."""
    transport = Transport(allow_private=False, max_response_bytes=_MOST_BYTES)

    def get(url: str) -> bytes:
        answer = transport.request("GET", url, deadline_s=_DEADLINE_S)
        if answer.status != 200 or answer.truncated:
            fix = "nothing: Amazon sends the notification again"
            raise TransportError(f"Amazon SNS answered {answer.status}", fix=fix, code="CX9234")
        return answer.body

    return get


class Notifications:
    """Takes notifications of the topics that are believed, and confirms subscriptions to them.

    Args:
        topics: Their names (ARNs).
        get: How certificates are fetched, and subscriptions confirmed.
        where: The dotted name of the setting.

    Raises:
        MissingDependencyError: *cryptography* is not installed.
    """

    def __init__(self, topics: Iterable[str], *, get: Get, where: str) -> None:
        try:
            import cryptography  # noqa: F401 - at the start, not with the first notification
        except ImportError:
            raise no_cryptography(where) from None
        self._topics = frozenset(topics)
        self._get = get
        self._rate = Rate(_PER_MINUTE)
        self._keys: OrderedDict[str, _Key] = OrderedDict()
        self._guard = threading.Lock()

    def take(self, body: bytes, *, now: float) -> Verified | Refused:
        """What a notification says, if it is to be believed. It may wait for Amazon.

        Returns:
            With the message as payload; a subscription that is confirmed has none.
        """
        said = Told(decoded(body))
        kind = said.text("Type") or ""
        if kind not in _SIGNED:
            return Refused(reason="unreadable")
        if said.text("TopicArn") not in self._topics:
            return Refused(reason="foreign_topic")
        at = said.instant("Timestamp")
        if at is None:
            return Refused(reason="malformed_timestamp" if said.text("Timestamp") else "missing_timestamp")
        far = late_or_early(at.timestamp(), now, past_s=_PAST_S, ahead_s=_AHEAD_S)
        refused = far or self._check(said, kind, now=now)
        if refused is not None:
            return refused
        if kind == "SubscriptionConfirmation":
            refused = self._confirm(said)
            if refused is not None:
                return refused
        message = said.text("Message", most=_MOST_CHARS) if kind == "Notification" else None
        return Verified(id=said.id("MessageId"), at=at, payload=(message or "").encode())

    def _check(self, said: Told, kind: str, *, now: float) -> Refused | None:
        canonical = _canonical(said, _SIGNED[kind])
        version, address = said.text("SignatureVersion"), said.text("SigningCertURL") or ""
        if not _CERTIFICATE.fullmatch(address):
            return Refused(reason="foreign_address")
        if canonical is None or version not in _HASHES:
            return Refused(reason="unreadable")
        try:
            signature = b64decode(said.text("Signature") or "", validate=True)
        except ValueError:
            return Refused(reason="malformed_signature")
        if not signature:
            return Refused(reason="missing_signature")
        key = self._key(address, now)
        if isinstance(key, Refused):
            return key
        return None if key.signed(canonical, signature, version) else Refused(reason="wrong_signature")

    def _confirm(self, said: Told) -> Refused | None:
        """Say that we want it; what is signed names the address, and it must be where the certificate is from."""
        address = said.text("SubscribeURL", most=2_048) or ""
        match, home = _SUBSCRIBE.fullmatch(address), _CERTIFICATE.fullmatch(said.text("SigningCertURL") or "")
        asked = parse_qs(urlsplit(address).query) if match else {}
        wanted = {"Action": ["ConfirmSubscription"], "TopicArn": [said.text("TopicArn")], "Token": [said.text("Token")]}
        if match is None or home is None or match[1] != home[1] or asked != wanted:
            return Refused(reason="foreign_address")
        return None if self._fetched(address) is not None else Refused(reason="unreachable")

    def _key(self, address: str, now: float) -> _Key | Refused:
        """The key at an address: fetched once, for Amazon never changes what is there."""
        with self._guard:
            found = self._keys.get(address)
        if found is None:
            pem = self._fetched(address)
            if pem is None:
                return Refused(reason="unreachable")
            found = _Key.of(pem)
            if found is None:
                return Refused(reason="bad_certificate")
            with self._guard:
                self._keys[address] = found
                if len(self._keys) > _MOST_KEYS:
                    self._keys.popitem(last=False)
        return found if found.since <= now <= found.until else Refused(reason="bad_certificate")

    def _fetched(self, address: str) -> bytes | None:
        """None where it cannot be had now; so often a minute at most, whoever makes us ask."""
        if not self._rate.allows(None):
            return None
        try:
            return self._get(address)
        except OSError:
            return None


def _canonical(said: Told, names: Iterable[str]) -> bytes | None:
    """What is signed: name and value, each on a line of its own; None where one is missing."""
    lines: list[str] = []
    for name in names:
        value = said.text(name, most=_MOST_CHARS)
        if value is None and name not in _MAY_LACK:
            return None
        lines += [] if value is None else [name, value]
    return "".join(f"{line}\n" for line in lines).encode()


class _Key:
    """The key of a certificate, and from when to when it is one."""

    def __init__(self, public: RSAPublicKey, since: datetime, until: datetime) -> None:
        self._public = public
        self.since, self.until = since.timestamp(), until.timestamp()

    @classmethod
    def of(cls, pem: bytes) -> _Key | None:
        """None where it is no certificate with a key of RSA."""
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

        try:
            certificate = x509.load_pem_x509_certificate(pem)
            public = certificate.public_key()
            since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return None
        if not isinstance(public, RSAPublicKey) or public.key_size < _LEAST_BITS:
            return None
        return cls(public, since.astimezone(UTC), until.astimezone(UTC))

    def signed(self, message: bytes, signature: bytes, version: str) -> bool:
        """Whether it signed this: version 1 with SHA-1, version 2 with SHA-256."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        try:
            self._public.verify(signature, message, PKCS1v15(), SHA1() if version == "1" else SHA256())
        except InvalidSignature:
            return False
        return True
