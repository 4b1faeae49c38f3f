"""An interaction in which every field is filled with something else than its default.

For tests of what becomes of each field: in a dialect, on a wire, in a table. A field that the model gets
later is filled here, a test of cxkit sees to it; so a test that goes through all of them hears of it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cxkit.model import (
    Acquisition,
    Agent,
    Assignment,
    Context,
    Decision,
    Device,
    Feedback,
    Identifier,
    Identity,
    Interaction,
    Money,
    Page,
    Place,
)

__all__ = ["FULL"]

FULL: Final = Interaction(
    id="01936b2e-0000-7000-8000-000000000000",
    occurred_at=datetime(2026, 11, 21, 10, 30, 0, 250, tzinfo=UTC),
    name="cart.item_added",
    source="/shop",
    kind="transaction",
    purpose="personalization",
    channel="store",
    direction="outbound",
    stage="purchase",
    nature="person",
    presence="offline",
    reach="indirect",
    via="reseller",
    promise="answered within one day",
    case="4711",
    plugin="cxkit-starlette",
    identity=Identity(
        identifiers=(
            Identifier(type="user_id", value="nancy", evidence="login"),
            Identifier(type="visitor", value="v-1", evidence="cookie"),
            Identifier(type="email", value="hash-of-an-address", evidence="login"),
        )
    ),
    context=Context(
        channel="web",
        session="s1",
        page=Page(route="/products/{sku}", method="GET", title="Almonds", engaged_ms=12_000),
        device=Device(
            type="phone",
            os="android",
            os_version="14",
            browser="firefox",
            browser_version="140",
            viewport=412,
            touch=True,
            reduced_motion=False,
            color_scheme="dark",
            save_data=True,
        ),
        place=Place(
            country="FR",
            region="75",
            city="Paris",
            latitude=48.9,
            longitude=2.4,
            store="paris-2",
            fences=("marais",),
            source="edge",
            precision="coordinates",
            accuracy_km=5.0,
            confidence="high",
        ),
        locale="fr-CA",
        timezone="Europe/Paris",
        currency="EUR",
        market="fr",
        acquisition=Acquisition(
            source="newsletter",
            medium="email",
            campaign="spring",
            term="almonds",
            content="footer",
            vendor="google",
            click_id="c-1",
            referrer="example.org",
            landing="/products/{sku}",
        ),
        actor="bot",
        agent=Agent(category="search_engine", name="Seeker", evidence=("listed",)),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    consent={"analytics": True, "advertising": False},
    outcome="failed",
    error="ValueError",
    duration=timedelta(milliseconds=12, microseconds=500),
    value=Money("24.90", "EUR"),
    feedback=Feedback(scale="nps", score=9),
    decision=Decision(
        experience="home.hero",
        variant="gold",
        form="wide",
        content={"title": "Welcome back", "lines": None},
        sequence=[1, 2],
        level=3,
        depth=3,
        cap=4,
        capped_by="consent",
        reasons=("gold: chosen",),
        version="5f1d7a2c",
        fallback=True,
        assignment=Assignment(
            experiment="warmer", variation="gold", version=2, unit="user_id", sticky=True, crossed_over=True
        ),
        holdout=Assignment(experiment="quiet-2026", variation="compared", unit="user_id"),
    ),
    cause="01936b2e-0000-7000-8000-000000000001",
    properties={"sku": "ALM-200", "note": "for Mary"},
    trimmed={"note": "cut:9000"},
    received_at=datetime(2026, 11, 21, 10, 30, 1, tzinfo=UTC),
)
