"""Policy packs: what holds where nobody chose, and whose law is taken to hold."""

from __future__ import annotations

import re
from datetime import date

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import PURPOSES, Choice
from cxkit.rules.consent import (
    PACKS,
    POLICIES,
    STRICT,
    UNIVERSAL_OPT_OUT,
    Home,
    Jurisdiction,
    Policy,
    allowed,
    governing,
    jurisdiction,
    pack_of,
    policy_named,
    region_of,
    strictest,
)
from tests import strategies as some

OPT_OUT = {"us", "us_opt_out"}
packs = st.sampled_from(list(PACKS.values()))
policies = packs | st.builds(
    Policy,
    name=some.words,
    granted=st.frozensets(some.purposes).map(lambda found: found | {"necessary"}),
    anonymous=st.frozensets(some.purposes),
    signals=st.frozensets(st.sampled_from(["tc", "gpp"])),
    grant_days=st.integers(1, 500),
    refusal_days=st.integers(0, 500),
)
codes = st.sampled_from(
    ["FR", "GB", "CH", "US", "US-CA", "US-NY", "US-PR", "CA", "CA-QC", "CA-ON", "BR", "KR", "IN", "US-ZZ", "zz", " fr "]
)


def test_a_pack_has_a_name_with_a_version() -> None:
    assert all(re.fullmatch(r"[a-z_]+/[1-9][0-9]*", pack.name) for pack in PACKS.values())
    assert len({pack.name for pack in PACKS.values()}) == len(PACKS)
    assert set(POLICIES) == {"strict", *PACKS} - {"unknown"}


@pytest.mark.parametrize("region", PACKS)
def test_nothing_but_the_necessary_needs_no_choice_except_where_the_law_is_opt_out(region: str) -> None:
    pack = PACKS[region]
    assert pack.granted == (
        frozenset(PURPOSES) - {"precise_location", "message_open"} if region in OPT_OUT else {"necessary"}
    )
    assert pack.mechanism == ("opt_out" if region in OPT_OUT else "opt_in")


@pytest.mark.parametrize("region", PACKS)
def test_an_objection_stops_ads_and_sale_and_nothing_else(region: str) -> None:
    found = allowed(PACKS[region], {}, gpc=True)
    assert found.denied == {"advertising", "sale_share"}
    assert found.granted == PACKS[region].granted - found.denied


@given(packs, st.dictionaries(some.purposes, some.choices))
def test_a_refusal_holds_under_every_pack(pack: Policy, choices: dict[str, Choice]) -> None:
    denied = {purpose for purpose, choice in choices.items() if choice == "denied"} - {"necessary"}
    assert allowed(pack, choices).denied == denied
    assert not allowed(pack, choices).granted & denied


@pytest.mark.parametrize(
    ("place", "region"),
    [("FR", "eea"), ("NO", "eea"), ("GB", "eea"), ("ch", "eea"), ("RE", "eea"), ("DE-BY", "eea"),
     ("CA-QC", "opt_in"), ("BR", "opt_in"), ("KR-11", "opt_in"), ("CA", "opt_in"), ("CA-ON", "unknown"),
     ("US-CA", "us_opt_out"), ("us-tx", "us_opt_out"), ("US", "us_opt_out"), ("US-NY", "us"), ("US-PR", "us"),
     ("US-ZZ", "unknown"), ("IN", "unknown"), ("", "unknown"), ("France", "unknown")],
)  # fmt: skip
def test_each_place_has_one_region(place: str, region: str) -> None:
    assert region_of(place) == region


def test_the_states_with_a_universal_opt_out_are_twelve_and_dated() -> None:
    assert sorted(UNIVERSAL_OPT_OUT) == "CA CO CT DE MD MN MT NE NH NJ OR TX".split()
    for act, since in UNIVERSAL_OPT_OUT.values():
        assert act
        assert date.fromisoformat(since) <= date(2026, 11, 1)


@given(st.none() | codes, st.none() | codes, st.none() | codes)
def test_the_surest_word_decides_even_if_it_is_no_help(
    declared: str | None, account: str | None, geo: str | None
) -> None:
    found = jurisdiction(declared=declared, account=account, geo=geo)
    expected = Jurisdiction()
    for how, place in (("geo", geo), ("account", account), ("declared", declared)):
        if place is not None:
            expected = Jurisdiction(region=region_of(place), inferred_from=how)  # type: ignore[arg-type]
    assert found == expected


