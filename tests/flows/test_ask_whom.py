"""Whom something is asked, and whose the answer is: several people, several devices, several choices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

import cxkit
from cxkit import Question
from cxkit.capture.scope import current_scope
from cxkit.capture.stamp import Stamper
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.flows.disclose import disclose, theirs
from cxkit.flows.documents import askings_in
from cxkit.flows.reading import Reading
from cxkit.kit import Kit
from cxkit.model import Identity, Interaction
from cxkit.roles import Put
from cxkit.settings import Settings
from cxkit.settings.tree import Consent
from cxkit.stores.memory import MemoryStore
from cxkit.testing import RecordingExporter
from tests.flows.post import NANCY, applied
from tests.flows.world import KEYS, Faulty, batch, command, held, identified, identity, key, traits

DIET = Question(name="diet", options=("vegan", "nuts"), lasts_s=200 * 86_400.0)  # the same as elsewhere
HEALTH = Question(name="allergies", sensitive=True)
OFFERS = Question(name="offers", purpose="advertising")
CSAT = Question(name="csat.visit", scale="csat")
FORM = cxkit.experience("whom.form", questions=[DIET, HEALTH, OFFERS, CSAT])
PHONE = cxkit.experience("whom.checkout", questions=[Question(name="mobile", purpose="necessary")])


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter()


@pytest.fixture
def kit(store: Faulty, exporter: RecordingExporter) -> Iterator[Kit]:
    made = Kit(Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True)
    yield made
    made.close(timeout_s=10)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def device(kit: Kit, **identifiers: str) -> Any:
    return cxkit.scope(kit=kit, evidence="cookie", visitor="v-1", **identifiers)


def signed_in(kit: Kit, name: str = "nancy") -> Any:
    return cxkit.scope(kit=kit, evidence="login", user_id=name)


def signs_in_on_it(kit: Kit, name: str) -> None:
    with device(kit):
        cxkit.grant("analytics", "personalization", "identity_stitching")
        cxkit.identify(user_id=name)
    settled(kit)


def not_asked() -> dict[str, str]:
    return dict(FORM.decide().not_asked)


# --- choices ---


def test_without_its_purpose_nothing_is_asked_and_nothing_stored(
    kit: Kit, store: Faulty, exporter: RecordingExporter
) -> None:
    with signed_in(kit):
        cxkit.withdraw("personalization", "analytics", "advertising")
        assert set(not_asked().values()) == {"consent"}
        FORM.show()
        cxkit.answer("diet", "vegan")
        cxkit.answer("csat.visit", 5)
        cxkit.skip("allergies")
        assert cxkit.current().profile.traits == {}
    settled(kit)
    assert kit.flush(timeout_s=30).complete
    assert held(store, "asked") == held(store, "person") == {}
    assert {one.name for one in exporter.interactions}.isdisjoint({"profile.asked", "profile.answered"})
    blocked = {text: number for text, number in kit.account().blocked.items() if "diet" in text}
    assert blocked == {"identity:personalization:not_allowed:diet": 1}


def test_before_any_choice_feedback_is_kept_without_a_name(kit: Kit, store: Faulty) -> None:
    with signed_in(kit):
        cxkit.answer("csat.visit", 5)
    settled(kit)
    assert held(store, "asked") == {}


def test_what_is_sensitive_is_asked_of_who_said_yes_and_not_where_a_policy_assumes_it(store: Faulty) -> None:
    kit = Kit(Settings(strict=True, consent=Consent(policy="us")), store=store, in_memory=True)
    with signed_in(kit):
        assert "personalization" in cxkit.current().allowed
        assert "diet" not in not_asked()
        assert not_asked()["allergies"] == "consent"
        pain = Question(name="pain", scale="ces", sensitive=True)
        cxkit.answer("allergies", "nuts")
        cxkit.answer(pain, 7)
        cxkit.skip(pain)
        assert cxkit.current().profile.traits == {}
        cxkit.grant("personalization")
        assert not_asked()["allergies"] == "elsewhere", "they have answered"
    assert held(store, "asked") == {}
    assert {text for text in kit.account().blocked if text.startswith("identity")} == {
        "identity:personalization:not_allowed:allergies", "identity:analytics:not_allowed:pain",
    }  # fmt: skip
    with signed_in(kit, "mary"):
        cxkit.grant("personalization")
        assert "allergies" not in not_asked()
    kit.close(timeout_s=10)


def test_a_yes_that_has_ended_is_none_for_what_is_sensitive(store: Faulty) -> None:
    """Although the policy goes on to assume it."""
    now_ns = 1_795_000_000 * 10**9
    stamper = Stamper(time_ns=lambda: now_ns)
    kit = Kit(Settings(strict=True, consent=Consent(policy="us")), store=store, in_memory=True, stamper=stamper)
    with signed_in(kit):
        cxkit.grant("personalization")
        assert "allergies" not in not_asked()
        now_ns += 3 * 365 * 86_400 * 10**9
        cxkit.grant("functional")  # whatever makes the scope look again
        assert "personalization" in cxkit.current().allowed
        assert not_asked()["allergies"] == "consent"
    kit.close(timeout_s=10)


def test_an_objecting_browser_stops_what_is_for_advertising_and_nothing_else(kit: Kit) -> None:
    with signed_in(kit):
        cxkit.grant("personalization", "analytics", "advertising")
        cxkit.signal(gpc="1")
        assert not_asked() == {"offers": "consent"}


def test_no_machine_is_asked_nor_heard(kit: Kit, exporter: RecordingExporter) -> None:
    with signed_in(kit):
        cxkit.grant("personalization", "analytics", "advertising")
        here = current_scope()
        assert here is not None
        here.enriched(attrs.evolve(here.context, actor="bot"))
        assert set(not_asked().values()) == {"actor"}
        cxkit.answer("diet", "vegan")
        cxkit.answer("csat.visit", 1)
        cxkit.skip("offers")
    assert kit.flush(timeout_s=30).complete
    assert {one.name for one in exporter.interactions} <= {"consent.changed"}
    assert kit.account().blocked["capture:analytics:actor:csat.visit"] == 1


# --- prefilled ---


def test_a_form_is_filled_for_who_is_signed_in_and_nobody_else(kit: Kit) -> None:
    with device(kit):
        cxkit.grant("personalization", "identity_stitching")
        cxkit.identify(user_id="nancy", traits={"mobile": "+33 6 39 98 12 34", "plan": "gold"})
        assert dict(PHONE.show().prefill) == {"mobile": "+33 6 39 98 12 34"}
        here = current_scope()
        assert here is not None
        assert here.depth_shown == 2, "no cache may have it"
    settled(kit)
    with signed_in(kit):
        assert dict(PHONE.decide().prefill) == {"mobile": "+33 6 39 98 12 34"}
    for evidence in ("claim", "token"):
        with cxkit.scope(kit=kit, evidence=evidence, user_id="nancy"):
            assert dict(PHONE.decide().prefill) == {}
    with device(kit):
        assert (dict(PHONE.decide().prefill), PHONE.decide().not_asked) == ({}, {"mobile": "known"})


@pytest.mark.parametrize("who", ["nancy", "bob"])
def test_nor_on_a_device_that_somebody_else_uses_too(kit: Kit, who: str) -> None:
    """Neither for who was the first to sign in there, nor for anybody after that."""
    for name in ("nancy", "bob"):
        signs_in_on_it(kit, name)
        with signed_in(kit, name):
            cxkit.identify(traits={"mobile": "+33 6 39 98 12 34"})
    settled(kit)
    with device(kit):
        cxkit.grant("personalization", "identity_stitching")
        cxkit.identify(user_id=who)
        decision = PHONE.show()
        assert (dict(decision.prefill), decision.not_asked) == ({}, {"mobile": "known"})
    with signed_in(kit, who):
        assert dict(PHONE.decide().prefill)


# --- whose it is ---


@pytest.mark.parametrize("committed", [False, True])
def test_on_a_shared_device_nothing_personal_is_asked_and_nothing_said_there_is_its_owners(
    kit: Kit, store: Faulty, committed: bool
) -> None:
    for name in ("nancy", "bob"):
        signs_in_on_it(kit, name)
    if not committed:
        store.conflicts = 1_000_000
    with device(kit):
        assert not_asked()["diet"] == "shared"
        assert "csat.visit" not in not_asked()
        cxkit.skip("csat.visit")
        cxkit.answer("diet", "nuts")
    if committed:
        settled(kit)
    with device(kit):
        assert not_asked()["csat.visit"] == "skipped"
    with signed_in(kit):
        assert "csat.visit" not in not_asked()
        assert cxkit.current().profile.traits == {}
    store.conflicts = 0


def test_what_its_owner_was_asked_there_before_stays_theirs(kit: Kit) -> None:
    signs_in_on_it(kit, "nancy")
    with device(kit):
        cxkit.skip("diet")
    settled(kit)
    with signed_in(kit):
        assert not_asked()["diet"] == "skipped"
    signs_in_on_it(kit, "bob")
    with signed_in(kit):
        assert not_asked()["diet"] == "skipped"
    with signed_in(kit, "bob"):
        cxkit.grant("personalization")
        assert "diet" not in not_asked()


def test_a_visitor_who_signs_in_later_is_not_asked_again(kit: Kit) -> None:
    with device(kit):
        cxkit.grant("personalization", "analytics", "identity_stitching")
        FORM.show()
        cxkit.answer("diet", "vegan")
    settled(kit)
    signs_in_on_it(kit, "nancy")
    with signed_in(kit):
        assert not_asked() == {"diet": "known", "allergies": "asked", "offers": "consent", "csat.visit": "asked"}


def test_without_stitching_what_a_known_visitor_answers_is_not_the_logins(kit: Kit) -> None:
    signs_in_on_it(kit, "nancy")
    with device(kit):
        cxkit.withdraw("identity_stitching")
        cxkit.answer("diet", "nuts")
    settled(kit)
    with signed_in(kit):
        assert cxkit.current().profile.traits == {}
    assert kit.account().blocked["identity:identity_stitching:not_allowed:diet"] == 1


# --- applied ---


def said(act: str, who: Identity = NANCY, question: str = "diet", **at: Any) -> Interaction:
    return command(f"profile.{act}", who, {"question": question}, **at)


def acts(store: Any, *keys: str) -> list[tuple[str, str]]:
    bodies = held(store, "asked")
    return [(one.question, one.act) for name in keys for one in askings_in(bodies[name])]


def test_a_command_that_comes_again_or_late_changes_nothing() -> None:
    commands = [said("asked", id="01"), said("skipped", id="02", minute=1), said("asked", id="03", minute=2)]
    store = applied(*commands)
    assert held(applied(*commands[::-1], *commands), "asked") == held(store, "asked")
    assert acts(store, key("user_id", "nancy")) == [("diet", "asked"), ("diet", "skipped"), ("diet", "asked")]


def test_an_answer_that_is_applied_is_a_trait_and_of_feedback_there_is_none() -> None:
    answered = command("profile.answered", NANCY, {"question": "diet", "answer": "vegan"}, id="02")
    store = applied(answered, answered, said("answered", question="csat.visit", id="03"))
    assert traits(store) == [{"diet": "vegan"}]
    assert acts(store, key("user_id", "nancy")) == [("diet", "answered"), ("csat.visit", "answered")]


def test_two_who_turn_out_to_be_one_were_asked_what_either_was(store: Faulty) -> None:
    contact = identity(email="ab12")
    applied(
        identified(NANCY, id="01"),
        said("skipped", id="02"),
        said("asked", contact, question="csat.visit", id="03"),
        identified(identity(user_id="nancy", email="ab12"), id="04", minute=3),
        store=store,
    )
    kit = Kit(Settings(strict=True), store=store, in_memory=True)
    known = kit.desk.under(key("user_id", "nancy"), patience_s=1.0)
    assert known is not None
    assert {(one.question, one.act) for one in known.askings} == {("diet", "skipped"), ("csat.visit", "asked")}
    kit.close(timeout_s=10)


def test_who_was_erased_is_not_brought_back_by_what_arrives_late() -> None:
    store, nancy = MemoryStore(), key("user_id", "nancy")
    grave = {"erased_at": "2026-11-21T10:30:00Z", "suppress": False, "until": None}
    store.commit({f"tombstone/{nancy}": Put(body=grave)}, expected={f"tombstone/{nancy}": 0})
    answered = command("profile.answered", NANCY, {"question": "diet", "answer": "vegan"}, id="03", minute=29)
    applied(said("asked", minute=28), said("skipped", id="02", minute=29), answered, store=store)
    assert held(store, "asked") == held(store, "person") == {}
    applied(said("asked", id="04", minute=31), store=store)
    assert acts(store, nancy) == [("diet", "asked")], "who comes back is somebody new"


@pytest.mark.parametrize(
    "wrong",
    [
        command("profile.asked", NANCY, {}),
        command("profile.skipped", NANCY, {"question": 1}),
        command("profile.answered", NANCY, {"question": "diet", "answer": "vegan", "expires_in_s": -1}),
    ],
    ids=lambda one: one.name,
)
def test_what_is_none_is_rejected_and_spoils_nothing(wrong: Interaction) -> None:
    store = MemoryStore()
    outcome = Applier(lambda: store, KEYS, Bus()).export(batch(wrong, said("asked", id="02")), deadline_s=5.0)
    assert list(outcome.rejected) == [0]
    assert acts(store, key("user_id", "nancy")) == [("diet", "asked")]


# --- leaving ---


def test_what_was_asked_is_told_to_them_and_goes_with_them(kit: Kit, store: Faulty) -> None:
    signs_in_on_it(kit, "nancy")
    with device(kit):
        cxkit.identify(user_id="nancy")
        FORM.show()
        cxkit.answer("diet", "vegan")
    settled(kit)
    reading = Reading(store)
    given = [key("user_id", "nancy", kit.desk.keyring)]
    told = disclose(
        reading, theirs(reading, given), given={}, values={}, now=kit.desk.intake.stamper.now()
    )  # fmt: skip
    assert {(one.question, one.act) for one in told.questions} >= {("diet", "asked"), ("diet", "answered")}
    assert len(told.questions) == len({one.id for one in told.questions})
    assert held(store, "asked")
    with cxkit.scope(kit=kit):
        assert cxkit.erase(user_id="nancy").committed
    assert held(store, "asked") == {}


def test_a_claim_says_nothing_of_what_somebody_was_asked(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="claim"):
        cxkit.grant("analytics", "personalization")
        cxkit.skip(CSAT)
        cxkit.answer(CSAT, 1)
        FORM.show()
    settled(kit)
    with signed_in(kit):
        cxkit.grant("analytics", "personalization")
        assert "csat.visit" not in not_asked()


def test_what_is_known_decides_no_question_of_who_refused_that_it_is_followed(kit: Kit) -> None:
    sick = Question(name="csat.sick", scale="csat", when={"traits.diabetic": True})
    form = cxkit.experience("whom.sick", questions=[sick])
    with signed_in(kit):
        cxkit.grant("analytics", "personalization")
        cxkit.identify(user_id="nancy", traits={"diabetic": True})
        assert [one.name for one in form.decide().questions] == ["csat.sick"]
        cxkit.withdraw("personalization")
        assert form.decide().not_asked == {"csat.sick": "condition"}


def test_what_is_shown_without_its_questions_asks_none(kit: Kit, exporter: RecordingExporter) -> None:
    asked = []
    for asks in (False, True):
        with signed_in(kit):
            cxkit.grant("analytics", "personalization")
            FORM.show(asks=asks)
        assert kit.flush(timeout_s=30).complete
        asked.append(len([one for one in exporter.interactions if one.name == "profile.asked"]))
    assert asked == [0, 3]
