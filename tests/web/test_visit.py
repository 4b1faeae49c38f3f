"""Recognised and governed: the two cookies from the first visit to the last, and what caches may keep."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.api import Experience, Touchpoint
from cxkit.codec import encode
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
from cxkit.settings import Keys
from cxkit.settings.sealed import Secret
from cxkit.web import ASGIMiddleware

DAY_S = 86_400
SEEN = Touchpoint(TouchpointSpec(name="visit.seen"))
NEEDED = Touchpoint(TouchpointSpec(name="visit.needed", purpose="necessary"))
HERO = Experience(ExperienceSpec(name="visit.hero", variants=(Variant(name="known", depth=2),)))
ALL = ("analytics", "personalization", "advertising", "sale_share", "identity_stitching")


def grant() -> None:
    cxkit.grant(*ALL)


def withdraw() -> None:
    cxkit.withdraw(*ALL)


@pytest.fixture
def shop(kept: Any, client: Any, answering: Any) -> Callable[..., Any]:
    """A client of an app that does one thing, with the test's kit."""

    def shop(act: Any = lambda: None, *, kit: Any = None, scheme: str = "http", **fields: Any) -> Any:
        return client(ASGIMiddleware(answering(act, **fields), kit=kit or kept.kit), scheme=scheme)

    return shop


@pytest.fixture
def visitor(shop: Any) -> Any:
    """A client that has allowed everything, and holds both cookies."""
    visitor = shop(grant)
    visitor.ask()
    assert list(visitor.cookies) == ["cxkit_visitor", "cxkit_consent"]
    return visitor


def same(visitor: Any, other: Any) -> Any:
    """The same browser, with another app."""
    other.cookies = visitor.cookies
    return other


def visitors(interactions: Any) -> list[str | None]:
    return [one.identity.get("visitor") and one.identity.get("visitor").value for one in interactions]


# --- set, recognised, renewed ---


