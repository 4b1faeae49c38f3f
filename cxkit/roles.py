"""The roles a plugin can fill, with their units and the errors they may raise.

A plugin offers *factories* of these through its hooks (`cxkit.hookspecs`); the kit builds one
object per process and calls it plainly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import attrs

if TYPE_CHECKING:  # a command line that lists plugins need not read the model
    from cxkit.model import JSON, Choice, Context, Decision, ExperienceSpec, Facts, Identifier, Interaction

__all__ = [
    "Announcing",
    "Batch",
    "Change",
    "Channel",
    "Confirming",
    "Decider",
    "Document",
    "Endpoint",
    "Enricher",
    "Erasing",
    "Exporter",
    "Factory",
    "Outcome",
    "Previewing",
    "Put",
    "Recognising",
    "Reply",
    "SignalReader",
    "Store",
]

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(kw_only=True)
class Factory(Generic[T_co]):
    """How to build what fills a role, from its own settings.

    Example:
        >>> import attrs
        >>> @attrs.frozen(kw_only=True)
        ... class Settings:
        ...     size: int = 3
        >>> Factory(name="deck", settings=Settings, build=lambda settings: [0] * settings.size).build(Settings())
        [0, 0, 0]
    """

    name: str
    """What ``type = "..."`` says in the configuration; lower-case."""
    settings: type[Any]
    """An attrs class, keyword-only; its fields are the keys of the configuration's table."""
    build: Callable[[Any], T_co]
    """Called once per process, with an instance of ``settings``. May raise `ConfigurationError` or
    `MissingDependencyError`; starts no thread and opens no connection."""


# --- Exporter -------------------------------------------------------------------------------------


@attrs.frozen
class Batch:
    """What an exporter gets: canonical bytes in order of capture, decoded only if asked."""

    id: str
    """The same in every attempt with the same content: use it as idempotency key."""
    payloads: tuple[bytes, ...]
    """Each a CloudEvent in JSON, ready to be sent as it is."""

    def __len__(self) -> int:
        return len(self.payloads)

    def __iter__(self) -> Iterator[Interaction]:
        return iter(self.interactions)

    @cached_property
    def interactions(self) -> tuple[Interaction, ...]:
        """The same, decoded on first use."""
        from cxkit.codec import decode

        return tuple(decode(payload) for payload in self.payloads)


@attrs.frozen(kw_only=True)
class Outcome:
    """How one attempt of an exporter ended. The lane alone acts on it: exporters never retry.

    Make it with one of the class methods.
    """

    verdict: Literal["delivered", "retry", "split", "reject", "pause"]
    reason: str = ""
    """A stable, lower-case word or two without personal data: ``http_503``."""
    retry_after_s: float | None = None
    """The other side's own wish, if it had one: seconds from now."""
    rejected: Mapping[int, str] = attrs.field(factory=dict)
    """Index in the batch to reason, of those refused for ever."""
    again: frozenset[int] = frozenset()
    """Index in the batch of those to try again; the rest is delivered."""

    @classmethod
    def delivered(cls) -> Outcome:
        """All of it is safely with the other side."""
        return cls(verdict="delivered")

    @classmethod
    def retry(cls, reason: str, *, retry_after_s: float | None = None) -> Outcome:
        """Nothing is known to be delivered; the same batch may succeed later."""
        return cls(verdict="retry", reason=reason, retry_after_s=retry_after_s)

    @classmethod
    def split(cls, reason: str) -> Outcome:
        """The batch is refused as it is (too large, or one of it is bad): halve it to find out."""
        return cls(verdict="split", reason=reason)

    @classmethod
    def reject(
        cls, rejected: Mapping[int, str], *, again: Iterable[int] = (), retry_after_s: float | None = None
    ) -> Outcome:
        """Delivered but for some: ``rejected`` are refused for ever, ``again`` may succeed later."""
        return cls(
            verdict="reject",
            reason="rejected",
            retry_after_s=retry_after_s,
            rejected=dict(rejected),
            again=frozenset(again),
        )

    @classmethod
    def pause(cls, reason: str) -> Outcome:
        """Nothing will be accepted until somebody mends the configuration: keep everything."""
        return cls(verdict="pause", reason=reason)


@runtime_checkable
class Exporter(Protocol):
    """Takes batches out of the process. Called by one thread of its own, one call at a time.

    It may also have `Previewing.preview`, for ``cxkit export test --dry-run``, and `Erasing.erases`.
    """

    purposes: frozenset[str]
    """What it uses interactions for; each must be allowed. Empty: it does not start."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Try once, and say how it ended, within ``deadline_s`` seconds from now.

        Whatever it raises counts as `Outcome.retry`, reason: the error's type.
        """
        ...

    def close(self) -> None:
        """Give up connections and files. Called once; nothing is exported afterwards."""
        ...


@runtime_checkable
class Previewing(Protocol):
    """What an exporter may offer besides."""

    def preview(self, batch: Batch) -> str:
        """What `Exporter.export` would hand over, and where, for people: nothing leaves, secrets are masked."""
        ...


@runtime_checkable
class Erasing(Protocol):
    """What an exporter may offer besides: a person whom it hands ``privacy.erased`` over leaves there, too.

    One without it keeps what it was given, and whoever asks for an erasure is told so.
    """

    @property
    def erases(self) -> Literal["done", "requested"]:
        """What that command, once it is delivered, has come to.

        All of the person is deleted there, for all identifiers in it; or the other side was asked for it.
        """
        ...


# --- Store ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Document:
    """A document as it stands."""

    key: str
    version: int
    """Counts the commits of this key, from 1; 0 means it does not exist."""
    body: Mapping[str, JSON]


