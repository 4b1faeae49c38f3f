"""What an app gets wrong in a call is told with a code, and nobody is mistaken, written to or lost by it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.errors import InvalidInteractionError
from cxkit.kit import Kit
from cxkit.settings import IdentifierTable, QuietHours, Settings, TopicTable
from cxkit.settings import Identity as IdentityTable
from cxkit.testing import FakeClock
from tests.flows.world import Faulty, lives

NIGHT = datetime(2026, 11, 22, 6, tzinfo=UTC)
"""In Los Angeles; in Paris it is seven, and dawn."""
CONFIGURED = Settings(
    topics={
        "news": TopicTable(defaults={"email": "granted"}),
        "repairs": TopicTable(kind="service"),
        "receipt": TopicTable(kind="transactional"),
    },
    quiet_hours=QuietHours(start="21:00", end="07:00", zone="Europe/Paris"),
)


@pytest.fixture
def make(store: Faulty) -> Iterator[Callable[..., Kit]]:
    made: list[Kit] = []

    def make(**settings: Any) -> Kit:
        clock = FakeClock(start_s=NIGHT.timestamp())
        found = attrs.evolve(CONFIGURED, **settings)
        made.append(Kit(found, store=store, stamper=Stamper(time_ns=clock.time_ns), in_memory=True))
        return made[-1]

    yield make
    for kit in made:
        kit.close(timeout_s=10)


@pytest.fixture
def kit(make: Callable[..., Kit]) -> Kit:
    return make()


@pytest.fixture
def strict(make: Callable[..., Kit]) -> Kit:
    return make(strict=True)


# --- a misspelt type of identifier ---


def opened(**whom: Any) -> None:
    with cxkit.scope(**whom):
        pass


CALLS: list[Callable[..., object]] = [
    lambda **whom: cxkit.prefer("repairs", "email", "denied", **whom),
    lambda **whom: cxkit.stop_marketing(**whom),
    lambda **whom: cxkit.suppress("email", "hard_bounce", **whom),
    lambda **whom: cxkit.sent("news", "email", **whom),
    lambda **whom: cxkit.may_send("news", "email", **whom),
    cxkit.identify,
    cxkit.link,
    opened,
]


@pytest.mark.parametrize("call", CALLS, ids=range(len(CALLS)))
def test_a_misspelt_type_is_refused(
    strict: Kit, kit: Kit, caplog: pytest.LogCaptureFixture, call: Callable[..., object]
) -> None:
    with cxkit.scope(kit=strict, user_id="nancy", evidence="login"):
        with pytest.raises(InvalidInteractionError, match=r'CX3129.*did you mean "email"') as caught:
            call(emial="paul@example.com")
        assert "paul" not in str(caught.value)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"), caplog.at_level("WARNING", "cxkit"):
        call(emial="paul@example.com")
        call(emial="paul@example.com")
    assert sum("CX3129" in one.message for one in caplog.records) == 1
    assert kit.intake.noted["invalid"] >= 2
    assert "emial" not in str([one.body for one in kit.premises.store().scan("")])


def test_nothing_is_sent_where_the_address_was_misspelt(kit: Kit) -> None:
    with cxkit.scope(kit=kit):
        cxkit.suppress("email", "hard_bounce", email="paul@example.com")
        for whom in ({"emial": "paul@example.com"}, {"user_id": "paul", "emial": "paul@example.com"}):
            assert str(cxkit.may_send("repairs", "email", **whom)) == "send:service:invalid:email"
    assert kit.account().blocked["send:service:invalid:email"] == 2


def test_what_needs_no_choice_is_counted_and_told_once(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"), caplog.at_level("WARNING", "cxkit"):
        cxkit.withdraw("necessary")
        cxkit.grant("necessary")
        assert cxkit.current().profile.choices == {}
    assert sum("CX3133" in one.message for one in caplog.records) == 1
    assert kit.intake.noted["invalid"] == 2


@pytest.mark.parametrize("type", ["customer_id", "loyalty_card", "wire_handle", "till", "card"])
def test_a_type_of_the_apps_own_stays_one(strict: Kit, type: str) -> None:
    with cxkit.scope(kit=strict, **{type: "4711"}):  # type: ignore[arg-type]
        assert [one.type for one in cxkit.current().identity.identifiers] == [type]


def test_what_is_declared_is_not_misspelt(make: Callable[..., Kit]) -> None:
    kit = make(strict=True, identity=IdentityTable(types={"e_mail": IdentifierTable()}))
    with cxkit.scope(kit=kit, e_mail="x"):
        assert [one.type for one in cxkit.current().identity.identifiers] == ["e_mail"]


def test_a_trait_that_is_given_as_an_identifier_is_told_of_once(strict: Kit, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "cxkit"):
        for who in ("zoe", "ann"):
            with cxkit.scope(kit=strict):
                cxkit.identify(user_id=who, plan="gold")
    (line,) = [one.message for one in caplog.records]
    assert line == 'cxkit: "plan" is no declared identifier type; did you mean traits={"plan": ...}?'


# --- spellings of one address ---


def test_an_opt_out_holds_however_the_address_is_written(strict: Kit) -> None:
    with cxkit.scope(kit=strict):
        cxkit.prefer("repairs", "sms", "denied", phone="0033 (0)6 39 98 12 34")
        cxkit.prefer("repairs", "email", "denied", email="Paul <Paul@Example.com>")
        assert str(cxkit.may_send("repairs", "sms", phone="+33639981234")) == "send:service:opted_out:sms"
        assert str(cxkit.may_send("repairs", "email", email="paul@example.com")) == "send:service:opted_out:email"


@pytest.mark.parametrize("whom", [{"phone": "06 39 98 12 34"}, {"email": "paul"}])
def test_half_an_address_is_nobodys(strict: Kit, kit: Kit, store: Faulty, whom: dict[str, Any]) -> None:
    with cxkit.scope(kit=strict), pytest.raises(InvalidInteractionError, match=r"CX3120.*Fix: give (one|the) whole"):
        cxkit.identify(**whom)
    with cxkit.scope(kit=kit):
        cxkit.identify(**whom)
        assert str(cxkit.may_send("repairs", "sms", **whom)) == "send:service:invalid:sms"
    assert kit.flush(timeout_s=30).complete
    assert lives(store) == {}


# --- a time zone that is none ---


def test_a_misspelt_zone_is_not_another(strict: Kit, kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    wrong = "America/Los_Angles"
    with cxkit.scope(kit=strict, user_id="nancy", evidence="login"):
        assert cxkit.may_send("news", "email") == cxkit.Clear(), "in Paris"
        with pytest.raises(InvalidInteractionError) as caught:
            cxkit.may_send("news", "email", timezone=wrong)
    assert (caught.value.code, caught.value.fix) == ("CX3144", 'did you mean "America/Los_Angeles"?')
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"), caplog.at_level("WARNING", "cxkit"):
        for _ in range(2):
            answer = cxkit.may_send("news", "email", timezone=wrong)
            assert answer == cxkit.Deferred(not_before=NIGHT + timedelta(seconds=60), reason="unknown")
        assert cxkit.may_send("receipt", "email", timezone=wrong) == cxkit.Clear(), "at any hour"
        assert str(cxkit.may_send("news", "sms", timezone=wrong)) == "send:marketing:not_granted:sms", "nor later"
    assert len(caplog.records) == 1
    assert kit.intake.noted["invalid"] == 4


@pytest.mark.parametrize("zone", ["America/Los_Angles", "../../etc/passwd", 7])
def test_of_a_trait_or_a_scope_the_next_is_taken(kit: Kit, caplog: pytest.LogCaptureFixture, zone: Any) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login", timezone="Nowhere/At_All"):
        cxkit.identify(traits={"timezone": zone})
        with caplog.at_level("WARNING", "cxkit"):
            assert [cxkit.may_send("news", "email") for _ in range(2)] == [cxkit.Clear()] * 2
    (line,) = [one.message for one in caplog.records]
    assert "CX3144" in line
    assert "At_All" not in line


# --- values of the wrong sort ---


def test_an_evidence_that_there_is_not_is_a_claim(strict: Kit, kit: Kit) -> None:
    with pytest.raises(InvalidInteractionError, match=r'CX3132.*did you mean "login"'):
        opened(kit=strict, user_id="nancy", evidence="log-in")
    with cxkit.scope(kit=kit):
        cxkit.prefer("repairs", "email", "denied", evidence="link", email="paul@example.com")  # type: ignore[arg-type]
        assert str(cxkit.may_send("repairs", "email", email="paul@example.com")) == "send:service:opted_out:email"


def test_traits_that_are_none(strict: Kit, kit: Kit) -> None:
    with cxkit.scope(kit=strict), pytest.raises(InvalidInteractionError, match="CX3131"):
        cxkit.identify(user_id="nancy", traits=["gold"])  # type: ignore[arg-type]
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="nancy", traits=["gold"])  # type: ignore[arg-type]
        assert cxkit.current().identity.get("user_id") is not None
    assert kit.intake.noted["invalid"] == 1


@pytest.mark.parametrize("residence", ["New York", 7, cxkit.trait("New York")])
def test_a_residence_that_is_none(strict: Kit, residence: Any) -> None:
    with cxkit.scope(kit=strict, user_id="nancy", evidence="login"):
        with pytest.raises(InvalidInteractionError, match="CX3127"):
            cxkit.identify(traits={"plan": "gold", "residence": residence})
        assert cxkit.current().profile.traits["plan"] == "gold"
        cxkit.identify(traits={"residence": "us-ny"})


@pytest.mark.parametrize(
    "asked",
    [
        {"until": NIGHT + timedelta(days=1)},
        {"until": NIGHT - timedelta(days=1), "suppress": True},
        {"until": "2030-01-01", "suppress": True},
        {"until": date(2030, 1, 1), "suppress": True},
        {"timeout_s": "5"},
        {"timeout_s": float("nan")},
    ],
)
def test_an_erasure_for_a_time_that_says_nothing(kit: Kit, asked: dict[str, Any]) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "gold"})
        with pytest.raises(InvalidInteractionError, match="CX3151"):
            cxkit.erase(user_id="nancy", **asked)
        assert cxkit.current().profile.traits == {"plan": "gold"}
        assert cxkit.erase(user_id="nancy", suppress=True, until=NIGHT + timedelta(days=1)).committed


# --- what is counted ---


def test_without_a_scope_it_counts_under_the_topics_kind(tmp_path: Path) -> None:
    kit = cxkit.configure(attrs.evolve(CONFIGURED, directory=tmp_path / "state"))
    try:
        assert str(cxkit.may_send("receipt", "email")) == "send:transactional:invalid:email"
        assert kit.account().blocked == {"send:transactional:invalid:email": 1}
    finally:
        cxkit.close(timeout_s=10)
