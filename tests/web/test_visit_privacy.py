"""What of a visit others may get: through caches, through files, logs and exports, through plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.api import Experience, Touchpoint
from cxkit.capture.scope import current_scope
from cxkit.codec import encode
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant
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


# --- caches ---

PUBLIC = [(b"Cache-Control", b"public, max-age=60")]


def show() -> None:
    assert HERO.show().depth == 2


def test_shown_to_one_visitor_kept_from_the_others(shop: Any, visitor: Any) -> None:
    """S18."""
    for headers, control, vary in (
        ([], ["private"], ["Cookie"]),
        (PUBLIC, ["max-age=60, private"], ["Cookie"]),
        ([*PUBLIC, (b"vary", b"Accept, Cookie")], ["max-age=60, private"], ["Accept, Cookie"]),
        ([(b"vary", b"*"), (b"cache-control", b"no-store")], ["no-store, private"], ["*"]),
    ):
        sent = visitor.in_(shop(show, headers=headers)).ask()
        assert (sent.all("cache-control"), sent.all("vary")) == (control, vary)


def test_decided_in_silence_is_not_shown(shop: Any, visitor: Any) -> None:
    assert not visitor.in_(shop(HERO.decide)).ask().headers


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

    sent = visitor.in_(shop(act, headers=PUBLIC)).ask()
    assert sent.all("cache-control") == ["max-age=60, private"]


def test_shown_once_is_shown_even_if_something_else_is_shown_later(shop: Any, visitor: Any) -> None:
    def act() -> None:
        show()
        cxkit.withdraw("personalization")
        assert HERO.show().depth == 0

    assert visitor.in_(shop(act)).ask().all("vary") == ["Cookie"]


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

    sent = visitor.in_(client(ASGIMiddleware(app, kit=kept.kit))).ask()
    assert sent.error is None
    assert depths == [depth]


@pytest.mark.parametrize("opened", ["before", "after"])
def test_a_scope_within_obeys_the_response_that_has_begun(visitor: Any, kept: Any, client: Any, opened: str) -> None:
    depths = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begin = send({"type": "http.response.start", "status": 200, "headers": PUBLIC})
        if opened == "after":
            await begin
        with cxkit.scope(evidence="login", user_id="nancy"):
            cxkit.grant("personalization")
            if opened == "before":
                await begin
            depths.append(HERO.show().depth)
        await send({"type": "http.response.body", "body": b""})

    sent = visitor.in_(client(ASGIMiddleware(app, kit=kept.kit))).ask()
    assert sent.error is None
    assert sent.all("cache-control") == ["public, max-age=60"]
    assert depths == [0]


def test_gpc_holds_in_a_scope_within(shop: Any, visitor: Any, kept: Any) -> None:
    """It is the same browser that objects, whoever is named in it."""

    def act() -> None:
        with cxkit.scope(evidence="login", user_id="nancy"):
            NEEDED.capture()

    visitor.in_(shop(lambda: cxkit.identify(user_id="nancy"))).ask()
    assert kept.kit.flush(timeout_s=10).complete
    for headers in ([], [(b"sec-gpc", b"1")]):
        visitor.in_(shop(act)).ask(headers=headers)
    before, objecting = [one.consent.get("advertising") for one in kept.named("visit.needed")]
    assert before is True
    assert not objecting


def test_shared_responses_carry_no_visitor_and_lose_none(shop: Any, visitor: Any, clock: Any) -> None:
    """S18."""
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
    """S9: Address, user agent, query, host, referer, cookies, credentials: in no file, log or export."""
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
    """S9."""
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
