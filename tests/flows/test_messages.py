"""Messages: kept before they leave, found by what comes back, gone with their recipient."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.errors import StoreError
from cxkit.flows import messages as room
from cxkit.flows.identify import identifiers_of
from cxkit.kit import Kit
from cxkit.model import Bounce, Mailing, Message, Report
from cxkit.roles import Document, Put, Store
from cxkit.settings import Consent, Settings, TopicTable
from cxkit.testing import FakeClock, RecordingExporter
from tests.flows.world import Faulty, held

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETTINGS = Settings(
    strict=True,
    topics={
        "news": TopicTable(defaults={"email": "granted"}),
        "club": TopicTable(defaults={"email": "granted"}),
        "receipt": TopicTable(kind="transactional"),
    },
)
NEWS = Mailing(channel="email", topic="news", campaign="spring", urls=("https://shop.example/a",))
NANCY = "nancy@example.com"
HARD = Bounce(reason="user_unknown", status="5.1.1", smtp=550, diagnostic="no such user nancy@example.com")


@pytest.fixture
def away() -> RecordingExporter:
    return RecordingExporter(purposes=frozenset({"necessary"}))


@pytest.fixture
def kit(store: Faulty, away: RecordingExporter) -> Iterator[Kit]:
    clock = FakeClock(start_s=NOON.timestamp())
    kit = Kit(SETTINGS, store=store, exporters={"away": away}, stamper=Stamper(time_ns=clock.time_ns), in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def prepared(kit: Kit, *, address: str = NANCY, topic: str = "news", id: str = "1" * 32) -> Message:
    (to,) = identifiers_of(kit.desk.keyring, {"email": address}, evidence="token")
    message = Message(id=id, channel="email", topic=topic, campaign="spring", to=to, at=NOON)
    kit.messages.prepared(message)
    return message


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def may_send(kit: Kit, topic: str = "news", address: str = NANCY) -> str:
    with cxkit.scope(kit=kit):
        answer = cxkit.may_send(topic, "email", email=address)
    return answer.reason if isinstance(answer, cxkit.Blocked) else type(answer).__name__


def told(kit: Kit, away: RecordingExporter, name: str) -> list[dict[str, object]]:
    settled(kit)
    assert kit.flush(timeout_s=10).complete
    return [dict(one.properties) for one in away.interactions if one.name == f"message.{name}"]


# --- mailings ---


def test_a_mailing_is_kept_once_and_found_by_its_id(kit: Kit) -> None:
    id = kit.messages.mail(NEWS)
    assert len(bytes.fromhex(id)) == room.MAILING_BYTES
    assert kit.messages.mail(NEWS) == id
    assert kit.messages.mailing(id) == NEWS
    assert kit.messages.mailing("0" * 12) is None
    assert kit.messages.mail(attrs.evolve(NEWS, campaign="autumn")) != id


def test_two_mailings_never_share_an_id(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ids of one byte some of these would meet."""
    monkeypatch.setattr(room, "MAILING_BYTES", 1)
    mailings = [attrs.evolve(NEWS, campaign=f"c{number}") for number in range(40)]
    ids = [kit.messages.mail(one) for one in mailings]
    assert [kit.messages.mailing(id) for id in ids] == mailings
    assert len(set(ids)) == 40


def test_another_process_finds_the_mailing(kit: Kit, store: Faulty) -> None:
    id = kit.messages.mail(NEWS)
    other = Kit(SETTINGS, store=store, in_memory=True)
    assert other.messages.mailing(id) == NEWS
    other.close(timeout_s=10)


# --- what becomes of a message ---


def test_what_is_told_is_captured_and_kept(kit: Kit, away: RecordingExporter) -> None:
    message = prepared(kit)
    kit.messages.sent(message)
    assert kit.messages.reported(
        Report(happened="delivered", send=message.id, at=NOON, provider="ses"), channel="email"
    )
    kept = kit.messages.of(message.id)
    assert kept is not None
    assert set(kept.happened) == {"sent", "delivered"}
    (delivered,) = told(kit, away, "delivered")
    assert delivered["message"] == message.id
    assert (delivered["topic"], delivered["campaign"], delivered["provider"]) == ("news", "spring", "ses")


