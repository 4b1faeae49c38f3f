"""What flows and the local exporter called before there was a graph. Goes with its last caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from cxkit.model import Evidence
from cxkit.rules.identity import resolving
from cxkit.rules.identity.types import UNIQUE

__all__ = ["Owner", "owner", "resolve"]


@attrs.frozen(kw_only=True)
class Owner:
    """Who an identifier belongs to so far."""

    person: str
    unique: Mapping[str, str] = attrs.field(factory=dict)
    """Key by type, of the person's identifiers of a unique type."""
    logged_in: bool = False
    """Whether the person was ever reached by a login."""


@attrs.frozen(kw_only=True)
class _Resolution:
    person: str | None
    linked: tuple[str, ...] = ()
    refused: Mapping[str, str] = attrs.field(factory=dict)


def owner(keys: Mapping[str, tuple[str, Evidence]], owners: Mapping[str, Owner]) -> Owner | None:
    """Who identifiers seen together belong to: of the proven ones the strongest that has an owner says so."""
    proven = _proven(keys)
    unique = {type: key for key, type in proven.items() if type in UNIQUE}
    logins = [key for key, (_, evidence) in keys.items() if evidence == "login"]
    for key in proven or keys:
        held = owners.get(key)
        if held is None or any(held.unique.get(type, own) != own for type, own in unique.items()):
            continue
        theirs = any(one in owners and owners[one].person == held.person for one in logins)
        if logins and held.logged_in and not theirs:
            continue
        return held
    return None


def resolve(seen: Any, *owners: Any, **others: Any) -> Any:
    """As it was, if called as it was; else `cxkit.rules.identity.resolving.resolve`."""
    return _resolve(seen, *owners, **others) if owners else resolving.resolve(seen, **others)


def _resolve(keys: Mapping[str, tuple[str, Evidence]], owners: Mapping[str, Owner], *, newcomer: str) -> _Resolution:
    proven = _proven(keys)
    refused = {key: "weak_evidence" for key in keys if key not in proven and key not in owners}
    target = owner(keys, owners)
    if not proven:
        return _Resolution(person=target.person if target else None, refused=refused)
    person = target.person if target else newcomer
    linked = []
    for key in proven:
        held = owners.get(key)
        if held is None:
            linked.append(key)
        elif held.person != person:
            refused[key] = "owned_by_another"
    return _Resolution(person=person, linked=tuple(linked), refused=refused)


def _proven(keys: Mapping[str, tuple[str, Evidence]]) -> dict[str, str]:
    return {key: type for key, (type, evidence) in keys.items() if evidence in ("cookie", "login")}
