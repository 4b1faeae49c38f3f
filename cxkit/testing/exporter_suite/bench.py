"""The workbench of one check: the exporter on a thread of its own, the other side, and what was seen."""

from __future__ import annotations

import math
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn, Self, TypeVar

import attrs
import pytest

from cxkit.codec import encode
from cxkit.model import Evidence, Identifier, Identity, Interaction
from cxkit.roles import Batch, Exporter, Factory, Outcome
from cxkit.settings import structure
from cxkit.testing.exporter_suite.backend import Backend, Fault, Received, Traffic

__all__ = ["GRACE_S", "Bench", "Drained", "Hand", "batch_of", "fails", "interaction"]

T = TypeVar("T")
GRACE_S: Final = 2.0
"""How much longer than its deadline an attempt may take: this machine may be busy."""
_STUCK_S: Final = 30.0
_WORD: Final = re.compile(r"[a-z0-9_]{1,64}")
_MOST_ATTEMPTS: Final = 60


def fails(why: str) -> NoReturn:
    """End a check: the exporter does not do what it must."""
    pytest.fail(why, pytrace=False)


def interaction(number: int, *, subject: str = "nancy", at: datetime | None = None, **changes: Any) -> Interaction:
    """An interaction as a lane may hand it over; the same number gives the same id."""
    at = at or datetime.now(UTC)
    evidence: Evidence = "login"
    return Interaction(
        id=f"01a3185c-5000-7000-b000-{number:012}",
        occurred_at=at.replace(microsecond=number % 1_000_000),
        name=changes.pop("name", "suite.seen"),
        source="/suite",
        identity=Identity(identifiers=(Identifier(type="user_id", value=subject, evidence=evidence),)),
        properties=changes.pop("properties", {"number": number}),
        **changes,
    )


def batch_of(interactions: Sequence[Interaction], *, id: str | None = None) -> Batch:
    """A batch; its id depends on what is in it, as the lane's does."""
    ids = [one.id for one in interactions]
    return Batch(
        id or f"b-{'-'.join(one[-4:] for one in ids[:1] + ids[-1:])}-{len(ids)}", tuple(map(encode, interactions))
    )


