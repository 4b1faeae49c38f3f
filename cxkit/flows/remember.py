"""remember: the last contacts of people who allow it, under the identifier they came with.

Not under a person, for whose an identifier is may change. The rule is ``rules.profile``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cxkit.errors import ConflictError
from cxkit.flows.documents import history_doc, keys_of, read, tombstone_doc, written
from cxkit.flows.people import alive
from cxkit.flows.reading import Reading
from cxkit.keyring import Keyring
from cxkit.model import Interaction, Recent
from cxkit.roles import Store
from cxkit.rules.profile import History, fold, recent_of, stage_now

__all__ = ["remember"]

_TRIES: Final = 5


Moved = dict[str, tuple[Interaction, dict[str, int]]]
"""Key of whoever is at another stage now, to their last contact and the version of what is remembered."""


def remember(store: Callable[[], Store], keyring: Keyring, interactions: Sequence[Interaction]) -> Moved:
    """Fold contacts into what is remembered, all at once. One that comes again changes nothing.

    Of who was erased meanwhile nothing is remembered.

    Raises:
        StoreError: They are not remembered.
    """
    facts: dict[str, list[Recent]] = {}
    last: dict[str, Interaction] = {}
    for one in interactions:
        key = next(iter(keys_of(keyring, one.identity)), None)
        if key is not None:
            facts.setdefault(key, []).append(recent_of(one))
            last[key] = one
    if not facts:
        return {}
    versions = _fold_always(store, facts)
    return {key: (last[key], {history_doc(key): version}) for key, version in versions.items()}


def _fold_always(store: Callable[[], Store], facts: Mapping[str, Sequence[Recent]]) -> dict[str, int]:
    for _ in range(_TRIES):
        try:
            return _fold_all(store(), facts)
        except ConflictError:
            continue
    versions: dict[str, int] = {}
    for key, more in facts.items():  # where many write at once, a batch conflicts somewhere each time
        versions |= _fold_all(store(), {key: more})
    return versions


def _fold_all(store: Store, facts: Mapping[str, Sequence[Recent]]) -> dict[str, int]:
    """The keys of those who are at another stage now, and the versions of what is remembered of them."""
    reading = Reading(store)
    bodies = reading.get(name(key) for key in facts for name in (history_doc, tombstone_doc))
    moved = {}
    for key, more in facts.items():
        name = history_doc(key)
        before = after = read(bodies.get(name, {}), History)
        for fact in more:
            if alive(reading, [key], fact.at):
                after = fold(after, fact)
        if after != before:
            reading.put(name, written(after))
            if stage_now(before) != stage_now(after):
                moved[key] = name
    versions = reading.commit()
    return {key: versions[name] for key, name in moved.items()}