def test_what_is_told_twice_counts_once(kit: Kit, store: Faulty, away: RecordingExporter) -> None:
    message = prepared(kit)
    report = Report(happened="delivered", send=message.id, event_id="e1")
    assert kit.messages.reported(report, channel="email")
    assert not kit.messages.reported(report, channel="email")
    other = Kit(SETTINGS, store=store, in_memory=True)
    assert len(told(kit, away, "delivered")) == 1
    other.close(timeout_s=10)


def test_two_reports_of_one_kind_are_two(kit: Kit, away: RecordingExporter) -> None:
    message = prepared(kit)
    for event in ("e1", "e2"):
        kit.messages.reported(Report(happened="deferred", send=message.id, event_id=event), channel="email")
    assert len(told(kit, away, "deferred")) == 2


def test_a_report_that_could_not_be_kept_has_the_same_id_when_it_comes_again(
    kit: Kit, store: Faulty, away: RecordingExporter
) -> None:
    message = prepared(kit)
    report = Report(happened="delivered", send=message.id, event_id="e1")
    store.conflicts = 20  # whoever would keep it gives up
    with pytest.raises(StoreError):
        kit.messages.reported(report, channel="email")
    assert kit.messages.reported(report, channel="email")
    settled(kit)
    assert kit.flush(timeout_s=10).complete
    assert len({one.id for one in away.interactions if one.name == "message.delivered"}) == 1


def test_a_report_that_is_shown_names_nobody() -> None:
    report = Report(happened="bounced", recipient=NANCY, bounce=HARD, tags=(NANCY,), metadata={"who": NANCY}, url=NANCY)
    assert "nancy" not in repr(report)


def test_no_address_and_no_words_of_others_are_captured(kit: Kit, away: RecordingExporter) -> None:
    message = prepared(kit)
    report = Report(happened="bounced", send=message.id, recipient=NANCY, bounce=HARD, user_agent="Mozilla/5.0 nancy")
    kit.messages.reported(report, channel="email")
    (bounced,) = told(kit, away, "bounced")
    assert (bounced["reason"], bounced["bounce"], bounced["status"], bounced["smtp"]) == (
        "user_unknown", "hard", "5.1.1", 550,
    )  # fmt: skip
    assert not any("nancy" in str(one.properties) + str(one.identity) for one in away.interactions)
    kept = kit.messages.of(message.id)
    assert kept is not None
    assert "nancy" not in str(attrs.asdict(kept))


# --- what follows from it ---


def test_a_hard_bounce_suppresses_the_address_at_once(kit: Kit) -> None:
    message = prepared(kit)
    assert may_send(kit) == "Clear"
    kit.messages.reported(Report(happened="bounced", send=message.id, bounce=HARD), channel="email")
    assert may_send(kit) == may_send(kit, "receipt") == "hard_bounce"


def test_what_a_provider_rejects_for_a_hard_bounce_suppresses_the_address(kit: Kit) -> None:
    message = prepared(kit)
    kit.messages.reported(Report(happened="rejected", send=message.id), channel="email")
    assert may_send(kit) == "Clear", "a provider's own list says nothing of the address"
    kit.messages.reported(Report(happened="rejected", send=message.id, event_id="2", bounce=HARD), channel="email")
    assert may_send(kit) == "hard_bounce"


@pytest.mark.parametrize("reason", ["mailbox_full", "blocked", "content_spam", "other"])
def test_any_other_bounce_suppresses_nobody(kit: Kit, reason: str) -> None:
    message = prepared(kit)
    bounce = Bounce(reason=reason)  # type: ignore[arg-type]
    kit.messages.reported(Report(happened="bounced", send=message.id, bounce=bounce), channel="email")
    assert may_send(kit) == "Clear"


