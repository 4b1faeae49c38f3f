"""apply: commands into the store, on the store's lane; and contacts into what is remembered. All of it idempotent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from cxkit.codec import decode
from cxkit.errors import ConflictError, StoreError
from cxkit.flows.bus import Bus, Committed
from cxkit.flows.consent import CONSENT_CHANGED, consented
from cxkit.flows.documents import keys_of
from cxkit.flows.erase import ERASED, erased
from cxkit.flows.identify import IDENTIFIED, identified
from cxkit.flows.link import LINKED
from cxkit.flows.preferences import PREFERENCE_CHANGED, PREFERENCE_STOPPED, preferred, stopped
from cxkit.flows.reading import Reading
from cxkit.flows.remember import remember
from cxkit.flows.sending import CONTACT_SUPPRESSED, MESSAGE_COUNTED, counted, suppressed
from cxkit.keyring import Keyring
from cxkit.model import Interaction
from cxkit.roles import Batch, Outcome, Store

__all__ = ["COMMANDS", "Applier"]

_TRIES: Final = 20
_KINDS: Final = frozenset({"identity", "consent"})
"""Of commands; whatever else comes is a contact."""

COMMANDS: Final[Mapping[str, Callable[[Reading, Keyring, Interaction], object]]] = {
    IDENTIFIED.name: identified,
    LINKED.name: identified,
    CONSENT_CHANGED.name: consented,
    ERASED.name: erased,
    PREFERENCE_CHANGED.name: preferred,
    PREFERENCE_STOPPED.name: stopped,
    CONTACT_SUPPRESSED.name: suppressed,
    MESSAGE_COUNTED.name: counted,
}
"""Name of a command to what it makes of the documents."""


class Applier:
    """Commits commands to the store and announces them. Fills the role of an exporter.

    Args:
        refused: Told of a command that never will be committed, and whom it was about.
    """

    purposes = frozenset({"necessary"})

    def __init__(
        self,
        store: Callable[[], Store],
        keyring: Keyring,
        bus: Bus,
        *,
        refused: Callable[[Iterable[str], str], object] = lambda keys, command: None,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._bus = bus
        self._refused = refused

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Apply all; at the first that cannot be applied now, the rest waits with it."""
        rejected: dict[int, str] = {}
        contacts: list[Interaction] = []
        for place, payload in enumerate(batch.payloads):
            command, keys = None, frozenset[str]()
            try:
                command = decode(payload)
                if command.kind not in _KINDS and command.name not in COMMANDS:
                    contacts.append(command)
                    continue
                keys = frozenset(keys_of(self._keyring, command.identity))
                documents = self._apply(command)
            except StoreError as error:
                left = range(place, len(batch))
                return Outcome.reject(rejected, again=left) if place else Outcome.retry(error.code)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                rejected[place] = type(error).__name__
                if command is not None:
                    self._refused(keys, command.id)
                continue
            self._bus.announce(Committed(command=command, keys=keys, documents=documents))
        try:
            remember(self._store, self._keyring, contacts)
        except StoreError as error:  # what was applied changes nothing when it comes again
            return Outcome.retry(error.code)
        return Outcome.reject(rejected) if rejected else Outcome.delivered()

    def close(self) -> None:
        """The store is the kit's to close."""

    def _apply(self, command: Interaction) -> frozenset[str]:
        for _ in range(_TRIES):
            reading = Reading(self._store())
            COMMANDS[command.name](reading, self._keyring, command)
            try:
                return reading.commit()
            except ConflictError:
                continue
        raise StoreError("a document is being changed all the time", fix="try again later", code="CX6020")
