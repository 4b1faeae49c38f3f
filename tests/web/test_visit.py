"""Recognised and governed: the two cookies from the first visit to the last."""

from __future__ import annotations

import base64
import random
import re
from typing import Any

import pytest

import cxkit
from cxkit.api import Experience, Touchpoint
from cxkit.codec import encode
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
from cxkit.settings import Keys
from cxkit.settings.sealed import Secret
from cxkit.web import ASGIMiddleware
from cxkit.web.cookies import choices_from_text

DAY_S = 86_400
SEEN = Touchpoint(TouchpointSpec(name="visit.seen"))
NEEDED = Touchpoint(TouchpointSpec(name="visit.needed", purpose="necessary"))
ALL = ("analytics", "personalization", "advertising", "sale_share", "identity_stitching")


def grant() -> None:
    cxkit.grant(*ALL)


def withdraw() -> None:
    cxkit.withdraw(*ALL)


def visitors(interactions: Any) -> list[str | None]:
    return [one.identity.get("visitor") and one.identity.get("visitor").value for one in interactions]


# --- set, recognised, renewed ---


def test_on_https_the_cookies_are_secure_and_this_hosts_own(shop: Any) -> None:
    """S2."""
    visitor = shop(grant, scheme="https")
    cookies = visitor.ask().all("set-cookie")
    assert [one.split("=")[0] for one in cookies] == ["__Host-cxkit_visitor", "__Host-cxkit_consent"]
    assert [one.split("; ")[1:] for one in cookies] == [
        ["Max-Age=34128000", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"],
        ["Max-Age=15552000", "Path=/", "SameSite=Lax", "Secure"],
    ]


def test_on_https_what_a_neighbour_may_have_planted_does_not_count(shop: Any, visitor: Any, kept: Any) -> None:
    """S2."""
    planted = dict(visitor.cookies)
    other = shop(scheme="https")
    other.cookies = planted
    other.ask()
    assert not kept.named("page.viewed")[-1].identity


def test_a_cookie_is_opaque(visitor: Any, kept: Any) -> None:
    """S3."""
    identifier = kept.viewed.identity.get("visitor").value
    assert visitor.cookies["cxkit_visitor"].split(".")[0] == identifier
    assert len(identifier) == 22
    for part in (b"192.0.2.7", b"shop.example"):
        assert part not in encode(kept.viewed)


def test_nothing_of_a_person_is_in_a_cookie(shop: Any) -> None:
    """S3: a random id, and choices: nothing that had to be encrypted."""

    def act() -> None:
        cxkit.grant(*ALL)
        cxkit.identify(user_id="nancy-canary", email="nancy@canary.example", traits={"plan": "canary"})

    client = shop(act)
    client.ask()
    (visitor, *_), (choices, *_) = (client.cookies[name].split(".") for name in ("cxkit_visitor", "cxkit_consent"))
    assert re.fullmatch(r"[\w-]{22}", visitor)
    assert choices_from_text(choices)[0].keys() == set(ALL)
    for held in client.cookies.values():
        for part in held.split("."):
            assert b"canary" not in part.encode() + base64.urlsafe_b64decode(part + "==")


def test_recognised_from_then_on(shop: Any, visitor: Any, kept: Any) -> None:
    again = visitor.in_(shop(SEEN.capture))
    assert not again.ask().all("set-cookie"), "nothing to renew"
    found = [one for one in kept.interactions if one.name in ("page.viewed", "visit.seen")]
    assert len(set(visitors(found))) == 1
    assert {one.identity.get("visitor").evidence for one in found} == {"cookie"}


def test_a_visitor_who_was_here_before_is_greeted_as_one(shop: Any, visitor: Any) -> None:
    back = Variant(name="back", content="Welcome back", audience={"returning": True}, depth=2)
    greeting = Experience(ExperienceSpec(name="visit.greeting", variants=(back,)))
    shown = []

    def greet() -> None:
        cxkit.grant("personalization")
        shown.append(greeting.decide().content)

    visitor.in_(shop(greet)).ask()
    shop(greet).ask()
    assert shown == ["Welcome back", None], "one with a cookie of ours, one without"


def test_granted_after_the_response_began_is_too_late_for_a_cookie(kept: Any, client: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        cxkit.grant("analytics")
        SEEN.capture()
        await send({"type": "http.response.body", "body": b""})

    assert not client(ASGIMiddleware(app, kit=kept.kit)).ask().headers
    assert not any(one.identity for one in kept.interactions), "an identifier nobody will come back with"


def test_renewed_after_a_month(shop: Any, visitor: Any, clock: Any, kept: Any) -> None:
    again = visitor.in_(shop())
    clock.advance(29 * DAY_S)
    assert not again.ask().cookies
    clock.advance(2 * DAY_S)
    first = again.cookies["cxkit_visitor"]
    assert list(again.ask().cookies) == ["cxkit_visitor"]
    assert again.cookies["cxkit_visitor"] != first
    clock.advance(29 * DAY_S)
    assert not again.ask().cookies
    assert len(set(visitors(kept.named("page.viewed")))) == 1


def test_a_choice_lasts_180_days_and_is_not_prolonged_by_visits(shop: Any, visitor: Any, clock: Any, kept: Any) -> None:
    again = visitor.in_(shop())
    for _ in range(6):
        clock.advance(29.9 * DAY_S)
        again.ask()
    assert kept.named("page.viewed")[-1].identity
    clock.advance(2 * DAY_S)
    assert again.ask().cookies == {"cxkit_visitor": ""}, "an identifier that nobody allows any more"
    assert not kept.named("page.viewed")[-1].identity


@pytest.mark.parametrize("shift_s", [-120, 396 * DAY_S])
def test_cookies_out_of_date_are_nobodys(shop: Any, visitor: Any, clock: Any, kept: Any, shift_s: float) -> None:
    clock.advance(shift_s)
    visitor.in_(shop()).ask()
    assert not kept.named("page.viewed")[-1].identity


# --- keys ---


def keyed(*secrets: str) -> dict[str, Any]:
    identifier = Secret("one identifier key for ever")
    return {"keys": Keys(signing=tuple(map(Secret, secrets)), identifier=identifier)}


def test_keys_are_rotated_without_losing_a_visitor(make: Any, shop: Any, clock: Any) -> None:
    """S1."""
    old, both, new = (make(keyed(*keys)) for keys in (("k" * 20,), ("n" * 20, "k" * 20), ("n" * 20,)))
    visitor = shop(grant, kit=old.kit)
    visitor.ask()
    clock.advance(10 * DAY_S)
    issued = visitor.in_(shop(kit=both.kit)).ask()
    assert list(issued.cookies) == ["cxkit_visitor", "cxkit_consent"], "signed by the newest key"
    assert "Max-Age=14688000" in issued.all("set-cookie")[1], "170 days: a new key is no new choice"
    assert not visitor.in_(shop(kit=both.kit)).ask().cookies
    assert not visitor.in_(shop(kit=new.kit)).ask().cookies
    assert visitors([*both.named("page.viewed"), *new.named("page.viewed")]) == visitors([old.viewed]) * 3


def test_a_key_that_is_gone_makes_a_stranger_of_its_visitors(make: Any, shop: Any) -> None:
    """S1."""
    visitor = shop(grant, kit=make(keyed("k" * 20)).kit)
    visitor.ask()
    other = make(keyed("another key, quite another"))
    sent = visitor.in_(shop(kit=other.kit)).ask()
    assert sent.error is None
    assert sent.cookies == {"cxkit_visitor": ""}
    assert not other.viewed.identity
    assert other.kit.desk.intake.noted["token_refused"] == 1


# --- forged ---


def mutated(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    letter = chance.choice([*map(chr, range(32, 127)), "\xff", "\x00", '"'])
    swap = chance.randrange(len(text))
    return chance.choice(
        [
            text[:place] + letter + text[place + 1 :],
            text[:place] + text[place + 1 :],
            text[:place] + letter * chance.randrange(1, 700) + text[place:],
            text[:place],
            text[swap:] + text[:swap],
            text.upper(),
            text + "=",
            text * 2,
        ]
    )


def test_a_thousand_mutations_are_nobody(shop: Any, visitor: Any, kept: Any) -> None:
    """S2."""
    chance = random.Random(7)
    ours, other = dict(visitor.cookies), shop(NEEDED.capture)
    count = 0
    while count < 1000:
        name = chance.choice(list(ours))
        changed = mutated(ours[name], chance)
        if changed.strip().strip('"').split(";")[0].strip().strip('"') == ours[name]:
            continue  # spaces, quotes and what follows a semicolon are no part of a cookie's value
        other.cookies = {**ours, name: changed}
        sent = other.ask()
        assert sent.error is None
        assert sent.messages[0]["status"] == 200
        count += 1
    mine = visitors([kept.named("page.viewed")[0]])[0]
    assert mine is not None
    assert not [one for one in visitors(kept.named("visit.needed")) if one == mine]


def test_each_cookie_is_good_for_its_own_use_only(shop: Any, visitor: Any, kept: Any) -> None:
    """S1."""
    ours, other = dict(visitor.cookies), shop(NEEDED.capture)
    for swapped in (
        {"cxkit_visitor": ours["cxkit_consent"], "cxkit_consent": ours["cxkit_visitor"]},
        {"cxkit_visitor": ours["cxkit_visitor"], "cxkit_consent": ours["cxkit_visitor"]},
    ):
        other.cookies = swapped
        other.ask()
    assert visitors(kept.named("visit.needed")) == [None, None]
    other.cookies = {**ours, "cxkit_visitor": ours["cxkit_consent"]}
    other.ask()
    assert kept.named("visit.needed")[-1].identity.get("visitor").value not in ours["cxkit_consent"]


def test_what_an_app_calls_a_visitor_gets_no_cookie_from_us(shop: Any) -> None:
    def act() -> None:
        cxkit.grant(*ALL)
        with cxkit.scope(visitor="chosen by somebody"):
            NEEDED.capture()

    assert "chosen" not in str(shop(act).ask().cookies)


# --- withdrawn ---


def test_withdrawn_the_cookie_goes_and_comes_anew(shop: Any, visitor: Any, kept: Any) -> None:
    before = visitors([kept.viewed])
    sent = visitor.in_(shop(withdraw)).ask()
    assert sent.cookies["cxkit_visitor"] == ""
    assert "cxkit_visitor=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax" in sent.all("set-cookie")
    assert not visitor.in_(shop(NEEDED.capture)).ask().cookies
    assert not kept.named("visit.needed")[0].identity
    visitor.in_(shop(grant)).ask()
    after = visitors(kept.named("page.viewed")[-1:])
    assert None not in before + after
    assert before != after, "somebody new"


def test_granted_and_withdrawn_in_one_request_sets_no_visitor(shop: Any) -> None:
    def act() -> None:
        cxkit.grant("analytics")
        cxkit.withdraw("analytics")

    assert list(shop(act).ask().cookies) == ["cxkit_consent"]


def test_a_login_kept_apart_from_the_visitor_leaves_the_cookie(shop: Any, kept: Any) -> None:
    visitor = shop(lambda: cxkit.grant("analytics"))
    visitor.ask()
    sent = visitor.in_(shop(lambda: cxkit.identify(user_id="nancy"))).ask()
    assert not sent.cookies
    assert [one.type for one in kept.named("page.viewed")[-1].identity.identifiers] == ["user_id"]


def test_withdrawn_elsewhere_holds_here(shop: Any, visitor: Any, kept: Any) -> None:
    """Another browser with the same person: its choice reaches this one through the store."""

    def login() -> None:
        cxkit.identify(user_id="nancy")

    other = shop(grant)
    other.ask()
    visitor.in_(shop(login)).ask()
    other.in_(shop(login)).ask()
    other.in_(shop(withdraw)).ask()
    assert kept.kit.flush(timeout_s=10).complete
    sent = visitor.in_(shop(NEEDED.capture)).ask()
    assert sent.cookies["cxkit_visitor"] == ""
    assert "cxkit_consent" in sent.cookies, "nothing else goes on to tell this browser of it"
    assert not kept.named("visit.needed")[0].identity


# --- Sec-GPC ---


@pytest.mark.parametrize(
    ("values", "objects"),
    [
        ([b"1"], True),
        ([b" 1 "], True),
        ([b"\t1"], True),
        ([b"1, 1"], True),
        ([b"0", b"1"], True),
        ([b"1", b"true"], True),
        ([b"0"], False),
        ([b"true"], False),
        ([b"01"], False),
        ([b"1.0"], False),
        ([b'"1"'], False),
        ([b"1;x"], False),
        ([b"11"], False),
        ([b"\xb9"], False),
        ([b""], False),
        ([], False),
    ],
)
def test_gpc_is_exactly_one(shop: Any, visitor: Any, kept: Any, values: list[bytes], objects: bool) -> None:
    visitor.in_(shop()).ask(headers=[(b"sec-gpc", value) for value in values])
    consent = kept.named("page.viewed")[-1].consent
    denied = {purpose for purpose, allowed in consent.items() if not allowed}
    assert denied == ({"advertising", "sale_share"} if objects else set())
    assert consent["analytics"] is consent["personalization"] is True


def test_do_not_track_is_something_else(shop: Any, visitor: Any, kept: Any) -> None:
    visitor.in_(shop()).ask(headers=[(b"dnt", b"1")])
    assert all(kept.named("page.viewed")[-1].consent.values())


def test_a_grant_under_gpc_stands_and_one_before_it_does_not(shop: Any, kept: Any) -> None:
    gpc = [(b"sec-gpc", b"1")]

    def consent() -> dict[str, bool]:
        return dict(kept.named("page.viewed")[-1].consent)

    visitor = shop(lambda: cxkit.grant("analytics", "advertising"))
    visitor.ask()
    visitor.in_(shop()).ask(headers=gpc)
    assert consent()["advertising"] is False, "made before"
    visitor.in_(shop(lambda: cxkit.grant("analytics"))).ask(headers=gpc)
    assert consent()["advertising"] is False, "another choice under GPC says nothing of this one"
    visitor.in_(shop()).ask(headers=gpc)
    assert consent()["advertising"] is False
    visitor.in_(shop(lambda: cxkit.grant("advertising"))).ask(headers=gpc)
    visitor.in_(shop()).ask(headers=gpc)
    assert consent()["advertising"] is True, "made in spite of it"
    assert consent()["sale_share"] is False


@pytest.mark.parametrize(("scheme", "known"), [("wss", True), ("ws", False)])
def test_a_websocket_has_the_cookies_of_its_pages(shop: Any, kept: Any, scheme: str, known: bool) -> None:
    pages = shop(lambda: cxkit.grant("analytics"), scheme="https")
    pages.ask()
    talk = shop(lambda: cxkit.touchpoint("talk.begun").capture(), scheme=scheme)
    pages.in_(talk).ask(type="websocket")
    (begun,) = kept.named("talk.begun")
    assert bool(begun.identity.get("visitor")) is known
