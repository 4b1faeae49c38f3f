"""What the store knows of a person now, for those who may read it: never making a file, a key or a person."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import attrs

from cxkit.flows.documents import Ledger, keys_of, ledger_doc, read, tombstone_doc, tombstone_in
from cxkit.flows.identify import identifiers_of
from cxkit.flows.known import Known
from cxkit.flows.view import View
from cxkit.keyring import GENERATED, Keyring
from cxkit.kit.assembly import build_store, identifying_of, open_keyring, store_options
from cxkit.model import Identifier, Identity
from cxkit.registry import Registry
from cxkit.roles import Store
from cxkit.rules.identity import Merge, Tombstone
from cxkit.settings import Settings

__all__ = ["Stored", "keyed", "known_by_name", "known_now"]


@attrs.frozen(kw_only=True)
class Stored:
    """What the store has of somebody."""

    known: Known
    merges: tuple[Merge, ...]
    """Those that made them who they are, the latest last."""
    names: Mapping[str, str]
    """Key to ``type:value``, of the identifiers that were asked for."""
    graves: tuple[Tombstone, ...] = ()
    """Of those that were erased."""

    @property
    def erased_at(self) -> datetime | None:
        """When one of these was last erased."""
        return max((one.erased_at for one in self.graves), default=None)

    def barred(self, now: datetime) -> Tombstone | None:
        """What keeps one of these from coming back, the longest."""
        bars = [one for one in self.graves if one.bars(now)]
        return max(bars, key=lambda one: one.until.timestamp() if one.until else math.inf, default=None)

    @property
    def linked(self) -> frozenset[str]:
        """Those of the names that are linked to them."""
        links = self.known.graph.links if self.known.graph else ()
        return frozenset(self.names[one.key] for one in links if one.key in self.names)

    @property
    def somebody(self) -> bool:
        """Whether anything is known of them, be it that they left."""
        return bool(self.known.graph or self.known.choices or self.known.ended or self.erased_at)


def known_now(settings: Settings, identifiers: Sequence[Identifier]) -> Stored | None:
    """What is known of whoever these identifiers, the best known first, belong to.

    None: the store is not there yet, is in another process's memory, or cannot be read.
    """
    return _asked(settings, lambda keyring: identifiers)


def known_by_name(settings: Settings, type: str, value: str) -> Stored | None:
    """Likewise of whom the local file has not met; None also if that identifies nobody."""
    declared = identifying_of(settings)
    return _asked(settings, lambda keyring: identifiers_of(keyring, {type: value}, evidence="claim", declared=declared))


def _asked(settings: Settings, identifiers: Callable[[Keyring], Sequence[Identifier]]) -> Stored | None:
    try:
        with _opened(settings) as store:
            if store is None:
                return None
            keyring = open_keyring(settings, in_memory=False, shared=store.remote)
            keys = keys_of(keyring, Identity(identifiers=tuple(identifiers(keyring))))
            known = View(lambda: store, types=identifying_of(settings).types).of(keys) or Known()
            names = {key: f"{one.type}:{one.value}" for key, one in keys.items()}
            return Stored(known=known, merges=_merges(store, known), names=names, graves=_graves(store, [*keys]))
    except Exception:  # noqa: BLE001 - whatever a store raises, nothing is known from it
        return None


def _graves(store: Store, keys: Sequence[str]) -> tuple[Tombstone, ...]:
    graves = store.get_many([tombstone_doc(key) for key in keys]) if keys else {}
    return tuple(tombstone_in(one.body) for one in graves.values())


def _merges(store: Store, known: Known) -> tuple[Merge, ...]:
    names = [ledger_doc(command) for command in known.graph.merges] if known.graph else []
    found = store.get_many(names) if names else {}
    return tuple(read(found[name].body, Ledger).merge for name in names if name in found)


@contextmanager
def _opened(settings: Settings) -> Iterator[Store | None]:
    if not _is_there(settings):
        yield None
        return
    store = build_store(Registry(settings.plugins), settings, in_memory=False)
    try:
        yield store
    finally:
        store.close()


def _is_there(settings: Settings) -> bool:
    if settings.store.type == "sqlite":
        return keyed(settings) and Path(str(store_options(settings)["path"])).exists()
    return keyed(settings) and settings.store.type != "memory"


def keyed(settings: Settings) -> bool:
    """Whether there are keys: without them no identifier was ever kept."""
    keys = settings.keys
    return bool(keys.signing and keys.identifier) or (settings.directory / GENERATED).exists()
