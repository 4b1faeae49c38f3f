"""The bus: everyone is told, and nobody's failure is anybody else's."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxkit
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus, Committed
from cxkit.kit import Kit
from cxkit.settings import Settings, load
from tests.flows.world import KEYS, Faulty, batch, chose, eventually, identified, identity

NANCY = identity(user_id="nancy")
EVENT = Committed(command=identified(identity(user_id="nancy")), keys=frozenset(), documents=frozenset())


def test_everyone_who_listens_is_told_until_they_stop() -> None:
    bus, heard = Bus(), []
    stop = bus.subscribe(lambda event: heard.append(("one", event)))
    bus.subscribe(lambda event: heard.append(("two", event)))
    bus.announce(EVENT)
    stop()
    bus.announce(EVENT)
    assert heard == [("one", EVENT), ("two", EVENT), ("two", EVENT)]


def test_a_listener_that_raises_costs_itself_this_event_alone(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = Bus(), []

    def bad(event: Committed) -> None:
        heard.append("bad")
        raise ZeroDivisionError("secret")

    bus.subscribe(bad)
    bus.subscribe(lambda event: heard.append("good"))
    with caplog.at_level(logging.WARNING, "cxkit"):
        bus.announce(EVENT)
        bus.announce(EVENT)
    assert heard == ["bad", "good"] * 2
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


def test_a_listener_may_stop_while_it_is_told() -> None:
    bus, heard = Bus(), []
    bus.subscribe(lambda event: (heard.append(1), stop()))
    stop = bus.subscribe(lambda event: heard.append(2))
    bus.announce(EVENT)
    bus.announce(EVENT)
    assert heard[:2] == [1, 2]
    assert 2 not in heard[2:]


# --- what is told of ------------------------------------------------------------------------------


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


@pytest.fixture
def heard(kit: Kit) -> list[Committed]:
    heard: list[Committed] = []
    kit.subscribe(heard.append)
    return heard


def settled(kit: Kit) -> None:
    assert kit.flush(timeout_s=30).complete


def test_each_event_says_what_happened(kit: Kit, heard: list[Committed]) -> None:
    viewed = cxkit.touchpoint("bus.viewed", stage="awareness", purpose="necessary")
    bought = cxkit.touchpoint("bus.bought", stage="purchase", purpose="necessary")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.grant("personalization")
        cxkit.identify(traits={"plan": "gold"})
        cxkit.link(loyalty="L-7")
        settled(kit)
        viewed.capture()
        settled(kit)
        bought.capture()
        bought.capture()
        settled(kit)
        cxkit.prefer("news", "email", "denied")
    settled(kit)
    assert [one.names for one in heard] == [
        ("consent.changed",),
        ("identity.linked", "profile.changed"),
        ("identity.linked",),
        ("stage.changed",),
        ("stage.changed",),
        ("preference.changed",),
    ]
    assert {one.command.name for one in heard if one.names == ("stage.changed",)} == {"bus.viewed", "bus.bought"}


def test_versions_grow_and_are_those_of_the_store(kit: Kit, heard: list[Committed], store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        for plan in ("basic", "silver", "gold"):
            cxkit.identify(traits={"plan": plan})
            cxkit.grant("analytics")
            settled(kit)
    seen: dict[str, int] = {}
    for event in heard:
        assert event.versions.keys() == event.documents
        for name, version in event.versions.items():
            assert version > seen.get(name, 0)
            seen[name] = version
    assert seen == {one.key: one.version for one in store.get_many(seen).values()}
    assert max(seen.values()) == 3


@pytest.mark.parametrize("order", [("grant", "withdraw"), ("withdraw", "grant")])
def test_of_what_comes_together_a_denial_is_seen_first(store: Faulty, order: tuple[str, ...]) -> None:
    """Wherever somebody looks in between, nothing is granted that is about to be denied."""
    words = {"grant": "granted", "withdraw": "denied"}
    commands = [
        identified(identity(user_id="otto"), id="00"),
        *(
            chose(identity(user_id="nancy"), id=f"0{turn}", minute=turn, ads=words[verb])
            for turn, verb in enumerate(order, 1)
        ),
    ]
    heard: list[Committed] = []
    bus = Bus()
    bus.subscribe(heard.append)
    Applier(lambda: store, KEYS, bus).export(batch(*commands), deadline_s=5)
    told = [one.command.properties["choices"] for one in heard if one.names == ("consent.changed",)]
    assert told == [{"ads": "denied"}, {"ads": "granted"}]


_OTHER = """
import sys
import cxkit
from cxkit.kit import Kit
from cxkit.settings import load

kit = Kit(load())
ads = cxkit.touchpoint("bus.ad", purpose="advertising")
for line in sys.stdin:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        print(cxkit.current().profile.choices.get("advertising"), cxkit.current().profile.traits, flush=True)
kit.close()
"""


def test_another_process_sees_within_a_second_what_this_one_committed(tmp_path: Path) -> None:
    configured = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CXKIT_")},
        "CXKIT_DIRECTORY": str(tmp_path),
        "CXKIT_KEYS__SIGNING": "a secret of sixteen characters",
        "CXKIT_KEYS__IDENTIFIER": "another secret of sixteen",
    }
    kit = Kit(load(environ=configured))
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER], env=configured, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        ask, answers = other.stdin, other.stdout

        def answer() -> str:
            ask.write("\n")
            ask.flush()
            return answers.readline().strip()

        assert answer() == "None {}"
        for choice, verb in (("granted", "grant"), ("denied", "withdraw"), ("granted", "grant")):
            with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
                getattr(cxkit, verb)("advertising")
                cxkit.identify(traits={"last": verb})
            assert kit.flush(timeout_s=30).complete
            eventually(lambda expected=f"{choice} {{'last': '{verb}'}}": answer() == expected)
        ask.close()
        assert other.wait(timeout=60) == 0
    kit.close(timeout_s=10)
