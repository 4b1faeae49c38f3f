"""profile: what is known of the customer of a scope, for those who read it."""

from __future__ import annotations

from functools import reduce

from cxkit.capture.scope import Scope
from cxkit.flows.desk import Desk
from cxkit.flows.documents import history_doc, read
from cxkit.flows.known import Known
from cxkit.flows.preferences import preferences
from cxkit.model import Person, Profile
from cxkit.roles import Store
from cxkit.rules.profile import History, merge_histories, profile_of

__all__ = ["profile", "remembered_under", "theirs"]


def profile(desk: Desk, scope: Scope, *, patience_s: float) -> Profile:
    """What is known of them now; of somebody who is not recognised only the choices, if they made any.

    Args:
        patience_s: How long a remote store may be waited for; what has not arrived by then is left out.
    """
    known = (desk.known(scope, patience_s=patience_s) or Known()).chose(scope.choices)
    keys = tuple(sorted(link.key for link in known.graph.links)) if known.graph else ()
    personal = bool(keys) and "personalization" in scope.allowed.granted
    history = desk.ask(lambda store: _history(store, known), patience_s=patience_s) if personal else None
    return profile_of(
        person=Person(id=known.graph.id, keys=keys) if known.graph else None,
        traits=known.traits,
        history=history or History(),
        choices={purpose: choice for purpose, (choice, _) in known.choices.items()},
        preferences=preferences(desk, known, patience_s=patience_s),
        profiling="profiling" in scope.allowed.granted,
        now=desk.intake.stamper.now(),
    )


def _history(store: Store, known: Known) -> History:
    """What is remembered under their identifiers; under a device that others use too, only what is theirs of it."""
    links = _links(known)
    names = {history_doc(key): key for key in known.keys if key in links or key in known.shared}
    found = {names[name]: read(one.body, History) for name, one in store.get_many(names).items()}
    return reduce(merge_histories, [theirs(one, known, key) for key, one in found.items()], History())


def _links(known: Known) -> frozenset[str]:
    return frozenset(link.key for link in known.graph.links) if known.graph else frozenset()


def remembered_under(known: Known, strongest: str) -> list[str]:
    """The keys under which contacts of whoever is known here are remembered.

    Args:
        strongest: The key that theirs are remembered under from now on, also while it is nobody's in the graph.
    """
    own = _links(known) | known.shared.keys() | known.joined | {strongest}
    return [key for key in known.keys if key in own]


def theirs(history: History, known: Known, key: str) -> History:
    """The owner's are the contacts from before others used it; of the older ones nobody knows whose they are."""
    if key not in known.shared:
        return history
    owner = key in _links(known)
    recent, passed = (
        tuple(one for one in contacts if known.shared[key].vouches(one.id) is owner)
        for contacts in (history.recent, history.passed)
    )
    return History(recent=recent, passed=passed)
