"""A scope that stays open, clocks that differ, and what is wrong in ways that nobody expects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.stamp import Stamper
from cxkit.errors import InvalidInteractionError
from cxkit.kit import Kit
from cxkit.settings import Keys, Secret, Settings
from cxkit.testing import FakeClock
from tests.flows.world import Faulty, eventually

DAY_S = 86_400
ADDRESS = "nancy@example.org"
KEYS = Keys(signing=(Secret("a secret of sixteen"),), identifier=Secret("another of sixteen"))


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    kit = Kit(Settings(strict=False), store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def nancy(kit: Kit) -> Any:
    return cxkit.scope(kit=kit, user_id="nancy", evidence="login")


def test_a_scope_that_stays_open_obeys_what_another_process_commits(tmp_path: Path) -> None:
    here, there = (Kit(Settings(strict=True, directory=tmp_path / ".cxkit")) for _ in "ab")
    try:
        with nancy(here):
            cxkit.grant("analytics", "personalization")
        assert here.flush(timeout_s=10).complete
        with nancy(here):
            assert "analytics" in cxkit.current().allowed
            with nancy(there):
                cxkit.withdraw("analytics")
            assert there.flush(timeout_s=10).complete
            eventually(lambda: "analytics" not in cxkit.current().allowed)
            assert cxkit.current().profile.choices["analytics"] == "denied"
            assert "personalization" in cxkit.current().allowed
    finally:
        here.close(timeout_s=10)
        there.close(timeout_s=10)


def test_it_is_not_asked_of_the_store_while_nothing_changes(kit: Kit, store: Faulty) -> None:
    with nancy(kit):
        cxkit.grant("analytics")
        assert kit.flush(timeout_s=10).complete
        cxkit.current()
        cxkit.current()
        before = store.asked.total()
        for _ in range(100):
            cxkit.current()
        assert store.asked.total() == before


@pytest.mark.parametrize("days", [400, -400], ids=["ahead", "behind"])
def test_a_suppression_and_its_lift_hold_whatever_clock_the_earlier_one_had(
    store: Faulty, tmp_path: Path, days: int
) -> None:
    def kit_of(name: str, offset_s: int) -> Kit:
        clock = FakeClock(start_s=1_800_000_000 + offset_s)
        settings = Settings(strict=True, keys=KEYS, directory=tmp_path / name)
        return Kit(settings, store=store, stamper=Stamper(time_ns=clock.time_ns))

    now, other = kit_of("now", 0), kit_of("other", days * DAY_S)

    def say(kit: Kit, lifted_by: str | None = None) -> str:
        for each in (now, other):
            each.desk.view._know_nothing()
        with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
            cxkit.suppress("email", "hard_bounce", lifted_by=lifted_by, email=ADDRESS)
            at_once = str(cxkit.may_send("repairs", "email", email=ADDRESS))
        assert kit.flush(timeout_s=10).complete
        now.desk.view._know_nothing()
        with cxkit.scope(kit=now):
            answer = str(cxkit.may_send("repairs", "email", email=ADDRESS))
        assert answer == at_once
        return answer

    blocked, free = "send:marketing:hard_bounce:email", "send:marketing:not_granted:email"
    for first, second in ((now, other), (other, now)):
        assert say(first) == blocked
        assert say(second, "desk 4") == free
        assert say(first) == blocked
        assert say(first, "desk 4") == free
        assert say(second) == blocked
        assert say(second, "desk 4") == free
    now.close(timeout_s=10)
    other.close(timeout_s=10)


class Wrong:
    def __str__(self) -> str:
        raise ValueError("b")

    def __eq__(self, other: object) -> bool:
        raise ValueError("e")

    __hash__ = None  # type: ignore[assignment]


def test_what_is_no_channel_at_all_is_blocked(kit: Kit) -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    wrong: Any = Wrong()
    with nancy(kit):
        assert str(cxkit.may_send("news", deep)) == "send:marketing:invalid:dict"
        assert str(cxkit.may_send("news", wrong)) == "send:marketing:invalid:Wrong"


@pytest.mark.parametrize("wrong", [{"expires_in_s": "5"}, {"expires_in_s": True}, {"how": Wrong()}, {"provenance": 5}])
def test_a_trait_of_wrong_words_says_so(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInteractionError, match="CX3130"):
        cxkit.trait(1, **wrong)


def test_what_is_far_too_much_takes_no_time(kit: Kit) -> None:
    many: dict[str, Any] = {f"k{number}": number for number in range(300_000)}
    huge: Any = many
    with nancy(kit):
        begun = time.perf_counter()
        cxkit.identify(traits=many)
        cxkit.grant("analytics", notice=cxkit.Notice(id="banner", version=huge))
        assert time.perf_counter() - begun < 1.0
        assert len(cxkit.current().profile.traits) == 128
        assert cxkit.current().profile.choices == {"analytics": "granted"}
