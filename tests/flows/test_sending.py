"""may_send, and what it goes by: suppressions of addresses, frequency caps, quiet hours where the person is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.enrich import Enrichment
from cxkit.capture.scope import enter
from cxkit.capture.stamp import Stamper
from cxkit.errors import InvalidInteractionError, StateError
from cxkit.kit import Kit
from cxkit.model import Context, Facts
from cxkit.settings import CapTable, QuietHours, Settings, TopicTable
from cxkit.testing import FakeClock
from tests.flows.world import Faulty, eventually, held

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLEAR = cxkit.Clear()
CONFIGURED = Settings(
    strict=True,
    topics={
        "news": TopicTable(defaults={"email": "granted", "sms": "granted"}),
        "repairs": TopicTable(kind="service"),
        "receipt": TopicTable(kind="transactional"),
    },
)
CAPPED = attrs.evolve(CONFIGURED, frequency_caps={"weekly": CapTable(most=2, window_s=604_800, kind="marketing")})
QUIET = attrs.evolve(CONFIGURED, quiet_hours=QuietHours(start="21:00", end="08:00", zone="Europe/Paris"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(start_s=NOON.timestamp())


@pytest.fixture
def kit(store: Faulty, clock: FakeClock, request: pytest.FixtureRequest) -> Iterator[Kit]:
    settings = getattr(request, "param", CONFIGURED)
    kit = Kit(settings, store=store, stamper=Stamper(time_ns=clock.time_ns), in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def configured(settings: Settings) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kit", [settings], indirect=True, ids=[""])


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def asked(kit: Kit, topic: str, channel: str = "email", **whom: Any) -> str:
    """The reason why not, or ``Clear()``."""
    with cxkit.scope(kit=kit):
        return getattr(answer := cxkit.may_send(topic, channel, **whom), "reason", str(answer))


# --- suppressions ---


def test_a_bounced_address_gets_nothing_at_all_any_more(kit: Kit, store: Faulty) -> None:
    nancy = {"email": "nancy@example.com"}
    assert asked(kit, "news", **nancy) == "Clear()"
    for committed in (False, True):
        with cxkit.scope(kit=kit):
            cxkit.suppress("email", "hard_bounce", **nancy)
        if committed:
            settled(kit)
        assert [asked(kit, topic, **nancy) for topic in ("news", "repairs", "receipt")] == ["hard_bounce"] * 3
        assert asked(kit, "news", email="Nancy@Example.com ") == "hard_bounce", "however it is written"
        assert asked(kit, "news", "sms", **nancy) == "Clear()", "another channel is another matter"
        assert asked(kit, "news", email="mary@example.com") == "Clear()"
    (body,) = held(store, "suppression").values()
    assert len(body["records"]) == 1, "however often it is reported"
    assert held(store, "preference") == {}, "it says nothing of what they want"


def test_only_an_operator_takes_it_back(kit: Kit, clock: FakeClock) -> None:
    nancy = {"email": "nancy@example.com"}
    with cxkit.scope(kit=kit):
        cxkit.suppress("email", "complaint", **nancy)
        clock.advance(1)
        cxkit.prefer("news", "email", "granted", by="operator", **nancy)
        cxkit.stop_marketing(lifted=True, by="operator", **nancy)
        cxkit.sent("news", "email", **nancy)
        assert asked(kit, "news", **nancy) == "complaint"
        cxkit.suppress("email", "hard_bounce", lifted_by="sam", **nancy)
        assert asked(kit, "news", **nancy) == "complaint", "that was another reason"
        cxkit.suppress("email", "complaint", lifted_by="sam", **nancy)
        assert asked(kit, "news", **nancy) == "Clear()"
        settled(kit)
        assert asked(kit, "news", **nancy) == "Clear()"
        clock.advance(1)
        cxkit.suppress("email", "complaint", **nancy)
        assert asked(kit, "news", **nancy) == "complaint"


def test_one_dead_address_does_not_cost_the_other(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(email="old@example.com")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(email="new@example.com", phone="+33 6 39 98 12 34")
        cxkit.suppress("email", "hard_bounce", email="old@example.com")
        cxkit.suppress("sms", "complaint", phone="+33 6 39 98 12 34")
    settled(kit)
    assert asked(kit, "news", email="new@example.com") == "Clear()"
    assert asked(kit, "news", email="old@example.com") == "hard_bounce"
    assert asked(kit, "news", user_id="nancy") == "hard_bounce", "which of them is meant is not said"
    assert asked(kit, "news", "sms", email="new@example.com") == "complaint", "there is but one phone"


@pytest.mark.parametrize(
    ("channel", "reason", "whom", "code"),
    [
        ("email", "bounce", {"email": "nancy@example.com"}, "CX3141"),
        ("E-Mail!", "complaint", {"email": "nancy@example.com"}, "CX3141"),
        ("email", "complaint", {"user_id": "nancy"}, "CX3142"),
        ("email", "complaint", {}, "CX3142"),
    ],
)
def test_what_is_wrong_is_refused(kit: Kit, channel: str, reason: Any, whom: Any, code: str) -> None:
    with cxkit.scope(kit=kit, user_id="mary", evidence="login"), pytest.raises(InvalidInteractionError, match=code):
        cxkit.suppress(channel, reason, **whom)


def test_an_address_of_the_apps_own_kind_can_be_suppressed(kit: Kit) -> None:
    with cxkit.scope(kit=kit):
        cxkit.suppress("chat", "operator", wire_handle="@nancy")
    assert asked(kit, "repairs", "chat", wire_handle="@nancy") == "operator"
    assert asked(kit, "receipt", "chat", wire_handle="@nancy") == "Clear()"


# --- frequency caps ---


@configured(CAPPED)
def test_a_cap_counts_what_was_sent_to_the_person_by_whatever_name(kit: Kit, clock: FakeClock, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", email="nancy@example.com", evidence="login"):
        cxkit.identify()
        settled(kit)
        cxkit.sent("news", "email")  # under both names, and one message
        assert cxkit.may_send("news", "email") == CLEAR
    clock.advance(3600)
    with cxkit.scope(kit=kit):
        cxkit.sent("news", "sms", user_id="nancy")
        for committed in (False, True):
            if committed:
                settled(kit)
            answer = cxkit.may_send("news", "email", email="nancy@example.com")
            assert answer == cxkit.Deferred(not_before=NOON + timedelta(days=7), reason="frequency_cap")
            assert cxkit.may_send("repairs", "email", user_id="nancy") == CLEAR
        clock.advance(604_800 - 3600)
        assert cxkit.may_send("news", "email", user_id="nancy") == CLEAR
    assert held(store, "preference") == {}


@configured(CAPPED)
def test_what_no_cap_counts_is_not_even_recorded(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.sent("repairs", "email")
        cxkit.sent("receipt", "email")
    settled(kit)
    assert held(store, "sent") == {}


# --- quiet hours ---


@configured(QUIET)
def test_quiet_hours_are_the_persons_own(kit: Kit, clock: FakeClock) -> None:
    late = datetime(2026, 11, 22, 23, tzinfo=UTC)
    clock.advance((late - NOON).total_seconds())
    seven = datetime(2026, 11, 23, 7, tzinfo=UTC)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.may_send("news", "email") == cxkit.Deferred(not_before=seven, reason="quiet_hours")
        assert cxkit.may_send("receipt", "email") == CLEAR
        assert cxkit.may_send("news", "email", timezone="America/Los_Angeles") == CLEAR
        cxkit.identify(traits={"timezone": "America/Los_Angeles"})
        assert cxkit.may_send("news", "email") == CLEAR
        with cxkit.scope(kit=kit, user_id="nancy", timezone="Europe/Paris"):
            assert cxkit.may_send("news", "email") != CLEAR, "they are travelling"


class FromTokyo:
    """Finds by the address where somebody seems to be."""

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        return {"timezone": "Asia/Tokyo"}


@configured(QUIET)
@pytest.mark.parametrize("packed", [False, True])
def test_what_somebody_says_of_their_time_goes_before_where_they_seem_to_be(
    kit: Kit, clock: FakeClock, packed: bool
) -> None:
    """A guess by the address may be a VPN's; what the app says of this very contact goes first of all."""
    late = datetime(2026, 11, 22, 23, tzinfo=UTC)  # eight in Tokyo, midnight in Paris
    clock.advance((late - NOON).total_seconds())

    def found() -> str:
        visit = kit.open_scope(
            Context(channel="web"), facts=Facts(method="GET", scheme="https", host=None, path="/", headers={})
        )
        visit.on_first_use(Enrichment({"placed": FromTokyo()}, count=lambda reason: None))
        enter(visit)
        try:
            cxkit.identify(user_id="nancy")
            assert cxkit.current().context.timezone == "Asia/Tokyo"
            if not packed:
                return type(cxkit.may_send("news", "email")).__name__
            carried = cxkit.pack(to="job") or ""
        finally:
            visit.close()
        with cxkit.unpack(carried, to="job", kit=kit):
            return type(cxkit.may_send("news", "email")).__name__

    assert found() == "Clear"
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"timezone": "Europe/Paris"})
    assert found() == "Deferred"
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login", timezone="Asia/Tokyo"):
        assert cxkit.may_send("news", "email") == CLEAR
        carried = cxkit.pack(to="job") or ""
    with cxkit.unpack(carried, to="job", kit=kit):
        assert cxkit.may_send("news", "email") == CLEAR


