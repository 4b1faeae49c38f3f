"""profile: what is remembered of a customer who allows it, and nothing of one who does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

import cxkit
from cxkit.kit import Kit
from cxkit.settings import Profile, Settings
from tests.flows.world import Faulty, held

CALLED = cxkit.touchpoint("profile.called", kind="service", stage="service", channel="phone", purpose="necessary")
LOOKED = cxkit.touchpoint("profile.looked", kind="view", stage="consideration", channel="web")


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def visit(kit: Kit, *purposes: str, user: str = "nancy") -> None:
    with cxkit.scope(kit=kit, user_id=user, evidence="login"):
        cxkit.grant(*purposes)
        cxkit.identify()
        LOOKED.capture()
        CALLED.capture()
    assert kit.flush(timeout_s=30).complete


def test_the_last_contacts_are_remembered_of_who_allows_it(kit: Kit) -> None:
    visit(kit, "analytics", "personalization", "profiling")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        known = cxkit.current().profile
    assert [one.name for one in known.recent] == ["profile.looked", "profile.called"]
    assert (known.sessions, known.stage) == (1, "service")
    assert known.last_seen_at == known.recent[-1].at


def test_without_personalization_nothing_is(kit: Kit, store: Faulty) -> None:
    visit(kit, "analytics")
    assert held(store, "history") == {}
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        known = cxkit.current().profile
    assert known.person is not None
    assert (known.recent, known.sessions, known.stage) == ((), 0, None)


def test_nor_where_it_is_switched_off(store: Faulty) -> None:
    kit = Kit(Settings(strict=True, profile=Profile(remember=False)), store=store, in_memory=True)
    visit(kit, "analytics", "personalization")
    kit.close(timeout_s=10)
    assert held(store, "history") == {}


def test_what_was_withdrawn_is_not_used_nor_remembered_from_then_on(kit: Kit) -> None:
    visit(kit, "analytics", "personalization")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.withdraw("personalization")
        LOOKED.capture()
        assert kit.flush(timeout_s=30).complete
        known = cxkit.current().profile
        assert (known.recent, known.sessions, known.last_seen_at, known.stage) == ((), 0, None, None)
        cxkit.grant("personalization")
        assert len(cxkit.current().profile.recent) == 2


def test_what_they_declare_beats_what_is_derived(kit: Kit) -> None:
    visit(kit, "analytics", "personalization", "profiling")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.current().profile.preferred_channel in ("phone", "web")
        cxkit.identify(traits={"stage": "loyalty", "preferred_channel": "email"})
        known = cxkit.current().profile
    assert (known.stage, known.preferred_channel) == ("loyalty", "email")


def test_the_channel_is_concluded_for_profiling_only(kit: Kit) -> None:
    visit(kit, "analytics", "personalization")
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.current().profile.preferred_channel is None


def test_traits_are_counted_collected_and_kept_apart_by_how_they_are_known(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        for sweet in ("almond", "nougat"):
            cxkit.identify(
                traits={
                    "orders": cxkit.trait(1, how="increment"),
                    "likes": cxkit.trait([sweet], how="union"),
                    "first": cxkit.trait(sweet, how="set_once"),
                    "size": cxkit.trait("L", provenance="inferred"),
                }
            )
        cxkit.identify(traits={"size": "M"})
        before = cxkit.current().profile.traits
        assert kit.flush(timeout_s=30).complete
        after = cxkit.current().profile.traits
    assert before == after == {"orders": 2, "likes": ["almond", "nougat"], "first": "almond", "size": "M"}


def test_what_others_do_on_a_shared_device_is_not_the_owners(kit: Kit) -> None:
    def device() -> AbstractContextManager[None]:
        return cxkit.scope(kit=kit, visitor="v-1", evidence="cookie")

    def owners() -> list[str]:
        assert kit.flush(timeout_s=30).complete
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            return [one.name for one in cxkit.current().profile.recent]

    with device():
        cxkit.grant("analytics", "personalization", "identity_stitching")
        CALLED.capture()
        cxkit.identify(user_id="nancy")
    assert owners() == ["profile.called"]
    with device():
        cxkit.grant("identity_stitching")
        cxkit.identify(user_id="bob")
    assert kit.flush(timeout_s=30).complete
    with device():
        cxkit.grant("analytics", "personalization")
        LOOKED.capture()
    assert owners() == ["profile.called"]
