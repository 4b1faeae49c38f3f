"""What operators do to the graph, the local file follows: it merges and parts the same people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxkit.model import Interaction
from tests.exporters.happened import asked, happened, keep, login, people


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "local.db"


def merged(one: str, other: str, *, force: bool = False) -> Interaction:
    type, _, value = other.partition(":")
    said: dict[str, Any] = {"with": {"type": type, "value": value}, "actor": "desk", "reason": "called", "force": force}
    return happened(f"claim {one}", name="identity.merged", kind="identity", properties=said)


def unmerged(merge: Interaction) -> Interaction:
    said: dict[str, Any] = {"merge": merge.id, "actor": "desk", "reason": "her sister"}
    return happened(name="identity.unmerged", kind="identity", properties=said)


def test_it_follows_a_merge_and_its_undoing(path: Path) -> None:
    nancy, nan = login("login user_id:nancy", "cookie visitor:a"), login("login email:nan", at_ms=1)
    before, merge = happened("cookie visitor:a"), merged("user_id:nancy", "email:nan")
    keep(path, nancy, nan, before, merge)
    assert {people(path)[one.id] for one in (nancy, nan, before, merge)} == {"user_id:nancy"}
    keep(path, merge)
    keep(path, unmerged(merge))
    found = people(path)
    assert (found[nancy.id], found[nan.id], found[before.id]) == ("user_id:nancy", "email:nan", "user_id:nancy")


def test_what_forbids_it_forbids_it_here_unless_it_is_forced(path: Path) -> None:
    nancy, otto = login("login user_id:nancy"), login("login user_id:otto")
    keep(path, nancy, otto, merged("user_id:nancy", "user_id:otto"))
    assert len({people(path)[one.id] for one in (nancy, otto)}) == 2
    keep(path, merged("user_id:nancy", "user_id:otto", force=True))
    assert len({people(path)[one.id] for one in (nancy, otto)}) == 1


@pytest.mark.parametrize("force", [False, True])
def test_a_device_that_several_use_names_nobody_here_either(path: Path, force: bool) -> None:
    nancy, bob = (login(f"login user_id:{one}", "cookie visitor:a") for one in ("nancy", "bob"))
    otto = login("login email:otto")
    keep(path, nancy, bob, otto, merged("visitor:a", "email:otto", force=force))
    keep(path, merged("email:otto", "visitor:a", force=force))
    assert len({people(path)[one.id] for one in (nancy, bob, otto)}) == 3
    assert asked(path, "SELECT id FROM merges") == []


def test_a_merge_with_who_was_erased_since_neither_names_them_nor_means_who_came_back(path: Path) -> None:
    otto, nancy, late = login("login user_id:otto"), login("login email:nan"), merged("user_id:otto", "email:nan")
    gone = happened("login email:nan", at_ms=1, name="privacy.erased", kind="identity", properties={"suppress": False})
    back = login("login email:nan", at_ms=2)
    keep(path, otto, nancy, gone, back, late)
    assert people(path) == {otto.id: "user_id:otto", back.id: "email:nan"}


def test_it_undoes_what_a_login_merged_in_the_store_by_whatever_merged_it_here(path: Path) -> None:
    """There it was the command; here an interaction beside it may have come first."""
    nancy, nan = login("login user_id:nancy"), login("login email:nan")
    beside = happened("login user_id:nancy", "login email:nan")
    command = login("login user_id:nancy", "login email:nan")
    keep(path, nancy, nan, beside, command)
    assert len({people(path)[one.id] for one in (nancy, nan)}) == 1
    keep(path, unmerged(command))
    assert len({people(path)[one.id] for one in (nancy, nan)}) == 2


@pytest.mark.parametrize(
    "said", [{}, {"with": None}, {"with": {"type": "email"}}, {"with": "x", "force": "yes"}, {"merge": 7}]
)
@pytest.mark.parametrize("name", ["identity.merged", "identity.unmerged"])
def test_what_says_nothing_of_use_is_kept_and_changes_nobody(path: Path, name: str, said: dict[str, Any]) -> None:
    nancy, nan = login("login user_id:nancy"), login("login email:nan")
    odd = happened("claim user_id:nancy", name=name, kind="identity", properties=said)
    assert keep(path, nancy, nan, odd).verdict == "delivered"
    assert len({people(path)[one.id] for one in (nancy, nan)}) == 2
