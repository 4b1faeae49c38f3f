"""What the app under test consists of: pages, what each is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs

__all__ = ["Answer", "Ask", "Handler", "Sink"]


class Sink(Protocol):
    """What takes a body piece by piece, as ``hashlib.sha256()`` does."""

    def update(self, piece: bytes, /) -> object:
        """One more piece."""


@attrs.frozen(kw_only=True)
class Ask:
    """What a handler is given."""

    params: Mapping[str, str] = attrs.field(factory=dict)
    """By name; those in `Handler.ints` may be whole numbers."""
    body: bytes = b""
    """Only where the handler reads it; of a websocket: the text that it said."""
    into: Any = None
    """What `Handler.into` made, with all of the body in it."""


@attrs.frozen(kw_only=True)
class Answer:
    """What a handler returns."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Iterable[bytes] = b"ok"
    """Pieces are to be streamed as they come."""
    file: Path | None = None
    """What to send in the framework's own way of sending files, if it has one; ``body`` holds the same bytes."""
    after: Callable[[], object] | None = None
    """To be done after the response, by what the framework has for that; only where `WebSuite.background` says so."""


@attrs.frozen(kw_only=True)
class Handler:
    """One page of the app that the plugin is tested with."""

    method: str = "GET"
    """``WEBSOCKET``, only where `WebSuite.websockets` says so: accept, hear one text, say ``answer``'s body, close."""
    path: str
    """The whole of it, with parameters as ``{name}``, which is also how the route is to be captured."""
    answer: Callable[[Ask], Answer]
    reads: bool = False
    """Whether to read the body and to hand it over."""
    into: Callable[[], Sink] | None = None
    """If given, makes what the body is to be read into, piece by piece; otherwise as if ``reads``."""
    ints: frozenset[str] = frozenset()
    """Which parameters are whole numbers; the route is found for nothing else."""
    mount: str = ""
    """The beginning of the path: the page is in an app of its own that is mounted there."""
