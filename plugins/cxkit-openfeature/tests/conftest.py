"""OpenFeature's own client, in front of experiences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

import cxkit
from cxkit.model import Identifier
from cxkit_openfeature import CXProvider


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """What is set for all of a process is not left to the next test."""
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    yield
    api.clear_providers()
    api.clear_hooks()
    api.set_evaluation_context(EvaluationContext())
    api.set_transaction_context(EvaluationContext())


@pytest.fixture
def client_of() -> Callable[..., OpenFeatureClient]:
    """A client whose provider is ready."""

    def made(**settings: Any) -> OpenFeatureClient:
        provide = getattr(api, "set_provider_and_wait", api.set_provider)
        provide(CXProvider(**settings), domain="shop")
        return api.get_client(domain="shop")

    return made


@pytest.fixture
def client(client_of: Callable[..., OpenFeatureClient], cx: Any) -> OpenFeatureClient:
    return client_of()


@pytest.fixture
def hero(cx: Any) -> cxkit.Experience:
    """One element with all slots."""
    return cxkit.experience(
        "shop.hero",
        fallback=cxkit.Variant(name="all", content="Welcome", form={"as": "grid"}, sequence=["sweets", "nuts"]),
        variants=[
            cxkit.Variant(name="gold", content="Welcome back", audience={"traits.plan": "gold"}, depth=3),
            cxkit.Variant(name="store", content="Come in", audience={"channel": "store"}, depth=1),
            cxkit.Variant(name="basket", content="Still hungry?", audience={"items": 3}, depth=1),
        ],
    )


@pytest.fixture
def seen(cx: Any) -> list[Identifier]:
    """For whom it was decided."""
    found: list[Identifier] = []

    class Looking:
        def decide(self, spec: object, attributes: object, *, cap: int) -> None:
            found[:] = cxkit.current().identity.identifiers

    object.__setattr__(cx.kit.desk, "deciders", (Looking(),))
    return found
