"""Several people, one device; several evidences, one name: nobody gets what is another's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.flows.disclose import Theirs
from cxkit.flows.known import Known
from cxkit.kit import Kit
from cxkit.model import Interaction
from cxkit.roles import Outcome
from cxkit.rules.identity import Owned
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter, recorder

WAITING = [Outcome.retry("down")]


@pytest.fixture
def analytics() -> RecordingExporter:
    return RecordingExporter(purposes=frozenset({"analytics"}))


@pytest.fixture
def advertising() -> RecordingExporter:
    return RecordingExporter(purposes=frozenset({"advertising"}))


@pytest.fixture
def kit(analytics: RecordingExporter, advertising: RecordingExporter) -> Iterator[Kit]:
    exporters = {"analytics": analytics, "advertising": advertising}
    with recorder():
        made = Kit(Settings(strict=True), exporters=exporters, in_memory=True)
        yield made
        made.close()


def device(kit: Kit, **identifiers: str) -> Any:
    return cxkit.scope(kit=kit, evidence="cookie", visitor="the-shared-one", **identifiers)


def person(kit: Kit, **identifiers: str) -> Any:
    with cxkit.scope(kit=kit, evidence="login", **identifiers):
        return cxkit.current().profile


def types(one: Interaction) -> set[str]:
    return {identifier.type for identifier in one.identity.identifiers}


def settled(kit: Kit) -> None:
    assert kit.flush(timeout_s=10).complete


@pytest.mark.parametrize(("id", "owners"), [("c01", True), ("c02", False), ("c03", False)])
def test_what_showed_that_it_is_shared_is_nowhere_its_owners(id: str, owners: bool) -> None:
    held = Owned("p1", contested="c02")
    assert Known(shared={"k": held}).own("k", id) is owners
    assert Known(shared={"k": held}, contested=True).own("k", id) is not owners
    for owner in (True, False):
        theirs = Theirs(lives=(), keys=("k",), contested={"k": (held, owner)})
        assert theirs.own("k", id) is (owners is owner)


LOGINS = [{"email": "alice@example.org"}, {"email": "bob@example.org"}, {"user_id": "carl"}, {"loyalty": "D-4"}]


def test_each_who_logs_in_on_one_device_is_somebody_of_their_own(kit: Kit) -> None:
    for login in LOGINS:
        with device(kit):
            cxkit.grant("personalization", "identity_stitching")
            cxkit.identify(traits={next(iter(login)): True}, **login)
        settled(kit)
    found = [person(kit, **login) for login in LOGINS]
    assert len({one.person.id for one in found}) == len(LOGINS)
    assert [set(one.traits) for one in found] == [set(login) for login in LOGINS]


def test_one_person_may_add_identifiers_on_their_device(kit: Kit) -> None:
    with device(kit):
        cxkit.grant("personalization", "identity_stitching")
        cxkit.identify(email="alice@example.org")
    settled(kit)
    with device(kit):
        cxkit.identify(email="alice@example.org", user_id="alice")
    settled(kit)
    by_name, by_address = person(kit, user_id="alice"), person(kit, email="alice@example.org")
    assert by_name.person == by_address.person


def test_a_withdrawal_after_a_login_stops_what_the_visitor_left_unsent(kit: Kit, analytics: RecordingExporter) -> None:
    seen = cxkit.touchpoint("shared.seen")
    analytics._outcomes += WAITING * 1000
    with device(kit):
        cxkit.grant("analytics")
        seen.capture()
    kit.flush(timeout_s=0.2)
    with device(kit):
        cxkit.grant("analytics")
        cxkit.identify(user_id="nancy")
        cxkit.withdraw("analytics")
    kit.flush(timeout_s=0.2)
    analytics._outcomes.clear()
    settled(kit)
    assert [one.name for one in analytics.interactions if one.name == "shared.seen"] == []
    assert kit.account().exporters["analytics"].dropped["consent"] >= 1


def test_without_stitching_nothing_carries_both(kit: Kit, analytics: RecordingExporter) -> None:
    seen = cxkit.touchpoint("shared.joined")
    with device(kit):
        cxkit.identify(user_id="nancy")
        cxkit.grant("analytics")
        seen.capture()
        cxkit.withdraw("analytics")
    settled(kit)
    assert analytics.interactions
    assert [one.name for one in analytics.interactions if types(one) >= {"visitor", "user_id"}] == []


def test_with_stitching_the_visitor_that_was_set_aside_comes_back(kit: Kit) -> None:
    with device(kit):
        cxkit.grant("analytics")
        cxkit.identify(user_id="nancy")
        cxkit.grant("identity_stitching")
        here = current_scope()
        assert here is not None
        assert {one.type for one in here.identity.identifiers} == {"visitor", "user_id"}


def test_what_one_chose_elsewhere_is_not_the_next_ones(kit: Kit, advertising: RecordingExporter) -> None:
    shown = cxkit.touchpoint("shared.ad", purpose="advertising")
    with cxkit.scope(kit=kit, evidence="login", user_id="alice"):
        cxkit.grant("advertising")
    settled(kit)
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="alice", email="alice@example.org")
        assert cxkit.current().profile.choices["advertising"] == "granted"
        cxkit.identify(user_id="bob")
        assert "advertising" not in cxkit.current().profile.choices
        shown.capture()
        here = current_scope()
        assert here is not None
        assert [one.type for one in here.identity.identifiers] == ["user_id"], "alice's address is gone too"
    settled(kit)
    assert [one.name for one in advertising.interactions if one.name == "shared.ad"] == []


def test_a_claim_may_refuse_for_somebody_but_grants_nothing(kit: Kit) -> None:
    with cxkit.scope(kit=kit, evidence="login", user_id="nancy"):
        cxkit.withdraw("advertising")
    settled(kit)
    with cxkit.scope(kit=kit, user_id="nancy"):
        cxkit.grant("advertising")
    settled(kit)
    assert person(kit, user_id="nancy").choices["advertising"] == "denied"
    with cxkit.scope(kit=kit, user_id="nancy"):
        cxkit.withdraw("analytics")
    settled(kit)
    assert person(kit, user_id="nancy").choices["analytics"] == "denied"


def test_nothing_anonymous_serves_what_somebody_granted(kit: Kit, advertising: RecordingExporter) -> None:
    read = cxkit.touchpoint("shared.read")
    with device(kit):
        cxkit.grant("advertising")
        read.capture(article="private")  # analytics is undecided: it is kept without identifiers
    settled(kit)
    assert [one.name for one in advertising.interactions if one.name == "shared.read"] == []


def test_a_name_declared_again_for_another_purpose_is_judged_anew(kit: Kit, analytics: RecordingExporter) -> None:
    with device(kit):
        cxkit.grant("analytics")
        assert cxkit.touchpoint("shared.again").capture()
        cxkit.withdraw("analytics")
        assert cxkit.touchpoint("shared.again", purpose="advertising").capture()
        assert cxkit.touchpoint("shared.again").capture() is None
    settled(kit)


def test_the_same_shown_to_several_is_an_exposure_for_each(kit: Kit) -> None:
    told = cxkit.experience("shared.offer")
    everything = RecordingExporter()
    own = Kit(Settings(strict=True), exporters={"all": everything}, in_memory=True)
    with cxkit.scope(kit=own):
        for name in ("ann", "ben", "cem"):
            with cxkit.scope(kit=own, evidence="login", user_id=name):
                told.show()
                told.show()
    assert own.close(timeout_s=10).complete
    assert len([one for one in everything.interactions if one.name == "experience.shown"]) == 3


def test_a_thread_that_could_not_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = RecordingExporter()
    own = Kit(Settings(strict=True), exporters={"all": everything}, in_memory=True)
    seen = cxkit.touchpoint("shared.started")

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with cxkit.scope(kit=own):
        with monkeypatch.context() as at_first:
            at_first.setattr(threading.Thread, "start", refuse)
            seen.capture()
        own._starter.again_at = 0.0  # as if some seconds had passed
        seen.capture()
    assert own.flush(timeout_s=10).complete
    assert len(everything.interactions) == 2
    own.close()


def test_a_device_that_two_have_used_says_of_nobody_who_they_are(kit: Kit) -> None:
    hero = cxkit.experience(
        "shared.hero",
        fallback=cxkit.Variant(name="all"),
        variants=[cxkit.Variant(name="gold", audience={"traits.plan": "gold"}, depth=2)],
    )
    with device(kit):
        cxkit.grant("personalization", "identity_stitching")
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
    settled(kit)
    with device(kit):
        cxkit.grant("personalization")
        assert hero.decide().variant == "gold", "as long as nobody else has used it"
    with device(kit):
        cxkit.grant("personalization", "identity_stitching")
        cxkit.identify(user_id="her-sister", traits={"plan": "basic"})
    settled(kit)
    with device(kit):
        cxkit.grant("personalization")
        known, decision = cxkit.current().profile, hero.decide()
    assert (known.person, known.traits) == (None, {})
    assert (decision.variant, decision.cap, decision.capped_by) == ("all", 1, "identity")
    assert person(kit, user_id="nancy").traits == {"plan": "gold"}
    assert person(kit, user_id="her-sister").traits == {"plan": "basic"}
