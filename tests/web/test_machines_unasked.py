"""A machine that only an enricher tells is given no cookie, though nothing asked before the response began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cxkit.capture.enrich import Enrichment
from cxkit.model import Context, Facts
from cxkit.settings import Consent
from cxkit.web import ASGIMiddleware


class Telling:
    """Tells an actor from a header."""

    asked = 0

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        Telling.asked += 1
        said = facts.headers.get("x-actor")
        return {"actor": said} if said else {}


@pytest.mark.parametrize("actor", ["bot", "prefetch"])
def test_it_is_given_no_cookie(make: Any, client: Any, answering: Any, actor: str) -> None:
    kept = make({"consent": Consent(policy="us")})
    kept.kit.enrich = Enrichment({"telling": Telling()}, count=lambda what: None)
    app = ASGIMiddleware(answering(), kit=kept.kit)
    assert client(app).ask().all("set-cookie"), "a person's browser is"
    assert client(app).ask(headers=[(b"x-actor", actor.encode())]).all("set-cookie") == []
    assert kept.named("page.viewed")[-1].identity.identifiers == ()


def test_it_is_asked_once_and_only_where_it_matters(make: Any, client: Any, answering: Any) -> None:
    kept = make({"consent": Consent(policy="us")})
    kept.kit.enrich = Enrichment({"telling": Telling()}, count=lambda what: None)
    Telling.asked = 0
    shop = client(ASGIMiddleware(answering(), kit=kept.kit))
    assert shop.ask().all("set-cookie")
    assert Telling.asked == 1
    assert shop.ask(headers=[(b"sec-fetch-dest", b"image")]).all("set-cookie") == []
    assert Telling.asked == 1
