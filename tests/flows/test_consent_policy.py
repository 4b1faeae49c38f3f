"""Which policy holds: of the region, of the account, of a child; and what is recorded with a choice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.api.declared import declared
from cxkit.capture.scope import Scope, current_scope, enter
from cxkit.capture.stamp import Stamper
from cxkit.errors import ConfigurationError, InvalidInteractionError
from cxkit.flows import carriage
from cxkit.kit import Kit, place_here
from cxkit.model import PURPOSES, Context, Evidence, Facts, Place
from cxkit.settings import Consent, Settings
from cxkit.stores.memory import MemoryStore
from cxkit.testing import FakeClock, RecordingExporter
from tests.flows.world import Faulty, held
from tests.theirs import Install, installing

DAY_S = 86_400

GEO = """
    import attrs
    from cxkit.hookspecs import hookimpl
    from cxkit.model import Place
    from cxkit.roles import Factory

    @attrs.frozen
    class Options:
        pass

    class Geo:
        def enrich(self, facts, context):
            country, _, region = facts.headers.get("x-place", "").partition("-")
            region, _, low = region.partition("?")
            place = Place(country=country, region=region or None, source="test", confidence=low or None)
            return {"place": place} if country else {}

    @hookimpl
    def cxkit_enrichers():
        return [Factory(name="geo", settings=Options, build=lambda options: Geo())]
"""

SIGNALS = """
    import attrs
    from cxkit.hookspecs import hookimpl
    from cxkit.roles import Factory

    @attrs.frozen
    class Options:
        pass

    class Letters:
        signal = "tc"
        purposes = frozenset({"analytics", "advertising"})

        def read(self, text):
            words = {"A": "analytics", "B": "advertising"}
            return {words[one.upper()]: "granted" if one.isupper() else "denied" for one in text}

    @hookimpl
    def cxkit_signals():
        return [Factory(name="letters", settings=Options, build=lambda options: Letters())]