def test_a_complaint_stops_everything_and_leaving_stops_its_topic(kit: Kit) -> None:
    kit.messages.reported(Report(happened="unsubscribed", send=prepared(kit).id), channel="email")
    assert (may_send(kit), may_send(kit, "club")) == ("opted_out", "Clear")
    club = prepared(kit, topic="club", id="2" * 32)
    kit.messages.reported(Report(happened="complained", send=club.id), channel="email")
    assert may_send(kit, "club") == "complaint"


def test_a_topic_that_is_declared_no_more_can_be_left(kit: Kit, store: Faulty, away: RecordingExporter) -> None:
    """Or not yet, here: its mails have a way out that leads to whichever process answers."""
    message = prepared(kit, topic="retired")
    assert kit.messages.reported(Report(happened="unsubscribed", send=message.id), channel="email")
    settled(kit)
    (choices,) = (body["choices"] for body in held(store, "preference").values())
    assert [(one["topic"], one["choice"]) for one in choices] == [("retired", "denied")]
    assert len(told(kit, away, "unsubscribed")) == 1


def test_what_follows_holds_for_whoever_shares_the_store(kit: Kit, store: Faulty) -> None:
    message = prepared(kit)
    kit.messages.reported(Report(happened="bounced", send=message.id, bounce=HARD), channel="email")
    settled(kit)
    assert [*held(store, "suppression")] == [message.to.value]


def test_what_names_a_victim_without_our_token_suppresses_nobody(kit: Kit, away: RecordingExporter) -> None:
    """A forged bounce, a forged complaint: anybody can write one, and name anybody."""
    for forged in (
        Report(happened="bounced", recipient=NANCY, bounce=HARD),
        Report(happened="complained", recipient=NANCY),
        Report(happened="unsubscribed", recipient=NANCY),
        Report(happened="complained", recipient=NANCY, send="f" * 32),
    ):
        assert kit.messages.reported(forged, channel="email")
    assert may_send(kit) == "Clear"
    assert len(told(kit, away, "complained")) == 2


def test_whose_token_it_is_decides_and_not_whom_the_report_names(kit: Kit) -> None:
    message = prepared(kit, address="mallory@example.com")
    kit.messages.reported(Report(happened="complained", send=message.id, recipient=NANCY), channel="email")
    assert may_send(kit) == "Clear"
    assert may_send(kit, address="mallory@example.com") == "complaint"


def test_a_provider_that_has_signed_it_may_name_the_address(kit: Kit) -> None:
    kit.messages.reported(Report(happened="bounced", recipient=NANCY, bounce=HARD), channel="email", proven=True)
    assert may_send(kit) == "hard_bounce"


def test_who_left_at_a_provider_nobody_knows_what_gets_no_marketing(kit: Kit) -> None:
    kit.messages.reported(Report(happened="unsubscribed", recipient=NANCY), channel="email")
    assert may_send(kit) == "Clear", "anybody can write that"
    kit.messages.reported(Report(happened="unsubscribed", recipient=NANCY, event_id="2"), channel="email", proven=True)
    assert (may_send(kit), may_send(kit, "club")) == ("opted_out", "opted_out")
    assert may_send(kit, "receipt") == "Clear"


def test_one_notice_of_two_addresses_is_of_two(kit: Kit, away: RecordingExporter) -> None:
    for address in (NANCY, "paul@example.com"):
        kit.messages.reported(Report(happened="delivered", recipient=address, provider_id="m-1"), channel="email")
    assert kit.flush(timeout_s=10).complete
    assert len({one.id for one in away.interactions if one.name == "message.delivered"}) == 2


def test_what_comes_by_sms_is_about_a_number(kit: Kit, away: RecordingExporter) -> None:
    kit.messages.reported(Report(happened="bounced", recipient="+33612345678", bounce=HARD), channel="sms", proven=True)
    with cxkit.scope(kit=kit):
        answer = cxkit.may_send("receipt", "sms", phone="+33612345678")
    assert isinstance(answer, cxkit.Blocked)
    assert answer.reason == "hard_bounce"


