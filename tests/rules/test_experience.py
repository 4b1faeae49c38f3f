"""What an experience chooses: the first that fits, never deeper than allowed, and always something."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import DeclarationError
from cxkit.model import EVIDENCE, JSON, PURPOSES, Evidence, ExperienceSpec, Identifier, Identity, Variant
from cxkit.rules.experience import Cap, check, choose, depth_cap
from tests import strategies as some

PATHS = ["country", "traits.plan", "traits", "known", "a.b.c"]
values: st.SearchStrategy[JSON] = st.sampled_from([None, True, False, 1, 1.0, "FR", "gold", ["x"]])
attributes = st.fixed_dictionaries(
    {},
    optional={
        "country": values,
        "known": values,
        "traits": st.one_of(values, st.fixed_dictionaries({"plan": values})),
        "a": st.one_of(values, st.fixed_dictionaries({"b": st.fixed_dictionaries({"c": values})})),
    },
)
audiences = st.dictionaries(st.sampled_from(PATHS), values, max_size=2)
caps = st.builds(Cap, st.integers(0, 4), st.sampled_from(["consent", "identity", None]))


@st.composite
def specs(draw: st.DrawFn) -> ExperienceSpec:
    wanted = draw(st.lists(st.tuples(audiences, st.integers(0, 4)), max_size=5))
    variants = [Variant(name=f"v{place}", audience=audience, depth=depth, content=place)
                for place, (audience, depth) in enumerate(wanted)]  # fmt: skip
    return ExperienceSpec(name="home.hero", variants=tuple(variants), level=draw(st.integers(1, 4)))


def fits(variant: Variant, found: dict[str, Any]) -> bool:
    """The rule once more: each path leads to a value of the same type that is equal."""
    for path, wanted in variant.audience.items():
        value: Any = found
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if type(value) is not type(wanted) or value != wanted:
            return False
    return True


@given(specs(), attributes, caps)
def test_the_first_that_is_allowed_and_fits_is_chosen_else_the_fallback(
    spec: ExperienceSpec, found: dict[str, Any], cap: Cap
) -> None:
    decision = choose(spec, found, cap)
    expected = next((one for one in spec.variants if one.depth <= cap.depth and fits(one, found)), spec.fallback)
    assert (decision.variant, decision.content, decision.depth) == (
        expected.name, expected.content, expected.depth
    )  # fmt: skip
    assert decision.depth <= cap.depth
    assert (decision.cap, decision.capped_by, decision.experience) == (cap.depth, cap.by, spec.name)
    assert decision.level == (1 if expected is spec.fallback else spec.level)


@given(specs(), attributes, caps)
def test_it_is_the_same_each_time_and_says_why(spec: ExperienceSpec, found: dict[str, Any], cap: Cap) -> None:
    before = copy.deepcopy(found)
    decision = choose(spec, found, cap)
    assert choose(spec, found, cap) == decision
    assert found == before
    tried = [reason.partition(":")[0] for reason in decision.reasons]
    names = [one.name for one in (*spec.variants, spec.fallback)]
    assert tried == names[: len(tried)]
    assert tried[-1] == decision.variant


@some.few
@given(specs())
def test_with_no_depth_allowed_there_is_always_the_fallback(spec: ExperienceSpec) -> None:
    assert choose(ExperienceSpec(name="a"), {}, Cap(0, "policy")).variant == "default"
    assert choose(spec, {}, Cap(0, "policy")).depth == 0


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (1, 1.0, False),
        (1, 1, True),
        ("1", 1, False),
        (None, None, True),
    ],
)
def test_a_value_is_what_it_is(wanted: JSON, found: JSON, fits: bool) -> None:
    spec = ExperienceSpec(name="a", variants=(Variant(name="v", audience={"traits.x": wanted}),))
    assert (choose(spec, {"traits": {"x": found}}, Cap(4, None)).variant == "v") is fits


# --- how deep ---


def known_by(evidence: Evidence | None) -> Identity:
    one = Identifier(type="user_id", value="nancy", evidence=evidence or "claim")
    return Identity(identifiers=(one,) if evidence else ())


BY_EVIDENCE = {None: 1, "claim": 1, "token": 2, "cookie": 2, "login": 4}


@given(st.frozensets(some.purposes), st.sampled_from([None, *EVIDENCE]), st.booleans(), st.booleans(), st.booleans())
def test_the_cap_is_the_lowest_of_all_caps(
    granted: frozenset[str], evidence: Evidence | None, pending: bool, late: bool, machine: bool
) -> None:
    by_consent = 1 if "personalization" not in granted else 4 if "profiling" in granted else 3
    lowest = min(by_consent, BY_EVIDENCE[evidence], *(1 if one else 4 for one in (pending, late, machine)))
    cap = depth_cap(granted=granted, identity=known_by(evidence), pending=pending, late=late, machine=machine)
    assert cap.depth == lowest
    named = {"consent": by_consent, "identity": BY_EVIDENCE[evidence], "pending": 1 if pending else 4,
             "late": 1 if late else 4, "actor": 1 if machine else 4}  # fmt: skip
    assert (cap.by is None) == (lowest == 4)
    if cap.by is not None:
        assert named[cap.by] == lowest


def test_a_message_token_is_no_login() -> None:
    """Whoever was forwarded the mail must not see what is the addressee's."""
    everything = frozenset(PURPOSES)
    assert depth_cap(granted=everything, identity=known_by("token"), pending=False) == Cap(2, "identity")
    assert depth_cap(granted=everything, identity=known_by("login"), pending=False) == Cap(4, None)


def test_a_machine_is_shown_what_a_stranger_is() -> None:
    """So no cache can give to one what was made for the other."""
    stranger = depth_cap(granted=frozenset(), identity=known_by(None), pending=False)
    machine = depth_cap(granted=frozenset(PURPOSES), identity=known_by("login"), pending=False, machine=True)
    assert (stranger.depth, machine) == (1, Cap(1, "actor"))


def test_what_comes_too_late_is_said_to() -> None:
    spec = ExperienceSpec(name="a", variants=(Variant(name="v", audience={"country": "FR", "channel": "web"}),))
    late = choose(spec, {"country": None, "channel": "web"}, Cap(1, "late"), withheld={"country"})
    assert late.reasons == ("v: country comes too late", "default: fallback")


def test_while_it_is_unknown_who_somebody_is_nothing_is_personal() -> None:
    cap = depth_cap(granted=frozenset(PURPOSES), identity=known_by("login"), pending=True)
    assert cap == Cap(1, "pending")


# --- what the rules cannot judge ---


@pytest.mark.parametrize(
    "audience",
    [{"$or": []}, {"traits.$gt": 1}, {"country": {"$in": ["FR"]}}, {"traits": {"plan": "gold"}}, {"a.b.$c": 1}],
)
def test_operators_are_refused(audience: dict[str, Any]) -> None:
    spec = ExperienceSpec(name="home.hero", variants=(Variant(name="a", audience=audience),))
    with pytest.raises(DeclarationError) as caught:
        check(spec)
    assert caught.value.code == "CX3007"


@some.few
@given(specs())
def test_equality_is_accepted(spec: ExperienceSpec) -> None:
    check(spec)
