"""What open visits take in memory, and what is left of those that ended, however they came and went."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from typing import Any

from benchmarks.event import make_kit
from benchmarks.fronts import HEADERS, PATH
from benchmarks.pairs import Row, table
from cxkit.capture.scope import Scope
from cxkit.web import ASGIMiddleware

__all__ = ["run"]

OPEN = 2_000
INTERLEAVED = 10_000
AT_ONCE = 100


def run(*, quick: bool) -> str:
    count = 1_000 if quick else INTERLEAVED
    bare, ours = asyncio.run(_open_at_once(cxkit=False)), asyncio.run(_open_at_once(cxkit=True))
    left = asyncio.run(_interleaved(count))
    rows = [
        Row(name="one request that waits, bare", value=bare, unit="bytes", ratio=1.0),
        Row(name="the same with its visit", value=ours, unit="bytes", ratio=ours / bare),
        Row(name="added by a visit", value=ours - bare, unit="bytes"),
        Row(name=f"scopes left of {count:,} requests, {AT_ONCE} at a time", value=left, unit=""),
    ]
    return table("Visits in memory", f"By tracemalloc, of {OPEN:,} requests at once, before a choice.", rows)


def _scope() -> dict[str, Any]:
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    return {"type": "http", "method": "GET", "scheme": "https", "path": PATH, "query_string": b"", "headers": headers}


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    pass


async def _open_at_once(*, cxkit: bool) -> float:
    """Bytes of each of many requests that wait."""
    go = asyncio.Event()

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"almonds"})

    kit = make_kit(None)
    kit.intake._running = True
    app: Any = ASGIMiddleware(page, kit=kit) if cxkit else page
    waiting = [asyncio.create_task(app(_scope(), _receive, _send)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)  # what is made once is made
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    waiting += [asyncio.create_task(app(_scope(), _receive, _send)) for _ in range(OPEN)]
    await asyncio.sleep(0)
    gc.collect()
    taken = (tracemalloc.get_traced_memory()[0] - before) / OPEN
    tracemalloc.stop()
    go.set()
    await asyncio.gather(*waiting)
    kit.close()
    return taken


async def _interleaved(count: int) -> int:
    """Scopes that are still there after requests that ended well, failed or were cancelled."""
    drawn = random.Random(6)

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        if scope["fate"] == "fails":
            raise ValueError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["fate"] == "hangs":
            await asyncio.Event().wait()
        await send({"type": "http.response.body", "body": b"almonds"})

    kit = make_kit(None)
    kit.intake._running = True
    app = ASGIMiddleware(page, kit=kit)
    gc.collect()
    before = _scopes()
    for _ in range(count // AT_ONCE):
        fates = [drawn.choice(["ends", "ends", "fails", "hangs"]) for _ in range(AT_ONCE)]
        tasks = [asyncio.create_task(app({**_scope(), "fate": fate}, _receive, _send)) for fate in fates]
        for _ in range(4):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        kit.intake.release(kit.intake.take(0))
    del tasks, task
    await asyncio.sleep(0)  # the loop still held what this task had waited for
    gc.collect()
    left = _scopes() - before
    kit.close()
    return left


def _scopes() -> int:
    return sum(isinstance(one, Scope) for one in gc.get_objects())
