"""The checks that every store must pass, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cxkit.roles import Store
from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.store_suite import StoreSuite

pytestmark = pytest.mark.services


class TestRedisStore(StoreSuite):
    @pytest.fixture
    def store(self, server: Any, store_at: Callable[..., Store]) -> Store:
        return store_at(server)

    @pytest.fixture
    def second(self, store: Store, server: Any, store_at: Callable[..., Store]) -> Store:
        return store_at(server)

    @pytest.fixture
    def reopen(self, server: Any, store_at: Callable[..., Store]) -> Callable[[], Store]:
        return lambda: store_at(server)

    @pytest.fixture
    def where(self, server: Any, family: str) -> Elsewhere:
        return Elsewhere(factory="cxkit_redis:FACTORY", table={"url": server.url, "prefix": family})

    @pytest.fixture
    def outage(self, server: Any) -> Callable[[], None]:
        restart: Callable[[], None] = server.restart
        return restart
