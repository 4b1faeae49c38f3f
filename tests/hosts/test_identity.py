"""Thousands of units of work, interleaved in every way a host has: no capture carries another's identity. F39, P24.

Requests over HTTP, streaming responses and background tasks are interleaved in the tests of the web plugins, tasks of
a queue in those of its plugin.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import cxkit
from cxkit.model import Interaction
from cxkit.testing.receiver import Receiver
from cxkit.testing.recorder import Recorder

UNITS = 2_500
SEEN = cxkit.touchpoint("bleed.seen", purpose="necessary")
chance = random.Random(20261122)


def say(who: int, how: str) -> None:
    assert SEEN.capture(who=f"customer-{who}", how=how)


def check(found: list[Interaction], expected: dict[str, int]) -> None:
    """Each is its own customer's, or, where it was in nobody's scope, nobody's."""
    assert Counter(one.properties["how"] for one in found) == expected
    for one in found:
        identifier = one.identity.get("user_id")
        whose = identifier and identifier.value
        assert whose == (None if one.properties["how"] == "stray" else one.properties["who"]), one.properties


def test_threads_that_are_used_again(cx: Recorder) -> None:
    """What is handed to a pool by `carry` goes along; what is not belongs to nobody, whatever ran there before."""
    inner = ThreadPoolExecutor(3)

    def unit(who: int) -> None:
        with cxkit.scope(channel="web", user_id=f"customer-{who}", evidence="login"):
            say(who, "own")
            futures = [inner.submit(cxkit.carry(say), who, "carried"), inner.submit(say, who, "stray")]
            for future in futures if who % 2 else ():
                future.result()
            say(who, "own")
        say(who, "stray")

    with inner, ThreadPoolExecutor(4) as pool:
        for _ in pool.map(unit, range(UNITS)):
            pass
        inner.shutdown()
    check(cx.interactions, {"own": 2 * UNITS, "carried": UNITS, "stray": 2 * UNITS})


async def pause() -> None:
    for _ in range(chance.randrange(4)):
        await asyncio.sleep(0)


async def later(who: int) -> None:
    await pause()
    say(who, "task")


async def pieces(who: int) -> AsyncIterator[int]:
    for piece in range(3):
        say(who, "stream")
        yield piece
        await pause()


async def unit(who: int) -> None:
    with cxkit.scope(channel="web", user_id=f"customer-{who}", evidence="login"):
        task = asyncio.create_task(later(who))
        await pause()
        async with contextlib.aclosing(pieces(who)) as stream:
            async for piece in stream:
                if piece == who % 2:  # the client has gone
                    break
        await asyncio.gather(task, asyncio.to_thread(say, who, "thread"))
        say(who, "own")
    await pause()
    say(who, "stray")


async def visitors(first: int) -> None:
    for who in range(first, UNITS, 50):
        await unit(who)


async def everybody() -> None:
    await asyncio.gather(*map(visitors, range(50)))


def test_tasks_threads_of_a_loop_and_streams_that_are_left(cx: Recorder) -> None:
    asyncio.run(everybody())
    streamed = UNITS + UNITS // 2
    check(cx.interactions, {"own": UNITS, "task": UNITS, "stream": streamed, "thread": UNITS, "stray": UNITS})


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import random, threading
from concurrent.futures import ThreadPoolExecutor
import gevent
from gevent.pool import Pool
import cxkit

SEEN = cxkit.touchpoint("bleed.seen", purpose="necessary")
chance = random.Random(20261122)


def say(who, how):
    assert SEEN.capture(who=f"customer-{who}", how=how)


def later(who, how):
    gevent.sleep(chance.random() / 1000)
    say(who, how)


def unit(who):
    with cxkit.scope(channel="web", user_id=f"customer-{who}", evidence="login"):
        say(who, "own")
        carried = gevent.spawn(cxkit.carry(later), who, "carried")
        gevent.sleep(chance.random() / 1000)
        thread = threading.Thread(target=cxkit.carry(say), args=(who, "thread"))
        thread.start()
        thread.join()
        say(who, "own")
        pooled.submit(cxkit.carry(say), who, "pooled").result()
        carried.join()
    gevent.sleep(0)
    say(who, "stray")


with ThreadPoolExecutor(4) as pooled:
    for _ in Pool(100).imap_unordered(unit, range(COUNT)):
        pass
"""


@pytest.mark.services
def test_greenlets(
    run: Callable[[str], list[str]], delivered: Callable[[], int], receiver: Receiver, tmp_path: Path
) -> None:
    configuration = tmp_path / "cxkit.toml"
    configuration.write_text(configuration.read_text().replace("analytics", "necessary"))
    run(GREENLETS.replace("COUNT", str(UNITS)))
    assert delivered() == 6 * UNITS
    check(receiver.interactions, {"own": 2 * UNITS, "carried": UNITS, "thread": UNITS, "pooled": UNITS, "stray": UNITS})
