"""Half a character, cut from an emoji say, and NUL: in whatever text they come, what was chosen is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import cxkit
from cxkit.errors import InvalidInteractionError
from cxkit.flows.operate import merge_people, unmerge_people
from cxkit.kit import Kit
from cxkit.model import Identifier
from cxkit.settings import Settings
from tests.flows.world import Faulty, held

HALF, MENDED = "so\ud83d", "so\ufffd"


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))
    assert kit.desk.view._uncommitted == {}


@pytest.mark.parametrize("text", [HALF, "a\0b"])
@pytest.mark.parametrize("field", ["id", "version", "language"])
def test_a_notice_that_is_no_text_does_not_cost_the_withdrawal(kit: Kit, store: Faulty, field: str, text: str) -> None:
    nancy = cxkit.scope(kit=kit, user_id="nancy", evidence="login")
    with nancy, pytest.raises(InvalidInteractionError, match="CX3126"):
        cxkit.withdraw("analytics", notice=cxkit.Notice(**{"id": "banner", field: text}))
    settled(kit)
    (body,) = held(store, "consent").values()
    assert [(one["choices"], one["notice"]) for one in body["records"]] == [({"analytics": "denied"}, None)]


def test_a_signal_that_is_no_text_does_not_cost_it_either(kit: Kit, store: Faulty) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        here: Any = cxkit.current()._scope
        here.signals = {"tc": HALF}  # as a plugin's reader leaves it, whatever it made of it
        cxkit.withdraw("analytics")
    settled(kit)
    (body,) = held(store, "consent").values()
    assert {one["signals"]["tc"] for one in body["records"]} == {MENDED}


def test_so_is_whoever_lifts_a_suppression_merges_or_parts(kit: Kit) -> None:
    told: list[Any] = []
    kit.subscribe(lambda event: told.append(dict(event.command.properties)))
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.suppress("email", "complaint", lifted_by=HALF, email="nancy@example.org")
        here: Any = cxkit.current()._scope
        other = Identifier(type="user_id", value="otto", evidence="claim")
        merge_people(kit.desk, here, other=other, purposes=1, actor=HALF, reason=HALF, force=False)
        unmerge_people(kit.desk, here, merge="01", actor=HALF, reason=HALF)
    settled(kit)
    assert [one["lifted_by"] for one in told if "lifted_by" in one] == [MENDED]
    assert [(one["actor"], one["reason"]) for one in told if "actor" in one] == [(MENDED, MENDED)] * 2


def test_what_cannot_be_recorded_at_all_shows_nowhere(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        here: Any = cxkit.current()._scope
        with pytest.raises(TypeError):
            unmerge_people(kit.desk, here, merge=object(), actor="sam", reason="no")  # type: ignore[arg-type]
    assert kit.desk.view._uncommitted == {}
