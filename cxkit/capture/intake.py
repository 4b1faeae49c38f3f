"""Intake: the walk of one capture on the caller's thread, and the queue at its end.

No lock, no I/O, no hook, and no logging but of the first of each fault. ``SimpleQueue.put`` is the
only thing shared: it is written in C and re-entrant, so a signal handler or a finaliser that
captures cannot deadlock.

The counters are added to without a lock. ``x.n += 1`` on an attribute or a dict item holds no point
at which CPython (with its global lock) switches threads, so nothing is lost; a free-threaded build
would need atomics here.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final

import attrs
import msgspec

from cxkit.capture import waiting
from cxkit.capture.gate import HELD, Prepared
from cxkit.capture.interruption import let_through
from cxkit.capture.redact import Redactor
from cxkit.capture.sanitise import sanitise
from cxkit.capture.scan import MAX_FLAT_BYTES, flat, may_link
from cxkit.capture.scope import Scope
from cxkit.capture.stamp import Stamper, clock_text
from cxkit.capture.steps import Steps
from cxkit.codec.frame import Record
from cxkit.codec.wire import assemble, occurrence
from cxkit.errors import CXError, InvalidInteractionError
from cxkit.model import Blocked, TouchpointSpec
from cxkit.model.touchpoint import CONTACTS

__all__ = ["Captured", "Intake"]

MAX_EVENT_BYTES: Final = 65_536
"""More in one interaction, and its properties are left out: CloudEvents guarantees no more in transit."""
_ITEM_BYTES: Final = 320
"""What one item of the queue takes beside its encoded parts."""
_ROOM: Final = (0.5, 0.9, 1.0)
"""How full the queue may be for low, normal and critical interactions."""

_MAX_TOLD: Final = 100
_MAX_COUNTED: Final = 1000
_MAX_COUNTED_CHARS: Final = 256
_NOTED: Final = "noted:"
"""How what is noted begins among what was dropped, with which it goes into the account."""

_CONTACTS: Final = CONTACTS - {"feedback"}
"""What may be asked about afterwards."""

logger = logging.getLogger("cxkit")
_encode = msgspec.json.Encoder().encode
_encode_into = msgspec.json.Encoder().encode_into


Captured = tuple[Prepared, str, int, bytes, bytes]
"""One interaction in parts: what its touchpoint and scope share, id, microseconds since 1970, what
this occurrence adds, properties. A plain tuple, immutable: whoever holds it may drop it or join it."""


class Intake:
    """Takes captures in and hands them to the spool worker.

    Args:
        prepare: Makes what is not prepared yet of a touchpoint in a scope.
        started: Called after the first capture of this process, and again after `reset`.
        write_now: Writes it on this thread, past the queue; says whether it did.
    """

    def __init__(
        self,
        *,
        stamper: Stamper,
        redactor: Redactor,
        prepare: Callable[[TouchpointSpec, Scope], Prepared],
        started: Callable[[], None],
        write_now: Callable[[Captured], bool] | None = None,
        max_bytes: int,
        strict: bool,
    ) -> None:
        self.stamper = stamper
        self._redactor = redactor
        self._clean = redactor.clean
        self._prepare = prepare
        self._started = started
        self._write_now = write_now
        self._room = tuple(int(max_bytes * share) for share in _ROOM)
        self._strict = strict
        self.closed = False
        self.dropped: defaultdict[str, int] = defaultdict(int)
        """What was given up, by reason; what a gate blocked that is no interaction, by its text (`Blocked`); and
        what is `noted`."""
        self._told: set[tuple[str, str]] = set()
        self.reset()

    def reset(self) -> None:
        """Start empty: in a forked child, what is queued is its parent's to deliver."""
        self.queue: SimpleQueue[Captured | None] = SimpleQueue()
        self._put = self.queue.put
        self.queued_bytes = 0
        self._accepted = 0
        self._released = 0
        self.dropped.clear()
        self.steps = Steps()
        self._running = False

    def capture(
        self,
        scope: Scope,
        spec: TouchpointSpec,
        properties: Any,
        occurrence: bytes = b"",
        marks: Mapping[str, str] | None = None,
        stamp: tuple[str, int] | None = None,
    ) -> str | None:
        """One interaction into the queue.

        Args:
            occurrence: What this occurrence adds, encoded.
            marks: What was already found wrong with it: path to marker.
            stamp: Its id and microseconds, if it did not happen just now.

        Returns:
            Its id, or None if it was dropped; then a counter says why.

        Raises:
            CXError: In strict mode only.
        """
        try:
            prepared = scope.prepared.get(spec.name)
            if prepared is None or prepared.spec is not spec:
                prepared = scope.prepared[spec.name] = self._prepare(spec, scope)
            refusal = prepared.refusal
            if refusal is not None and refusal is not HELD:
                self.dropped[refusal] += 1
                return None
            encoded = None if marks else self._encoded(properties)
            if encoded is None:
                encoded, occurrence = self._walked(properties, occurrence, marks or {})
            id, us = stamp or self.stamper.stamp()
            if refusal is not None:
                taken = waiting.hold(self, scope, spec, (id, us, occurrence, encoded))
            else:
                taken = self.put((prepared, id, us, occurrence, encoded))
            if taken is not None and spec.kind in _CONTACTS:
                scope.last_contact = taken
            return taken
        except Exception as error:  # noqa: BLE001 - the guest's promise: nothing of this reaches the app
            self.failed(error)
            return None

    def settle(self, scope: Scope, *, ended: bool = False) -> None:
        """Something was chosen, or the scope is over: what is held there is captured now, or not, or waits on."""
        try:
            waiting.settle(self, scope, self._prepare, ended=ended)
        except Exception as error:  # noqa: BLE001 - the guest's promise
            self.failed(error)

    def block(self, blocked: Blocked) -> None:
        """Count what a gate stopped that is no interaction: a link, a deeper variant, a message."""
        text = str(blocked).encode("utf-8", "replace").decode()[:_MAX_COUNTED_CHARS]
        if text not in self.dropped and len(self.dropped) >= _MAX_COUNTED:  # a destination may be anybody's word
            text = str(attrs.evolve(blocked, destination="other"))
        self.dropped[text] += 1

    def put(self, captured: Captured) -> str | None:
        """Into the spool, if that is done at once; else into the queue, if there is room for its priority."""
        if self._write_now is not None and not self.closed:
            if self._write_now(captured):
                if captured[0].step:
                    self.steps.take(captured)
                return captured[1]
            self.count("write_fell_back")
        prepared, id, _, occurrence, properties = captured
        size = len(properties) + len(occurrence) + _ITEM_BYTES
        if self.queued_bytes + size > self._room[prepared.priority] or self.closed:
            self.dropped["after_close" if self.closed else "queue_full"] += 1
            return None
        self.queued_bytes += size
        self._accepted += 1
        self._put(captured)
        if prepared.step:
            self.steps.take(captured)
        if not self._running:
            self._running = True
            try:
                self._started()
            except BaseException:  # the app's own, raised by a handler: whoever captures next asks again
                self._running = False
                raise
        return id

    def not_started(self) -> None:
        """Whoever was to take from here could not be started; the next capture asks again."""
        self._running = False

    @property
    def noted(self) -> Counter[str]:
        """What went wrong without costing an interaction, by name: a plugin that failed, say."""
        counts = dict(self.dropped)  # one look: it may be counted on meanwhile
        return Counter({name[len(_NOTED) :]: count for name, count in counts.items() if name.startswith(_NOTED)})

    def count(self, name: str) -> None:
        """Something went wrong that cost no interaction."""
        name = _NOTED + name
        self.dropped[name] += 1

    def fault(self, name: str, what: str, error: Exception, *, told: str = "") -> None:
        """The same of what is not ours and not the caller's, a store say: told once for each name, without its text.

        Args:
            told: What may be told of it, for it is of nobody; then once for each such text.
        """
        self.count(name)
        text = "".join(one if one.isprintable() else "?" for one in told)
        self._say((name, text), what, text or f"({type(error).__name__})")

    def note(self, error: Exception) -> None:
        """Something went wrong that cost no interaction: raised in strict mode, else counted and told once.

        Here, as in `failed` and `spoilt`, what interrupts the app is raised in any mode.
        """
        let_through(error)
        if self._strict:
            raise error
        self.count(_fault(error))
        self._tell("a call had no effect", error)

    def failed(self, error: Exception) -> None:
        """A capture that went wrong: raised in strict mode, else counted and told once."""
        let_through(error)
        if self._strict:
            raise error
        fault = _fault(error)
        self.dropped[fault] += 1
        self._tell("an interaction was dropped", error)

    def spoilt(self, what: str, error: Exception) -> None:
        """A part of an interaction that cannot be kept: raised in strict mode, else counted and told once."""
        let_through(error)
        if self._strict:
            raise error
        self.count("part_invalid")
        self._tell(f"{what} did not fit, and interactions are kept without", error)

    def _tell(self, what: str, error: Exception) -> None:
        """Once for each fault: whoever develops the app must hear of it, and no log must fill up."""
        code = error.code if isinstance(error, CXError) else type(error).__name__
        text = str(error) if isinstance(error, CXError) else code
        self._say((what, code), f"{what}:", "".join(one if one.isprintable() else "?" for one in text))

    def _say(self, about: tuple[str, str], what: str, why: str) -> None:
        if about not in self._told and len(self._told) < _MAX_TOLD:
            self._told.add(about)
            logger.warning("cxkit: %s %s", what, why)

    def take(self, timeout_s: float | None) -> list[Captured]:
        """All that is queued; waits for the first up to ``timeout_s`` (None: for ever). For one thread.

        What is taken still counts as queued until `release`, for it is still in memory.
        """
        taken: list[Captured | None] = []
        try:
            taken.append(self.queue.get(timeout=timeout_s) if timeout_s != 0 else self.queue.get_nowait())
            while True:
                taken.append(self.queue.get_nowait())
        except Empty:
            return [one for one in taken if one is not None]

    def count_anew(self, dropped: Mapping[str, int]) -> None:
        """Whoever accounts for these drops is about to end: what is dropped from here on is the next one's."""
        fresh: defaultdict[str, int] = defaultdict(int)
        if self.dropped is dropped:
            self.dropped = fresh

    def rest(self) -> bool:
        """Whoever took from here has ended; whether there is more already."""
        self._running = not self.queue.empty()
        return self._running

    def nudge(self) -> None:
        """Wake whoever waits in `take`."""
        self.queue.put(None)

    def release(self, taken: list[Captured]) -> None:
        """What was taken is written, or given up."""
        freed = _size(taken)
        self.queued_bytes -= freed  # on a line of its own: threads switch while it is summed up
        self._released += len(taken)

    @staticmethod
    def priority(captured: Captured) -> int:
        """Index into ``PRIORITIES``."""
        return captured[0].priority

    def forget(self, count: int, left: list[Captured]) -> None:
        """So many that were taken are gone, and nobody knows how large they were; these are left."""
        freed = self.queued_bytes - _size(left)
        self.queued_bytes -= freed
        self._released += count

    def record(self, captured: Captured) -> Record:
        """What the spool keeps of it."""
        prepared, id, us, occurrence, properties = captured
        _, shared, subject, purposes, own, priority, type, _, governed, holds, _ = prepared
        payload = assemble(id, clock_text(us), shared, occurrence, properties)
        return Record(payload, subject, purposes, own, priority, type, governed=governed, holds=holds)

    @property
    def queued(self) -> int:
        """How many were put in and not yet released."""
        return self._accepted - self._released

    def _encoded(self, properties: Any) -> bytes | None:
        """Properties as they are; None if they need the walk."""
        if type(properties) is not dict or not flat(properties, self._clean):
            return None
        try:
            encoded = _encode(properties)
        except (UnicodeEncodeError, TypeError, RuntimeError):  # a lone surrogate, or changed by another thread
            return None
        return None if len(encoded) > MAX_FLAT_BYTES or may_link(encoded) else encoded

    def _walked(self, properties: Any, extra: bytes, marks: Mapping[str, str]) -> tuple[bytes, bytes]:
        walked = sanitise(properties, redactor=self._redactor)
        encoded, trimmed = _encoded_large(walked.properties), {**walked.trimmed, **marks}
        if len(encoded) > MAX_EVENT_BYTES:
            trimmed = {"": f"oversize:{len(encoded)}"}
            encoded = b"{}"
        if trimmed and self._strict:
            found = ", ".join(f"{path or 'all'}: {mark}" for path, mark in list(trimmed.items())[:3])
            raise InvalidInteractionError(
                f"properties cannot be kept as they are ({found})",
                fix="capture plain, finite, small values under names that are no secrets",
                code="CX3102",
            )
        return encoded, extra + occurrence(trimmed=trimmed)


def _size(items: list[Captured]) -> int:
    return sum(len(one[3]) + len(one[4]) + _ITEM_BYTES for one in items)


def _encoded_large(properties: Mapping[str, Any]) -> bytes:
    # msgspec 0.22's ``encode`` crashes the process if memory runs out while it grows its buffer; this one raises.
    buffer = bytearray()
    _encode_into(properties, buffer)
    return bytes(buffer)


def _fault(error: Exception) -> str:
    return "invalid" if isinstance(error, CXError) else "internal_error"
