"""Values of the model as JSON, defaults left out; and what is read back of them, whatever a newer version adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from cxkit.model import (
    Acquisition,
    Agent,
    Assignment,
    Context,
    Decision,
    Device,
    Feedback,
    Identifier,
    Identity,
    Page,
    Place,
)

__all__ = ["decision_in", "known", "plain"]

_NOT_TOLD: Final[Mapping[type, tuple[str, ...]]] = {Decision: ("questions", "not_asked", "prefill")}
"""What was asked is an interaction of its own; what is known of somebody is in none."""


def plain(value: Any) -> Any:
    """A value of the model as JSON."""
    kind = type(value)
    if kind is tuple:
        return [plain(one) for one in value]
    plan = _plans.get(kind)
    if plan is None:
        return value
    found = {}
    for name, default in plan:
        part = getattr(value, name)
        if part is not default and part != default:
            found[name] = plain(part)
    return found


def known(kind: type[attrs.AttrsInstance], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Of these fields the ones that this version of a value has."""
    names = {attribute.name for attribute in attrs.fields(kind)} - {*_NOT_TOLD.get(kind, ())}
    return {name: value for name, value in dict(fields).items() if name in names}


def decision_in(fields: Mapping[str, Any]) -> Decision:
    """The decision that an interaction tells of.

    Raises:
        TypeError, ValueError: It is none.
    """
    told = known(Decision, fields)
    given = {
        name: Assignment(**known(Assignment, told[name]))
        for name in ("assignment", "holdout")
        if told.get(name) is not None
    }
    return Decision(**{**told, "reasons": tuple(told.get("reasons", ())), **given})


_plans: Final = {
    kind: tuple(
        (attribute.name, attribute.default)
        for attribute in attrs.fields(kind)
        if attribute.name not in _NOT_TOLD.get(kind, ())
    )
    for kind in (
        Acquisition,
        Agent,
        Assignment,
        Context,
        Decision,
        Device,
        Feedback,
        Identifier,
        Identity,
        Page,
        Place,
    )
}
