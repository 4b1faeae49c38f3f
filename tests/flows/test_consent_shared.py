"""Consent on a device that two people sign in on: what one of them chooses there is not the other's choice."""

from __future__ import annotations

import asyncio

import cxkit
from cxkit.kit import Kit
from cxkit.settings import Settings
from tests.flows.world import Faulty


def test_a_sister_on_the_same_device_does_not_choose_for_nancy(store: Faulty) -> None:
    kit = Kit(Settings(strict=True), store=store, in_memory=True)
    for who in ("nancy", "sister"):
        with cxkit.scope(kit=kit, evidence="cookie", visitor="shared"):
            cxkit.grant("identity_stitching", "personalization")
            cxkit.identify(user_id=who)
            if who == "nancy":
                cxkit.withdraw("advertising")
            else:
                cxkit.grant("advertising")
                cxkit.withdraw("analytics")
        assert asyncio.run(kit.settled(timeout_s=30))
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        choices = cxkit.current().profile.choices
    kit.close(timeout_s=10)
    assert choices["advertising"] == "denied"
    assert "analytics" not in choices
