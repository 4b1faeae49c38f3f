"""Identities of one scope: joined and parted."""

from __future__ import annotations

import pytest
from hypothesis import assume, given

from cxkit.model import Evidence, Identifier, Identity
from cxkit.rules.identity import TYPES, IdentifierType, join, without
from tests import strategies as some


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


def test_a_declared_type_has_the_priority_it_says() -> None:
    several = [Identifier(type=type, value="1", evidence="login") for type in ("visitor", "household", "user_id")]
    types = {**TYPES, "household": IdentifierType(name="household", priority=60)}
    assert [one.type for one in join(Identity(), several, types=types).identifiers] == [
        "user_id",
        "household",
        "visitor",
    ]
