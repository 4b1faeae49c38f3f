"""What the store's documents look like; the only place that knows.

``identifier/KEY``  {"type", "person"}                      whose an identifier is
``person/ID``       {"keys", "unique", "logged_in",                      the identifiers of a person,
                     "traits", "set_by", "born_at"}         their traits, and the commands that set them
``consent/KEY``     {"records"}                             the choices made under an identifier, in order
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from cxkit.keyring import Keyring
from cxkit.model import JSON, Choice, Consent, Identifier, Identity
from cxkit.rules.consent import choices_of
from cxkit.rules.identity import CONTACTS, Owner

__all__ = ["consent_doc", "identifier_doc", "key_of", "keys_of", "person_doc"]


def identifier_doc(key: bytes) -> str:
    """The document of an identifier."""
    return f"identifier/{key.hex()}"


def person_doc(person: str) -> str:
    """The document of a person."""
    return f"person/{person}"


def consent_doc(key: bytes) -> str:
    """The document of the choices made under an identifier."""
    return f"consent/{key.hex()}"


def key_of(keyring: Keyring, identifier: Identifier) -> bytes:
    """The key of an identifier. A contact's value already is its key, in hexadecimal."""
    if identifier.type in CONTACTS:
        return bytes.fromhex(identifier.value)
    return keyring.identifier_key(identifier.type, identifier.value)


def keys_of(keyring: Keyring, identity: Identity) -> dict[bytes, Identifier]:
    """The keys of an identity's identifiers, the strongest first."""
    return {key_of(keyring, one): one for one in identity.identifiers}


def owner_of(person: str, body: Mapping[str, JSON]) -> Owner:
    return Owner(
        person=person,
        unique=cast("dict[str, str]", body.get("unique", {})),
        logged_in=bool(body.get("logged_in")),
    )


def consent_to_json(id: str, consent: Consent) -> dict[str, JSON]:
    return {
        "id": id,
        "choices": dict(consent.choices),
        "decided_at": consent.decided_at.isoformat(),
        "method": consent.method,
        "policy": consent.policy,
    }


def consents_from_json(records: Iterable[Any]) -> list[Consent]:
    return [
        Consent(
            choices=record["choices"],
            decided_at=datetime.fromisoformat(record["decided_at"]),
            method=record["method"],
            policy=record["policy"],
        )
        for record in records
    ]


def choices_in(bodies: Iterable[Mapping[str, JSON]]) -> dict[str, tuple[Choice, datetime]]:
    """The latest choice for each purpose over several consent documents."""
    return choices_of(
        consent for body in bodies for consent in consents_from_json(cast("list[Any]", body.get("records", [])))
    )
