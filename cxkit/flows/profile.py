"""profile: what is known of the customer of a scope, for those who read it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.documents import history_doc, read
from cxkit.flows.known import Known
from cxkit.flows.preferences import preferences
from cxkit.model import Person, Profile
from cxkit.roles import Store
from cxkit.rules.profile import History, merge_histories, profile_of

__all__ = ["profile"]


def profile(desk: Desk, scope: Scope, *, patience_s: float) -> Profile:
    """What is known of them now; of somebody who is not recognised only the choices, if they made any.

    Args:
        patience_s: How long a remote store may be waited for; what has not arrived by then is left out.
    """
    known = (desk.known(scope, patience_s=patience_s) or Known()).chose(scope.choices)
    keys = tuple(sorted(link.key for link in known.graph.links)) if known.graph else ()
    history = desk.ask(lambda store: _history(store, keys), patience_s=patience_s) if keys else None
    return profile_of(
        person=Person(id=known.graph.id, keys=keys) if known.graph else None,
        traits=known.traits,
        history=history or History(),
        choices={purpose: choice for purpose, (choice, _) in known.choices.items()},
        preferences=preferences(desk, known, patience_s=patience_s),
        profiling="profiling" in scope.allowed.granted,
        now=desk.intake.stamper.now(),
    )


def _history(store: Store, keys: Iterable[str]) -> History:
    found = store.get_many(map(history_doc, keys))
    return reduce(merge_histories, [read(one.body, History) for one in found.values()], History())
