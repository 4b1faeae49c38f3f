"""assign: what an experiment gave somebody is kept under their identifier, so that they keep it.

Under the identifier and not the person, for whose an identifier is may change: what is known of a person is what was
given under all of theirs (`Known.assigned`), so that nothing is written when people are merged or parted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.documents import Given, assigned_doc, given_in, keys_of, written
from cxkit.flows.known import Known, both_given
from cxkit.flows.people import alive
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import Assignment, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.rules.experience import Chooser, sticky_key

__all__ = ["ASSIGNED", "assign", "assigned"]

ASSIGNED: Final = TouchpointSpec(name="experiment.assigned", kind="exposure", direction="outbound")
_MOST: Final = 200
"""So many are kept under one identifier: experiments come and go."""


def assign(desk: Desk, scope: Scope, chooser: Chooser, one: Assignment, known: Known) -> None:
    """Keep what was given for the first time, where whoever it was given to is surely who has that identifier.

    What their experiment does not give them is not theirs: it was shown to them by mistake, and is counted.

    Args:
        known: What is known of the scope's person.
    """
    identifier = scope.identity.get(one.unit)
    place = sticky_key(one.experiment, one.version)
    if one.sticky or place in known.assigned or identifier is None or not identifier.proven:
        return
    if not chooser.gives(one, identifier.value):
        desk.intake.count("assignment_foreign")
        return

    def shows(known: Known, /, *, id: str, at: datetime) -> Known:
        return known.given({place: Given(variation=one.variation, at=at)})

    desk.command(
        ASSIGNED,
        scope,
        identity=Identity(identifiers=(identifier,)),
        properties={"experiment": one.experiment, "version": one.version, "variation": one.variation},
        purposes=purpose_bits(scope.allowed.granted),
        shows=shows,
    )


def assigned(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """What the command makes of the document of its identifier.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It tells of no experiment.
    """
    told = command.properties
    experiment, version, variation = told.get("experiment"), told.get("version"), told.get("variation")
    if not (isinstance(experiment, str) and isinstance(version, int) and isinstance(variation, str)):
        raise ValueError("an assignment names no experiment")
    new = {sticky_key(experiment, version): Given(variation=variation, at=command.occurred_at)}
    for key in alive(reading, keys_of(keyring, command.identity), command.occurred_at):
        name = assigned_doc(key)
        held = both_given(given_in(reading.get([name]).get(name, {})), new)
        kept = sorted(held.items(), key=lambda one: one[1].at)[-_MOST:]
        reading.put(name, {"given": {place: written(one) for place, one in kept}})
