"""A lane: one exporter's way through the spools. One thread; nobody else touches the exporter.

A *span* is a run of records read at once. Each of its records ends in exactly one way (delivered,
dropped for a reason, dead) before the cursor moves behind the span, together with the counts. So
a crash repeats at most one span, and the account never tears.

Consent is asked again here, for every attempt: what was lawful to keep may no longer be lawful to
hand on. The rule is ``rules.consent``; the answer comes through ``verdict``.

A batch that is refused as it is gets halved until the one record at fault stands alone. What is
left of a refused batch when half of it was accepted holds the fault: it is not tried as a whole.
"""

from __future__ import annotations

import math
import threading
import time
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import attrs

from cxkit.codec.frame import COMMAND, REPORT, Record
from cxkit.delivery.cursor import Progress, added
from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.erasure import tells_of_leaving
from cxkit.delivery.expiry import Expiry
from cxkit.delivery.judging import COUNTED_AS, ForExporter, ForStore, counted_as, is_erased
from cxkit.delivery.notices import Notices
from cxkit.delivery.receipts import Fates
from cxkit.delivery.retry import Backoff
from cxkit.delivery.spool import Spool
from cxkit.roles import Batch, Exporter, Outcome

__all__ = ["Lane", "LaneLimits"]

_IDLE_S: Final = 5.0
_UNKNOWN_S: Final = 1.0
_HANGS_AFTER_S: Final = 5.0  # behind its time


@attrs.frozen(kw_only=True)
class LaneLimits:
    """What one attempt may be."""

    deadline_s: float = 15.0
    max_records: int = 500
    max_bytes: int = 1_000_000


@attrs.define
class _Span:
    """Records read at once, and what has become of them."""

    spool: Spool
    began: Progress
    behind: Progress
    rest: list[Record]
    counts: Counter[str]
    suspects: int = 0
    """How many at the head of the rest were refused together, so that one of them is at fault."""
    accepted: int = 0
    """The most that was accepted at once since."""
    reports: Counter[str] = attrs.field(factory=Counter)
    """Of the counts, those of loss reports that were refused."""


