"""remember: the last contacts of people who allow it, under the identifier they came with.

Not under a person, for whose an identifier is may change. The rule is ``rules.profile``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cxkit.errors import ConflictError
from cxkit.flows.documents import history_doc, keys_of, read, written
from cxkit.keyring import Keyring
from cxkit.model import Interaction, Recent
from cxkit.roles import Put, Store
from cxkit.rules.profile import History, fold, recent_of, stage_now

__all__ = ["remember"]

_TRIES: Final = 5


Moved = dict[str, tuple[Interaction, dict[str, int]]]
"""Key of whoever is at another stage now, to their last contact and the version of what is remembered."""


def remember(store: Callable[[], Store], keyring: Keyring, interactions: Sequence[Interaction]) -> Moved:
    """Fold contacts into what is remembered, all at once. One that comes again changes nothing.

    Raises:
        StoreError: They are not remembered.
    """
    facts: dict[str, list[Recent]] = {}
    last: dict[str, tuple[str, Interaction]] = {}
    for one in interactions:
        key = next(iter(keys_of(keyring, one.identity)), None)
        if key is not None:
            facts.setdefault(history_doc(key), []).append(recent_of(one))
            last[history_doc(key)] = key, one
    if not facts:
        return {}
    versions = _fold_always(store, facts)
    return {key: (one, {name: versions[name]}) for name, (key, one) in last.items() if name in versions}


def _fold_always(store: Callable[[], Store], facts: Mapping[str, Sequence[Recent]]) -> dict[str, int]:
    for _ in range(_TRIES):
        try:
            return _fold_all(store(), facts)
        except ConflictError:
            continue
    versions: dict[str, int] = {}
    for name, more in facts.items():  # where many write at once, a batch conflicts somewhere each time
        versions |= _fold_all(store(), {name: more})
    return versions


def _fold_all(store: Store, facts: Mapping[str, Sequence[Recent]]) -> dict[str, int]:
    """The documents in which the stage is another now, and their versions."""
    found = store.get_many(facts)
    puts, moved = {}, set()
    for name, more in facts.items():
        before = after = read(found[name].body if name in found else {}, History)
        for fact in more:
            after = fold(after, fact)
        if after != before:
            puts[name] = Put(body=written(after))
            if stage_now(before) != stage_now(after):
                moved.add(name)
    expected = {name: found[name].version if name in found else 0 for name in puts}
    versions = store.commit(puts, expected=expected) if puts else {}
    return {name: version for name, version in versions.items() if name in moved}
