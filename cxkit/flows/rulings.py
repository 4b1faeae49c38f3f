"""Rulings: what an operator said of an experiment since it was declared: it runs, it has stopped, this one has won.

They are kept in the store, so that every process goes by them within a second; what was declared stays as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from cxkit.capture.scope import Scope
from cxkit.codec.wire import rfc3339
from cxkit.flows.documents import read, ruling_doc, written
from cxkit.flows.reading import Reading
from cxkit.flows.underway import Asks
from cxkit.keyring import Keyring
from cxkit.model import JSON, PURPOSES, Identity, Interaction, TouchpointSpec, purpose_bits
from cxkit.roles import Store
from cxkit.rules.experience import PENDING, Ruling

if TYPE_CHECKING:
    from cxkit.flows.desk import Desk

__all__ = ["RULED", "Rulings", "read_rulings", "rule_experiment", "ruled"]

RULED: Final = TouchpointSpec(
    name="experiment.ruled", kind="measurement", direction="outbound", purpose="necessary", priority="critical"
)
_LONGEST: Final = 200
_PREFIX: Final = ruling_doc("")
_TRY_AGAIN_S: Final = 0.5


class Rulings:
    """Those that the store holds, by experiment; read again when one has changed. For all threads.

    Args:
        ask: As `cxkit.flows.view.View.ask`.
        remote: Whether the store is.
        clock: Seconds that only grow.
    """

    def __init__(self, ask: Asks, *, remote: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._ask, self._remote, self._clock = ask, remote, clock
        self._held: Mapping[str, Ruling] | None = None
        self._due_at = -math.inf

    @property
    def due(self) -> bool:
        """Whether they are to be read: never were, or have changed; where that failed, half a second later."""
        return self._due_at <= self._clock()

    def get(self, experiment: str) -> Ruling | None:
        """The one of an experiment, as it was read last; `PENDING` if none was read yet."""
        return PENDING if self._held is None else self._held.get(experiment)

    def read(self) -> None:
        """Read them: now, or of a remote store in a while.

        Raises:
            Exception: Whatever the store raised, if it was asked here and now.
        """
        self._due_at = math.inf  # first: what changes while it is read is read again
        self._ask(self._read, patience_s=0.0 if self._remote() else math.inf)

    def changed(self, documents: Iterable[str] | None) -> None:
        """These are out of date; None: all."""
        if documents is None or any(name.startswith(_PREFIX) for name in documents):
            self._due_at = -math.inf

    def _read(self, store: Store) -> None:
        try:
            held = read_rulings(store)
        except BaseException:
            self._due_at = self._clock() + _TRY_AGAIN_S
            raise
        self._held = held


def read_rulings(store: Store) -> dict[str, Ruling]:
    """What was said last of each experiment.

    Raises:
        StoreError: They cannot be read now.
    """
    held: dict[str, Ruling] = {}
    after = ""
    while found := store.scan(_PREFIX, after=after):
        held |= {one.key.removeprefix(_PREFIX): read(one.body, Ruling) for one in found}
        after = found[-1].key
    return held


def rule_experiment(
    desk: Desk,
    scope: Scope,
    experiment: str,
    *,
    version: int,
    running: bool,
    winner: str | None,
    actor: str,
    reason: str,
) -> str | None:
    """Say of an experiment that it runs, or does not, and what has won; by whom and why."""
    said: dict[str, JSON] = {
        "experiment": experiment,
        "version": version,
        "running": running,
        "winner": winner,
        "actor": actor[:_LONGEST],
        "reason": reason[:_LONGEST],
    }
    return desk.command(
        RULED,
        scope,
        identity=Identity(),
        properties=said,
        purposes=purpose_bits(PURPOSES),
        shows=lambda known, /, **_: known,
        governed=False,
    )


def ruled(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """What the command makes of what was said of the experiment before; a later one holds.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It says no such thing.
    """
    told = command.properties
    said = {name: told[name] for name in ("running", "version", "winner", "actor", "reason") if name in told}
    new = read({**said, "at": rfc3339(command.occurred_at)}, Ruling)
    name = ruling_doc(str(told["experiment"]))
    held = reading.get([name]).get(name)
    if held is None or read(held, Ruling).at <= new.at:
        reading.put(name, written(new))