def test_on_https_the_cookies_are_secure_and_this_hosts_own(shop: Any) -> None:
    visitor = shop(grant, scheme="https")
    cookies = visitor.ask().all("set-cookie")
    assert [one.split("=")[0] for one in cookies] == ["__Host-cxkit_visitor", "__Host-cxkit_consent"]
    assert [one.split("; ")[1:] for one in cookies] == [
        ["Max-Age=34128000", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"],
        ["Max-Age=15552000", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"],
    ]


def test_on_https_what_a_neighbour_may_have_planted_does_not_count(shop: Any, visitor: Any, kept: Any) -> None:
    planted = dict(visitor.cookies)
    other = shop(scheme="https")
    other.cookies = planted
    other.ask()
    assert not kept.named("page.viewed")[-1].identity


def test_a_cookie_is_opaque(visitor: Any, kept: Any) -> None:
    identifier = kept.viewed.identity.get("visitor").value
    assert visitor.cookies["cxkit_visitor"].split(".")[0] == identifier
    assert len(identifier) == 22
    for part in (b"192.0.2.7", b"shop.example"):
        assert part not in encode(kept.viewed)


def test_recognised_from_then_on(shop: Any, visitor: Any, kept: Any) -> None:
    again = same(visitor, shop(SEEN.capture))
    assert not again.ask().all("set-cookie"), "nothing to renew"
    found = [one for one in kept.interactions if one.name in ("page.viewed", "visit.seen")]
    assert len(set(visitors(found))) == 1
    assert {one.identity.get("visitor").evidence for one in found} == {"cookie"}


def test_granted_after_the_response_began_is_too_late_for_a_cookie(kept: Any, client: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        cxkit.grant("analytics")
        SEEN.capture()
        await send({"type": "http.response.body", "body": b""})

    assert not client(ASGIMiddleware(app, kit=kept.kit)).ask().headers
    assert not any(one.identity for one in kept.interactions), "an identifier nobody will come back with"


def test_renewed_after_a_month(shop: Any, visitor: Any, clock: Any, kept: Any) -> None:
    again = same(visitor, shop())
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
    again = same(visitor, shop())
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
    same(visitor, shop()).ask()
    assert not kept.named("page.viewed")[-1].identity


# --- keys ---


def keyed(*secrets: str) -> dict[str, Any]:
    identifier = Secret("one identifier key for ever")
    return {"keys": Keys(signing=tuple(map(Secret, secrets)), identifier=identifier)}


def test_keys_are_rotated_without_losing_a_visitor(make: Any, shop: Any, clock: Any) -> None:
    old, both, new = (make(keyed(*keys)) for keys in (("k" * 20,), ("n" * 20, "k" * 20), ("n" * 20,)))
    visitor = shop(grant, kit=old.kit)
    visitor.ask()
    clock.advance(10 * DAY_S)
    issued = same(visitor, shop(kit=both.kit)).ask()
    assert list(issued.cookies) == ["cxkit_visitor", "cxkit_consent"], "signed by the newest key"
    assert "Max-Age=14688000" in issued.all("set-cookie")[1], "170 days: a new key is no new choice"
    assert not same(visitor, shop(kit=both.kit)).ask().cookies
    assert not same(visitor, shop(kit=new.kit)).ask().cookies
    assert visitors([*both.named("page.viewed"), *new.named("page.viewed")]) == visitors([old.viewed]) * 3


def test_a_key_that_is_gone_makes_a_stranger_of_its_visitors(make: Any, shop: Any) -> None:
    visitor = shop(grant, kit=make(keyed("k" * 20)).kit)
    visitor.ask()
    other = make(keyed("another key, quite another"))
    sent = same(visitor, shop(kit=other.kit)).ask()
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
        cxkit.identify(visitor="chosen by somebody")

    assert "cxkit_visitor" not in shop(act).ask().cookies


# --- withdrawn ---


def test_withdrawn_the_cookie_goes_and_comes_anew(shop: Any, visitor: Any, kept: Any) -> None:
    before = visitors([kept.viewed])
    sent = same(visitor, shop(withdraw)).ask()
    assert sent.cookies["cxkit_visitor"] == ""
    assert "cxkit_visitor=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax" in sent.all("set-cookie")
    assert not same(visitor, shop(NEEDED.capture)).ask().cookies
    assert not kept.named("visit.needed")[0].identity
    same(visitor, shop(grant)).ask()
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
    sent = same(visitor, shop(lambda: cxkit.identify(user_id="nancy"))).ask()
    assert not sent.cookies
    assert [one.type for one in kept.named("page.viewed")[-1].identity.identifiers] == ["user_id"]


def test_withdrawn_elsewhere_holds_here(shop: Any, visitor: Any, kept: Any) -> None:
    """Another browser with the same person: its choice reaches this one through the store."""

    def login() -> None:
        cxkit.identify(user_id="nancy")

    other = shop(grant)
    other.ask()
    same(visitor, shop(login)).ask()
    same(other, shop(login)).ask()
    same(other, shop(withdraw)).ask()
    assert kept.kit.flush(timeout_s=10).complete
    sent = same(visitor, shop(NEEDED.capture)).ask()
    assert sent.cookies["cxkit_visitor"] == ""
    assert sent.cookies["cxkit_consent"]
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
    same(visitor, shop()).ask(headers=[(b"sec-gpc", value) for value in values])
    consent = kept.named("page.viewed")[-1].consent
    denied = {purpose for purpose, allowed in consent.items() if not allowed}
    assert denied == ({"advertising", "sale_share"} if objects else set())
    assert consent["analytics"] is consent["personalization"] is True


def test_do_not_track_is_something_else(shop: Any, visitor: Any, kept: Any) -> None:
    same(visitor, shop()).ask(headers=[(b"dnt", b"1")])
    assert all(kept.named("page.viewed")[-1].consent.values())


def test_a_grant_under_gpc_stands_and_one_before_it_does_not(shop: Any, kept: Any) -> None:
    gpc = [(b"sec-gpc", b"1")]

    def consent() -> dict[str, bool]:
        return dict(kept.named("page.viewed")[-1].consent)

    visitor = shop(lambda: cxkit.grant("analytics", "advertising"))
    visitor.ask()
    same(visitor, shop()).ask(headers=gpc)
    assert consent()["advertising"] is False, "made before"
    same(visitor, shop(lambda: cxkit.grant("analytics"))).ask(headers=gpc)
    assert consent()["advertising"] is False, "another choice under GPC says nothing of this one"
    same(visitor, shop()).ask(headers=gpc)
    assert consent()["advertising"] is False
    same(visitor, shop(lambda: cxkit.grant("advertising"))).ask(headers=gpc)
    same(visitor, shop()).ask(headers=gpc)
    assert consent()["advertising"] is True, "made in spite of it"
    assert consent()["sale_share"] is False


# --- caches ---

PUBLIC = [(b"Cache-Control", b"public, max-age=60")]


def show() -> None:
    assert HERO.show().depth == 2


def test_shown_to_one_visitor_kept_from_the_others(shop: Any, visitor: Any) -> None:
    for headers, control, vary in (
        ([], ["private"], ["Cookie"]),
        (PUBLIC, ["max-age=60, private"], ["Cookie"]),
        ([*PUBLIC, (b"vary", b"Accept, Cookie")], ["max-age=60, private"], ["Accept, Cookie"]),
        ([(b"vary", b"*"), (b"cache-control", b"no-store")], ["no-store, private"], ["*"]),
    ):
        sent = same(visitor, shop(show, headers=headers)).ask()
        assert (sent.all("cache-control"), sent.all("vary")) == (control, vary)


def test_decided_in_silence_is_not_shown(shop: Any, visitor: Any) -> None:
    assert not same(visitor, shop(HERO.decide)).ask().headers


def test_the_same_for_all_is_for_all(shop: Any) -> None:
    assert not shop(HERO.show).ask().headers


@pytest.mark.parametrize("inner", ["scope", "carry"])
def test_shown_in_a_scope_within_is_shown_in_this_response(shop: Any, visitor: Any, inner: str) -> None:
    def act() -> None:
        if inner == "carry":
            cxkit.carry(show)()
        else:
            with cxkit.scope(evidence="login", user_id="nancy"):
                cxkit.grant("personalization")
                show()

    sent = same(visitor, shop(act, headers=PUBLIC)).ask()
    assert sent.all("cache-control") == ["max-age=60, private"]


def test_shown_once_is_shown_even_if_something_else_is_shown_later(shop: Any, visitor: Any) -> None:
    def act() -> None:
        show()
        cxkit.withdraw("personalization")
        assert HERO.show().depth == 0

    assert same(visitor, shop(act)).ask().all("vary") == ["Cookie"]


@pytest.mark.parametrize(("control", "depth"), [(b"public", 0), (b"no-cache", 0), (b"private", 2), (b"no-store", 2)])
def test_once_a_response_has_begun_it_stays_for_whom_it_was(
    visitor: Any, kept: Any, client: Any, control: bytes, depth: int
) -> None:
    depths = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"cache-control", control)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        depths.append(HERO.show().depth)
        await send({"type": "http.response.body", "body": b""})

    sent = same(visitor, client(ASGIMiddleware(app, kit=kept.kit))).ask()
    assert sent.error is None
    assert depths == [depth]


def test_shared_responses_carry_no_visitor_and_lose_none(shop: Any, visitor: Any, clock: Any) -> None:
    held = dict(visitor.cookies)
    for act, cookies in ((lambda: None, {"cxkit_consent": held["cxkit_consent"]}), (lambda: None, held)):
        other = shop(act, headers=PUBLIC)
        other.cookies = dict(cookies)
        clock.advance(40 * DAY_S)
        sent = other.ask()
        assert sent.headers == PUBLIC


def test_a_choice_is_kept_even_with_a_shared_response_which_is_none_then(shop: Any) -> None:
    sent = shop(grant, headers=PUBLIC).ask()
    assert list(sent.cookies) == ["cxkit_visitor", "cxkit_consent"]
    assert sent.all("cache-control") == ["max-age=60, private"]


# --- what stays on this side ---


def test_no_raw_value_is_kept_anywhere(make: Any, client: Any, caplog: pytest.LogCaptureFixture, tmp_path: Any) -> None:
    """Address, user agent, query, host, referer, cookies, credentials: in no file, log or export."""
    canary = b"canary"
    names = (
        "user-agent referer origin from forwarded x-forwarded-for x-real-ip authorization "
        "proxy-authorization accept-language x-api-key dnt"
    )
    headers = [(name.encode(), canary) for name in names.split()]
    kept = make({"strict": False})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["found"] = "/account/{token}"
        SEEN.capture()
        HERO.show()
        grant()
        cxkit.identify(user_id="nancy", email="canary@example.org")
        SEEN.capture()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", canary)]})
        if scope["method"] == "POST":
            raise RuntimeError("canary")
        await send({"type": "http.response.body", "body": canary})

    visitor = client(ASGIMiddleware(app, kit=kept.kit, route=lambda scope: scope.get("found")))
    visitor.cookies = {"session": "canary", "cxkit_visitor": "canary", "cxkit_consent": "canary"}
    with caplog.at_level("DEBUG"):
        for method in ("GET", "POST", "CANARY"):
            visitor.ask(
                "/account/canary",
                method=method,
                query_string=b"canary=canary",
                client=("canary", 1),
                headers=headers,
            )
        assert kept.interactions
        kept.kit.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3, "keys, spool, state"
    for path in files:
        assert canary not in path.read_bytes().lower(), path
    assert "canary" not in caplog.text
    assert not any(canary in encode(one) for one in kept.exporter.interactions)


@pytest.mark.parametrize("act", [lambda: None, withdraw], ids=["undecided", "refused"])
def test_without_consent_no_identifier_is_kept_anywhere(
    make: Any, shop: Any, tmp_path: Any, act: Callable[[], None]
) -> None:
    kept = make()

    def visit() -> None:
        act()
        SEEN.capture()
        NEEDED.capture()

    visitor = shop(visit, kit=kept.kit)
    for _ in range(3):
        assert "cxkit_visitor" not in visitor.ask().cookies
    assert kept.named("visit.needed")
    kept.kit.close()
    assert not any(one.identity for one in kept.exporter.interactions)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b'"visitor"' not in path.read_bytes(), path


def test_enrichers_see_no_credentials(kept: Any, client: Any, answering: Any) -> None:
    from cxkit.capture.scope import current_scope

    seen: dict[str, Any] = {}

    def act() -> None:
        scope = current_scope()
        assert scope is not None
        assert scope.facts is not None
        headers = scope.facts.headers
        seen.update(headers, length=len(headers), agent=headers["User-Agent"], none=headers.get("cookie"))
        seen.update(peer=scope.facts.peer, host=scope.facts.host, text=repr(scope.facts))

    names = [b"authorization", b"cookie", b"proxy-authorization", b"user-agent"]
    app = client(ASGIMiddleware(answering(act), kit=kept.kit))
    app.ask(headers=[(name, b"value of " + name) for name in names])
    assert seen["agent"] == seen["user-agent"] == "value of user-agent"
    assert (seen["none"], seen["length"], seen["peer"]) == (None, 2, "192.0.2.7")
    assert seen["host"] == "shop.example"
    assert not {"authorization", "cookie", "proxy-authorization"} & seen.keys()
    assert "192.0.2.7" not in seen["text"]
    assert "value of" not in seen["text"]
