"""What an exporter's author gives to the suite: the other side, which can be read and which misbehaves on demand."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import attrs

from cxkit.model import Interaction

__all__ = ["Backend", "Fault", "FaultName", "Received", "Traffic"]

FaultName = Literal["refuse", "hang", "drip", "reset", "cut", "throttle", "fail", "deny", "poison", "partial", "limit"]


@attrs.frozen(kw_only=True)
class Received:
    """One interaction as the other side really has it.

    Example:
        >>> Received(id="01a3", fields={"name": "order.placed"}).key is None
        True
    """

    id: str
    """The interaction's id, as `Interaction.id` was."""
    key: str | None = None
    """By what the other side tells duplicates, if it is something else than the id."""
    fields: Mapping[str, object] = attrs.field(factory=dict)
    """What else arrived: names of `Interaction`'s fields (those in `Backend.fields`) to their values."""


@attrs.frozen(kw_only=True)
class Fault:
    """How the other side misbehaves until it is healed.

    ============  ================================================================================
    refuse        it cannot be reached: connections are refused
    hang          it takes everything and never answers
    drip          it takes everything, and answers byte by byte: each comes soon, the last too late
    reset         it breaks the connection off with a reset, before it answers
    cut           it closes the connection within the first line of its answer
    throttle      too many requests: wait as long as ``retry_after`` says
    fail          it fails with ``status``, which may pass: 500, 502, 503, 504
    deny          it refuses the credentials with ``status``: 401, 403
    poison        it refuses any batch that holds one of ``refused``, for ever
    partial       it takes all but ``refused`` (for ever) and ``again`` (for now), and says which
    limit         it refuses what is larger than `Backend.max_records` or `Backend.max_bytes`
    ============  ================================================================================

    Example:
        >>> Fault(name="fail", status=503)
        Fault(name='fail', status=503, retry_after='', refused=frozenset(), again=frozenset())
    """

    name: FaultName
    status: int = 0
    retry_after: str = ""
    """The value of ``Retry-After``: seconds or a date."""
    refused: frozenset[str] = frozenset()
    """Ids of interactions."""
    again: frozenset[str] = frozenset()
    """Ids of interactions."""


@attrs.frozen(kw_only=True)
class Traffic:
    """What the other side saw of its clients so far; None is what it cannot know."""

    requests: int | None = None
    """Attempts to deliver, whatever came of them."""
    connections: int | None = None
    """Connections made so far."""
    open: int | None = None
    """Connections (or files) that clients hold open now."""


class Backend(ABC):
    """The other side of an exporter, made anew for each test.

    A real server where there is one, else something that really takes what is sent. Inherit
    `HTTPBackend`, `ProxiedBackend` or `LocalBackend` rather than this; what is abstract must be given.

    Args:
        directory: Empty, and of this one alone.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    """The fields of `Interaction` that the dialect carries and `read_back` gives: ``name``, ``properties``, ..."""
    compression: ClassVar[Mapping[str, object]] = {}
    """Settings that switch compression on; not needed if the switch is a yes or no called ``gzip``."""
    patience_s: ClassVar[float] = 5.0
    """How long `read_back` may lag behind what was said to be delivered: until then it is asked again and again. One
    that never gives anything costs each check so long."""
    skips: ClassVar[Mapping[str, str]] = {}
    """Checks that make no sense for this kind of other side: name to reason. The author's come on top."""
    max_records: ClassVar[int] = 8
    """More than so many at once are refused while ``limit`` is played."""
    max_bytes: ClassVar[int] = 16_384
    """A request with a longer body is refused while ``limit`` is played."""

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory
        self.secret: Final = f"canary-{secrets.token_hex(8)}"
        """To be used for passwords and keys in `settings`: it must show up nowhere."""

    @abstractmethod
    def start(self) -> None:
        """Be there, with nothing in it."""

    @abstractmethod
    def stop(self) -> None:
        """Be gone. Called once, at the end, in whatever state it is."""

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """The exporter's table, as ``cxkit.toml`` would have it, with which it reaches this other side."""

    @abstractmethod
    def read_back(self) -> Sequence[Received]:
        """All that the other side has now, in the order it came, duplicates included.

        Read it where it rests: from the server, its file, its database. Never from what the exporter
        says or remembers.
        """

    @abstractmethod
    def play(self, fault: Fault) -> None:
        """Misbehave like this from now on, in place of any fault before.

        Raises:
            NotImplementedError: It cannot; the check must then be skipped, with a reason.
        """

    @abstractmethod
    def heal(self) -> None:
        """Behave well again; without a fault, nothing."""

    def traffic(self) -> Traffic:
        """What it saw of its clients."""
        return Traffic()

    def sample(self, interaction: Interaction) -> Interaction:
        """Shape what the suite is about to deliver, for an exporter that takes some kinds only.

        Whatever it changes, id, identity, time and properties must stay.
        """
        return interaction

    def expected(self, interaction: Interaction) -> Mapping[str, object]:
        """What `Received.fields` of this interaction must be.

        Override it where the dialect cannot carry a value as it is, and say so there.
        """
        return {name: getattr(interaction, name) for name in self.fields}
