"""What of the circumstances may be kept: never more than is allowed, and nothing more the less is."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import Acquisition, Context, Device, Page, Place
from cxkit.rules.consent import needed, permitted
from cxkit.testing.samples import FULL
from tests import strategies as some

ALL = FULL.context
PRECISE = Place(
    country="FR", region="69", city="Lyon", latitude=45.8, longitude=4.8, store="lyon-2", fences=("mall",),
    source="device", precision="coordinates", accuracy_km=0.1, confidence="high",
)  # fmt: skip


def test_where_everything_is_allowed_everything_is_kept() -> None:
    assert permitted(ALL, ["precise_location", "advertising"], linked=True) is ALL


def test_without_consent_to_it_no_position_is_kept_and_no_place_found_by_it() -> None:
    kept = permitted(Context(place=PRECISE), ["analytics", "personalization", "advertising"], linked=True).place
    assert kept == Place(
        country="FR", region="69", city="Lyon", source="device", precision="city", confidence="high"
    )  # and it is not said to be within 100 metres


def test_of_nobody_in_particular_the_country_is_kept() -> None:
    kept = permitted(Context(place=PRECISE), ["precise_location"], linked=False).place
    assert kept == Place(country="FR", source="device", precision="country", confidence="high")


@pytest.mark.parametrize(("granted", "linked"), [(["analytics"], True), (["advertising"], False), ([], False)])
def test_a_click_id_is_one_persons_and_for_advertising_alone(granted: list[str], linked: bool) -> None:
    came = Acquisition(source="google", medium="paid", vendor="google", click_id="c-1")
    kept = permitted(Context(acquisition=came), granted, linked=linked).acquisition
    assert kept == attrs.evolve(came, click_id=None)


def test_nothing_that_singles_out_is_kept_of_nobody_in_particular() -> None:
    kept = permitted(ALL, [], linked=False)
    assert (kept.session, kept.traceparent) == (None, None)
    assert kept.device == Device(type="phone", os="android", browser="firefox", touch=True)


def test_what_follows_from_a_finer_place_goes_with_it() -> None:
    """A time zone may be one county's, and a market one region's."""
    found = Context(
        place=Place(country="US", region="IN", city="Tell City", precision="city", accuracy_km=20.0),
        timezone="America/Indiana/Tell_City",
        currency="USD",
        market="indiana",
    )
    kept = permitted(found, [], linked=False)
    assert kept == Context(place=Place(country="US", precision="country"), currency="USD")
    assert permitted(found, [], linked=True) is found


def test_what_a_link_says_of_its_reader_goes_and_what_it_says_of_itself_stays() -> None:
    came = Acquisition(
        source="news", medium="email", campaign="spring", term="recipient-8842", content="nancy.smith.1974",
        vendor="klaviyo", click_id="c-1", referrer="blogspot.com", landing="/nuts/{sku}",
    )  # fmt: skip
    kept = permitted(Context(acquisition=came), ["advertising"], linked=False).acquisition
    assert kept == attrs.evolve(came, term=None, content=None, click_id=None)
    assert permitted(Context(acquisition=came), ["advertising"], linked=True).acquisition is came


def test_what_is_already_coarse_is_the_same_object() -> None:
    """So that what is encoded of it is shared."""
    page = Context(channel="web", page=Page(route="/"), place=Place(country="FR"), device=Device(type="phone"))
    assert permitted(page, [], linked=False) is page
    assert permitted(page, [], linked=True) is page


@given(some.contexts, st.sets(some.purposes), st.sets(some.purposes), st.booleans())
def test_more_consent_never_keeps_less_and_twice_is_once(
    context: Context, few: set[str], more: set[str], linked: bool
) -> None:
    once = permitted(context, few, linked=linked)
    assert permitted(once, few, linked=linked) == once
    assert permitted(permitted(context, few | more, linked=linked), few, linked=linked) == once
    assert permitted(permitted(context, few, linked=True), few, linked=False) == permitted(context, few, linked=False)


@given(some.contexts, st.sets(some.purposes), st.booleans())
def test_what_is_kept_needs_nothing_that_is_not_allowed(context: Context, granted: set[str], linked: bool) -> None:
    assert needed(permitted(context, granted, linked=linked)) <= (granted if linked else set())


@pytest.mark.parametrize(
    ("context", "purposes"),
    [
        (Context(acquisition=Acquisition(click_id="c-1")), {"advertising"}),
        (Context(place=Place(store="lyon-2")), {"precise_location"}),
        (Context(place=Place(fences=("mall",))), {"precise_location"}),
        (Context(place=Place(latitude=0.0)), {"precise_location"}),
        (Context(place=Place(longitude=0.0)), {"precise_location"}),
        (ALL, {"advertising", "precise_location"}),
        (Context(), set()),
        (Context(acquisition=Acquisition(vendor="google"), place=Place(country="FR", city="Lyon")), set()),
    ],
)
def test_what_is_there_by_a_purpose_alone_needs_it(context: Context, purposes: set[str]) -> None:
    assert needed(context) == purposes
