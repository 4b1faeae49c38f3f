"""link: an identifier more for the customer of the scope. logout: the scope is theirs no longer."""

from __future__ import annotations

from collections.abc import Mapping

from cxkit.capture.scope import Scope
from cxkit.codec.wire import occurrence
from cxkit.errors import StateError
from cxkit.flows.desk import Desk
from cxkit.flows.documents import keys_of
from cxkit.flows.identify import linkable, usable
from cxkit.flows.known import Known
from cxkit.model import TouchpointSpec, purpose_bits
from cxkit.rules.identity import join

__all__ = ["LINKED", "LOGGED_OUT", "link", "logout"]

LINKED = TouchpointSpec(name="identity.linked", kind="identity", purpose="necessary", priority="critical")
LOGGED_OUT = TouchpointSpec(name="identity.logged_out", purpose="necessary")


def link(desk: Desk, scope: Scope, *, identifiers: Mapping[str, str | int], patience_s: float) -> str | None:
    """Say that these belong to the customer of the scope, as surely as that customer is known; no new login.

    One that is somebody else's stays there, unless nothing speaks against the two being one.

    Raises:
        InvalidInteractionError: An identifier identifies nobody ("null", "0", ...). The others count all the same.
        StateError: The customer of the scope is not known by a cookie or a login: there is nobody to link to.
    """
    held = linkable(desk, scope.identity)
    evidence = max((one.rank, one.evidence) for one in held.identifiers)[1] if held else "claim"
    if evidence not in ("cookie", "login"):
        raise StateError(
            "there is nobody to link to: nobody in this scope is known by a cookie or a login",
            fix="call identify() with what the login proved first",
            code="CX7009",
        )
    mine = desk.known(scope, patience_s=patience_s) or Known()
    found, wrong = usable(desk, scope, identifiers, evidence=evidence)
    id = None
    if found or wrong is None:
        scope.change(identity=linkable(desk, join(held, found, types=desk.identifying.types)))
        desk.recall(scope, patience_s=patience_s)
        joined = frozenset(keys_of(desk.keyring, scope.identity))
        id = desk.command(
            LINKED,
            scope,
            identity=scope.identity,
            properties={},
            purposes=purpose_bits(scope.allowed.granted),
            shows=lambda known, /, *, id, at: _with(mine, known).told({}, joined, id=id, at=at),
        )
    if wrong is not None:
        raise wrong
    return id


def _with(mine: Known, known: Known) -> Known:
    """What is known of the customer, where the identifier was nobody's."""
    return known.with_more(mine) if known.graph is None else known


def logout(desk: Desk, scope: Scope) -> None:
    """Let nothing of the person stay in the scope: whoever comes next on this device is a new visitor.

    What was chosen in this browser, and its objection (``Sec-GPC``), are the device's and hold on.
    """
    desk.intake.capture(scope, LOGGED_OUT, {}, occurrence())
    desk.leave_person(scope)
