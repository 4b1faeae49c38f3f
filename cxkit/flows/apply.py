"""apply: commands into the store, on the store's lane; and contacts into what is remembered. All of it idempotent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from cxkit.capture.interruption import let_through
from cxkit.codec import decode
from cxkit.errors import ConflictError, StoreError
from cxkit.flows.arrive import ARRIVED
from cxkit.flows.ask import ANSWERED, ASKED, SKIPPED, answered, remembered_asking
from cxkit.flows.assign import ASSIGNED, assigned
from cxkit.flows.bus import Bus, Committed, names_of, refusals_in
from cxkit.flows.consent import CONSENT_CHANGED, consented
from cxkit.flows.documents import keys_of
from cxkit.flows.erase import ERASED, erased
from cxkit.flows.identify import IDENTIFIED, identified
from cxkit.flows.link import LINKED, linked
from cxkit.flows.operate import MERGED, UNMERGED, merged, unmerged
from cxkit.flows.people import read_ahead
from cxkit.flows.preferences import PREFERENCE_CHANGED, PREFERENCE_STOPPED, preferred, stopped
from cxkit.flows.reading import Reading
from cxkit.flows.remember import remember
from cxkit.flows.reports import LEFT, left
from cxkit.flows.rulings import RULED, ruled
from cxkit.flows.sending import CONTACT_SUPPRESSED, MESSAGE_COUNTED, counted, suppressed
from cxkit.keyring import Keyring
from cxkit.model import Identifier, Interaction
from cxkit.roles import Batch, Outcome, Store
from cxkit.rules.identity import TYPES, Types

__all__ = ["COMMANDS", "Applier"]

_TRIES: Final = 20
_TOGETHER: Final = 100
"""Commands in one commit at most: a store that is busy with it keeps others waiting."""
_KINDS: Final = frozenset({"identity", "consent"})
"""Of nothing but commands: one that nobody knows is rejected. Others go by their names; what is none is a contact."""

Act = Callable[..., object]
"""Takes a `Reading`, a `Keyring` and the command; of the graph, also what identifiers are worth."""

COMMANDS: Final[Mapping[str, Act]] = {
    IDENTIFIED.name: identified,
    ARRIVED.name: identified,
    LINKED.name: linked,
    MERGED.name: merged,
    UNMERGED.name: unmerged,
    CONSENT_CHANGED.name: consented,
    ERASED.name: erased,
    PREFERENCE_CHANGED.name: preferred,
    PREFERENCE_STOPPED.name: stopped,
    CONTACT_SUPPRESSED.name: suppressed,
    MESSAGE_COUNTED.name: counted,
    LEFT.name: left,
    ASSIGNED.name: assigned,
    ASKED.name: remembered_asking,
    SKIPPED.name: remembered_asking,
    ANSWERED.name: answered,
    RULED.name: ruled,
}
"""Name of a command to what it makes of the documents."""


_UNTYPED: Final = frozenset(
    {UNMERGED.name, ERASED.name, MESSAGE_COUNTED.name, LEFT.name, ASSIGNED.name, RULED.name, ASKED.name, SKIPPED.name}
)
"""Commands that change the same whatever identifiers are worth."""


class Applier:
    """Commits commands to the store and announces them. Fills the role of an exporter.

    Args:
        refused: Told of a command that never will be committed, and whom it was about.
        types: What identifiers are worth.
    """

    purposes = frozenset({"necessary"})

    def __init__(
        self,
        store: Callable[[], Store],
        keyring: Keyring,
        bus: Bus,
        *,
        refused: Callable[[Iterable[str], str], object] = lambda keys, command: None,
        types: Types = TYPES,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._bus = bus
        self._refused = refused
        self._commands: dict[str, Act] = {
            name: act if name in _UNTYPED else partial(act, types=types) for name, act in COMMANDS.items()
        }

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Apply all, denials before the rest; at the first that cannot be applied now, the rest waits with it."""
        commands, contacts, rejected = self._sorted(batch)
        done = 0
        for turn, (place, command) in enumerate(commands):
            if turn % _TOGETHER == 0:
                next_ones = [one for _, one in commands[turn : turn + _TOGETHER]]
                done = turn + len(next_ones) if self._follow_together(next_ones) else turn
            if turn < done:
                continue
            try:
                self._follow(command)
            except StoreError as error:
                again = [*contacts, *(left for left, _ in commands[turn:])]
                some = len(again) + len(rejected) < len(batch)
                return Outcome.reject(rejected, again=again) if some else Outcome.retry(error.code)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one holds up no other
                let_through(error)
                rejected[place] = type(error).__name__
        try:
            self._remember(contacts.values())
        except StoreError as error:  # what was applied changes nothing when it comes again
            return Outcome.retry(error.code)
        return Outcome.reject(rejected) if rejected else Outcome.delivered()

    def close(self) -> None:
        """The store is the kit's to close."""

    def _sorted(self, batch: Batch) -> tuple[list[tuple[int, Interaction]], dict[int, Interaction], dict[int, str]]:
        """The commands, denials first; the contacts; and what is neither. Each with its place."""
        rejected: dict[int, str] = {}
        commands: list[tuple[int, Interaction]] = []
        contacts: dict[int, Interaction] = {}
        for place, payload in enumerate(batch.payloads):
            try:
                one = decode(payload)
            except ValueError as error:
                rejected[place] = type(error).__name__
                continue
            if one.kind in _KINDS or one.name in self._commands:
                commands.append((place, one))
            else:
                contacts[place] = one
        commands.sort(key=lambda one: not _denies(one[1]))
        return commands, contacts, rejected

    def _follow_together(self, commands: Sequence[Interaction]) -> bool:
        """Do what all of them say in one commit, and tell of it; False: each has to be done by itself."""
        if len(commands) < 2:
            return False
        followed: list[tuple[Interaction, Mapping[str, Identifier], object, frozenset[str]]] = []
        try:
            reading = Reading(self._store())
            read_ahead(reading, self._keyring, commands)
            for command in commands:
                made = self._commands[command.name](reading, self._keyring, command)
                followed.append((command, keys_of(self._keyring, command.identity), made, reading.turn()))
            versions = reading.commit()
        except Exception as error:  # noqa: BLE001 - one by one it is found out which of them it was
            let_through(error)
            return False
        for command, named, made, put in followed:
            self._tell(command, named, made, {name: versions[name] for name in put})
        return True

    def _follow(self, command: Interaction) -> None:
        """Do what one command says, and tell of it."""
        keys = frozenset[str]()
        try:
            named = keys_of(self._keyring, command.identity)
            keys = frozenset(named)
            made, versions = self._apply(command)
        except StoreError:
            raise
        except Exception:
            self._refused(keys, command.id)
            raise
        self._tell(command, named, made, versions)

    def _tell(
        self, command: Interaction, named: Mapping[str, Identifier], made: object, versions: Mapping[str, int]
    ) -> None:
        refused = refusals_in(made, {key: one.type for key, one in named.items()})
        self._bus.announce(
            Committed(
                command=command,
                names=names_of(command, made, versions, refused=bool(refused)),
                keys=frozenset(named),
                documents=frozenset(versions),
                versions=versions,
                refused=refused,
            )
        )

    def _apply(self, command: Interaction) -> tuple[object, dict[str, int]]:
        for _ in range(_TRIES):
            reading = Reading(self._store())
            made = self._commands[command.name](reading, self._keyring, command)
            try:
                return made, reading.commit()
            except ConflictError:
                continue
        raise StoreError("a document is being changed all the time", fix="try again later", code="CX6020")

    def _remember(self, contacts: Iterable[Interaction]) -> None:
        for key, (contact, versions) in remember(self._store, self._keyring, [*contacts]).items():
            self._bus.announce(
                Committed(
                    command=contact,
                    names=("stage.changed",),
                    keys=frozenset({key}),
                    documents=frozenset(versions),
                    versions=versions,
                )
            )


def _denies(command: Interaction) -> bool:
    """Whether it takes something back that was allowed: nobody may see a grant before it."""
    said = command.properties
    choices = said.get("choices")
    denied = said.get("choice") == "denied" or (isinstance(choices, dict) and "denied" in choices.values())
    stops = command.name == PREFERENCE_STOPPED.name and not said.get("lifted")
    return denied or stops or command.name == CONTACT_SUPPRESSED.name
