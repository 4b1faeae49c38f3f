"""What is wanted, on a device that several people use: what a stranger says there is not said for its owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import cxkit
from cxkit.kit import Kit
from cxkit.settings import CapTable, Settings
from tests.flows.world import Faulty, eventually

CLEAR = cxkit.Clear()


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    caps = {"once": CapTable(most=1, window_s=3600, topic="sales")}
    kit = Kit(Settings(strict=True, frequency_caps=caps), store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))


def on_device(kit: Kit) -> Any:
    return cxkit.scope(kit=kit, visitor="v-1", evidence="cookie")


def signed_in(kit: Kit, name: str) -> Any:
    return cxkit.scope(kit=kit, user_id=name, evidence="login")


def signs_in_on_it(kit: Kit, name: str) -> None:
    with on_device(kit):
        cxkit.grant("analytics", "identity_stitching")
        cxkit.identify(user_id=name)
    settled(kit)


def as_seen_by(kit: Kit, who: Callable[[Kit], Any]) -> tuple[bool, bool, bool]:
    """Whether news go to them by e-mail, by SMS, and whether a sale may be told."""
    with who(kit):
        return (
            cxkit.may_send("news", "email") == CLEAR,
            cxkit.may_send("news", "sms") == CLEAR,
            cxkit.may_send("sales", "email") == CLEAR,
        )


def nancy(kit: Kit) -> Any:
    return signed_in(kit, "nancy")


@pytest.mark.parametrize("committed", [False, True])
def test_a_stranger_on_it_neither_lifts_a_stop_nor_joins_nor_uses_up_a_cap(
    kit: Kit, store: Faulty, committed: bool
) -> None:
    for name in ("nancy", "bob"):
        signs_in_on_it(kit, name)
    with nancy(kit):
        cxkit.prefer("news", "email", "granted")
        cxkit.stop_marketing()
        cxkit.prefer("sales", "email", "granted")
    settled(kit)
    before = as_seen_by(kit, nancy)
    assert before == (False, False, True)
    if not committed:
        store.conflicts = 1_000_000
    with on_device(kit):
        cxkit.stop_marketing(lifted=True)
        cxkit.prefer("news", "sms", "granted")
        cxkit.sent("sales", "email")
        assert cxkit.current().profile.preferences["news"]["sms"] == "granted", "it holds for who uses the device"
    if committed:
        settled(kit)
    assert as_seen_by(kit, nancy) == before
    with nancy(kit):
        assert "sms" not in cxkit.current().profile.preferences["news"]
    assert as_seen_by(kit, on_device)[1]
    store.conflicts = 0


@pytest.mark.parametrize("committed", [False, True])
def test_what_its_owner_said_there_before_stays_theirs_alone(kit: Kit, store: Faulty, committed: bool) -> None:
    signs_in_on_it(kit, "nancy")
    if not committed:
        store.conflicts = 1_000_000
    with on_device(kit):
        cxkit.prefer("news", "sms", "granted")
    if committed:
        settled(kit)
    assert as_seen_by(kit, nancy)[1]
    store.conflicts = 0
    settled(kit)
    signs_in_on_it(kit, "bob")
    assert as_seen_by(kit, nancy)[1]
    assert not as_seen_by(kit, on_device)[1]
    assert not as_seen_by(kit, lambda kit: signed_in(kit, "bob"))[1]


def test_a_bounce_is_a_matter_of_the_address(kit: Kit) -> None:
    """Whoever reports it, and on whatever device."""
    for name in ("nancy", "bob"):
        signs_in_on_it(kit, name)
    with nancy(kit):
        cxkit.identify(email="nancy@example.org")
        cxkit.prefer("news", "email", "granted")
    settled(kit)
    with on_device(kit):
        cxkit.suppress("email", "complaint", email="nancy@example.org")
    eventually(lambda: not as_seen_by(kit, nancy)[0])