def test_who_leaves_later_leaves_one_topic_once_the_store_can_say_who_that_is(kit: Kit) -> None:
    message = prepared(kit)
    for id in (message.id, "f" * 32):
        kit.messages.leave_later(id)
    settled(kit)
    assert (may_send(kit), may_send(kit, "club"), may_send(kit, "receipt")) == ("opted_out", "Clear", "Clear")


# --- what a person does with it ---


def test_an_opening_is_kept_with_the_message_only_where_that_is_allowed(kit: Kit, away: RecordingExporter) -> None:
    message = prepared(kit)
    hit = {"id": "h1", "at": NOON.isoformat()}
    assert not kit.messages.hit(message, "opened", hit, machine=False, properties={"by": "human"})
    with cxkit.scope(kit=kit, email=NANCY, evidence="login"):
        cxkit.grant("message_open")
    assert kit.messages.hit(message, "opened", {**hit, "id": "h2"}, machine=False, properties={"by": "human"})
    kept = kit.messages.of(message.id)
    assert kept is not None
    assert [one["id"] for one in kept.hits] == ["h2"]


class Late(Faulty):
    """Somewhere else, and what people chose takes its time."""

    remote = True

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.answers = threading.Event()
        self.answers.set()

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        wanted = list(keys)
        if any(one.startswith("consent/") for one in wanted):
            self.answers.wait()
        return super().get_many(wanted)


def test_of_whoever_allows_nothing_no_verdict_is_revised(kit: Kit, away: RecordingExporter) -> None:
    message = prepared(kit)
    kit.messages.revised(message, "opened", {"id": "h1", "at": NOON.isoformat()}, properties={"by": "machine"})
    assert told(kit, away, "message.verdict_revised") == []
    assert kit.messages.of(message.id) == message