class Hand:
    """A daemon thread that does one thing after the other; what hangs is left behind."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="suite-lane", daemon=True).start()

    def do(self, work: Callable[[], T], *, within_s: float) -> T:
        """Do it there, and wait.

        Raises:
            TimeoutError: It takes longer.
        """
        future: Future[T] = Future()
        self._work.put((future, work))
        return future.result(within_s)

    def rest(self) -> None:
        self._work.put(None)

    def _run(self) -> None:
        while (asked := self._work.get()) is not None:
            future, work = asked
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                future.set_exception(error)


@attrs.frozen(kw_only=True)
class Drained:
    """What became of interactions that were tried until nothing was left to try."""

    delivered: Sequence[str]
    dead: Mapping[str, str]
    """Id to reason."""
    outcomes: Sequence[Outcome]


class Bench:
    """What a check works with. A context manager: exporters are closed and the other side stopped at its end."""

    def __init__(self, factory: Factory[Any], backend: Backend) -> None:
        self.factory = factory
        self.backend = backend
        self._hands: dict[int, Hand] = {}
        self._made: list[Exporter] = []

    def __enter__(self) -> Self:
        self.backend.start()
        return self

    def __exit__(self, *_: object) -> None:
        for exporter in self._made:
            try:
                self.close(exporter)
            except (TimeoutError, Exception):  # noqa: BLE001 - it has its own check
                continue
        self.backend.heal()
        self.backend.stop()

    # --- the exporter ---

    def settings(self, **more: object) -> Any:
        """The settings with which the exporter reaches the other side, checked as a kit would."""
        return structure(self.factory.settings, {**self.backend.settings(), **more}, where="exporters.suite")

    def exporter(self, **more: object) -> Exporter:
        """A new one, built on this thread."""
        made: Exporter = self.factory.build(self.settings(**more))
        self._made.append(made)
        return made

    def samples(self, count: int, *, first: int = 0, **changes: Any) -> list[Interaction]:
        """Interactions of one person, in order, as the backend wants them."""
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        numbers = range(first, first + count)
        return [self.backend.sample(interaction(number, at=at, **changes)) for number in numbers]

    def export(self, exporter: Exporter, batch: Batch, *, deadline_s: float = 5.0) -> Outcome:
        """One attempt, on the exporter's thread, checked for what holds of every outcome."""
        hand = self._hands.setdefault(id(exporter), Hand())
        began = time.monotonic()
        try:
            outcome: object = hand.do(
                lambda: exporter.export(batch, deadline_s=deadline_s), within_s=deadline_s + GRACE_S
            )
        except TimeoutError as error:
            if time.monotonic() - began < deadline_s + GRACE_S:
                fails(f"export raised {type(error).__name__}: give an outcome instead")
            self._hands.pop(id(exporter))
            fails(f"export had {deadline_s:g} s and is still at it {GRACE_S:g} s later: keep to deadline_s")
        except BaseException as error:  # noqa: BLE001 - whatever it is
            fails(f"export raised {type(error).__name__}: give an outcome instead")
        return _sound(outcome, len(batch))

    def close(self, exporter: Exporter) -> None:
        """Close it, on its thread; once, however often this is called.

        Raises:
            TimeoutError: It takes too long.
        """
        if exporter not in self._made:
            return
        self._made.remove(exporter)
        hand = self._hands.pop(id(exporter), None) or Hand()
        hand.do(exporter.close, within_s=_STUCK_S)
        hand.rest()

    def given_away(self, exporter: Exporter) -> None:
        """Somebody else closes it."""
        self._made.remove(exporter)

    def drain(self, exporter: Exporter, interactions: Sequence[Interaction]) -> Drained:
        """Carry them over as a lane would, but without its patience: what must wait is tried again at once."""
        delivered: list[str] = []
        dead: dict[str, str] = {}
        outcomes: list[Outcome] = []
        todo = [list(interactions)]
        while todo:
            now = todo.pop(0)
            outcome = self.export(exporter, batch_of(now))
            outcomes.append(outcome)
            if len(outcomes) > _MOST_ATTEMPTS or outcome.verdict == "pause":
                ends = [f"{one.verdict} {one.reason}" for one in outcomes[-3:]]
                fails(f"{len(now)} interactions get nowhere after {len(outcomes)} attempts; last outcomes: {ends}")
            if outcome.verdict == "delivered":
                delivered += [one.id for one in now]
            elif outcome.verdict == "retry":
                todo.insert(0, now)
            elif outcome.verdict == "split" and len(now) > 1:
                half = (len(now) + 1) // 2
                todo[:0] = [now[:half], now[half:]]
            else:
                refused = {0: outcome.reason} if outcome.verdict == "split" else outcome.rejected
                dead |= {now[index].id: reason for index, reason in refused.items()}
                again = sorted(outcome.again)
                delivered += [one.id for index, one in enumerate(now) if index not in refused.keys() | outcome.again]
                todo[:0] = [[now[index] for index in again]] if again else []
        return Drained(delivered=delivered, dead=dead, outcomes=outcomes)

    def deliver(self, exporter: Exporter, interactions: Sequence[Interaction]) -> None:
        """One attempt that must succeed."""
        outcome = self.export(exporter, batch_of(interactions))
        if outcome.verdict != "delivered":
            fails(f"{len(interactions)} interactions were not delivered to a healthy backend: {shown(outcome)}")

    # --- the other side ---

    def play(self, fault: Fault) -> None:
        """Let the other side misbehave."""
        try:
            self.backend.play(fault)
        except NotImplementedError as error:
            fails(
                f'the backend does not play "{fault.name}" ({error}). '
                f"Override {type(self.backend).__name__}.play, or skip this check and say why: "
                'exporter_suite(..., skips={"test_...": "the reason"})'
            )

    def play_outage_if_any(self) -> None:
        """Likewise; if neither can be played, nothing."""
        try:
            self.backend.play(Fault(name="refuse"))
        except NotImplementedError:
            return

    def play_outage(self) -> None:
        """Fail, or be out of reach: whichever can be played."""
        try:
            self.backend.play(Fault(name="fail", status=503))
        except NotImplementedError:
            self.play(Fault(name="refuse"))

    def received(self, *, at_least: int = 0) -> Sequence[Received]:
        """What the other side has, once it has so many different ones, or its patience ends."""
        until = time.monotonic() + self.backend.patience_s
        while True:
            received = self.backend.read_back()
            if len({one.id for one in received}) >= at_least or time.monotonic() > until:
                return received
            time.sleep(0.01)

    def arrived(self, interactions: Sequence[Interaction], *, once: bool = True) -> Sequence[Received]:
        """What the other side has: all of these, nothing else, and each once (or at least once)."""
        wanted = [one.id for one in interactions]
        received = self.received(at_least=len(wanted))
        ids = [one.id for one in received]
        if wanted and not ids:
            fails(
                f"{type(self.backend).__name__}.read_back gave nothing of what was said to be delivered, within its "
                f"patience_s ({self.backend.patience_s:g} s): it is not there, or read_back does not look where it is"
            )
        missing, foreign = sorted(set(wanted) - set(ids)), sorted(set(ids) - set(wanted))
        if foreign:
            fails(f"the other side has what was not handed over, or was to be refused: {_some(foreign)}")
        if missing:
            fails(f"said to be delivered, but not with the other side: {_some(missing)} (of {len(wanted)})")
        if once and len(ids) > len(wanted):
            fails(f"arrived more than once: {_some(sorted({one for one in ids if ids.count(one) > 1}))}")
        return received

    def nothing_arrived(self, why: str) -> None:
        received = self.backend.read_back()
        if received:
            fails(f"{why}, but the other side has {len(received)}: {_some([one.id for one in received])}")

    def seen(self, what: str) -> int:
        """One number of the traffic that the backend must know for this check."""
        number: int | None = getattr(self.traffic(), what)
        if number is None:
            fails(f"Backend.traffic() does not know `{what}`: give it, or skip this check and say why")
        return number

    def traffic(self) -> Traffic:
        return self.backend.traffic()


