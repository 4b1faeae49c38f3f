"""What all checks share: how the app is served, and the shop that is open while one runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Final

import pytest

from cxkit.kit import Kit
from cxkit.testing.web_shop import Handler, Shop

__all__ = ["FULL", "Bench"]

FULL: Final = os.environ.get("CXKIT_FAULTS") == "full"
"""Whether the long ones run whole."""


class Bench:
    """What a plugin's tests give and set; `WebSuite` inherits it."""

    patience_s = 20.0
    """How long to wait for what should come."""
    websockets: ClassVar[bool] = False
    """Whether the framework has websockets."""
    background: ClassVar[bool] = False
    """Whether the framework does something after a response."""
    waits_for_bodies: ClassVar[bool] = False
    """Whether the framework itself waits for all of a body before anything of the app runs."""
    tells_errors: ClassVar[bool] = True
    """Whether the framework lets a middleware know what a page raised."""
    times = 1
    """How often `serve` is to install the middleware; one check sets it to 2."""

    def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
        """A server for these handlers, inside the plugin's middleware for this kit; yields its port."""
        raise NotImplementedError("give `serve`")

    @pytest.fixture
    def shop(self) -> Iterator[Shop]:
        """The shop, open."""
        with self.opened() as shop:
            yield shop

    @contextmanager
    def opened(self, **parts: Any) -> Iterator[Shop]:
        """The shop with a kit of these parts, open until the block ends."""
        has = {"websockets": self.websockets, "background": self.background}
        shop = Shop(patience_s=self.patience_s, **(has | parts))
        try:
            with self.serve(shop.handlers(), shop.kit) as shop.port:
                try:
                    yield shop
                finally:
                    shop.gate.set()
        finally:
            shop.kit.close()
