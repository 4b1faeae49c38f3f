"""Under which identifiers an act may allow something: laws, whatever is seen, owned and linked."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cxkit.model import EVIDENCE, Evidence
from cxkit.rules.identity import TYPES, Owned, Person, opens, whose
from cxkit.rules.identity.graph import Link

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEYS = {"k1": "user_id", "k2": "email", "k3": "loyalty", "k4": "visitor", "k5": "phone"}

seen_ = st.dictionaries(st.sampled_from(sorted(KEYS)), st.sampled_from(EVIDENCE), min_size=1).map(
    lambda held: {key: (KEYS[key], evidence) for key, evidence in held.items()}
)
owners = st.dictionaries(st.sampled_from(sorted(KEYS)), st.tuples(st.sampled_from("ab"), st.sampled_from(EVIDENCE)))


def graph(held: dict[str, tuple[str, Evidence]]) -> tuple[dict[str, Owned], dict[str, Person]]:
    people = {
        id: Person(
            id=id,
            born_at=NOW,
            links=tuple(
                Link(key=key, type=KEYS[key], evidence=evidence, at=NOW, by="c1", rule="new_person")
                for key, (owner, evidence) in sorted(held.items())
                if owner == id
            ),
        )
        for id in "ab"
    }
    return {key: Owned(owner) for key, (owner, _) in held.items()}, people


@given(seen_, owners)
def test_nothing_is_opened_under_what_a_login_of_somebody_else_proved(seen: dict, held: dict) -> None:  # type: ignore[type-arg]
    owned, people = graph(held)
    person = whose(seen, owned=owned, people=people, types=TYPES)
    for key in opens(seen, owned=owned, people=people):
        assert key in seen
        assert held.get(key, (person, None))[0] == person or held[key][1] != "login"


@given(seen_)
def test_what_is_nobodys_is_open_to_whoever_has_it(seen: dict) -> None:  # type: ignore[type-arg]
    assert opens(seen, owned={}, people={}) == frozenset(seen)


@given(st.sets(st.sampled_from(sorted(KEYS)), min_size=1), st.sampled_from("ab"))
def test_what_all_is_ones_own_by_login_is_open(keys: set[str], one: str) -> None:
    owned, people = graph(dict.fromkeys(keys, (one, "login")))
    seen: dict[str, tuple[str, Evidence]] = {key: (KEYS[key], "login") for key in keys}
    assert opens(seen, owned=owned, people=people) == keys


def test_what_was_only_typed_in_is_not_open_beside_its_owners_login_but_to_a_token() -> None:
    owned, people = graph({"k1": ("a", "login"), "k2": ("a", "claim")})
    both = {"k1": ("user_id", EVIDENCE[-1]), "k2": ("email", EVIDENCE[-1])}
    assert opens(both, owned=owned, people=people) == {"k1"}
    assert opens({"k2": ("email", "token")}, owned=owned, people=people) == {"k2"}
    assert opens({"k2": ("email", "login")}, owned=owned, people=people) == {"k2"}, "it is whose who proves it"