"""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    before = dict(declared)
    yield
    declared.clear()
    declared.update(before)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Install]:
    site = tmp_path / "site"
    site.mkdir()
    with installing(site) as install:
        install("cxkit_places", GEO)
        install("cxkit_letters", SIGNALS)
        yield install


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


Make = Callable[..., Kit]


@pytest.fixture
def make(installed: Install, clock: FakeClock) -> Iterator[Make]:
    made: list[Kit] = []

    def make(policy: str = "regional", **more: Any) -> Kit:
        exporter = RecordingExporter(purposes=frozenset({"analytics"}))
        more = {"exporters": {"x": exporter}, "store": MemoryStore(), "in_memory": True, **more}
        settings = Settings(strict=True, consent=Consent(policy=policy))
        kit = Kit(settings, stamper=Stamper(time_ns=clock.time_ns), **more)
        made.append(kit)
        return kit

    yield make
    for kit in made:
        kit.close(timeout_s=10)


def here() -> Scope:
    scope = current_scope()
    assert scope is not None
    return scope


def at(kit: Kit, place: str) -> Scope:
    """A scope of a request from there, after something needed to know."""
    facts = Facts(method="GET", scheme="https", host=None, path="/", headers={"x-place": place})
    scope = kit.open_scope(Context(channel="web"), facts=facts)
    scope.enrich()
    return scope


def told(kit: Kit, **traits: Any) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(user_id="nancy", traits=traits)
    assert asyncio.run(kit.settled(timeout_s=30))


def chosen(kit: Kit, scope: Scope, country: str, region: str | None = None) -> None:
    """They chose a country, as a plugin says it."""
    enter(scope)
    place = Place(country=country, region=region, source="chosen")
    assert place_here(lambda context, _: attrs.evolve(context, place=place)) is not None


@pytest.mark.parametrize(
    ("place", "choice", "policy"),
    [("FR", ("US", "TX"), "eea/1"), ("US-TX", ("FR", None), "eea/1"), ("US-TX", ("US", "NY"), "us_opt_out/1"),
     ("FR", ("BR", None), "eea/1"), ("", ("US", "NY"), "strict/1"), ("US-NY", ("JP", None), "strict/1")],
)  # fmt: skip
def test_a_place_that_was_chosen_can_only_make_the_law_stricter(
    make: Make, place: str, choice: tuple[str, str | None], policy: str
) -> None:
    kit = make()
    scope = at(kit, place)
    chosen(kit, scope, *choice)
    assert scope.policy.name == policy
    cxkit.grant("functional")
    cxkit.withdraw("functional")
    with cxkit.scope(kit=kit):
        assert here().policy.name == "strict/1"
    own = scope.child()
    kit.desk.govern(own)
    assert scope.policy.name == own.policy.name == policy, "it holds whatever happens then"
    scope.close()


def test_a_stricter_law_that_was_chosen_goes_along(make: Make) -> None:
    kit = make()
    scope = at(kit, "US-TX")
    chosen(kit, scope, "FR")
    text = cxkit.pack(to="message 7")
    scope.close()
    with cxkit.unpack(text, to="message 7", kit=kit):
        assert (here().policy.name, here().allowed.granted) == ("eea/1", {"necessary"})


def test_whoever_chose_again_is_under_the_law_of_where_they_were_found(make: Make) -> None:
    kit = make()
    scope = at(kit, "US-TX")
    chosen(kit, scope, "FR")
    chosen(kit, scope, "US", "NY")
    assert scope.policy.name == "us_opt_out/1"
    scope.close()


def test_a_place_that_is_not_sure_is_under_no_law_but_the_strictest(make: Make) -> None:
    scope = at(make(), "US-TX?low")
    assert (scope.policy.name, scope.jurisdiction.inferred_from) == ("strict/1", "unknown")
    assert at(make(), "US-TX?high").policy.name == "us_opt_out/1"


@pytest.mark.parametrize(
    ("place", "policy"),
    [("", "strict/1"), ("FR", "eea/1"), ("CA-QC", "opt_in/1"), ("US-CA", "us_opt_out/1"), ("US-NY", "us/1"),
     ("JP", "strict/1")],
)  # fmt: skip
def test_the_place_decides_where_nothing_else_is_known(make: Make, place: str, policy: str) -> None:
    scope = at(make(), place)
    assert scope.policy.name == policy
    everything = frozenset(PURPOSES) - {"precise_location", "message_open"}
    assert (scope.allowed.granted == everything) == policy.startswith("us")


def test_as_long_as_the_place_is_not_known_the_strictest_holds(make: Make) -> None:
    kit = make()
    facts = Facts(method="GET", scheme="https", host=None, path="/", headers={"x-place": "US-NY"})
    scope = kit.open_scope(Context(channel="web"), facts=facts)
    assert scope.allowed.granted == {"necessary"}
    scope.enrich()
    assert "advertising" in scope.allowed.granted


def test_a_fixed_policy_holds_wherever_somebody_is(make: Make) -> None:
    scope = at(make("eea"), "US-NY")
    assert (scope.policy.name, scope.jurisdiction.region) == ("eea/1", "eea")


def test_a_policy_that_is_none_is_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make("regionall")
    assert (caught.value.code, caught.value.fix) == ("CX1031", 'did you mean "regional"?')


def test_the_account_outweighs_the_place_and_what_is_declared_the_account(make: Make) -> None:
    kit = make()
    told(kit, residence="FR")
    scope = at(kit, "US-NY")
    assert scope.policy.name == "us/1"
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert (here().policy.name, here().jurisdiction.inferred_from) == ("eea/1", "account")
        cxkit.declare(residence="us-ny")
        assert (here().policy.name, here().jurisdiction.inferred_from) == ("us/1", "declared")


@pytest.mark.parametrize(("evidence", "policy"), [("claim", "strict/1"), ("token", "strict/1"), ("login", "us/1")])
def test_the_account_of_somebody_one_only_claims_to_be_loosens_nothing(
    make: Make, evidence: Evidence, policy: str
) -> None:
    kit = make()
    told(kit, residence="US-NY")
    with cxkit.scope(kit=kit, user_id="nancy", evidence=evidence):
        assert here().policy.name.split("+")[0] == policy or here().allowed.granted == {"necessary"}
        assert (here().policy.name == "us/1") == (evidence == "login")


def test_a_store_that_cannot_be_asked_leaves_the_strictest(installed: Install) -> None:
    store = Faulty(MemoryStore())
    kit = Kit(Settings(consent=Consent(policy="regional")), store=store, in_memory=True)
    store.broken = True
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.declare(residence="US-NY")
        assert here().allowed.granted == {"necessary"}
    store.broken = False
    kit.close(timeout_s=10)


@pytest.mark.parametrize("policy", ["regional", "us", "us_opt_out"])
def test_a_child_is_asked_whatever_the_policy(make: Make, policy: str) -> None:
    kit = make(policy)
    with cxkit.scope(kit=kit):
        cxkit.declare(residence="US-NY", minor=True)
        assert (here().policy.name, here().allowed.granted) == ("minor/1", {"necessary"})
    told(kit, minor=True, residence="US-NY")
    with cxkit.scope(kit=kit, user_id="nancy"):
        assert here().allowed.granted == {"necessary"}


def test_a_residence_that_is_none_means_the_strictest_and_is_told(make: Make) -> None:
    with cxkit.scope(kit=make()):
        cxkit.declare(residence="US-NY")
        with pytest.raises(InvalidInteractionError) as caught:
            cxkit.declare(residence="Narnia")
        assert (caught.value.code, here().policy.name) == ("CX3127", "strict/1")


def test_it_goes_along_with_a_message(make: Make) -> None:
    kit = make()
    packed = carriage.pack(kit.desk, at(kit, "US-NY"), to="job")
    scope = kit.open_scope(Context())
    carriage.unpack(kit.desk, scope, packed, to="job", patience_s=1)
    assert (scope.policy.name, scope.jurisdiction.inferred_from) == ("us/1", "geo")


def test_what_a_policy_grants_is_exported_until_somebody_objects(make: Make) -> None:
    exporter = RecordingExporter(purposes=frozenset({"analytics"}))
    kit = make("us", exporters={"x": exporter})
    seen = cxkit.touchpoint("policy.seen")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        seen.capture()
        assert kit.flush(timeout_s=30).complete
        cxkit.withdraw("analytics")
        assert seen.capture() is None
    assert kit.flush(timeout_s=30).complete
    assert [one.name for one in exporter.interactions] == ["policy.seen", "consent.changed"]


# --- the record ---


def records(kit: Kit) -> list[dict[str, Any]]:
    assert asyncio.run(kit.settled(timeout_s=30))
    store = kit._open_store()
    found = [one for body in held(store, "consent").values() for one in body["records"]]
    return sorted(found, key=lambda one: one["id"])


def test_a_record_says_under_which_policy_what_was_shown_and_how_long_it_holds(make: Make, clock: FakeClock) -> None:
    kit = make()
    with cxkit.scope(kit=kit, channel="phone", user_id="nancy", evidence="login"):
        cxkit.declare(residence="US-CA")
        cxkit.choose("analytics", method="operator", notice=cxkit.Notice(id="script", version="2", language="fr"))
    (one,) = records(kit)
    assert one["choices"] == {name: "granted" if name == "analytics" else "denied" for name in PURPOSES[1:]}
    assert one["notice"] == {"id": "script", "version": "2", "language": "fr"}
    assert (one["policy"], one["mechanism"], one["jurisdiction"]) == ("us_opt_out/1", "opt_out", "us_opt_out")
    assert (one["jurisdiction_from"], one["channel"], one["method"]) == ("declared", "phone", "operator")
    assert one["decided_at"][:10] == "2027-01-15"
    assert (one["expires_at"][:10], one["ask_again_at"][:10]) == ("2028-01-15", "2028-01-15")
    assert one["supersedes"] is None


def test_a_choice_in_spite_of_the_signal_is_recorded_with_it(make: Make, clock: FakeClock) -> None:
    kit = make("strict")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("advertising")
        cxkit.signal(gpc="yes")
        assert "advertising" in cxkit.current().allowed, 'anything but "1" is no signal'
        cxkit.signal(gpc="1")
        assert "advertising" not in cxkit.current().allowed
        clock.advance(1)
        cxkit.grant("advertising", method="accept")
        assert "advertising" in cxkit.current().allowed
    assert [one["signals"] for one in records(kit)] == [{}, {"gpc": "1"}]


@pytest.mark.parametrize("notice", ["banner", cxkit.Notice(id=""), cxkit.Notice(id="x" * 201)])
def test_a_notice_that_is_none_does_not_cost_the_choice(make: Make, notice: Any) -> None:
    kit = make("strict")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        with pytest.raises(InvalidInteractionError) as caught:
            cxkit.withdraw("analytics", notice=notice)
        assert caught.value.code == "CX3126"
    (one,) = records(kit)
    assert (one["choices"], one["notice"]) == ({"analytics": "denied"}, None)


def test_to_choose_nothing_refuses_everything(make: Make) -> None:
    with cxkit.scope(kit=make("us")):
        cxkit.choose()
        assert cxkit.current().allowed == {"necessary"}


def test_a_claim_refuses_and_grants_nothing_even_in_one_answer(make: Make) -> None:
    kit = make("strict")
    with cxkit.scope(kit=kit, user_id="nancy"):
        cxkit.choose("advertising")
    (one,) = records(kit)
    assert set(one["choices"].values()) == {"denied"}
    assert "advertising" not in one["choices"]


def test_what_a_claim_grants_shows_nowhere_not_even_before_it_is_committed(make: Make) -> None:
    kit = make("strict")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("advertising")
    with cxkit.scope(kit=kit, user_id="nancy"):
        cxkit.grant("analytics", "advertising")
        cxkit.withdraw("personalization")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert "analytics" not in cxkit.current().allowed
        assert cxkit.current().profile.choices == {"advertising": "denied", "personalization": "denied"}


# --- what has ended ---


def test_a_grant_that_has_ended_is_one_nowhere(make: Make, clock: FakeClock) -> None:
    exporter = RecordingExporter(purposes=frozenset({"analytics"}))
    kit = make("strict", exporters={"x": exporter})
    seen = cxkit.touchpoint("policy.ended")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("analytics", "personalization")
    assert asyncio.run(kit.settled(timeout_s=30))
    clock.advance(364 * DAY_S)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert "analytics" in cxkit.current().allowed
        subject = kit.desk.subject(here().identity)
        assert kit._verdict(subject, 1 << PURPOSES.index("analytics"))[0] == "allowed"
        clock.advance(2 * DAY_S)
        assert kit._verdict(subject, 1 << PURPOSES.index("analytics"))[0] == "refused", "what waits is not sent"
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.current().allowed == {"necessary"}
        assert cxkit.current().profile.choices == {}, "so it may be asked for again"
        assert cxkit.experience("policy.hero").decide().cap == 1
        seen.capture()
        cxkit.grant("analytics")
        assert kit._verdict(subject, 1 << PURPOSES.index("analytics"))[0] == "allowed"


def test_where_one_has_to_object_a_yes_that_has_ended_is_no_objection(make: Make, clock: FakeClock) -> None:
    kit = make("us")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("analytics")
    assert asyncio.run(kit.settled(timeout_s=30))
    clock.advance(400 * DAY_S)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert "analytics" in cxkit.current().allowed
        subject = kit.desk.subject(here().identity)
        assert kit._verdict(subject, 1 << PURPOSES.index("analytics"))[0] == "allowed"


# --- signals of others ---


def test_what_a_signal_says_is_chosen_once_and_recorded_with_its_text(make: Make) -> None:
    kit = make("eea")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        for _ in range(3):
            cxkit.signal(tc="Ab")
        assert cxkit.current().profile.choices == {"analytics": "granted", "advertising": "denied"}
    (one,) = records(kit)
    assert (one["choices"], one["signals"]) == ({"analytics": "granted", "advertising": "denied"}, {"tc": "Ab"})


@pytest.mark.parametrize("text", ["A?", "A" * 5000, ""])
def test_a_signal_that_cannot_be_read_denies_what_it_could_speak_of(make: Make, text: str) -> None:
    with cxkit.scope(kit=make("eea")):
        cxkit.grant("analytics", "personalization")
        cxkit.signal(tc=text)
        assert ("analytics" in cxkit.current().allowed) == (text == ""), "which says nothing, and is read"
        assert "personalization" in cxkit.current().allowed


@pytest.mark.parametrize(("text", "name"), [("A?", "signal_failed.tc"), ("A" * 5000, "signal_unreadable.tc")])
def test_a_signal_that_cannot_be_read_is_counted_and_told_once_without_its_text(
    make: Make, caplog: pytest.LogCaptureFixture, text: str, name: str
) -> None:
    kit = make("eea")
    with cxkit.scope(kit=kit):
        cxkit.signal(tc=text)
        cxkit.signal(tc=text)
    assert kit.intake.noted == {name: 2}
    (told,) = caplog.messages
    assert told.startswith("cxkit: signal tc was not read: what it may refuse is refused (")
    assert text not in told


def test_a_signal_counts_only_where_its_policy_honours_it(make: Make) -> None:
    kit = make("us")
    with cxkit.scope(kit=kit):
        cxkit.signal(tc="ab?")
        assert cxkit.current().profile.choices == {}
    assert not kit.intake.noted, "and is not even read elsewhere"


def test_a_signal_that_nobody_reads_is_told(make: Make) -> None:
    with cxkit.scope(kit=make("eea")), pytest.raises(InvalidInteractionError) as caught:
        cxkit.signal(tcf="Ab")
    assert (caught.value.code, caught.value.fix) == ("CX3128", 'did you mean "tc"?')


# --- in the words of others ---


def test_in_the_words_of_google_and_of_ones_own(make: Make) -> None:
    with cxkit.scope(kit=make("strict")):
        cxkit.grant("analytics")
        mode = cxkit.current().consent_mode
        assert (mode["analytics_storage"], mode["ad_storage"], mode["security_storage"]) == (
            "granted", "denied", "granted",
        )  # fmt: skip
        mine = {"C1": ["necessary"], "C2": ["analytics"], "C4": ["advertising", "analytics"]}
        assert cxkit.current().categories(mine) == {"C1": True, "C2": True, "C4": False}
