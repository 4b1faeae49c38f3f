"""asyncio: capture has no loop of its own, so loops may come, go and be cancelled. F12, P7."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[[str], list[str]]
Delivered = Callable[[], int]

APP = """
import asyncio
import cxkit

SEEN = cxkit.touchpoint("shop.seen")


async def work(count):
    with cxkit.scope(channel="store"):
        for number in range(count):
            assert SEEN.capture(n=number)
            await asyncio.sleep(0)


def run(main):
    # In debug mode, but for how long a step takes: the first capture of a process imports and builds what it needs.
    async def patient():
        asyncio.get_running_loop().slow_callback_duration = 60
        await main

    asyncio.run(patient(), debug=True)
"""
"""A script that complains in any way fails: of a loop that is closed, of a result never retrieved, of a resource."""


def test_a_loop_that_is_closed_with_captures_pending(run: Run, delivered: Delivered) -> None:
    run(APP + "run(work(250))")
    assert delivered() == 250


def test_two_loops_one_after_the_other_and_two_at_once(run: Run, delivered: Delivered) -> None:
    run(
        APP
        + """
import threading

run(work(50))
run(work(50))
threads = [threading.Thread(target=lambda: run(work(50))) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    )
    assert delivered() == 200


def test_threads_of_an_executor_outlive_the_loop(run: Run, delivered: Delivered) -> None:
    run(
        APP
        + """
import threading
from concurrent.futures import ThreadPoolExecutor

closed = threading.Event()

def late():
    closed.wait()
    assert SEEN.capture()

async def main(pool):
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(asyncio.to_thread(SEEN.capture) for _ in range(20)))
    for _ in range(4):
        pool.submit(late)
    await asyncio.gather(*(loop.run_in_executor(pool, SEEN.capture) for _ in range(20)))

with ThreadPoolExecutor(8) as pool:
    run(main(pool))
    closed.set()
"""
    )
    assert delivered() == 44


def test_a_task_that_is_cancelled_in_the_middle(run: Run, delivered: Delivered) -> None:
    """The cancellation reaches the app as it is, out of every form of capture; what was captured before it stays."""
    run(
        APP
        + """
@SEEN
async def decorated(waiting):
    await forever(waiting)

async def scoped(waiting):
    with cxkit.scope(channel="store"), SEEN.interaction():
        await forever(waiting)

async def flushing(waiting):
    waiting.set()
    while True:
        await cxkit.settled(timeout_s=5)

async def forever(waiting):
    SEEN.capture()
    waiting.set()
    await asyncio.Event().wait()

async def main():
    for one in (decorated, scoped, flushing):
        waiting = asyncio.Event()
        task = asyncio.create_task(one(waiting))
        await waiting.wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert task.cancelled()
        else:
            raise AssertionError("it was swallowed")
    async with asyncio.timeout(0.05) as limit:  # which is a cancellation, too
        try:
            await scoped(asyncio.Event())
        finally:
            SEEN.capture()

try:
    run(main())
except TimeoutError:
    pass
else:
    raise AssertionError("the time limit was swallowed")
"""
    )
    assert delivered() == 7


def test_closed_on_a_loop_and_off_it(run: Run, delivered: Delivered) -> None:
    """In any order, twice, and while others still capture: what a stop finds too late is the next start's."""
    run(
        APP
        + """
async def main():
    kit = cxkit.configure()
    await work(50)
    assert (await kit.aflush(timeout_s=20)).complete
    capturing = asyncio.create_task(work(50))
    await asyncio.gather(kit.astop(timeout_s=20), kit.aflush(timeout_s=20))
    await capturing
    assert SEEN.capture()
    assert (await kit.aflush(timeout_s=20)).complete
    assert (await kit.aclose(timeout_s=20)).complete
    assert (await kit.aclose(timeout_s=20)).complete

run(main())
assert cxkit.close().complete
"""
    )
    assert delivered() == 101