def shown(outcome: Outcome) -> str:
    """An outcome in a message."""
    return f"{outcome.verdict} {outcome.reason} {dict(outcome.rejected) or ''} {sorted(outcome.again) or ''}".strip()


def _sound(outcome: object, size: int) -> Outcome:
    if not isinstance(outcome, Outcome):
        fails(f"export returned {type(outcome).__name__}, not an Outcome")
    wrong = []
    reasons = [*outcome.rejected.values(), *([outcome.reason] if outcome.verdict != "delivered" else [])]
    wrong += [f"the reason {one!r} is no lower-case word (a-z, 0-9, _)" for one in reasons if not _WORD.fullmatch(one)]
    indexes = outcome.rejected.keys() | outcome.again
    if outcome.verdict != "reject" and indexes:
        wrong.append("only `reject` names single ones")
    if not indexes <= set(range(size)):
        wrong.append(f"it names {sorted(indexes)}, and the batch has {size}")
    if outcome.rejected.keys() & outcome.again:
        wrong.append("one cannot be both rejected and tried again")
    wait_s = outcome.retry_after_s
    if wait_s is not None and not (math.isfinite(wait_s) and wait_s >= 0):
        wrong.append(f"retry_after_s is {wait_s}")
    if wrong:
        fails(f"an outcome makes no sense ({outcome!r}): {'; '.join(wrong)}")
    return outcome


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
