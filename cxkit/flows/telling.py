"""Telling: traits on their way from the app, through a command's properties, to the profile.

What is simply set and was declared stands among the properties under its own name, as exporters expect; what
adds to, collects or only observes stands in the list ``changes``, for nobody must take it for a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, cast

import attrs
import msgspec

from cxkit.capture.redact import Redactor
from cxkit.capture.sanitise import Limits, sanitise
from cxkit.codec.typed import converter
from cxkit.errors import InvalidInteractionError
from cxkit.model import JSON, Trait

__all__ = ["clean_traits", "misplaced", "told", "traits_in", "untold"]

_CHANGES: Final = "changes"
_PLACE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


class _Change(msgspec.Struct, omit_defaults=True):
    trait: str
    value: Any
    how: str = "set"
    provenance: str = "declared"
    expires_in_s: float | None = None


_changes: Final = converter(list[_Change])


def clean_traits(traits: Mapping[str, Any]) -> dict[str, Trait]:
    """As they may be kept: redacted, and of JSON alone."""
    first = islice(traits.items(), Limits().max_keys)  # the walk keeps no more, and would look at all
    given = {name: one if isinstance(one, Trait) else Trait(value=one) for name, one in first}
    values = sanitise({name: one.value for name, one in given.items()}, redactor=Redactor()).properties
    return {name: attrs.evolve(given[name], value=value) for name, value in values.items() if name in given}


def misplaced(residence: object) -> InvalidInteractionError | None:
    """What is wrong with a residence that is no ISO 3166 code; None if it is one."""
    if isinstance(residence, str) and _PLACE.fullmatch(residence.strip().upper()):
        return None
    what, fix = "a residence is not an ISO 3166 code", 'name the country, and its part after a dash: "US-CA"'
    return InvalidInteractionError(what, fix=fix, code="CX3127")


def untold(traits: object) -> InvalidInteractionError | None:
    """What is wrong with what the app gives for traits; None if nothing is."""
    if not isinstance(traits, Mapping):
        what, fix = "the traits are not names with values", 'give a mapping: traits={"plan": "gold"}'
        return InvalidInteractionError(what, fix=fix, code="CX3131")
    residence = traits.get("residence")
    residence = residence.value if isinstance(residence, Trait) else residence
    return None if residence is None else misplaced(residence)


def told(traits: Mapping[str, Trait]) -> dict[str, JSON]:
    """The properties of the command that tells them."""
    plain = {name: one.value for name, one in traits.items() if one == Trait(value=one.value) and name != _CHANGES}
    changes = [
        _Change(name, one.value, one.how, one.provenance, one.expires_in_s)
        for name, one in traits.items()
        if name not in plain
    ]
    return {**plain, **({_CHANGES: cast("JSON", msgspec.to_builtins(changes))} if changes else {})}


def traits_in(properties: Mapping[str, JSON]) -> dict[str, Trait]:
    """The traits that a command tells.

    Raises:
        ValueError: It tells no such thing.
    """
    found = {name: Trait(value=value) for name, value in properties.items() if name != _CHANGES}
    for one in _changes(properties.get(_CHANGES, [])):
        found[one.trait] = Trait(
            value=one.value,
            how=cast("Any", one.how),
            provenance=cast("Any", one.provenance),
            expires_in_s=one.expires_in_s,
        )
    return found
