"""What travels of a scope, what it is worth where it arrives, and what it does not give away."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.capture.scope import current_scope, enter
from cxkit.kit import Kit
from cxkit.model import Choice, Context, Device, Identifier, Identity, Interaction, Page, Place
from cxkit.roles import Store
from cxkit.rules.identity import join
from cxkit.settings import Identity as IdentityTable
from cxkit.settings import Keys, Secret, Settings
from cxkit.stores.memory import MemoryStore
from cxkit.testing import FakeClock, recorder
from cxkit.testing.recorder import Recorder, RecordingExporter
from cxkit.transport import check_field
from tests.flows.world import Faulty

SEEN = cxkit.touchpoint("carriage.seen")
NEEDED = cxkit.touchpoint("carriage.needed", purpose="necessary")
AD_SEEN = cxkit.touchpoint("carriage.ad_seen", purpose="advertising")
HERO = cxkit.experience("carriage.hero")

DAY_S = 86_400


def visitor(value: str = "v1") -> None:
    """As a web plugin does once the visitor may be recognised."""
    here = current_scope()
    assert here is not None
    here.change(identity=join(here.identity, [Identifier(type="visitor", value=value, evidence="cookie")]))


def seen(record: Recorder, carried: str | None, to: str = "m") -> Interaction:
    """What is captured where it arrives."""
    before = len(record.named("carriage.seen"))
    with cxkit.unpack(carried, to=to):
        SEEN.capture()
    return record.named("carriage.seen")[before]


def test_the_customer_arrives_with_the_evidence_that_there_was() -> None:
    with recorder() as record:
        with cxkit.scope(channel="web", locale="fr-CA", timezone="America/Montreal", session="s1"):
            cxkit.grant("analytics", "identity_stitching")
            visitor()
            cxkit.identify(user_id="nancy")
            SEEN.capture()
            carried = cxkit.pack(to="m")
        there = record.one("carriage.seen")
        here = seen(record, carried)
        assert here.identity == there.identity
        assert [one.evidence for one in here.identity.identifiers] == ["login", "cookie"]
        assert here.consent == there.consent
        assert here.context == there.context
        assert cxkit.pack(to="m") is None, "no scope is left open"


def test_a_contact_travels_as_its_hash_only() -> None:
    with recorder(), cxkit.scope(email="nancy@example.org", phone="+33 1 23 45 67 89"):
        carried = cxkit.pack(to="m") or ""
    assert "email" in carried
    assert "nancy" not in carried
    assert "23456789" not in carried.replace(" ", "")  # fewer digits may be in a hash


def test_what_describes_the_visit_stays_there() -> None:
    """Page, device and place are no circumstances of the work."""
    with recorder(), cxkit.scope(channel="web"):
        here = current_scope()
        assert here is not None
        here.change(context=Context(channel="web", page=Page(route="/r"), device=Device(os="X"), place=Place(city="Y")))
        carried = (cxkit.pack(to="m") or "").partition(" ")[2]
    assert carried == '{"channel":"web"}'


def test_what_is_not_ours_or_for_another_message_tells_nothing() -> None:
    with recorder(), cxkit.scope(user_id="nancy", evidence="login"):
        foreign = cxkit.pack(to="m") or ""
    with recorder(strict=False) as record:
        with cxkit.scope(user_id="nancy", evidence="login"):
            cxkit.grant("analytics")
            own, other = cxkit.pack(to="m") or "", cxkit.pack(to="other") or ""
        assert seen(record, own).identity
        made_up = [own.replace("nancy", "noemi"), own.replace("login", "token"), own.replace("granted", "denied")]
        for text in [foreign, other, *made_up, own[1:], own[:-1], "", " ", "\ud800", own * 99]:
            assert not seen(record, text).identity, text
            assert not seen(record, text).consent.get("analytics"), text


def test_in_strict_mode_it_is_said_at_once() -> None:
    """Of processes with different keys a developer hears."""
    with recorder(), cxkit.scope(user_id="nancy"):
        foreign = cxkit.pack(to="m")
    with recorder(), pytest.raises(cxkit.CXError, match="CX4102"), cxkit.unpack(foreign, to="m"):
        raise AssertionError
    with recorder():
        with cxkit.scope(user_id="nancy"):
            other = cxkit.pack(to="other")
        with pytest.raises(cxkit.CXError, match="CX4104"), cxkit.unpack(other, to="m"):
            raise AssertionError


def test_a_month_later_it_tells_nothing_any_more() -> None:
    clock = FakeClock()
    with recorder(clock=clock, strict=False) as record:
        with cxkit.scope(user_id="nancy", evidence="login"):
            cxkit.grant("analytics")
            carried = cxkit.pack(to="m")
        clock.advance(29 * DAY_S)
        assert seen(record, carried).identity
        clock.advance(2 * DAY_S)
        assert not seen(record, carried).identity


def test_a_refusal_in_the_browser_holds_where_it_arrives() -> None:
    """Also of somebody who was never recognised, and of a browser that objects."""
    with recorder() as record:
        with cxkit.scope(channel="web"):
            cxkit.withdraw("analytics")
            refused = cxkit.pack(to="m")
        with cxkit.unpack(refused, to="m"):
            assert SEEN.capture() is None
        scope = record.kit.open_scope(Context(channel="web"), gpc=True)
        enter(scope)
        objects = cxkit.pack(to="m")
        scope.close()
        assert seen(record, objects).consent == {"necessary": True, "advertising": False, "sale_share": False}


def test_what_was_chosen_meanwhile_holds() -> None:
    """A withdrawal after it was packed: the visitor is left behind, the login has nothing captured for analytics."""
    clock = FakeClock()
    with recorder(clock=clock) as record:
        with cxkit.scope(channel="web"):
            cxkit.grant("analytics")
            visitor()
            carried = cxkit.pack(to="m")
            clock.advance(1)
            assert seen(record, carried).identity.get("visitor") is not None
            cxkit.withdraw("analytics")
            cxkit.flush()
        with cxkit.unpack(carried, to="m"):
            assert SEEN.capture() is None
            NEEDED.capture()
        assert record.one("carriage.needed").identity == Identity()


def test_what_was_refused_elsewhere_holds_though_nothing_says_any_more_of_whom() -> None:
    """Nobody is recognised any more, so where it arrives no store can be asked; what was allowed since holds."""
    clock = FakeClock()
    with recorder(clock=clock) as record, cxkit.scope(channel="web"):
        here = current_scope()
        assert here is not None
        cxkit.grant("analytics", "advertising")
        clock.advance(1)
        now = record.kit.desk.intake.stamper.now()
        here.recalled = {"analytics": ("denied", now), "advertising": ("denied", now), "profiling": ("granted", now)}
        record.kit.desk.govern(here)
        clock.advance(1)
        cxkit.grant("advertising")
        carried = cxkit.pack(to="m")
        with cxkit.unpack(carried, to="m"):
            assert cxkit.current().allowed == {"necessary", "advertising"}


def test_without_leave_to_join_them_the_visitor_is_left_behind_by_a_login() -> None:
    """The two never travel on together, should stitching be withdrawn on the way."""
    clock = FakeClock()
    with recorder(clock=clock) as record:
        with cxkit.scope(channel="web"):
            cxkit.grant("analytics", "identity_stitching")
            visitor()
            cxkit.identify(user_id="nancy")
            carried = cxkit.pack(to="m")
            assert [one.type for one in seen(record, carried).identity.identifiers] == ["user_id", "visitor"]
            clock.advance(1)
            cxkit.withdraw("identity_stitching")
            cxkit.flush()
        assert [one.type for one in seen(record, carried).identity.identifiers] == ["user_id"]


def test_a_device_that_is_everybodys_is_left_behind_by_a_login(tmp_path: Path) -> None:
    """Where it arrives, everybody uses the devices: no grant joins one to who is signed in."""
    keys = Keys(signing=(Secret("a key of sixteen and more"),), identifier=Secret("the key of identifiers"))

    def arriving(identity: IdentityTable) -> list[str]:
        settings = Settings(keys=keys, strict=True, directory=tmp_path / str(identity.kiosk), identity=identity)
        kit = Kit(settings, exporters={}, store=MemoryStore())
        try:
            with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
                cxkit.grant("analytics", "identity_stitching")
                visitor()
                carried = cxkit.pack(to="m")
            with cxkit.unpack(carried, to="m", kit=kit):
                return [one.type for one in cxkit.current().identity.identifiers]
        finally:
            kit.close()

    assert arriving(IdentityTable()) == ["user_id", "visitor"]
    assert arriving(IdentityTable(kiosk=True)) == ["user_id"]


class Late(Faulty):
    """A remote store that answers when it is told to."""

    remote = True

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.answers = threading.Event()

    def _asked(self, verb: str) -> Store:
        assert self.answers.wait(30)
        return super()._asked(verb)


@pytest.fixture
def late() -> Iterator[Late]:
    """Of the process where it arrives; the one where it was packed has the store beside it."""
    store = Late(MemoryStore())
    yield store
    store.answers.set()


@pytest.fixture
def kit_at(tmp_path: Path) -> Iterator[Callable[[Store], tuple[Kit, RecordingExporter]]]:
    made: list[Kit] = []
    keys = Keys(signing=(Secret("a key of sixteen and more"),), identifier=Secret("the key of identifiers"))

    def kit_at(store: Store) -> tuple[Kit, RecordingExporter]:
        exporter = RecordingExporter()
        settings = Settings(keys=keys, strict=True, directory=tmp_path / str(len(made)))
        kit = Kit(settings, exporters={"kept": exporter}, store=store)
        made.append(kit)
        return kit, exporter

    yield kit_at
    for kit in made:
        kit.close()


@pytest.mark.parametrize("meanwhile", ["nothing", "withdrawn"])
def test_until_the_store_answers_refusals_hold_and_grants_do_not(
    late: Late, kit_at: Callable[[Store], tuple[Kit, RecordingExporter]], meanwhile: str
) -> None:
    """On an event loop, which never waits: packed a moment ago, signed, and yet perhaps withdrawn since."""
    there, _ = kit_at(late.inner)
    with cxkit.scope(kit=there, channel="web"):
        cxkit.grant("analytics", "personalization")
        cxkit.withdraw("advertising")
        cxkit.identify(user_id="nancy")
        carried = cxkit.pack(to="m")
        if meanwhile == "withdrawn":
            cxkit.withdraw("analytics", "personalization")
        assert there.flush().complete
    here, kept = kit_at(late)

    def work(step: str) -> dict[str, str]:
        with cxkit.unpack(carried, to="m", kit=here):
            SEEN.capture(step=step)
            NEEDED.capture(step=step)
            assert AD_SEEN.capture(step=step) is None
            assert HERO.decide().depth <= 1
            return dict(cxkit.current().profile.choices)

    async def on_a_loop() -> None:
        assert work("before") == {"advertising": "denied"}
        late.answers.set()
        there_now = await asyncio.to_thread(work, "a thread waits")
        assert work("after") == there_now
        assert there_now["analytics"] == ("granted" if meanwhile == "nothing" else "denied")

    asyncio.run(on_a_loop())
    assert here.flush().complete
    who = {
        (one.name, one.properties["step"]): bool(one.identity) for one in kept.interactions if "step" in one.properties
    }
    assert who[("carriage.seen", "before")] is False, "kept, but of nobody"
    assert who[("carriage.needed", "before")] is True
    assert who.get(("carriage.seen", "after")) is (True if meanwhile == "nothing" else None)


def test_the_visitor_does_not_arrive_on_a_grant_that_is_not_known_to_hold(
    late: Late, kit_at: Callable[[Store], tuple[Kit, RecordingExporter]]
) -> None:
    there, here = kit_at(late.inner)[0], kit_at(late)[0]
    with cxkit.scope(kit=there, channel="web"):
        cxkit.grant("analytics")
        nobody = cxkit.pack(to="m")
        visitor()
        somebody = cxkit.pack(to="m")

    async def arriving(carried: str | None) -> tuple[Identity, dict[str, Choice]]:
        with cxkit.unpack(carried, to="m", kit=here):
            scope = current_scope()
            assert scope is not None
            return scope.identity, dict(cxkit.current().profile.choices)

    assert asyncio.run(arriving(somebody)) == (Identity(), {})
    assert asyncio.run(arriving(nobody)) == (Identity(), {"analytics": "granted"}), "the store could not know better"


def test_a_store_that_fails_is_one_that_has_not_answered(
    kit_at: Callable[[Store], tuple[Kit, RecordingExporter]],
) -> None:
    store = Faulty(MemoryStore())
    kit, _ = kit_at(store)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("analytics")
        cxkit.withdraw("advertising")
        carried = cxkit.pack(to="m")
    assert kit.flush().complete
    here, _ = kit_at(store)
    store.broken = True
    with cxkit.unpack(carried, to="m", kit=here):
        assert cxkit.current().profile.choices == {"advertising": "denied"}
    store.broken = False


def test_keys_may_be_renewed_on_the_way(tmp_path: Path) -> None:
    made: list[Kit] = []
    old, new = "an old key of sixteen", "a new key of sixteen"
    identifier = "the key of identifiers"

    def kit(*signing: str) -> Kit:
        keys = Keys(signing=tuple(map(Secret, signing)), identifier=Secret(identifier))
        made.append(Kit(Settings(keys=keys, strict=True, directory=tmp_path), exporters={}))
        return made[-1]

    with cxkit.scope(kit=kit(old), user_id="nancy"):
        carried = cxkit.pack(to="m")
    with cxkit.unpack(carried, to="m", kit=kit(new, old)):
        assert cxkit.pack(to="m") is not None
    with pytest.raises(cxkit.CXError, match="CX4102"), cxkit.unpack(carried, to="m", kit=kit(new)):
        raise AssertionError
    for one in made:
        one.close()


@given(
    values=st.dictionaries(st.sampled_from(["user_id", "loyalty", "email", "card"]), st.text(min_size=1), max_size=4),
    to=st.text(),
)
def test_whoever_it_is_about_arrives(values: dict[str, str], to: str) -> None:
    with recorder(strict=False) as record:
        with cxkit.scope(**values):
            here = current_scope()
            assert here is not None
            expected, carried = here.identity, cxkit.pack(to=to)
        if carried is None:  # no text at all, but lone surrogates
            return
        assert re.fullmatch("[!-~][ -~]*[!-~]", carried), "what any header may hold"
        with cxkit.unpack(carried, to=to):
            there = current_scope()
            assert there is not None
            assert there.identity == expected
        assert not record.account.dropped


@pytest.mark.parametrize("who", ["zoë", "南希", "\U0001f600", "a\x7fb"])
def test_it_goes_through_headers_of_any_protocol(who: str) -> None:
    with recorder() as record:
        with cxkit.scope(user_id=who, evidence="login"):
            cxkit.grant("analytics")
            carried = cxkit.pack(to="m") or ""
        check_field("cxkit", carried)
        there = carried.strip().encode("ascii").decode("latin-1")
        found = seen(record, there).identity.get("user_id")
        assert found is not None
        assert found.value == who


def test_it_is_no_longer_than_a_header_may_be() -> None:
    """With three identifiers and three choices: well below what any broker or proxy refuses."""
    with recorder(), cxkit.scope(channel="web", user_id="u" * 36, loyalty="l" * 20, email="nancy@example.org"):
        cxkit.grant("analytics", "personalization", "identity_stitching")
        carried = cxkit.pack(to="m") or ""
    assert carried.isascii()
    assert len(carried) < 800
