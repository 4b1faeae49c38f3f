"""What an experience chooses: the first that fits, never deeper than allowed, and always something."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import EVIDENCE, JSON, PURPOSES, Decision, Evidence, ExperienceSpec, Identifier, Identity, Variant
from cxkit.rules.experience import Cap, Chooser, depth_cap
from tests import strategies as some
from tests.rules.experience.asked import Asked

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
    """The rule once more: each path leads to a value that is equal as JSON has it."""
    for path, wanted in variant.audience.items():
        value: Any = found
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, bool) is not isinstance(wanted, bool) or value != wanted:
            return False
    return True


def choose(
    spec: ExperienceSpec, found: dict[str, Any], cap: Cap, *, withheld: frozenset[str] = frozenset()
) -> Decision:
    return Chooser(spec).choose(Asked(found, withheld=withheld), cap)


def deep(variant: Variant) -> int:
    """What goes by what is known of somebody is of depth 2 at least."""
    return max(variant.depth, 2 if any(path.partition(".")[0] == "traits" for path in variant.audience) else 0)


@given(specs(), attributes, caps)
def test_the_first_that_is_allowed_and_fits_is_chosen_else_the_fallback(
    spec: ExperienceSpec, found: dict[str, Any], cap: Cap
) -> None:
    decision = choose(spec, found, cap)
    expected = next((one for one in spec.variants if deep(one) <= cap.depth and fits(one, found)), spec.fallback)
    assert (decision.variant, decision.content, decision.depth) == (
        expected.name, expected.content, deep(expected)
    )  # fmt: skip
    assert decision.depth <= cap.depth
    assert (decision.cap, decision.capped_by, decision.experience) == (cap.depth, cap.by, spec.name)
    assert decision.level == (1 if expected is spec.fallback else spec.level)
    assert decision.by == ("default" if expected is spec.fallback else "targeting")


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
        (1, 1.0, True),
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
    late = choose(spec, {"country": None, "channel": "web"}, Cap(1, "late"), withheld=frozenset({"country"}))
    assert late.reasons == ("v: country comes too late", "default: fallback")


def test_while_it_is_unknown_who_somebody_is_nothing_is_personal() -> None:
    cap = depth_cap(granted=frozenset(PURPOSES), identity=known_by("login"), pending=True)
    assert cap == Cap(1, "pending")


def test_a_decision_is_made_once_for_all_who_come_to_it_in_the_same_way() -> None:
    chooser = Chooser(ExperienceSpec(name="a", variants=(Variant(name="v", audience={"country": "FR"}),)))
    first, second, other = (chooser.choose(Asked({"country": one}), Cap(1, "late")) for one in ("FR", "FR", "CA"))
    assert first is second
    assert other is not first


def test_the_version_changes_with_whatever_was_declared() -> None:
    spec = ExperienceSpec(name="a", variants=(Variant(name="v", content=1),))
    again = ExperienceSpec(name="a", variants=(Variant(name="v", content=1),))
    other = ExperienceSpec(name="a", variants=(Variant(name="v", content=2),))
    assert Chooser(spec).version == Chooser(again).version != Chooser(other).version
    key = Chooser(spec).choose(Asked(), Cap(1, None)).cache_key
    assert key == f"a:{Chooser(spec).version}:v"


def test_what_is_shown_where_a_decision_failed_is_the_fallback_as_it_is_declared() -> None:
    chooser = Chooser(ExperienceSpec(name="a", fallback=Variant(name="all", content="Hi"), level=3))
    failed = chooser.failed()
    assert (failed.variant, failed.content, failed.level, failed.version) == ("all", "Hi", 1, chooser.version)
    assert (failed.by, failed.reasons) == ("default", ("fallback: the decision failed",))


@pytest.mark.parametrize(
    "audience", [{"traits.plan": "gold"}, {"$or": [{"traits": {"$exists": True}}]}, {"journeys.buying.stalled": True}]
)
def test_what_is_known_of_somebody_is_followed_where_they_allow_it_whatever_depth_is_declared(audience: Any) -> None:
    spec = ExperienceSpec(name="a", variants=(Variant(name="v", audience=audience),))
    assert (
        choose(spec, {"traits": {"plan": "gold"}}, Cap(1, "consent")).reasons[0]
        == "v: depth 2 is over the cap of 1 (consent)"
    )
    assert Chooser(spec).depth == 2


def test_what_one_handler_writes_into_a_slot_no_other_sees() -> None:
    chooser = Chooser(ExperienceSpec(name="a", fallback=Variant(name="v", content={"title": "Hi", "items": [1, {}]})))
    first = chooser.choose(Asked(), Cap(1, None))
    mine: Any = first.content
    mine["title"] = "Hello Nancy"
    mine["items"][1]["order"] = "4711"
    second = chooser.choose(Asked(), Cap(1, None))
    assert second.content == {"title": "Hi", "items": [1, {}]}
    assert (second.version, second.cache_key) == (first.version, first.cache_key)
