"""What brought somebody here: remembered of whoever allows it, first and last, and of nobody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

import cxkit
from cxkit.api import Experience
from cxkit.capture.enrich import Enrichment
from cxkit.model import Acquisition, Context, ExperienceSpec, Facts, Variant
from cxkit.settings import Consent, Identity, Profile
from cxkit.web import ASGIMiddleware

ALL = ("analytics", "personalization", "advertising", "sale_share", "identity_stitching")
GOOGLE = {"source": "google", "medium": "search"}
COUNTED: list[str] = []
"""By a machine that is busy, that it was slow."""
NEWS = {"source": "news", "medium": "email", "campaign": "spring"}


class ByQuery:
    """Says what the query says."""

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        source, _, rest = facts.query.partition("/")
        medium, _, campaign = rest.partition("/")
        if not facts.query:
            return {}
        came = Acquisition(source=source or None, medium=medium, campaign=campaign or None, click_id="CANARY")
        return {"acquisition": came}


@pytest.fixture
def kept(make: Any) -> Any:
    kept = make()
    kept.kit.enrich = Enrichment({"came": ByQuery()}, count=COUNTED.append)
    return kept


@pytest.fixture
def traits(shop: Any, kept: Any) -> Callable[[Any], dict[str, Any]]:
    """What is known of a client's owner; everything captured is committed before."""

    def traits(client: Any) -> dict[str, Any]:
        assert kept.kit.flush(timeout_s=10).complete
        found: dict[str, Any] = {}
        client.in_(shop(lambda: found.update(cxkit.current().profile.traits))).ask()
        return found

    return traits


def came(client: Any, query: bytes, **more: Any) -> None:
    sent = client.ask(query_string=query, **more)
    assert sent.error is None


def test_the_first_is_written_once_and_the_last_is_the_latest_that_was_no_direct_one(
    visitor: Any, traits: Any, clock: Any
) -> None:
    came(visitor, b"google/search")
    assert traits(visitor) == {"first_touch": GOOGLE, "last_touch": GOOGLE}
    clock.advance(3600)
    came(visitor, b"news/email/spring")
    assert traits(visitor) == {"first_touch": GOOGLE, "last_touch": NEWS}
    came(visitor, b"/direct")
    came(visitor, b"")
    assert traits(visitor) == {"first_touch": GOOGLE, "last_touch": NEWS}


def test_who_first_came_by_themselves_did_so(visitor: Any, traits: Any) -> None:
    came(visitor, b"/direct")
    came(visitor, b"google/search")
    assert traits(visitor) == {"first_touch": {"medium": "direct"}, "last_touch": GOOGLE}


def test_what_says_nothing_leaves_the_last_as_it_is(visitor: Any, traits: Any) -> None:
    came(visitor, b"google/search")
    came(visitor, b"/referral")  # from where they paid, say: it does not tell which that is
    assert traits(visitor)["last_touch"] == GOOGLE


def test_a_campaign_is_a_touch_by_whatever_medium(visitor: Any, traits: Any) -> None:
    came(visitor, b"partner//spring")
    partner = {"source": "partner", "medium": "", "campaign": "spring"}
    assert traits(visitor) == {"first_touch": partner, "last_touch": partner}


def test_two_processes_agree_on_the_first_and_the_last_whoever_commits_first(
    visitor: Any, kept: Any, make: Any, client: Any, answering: Any, traits: Any, clock: Any
) -> None:
    other = make()
    other.kit.enrich = Enrichment({"came": ByQuery()}, count=COUNTED.append)
    elsewhere = client(ASGIMiddleware(answering(), kit=other.kit))
    elsewhere.cookies = visitor.cookies
    assert kept.kit.flush(timeout_s=10).complete
    clock.advance(60)
    came(visitor, b"google/search")
    clock.advance(60)
    came(elsewhere, b"news/email/spring")  # knows nothing of the first, which is not committed yet
    assert other.kit.flush(timeout_s=10).complete
    assert traits(visitor) == {"first_touch": GOOGLE, "last_touch": NEWS}


@pytest.mark.parametrize("policy", ["strict", "regional"])
def test_the_landing_page_is_told_though_the_law_is_asked_for_before_the_route(
    make: Any, client: Any, answering: Any, policy: str
) -> None:
    kept = make({"consent": Consent(policy=policy)})
    kept.kit.enrich = Enrichment({"came": ByQuery()}, count=COUNTED.append)
    routed = ASGIMiddleware(answering(), kit=kept.kit, route=lambda scope: "/nuts/{sku}")
    came(client(routed), b"google/search")
    assert kept.viewed.context.acquisition.landing == "/nuts/{sku}"


def test_what_is_known_is_not_recorded_again(visitor: Any, kept: Any) -> None:
    for _ in range(3):
        came(visitor, b"google/search")
        assert kept.kit.flush(timeout_s=10).complete
    assert len(kept.named("profile.arrived")) == 1


def test_it_shows_before_it_is_committed(visitor: Any, shop: Any) -> None:
    found: list[Any] = []
    came(visitor, b"google/search")
    visitor.in_(shop(lambda: found.append(cxkit.current().profile.traits.get("last_touch")))).ask()
    assert found == [GOOGLE]


