"""What goes wrong without costing an interaction: counted by name, told once, and to be read as long as the account."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

import cxkit
from cxkit.delivery.account import read_account
from cxkit.kit import Kit
from cxkit.settings import Keys, Secret, Settings
from cxkit.stores.memory import MemoryStore
from cxkit.testing import RecordingExporter
from tests.flows.world import Faulty

KEYS = Keys(signing=(Secret("a secret of sixteen"),), identifier=Secret("another of sixteen"))
SEEN = cxkit.touchpoint("noted.seen", purpose="necessary")


class Far(Faulty):
    """A store that is far away, and fails whatever it is asked."""

    remote = True

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.broken = True


def test_each_failure_of_a_far_store_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    store = Far()
    kit = Kit(Settings(keys=KEYS, store_budget_s=5.0), exporters={}, store=store, in_memory=True)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        for _ in range(5):
            assert cxkit.current().profile.person is None
    noted = kit.account().noted
    assert noted.keys() == {"store_failed", "changes_failed"}
    assert noted["store_failed"] >= 5
    assert sum(noted.values()) == store.asked.total()
    kit.close()
    assert [one.levelno for one in caplog.records] == [logging.WARNING] * 2
    assert "the store failed, and what it holds of people is not known until it answers (StoreError)" in caplog.text
    assert "nancy" not in caplog.text


def test_what_was_noted_outlives_its_process_though_nothing_was_captured(tmp_path: Path) -> None:
    for _ in range(2):
        kit = Kit(Settings(directory=tmp_path), exporters={})
        kit.intake.count("token_refused")
        kit.close(timeout_s=10)
        assert kit.account() == read_account(tmp_path)
    account = read_account(tmp_path)
    assert (account.noted, account.dropped, account.captured) == ({"token_refused": 2}, {}, 0)


def test_it_is_counted_once_over_stops_and_starts_and_is_no_loss(tmp_path: Path) -> None:
    exporter = RecordingExporter(purposes=frozenset({"necessary"}))
    kit = Kit(Settings(directory=tmp_path), exporters={"sink": exporter})
    seen: list[Mapping[str, int]] = []
    for _ in range(3):
        with cxkit.scope(kit=kit):
            SEEN.capture()
        kit.intake.count("decider_failed")
        assert kit.stop(timeout_s=10).complete
        seen.append(kit.account().noted)
    kit.close(timeout_s=10)
    assert seen == [{"decider_failed": number} for number in (1, 2, 3)]
    account = read_account(tmp_path)
    assert (account.noted, account.dropped, account.balanced) == ({"decider_failed": 3}, {}, True)
    assert [one.name for one in exporter.interactions] == ["noted.seen"] * 3, "and no loss is reported"
