"""What is declared in this process."""

from __future__ import annotations

import sys
from typing import Final, Literal

from cxkit.errors import DeclarationError
from cxkit.flows.arrive import ARRIVED
from cxkit.flows.ask import ANSWERED, ASKED, EXPIRED, FEEDBACK, SKIPPED
from cxkit.flows.assign import ASSIGNED
from cxkit.flows.consent import CONSENT_CHANGED
from cxkit.flows.erase import ERASED
from cxkit.flows.expose import SHOWN
from cxkit.flows.identify import IDENTIFIED, IGNORED
from cxkit.flows.link import LINKED, LOGGED_OUT
from cxkit.flows.operate import MERGED, UNMERGED
from cxkit.flows.preferences import PREFERENCE_CHANGED, PREFERENCE_STOPPED
from cxkit.flows.readouts import READ
from cxkit.flows.refusals import MERGE_REFUSED
from cxkit.flows.reports import HAPPENED, REVISED
from cxkit.flows.rulings import RULED
from cxkit.flows.sending import CONTACT_SUPPRESSED, MESSAGE_COUNTED
from cxkit.rules.measure.pages import MEASURED

__all__ = ["declare", "declared"]

RESERVED: Final = frozenset(
    MEASURED.keys()
    | {SHOWN.name, IDENTIFIED.name, LINKED.name, LOGGED_OUT.name, CONSENT_CHANGED.name}
    | {PREFERENCE_CHANGED.name, PREFERENCE_STOPPED.name, CONTACT_SUPPRESSED.name, MESSAGE_COUNTED.name, ERASED.name}
    | {ASKED.name, ANSWERED.name, SKIPPED.name, EXPIRED.name, FEEDBACK.name}
    | {MERGED.name, UNMERGED.name, MERGE_REFUSED.name, IGNORED.name, ARRIVED.name, ASSIGNED.name, RULED.name}
    | {READ.name, *(one.name for spec in (HAPPENED, REVISED) for one in spec.values())}
)
"""What cxkit itself captures: its purposes are not the app's to set."""

declared: dict[tuple[str, str], str] = {}
"""Kind and name to the module that declared it; a module may do so again (reload, notebooks)."""


def declare(kind: Literal["touchpoint", "experience", "journey"], name: str) -> None:
    """Note who declares what.

    Raises:
        DeclarationError: Another module has declared this name.
    """
    if name in RESERVED:
        raise DeclarationError(f'"{name}" is a name of cxkit\'s own', fix="name yours differently", code="CX3015")
    module = sys._getframe(2).f_globals.get("__name__", "?")
    owner = declared.setdefault((kind, name), module)
    if owner != module:
        raise DeclarationError(
            f'{kind} "{name}" is already declared in {owner}',
            fix="import it from there, or name this one differently",
            code="CX3008",
        )
