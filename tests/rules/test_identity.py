"""Who identifiers belong to: laws on a small world in which evidence comes in any order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cxkit.model import EVIDENCE, Evidence, Identifier, Identity
from cxkit.rules.identity import UNIQUE, Owner, Resolution, join, normalise, owner, resolve, without
from tests import strategies as some

# A sighting: key to type and evidence, the strongest first, as `keys_of` gives them.
Sighting = Mapping[str, tuple[str, Evidence]]
TYPES = ["user_id", "loyalty", "email", "phone", "visitor"]
evidences: st.SearchStrategy[Evidence] = st.sampled_from(EVIDENCE)


@attrs.define
class World:
    """A store of owners, kept as `flows.apply` keeps it."""

    owners: dict[str, Owner] = attrs.Factory(dict)
    made: int = 0

    def see(self, sighting: Sighting) -> Resolution:
        self.made += 1
        seen = {key: self.owners[key] for key in sighting if key in self.owners}
        found = resolve(sighting, seen, newcomer=f"p{self.made}")
        assert found.person is not None or not found.linked
        if found.person is not None:
            unique = {sighting[key][0]: key for key in found.linked if sighting[key][0] in UNIQUE}
            held = next((one for one in self.owners.values() if one.person == found.person), None)
            grown = Owner(person=found.person, unique={**(held.unique if held else {}), **unique})
            for key in [key for key, one in self.owners.items() if one.person == found.person]:
                self.owners[key] = grown
            for key in found.linked:
                assert key not in self.owners, "an identifier has one owner and keeps it"
                self.owners[key] = grown
        return found

    @property
    def partition(self) -> set[frozenset[str]]:
        people = {one.person for one in self.owners.values()}
        return {frozenset(key for key, one in self.owners.items() if one.person == who) for who in people}


def after(sightings: Iterable[Sighting]) -> World:
    world = World()
    for sighting in sightings:
        world.see(sighting)
    return world


def in_order(found: Mapping[str, tuple[str, Evidence]]) -> dict[str, tuple[str, Evidence]]:
    ranked = sorted(found.items(), key=lambda item: (-EVIDENCE.index(item[1][1]), TYPES.index(item[1][0]), item[0]))
    return dict(ranked)


@st.composite
def sightings(draw: st.DrawFn) -> dict[str, tuple[str, Evidence]]:
    """One identifier of some types, of a few that there are."""
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=4, unique=True))
    return in_order({f"{type}{draw(st.integers(1, 3))}": (type, draw(evidences)) for type in types})


@st.composite
def agreeing(draw: st.DrawFn) -> list[dict[str, tuple[str, Evidence]]]:
    """Logins of three people, each on devices and under addresses that nobody else uses."""
    found = []
    for _ in range(draw(st.integers(1, 8))):
        person = draw(st.integers(1, 3))
        others = draw(st.lists(st.sampled_from(TYPES[1:]), max_size=4, unique=True))
        proven: Evidence = draw(st.sampled_from(["login", "cookie"]))
        seen = {f"{type}-{person}-{draw(st.integers(1, 2))}": (type, proven) for type in others}
        found.append(in_order({f"user_id-{person}": ("user_id", "login"), **seen}))
    return found


@some.few
@given(st.data(), agreeing())
def test_evidence_that_does_not_conflict_gives_the_same_people_in_any_order(
    data: st.DataObject, several: list[Sighting]
) -> None:
    expected = after(several).partition
    assert after(data.draw(st.permutations(several))).partition == expected
    for people in expected:
        assert len({key.split("-")[1] for key in people}) == 1


@given(st.lists(sightings(), max_size=12))
def test_two_user_ids_never_share_a_person(several: list[Sighting]) -> None:
    world = World()
    for sighting in several:
        world.see(sighting)
        for people in world.partition:
            assert sum(key.startswith("user_id") for key in people) <= 1


@some.few
@given(st.lists(sightings(), max_size=12))
def test_an_owner_is_never_changed(several: list[Sighting]) -> None:
    world = World()
    for sighting in several:
        before = {key: one.person for key, one in world.owners.items()}
        world.see(sighting)
        assert before.items() <= {key: one.person for key, one in world.owners.items()}.items()


@some.few
@given(st.lists(sightings(), max_size=8))
def test_seeing_the_same_again_changes_nothing(several: list[Sighting]) -> None:
    world = after(several)
    before = world.partition
    for sighting in several:
        first = world.see(sighting)
        assert world.see(sighting) == first
        assert world.partition == before


@some.few
@given(st.lists(sightings(), max_size=8))
def test_claims_and_message_tokens_link_nothing(several: list[Sighting]) -> None:
    weak = [
        {key: (type, evidence) for key, (type, evidence) in one.items() if evidence in ("claim", "token")}
        for one in several
    ]
    assert after(weak).owners == {}
    world = after(several)
    for sighting in several:
        for key in world.see(sighting).linked:
            assert sighting[key][1] in ("cookie", "login")


@some.few
@given(st.lists(sightings(), max_size=8), sightings())
def test_every_identifier_is_linked_owned_or_refused_by_name(several: list[Sighting], one: Sighting) -> None:
    world = after(several)
    owners = dict(world.owners)
    found = world.see(one)
    for key, (_, evidence) in one.items():
        holder = owners.get(key)
        if holder is None and evidence in ("claim", "token"):
            assert found.refused[key] == "weak_evidence"
        elif holder is None:
            assert key in found.linked
        elif holder.person != found.person and evidence in ("cookie", "login"):
            assert found.refused[key] == "owned_by_another"
        else:
            assert key not in found.refused


def test_a_shared_device_is_contested_not_merged() -> None:
    """The second to log in on it becomes a person of their own, and the device stays where it was."""
    world = World()
    first = world.see({"user_id1": ("user_id", "login"), "visitor1": ("visitor", "cookie")})
    second = world.see({"user_id2": ("user_id", "login"), "visitor1": ("visitor", "cookie")})
    assert second.person != first.person
    assert second.refused == {"visitor1": "owned_by_another"}
    anonymous = world.see({"visitor1": ("visitor", "cookie")})
    assert anonymous.person == first.person


def test_a_claim_of_somebody_known_says_who_is_meant() -> None:
    world = after([{"user_id1": ("user_id", "login"), "phone1": ("phone", "login")}])
    called = world.see({"phone1": ("phone", "claim")})
    assert (called.person, called.linked, called.refused) == (world.owners["phone1"].person, (), {})
    assert world.see({"phone2": ("phone", "claim")}).person is None


@some.few
@given(st.lists(sightings(), max_size=8), sightings())
def test_the_owner_is_the_person_that_is_resolved(several: list[Sighting], one: Sighting) -> None:
    owners = {key: held for key, held in after(several).owners.items() if key in one}
    held = owner(one, owners)
    proven = any(evidence in ("cookie", "login") for _, evidence in one.values())
    assert resolve(one, owners, newcomer="new").person == (held.person if held else "new" if proven else None)


# --- join and without ---


@some.few
@given(some.identities, some.identities)
def test_of_each_type_the_better_evidence_wins_and_the_newer_among_equals(one: Identity, more: Identity) -> None:
    joined = join(one, more.identifiers)
    types = [found.type for found in joined.identifiers]
    assert len(set(types)) == len(types)
    assert set(types) == {found.type for found in (*one.identifiers, *more.identifiers)}
    for found in joined.identifiers:
        held, new = one.get(found.type), more.get(found.type)
        assert found == (new if new and (held is None or new.rank >= held.rank) else held)


@pytest.mark.parametrize(("evidence", "kept"), [("login", "old"), ("cookie", "new"), ("claim", "new")])
def test_a_newer_value_replaces_an_older_one_unless_that_was_known_better(evidence: Evidence, kept: str) -> None:
    old = Identity(identifiers=(Identifier(type="visitor", value="old", evidence=evidence),))
    joined = join(old, [Identifier(type="visitor", value="new", evidence="cookie")])
    assert [one.value for one in joined.identifiers] == [kept]


@given(some.identities)
def test_the_strongest_comes_first(one: Identity) -> None:
    joined = join(Identity(), one.identifiers)
    ranks = [found.rank for found in joined.identifiers]
    assert ranks == sorted(ranks, reverse=True)
    assert join(joined, joined.identifiers) == joined


def test_among_equals_a_user_comes_before_a_device() -> None:
    several = [Identifier(type=type, value="1", evidence="login") for type in ("visitor", "x", "email", "user_id")]
    assert [one.type for one in join(Identity(), several).identifiers] == ["user_id", "email", "visitor", "x"]


@given(some.identities)
def test_without_leaves_the_others(one: Identity) -> None:
    assume(one)
    gone = one.identifiers[0].type
    assert without(one, [gone]) == Identity(identifiers=one.identifiers[1:])
    assert without(one, ["no-such-type"]) == one


# --- normalise ---

NOBODY = ["", " ", "0", "000", "-1", "null", "None", "NULL", "undefined", "NaN", "anonymous", "Guest", '"null"', "'0'",
          "[object Object]", "true", "unknown", "x" * 257]  # fmt: skip


@pytest.mark.parametrize("type", ["user_id", "email", "loyalty", "visitor"])
@pytest.mark.parametrize("value", NOBODY)
def test_what_identifies_nobody_is_no_identifier(type: str, value: str) -> None:
    assert normalise(type, value) is None


@given(st.sampled_from(TYPES), st.text(max_size=30))
def test_one_form_of_each_value(type: str, value: str) -> None:
    form = normalise(type, value)
    if form is not None:
        assert normalise(type, form) == form
        assert normalise(type, f" {form}\n") == form


@pytest.mark.parametrize(
    ("type", "one", "other"),
    [
        ("email", "Nancy@Example.ORG", "nancy@example.org"),
        ("email", "Zoe\u0308@example.org", "zo\u00eb@example.org"),  # B25
        ("phone", "+33 1 23 45 67 89", "+33123456789"),
        ("phone", "(01) 23-45", "012345"),
        ("user_id", " 42 ", "42"),
    ],
)
def test_spellings_of_one_identifier_are_one(type: str, one: str, other: str) -> None:
    assert normalise(type, one) == normalise(type, other) == other


def test_user_ids_keep_their_case() -> None:
    assert normalise("user_id", "Nancy") == "Nancy"
