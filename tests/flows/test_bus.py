"""The bus: everyone is told, and nobody's failure is anybody else's."""

from __future__ import annotations

import logging

import pytest

from cxkit.flows.bus import Bus, Committed
from tests.flows.world import identified, identity

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
