"""An address that somebody types in lets them refuse for its owner: it grants nothing, and lifts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

import cxkit
from cxkit.kit import Kit
from cxkit.settings import Settings
from tests.flows.world import Faulty

ADDRESS = "victim@example.org"
REFUSED = {"advertising": "denied", "analytics": "denied"}


@pytest.fixture
def kit(store: Faulty) -> Iterator[Kit]:
    kit = Kit(Settings(strict=False), store=store, in_memory=True)
    yield kit
    kit.close(timeout_s=10)


def settled(kit: Kit) -> None:
    assert asyncio.run(kit.settled(timeout_s=30))
    kit.desk.view._know_nothing()


def victim(kit: Kit) -> AbstractContextManager[Any]:
    return cxkit.scope(kit=kit, user_id="victim", evidence="login")


def refused(kit: Kit) -> None:
    with victim(kit):
        cxkit.identify(email=ADDRESS)
        cxkit.withdraw("advertising", "analytics")
        cxkit.prefer("news", "email", "denied")
        cxkit.stop_marketing()
    settled(kit)


def opened() -> None:
    cxkit.grant("advertising", "analytics")
    cxkit.prefer("news", "email", "granted")
    cxkit.stop_marketing(lifted=True)


def holds(kit: Kit) -> None:
    for evidence in ("claim", "login"):
        with cxkit.scope(kit=kit, email=ADDRESS, evidence=evidence):
            assert str(cxkit.may_send("news", "email")) == "send:marketing:opted_out:email"
    with victim(kit):
        assert cxkit.current().profile.choices == REFUSED
        assert cxkit.current().allowed == {"necessary"}
        assert str(cxkit.may_send("news", "email")) == "send:marketing:opted_out:email"


STRANGERS = {
    "cookie": {"visitor": "a-stranger-s-browser", "evidence": "cookie"},
    "login": {"user_id": "mallory", "evidence": "login"},
}


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
@pytest.mark.parametrize(
    ("stranger", "verb"),
    [("cookie", "link"), ("cookie", "scope"), ("login", "link"), ("login", "identify"), ("login", "scope")],
)
def test_a_stranger_lifts_nothing_of_an_address_s_owner(kit: Kit, stranger: str, known: bool, verb: str) -> None:
    refused(kit)
    who: dict[str, Any] = STRANGERS[stranger]
    if known:
        with cxkit.scope(kit=kit, **who):
            cxkit.identify(traits={"plan": "gold"})
            cxkit.grant("personalization")
        settled(kit)
    with cxkit.scope(kit=kit, **{**who, **({"email": ADDRESS} if verb == "scope" else {})}):
        if verb != "scope":
            (cxkit.link if verb == "link" else cxkit.identify)(email=ADDRESS)
        opened()
    holds(kit)
    settled(kit)
    holds(kit)


@pytest.mark.parametrize("evidence", ["claim", "token"])
def test_who_proved_nothing_grants_nothing_in_the_scope_either(kit: Kit, evidence: Any) -> None:
    refused(kit)
    with cxkit.scope(kit=kit, email=ADDRESS, evidence=evidence):
        cxkit.grant("advertising")
        assert cxkit.current().allowed == {"necessary"}


def test_a_stranger_may_refuse_for_them(kit: Kit) -> None:
    with victim(kit):
        cxkit.identify(email=ADDRESS)
        cxkit.grant("advertising")
        cxkit.prefer("news", "email", "granted")
    settled(kit)
    with cxkit.scope(kit=kit, user_id="mallory", email=ADDRESS, evidence="login"):
        cxkit.withdraw("advertising")
    settled(kit)
    with victim(kit):
        assert cxkit.current().profile.choices == {"advertising": "denied"}


def test_no_suppression_of_somebody_else_s_address_is_lifted_beside_another_login(kit: Kit) -> None:
    refused(kit)
    with cxkit.scope(kit=kit):
        cxkit.suppress("email", "complaint", email=ADDRESS)
    settled(kit)
    with cxkit.scope(kit=kit, user_id="mallory", evidence="login"):
        cxkit.identify(email=ADDRESS)
        cxkit.suppress("email", "complaint", lifted_by="mallory")
    settled(kit)
    with cxkit.scope(kit=kit):
        assert str(cxkit.may_send("news", "email", email=ADDRESS)) == "send:marketing:complaint:email"
        cxkit.suppress("email", "complaint", lifted_by="desk 4", email=ADDRESS)
        assert str(cxkit.may_send("news", "email", email=ADDRESS)) == "send:marketing:opted_out:email"


def test_what_the_owner_grants_is_not_of_who_linked_the_address_first(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="mallory", evidence="login"):
        cxkit.identify(traits={"plan": "gold"})
        cxkit.link(email=ADDRESS)
        cxkit.withdraw("advertising")
        cxkit.grant("analytics")
    settled(kit)
    with cxkit.scope(kit=kit):
        cxkit.identify(user_id="victim", email=ADDRESS)
        cxkit.grant("advertising")
        cxkit.prefer("news", "email", "granted")
    settled(kit)
    with cxkit.scope(kit=kit, user_id="mallory", evidence="login"):
        assert cxkit.current().profile.choices == {"advertising": "denied", "analytics": "granted"}
        assert cxkit.current().profile.preferences == {}
    with victim(kit):
        assert cxkit.current().profile.choices == {"advertising": "granted"}, "nor the other way round"


def test_a_token_still_opens_what_its_owner_had_only_typed(kit: Kit) -> None:
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.identify(traits={"plan": "gold"})
        cxkit.link(email=ADDRESS)
    settled(kit)
    with cxkit.scope(kit=kit):
        cxkit.prefer("news", "email", "granted", email=ADDRESS, evidence="token")
        assert cxkit.may_send("news", "email", email=ADDRESS) == cxkit.Clear()
    settled(kit)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        assert cxkit.may_send("news", "email") == cxkit.Clear()