# --- what cannot be known, and what is counted ---


def test_while_the_store_is_broken_it_is_to_be_asked_again(kit: Kit, store: Faulty) -> None:
    store.broken = True
    with cxkit.scope(kit=kit):
        answer = cxkit.may_send("receipt", "email", email="nancy@example.com")
    assert answer == cxkit.Deferred(not_before=NOON + timedelta(seconds=60), reason="unknown")
    store.broken = False
    eventually(lambda: asked(kit, "receipt", email="nancy@example.com") == "Clear()")


def test_a_remote_store_that_has_not_answered_in_time_likewise(kit: Kit, store: Faulty) -> None:
    store.remote = True

    async def on_the_loop() -> object:
        with cxkit.scope(kit=kit):
            return cxkit.may_send("news", "email", email="nancy@example.com")

    answer = asyncio.run(on_the_loop())
    assert isinstance(answer, cxkit.Deferred)
    assert answer.reason == "unknown"


def test_each_case_that_is_blocked_is_counted_under_its_text(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.prefer("news", "email", "denied")
        for _ in range(3):
            cxkit.may_send("news", "email")
        cxkit.may_send("news", "push")
        cxkit.may_send("news", "sms")
    assert {one: count for one, count in kit.account().blocked.items() if one.startswith("send:")} == {
        "send:marketing:opted_out:email": 3,
        "send:marketing:not_granted:push": 1,
    }


def test_a_topic_that_nobody_declared_is_never_sent(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"), pytest.raises(InvalidInteractionError) as caught:
        cxkit.may_send("nwes", "email")
    assert (caught.value.code, caught.value.fix) == ("CX3140", 'did you mean "news"?')
    lenient = Kit(attrs.evolve(CONFIGURED, strict=False), store=store, in_memory=True)
    with cxkit.scope(kit=lenient, user_id="nancy", evidence="login"):
        assert str(cxkit.may_send("nwes", "email")) == "send:marketing:unknown_topic:email"
        assert str(cxkit.may_send("news", "e mail")) == "send:marketing:invalid:e mail"
    lenient.close(timeout_s=10)


def test_nobody_gets_nothing(kit: Kit) -> None:
    with cxkit.scope(kit=kit):
        assert str(cxkit.may_send("receipt", "email")) == "send:transactional:nobody:email"


def test_without_a_scope_and_an_address_there_is_nobody_to_ask_about() -> None:
    with pytest.raises(StateError, match="CX7002"):
        cxkit.may_send("news", "email")


def test_another_process_obeys_at_once(tmp_path: Path) -> None:
    """Two kits on one file: what is read for a message is what the store holds now."""
    settings = attrs.evolve(CONFIGURED, directory=tmp_path / "state")
    here, there = Kit(settings), Kit(settings)
    with cxkit.scope(kit=here):
        assert cxkit.may_send("news", "email", email="nancy@example.com") == CLEAR
    with cxkit.scope(kit=there):
        cxkit.prefer("news", "email", "denied", email="nancy@example.com")
        cxkit.suppress("sms", "complaint", phone="+33639981234")
    assert asyncio.run(there.settled(timeout_s=30))
    with cxkit.scope(kit=here):
        assert cxkit.may_send("news", "email", email="nancy@example.com") != CLEAR
        assert cxkit.may_send("news", "sms", phone="+33639981234") != CLEAR
    here.close()
    there.close()