@given(st.text(max_size=8))
def test_whatever_is_not_known_is_the_strictest(region: str) -> None:
    assert region in PACKS or pack_of(region) is STRICT
    assert pack_of(region, minor=True).granted == {"necessary"}


@given(st.lists(policies, max_size=4), st.dictionaries(some.purposes, some.choices), st.booleans())
def test_the_strictest_allows_nothing_that_one_of_them_does_not(
    several: list[Policy], choices: dict[str, Choice], gpc: bool
) -> None:
    found = strictest(several)
    assert "necessary" in found.granted
    for one in several:
        assert allowed(found, choices, gpc=gpc).granted <= allowed(one, choices, gpc=gpc).granted
        assert found.anonymous <= one.anonymous
        assert found.signals >= one.signals
        assert found.grant_days <= one.grant_days
        assert found.refusal_days >= one.refusal_days


@given(st.data(), st.lists(policies, max_size=4, unique_by=lambda one: one.name))
def test_the_order_of_policies_does_not_matter(data: st.DataObject, several: list[Policy]) -> None:
    assert strictest(data.draw(st.permutations(several))) == strictest(several)


def test_of_one_the_strictest_is_that_one() -> None:
    assert all(strictest([pack, pack]) == pack for pack in PACKS.values())
    assert strictest([]) is STRICT


# --- who is governed by what ---

places = st.none() | codes
homes = st.builds(
    Home,
    declared=places,
    account=places,
    proven=st.booleans(),
    minor=st.booleans(),
    account_minor=st.booleans(),
    brought=st.builds(Jurisdiction, region=st.sampled_from([*PACKS]), inferred_from=st.just("geo")),
    known=st.booleans(),
)


@given(homes, places)
def test_law_nothing_is_granted_that_the_deciding_place_does_not_grant(home: Home, geo: str | None) -> None:
    policy, where = governing(None, home, geo=geo)
    assert policy.granted <= pack_of(where.region).granted
    if home.minor or home.account_minor or not home.known:
        assert policy.granted == {"necessary"}


@given(homes, places, places)
def test_law_a_mere_claim_loosens_nothing(home: Home, geo: str | None, account: str | None) -> None:
    claimed = attrs.evolve(home, account=account, proven=False)
    nobody = attrs.evolve(claimed, account=None)
    with_claim, without = governing(None, claimed, geo=geo)[0], governing(None, nobody, geo=geo)[0]
    assert with_claim.granted <= without.granted
    assert with_claim.anonymous <= without.anonymous


@given(homes, places, places)
def test_law_where_it_was_declared_nothing_else_counts(home: Home, geo: str | None, other: str | None) -> None:
    home = attrs.evolve(home, declared="FR", proven=True)
    assert governing(None, home, geo=geo) == governing(None, attrs.evolve(home, account=other), geo=other)


@given(homes, places, places)
def test_law_what_somebody_chose_loosens_nothing(home: Home, geo: str | None, chosen: str | None) -> None:
    without, where = governing(None, home, geo=geo)
    policy, whose = governing(None, home, geo=geo, chosen=chosen)
    assert policy.granted <= without.granted
    assert policy.anonymous <= without.anonymous
    if whose != where:
        assert whose == Jurisdiction(region=region_of(chosen or ""), inferred_from="declared")
        assert where.inferred_from == "geo"


@given(packs, homes, places)
def test_law_a_fixed_policy_holds_everywhere_but_for_children(policy: Policy, home: Home, geo: str | None) -> None:
    minor = home.minor or home.account_minor
    assert governing(policy, home, geo=geo)[0] is (PACKS["minor"] if minor else policy)


@given(st.lists(packs, min_size=1))
def test_law_a_record_s_policy_is_found_by_its_name(several: list[Policy]) -> None:
    policy = strictest(several)
    assert policy_named(policy.name) == policy


def test_a_policy_of_a_later_version_holds_for_as_short_as_the_strictest() -> None:
    later = policy_named("us/9")
    assert (later.name, later.granted, later.grant_days) == ("us/9", STRICT.granted, STRICT.grant_days)
