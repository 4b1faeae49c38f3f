"""hold: what waits in a scope for a choice, and what becomes of it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.api import Touchpoint
from cxkit.capture.scope import current_scope
from cxkit.capture.stamp import Stamper
from cxkit.capture.waiting import MAX_HELD_BYTES
from cxkit.kit import Kit
from cxkit.model import Interaction, TouchpointSpec
from cxkit.settings import Consent, Settings
from cxkit.testing import FakeClock, RecordingExporter

SEEN = Touchpoint(TouchpointSpec(name="waiting.seen"))
NEEDED = Touchpoint(TouchpointSpec(name="waiting.needed", purpose="necessary"))


class World:
    """A kit that holds, a clock, and what was exported."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.exporter = RecordingExporter()
        self.kit = Kit(
            Settings(strict=True, consent=Consent(before_choice="hold")),
            exporters={"x": self.exporter},
            stamper=Stamper(time_ns=self.clock.time_ns),
            in_memory=True,
        )

    @property
    def seen(self) -> list[Interaction]:
        assert self.kit.flush(timeout_s=30).complete
        return [one for one in self.exporter.interactions if one.name == "waiting.seen"]

    @property
    def dropped(self) -> dict[str, int]:
        assert self.kit.flush(timeout_s=30).complete
        return dict(self.kit.account().dropped)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.kit.close(timeout_s=10)


def test_after_a_grant_it_is_captured_as_it_was(world: World) -> None:
    """With its own id and time, before what came after it, and with whom it was."""
    with cxkit.scope(kit=world.kit, user_id="nancy", evidence="login"):
        first = SEEN.capture(step=1)
        world.clock.advance(5)
        NEEDED.capture()
        assert world.seen == [], "nothing of it leaves memory"
        cxkit.grant("analytics")
        SEEN.capture(step=2)
    before, after = world.seen
    assert (before.id, before.properties, after.properties) == (first, {"step": 1}, {"step": 2})
    assert (after.occurred_at - before.occurred_at).total_seconds() == 5
    assert before.identity.get("user_id") is not None
    assert world.dropped == {}


def test_after_a_refusal_it_is_gone_and_counted(world: World) -> None:
    with cxkit.scope(kit=world.kit):
        SEEN.capture()
        cxkit.choose()
    assert (world.seen, world.dropped) == ([], {"consent_refused": 1})
    assert world.kit.account().blocked == {"capture:analytics:refused:": 1}


def test_at_the_end_of_its_scope_it_is_gone_and_counted(world: World) -> None:
    with cxkit.scope(kit=world.kit):
        SEEN.capture()
        cxkit.grant("personalization")
        scope = current_scope()
    assert scope is not None
    assert not scope.held
    assert (world.seen, world.dropped) == ([], {"consent_undecided": 1})


def test_whoever_grants_something_later_does_not_mean_what_they_have_forgotten(world: World) -> None:
    with cxkit.scope(kit=world.kit):
        SEEN.capture(step=1)
        world.clock.advance(1800)
        SEEN.capture(step=2)
        assert world.dropped == {"consent_undecided": 1}
        cxkit.grant("analytics")
    assert [one.properties for one in world.seen] == [{"step": 2}]


def test_another_scope_is_another_visit(world: World) -> None:
    with cxkit.scope(kit=world.kit):
        SEEN.capture()
        with cxkit.scope(kit=world.kit):
            cxkit.grant("analytics")
    assert (world.seen, world.dropped) == ([], {"consent_undecided": 1})


def test_outside_of_any_scope_nobody_ever_chooses(world: World) -> None:
    assert world.kit.intake.capture(world.kit.root_scope, SEEN.spec, {}) is None
    assert world.dropped == {"consent_undecided": 1}


def test_what_waits_is_bounded(world: World) -> None:
    with cxkit.scope(kit=world.kit):
        ids = [SEEN.capture(text="x" * 1000) for _ in range(200)]
        scope = current_scope()
        assert scope is not None
        size = sum(one.size_bytes for one in scope.held)
        assert MAX_HELD_BYTES - scope.held[0].size_bytes < size <= MAX_HELD_BYTES
        kept = len(scope.held)
        assert ids.count(None) == 200 - kept
        cxkit.grant("analytics")
    assert len(world.seen) == kept
    assert world.dropped == {"consent_undecided": 200 - kept}


def test_whoever_settles_while_it_is_looked_at_how_much_waits_disturbs_nobody(world: World) -> None:
    """The collector lets other threads go on wherever an object is made (before CPython 3.12)."""
    with cxkit.scope(kit=world.kit):
        scope = current_scope()
        assert scope is not None
        for _ in range(40):
            assert SEEN.capture() is not None

        def settle(phase: str, info: dict[str, int]) -> None:
            scope.held.append(scope.held.popleft())

        before, captured = gc.get_threshold(), []
        gc.callbacks.append(settle)
        try:
            for number in range(60):
                gc.set_threshold(1 + number % 20)  # so that each object is once the one at which it collects
                captured.append(SEEN.capture())
        finally:
            gc.set_threshold(*before)
            gc.callbacks.remove(settle)
    assert all(captured)


def test_a_choice_on_one_thread_while_another_captures_loses_and_doubles_nothing(world: World) -> None:
    held = cxkit.carry(lambda: None)
    assert held is not None
    with cxkit.scope(kit=world.kit):
        scope = current_scope()
        assert scope is not None
        spec = SEEN.spec

        def capture() -> None:
            for number in range(60):
                world.kit.intake.capture(scope, spec, {"number": number})

        threads = [threading.Thread(target=capture) for _ in range(4)]
        for thread in threads:
            thread.start()
        cxkit.grant("analytics")
        for thread in threads:
            thread.join()
        world.kit.intake.settle(scope)
    assert len({one.id for one in world.seen}) == len(world.seen)
    assert len(world.seen) + sum(world.dropped.values()) == 240


steps = st.lists(
    st.sampled_from(["capture", "needed", "grant", "withdraw", "wait"]), max_size=20
)  # fmt: skip


@given(steps)
def test_law_everything_is_exported_or_counted_once(steps: list[str]) -> None:
    world = World()
    try:
        captured = 0
        with cxkit.scope(kit=world.kit):
            for step in steps:
                if step == "capture":
                    captured += 1
                    SEEN.capture()
                elif step == "needed":
                    NEEDED.capture()
                elif step == "wait":
                    world.clock.advance(700)
                else:
                    {"grant": cxkit.grant, "withdraw": cxkit.withdraw}[step]("analytics")
        assert len(world.seen) + sum(world.dropped.values()) == captured
        assert world.kit.account().balanced
    finally:
        world.kit.close(timeout_s=10)
