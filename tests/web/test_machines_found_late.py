"""A machine that only an enricher tells: it is nobody, is shown what a stranger is, and keeps nothing for us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.capture.enrich import Enrichment
from cxkit.model import Agent, Context, Facts, Identifier, Identity
from cxkit.model.context import Actor
from cxkit.settings import Consent, TopicTable
from cxkit.web import ASGIMiddleware

SEEN = cxkit.touchpoint("late.seen", purpose="necessary")
HERO = cxkit.experience(
    "late.hero",
    variants=[
        cxkit.Variant(name="webby", audience={"channel": "web"}, depth=1),
        cxkit.Variant(name="returning", audience={"returning": True}, depth=2),
    ],
    fallback=cxkit.Variant(name="all"),
)


class Telling:
    """Tells an actor from a header."""

    def enrich(self, facts: Facts, context: Context) -> Mapping[str, object]:
        said = facts.headers.get("x-actor")
        return {"actor": said, "agent": Agent(category="ai_crawler")} if said else {}


@pytest.mark.parametrize("actor", ["bot", "prefetch"])
def test_it_is_nobody_from_then_on(make: Any, client: Any, answering: Any, actor: Actor) -> None:
    kept = make({})
    kept.kit.enrich = Enrichment({"telling": Telling()}, count=lambda what: None)
    shown: list[str] = []

    def act() -> None:
        cxkit.grant("analytics", "personalization")
        shown.append(HERO.show().variant)
        SEEN.capture()

    browser = client(ASGIMiddleware(answering(act), kit=kept.kit))
    browser.ask()
    assert browser.cookies, "a person's browser keeps who it is, and what they chose"
    assert kept.named("page.viewed")[-1].identity.identifiers
    told = len(kept.interactions)
    again = browser.ask(headers=[(b"x-actor", actor.encode())])
    assert not [value for name, value in again.messages[0]["headers"] if name == b"set-cookie"]
    assert shown == ["webby", "webby"], "as to a stranger"
    late = [one for one in kept.interactions[told:] if one.name in ("late.seen", "page.viewed")]
    assert len(late) == 2
    for one in late:
        assert one.context.actor == actor
        assert one.context.agent == Agent(category="ai_crawler")
        assert not one.identity.identifiers


def late(make: Any, client: Any, answering: Any, act: Any) -> tuple[Any, Any]:
    """A browser that is recognised and signed in to nothing, of an app that does this; and what was captured."""
    kept = make({})
    kept.kit.enrich = Enrichment({"telling": Telling()}, count=lambda what: None)
    browser = client(ASGIMiddleware(answering(lambda: cxkit.grant("analytics", "personalization")), kit=kept.kit))
    browser.ask()
    assert browser.cookies
    return browser.in_(client(ASGIMiddleware(answering(act), kit=kept.kit))), kept


@pytest.mark.parametrize("first", ["identify", "capture"])
def test_a_login_stays_a_login_whatever_is_called_first(make: Any, client: Any, answering: Any, first: str) -> None:
    """A header that anybody can send outranks no login; and what is stored does not hang on the order of two calls."""

    def act() -> None:
        if first == "capture":
            SEEN.capture(when="before")
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        SEEN.capture(when="after")

    browser, kept = late(make, client, answering, act)
    assert browser.ask(headers=[(b"x-actor", b"bot")]).error is None
    seen = {one.properties["when"]: one for one in kept.named("late.seen")}
    assert [(one.type, one.value) for one in seen["after"].identity.identifiers] == [("user_id", "nancy")]
    assert seen["after"].context.actor == "bot"
    if first == "capture":
        assert not seen["before"].identity.identifiers
    (told,) = kept.named("identity.identified")
    assert [one.type for one in told.identity.identifiers] == ["user_id"]


@pytest.mark.parametrize("told", [(b"x-actor", b"bot"), (b"user-agent", b"Googlebot/2.1")])
@pytest.mark.parametrize("first", ["nothing", "capture"])
def test_so_does_one_that_the_framework_knows_of(
    make: Any, client: Any, answering: Any, first: str, told: tuple[bytes, bytes]
) -> None:
    kept = make({})
    kept.kit.enrich = Enrichment({"telling": Telling()}, count=lambda what: None)
    acts = {"nothing": lambda: None, "capture": SEEN.capture}
    browser = client(ASGIMiddleware(answering(acts[first]), kit=kept.kit, user=lambda scope: "nancy"))
    assert browser.ask(headers=[told]).error is None
    (known,) = kept.named("identity.identified")
    assert [(one.type, one.value) for one in known.identity.identifiers] == [("user_id", "nancy")]


@pytest.mark.parametrize("act", [cxkit.stop_marketing, lambda: cxkit.prefer("news", "email", "denied")])
def test_whom_a_machine_is_taken_for_refuses_no_letters(make: Any, client: Any, answering: Any, act: Any) -> None:
    """Whatever else the app asked for before."""
    kept = make({"strict": False, "topics": {"news": TopicTable()}})
    kept.kit.enrich = Enrichment({"telling": Telling()}, count=lambda what: None)
    browser = client(ASGIMiddleware(answering(lambda: cxkit.grant("analytics")), kit=kept.kit))
    browser.ask()
    said = browser.in_(client(ASGIMiddleware(answering(act), kit=kept.kit)))
    said.ask(headers=[(b"x-actor", b"prefetch")])
    assert not [one for one in kept.interactions if one.name.startswith("preference.")]
    said.ask()
    assert [one for one in kept.interactions if one.name.startswith("preference.")]


@pytest.mark.parametrize("logged_in", [True, False])
def test_no_header_allows_what_they_refused_elsewhere(make: Any, logged_in: bool) -> None:
    kept = make({"consent": Consent(policy="us")})
    facts = Facts(method="GET", scheme="https", host=None, path="/", headers={"x-actor": "bot"})
    scope = kept.kit.open_scope(Context(), facts=facts)
    scope.on_first_use(Enrichment({"telling": Telling()}, count=lambda what: None))
    login = Identifier(type="user_id", value="nancy", evidence="login")
    visitor = Identifier(type="visitor", value="a" * 22, evidence="cookie")
    scope.change(identity=Identity(identifiers=(login, visitor) if logged_in else (visitor,)))
    now = kept.kit.desk.intake.stamper.now()
    scope.recalled = {"advertising": ("denied", now), "precise_location": ("granted", now)}
    kept.kit.desk.govern(scope)
    scope.enrich()
    assert scope.context.actor == "bot"
    assert "analytics" in scope.allowed.granted
    assert scope.allowed.granted.isdisjoint({"advertising", "precise_location"})
    scope.close()


@pytest.mark.parametrize("headers", [[], [(b"x-actor", b"bot")]])
def test_a_child_is_a_child_whatever_asks(make: Any, client: Any, answering: Any, headers: Any) -> None:
    kept = make({"consent": Consent(policy="us")})
    kept.kit.enrich = Enrichment({"telling": Telling()}, count=lambda what: None)
    allowed: list[Any] = []

    def act() -> None:
        cxkit.declare(minor=True)
        SEEN.capture()
        with cxkit.unpack(cxkit.pack(to="m"), to="m", kit=kept.kit):
            allowed.append(cxkit.current().allowed)
        allowed.append(cxkit.current().allowed)

    client(ASGIMiddleware(answering(act), kit=kept.kit)).ask(headers=headers)
    assert allowed == [{"necessary"}, {"necessary"}]


@pytest.mark.parametrize("first", ["traits", "capture"])
def test_no_profile_is_made_of_whom_a_machine_is_taken_for(make: Any, client: Any, answering: Any, first: str) -> None:
    def act() -> None:
        if first == "capture":
            SEEN.capture()
        cxkit.choose_language("fr")
        cxkit.identify(traits={"mood": "bad"})

    browser, kept = late(make, client, answering, act)
    browser.ask(headers=[(b"x-actor", b"bot")])
    assert not any(one.identity.identifiers for one in kept.named("identity.identified"))
    known: list[Any] = []
    assert kept.kit.flush(timeout_s=10).complete
    asks = client(
        ASGIMiddleware(answering(lambda: known.append(cxkit.current().profile.traits.get("mood"))), kit=kept.kit)
    )
    browser.in_(asks).ask()
    assert known == [None]


def test_it_forgets_what_was_recalled_and_keeps_what_a_login_brings(make: Any) -> None:
    """Also where a login is older than what tells that it is a machine."""
    kept = make({})
    facts = Facts(method="GET", scheme="https", host=None, path="/", headers={"x-actor": "bot"})
    scope = kept.kit.open_scope(Context(), facts=facts)
    scope.on_first_use(Enrichment({"telling": Telling()}, count=lambda what: None))
    login = Identifier(type="user_id", value="nancy", evidence="login")
    visitor = Identifier(type="visitor", value="a" * 22, evidence="cookie")
    scope.change(identity=Identity(identifiers=(login, visitor)))
    scope.claimed, scope.returning = (attrs.evolve(login, evidence="claim"),), True
    scope.recalled = {"advertising": ("granted", kept.kit.desk.intake.stamper.now())}
    kept.kit.desk.govern(scope)
    assert "advertising" in scope.allowed.granted
    scope.enrich()
    assert scope.identity.identifiers == (login,)
    assert (scope.claimed, scope.returning, scope.recalled, scope.issue_visitor) == ((), False, {}, None)
    assert "advertising" not in scope.allowed.granted
    scope.close()


@pytest.mark.parametrize("headers", [[], [(b"x-actor", b"bot")], [(b"user-agent", b"Googlebot/2.1")]])
@pytest.mark.parametrize("shows", [True, False])
def test_the_language_of_the_address_is_spoken_to_machines_too(
    make: Any, client: Any, answering: Any, headers: Any, shows: bool
) -> None:
    spoken: list[str] = []

    def act() -> None:
        cxkit.choose_language("fr")
        if shows:
            HERO.show()
        spoken.append(cxkit.language(["en", "fr"]))

    browser, _ = late(make, client, answering, act)
    browser.ask(headers=headers)
    assert spoken == ["fr"]


def test_what_the_app_says_of_who_acts_goes_first(make: Any) -> None:
    kept = make({})
    enrichment = Enrichment({"telling": Telling()}, count=lambda what: None)
    facts = Facts(method="GET", scheme="https", host=None, path="/", headers={"x-actor": "bot"})
    scope = kept.kit.open_scope(Context(actor="human"), facts=facts)
    scope.on_first_use(enrichment)
    scope.enrich()
    assert scope.context.actor == "human"
    scope.close()
