"""Scopes side by side, in threads, tasks and greenlets: nothing of one person is ever found in another's."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import cxkit
from cxkit.kit import Kit
from cxkit.settings import Queue, Settings
from cxkit.testing import RecordingExporter

SCOPES = 3_500
"""In each of three ways: more than 10,000."""
AT_ONCE = 50
"""How many scopes are open at a time: each step of each comes between steps of the others."""
CHOSEN = ("analytics", "personalization", "advertising")


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(exporter: RecordingExporter) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True, queue=Queue(max_bytes=1 << 30)), exporters={"here": exporter}, in_memory=True)
    yield kit
    kit.close(timeout_s=60)


def allowed(number: int) -> dict[str, bool]:
    """What this person chooses: all eight combinations come up."""
    return {purpose: bool(number >> place & 1) for place, purpose in enumerate(CHOSEN)}


def visit(kit: Kit, touchpoint: Any, number: int) -> Iterator[None]:
    """One person's scope; others have their turn wherever it yields."""
    choices = allowed(number)
    with cxkit.scope(kit=kit, channel="web"):
        yield
        cxkit.identify(user_id=f"u{number}", traits={"number": number})
        yield
        cxkit.grant("identity_stitching", *(one for one, choice in choices.items() if choice))
        yield
        if denied := [one for one, choice in choices.items() if not choice]:
            cxkit.withdraw(*denied)
        yield
        here = cxkit.current()
        known = {"trait": here.profile.traits.get("number"), "allowed": sorted(here.allowed & {*CHOSEN})}
        yield
        touchpoint.capture(number=number, **known)


def in_threads(kit: Kit, touchpoint: Any) -> None:
    def work(numbers: range) -> None:
        pause = random.Random(numbers.start)
        for number in numbers:
            for _ in visit(kit, touchpoint, number):
                if pause.random() < 0.2:
                    turn.wait(0)  # gives the others the processor

    turn = threading.Event()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for one in [pool.submit(work, range(start, SCOPES, AT_ONCE)) for start in range(AT_ONCE)]:
            one.result()


def in_tasks(kit: Kit, touchpoint: Any) -> None:
    async def work(numbers: range) -> None:
        for number in numbers:
            for _ in visit(kit, touchpoint, number):
                await asyncio.sleep(0)

    async def all_of_it() -> None:
        async with asyncio.TaskGroup() as group:
            for start in range(AT_ONCE):
                group.create_task(work(range(start, SCOPES, AT_ONCE)))

    asyncio.run(all_of_it())


def in_greenlets(kit: Kit, touchpoint: Any) -> None:
    import gevent

    def work(numbers: range) -> None:
        for number in numbers:
            for _ in visit(kit, touchpoint, number):
                gevent.sleep(0)

    gevent.joinall([gevent.spawn(work, range(start, SCOPES, AT_ONCE)) for start in range(AT_ONCE)], raise_error=True)


@pytest.mark.parametrize("side_by_side", [in_threads, in_tasks, pytest.param(in_greenlets, marks=pytest.mark.services)])
def test_no_interaction_carries_anything_of_anybody_else(
    side_by_side: Callable[[Kit, Any], None], kit: Kit, exporter: RecordingExporter
) -> None:
    touchpoint = cxkit.touchpoint("sweet.tasted", purpose="necessary")
    side_by_side(kit, touchpoint)
    assert kit.flush(timeout_s=120).complete

    tasted = [one for one in exporter.interactions if one.name == "sweet.tasted"]
    assert len(tasted) == SCOPES
    wrong = [one for one in tasted if not is_right(one)]
    assert not wrong, f"{len(wrong)} of {SCOPES}, such as {wrong[0]}"
    others = [one for one in exporter.interactions if one.name == "identity.identified" and not is_own(one)]
    assert not others


def is_right(one: cxkit.Interaction) -> bool:
    """Whether identity, consent and profile are those of the person whose number it has."""
    number: Any = one.properties["number"]
    choices = allowed(number)
    return (
        [(it.type, it.value) for it in one.identity.identifiers] == [("user_id", f"u{number}")]
        and {purpose: one.consent.get(purpose, False) for purpose in CHOSEN} == choices
        and one.properties["allowed"] == sorted(purpose for purpose, choice in choices.items() if choice)
        and one.properties["trait"] == number
    )


def is_own(one: cxkit.Interaction) -> bool:
    return [it.value for it in one.identity.identifiers] == [f"u{one.properties['number']}"]
