"""Nancy's story in Candy Haven, whose processes share a real server."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.story_suite import StorySuite

pytestmark = pytest.mark.services


class TestPostgres(StorySuite):
    @pytest.fixture
    def where(self, server: Any, schema: str) -> Elsewhere:
        return Elsewhere(factory="cxkit_postgres:FACTORY", table={"dsn": server.dsn, "schema": schema})
