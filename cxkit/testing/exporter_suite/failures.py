"""What must become of an attempt when the other side misbehaves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import pytest

from cxkit.model import Interaction
from cxkit.roles import Exporter, Outcome
from cxkit.testing.exporter_suite.backend import Fault, FaultName
from cxkit.testing.exporter_suite.bench import Bench, batch_of, fails, shown

__all__ = ["FailureChecks"]

_DEADLINE_S: Final = 0.5
_WAIT_S: Final = 120


class FailureChecks:
    """See `cxkit.testing.exporter_suite`."""

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_what_may_pass_is_retried(self, bench: Bench, status: int) -> None:
        """Too many requests and failures of the server pass: nothing is lost, nothing is claimed."""
        fault = Fault(name="throttle", retry_after="1") if status == 429 else Fault(name="fail", status=status)
        exporter, interactions = bench.exporter(), bench.samples(5)
        bench.play(fault)
        _retried(bench, exporter, interactions, f"status {status}")
        bench.nothing_arrived(f"the other side refused everything with {status}")
        bench.backend.heal()
        bench.deliver(exporter, interactions)
        bench.arrived(interactions)

    @pytest.mark.parametrize("form", ["seconds", "date"])
    def test_retry_after_is_passed_on(self, bench: Bench, form: str) -> None:
        """The wait that the other side asks for reaches the lane, in either form that HTTP knows."""
        at = datetime.now(UTC) + timedelta(seconds=_WAIT_S)
        bench.play(
            Fault(name="throttle", retry_after=str(_WAIT_S) if form == "seconds" else format_datetime(at, usegmt=True))
        )
        outcome = _retried(bench, bench.exporter(), bench.samples(2), "status 429")
        wait_s = outcome.retry_after_s
        if wait_s is None or not _WAIT_S - 30 <= wait_s <= _WAIT_S + 2:
            fails(f"the other side asked for {_WAIT_S} s, as {form}; retry_after_s is {wait_s}")

    @pytest.mark.parametrize("fault", ["refuse", "reset", "cut"])
    def test_broken_connections_are_retried(self, bench: Bench, fault: FaultName) -> None:
        """No connection, or none to the end of the answer: nobody said yes, so nothing is claimed."""
        exporter, interactions = bench.exporter(), bench.samples(5)
        bench.play(Fault(name=fault))
        _retried(bench, exporter, interactions, f"a connection that ends so: {fault}")
        bench.backend.heal()
        bench.deliver(exporter, interactions)
        bench.arrived(interactions, once=False)

    def test_works_again_after_an_outage(self, bench: Bench) -> None:
        """The exporter that had a connection finds that it is gone, and makes another."""
        exporter, interactions = bench.exporter(), bench.samples(9)
        bench.deliver(exporter, interactions[:3])
        bench.play(Fault(name="refuse"))
        _retried(bench, exporter, interactions[3:6], "an outage")
        bench.backend.heal()
        for part in (interactions[3:6], interactions[6:]):
            bench.deliver(exporter, part)
        bench.arrived(interactions, once=False)

    def test_a_hang_is_bounded(self, bench: Bench) -> None:
        """Who takes everything and never answers costs one deadline, and is tried again."""
        _bounded(bench, "hang")

    def test_a_drip_is_bounded(self, bench: Bench) -> None:
        """Each byte comes in time, the last one does not: the deadline is for all of it."""
        _bounded(bench, "drip")

    @pytest.mark.parametrize("status", [401, 403])
    def test_denied_pauses(self, bench: Bench, status: int) -> None:
        """A key that is not accepted somebody must mend; until then everything is kept."""
        exporter, interactions = bench.exporter(), bench.samples(3)
        bench.play(Fault(name="deny", status=status))
        outcome = bench.export(exporter, batch_of(interactions))
        if outcome.verdict != "pause":
            fails(f"credentials that are refused with {status} came to {shown(outcome)}, not to pause")
        bench.nothing_arrived("the other side refused the credentials")
        bench.backend.heal()
        bench.deliver(exporter, interactions)
        bench.arrived(interactions)

    @pytest.mark.parametrize("place", [0, 4, 8])
    def test_poison_is_isolated(self, bench: Bench, place: int) -> None:
        """One that is refused for ever becomes a dead letter, alone and by name; the others arrive."""
        interactions = bench.samples(9)
        poison = interactions[place]
        bench.play(Fault(name="poison", refused=frozenset({poison.id})))
        drained = bench.drain(bench.exporter(), interactions)
        if set(drained.dead) != {poison.id}:
            fails(f"refused was the one at {place}; reported were those at {_places(interactions, drained.dead)}")
        healthy = [one for one in interactions if one is not poison]
        _exact(drained.delivered, healthy)
        bench.arrived(healthy)

    def test_partial_acceptance_is_exact(self, bench: Bench) -> None:
        """Of a batch that is accepted in part, each one is reported as what it is: taken, refused, or again."""
        exporter, interactions = bench.exporter(), bench.samples(8)
        refused, again = {1, 6}, {3, 7}
        bench.play(
            Fault(
                name="partial",
                refused=frozenset(interactions[place].id for place in refused),
                again=frozenset(interactions[place].id for place in again),
            )
        )
        outcome = bench.export(exporter, batch_of(interactions))
        if (outcome.verdict, {*outcome.rejected}, {*outcome.again}) != ("reject", refused, again):
            fails(f"refused were {sorted(refused)}, to try again {sorted(again)}; the outcome is {shown(outcome)}")
        bench.backend.heal()
        bench.deliver(exporter, [interactions[place] for place in sorted(again)])
        bench.arrived([one for place, one in enumerate(interactions) if place not in refused])

    @pytest.mark.parametrize("what", ["count", "bytes"])
    def test_limits_are_kept(self, bench: Bench, what: str) -> None:
        """More, or more bytes, than the other side takes at once arrives in parts; nothing is given up."""
        backend = bench.backend
        if what == "count":
            interactions = bench.samples(3 * backend.max_records)
        else:
            quarter = {"text": "x" * (backend.max_bytes // 4)}
            interactions = bench.samples(6, properties=quarter)
        bench.play(Fault(name="limit"))
        drained = bench.drain(bench.exporter(), interactions)
        if drained.dead:
            fails(f"given up because the batch was too large, not they: {len(drained.dead)} of {len(interactions)}")
        _exact(drained.delivered, interactions)
        bench.arrived(interactions)


def _retried(bench: Bench, exporter: Exporter, interactions: Sequence[Interaction], why: str) -> Outcome:
    outcome = bench.export(exporter, batch_of(interactions))
    if outcome.verdict != "retry":
        fails(f"{why} came to {shown(outcome)}, not to retry")
    return outcome


def _bounded(bench: Bench, fault: FaultName) -> None:
    exporter, interactions = bench.exporter(), bench.samples(3)
    bench.play(Fault(name=fault))
    for _ in range(2):
        outcome = bench.export(exporter, batch_of(interactions), deadline_s=_DEADLINE_S)
        if outcome.verdict != "retry":
            fails(f"no answer within the deadline came to {shown(outcome)}, not to retry")
    bench.backend.heal()
    bench.deliver(exporter, interactions)
    bench.arrived(interactions, once=False)


def _exact(delivered: Sequence[str], wanted: Sequence[Interaction]) -> None:
    """What is said to be delivered is what is, each once: the account depends on it."""
    if sorted(delivered) != sorted(one.id for one in wanted):
        different = len(set(delivered))
        fails(f"{len(wanted)} were to be delivered; the outcomes say {len(delivered)}, {different} of them different")


def _places(interactions: Sequence[Interaction], ids: object) -> list[int]:
    return [place for place, one in enumerate(interactions) if one.id in ids]  # type: ignore[operator]
