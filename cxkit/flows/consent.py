"""grant and withdraw: the person's choice, from now on. The rule is ``rules.consent``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast, get_args

from cxkit.capture.scope import Scope
from cxkit.errors import InvalidInteractionError, nearest
from cxkit.flows.desk import Desk
from cxkit.flows.documents import consent_doc, keys_of, written
from cxkit.flows.identify import STITCHING
from cxkit.flows.known import Known
from cxkit.flows.people import alive
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import PURPOSES, Choice, Consent, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.model.consent import Method
from cxkit.rules.consent import unobjected
from cxkit.rules.identity import join, without

__all__ = ["CONSENT_CHANGED", "choose", "consented"]

CONSENT_CHANGED = TouchpointSpec(name="consent.changed", kind="consent", purpose="necessary", priority="critical")


def choose(desk: Desk, scope: Scope, purposes: Iterable[str], choice: Choice, *, method: str) -> str | None:
    """Record one choice for some purposes, and let the scope obey it at once.

    An exporter hears of it only if its purposes were allowed before or are now: it must learn of a
    withdrawal, but where something was refused from the start nothing ever arrives, not even that.

    Raises:
        InvalidInteractionError: A purpose or the method is not known, or no purpose is named. What is
            known is chosen all the same.
    """
    chosen, wrong = _known(purposes)
    if method not in get_args(Method):
        fix = nearest(str(method)[:64], get_args(Method))
        method, wrong = "api", InvalidInteractionError("a choice has a method that is not one", fix=fix, code="CX3123")
    before, granted = scope.identity, scope.allowed.granted
    now = desk.intake.stamper.now()
    earlier = unobjected(scope.choices) if scope.gpc and not scope.despite_gpc else scope.choices
    scope.choices = {**earlier, **dict.fromkeys(chosen, (choice, now))}
    scope.despite_gpc = scope.gpc
    desk.govern(scope)
    aside = scope.aside
    _recognise(scope)
    concerned = [join(before, scope.identity.identifiers)]
    if aside is not None and aside not in concerned[0].identifiers:
        concerned.append(Identity(identifiers=(aside,)))  # a command of its own: it must not link the two

    def shows(known: Known, /, *, id: str, at: datetime) -> Known:
        return known.chose(dict.fromkeys(chosen, (choice, now)))

    ids = [
        desk.command(
            CONSENT_CHANGED,
            scope,
            identity=identity,
            properties={"choices": dict.fromkeys(chosen, choice), "method": method, "policy": desk.policy.name},
            purposes=purpose_bits(granted | scope.allowed.granted),
            shows=shows,
            governed=False,
        )
        for identity in concerned
    ]
    if wrong is not None:
        raise wrong
    return ids[0]


def consented(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """What the command adds to the choices made under each identifier.

    Whoever only claims to be somebody may refuse for them, but grant nothing.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is no choice.
    """
    properties = cast("Mapping[str, Any]", command.properties)
    record = Consent(
        id=command.id,
        choices=properties["choices"],
        decided_at=command.occurred_at,
        method=properties["method"],
        channel=command.channel,
        policy=properties["policy"],
    )
    grants = "granted" in record.choices.values()
    keys = [
        key
        for key, one in keys_of(keyring, command.identity).items()
        if not grants or one.evidence in ("cookie", "login")
    ]
    names = [consent_doc(key) for key in alive(reading, keys, command.occurred_at)]
    bodies = reading.get(names)
    for name in names:
        records = cast("list[Any]", bodies.get(name, {}).get("records", []))
        if not any(one["id"] == command.id for one in records):
            reading.put(name, {"records": [*records, written(record)]})


def _recognise(scope: Scope) -> None:
    """Give a visitor who may now be recognised an identifier, or take it from one who may no longer be."""
    if not scope.allowed.recognise:
        scope.change(identity=without(scope.identity, ["visitor"]))
        scope.aside = None
        return
    signed_in = any(one.evidence == "login" for one in scope.identity.identifiers)
    if signed_in and STITCHING not in scope.allowed.granted:
        return
    visitor = scope.identity.get("visitor") or scope.aside or (scope.issue_visitor and scope.issue_visitor())
    scope.aside = None
    if visitor:
        scope.change(identity=join(scope.identity, [visitor]))


def _known(purposes: Iterable[str]) -> tuple[list[str], InvalidInteractionError | None]:
    """The purposes that there are, and what is wrong with the rest; raised where there is nothing else."""
    named = [purposes] if isinstance(purposes, str) else list(purposes)
    known = [one for one in named if one in PURPOSES]
    error = None
    if len(known) < len(named):
        wrong = str(next(one for one in named if one not in PURPOSES))[:64]
        error = InvalidInteractionError(f'"{wrong}" is not a purpose', fix=nearest(wrong, PURPOSES), code="CX3121")
    elif not known:
        fix = 'name each, e.g. withdraw("advertising")'
        error = InvalidInteractionError("a choice names no purpose", fix=fix, code="CX3122")
    if error is not None and not known:
        raise error
    return known, error
