"""What the store knows of a person now, for those who may read it: never making a file, a key or a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cxkit.flows.documents import keys_of
from cxkit.flows.known import Known
from cxkit.flows.view import View
from cxkit.keyring import GENERATED
from cxkit.kit.assembly import build_store, open_keyring, store_options
from cxkit.model import Identifier, Identity
from cxkit.registry import Registry
from cxkit.roles import Store
from cxkit.settings import Settings

__all__ = ["known_now"]


def known_now(settings: Settings, identifiers: Sequence[Identifier]) -> Known | None:
    """What is known of whoever these identifiers, the best known first, belong to.

    None: the store is not there yet, is in another process's memory, or cannot be read.
    """
    try:
        with _opened(settings) as store:
            if store is None:
                return None
            keyring = open_keyring(settings, in_memory=False, shared=store.remote)
            return View(lambda: store).of(keys_of(keyring, Identity(identifiers=tuple(identifiers))))
    except Exception:  # noqa: BLE001 - whatever a store raises, nothing is known from it
        return None


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
    keys = settings.keys
    keyed = (keys.signing and keys.identifier) or (settings.directory / GENERATED).exists()
    if settings.store.type == "sqlite":
        return bool(keyed) and Path(str(store_options(settings)["path"])).exists()
    return bool(keyed) and settings.store.type != "memory"
