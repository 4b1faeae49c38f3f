"""grant and withdraw: obeyed at once, everywhere within a second, and by what is already under way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import Scope, current_scope, enter
from cxkit.errors import InvalidInteractionError
from cxkit.exporters.http import HTTPExporter
from cxkit.exporters.http import Settings as HTTPSettings
from cxkit.kit import Kit
from cxkit.model import Context, Identifier, Identity
from cxkit.settings import Settings
from cxkit.testing import RecordingExporter
from cxkit.testing.receiver import Receiver
from tests.flows.world import Faulty, eventually, held


class ForAnalytics(RecordingExporter):
    def __init__(self) -> None:
        super().__init__(purposes=frozenset({"analytics"}))


@pytest.fixture
def exporter() -> ForAnalytics:
    return ForAnalytics()


@pytest.fixture
def kit(store: Faulty, exporter: ForAnalytics) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), exporters={"x": exporter}, store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def here() -> Scope:
    scope = current_scope()
    assert scope is not None
    return scope


def names(exporter: RecordingExporter) -> list[str]:
    return [one.name for one in exporter.interactions]


def test_a_choice_is_obeyed_at_once_and_lands_in_the_store(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("analytics", "personalization")
        assert {"analytics", "personalization"} <= here().allowed.granted
        cxkit.withdraw("analytics")
        assert "analytics" in here().allowed.denied
        assert cxkit.current().profile.choices == {"analytics": "denied", "personalization": "granted"}
        assert asyncio.run(kit.settled(timeout_s=30))
        assert cxkit.current().profile.choices == {"analytics": "denied", "personalization": "granted"}
    (consents,) = held(store, "consent").values()
    assert [one["choices"] for one in sorted(consents["records"], key=lambda one: one["id"])] == [
        {"analytics": "granted", "personalization": "granted"},
        {"analytics": "denied"},
    ]
    assert {one["policy"] for one in consents["records"]} == {"strict/1"}


def test_it_is_obeyed_before_it_is_committed(kit: Kit, store: Faulty) -> None:
    store.conflicts = 1_000_000
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("analytics")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert "analytics" in here().allowed.denied
    assert held(store, "consent") == {}
    store.conflicts = 0
    assert asyncio.run(kit.settled(timeout_s=30))
    assert len(held(store, "consent")) == 1


def test_what_is_not_a_purpose_is_refused_with_the_nearest(kit: Kit) -> None:
    with cxkit.scope(kit=kit), pytest.raises(InvalidInteractionError) as caught:
        cxkit.grant("analytic")
    assert (caught.value.code, caught.value.fix) == ("CX3121", 'did you mean "analytics"?')


def test_a_misspelt_purpose_does_not_cost_the_others(kit: Kit) -> None:
    """Least of all where the others are refused."""
    with cxkit.scope(kit=kit):
        with pytest.raises(InvalidInteractionError):
            cxkit.withdraw("advertizing", "analytics")
        assert {purpose: choice for purpose, (choice, _) in here().choices.items()} == {"analytics": "denied"}


@pytest.mark.parametrize("verb", [cxkit.grant, cxkit.withdraw, cxkit.choose])
def test_what_is_necessary_is_nobodys_choice(kit: Kit, store: Faulty, verb: Callable[..., None]) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        with pytest.raises(InvalidInteractionError) as caught:
            verb("analytics", "necessary")
        assert (caught.value.code, caught.value.fix) == ("CX3133", "leave it out")
        with pytest.raises(InvalidInteractionError, match="CX3133"):
            cxkit.withdraw("necessary")
        assert "analytics" in here().choices
    assert kit.flush(timeout_s=30).complete
    assert "necessary" not in str(held(store, "consent"))


def test_a_method_that_is_not_one_does_not_cost_the_choice(kit: Kit) -> None:
    with cxkit.scope(kit=kit):
        with pytest.raises(InvalidInteractionError) as caught:
            cxkit.withdraw("analytics", method="rejct")  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.fix) == ("CX3123", 'did you mean "reject"?')
        assert here().choices["analytics"][0] == "denied"


def test_before_a_choice_exporters_get_only_what_names_nobody(kit: Kit, exporter: ForAnalytics) -> None:
    seen = cxkit.touchpoint("consent.seen")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        seen.capture(before=True)
        cxkit.grant("analytics")
        seen.capture(before=False)
        cxkit.withdraw("advertising")
        assert kit.flush(timeout_s=30).complete
    before, after = [one for one in exporter.interactions if one.name == "consent.seen"]
    assert (before.identity, before.properties) == (Identity(), {"before": True})
    told = [one.name for one in exporter.interactions if one.name != "consent.seen"]
    assert told == ["consent.changed", "consent.changed"]
    assert after.identity.get("user_id") is not None


def test_where_it_was_refused_from_the_start_nothing_arrives_not_even_that(kit: Kit, exporter: ForAnalytics) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("analytics")
        cxkit.touchpoint("consent.refused").capture()
    assert kit.flush(timeout_s=30).complete
    assert exporter.interactions == []
    assert kit.account().dropped == {"consent_refused": 1}


# --- what is already under way ---


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another process"])
def test_a_withdrawal_stops_what_is_still_unsent(elsewhere: bool, tmp_path: Path) -> None:
    """The receiver is down, the person withdraws, the receiver comes back: nothing arrives."""
    receiver = Receiver()
    bought = cxkit.touchpoint("consent.bought")
    settings = Settings(directory=tmp_path / "state", strict=True)
    with receiver:
        exporter = HTTPExporter(HTTPSettings(url=receiver.url))
        exporter.purposes = frozenset({"analytics"})
        kit = Kit(settings, exporters={"http": exporter})
        other = Kit(settings) if elsewhere else kit
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            cxkit.grant("analytics")
            # Under way before the receiver goes: an attempt that has begun is not called back.
            assert kit.flush(timeout_s=30).complete
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        for number in range(20):
            bought.capture(number=number)
    assert not kit.flush(timeout_s=0.5).complete
    with cxkit.scope(kit=other, user_id="nancy", evidence="login"):
        cxkit.withdraw("analytics")
        assert asyncio.run(other.settled(timeout_s=30))
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        eventually(lambda: cxkit.current().profile.choices.get("analytics") == "denied")
    with receiver:
        eventually(lambda: kit.flush(timeout_s=1).complete)
        assert kit.account().exporters["http"].dropped == {"consent": 20}
        assert {one.name for one in receiver.interactions} == {"consent.changed"}
    if elsewhere:
        other.close()
    kit.close()


def test_while_the_store_is_broken_nothing_that_names_somebody_is_handed_on(
    kit: Kit, store: Faulty, exporter: ForAnalytics
) -> None:
    store.broken = True
    bought = cxkit.touchpoint("consent.waiting")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("analytics")
        bought.capture()
    assert not kit.flush(timeout_s=0.3).complete
    assert "consent.waiting" not in names(exporter)
    assert kit.account().exporters["x"].pending >= 1
    store.broken = False
    eventually(lambda: kit.flush(timeout_s=1).complete)
    assert "consent.waiting" in names(exporter)
    assert kit.account().exporters["x"].pending == 0


def test_commands_survive_a_broken_store(kit: Kit, store: Faulty) -> None:
    store.broken = True
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("analytics")
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
    assert not asyncio.run(kit.settled(timeout_s=0.2))
    store.broken = False
    eventually(lambda: asyncio.run(kit.settled(timeout_s=1)))
    assert len(held(store, "consent")) == len(held(store, "person")) == 1


# --- the browser's objection ---


def objecting(kit: Kit) -> Scope:
    scope = kit.open_scope(Context(channel="web"), gpc=True)
    scope.change(identity=Identity(identifiers=(Identifier(type="visitor", value="v1", evidence="cookie"),)))
    enter(scope)
    return scope


def test_a_grant_made_in_spite_of_the_objection_stands_and_only_that(kit: Kit) -> None:
    scope = objecting(kit)
    scope.choices = {"advertising": ("granted", kit.intake.stamper.now())}  # from before there was an objection
    kit.desk.govern(scope)
    assert "advertising" in scope.allowed.denied
    cxkit.grant("analytics")
    assert "analytics" in scope.allowed.granted
    assert "advertising" in scope.allowed.denied, "it was not this that was granted now"
    cxkit.grant("advertising")
    assert "advertising" in scope.allowed.granted
    assert "sale_share" in scope.allowed.denied
    scope.close()


def test_what_was_granted_elsewhere_does_not_override_the_objection_here(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("advertising", "analytics")
    scope = objecting(kit)
    cxkit.grant("personalization")
    cxkit.identify(user_id="nancy")
    assert "advertising" in scope.allowed.denied
    assert {"analytics", "personalization"} <= scope.allowed.granted
    scope.close()


# --- two processes ---

OTHER = """
import sys, time
from pathlib import Path
import cxkit
from cxkit.kit import Kit
from cxkit.settings import Settings

kit = Kit(Settings(directory=Path(sys.argv[1]), strict=True))
deadline = time.monotonic() + 30
for wanted in sys.argv[2:]:
    while True:
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            if cxkit.current().profile.choices.get("personalization") == wanted:
                break
        assert time.monotonic() < deadline, wanted
        time.sleep(0.01)
    print(wanted, flush=True)
"""


def test_two_processes_see_each_others_choices(tmp_path: Path) -> None:
    directory: Any = tmp_path / "state"
    kit = Kit(Settings(directory=directory, strict=True))
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("personalization")
        assert asyncio.run(kit.settled(timeout_s=30))
        command = [sys.executable, "-c", OTHER, str(directory), "granted", "denied", "granted"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "granted\n"
            cxkit.withdraw("personalization")
            assert other.stdout.readline() == "denied\n"
            cxkit.grant("personalization")
            assert other.stdout.readline() == "granted\n"
        assert other.returncode == 0
    kit.close()
