"""What the beacon's endpoint can never do: widen who somebody is, or what they allow."""

from __future__ import annotations

from typing import Any

import pytest

import cxkit
from cxkit.model import PURPOSES
from cxkit.settings import Consent
from tests.web.beacon import SAME, dropped, event, said, status


@pytest.mark.parametrize("agent", [b"Googlebot/2.1", b"Mozilla/5.0 (compatible; bingbot/2.0)"])
def test_robots_give_nothing(kept: Any, post: Any, agent: bytes) -> None:
    assert status(post(said(event(), event(number=2)), more=[SAME, (b"user-agent", agent)])) == 204
    assert not kept.interactions
    assert dropped(kept) == {"beacon_robot": 2}


def test_what_is_fetched_ahead_gives_nothing(kept: Any, post: Any) -> None:
    post(said(event()), more=[SAME, (b"sec-purpose", b"prefetch;prerender")])
    assert not kept.interactions


FORGED = {
    "user_id": "nancy",
    "identity": {"identifiers": [{"type": "user_id", "value": "nancy", "evidence": "login"}]},
    "consent": dict.fromkeys(PURPOSES, True),
    "choices": {"advertising": "granted"},
    "tenant": "other",
    "write_key": "other",
    "actor": "human",
    "context": {"session": "stolen"},
}


def test_b75_s17_what_is_forged_is_dropped(kept: Any, post: Any) -> None:
    post(said(event(**FORGED), **FORGED))
    (one,) = kept.interactions
    assert not one.identity
    assert not one.consent.get("analytics")
    assert not one.consent.get("advertising")
    assert one.context.session is None


def test_s17_what_is_forged_changes_nothing_of_a_visitor(visitor: Any, kept: Any, post: Any) -> None:
    held = dict(visitor.cookies)
    sent = post(said(event(**FORGED), **FORGED), by=visitor)
    assert (sent.cookies, visitor.cookies) == ({}, held)
    (one,) = kept.named("element.clicked")
    assert [(each.type, each.evidence) for each in one.identity.identifiers] == [("visitor", "cookie")]


def test_an_objection_in_the_body_can_only_deny(visitor: Any, kept: Any, post: Any) -> None:
    post(said(event(number=1), gpc=True), by=visitor)
    post(said(event(number=2), gpc=False), by=visitor, more=[SAME, (b"sec-gpc", b"1")])
    post(said(event(number=3), gpc=False), by=visitor)
    said_, header, neither = [one.consent for one in kept.named("element.clicked")]
    assert said_ == header
    assert (said_["advertising"], said_["sale_share"], said_["analytics"]) == (False, False, True)
    assert neither["advertising"]


@pytest.mark.parametrize("before", ["anonymise", "hold", "drop"])
def test_before_a_choice_the_policy_decides(make: Any, post: Any, before: str) -> None:
    kept = make({"consent": Consent(before_choice=before)})
    sent = post(said(event()), kit=kept.kit)
    assert (status(sent), sent.cookies) == (204, {})
    assert [one.identity.identifiers for one in kept.interactions] == ([()] if before == "anonymise" else [])
    assert dropped(kept) == ({} if before == "anonymise" else {"consent_undecided:analytics": 1})


def test_after_a_refusal_nothing_is_kept(shop: Any, kept: Any, post: Any) -> None:
    client = shop(lambda: cxkit.withdraw("analytics"))
    client.ask()
    sent = post(said(event()), by=client)
    assert (status(sent), sent.cookies) == (204, {})
    assert not kept.named("element.clicked")
    assert dropped(kept)["consent_refused:analytics"] >= 1
