"""The app that a web plugin is tested with, running; and what was captured of it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cxkit.api import carry
from cxkit.kit import Kit
from cxkit.model import Interaction
from cxkit.roles import Batch, Channel, Outcome
from cxkit.settings import Settings, Web
from cxkit.testing.recorder import RecordingExporter
from cxkit.testing.web_shop import pages
from cxkit.testing.web_shop.browser import PATIENCE_S, Browser
from cxkit.testing.web_shop.handlers import Answer, Ask, Handler
from cxkit.testing.web_shop.pages import SEEN

__all__ = ["Shop"]

_EVENT_STREAM: Final = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"))
_EACH_S: Final = 0.02
_LAST: Final = "/last"


class Shop:
    """The app under test, running; and what was captured of it.

    Args:
        strict: Whether what goes wrong in cxkit is raised into the app.
        patience_s: How long to wait for what should come.
        web: The settings of the web.
        directory: Where to keep spool and state; by default in memory.
        channels: To be mounted besides.
        websockets: Whether the app has one.
        background: Whether it does something after a response.
        parts: Of the kit, as `cxkit.Kit` takes them.

    Attributes:
        gate: Set it, and whatever of the app waits for it goes on.
    """

    def __init__(
        self,
        *,
        strict: bool = True,
        patience_s: float = PATIENCE_S,
        web: Web = Web(),
        directory: Path | None = None,
        channels: Sequence[Channel] = (),
        websockets: bool = False,
        background: bool = False,
        **parts: Any,
    ) -> None:
        self.gate = threading.Event()
        self._patience_s = patience_s
        self._exporter = _Watched()
        self._websockets, self._background = websockets, background
        settings = Settings(strict=strict, web=web, directory=directory or Path(".cxkit"))
        exporters = parts.pop("exporters", {}) | {"suite": self._exporter}
        self.kit = Kit(settings, exporters=exporters, in_memory=directory is None, **parts)
        if channels:
            vars(self.kit)["channels"] = tuple(channels)  # as if plugins had given them
        self.port = 0
        self._settled = 0

    def browser(self) -> Browser:
        """A new one, without cookies."""
        return Browser(self.port, patience_s=self._patience_s)

    def named(self, name: str, *, count: int = 1) -> list[Interaction]:
        """Those of one touchpoint, once there are so many: a response may come before its visit is kept."""
        return self._exporter.wait(lambda one: one.name == name, count, timeout_s=self._patience_s)

    def all(self) -> list[Interaction]:
        """All that was captured so far."""
        self.kit.flush(timeout_s=self._patience_s)
        return list(self._exporter.interactions)

    def settled(self) -> list[Interaction]:
        """All that was captured so far, once one more visit is; without that one.

        Where something should not be captured: looked at too early, it is never there.
        """
        self._settled += 1
        self.browser().ask(_LAST)
        self._exporter.wait(_is_last, self._settled, timeout_s=self._patience_s)
        return [one for one in self.all() if not _is_last(one)]

    def handlers(self) -> list[Handler]:
        """The pages."""
        return [
            *pages.still(),
            Handler(path="/stream", answer=lambda ask: Answer(body=self._pieces())),
            Handler(path="/events", answer=lambda ask: Answer(headers=_EVENT_STREAM, body=self._events())),
            Handler(path="/later", answer=self._later),
            Handler(path=_LAST, answer=lambda ask: Answer()),
            *([Handler(method="WEBSOCKET", path="/talk/{name}", answer=_talk)] if self._websockets else []),
            *([Handler(path="/after", answer=_after)] if self._background else []),
        ]

    def _pieces(self) -> Iterator[bytes]:
        yield b"first"
        assert self.gate.wait(self._patience_s), "the first piece was held back until the second"
        SEEN.capture(where="stream")
        yield b"second"

    def _events(self) -> Iterator[bytes]:
        """One after another, until the gate is open."""
        number = 0
        while not self.gate.wait(_EACH_S):
            number += 1
            yield b"data: %d\n\n" % number

    def _later(self, ask: Ask) -> Answer:
        context = contextvars.copy_context()

        def capture() -> None:
            self.gate.wait(self._patience_s)
            context.run(SEEN.capture, where="later")

        threading.Thread(target=capture).start()
        return Answer()


class _Watched(RecordingExporter):
    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        with self._changed:
            outcome = super().export(batch, deadline_s=deadline_s)
            self._changed.notify_all()
        return outcome

    def wait(self, wanted: Callable[[Interaction], bool], count: int, *, timeout_s: float) -> list[Interaction]:
        def found() -> list[Interaction]:
            return [one for one in self.interactions if wanted(one)]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, timeout_s), self.interactions
            return found()


def _is_last(one: Interaction) -> bool:
    return one.name == "page.viewed" and one.context.page is not None and one.context.page.route == _LAST


def _talk(ask: Ask) -> Answer:
    SEEN.capture(said=ask.body.decode())
    return Answer(body=b"You said " + ask.body)


def _after(ask: Ask) -> Answer:
    return Answer(after=carry(lambda: SEEN.capture(where="after")))
