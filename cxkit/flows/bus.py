"""The bus: what was committed is announced, in this process at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import attrs

from cxkit.model import Interaction
from cxkit.rules.identity import Parting, Reason, Resolution

__all__ = ["Bus", "Committed", "names_of", "refusals_in"]

logger = logging.getLogger("cxkit")


@attrs.frozen(kw_only=True)
class Committed:
    """The store now holds what this command says."""

    command: Interaction
    names: tuple[str, ...] = ()
    """What happened: ``identity.linked``, ``.merged``, ``.unmerged`` and ``.refused``, ``profile.changed``,
    ``consent.changed``, ``preference.changed``, ``privacy.erased``, ``stage.changed``, or else the name of the
    command. Nothing, if it came again."""
    keys: frozenset[str]
    """The identifiers it concerns."""
    documents: frozenset[str]
    """The documents it changed."""
    versions: Mapping[str, int] = attrs.field(factory=dict)
    """Each of them to its version now, which only grows: whoever holds a smaller one holds what is out of date."""
    refused: Mapping[str, str] = attrs.field(factory=dict)
    """Type of identifier to why one of it was not linked, or its owner not merged; ``merge`` to why one stays."""


class Bus:
    """Tells everyone in this process, on the thread of whoever announces."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Committed], None]] = []

    def subscribe(self, listener: Callable[[Committed], None]) -> Callable[[], None]:
        """Be told from now on; returns what ends it. The listener must not block."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def announce(self, event: Committed) -> None:
        """Tell all listeners; what one raises costs that listener this event alone."""
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
                logger.warning("cxkit: a listener of the bus failed (%s)", type(error).__name__)


_UNTOLD: Reason = "weak_evidence"
"""No attempt to link: what is only claimed never takes part."""


def refusals_in(made: object, types: Mapping[str, str]) -> dict[str, str]:
    """What a command was refused, and why.

    Args:
        made: What the command made of the documents.
        types: Key to type, of the identifiers that were seen.
    """
    if isinstance(made, Parting):
        return {"merge": made.refused} if made.refused else {}
    if not isinstance(made, Resolution):
        return {}
    if made.dropped is not None:
        return dict.fromkeys(types.values(), made.dropped)
    return {types[key]: reason for key, reason in made.refused.items() if key in types and reason != _UNTOLD}


def names_of(command: Interaction, made: object, written: Mapping[str, int], *, refused: bool) -> tuple[str, ...]:
    """What happened.

    Args:
        made: What the command made of the documents.
        written: Those that were written, and their versions.
    """
    names = ["identity.refused"] if refused else []
    if isinstance(made, Parting):
        names += ["identity.unmerged", "profile.changed"] if written else []
        return tuple(names)
    if not isinstance(made, Resolution):
        return (command.name,) if written else ()
    if made.linked:
        names.append("identity.linked")
    if made.merge is not None:
        names.append("identity.merged")
    told = command.properties and command.name != "identity.linked"
    if (made.merge is not None or told) and any(name.startswith("person/") for name in written):
        names.append("profile.changed")
    return tuple(names)