@attrs.frozen(kw_only=True)
class Put:
    """A document as it shall stand after a commit."""

    body: Mapping[str, JSON] | None
    """None deletes; the version goes on counting, so that a late writer conflicts."""
    terms: frozenset[str] = frozenset()
    """Words under which `Store.lookup` finds the document; they replace the earlier ones."""


@attrs.frozen(kw_only=True)
class Change:
    """One commit of one document."""

    token: int
    """Grows with each change of the store; opaque but for its order."""
    key: str
    version: int
    deleted: bool


@runtime_checkable
class Store(Protocol):
    """Versioned documents with compare-and-swap. Used from several threads and processes.

    Keys are ``kind/id``, at most 200 characters. Each method may raise `StoreError`: nothing
    happened, the caller may try again.
    """

    remote: bool
    """Whether a read can take longer than a file: then nobody waits for it on a request's path."""

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        """The documents that exist of those asked for, as of one moment."""
        ...

    def commit(self, puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, int]:
        """Write all or nothing.

        Args:
            puts: Key to what it shall be.
            expected: Key to the version it must have now, 0 for none; at least for every key of
                ``puts``, and for others that were read.

        Returns:
            Key to its new version.

        Raises:
            ConflictError: A version differs. Nothing was written.
        """
        ...

    def lookup(self, term: str, *, limit: int = 1000) -> list[str]:
        """The keys of documents that carry ``term``, sorted."""
        ...

    def scan(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[Document]:
        """Documents whose key starts with ``prefix`` and is greater than ``after``, by key."""
        ...

    def changes_since(self, token: int, *, limit: int = 1000) -> list[Change]:
        """Changes after ``token`` (0: all that is known), the last of each key, by token.

        Never leaves out a change that becomes visible later with a smaller token.
        """
        ...

    def close(self) -> None:
        """Give up connections and files; idempotent."""
        ...


@runtime_checkable
class Announcing(Protocol):
    """What a store may offer besides: whoever waits for a change hears of it, and need not ask again and again."""

    def await_change(self, token: int, *, timeout_s: float) -> bool:
        """Wait, on a connection of its own, until there may be changes after ``token``; whether there may be.

        Called by one thread at a time.

        Raises:
            StoreError: It cannot be waited for now.
        """
        ...


# --- Enricher, Channel, Decider -------------------------------------------------------------------


@runtime_checkable
class Enricher(Protocol):
    """Adds to the context of a scope. Called at most once per scope, on the caller's thread.

    No I/O after it is built. It has 5 ms; what raises or is slow again and again is off, but for one try a minute,
    and counted.
    """

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        """Fields of `Context` to fill; what is already there is never overwritten."""
        ...


@attrs.frozen(kw_only=True)
class Reply:
    """What an endpoint answers."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@attrs.frozen(kw_only=True)
class Endpoint:
    """A path that a channel wants to be mounted, framework-free."""

    path: str
    """Below the setting ``web.mount``; starts with a slash. ``{name}`` stands for one segment: ``/o/{token}``."""
    methods: frozenset[str]
    handle: Callable[[Facts, bytes], Reply]
    """Facts and body in, reply out; captures what happened by itself. Synchronous."""
    max_body_bytes: int = 65_536
    waits: bool = True
    """Whether ``handle`` may wait, for a store for instance; one that never does is called on an event loop itself."""
    needs: str | None = None
    """The purpose without which it is of use to nobody: ``cxkit doctor`` tells where nothing asks for it."""


@runtime_checkable
class Channel(Protocol):
    """A way customers and company meet that needs endpoints: mails, webhooks, messages."""

    def endpoints(self) -> Sequence[Endpoint]:
        """What to mount; the same each time."""
        ...


@runtime_checkable
class Recognising(Protocol):
    """What a channel may offer besides: it knows by whom somebody visits, for they follow a link in a message."""

    marker: str
    """The query parameter that such a link has: letters, digits and ``_``."""

    def recognise(self, marked: str) -> Identifier | None:
        """To whom the message with this in its link was sent; its evidence is ``token``. None: nobody we know.

        The visitor may be somebody else, for messages are forwarded. So it is captured beside who they are, and is no
        part of that: it links no device, and nothing is shown, allowed or refused by it.

        Args:
            marked: What the request's query says, at most 200 characters. No I/O.
        """
        ...


@runtime_checkable
class Confirming(Protocol):
    """What a channel that is `Recognising` may offer besides: it wants to know that its link led to a person."""

    def confirmed(self, marked: str) -> None:
        """Somebody used the page that the link with this led to, says the beacon: a sign that it was no program.

        No proof, for anybody can say so. Told as often as it is said, on a thread on which nobody waits.

        Raises:
            StoreError: It is not kept.
        """
        ...


@runtime_checkable
class Decider(Protocol):
    """Chooses for experiences, before the built-in rules do."""

    def decide(self, experience: ExperienceSpec, attributes: Mapping[str, JSON], *, cap: int) -> Decision | None:
        """A decision of depth at most ``cap``, or None to leave it to the next. No I/O."""
        ...


@runtime_checkable
class SignalReader(Protocol):
    """Turns what a browser or an app says of its owner's choices (a TC string, a GPP string) into choices.

    Pure: no clock, no I/O. It is never given a text of more than 4,096 characters.
    """

    signal: str
    """``tc``, ``gpp``, ...: what `cxkit.signal` calls it, and the policies that honour it."""
    purposes: frozenset[str]
    """All purposes it can speak of. If it raises, all of them are denied."""

    def read(self, text: str) -> Mapping[str, Choice]:
        """What the text says; a purpose it does not speak of is left out.

        Raises:
            ValueError: The text is not what it should be.
        """
        ...
