"""Nancy's story in Candy Haven, whose processes share a real server."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.story_suite import StorySuite

pytestmark = pytest.mark.services


class TestRedis(StorySuite):
    @pytest.fixture
    def where(self, server: Any, family: str) -> Elsewhere:
        return Elsewhere(factory="cxkit_redis:FACTORY", table={"url": server.url, "prefix": family})
