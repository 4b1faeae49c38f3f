"""How much is taken at our own endpoints: so many grants from one address, every refusal, and nothing from machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.model import Facts
from cxkit.settings import TopicTable
from cxkit.stores.memory import MemoryStore
from cxkit.web.limits import Rate
from tests.flows.world import Faulty, eventually
from tests.web.surface import FRENCH, HTML, SAME, error_of, get, json_of, page_of, post, status_of

PAGE = "/cx/preferences"
TOPICS = {"news": TopicTable(defaults={"email": "denied"}), "repairs": TopicTable(kind="service")}
ROBOT = (b"user-agent", b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
AHEAD = (b"sec-purpose", b"prefetch;prerender")


def grants(client: Any) -> Rate:
    """What counts them at her site."""
    facts = Facts(method="POST", scheme="http", host="shop.example", path=PAGE, headers={})
    found: Rate = client._app._sites().endpoint(facts).handle.__self__._grants
    return found


@pytest.fixture
def posted(make: Any) -> Any:
    return make({"topics": TOPICS, "strict": False}, store=Faulty(MemoryStore()))


@pytest.fixture
def nancy(posted: Any, shop: Callable[..., Any], clock: Any) -> Any:
    """A customer who is recognised in her browser, and has chosen nothing of what she receives."""
    client = shop(lambda: cxkit.grant("personalization", "identity_stitching"), kit=posted.kit)
    client.ask()
    clock.advance(1)
    return client.in_(shop(kit=posted.kit))


@pytest.fixture
def exhausted(nancy: Any) -> Any:
    """She, after so much was allowed from her address that it will not do again for a long time."""
    grants(nancy).charge("192.0.2.7", 1_000_000)
    return nancy


# --- so many grants, and every refusal -------------------------------------------------------------


def test_600_grants_a_minute_are_taken_from_one_address(nancy: Any) -> None:
    grants(nancy).charge("192.0.2.7", 599)
    allowed = {"choices": {"analytics": "granted"}}
    assert status_of(post(nancy, allowed, SAME)) == 200
    grants(nancy).charge("192.0.2.7", 600)
    assert error_of(post(nancy, allowed, SAME)) == (429, "CX3179")


def test_who_is_refused_is_told_when_to_come_again(posted: Any, exhausted: Any) -> None:
    sent = post(exhausted, {"choices": {"analytics": "granted"}}, SAME)
    assert (sent.all("retry-after"), sent.all("cache-control")) == (["60"], ["private, no-store"])
    form = page_of(get(exhausted, "/cx/consent", HTML)).fields(choice="accept")
    sent = post(exhausted, form, HTML, SAME, FRENCH)
    assert (status_of(sent), sent.all("retry-after")) == (429, ["60"])
    assert "dans une minute" in page_of(sent).one("", role="alert").text
    assert posted.kit.intake.noted["consent_limited"] == 2
    assert "analytics" not in json_of(get(exhausted))["choices"]


def test_what_is_refused_is_refused_however_much_was_allowed(exhausted: Any) -> None:
    assert status_of(post(exhausted, {"choices": {"personalization": "denied"}}, SAME)) == 200
    form = page_of(get(exhausted, "/cx/consent", HTML)).fields(choice="refuse")
    assert status_of(post(exhausted, form, HTML, SAME)) == 303
    assert set(json_of(get(exhausted))["choices"].values()) == {"denied"}


def test_of_one_answer_what_it_refuses_counts(exhausted: Any) -> None:
    both = {"choices": {"analytics": "granted", "personalization": "denied"}}
    assert error_of(post(exhausted, both, SAME)) == (429, "CX3179")
    chosen = json_of(get(exhausted))["choices"]
    assert (chosen.get("analytics"), chosen["personalization"]) == (None, "denied")


def test_another_address_has_its_own(posted: Any, exhausted: Any, shop: Callable[..., Any]) -> None:
    assert not grants(exhausted).allows("192.0.2.7")
    assert grants(exhausted).allows("192.0.2.8")


def test_preferences_likewise(posted: Any, exhausted: Any) -> None:
    wanted = {"preferences": {"news": {"email": "granted"}, "repairs": {"email": "denied"}}}
    assert error_of(post(exhausted, wanted, SAME, path=PAGE)) == (429, "CX3179")
    told = json_of(get(exhausted, PAGE))["preferences"]
    assert told == {"news": {"email": "denied"}, "repairs": {"email": "denied"}}
    form = [("choice", "save"), ("offered", "news:email"), ("cell", "news:email")]
    sent = post(exhausted, form, HTML, SAME, path=PAGE)
    assert (status_of(sent), sent.all("retry-after")) == (429, ["60"])
    assert status_of(post(exhausted, [("choice", "stop")], HTML, SAME, path=PAGE)) == 303
    assert error_of(post(exhausted, [("choice", "lift")], SAME, path=PAGE)) == (429, "CX3179")
    assert error_of(post(exhausted, {"stop_marketing": False}, SAME, path=PAGE)) == (429, "CX3179")
    assert json_of(get(exhausted, PAGE))["stopped"] is True


# --- while the store is down -----------------------------------------------------------------------


@pytest.fixture
def down(posted: Any, nancy: Any) -> Any:
    """She, while nobody can know what she receives."""
    assert json_of(get(nancy, PAGE))["stopped"] is False
    assert posted.kit.flush(timeout_s=10).complete
    posted.kit._store.broken = True
    assert error_of(post(nancy, {"preferences": {"news": {"email": "granted"}}}, SAME, path=PAGE)) == (503, "CX3177")
    return nancy


@pytest.mark.parametrize("body", [[("choice", "stop")], {"stop_marketing": True}], ids=["form", "script"])
def test_all_marketing_can_be_stopped_while_the_store_is_down(posted: Any, down: Any, body: Any) -> None:
    sent = post(down, body, SAME, path=PAGE)
    if isinstance(body, dict):
        assert json_of(sent) == {"known": True, "stopped": True}
    assert status_of(sent) == (200 if isinstance(body, dict) else 303)
    posted.kit._store.broken = False
    eventually(lambda: json_of(get(down, PAGE)).get("stopped") is True)


def test_the_page_offers_that_much_while_the_store_is_down(posted: Any, down: Any) -> None:
    sent = get(down, PAGE, HTML)
    page = page_of(sent)
    assert status_of(sent) == 503
    assert [one.attributes["value"] for one in page.all("button")] == ["stop"]
    assert status_of(post(down, page.fields(choice="stop"), HTML, SAME, path=PAGE)) == 303
    posted.kit._store.broken = False
    eventually(lambda: json_of(get(down, PAGE)).get("stopped") is True)


def test_nobody_is_nobody_to_stop_for(posted: Any, shop: Callable[..., Any]) -> None:
    posted.kit._open_store().broken = True
    assert error_of(post(shop(kit=posted.kit), [("choice", "stop")], SAME, path=PAGE)) == (403, "CX3175")


# --- machines --------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", [ROBOT, AHEAD], ids=["robot", "fetched ahead"])
@pytest.mark.parametrize("choice", ["granted", "denied"])
def test_a_machine_leaves_no_choice_and_gets_no_cookie(
    posted: Any, shop: Callable[..., Any], machine: Any, choice: str
) -> None:
    client = shop(kit=posted.kit)
    sent = post(client, {"choices": {"analytics": choice}}, SAME, machine)
    assert error_of(sent) == (403, "CX3180")
    assert "program" in page_of(post(client, [("choice", "accept")], HTML, SAME, machine)).one("", role="alert").text
    assert error_of(post(client, {"stop_marketing": True}, SAME, machine, path=PAGE)) == (403, "CX3180")
    assert (client.cookies, posted.named("consent.changed")) == ({}, [])


def test_what_an_app_chooses_for_a_machine_is_no_cookie(kept: Any, shop: Callable[..., Any]) -> None:
    client = shop(lambda: cxkit.grant("analytics"))
    get(client, "/", ROBOT)
    assert not client.cookies
    get(client, "/")
    assert [*client.cookies] == ["cxkit_visitor", "cxkit_consent"]
