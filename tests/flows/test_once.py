"""once: the first alone counts, whoever comes at the same time, and the oldest are forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from cxkit.errors import StoreError
from cxkit.flows.once import once
from tests.flows.world import Faulty, held

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_first_counts_and_may_come_again(store: Faulty) -> None:
    told = [once(store, "key", said, until=NOON, now=NOON) for said in (b"a", b"b", b"a", b"c")]
    assert told == [True, False, True, False]
    assert once(store, "other", b"b", until=NOON, now=NOON)


def test_of_many_at_once_one_counts(store: Faulty) -> None:
    with ThreadPoolExecutor(16) as pool:
        told = pool.map(lambda number: once(store, "key", b"%d" % number, until=NOON, now=NOON), range(64))
        assert sum(told) == 1


def test_old_ones_are_forgotten_and_no_key_is_kept(store: Faulty) -> None:
    for number in range(10):
        assert once(store, f"key {number}", b"a", until=NOON, now=NOON)
    assert "key" not in str(held(store, "once"))
    later = NOON + timedelta(days=3)
    for number in range(10):
        assert once(store, f"later {number}", b"a", until=later, now=later)
    assert len(held(store, "once")) == 10


def test_a_store_that_fails_is_told(store: Faulty) -> None:
    store.broken = True
    with pytest.raises(StoreError):
        once(store, "key", b"a", until=NOON, now=NOON)
