"""How those who call us sign, as data: whoever is not here yet is one more value, and no code.

Sources: the specification of Standard Webhooks; Svix, "Verifying payloads manually"; Twilio SendGrid, "Getting started
with the Event Webhook security features"; Mailgun, "Securing webhooks"; MailerSend, "Webhooks: security"; GitHub,
"Validating webhook deliveries"; RFC 7617 (basic).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs

from cxkit.errors import DeclarationError, nearest

__all__ = ["SCHEMES", "Algorithm", "Place", "SignatureScheme"]

Algorithm = Literal["hmac-sha256", "hmac-sha1", "ecdsa-p256", "ed25519", "secret"]
"""``secret``: nothing is signed; the secret itself comes along, and is compared in constant time."""
_SIGNABLE: Final = ("timestamp", "id", "body", "method", "url")
_HOLE: Final = re.compile(r"\{(\w*)\}")


@attrs.frozen(kw_only=True)
class Place:
    """Where in a request something stands.

    Example:
        >>> Place(name="x-hub-signature-256", prefix="sha256=").part
        'header'
    """

    name: str = ""
    """Of the header, in lower case; of a field of JSON, dotted: ``signature.token``. A path has none."""
    part: Literal["header", "body", "path"] = "header"
    """``path``: its last segment."""
    prefix: str = ""
    """What goes before it, a version say; what has another is not looked at."""
    separator: str | None = None
    """Between several of them, where there may be: two keys are in use while one takes the other's place."""


def _template(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    for name in _HOLE.findall(value):
        if name not in _SIGNABLE:
            raise DeclarationError("a scheme signs what is not known", fix=nearest(name, _SIGNABLE), code="CX9236")


@attrs.frozen(kw_only=True)
class SignatureScheme:
    """How a request is signed.

    Each place has aliases: more than one means that the first of them which is there counts, but for signatures, of
    which any will do.

    Raises:
        DeclarationError: ``signed`` names what cannot be signed.

    Example:
        >>> acme = SignatureScheme(signature=(Place(name="x-acme-signature"),), signed="{timestamp}.{body}",
        ...                        timestamp=(Place(name="x-acme-time"),))
        >>> acme.algorithm, acme.encoding, acme.covers_body
        ('hmac-sha256', 'hex', True)
    """

    algorithm: Algorithm = "hmac-sha256"
    signature: tuple[Place, ...]
    encoding: Literal["hex", "base64", "text"] = "hex"
    """Of the signature."""
    key: Literal["text", "base64"] = "text"
    """How the secret, or the public key, is written; a public one is DER (P-256) or its 32 bytes (Ed25519)."""
    key_prefix: str = ""
    """What may stand before it: ``whsec_``."""
    signed: str = attrs.field(default="{body}", validator=_template)
    """What is signed, of ``{timestamp}``, ``{id}``, ``{body}``, ``{method}`` and ``{url}``."""
    timestamp: tuple[Place, ...] = ()
    """Empty: the signature never grows old, and only its id keeps it from being told twice."""
    unit: Literal["s", "ms"] = "s"
    id: tuple[Place, ...] = ()
    """What is the same where a request is repeated."""
    tolerance_s: float = 300.0
    """How far the timestamp may be from now, either way."""

    @property
    def covers_body(self) -> bool:
        """Whether a changed body is noticed. Where not, each id must be taken once only."""
        return "{body}" in self.signed and self.algorithm != "secret"


def _headers(*names: str, prefix: str = "", separator: str | None = None) -> tuple[Place, ...]:
    return tuple(Place(name=name, prefix=prefix, separator=separator) for name in names)


_STANDARD: Final = SignatureScheme(
    signature=_headers("webhook-signature", "svix-signature", prefix="v1,", separator=" "),
    encoding="base64",
    key="base64",
    key_prefix="whsec_",
    signed="{id}.{timestamp}.{body}",
    timestamp=_headers("webhook-timestamp", "svix-timestamp"),
    id=_headers("webhook-id", "svix-id"),
)

SCHEMES: Final[Mapping[str, SignatureScheme]] = MappingProxyType({
    "standardwebhooks": _STANDARD,
    "standardwebhooks-ed25519": attrs.evolve(
        _STANDARD,
        algorithm="ed25519",
        signature=_headers("webhook-signature", prefix="v1a,", separator=" "),
        key_prefix="whpk_",
    ),
    "svix": _STANDARD,
    "resend": _STANDARD,
    "sendgrid": SignatureScheme(
        algorithm="ecdsa-p256",
        signature=_headers("x-twilio-email-event-webhook-signature"),
        encoding="base64",
        key="base64",
        signed="{timestamp}{body}",
        timestamp=_headers("x-twilio-email-event-webhook-timestamp"),
    ),
    "mailgun": SignatureScheme(
        signature=(Place(name="signature.signature", part="body"),),
        signed="{timestamp}{id}",
        timestamp=(Place(name="signature.timestamp", part="body"),),
        id=(Place(name="signature.token", part="body"),),
    ),
    "mailersend": SignatureScheme(signature=_headers("signature")),
    "github": SignatureScheme(
        signature=_headers("x-hub-signature-256", prefix="sha256="), id=_headers("x-github-delivery")
    ),
    "basic": SignatureScheme(
        algorithm="secret", signature=_headers("authorization", prefix="Basic "), encoding="base64"
    ),
    "secret": SignatureScheme(
        algorithm="secret", signature=(Place(name="x-cx-secret"), Place(part="path")), encoding="text"
    ),
})  # fmt: skip
"""Name to scheme.

``mailgun``: the body is not covered. ``basic``: the secret is ``user:password``; the middleware keeps ``Authorization``
from endpoints, so it is for whoever mounts one otherwise. ``secret``: a header of our own, or the end of the path,
for providers that sign nothing but send any header, or call any address (Postmark, Brevo).
"""
