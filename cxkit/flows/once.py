"""once: that of all that comes under one key the first alone counts, in whichever process that shares the store.

For what is signed without what it says: whoever overheard such a signature could say anything else with it.

Each key is a document of its own, found by until when it is taken, so that those of before can be removed.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from cxkit.errors import ConflictError
from cxkit.flows.documents import once_doc
from cxkit.roles import Put, Store

__all__ = ["once"]

_SKEW: Final = timedelta(seconds=60)
"""By which clocks of those who share the store may differ."""
_FORGETS: Final = 2
"""More than one comes: so they do not grow."""


def once(store: Store, key: str, said: bytes, *, until: datetime, now: datetime) -> bool:
    """Whether nothing else was said under this key before; the same may be said again.

    Args:
        until: When it is forgotten, for nobody takes it any more; the same whenever the key comes.

    Raises:
        StoreError: It cannot be known now.
    """
    name = once_doc(until, hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest())
    body = {"said": hashlib.blake2b(said, digest_size=16).hexdigest()}
    for document in store.scan(once_doc(), limit=_FORGETS):
        if document.key < once_doc(now - _SKEW):
            _commit(store, document.key, Put(body=None), version=document.version)
    found = store.get_many([name]).get(name)
    if found is None and _commit(store, name, Put(body=body), version=0):
        return True
    found = found or store.get_many([name]).get(name)
    return found is not None and found.body == body


def _commit(store: Store, name: str, put: Put, *, version: int) -> bool:
    """Whether nobody else was first."""
    try:
        store.commit({name: put}, expected={name: version})
    except ConflictError:
        return False
    return True
