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
from cxkit.rules.profile import History, fold, recent_of

__all__ = ["remember"]

_TRIES: Final = 5


def remember(store: Callable[[], Store], keyring: Keyring, interactions: Sequence[Interaction]) -> None:
    """Fold contacts into what is remembered, all at once. One that comes again changes nothing.

    Raises:
        StoreError: They are not remembered.
    """
    facts: dict[str, list[Recent]] = {}
    for one in interactions:
        key = next(iter(keys_of(keyring, one.identity)), None)
        if key is not None:
            facts.setdefault(history_doc(key), []).append(recent_of(one))
    if not facts:
        return
    for _ in range(_TRIES):
        try:
            return _fold_all(store(), facts)
        except ConflictError:
            continue
    for name, more in facts.items():  # where many write at once, a batch conflicts somewhere each time
        _fold_all(store(), {name: more})


def _fold_all(store: Store, facts: Mapping[str, Sequence[Recent]]) -> None:
    found = store.get_many(facts)
    puts = {}
    for name, more in facts.items():
        before = after = read(found[name].body if name in found else {}, History)
        for fact in more:
            after = fold(after, fact)
        if after != before:
            puts[name] = Put(body=written(after))
    if puts:
        store.commit(puts, expected={name: found[name].version if name in found else 0 for name in puts})
