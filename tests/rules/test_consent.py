"""What a person allowed: laws of the one rule behind all gates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import PURPOSES, Choice, Consent
from cxkit.rules.consent import (
    STRICT,
    Allowed,
    Policy,
    allowed,
    capture_mode,
    choices_of,
    refused,
    unobjected,
)
from tests import strategies as some

EPOCH = datetime(2026, 11, 21, tzinfo=UTC)
OBJECTED = {"advertising", "sale_share"}
moments = st.integers(0, 3).map(lambda minutes: EPOCH + timedelta(minutes=minutes))
choice_maps = st.dictionaries(some.purposes, some.choices)
records = st.lists(st.builds(Consent, choices=choice_maps, decided_at=moments), max_size=8)
policies = st.builds(
    Policy,
    name=st.just("any"),
    granted=st.frozensets(some.purposes).map(lambda found: found | {"necessary"}),
    anonymous=st.frozensets(some.purposes),
)


@some.few
@given(records)
def test_the_latest_choice_holds_and_of_two_at_one_moment_the_denial(several: list[Consent]) -> None:
    found = choices_of(several)
    for purpose in PURPOSES:
        made = [(one.decided_at, one.choices[purpose]) for one in several if purpose in one.choices]
        if not made:
            assert purpose not in found
            continue
        latest = max(at for at, _ in made)
        at_that_moment = {choice for at, choice in made if at == latest}
        assert found[purpose] == ("denied" if "denied" in at_that_moment else "granted", latest)


@some.few
@given(st.data(), records)
def test_the_order_of_records_does_not_matter(data: st.DataObject, several: list[Consent]) -> None:
    assert choices_of(data.draw(st.permutations(several))) == choices_of(several)
    assert choices_of([*several, *several]) == choices_of(several)


@given(policies, choice_maps, st.booleans(), st.booleans())
def test_what_is_denied_is_not_granted(
    policy: Policy, choices: dict[str, Choice], gpc: bool, despite_gpc: bool
) -> None:
    found = allowed(policy, choices, gpc=gpc, despite_gpc=despite_gpc)
    assert not found.granted & found.denied
    assert refused(choices) <= found.denied
    assert found.as_map() == {
        **dict.fromkeys(found.granted, True),
        **dict.fromkeys(found.denied, False),
    }


@given(policies, choice_maps, st.booleans())
def test_the_necessary_cannot_be_denied(policy: Policy, choices: dict[str, Choice], gpc: bool) -> None:
    found = allowed(policy, {**choices, "necessary": "denied"}, gpc=gpc)
    assert "necessary" in found.granted
    assert capture_mode(found, "necessary", before_choice="drop") == "full"
    assert refused({"necessary": "denied"}) == frozenset()


@given(policies, choice_maps)
def test_gpc_denies_two_purposes_and_changes_nothing_else(policy: Policy, choices: dict[str, Choice]) -> None:
    """W3C Global Privacy Control: an objection to sale, sharing and targeted advertising."""
    without, found = allowed(policy, choices), allowed(policy, choices, gpc=True)
    assert found.granted == without.granted - OBJECTED
    assert found.denied == without.denied | OBJECTED


@given(policies, choice_maps)
def test_only_what_was_granted_in_spite_of_the_objection_stands(policy: Policy, choices: dict[str, Choice]) -> None:
    """A purpose that needs no choice was not granted by anybody."""
    found = allowed(policy, choices, gpc=True, despite_gpc=True)
    explicit = {purpose for purpose, choice in choices.items() if choice == "granted"}
    assert found.granted & OBJECTED == explicit & OBJECTED
    assert found.granted - OBJECTED == allowed(policy, choices).granted - OBJECTED


@given(st.dictionaries(some.purposes, st.tuples(some.choices, moments)))
def test_earlier_grants_of_what_is_objected_to_do_not_survive_the_objection(
    choices: dict[str, tuple[Choice, datetime]],
) -> None:
    kept = unobjected(choices)
    gone = choices.keys() - kept.keys()
    assert gone == {purpose for purpose in OBJECTED & choices.keys() if choices[purpose][0] == "granted"}


@given(policies)
def test_without_any_choice_the_policy_holds(policy: Policy) -> None:
    assert allowed(policy, {}) == Allowed(granted=policy.granted)
    for purpose in PURPOSES:
        mode = capture_mode(allowed(policy, {}), purpose, before_choice="anonymise")
        assert mode == ("full" if purpose in policy.granted else "anonymous")


def test_without_a_configuration_nobody_is_recognised_before_a_choice() -> None:
    found = allowed(STRICT, {})
    assert (found.granted, found.denied, found.recognise) == ({"necessary"}, frozenset(), False)


@pytest.mark.parametrize(
    ("purpose", "recognised"),
    [("necessary", False), ("functional", False), ("analytics", True), ("personalization", True), ("profiling", True),
     ("advertising", True), ("sale_share", False), ("identity_stitching", False)],
)  # fmt: skip
def test_a_visitor_is_recognised_for_what_needs_it(purpose: str, recognised: bool) -> None:
    assert allowed(STRICT, {purpose: "granted"}).recognise is recognised


@given(policies, choice_maps, some.purposes)
def test_a_withdrawal_never_widens_anything(policy: Policy, choices: dict[str, Choice], purpose: str) -> None:
    before, after = allowed(policy, choices), allowed(policy, {**choices, purpose: "denied"})
    assert after.granted <= before.granted
    assert after.denied >= before.denied
