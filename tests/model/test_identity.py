"""Identity: the strongest identifier first, one of each type."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cxkit.errors import InvalidInteractionError
from cxkit.model import EVIDENCE, Identifier, Identity, Interaction


def test_evidence_is_ranked_from_claim_to_login() -> None:
    ranks = [Identifier(type="a", value="b", evidence=evidence).rank for evidence in EVIDENCE]
    assert (EVIDENCE, ranks) == (("claim", "token", "cookie", "login"), [0, 1, 2, 3])


def test_an_identity_is_true_if_it_says_anything() -> None:
    one = Identifier(type="visitor", value="v", evidence="cookie")
    assert not Identity()
    assert Identity(identifiers=(one,))
    assert Identity(identifiers=(one,)).get("visitor") is one
    assert Identity(identifiers=(one,)).get("user_id") is None


def test_only_a_login_says_who_is_signed_in() -> None:
    for evidence in EVIDENCE:
        one = Identifier(type="user_id", value="nancy", evidence=evidence)
        assert Identity(identifiers=(one,)).signed_in is (evidence == "login")
    assert not Identity().signed_in


def test_an_interaction_without_a_time_zone_is_refused() -> None:
    naive = datetime(2026, 11, 21)  # noqa: DTZ001
    with pytest.raises(InvalidInteractionError) as caught:
        Interaction(id="1", occurred_at=naive, name="a", source="/")
    assert caught.value.code == "CX3114"
    aware = naive.replace(tzinfo=UTC)
    assert Interaction(id="1", occurred_at=aware, name="a", source="/").occurred_at == aware