class Lane:
    """Carries records to one exporter until stopped.

    Args:
        spools: The spools to drain, now; the lane asks each time.
        passed: Called after a cursor has moved.
        muted: Entered around a stranger's code, so that what it captures is not captured. Not around
            the whole thread: the app's finalisers may run on it.
    """

    def __init__(
        self,
        name: str,
        exporter: Exporter,
        *,
        limits: LaneLimits,
        judging: ForExporter | ForStore,
        spools: Callable[[], Sequence[Spool]],
        dead: DeadLetters,
        now_text: Callable[[], str],
        passed: Callable[[Spool], None],
        muted: Callable[[], AbstractContextManager[object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.exporter = exporter
        self.backoff = Backoff(max_records=limits.max_records)
        self.dropped: Counter[str] = Counter()
        """What it has given up, by reason."""
        self.dropped_reports: Counter[str] = Counter()
        """Loss reports that it has given up, which are not among the former: no report is about those."""
        self.fates = Fates()
        self._limits = limits
        self._judging = judging
        self._spools = spools
        self._dead = dead
        self._now_text = now_text
        self._passed = passed
        self._muted = muted
        self._clock = clock
        self._span: _Span | None = None
        self._turn = 0
        self._waiting_for_consent = False
        self._notices = Notices(name, muted=muted)
        self._back_by = math.inf
        self._wake = threading.Event()
        self._hurry = False
        self._stop_at: float | None = None
        self._expiry = Expiry(dead.directory, muted=muted, clock=clock)
        self.thread = threading.Thread(target=self.run, name=f"cxkit-{name}", daemon=True)

    # --- from other threads ---

    def wake(self) -> None:
        """There may be something to do. Whoever says so notices if an attempt does not come back."""
        self._wake.set()
        if self._clock() > self._back_by + _HANGS_AFTER_S:
            self._notices.hanging()

    def hurry(self) -> None:
        """Try once now, unless the other side asked to wait."""
        self._hurry = True
        self._wake.set()

    def stop(self, *, at: float) -> None:
        """End as soon as nothing is left, one attempt has failed, or the clock reads ``at``."""
        self._stop_at = at
        self.hurry()

    # --- its own thread ---

    def run(self) -> None:
        """Work until stopped; on ``thread``, or where there can be none, on whichever calls."""
        while True:
            try:
                self._until_stopped()
                break
            except BaseException:  # no memory for a lock, say: whatever it was, a thread of ours goes on
                if threading.current_thread() is not self.thread:
                    raise  # the app's own, on its thread
                time.sleep(0.1)
        self._save()
        try:
            with self._muted():
                self.exporter.close()
        except BaseException as error:  # noqa: BLE001 - a stranger's code may even exit; the thread is ours
            self._notices.unclosed(error)

    def _until_stopped(self) -> None:
        while not self._over():
            self._wake.clear()
            worked = self._may_try() and self._work_guarded()
            if self._stop_at is not None and not worked:
                break
            if not worked:
                self._expiry.look()
                self._wake.wait(self._patience())

    def _over(self) -> bool:
        return self._stop_at is not None and self._clock() >= self._stop_at

    def _may_try(self) -> bool:
        hurry, self._hurry = self._hurry, False
        if self._clock() >= self.backoff.not_before:
            return True
        return hurry and self._clock() >= self.backoff.asked_until

    def _patience(self) -> float:
        until = self.backoff.not_before - self._clock()
        return min(_IDLE_S, until) if until > 0 else _UNKNOWN_S if self._waiting_for_consent else _IDLE_S

    def _work_guarded(self) -> bool:
        try:
            return self._work()
        except Exception as error:  # noqa: BLE001 - a disk that cannot be read, an outcome that makes no sense
            self._span = None  # nothing of it is committed: it is read again
            self.backoff.failed(type(error).__name__, now=self._clock())
            return False

    def _work(self) -> bool:
        """One attempt in one spool; whether more may be done at once."""
        if self._span is None:
            self._span = self._next_span()
        span = self._span
        if span is None:
            return False
        failures = self.backoff.failures
        if span.rest:
            self._attempt(span)
        if not span.rest:
            self._close(span)
            return True
        return self.backoff.failures <= failures and not self._waiting_for_consent

    def _next_span(self) -> _Span | None:
        """The next records: of what matters most, and of each spool in turn, so that no backlog holds up the others."""
        spools = [spool for spool in self._spools() if spool.pending(self.name)]
        spools.sort(key=lambda spool: -spool.priority)
        first = 0 if self._turn % 2 == 0 else self._turn // 2 + 1
        for place in range(len(spools)):
            span = self._span_of(spools[(first + place) % len(spools)])
            if span is not None:
                self._turn += 1
                return span
        self._turn = 0
        return None

    def _span_of(self, spool: Spool) -> _Span | None:
        began = spool.cursor(self.name).progress
        if isinstance(self._judging, ForStore):
            behind = spool.past_the_stores(began)
            if behind is not began:
                return _Span(spool, began, behind, [], Counter(skipped=behind.sequence - began.sequence))
        if not spool.given_up:
            read = spool.read(began, max_records=self._limits.max_records, max_bytes=self._limits.max_bytes)
            if read.progress.sequence > began.sequence:
                return _Span(spool, began, read.progress, read.records, Counter())
            if spool.live:
                return None
        # Nothing can be read of what a dead spool still owes, or it has been given up.
        behind = attrs.evolve(began, sequence=spool.next_sequence)
        lost = Counter({f"dropped.{spool.given_up or 'corrupt'}": spool.pending(self.name)})
        return _Span(spool, began, behind, [], lost)

    def _attempt(self, span: _Span) -> None:
        tried = self._lawful(span)
        if not tried:
            return
        which = zlib.crc32(array("Q", (record.sequence for record in tried)).tobytes())
        id = f"{span.spool.name}-{tried[0].sequence}-{tried[-1].sequence}-{which:08x}"
        self._settle(span, tried, self._export(Batch(id, tuple(record.payload for record in tried))))

    def _lawful(self, span: _Span) -> list[Record]:
        """The first records of the span that may be handed on now; those that may not are dropped."""
        tried: list[Record] = []
        size = 0
        most = min(self.backoff.size, (span.suspects + 1) // 2 or self.backoff.size)
        self._waiting_for_consent = False
        judge = self._judging.anew()
        while len(tried) < min(most, len(span.rest)) and size < self._limits.max_bytes:
            record = span.rest[len(tried)]
            answer = judge(record)
            if answer == "unknown":
                self._waiting_for_consent = not tried
                break
            if answer == "allowed":
                tried.append(record)
                size += len(record.payload)
            else:
                del span.rest[len(tried)]
                span.counts[counted_as(answer, record)] += 1
        return tried

    def _export(self, batch: Batch) -> Outcome:
        deadline_s = self._limits.deadline_s
        if self._stop_at is not None:
            deadline_s = max(0.05, min(deadline_s, self._stop_at - self._clock()))
        self._back_by = self._clock() + deadline_s
        try:
            with self._muted():
                outcome: object = self.exporter.export(batch, deadline_s=deadline_s)
        except BaseException as error:  # noqa: BLE001 - a stranger's code may even exit; the thread is ours
            return Outcome.retry(type(error).__name__)
        finally:
            self._back_by = math.inf
        return outcome if isinstance(outcome, Outcome) else Outcome.retry("no_outcome")

    def _settle(self, span: _Span, tried: list[Record], outcome: Outcome) -> None:
        count = len(tried)
        if outcome.verdict == "delivered":
            self._notices.recovery()
            self._done(span, count, {})
            self.backoff.succeeded()
            self._cleared(span, count)
        elif outcome.verdict == "reject":
            self._rejected(span, tried, outcome)
            span.suspects = 0
        elif outcome.verdict == "split" and count > 1:
            span.suspects, span.accepted = count, 0
        elif outcome.verdict == "split":
            self._done(span, count, {0: outcome.reason})
            self.backoff.succeeded()
            span.suspects = 0
        else:
            self.backoff.failed(
                outcome.reason,
                now=self._clock(),
                retry_after_s=outcome.retry_after_s,
                pause=outcome.verdict == "pause",
            )
            if outcome.verdict == "pause" or self.backoff.failures > 1:  # one alone is soon forgotten
                self._notices.trouble(outcome)

    def _cleared(self, span: _Span, count: int) -> None:
        """So many of the suspects were accepted; if all were, each in a smaller batch, none is at fault."""
        if not span.suspects:
            return
        span.accepted = max(span.accepted, count)
        span.suspects = max(0, span.suspects - count)
        if not span.suspects:
            self.backoff.too_large(accepted=span.accepted)

    def _rejected(self, span: _Span, tried: list[Record], outcome: Outcome) -> None:
        again = [tried[place] for place in sorted(outcome.again) if 0 <= place < len(tried)]
        refused = {place: why for place, why in outcome.rejected.items() if place not in outcome.again}
        self._done(span, len(tried), refused, again=again)
        if again and len(again) == len(tried):
            self.backoff.failed(outcome.reason, now=self._clock(), retry_after_s=outcome.retry_after_s)
        else:
            self.backoff.succeeded(now=self._clock(), retry_after_s=outcome.retry_after_s if again else None)

    def _done(self, span: _Span, count: int, refused: dict[int, str], *, again: Sequence[Record] = ()) -> None:
        """The first ``count`` of the rest are handled, but for those to try again."""
        for place, record in enumerate(span.rest[:count]):
            if record.type == COMMAND and record not in again:
                self.fates.note(record, refused.get(place))
        buried = [place for place in sorted(refused) if 0 <= place < count]
        for place in buried:
            how = self._bury(span.rest[place], refused[place])
            span.counts[how] += 1
            span.reports[how] += span.rest[place].type == REPORT
        span.counts["delivered"] += count - len(buried) - len(again)
        span.rest[:count] = again

    def _bury(self, record: Record, reason: str) -> str:
        """Keep it as a dead letter, unless its person has left meanwhile; as what it is counted."""
        self._notices.refusal(reason)
        if tells_of_leaving(record):  # it would keep the names of whoever has left; to ask again is to erase again
            return "unkept.refused"
        why: str
        try:
            why = self._dead.add(
                record, reason=reason, at=self._now_text(), erased=lambda: is_erased(record, self._judging.verdict)
            )
        except OSError:
            why = "disk_error"
        if why == "erased":
            return COUNTED_AS[why]
        if why:
            self._notices.unkept(why)
        return f"unkept.{why}" if why else "dead"

    def _close(self, span: _Span) -> None:
        self._span = None
        self._commit(span, span.behind)

    def _save(self) -> None:
        """Keep what was settled of an unfinished span, so that the next start does not repeat it."""
        span, self._span = self._span, None
        if span is None or not span.rest or span.behind.counts != span.began.counts:
            return
        # The same place, but from a later record on: a reader passes over those before it. Only if
        # those are all that was settled; else position and counts would never agree again.
        until = span.rest[0].sequence
        if 0 < sum(span.counts.values()) == until - span.began.sequence:
            self._commit(span, attrs.evolve(span.began, sequence=until))

    def _commit(self, span: _Span, progress: Progress) -> None:
        cursor = span.spool.cursor(self.name)
        before = cursor.progress.counts
        after = added(progress.counts, {name: count for name, count in span.counts.items() if count})
        for name, count in after.items():
            how, _, reason = name.partition(".")
            if how in ("dropped", "unkept") and count > before.get(name, 0):
                self.dropped[reason] += count - before.get(name, 0) - span.reports[name]
                self.dropped_reports[reason] += span.reports[name]
        try:
            self._dead.sync()
            cursor.commit(attrs.evolve(progress, counts=after))
        except OSError:
            pass  # the position is kept in memory; a crash now would cost duplicates
        self._passed(span.spool)