def test_no_click_id_and_no_referrer_goes_along(visitor: Any, kept: Any) -> None:
    came(visitor, b"google/search")
    (told,) = kept.named("profile.arrived")
    assert "CANARY" not in str(told.properties)


def test_without_stitching_it_is_of_a_visitor_whom_no_login_named(shop: Any, kept: Any, traits: Any) -> None:
    client = shop(lambda: cxkit.grant("analytics", "personalization"))
    client.ask()
    came(client, b"google/search")
    assert traits(client) == {"first_touch": GOOGLE, "last_touch": GOOGLE}


def test_it_goes_along_when_the_visitor_signs_in(visitor: Any, shop: Any, traits: Any, clock: Any) -> None:
    came(visitor, b"google/search")
    clock.advance(60)
    visitor.in_(shop(lambda: cxkit.identify(user_id="nancy"))).ask()
    clock.advance(60)
    came(visitor, b"news/email/spring")
    assert traits(visitor) == {"first_touch": GOOGLE, "last_touch": NEWS}


def test_nothing_of_whoever_chose_nothing(shop: Any, kept: Any) -> None:
    came(shop(), b"google/search")
    assert [one.context.acquisition for one in kept.named("page.viewed")] == [
        Acquisition(source="google", medium="search")
    ]
    assert kept.named("profile.arrived") == []


@pytest.mark.parametrize("refused", ["personalization", "analytics"])
def test_nothing_of_whoever_refuses(shop: Any, kept: Any, refused: str) -> None:
    client = shop(lambda: cxkit.grant(*(one for one in ALL if one != refused)))
    client.ask()
    came(client, b"google/search")
    told = kept.named("profile.arrived")
    assert len(told) == (refused == "analytics")  # it is remembered for personalization, as contacts are


@pytest.mark.parametrize("committed", [True, False])
def test_without_stitching_nothing_is_said_of_whom_a_visitor_once_signed_in_as(
    visitor: Any, shop: Any, kept: Any, committed: bool
) -> None:
    for act in (lambda: cxkit.identify(user_id="nancy"), lambda: cxkit.withdraw("identity_stitching")):
        visitor.in_(shop(act)).ask()
        assert not committed or kept.kit.flush(timeout_s=10).complete
    came(visitor, b"secretclinic/email/results")
    assert kept.named("profile.arrived") == []


def test_nothing_once_it_is_withdrawn(visitor: Any, shop: Any, kept: Any) -> None:
    visitor.in_(shop(lambda: cxkit.withdraw("personalization"))).ask()
    came(visitor, b"google/search")
    assert kept.named("profile.arrived") == []


@pytest.mark.parametrize(
    "header", [(b"user-agent", b"Googlebot/2.1"), (b"sec-purpose", b"prefetch")], ids=["bot", "prefetch"]
)
def test_nothing_of_machines(visitor: Any, kept: Any, header: tuple[bytes, bytes]) -> None:
    came(visitor, b"google/search", headers=[header])
    assert kept.named("profile.arrived") == []


def test_nothing_where_nothing_is_to_be_remembered(make: Any, client: Any, answering: Any) -> None:
    kept = make({"profile": Profile(remember=False)})
    kept.kit.enrich = Enrichment({"came": ByQuery()}, count=COUNTED.append)
    visitor = client(ASGIMiddleware(answering(lambda: cxkit.grant(*ALL)), kit=kept.kit))
    visitor.ask()
    came(visitor, b"google/search")
    assert kept.named("profile.arrived") == []


def test_nothing_on_a_device_that_everybody_uses(make: Any, client: Any, answering: Any) -> None:
    kept = make({"identity": Identity(kiosk=True)})
    kept.kit.enrich = Enrichment({"came": ByQuery()}, count=COUNTED.append)
    visitor = client(ASGIMiddleware(answering(lambda: cxkit.grant(*ALL)), kit=kept.kit))
    visitor.ask()
    came(visitor, b"google/search")
    assert kept.named("profile.arrived") == []


def test_it_leaves_with_the_customer(visitor: Any, shop: Any, kept: Any, traits: Any) -> None:
    came(visitor, b"google/search")
    visitor.in_(shop(lambda: cxkit.identify(user_id="nancy"))).ask()
    assert traits(visitor)
    with cxkit.scope(kit=kept.kit):
        cxkit.erase(user_id="nancy")
    assert traits(visitor) == {}


def test_an_experience_can_follow_it(visitor: Any, shop: Any, kept: Any) -> None:
    spec = ExperienceSpec(
        name="came.hero",
        fallback=Variant(name="all"),
        variants=(Variant(name="mailed", audience={"traits.last_touch.medium": "email"}, depth=2),),
    )
    came(visitor, b"news/email/spring")
    assert kept.kit.flush(timeout_s=10).complete
    found: list[str] = []
    visitor.in_(shop(lambda: found.append(Experience(spec).decide().variant))).ask()
    assert found == ["mailed"]
