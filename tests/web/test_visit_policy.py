"""Governed by the region: who is recognised where nobody has to ask, and how long an objection is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.settings import Consent, Web
from cxkit.testing import FakeClock
from tests.flows.test_consent_policy import GEO
from tests.theirs import installing

DAY_S = 86_400
FRANCE, NEW_YORK, CALIFORNIA = ([(b"x-place", place)] for place in (b"FR", b"US-NY", b"US-CA"))


@pytest.fixture
def regional(tmp_path: Path, make: Any) -> Iterator[Any]:
    site = tmp_path / "site"
    site.mkdir()
    with installing(site) as install:
        install("cxkit_places", GEO)
        yield make({"consent": Consent(policy="regional")})


def test_where_nobody_has_to_be_asked_a_visitor_is_recognised_at_once(regional: Any, shop: Any) -> None:
    there, here, nowhere = (shop(kit=regional.kit) for _ in range(3))
    there.ask(headers=NEW_YORK)
    there.ask(headers=NEW_YORK)
    here.ask(headers=FRANCE)
    nowhere.ask()
    assert [list(one.cookies) for one in (there, here, nowhere)] == [["cxkit_visitor"], [], []]
    first, second, *unnamed = regional.named("page.viewed")
    assert first.identity == second.identity
    assert first.identity.get("visitor").evidence == "cookie"
    assert (first.context.place.country, first.context.place.region) == ("US", "NY")
    assert not any(one.identity for one in unnamed)


def test_a_visitor_who_comes_from_elsewhere_is_recognised_no_longer(regional: Any, shop: Any) -> None:
    visitor = shop(kit=regional.kit)
    visitor.ask(headers=NEW_YORK)
    visitor.ask(headers=FRANCE)
    assert not visitor.cookies
    assert not regional.named("page.viewed")[-1].identity


def test_gpc_is_honoured_where_everything_else_is_allowed(regional: Any, shop: Any) -> None:
    allowed: list[frozenset[str]] = []
    shop(lambda: allowed.append(cxkit.current().allowed), kit=regional.kit).ask(
        headers=[*CALIFORNIA, (b"sec-gpc", b"1")]
    )
    (found,) = allowed
    assert found.isdisjoint({"advertising", "sale_share"})
    assert {"analytics", "personalization"} <= found


def test_place_and_page_are_both_known(regional: Any, shop: Any) -> None:
    places: list[Any] = []

    def look() -> None:
        cxkit.touchpoint("visit.placed").capture()
        places.append(cxkit.current().context.place)

    shop(look, kit=regional.kit).ask(headers=FRANCE)
    assert [one.country for one in places] == ["FR"]
    assert regional.viewed.context.page.method == "GET"


def test_an_objection_is_kept_as_long_as_nobody_may_ask_again(make: Any, shop: Any, clock: FakeClock) -> None:
    kept = make({"consent": Consent(policy="us"), "web": Web(consent_max_age_s=DAY_S)})
    visitor = shop(lambda: cxkit.withdraw("advertising"), kit=kept.kit)
    (cookie,) = [one for one in visitor.ask().all("set-cookie") if one.startswith("cxkit_consent")]
    assert f"Max-Age={365 * DAY_S}" in cookie
    clock.advance(300 * DAY_S)
    allowed: list[frozenset[str]] = []
    visitor.in_(shop(lambda: allowed.append(cxkit.current().allowed), kit=kept.kit)).ask()
    assert "advertising" not in allowed[0]
    assert "analytics" in allowed[0]


def test_a_grant_in_a_cookie_that_has_ended_is_none_and_may_be_asked_for(
    make: Any, shop: Any, clock: FakeClock
) -> None:
    kept = make({"web": Web(consent_max_age_s=500 * DAY_S)})
    visitor = shop(lambda: (cxkit.grant("personalization"), cxkit.withdraw("advertising")), kit=kept.kit)
    visitor.ask()
    clock.advance(366 * DAY_S)
    chosen: list[Any] = []
    visitor.in_(shop(lambda: chosen.append(cxkit.current().profile.choices), kit=kept.kit)).ask()
    assert chosen == [{"advertising": "denied"}]
    assert list(visitor.cookies) == ["cxkit_consent"]