def test_while_it_is_not_known_what_they_allow_nothing_is_taken_for_allowed(
    store: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all is allowed that nobody refused, whoever refused must not be taken for nobody."""
    monkeypatch.setattr(room, "_PATIENCE_S", 0.01)
    late, away = Late(store), RecordingExporter(purposes=frozenset({"necessary"}))
    settings = attrs.evolve(SETTINGS, strict=False, consent=Consent(policy="us"))
    kit = Kit(settings, store=late, exporters={"away": away}, in_memory=True)
    message = prepared(kit)
    assert "analytics" in kit.messages.granted(message.to)
    late.answers.clear()
    other = prepared(kit, address="bob@example.com", id="2" * 32)
    try:
        with pytest.raises(StoreError):
            kit.messages.granted(other.to)
        with pytest.raises(StoreError):
            kit.messages.hit(other, "clicked", {"id": "1", "at": "2"}, machine=False, properties={})
    finally:
        late.answers.set()
    assert kit.messages.of(other.id) == other
    assert told(kit, away, "clicked") == []
    kit.close(timeout_s=10)


def test_a_machine_that_follows_a_link_is_no_contact_of_the_recipients(kit: Kit, away: RecordingExporter) -> None:
    message = prepared(kit)
    with cxkit.scope(kit=kit, email=NANCY, evidence="login"):
        cxkit.grant("analytics")
    for machine in (True, False):
        kit.messages.hit(message, "clicked", {"id": str(machine), "at": ""}, machine=machine, properties={})
    settled(kit)
    assert kit.flush(timeout_s=10).complete
    clicks = [one for one in away.interactions if one.name == "message.clicked"]
    assert [[known.type for known in one.identity.identifiers] for one in clicks] == [[], ["email"]]


# --- the end ---


def test_what_is_older_than_it_is_kept_goes_and_its_mailing_with_the_last_of_it(
    kit: Kit, store: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_FORGETS_EVERY", 1)
    old = NOON - room.KEPT - timedelta(days=1)
    shared, alone = kit.messages.mail(NEWS), kit.messages.mail(attrs.evolve(NEWS, campaign="autumn"))
    for id, at, mailing in (("03", NOON, shared), ("01", old, alone), ("02", old, shared)):
        to = kit.messages.recipient("email", NANCY)
        kit.messages.prepared(Message(id=id * 16, channel="email", topic="news", to=to, at=at, mailing=mailing))
    assert [*held(store, "message")] == ["03" * 16]
    assert [*held(store, "mailing")] == [shared]


def test_how_many_are_left_of_a_mailing_nobody_counts(kit: Kit, store: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be a million of them, and somebody waits who sends a mail."""
    monkeypatch.setattr(room, "_FORGETS_EVERY", 1)
    limits: list[int] = []
    lookup = store.lookup
    monkeypatch.setattr(
        store, "lookup", lambda term, *, limit=1000: (limits.append(limit), lookup(term, limit=limit))[1]
    )
    old, to = NOON - room.KEPT - timedelta(days=1), kit.messages.recipient("email", NANCY)
    for id, at in (("02", NOON), ("01", old)):
        news = kit.messages.mail(NEWS)
        kit.messages.prepared(Message(id=id * 16, channel="email", topic="news", to=to, at=at, mailing=news))
    assert limits == [1]


def test_a_mailing_that_went_with_its_last_message_comes_back_with_the_next(
    kit: Kit, store: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here, where it is forgotten; and where another process forgot it."""
    monkeypatch.setattr(room, "_FORGETS_EVERY", 1)
    old, to = NOON - room.KEPT - timedelta(days=1), kit.messages.recipient("email", NANCY)

    def send(id: str, at: datetime) -> None:
        news = kit.messages.mail(NEWS)
        kit.messages.prepared(Message(id=id * 16, channel="email", topic="news", to=to, at=at, mailing=news))

    send("01", old)
    assert [*held(store, "mailing")] == []
    send("02", NOON)
    (news,) = held(store, "mailing")
    mailing = store.get_many([f"mailing/{news}"])[f"mailing/{news}"]
    store.commit({mailing.key: Put(body=None)}, expected={mailing.key: mailing.version})
    send("03", NOON)
    assert [*held(store, "mailing")] == [news]


def test_a_mailing_of_their_own_is_erased_with_them(kit: Kit, store: Faulty) -> None:
    """Its links may name them; those that others got, too, lead on."""
    own = attrs.evolve(NEWS, urls=("https://shop.example/?of=nancy@example.com",))
    for id, address, mailing in (("1", NANCY, own), ("2", NANCY, NEWS), ("3", "bob@example.com", NEWS)):
        to = kit.messages.recipient("email", address)
        named = kit.messages.mail(mailing)
        kit.messages.prepared(Message(id=id * 32, channel="email", topic="news", to=to, at=NOON, mailing=named))
    with cxkit.scope(kit=kit):
        cxkit.erase(email=NANCY)
    settled(kit)
    assert [body["urls"] for body in held(store, "mailing").values()] == [[*NEWS.urls]]


def test_messages_are_erased_with_their_recipient(kit: Kit, store: Faulty) -> None:
    message, other = prepared(kit), prepared(kit, address="bob@example.com", id="2" * 32)
    with cxkit.scope(kit=kit):
        cxkit.erase(email=NANCY)
    settled(kit)
    assert kit.messages.of(message.id) is None
    assert kit.messages.of(other.id) == other
    kit.messages.reported(Report(happened="delivered", send=message.id), channel="email")
    assert kit.messages.of(message.id) is None


def test_messages_are_disclosed_to_their_recipient(kit: Kit, tmp_path: Path) -> None:
    message = prepared(kit)
    prepared(kit, address="bob@example.com", id="2" * 32)
    kit.messages.reported(Report(happened="delivered", send=message.id, at=NOON), channel="email")
    with cxkit.scope(kit=kit):
        (told,) = cxkit.disclose(email=NANCY).received
    assert (told.id, told.topic, set(told.happened)) == (message.id, "news", {"delivered"})
