"""A small site with the beacon, served by uvicorn on loopback, and what came of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

import cxkit
from cxkit import Interaction, Kit
from cxkit.capture.stamp import Stamper
from cxkit.settings import ExporterTable, Settings
from cxkit.testing import RecordingExporter
from cxkit.testing.web_shop import served
from cxkit.web import ASGIMiddleware
from cxkit.web.beacon import beacon_tag
from tests.hosts.servers import until

_PATIENCE_S: Final = 30.0
STRICT_POLICY: Final = b"default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
ANSWERED = cxkit.touchpoint("browser_test.answered", kind="feedback")

PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Nancy's order 4711</title>
{tag}<script src="/static/page.js" defer></script>
</head><body>
<h1>Almonds</h1>
<form><input name="card" value="4970-1234"><textarea>a secret wish</textarea></form>
<p><button type="button" data-cx="buy"><span id="inner">Buy for Nancy</span></button>
<a id="out" href="https://other.example/people/nancy?token=t0k3n#secret">elsewhere</a>
<a id="next" href="/next">next</a></p>
{lines}
</body></html>"""
PAGE_JS: Final = """
document.querySelector('#out').addEventListener('click', (event) => event.preventDefault());
window.go = (path) => history.pushState({}, '', path);
window.choose = (path) => fetch(path, { method: 'POST' }).then(() => dispatchEvent(new Event('cx:consent')));
"""

ACTS: Final[dict[str, Callable[[], object]]] = {
    "/welcome": lambda: cxkit.grant("analytics", "advertising", "identity_stitching"),
    "/goodbye": lambda: cxkit.withdraw("analytics"),
}


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
    ACTS.get(path, lambda: None)()
    if path == "/static/page.js":
        kind, body = b"text/javascript", PAGE_JS
    else:
        views = "all" if path == "/cached" else "changes"
        kind, body = b"text/html; charset=utf-8", PAGE.format(tag=beacon_tag(views=views), lines="<br>" * 150)  # type: ignore[arg-type]
    headers = [(b"content-type", kind), (b"content-security-policy", STRICT_POLICY)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


@attrs.define
class Site:
    """A running site."""

    url: str
    kit: Kit
    exporter: RecordingExporter
    sent: list[dict[str, Any]]
    """The bodies that the beacon sent."""
    ahead_ns: list[int]
    """How far its clock is ahead of the machine's."""

    @property
    def interactions(self) -> list[Interaction]:
        assert self.kit.flush(timeout_s=_PATIENCE_S).complete
        return list(self.exporter.interactions)

    def named(self, name: str) -> list[Interaction]:
        return sorted((one for one in self.interactions if one.name == name), key=lambda one: one.occurred_at)

    def awaited(self, name: str, *, count: int = 1) -> list[Interaction]:
        """So many of that name, once they are there."""
        until(lambda: len(self.named(name)) >= count, f"{count} of {name}")
        found = self.named(name)
        assert len(found) == count
        return found


def _noting(app: Any, sent: list[dict[str, Any]]) -> Any:
    """Notes what the beacon sends, on its way to the middleware."""

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        body = b""

        async def heard() -> Any:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        await app(scope, heard, send)
        if scope["type"] == "http" and scope["path"] == "/cx/i":
            sent.append({**json.loads(body), "bytes": len(body)})

    return noting


@contextlib.contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[Site]:
    """The site, for the time of a block."""
    exporter, sent, ahead_ns = RecordingExporter(), list[dict[str, Any]](), [0]
    local = ExporterTable(type="local", purposes=frozenset({"analytics"}))
    kit = Kit(
        Settings(**{"directory": directory / ".cxkit", "strict": True, "exporters": {"here": local}, **settings}),
        exporters={"recorder": exporter},
        stamper=Stamper(time_ns=lambda: time.time_ns() + ahead_ns[0]),
    )
    routed = ASGIMiddleware(_app, kit=kit, route=lambda scope: f"{scope['path']}")
    with contextlib.closing(kit), served(_noting(routed, sent)) as port:
        yield Site(f"http://127.0.0.1:{port}", kit, exporter, sent, ahead_ns)
