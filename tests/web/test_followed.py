"""What a decision follows, and what caches are told of it; nothing is followed once it is too late to tell them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import cxkit
from cxkit.api import Experience
from cxkit.capture.enrich import Enrichment
from cxkit.model import Acquisition, Context, Device, ExperienceSpec, Facts, Place, Variant
from cxkit.web import ASGIMiddleware, WSGIMiddleware
from tests.web.wsgi_driver import ask, giving

HAVE = ["en", "fr", "de"]
FRENCH = [(b"accept-language", b"fr-CA,fr;q=0.9,en;q=0.5")]
PUBLIC = [(b"cache-control", b"public, max-age=60")]


class Placed:
    def enrich(self, facts: Facts, context: Context) -> Any:
        return {
            "place": Place(country="FR", precision="country"),
            "device": Device(type="phone"),
            "acquisition": Acquisition(medium="email"),
            "timezone": "Europe/Paris",
        }


def hero(audience: dict[str, Any]) -> Experience:
    return Experience(
        ExperienceSpec(
            name="spoken.hero",
            fallback=Variant(name="all"),
            variants=(Variant(name="some", audience=audience, depth=1),),
        )
    )


def shown(shop: Any, audience: dict[str, Any], *, client: Any = None, verb: str = "show") -> tuple[str, Any, Any]:
    found: list[str] = []
    page = shop(lambda: found.append(getattr(hero(audience), verb)().variant), headers=PUBLIC)
    sent = (client.in_(page) if client is not None else page).ask(headers=FRENCH)
    assert sent.error is None
    return found[0], sent.all("vary"), sent.all("cache-control")


@pytest.mark.parametrize("audience", [{"language": "fr"}, {"language": "de"}, {"locale": "fr-CA"}])
def test_a_variant_for_a_language_follows_the_header(shop: Any, audience: dict[str, Any]) -> None:
    variant = "all" if "de" in audience.values() else "some"
    assert shown(shop, audience) == (variant, ["Accept-Language"], ["public, max-age=60"])


def test_a_variant_for_a_language_follows_the_choice(shop: Any, visitor: Any) -> None:
    visitor.in_(shop(lambda: cxkit.choose_language("de"))).ask()
    assert shown(shop, {"language": "de"}, client=visitor) == ("some", ["Cookie"], ["max-age=60, private"])


def test_a_choice_that_was_just_made_too(shop: Any) -> None:
    found: list[str] = []

    def act() -> None:
        cxkit.choose_language("de")
        found.append(hero({"language": "de"}).show().variant)

    sent = shop(act, headers=PUBLIC).ask(headers=FRENCH)
    assert (found, sent.all("vary"), sent.all("cache-control")) == (["some"], ["Cookie"], ["max-age=60, private"])


def test_the_language_that_was_found_follows_what_was_asked(shop: Any) -> None:
    """Also where what was chosen is not there."""
    found: list[str] = []

    def act() -> None:
        cxkit.choose_language("it")
        cxkit.language(HAVE)
        found.extend(hero(audience).show().variant for audience in ({"language": "fr"}, {"locale": "it"}))
        found.append(cxkit.carry(lambda: hero({"language": "fr"}).show().variant)())
        cxkit.choose_language("it")
        found.append(hero({"language": "it"}).decide().variant)

    sent = shop(act, headers=[(b"cache-control", b"max-age=60")]).ask(headers=FRENCH)
    assert (found, sent.all("vary")) == (["some", "all", "some", "some"], ["Accept-Language"])


class Told:
    """It tells the language by another header than the one that caches know of."""

    def enrich(self, facts: Facts, context: Context) -> Any:
        return {"locale": facts.headers.get("x-market")}


def test_a_language_that_no_browser_asked_for_is_for_one_visitor(shop: Any, kept: Any) -> None:
    kept.kit.enrich = Enrichment({"told": Told()}, count=lambda reason: None)
    page = shop(lambda: hero({"language": "fr"}).show(), headers=PUBLIC)
    sent = page.ask(headers=[(b"x-market", b"fr")])
    assert (sent.all("vary"), sent.all("cache-control")) == (["Cookie"], ["max-age=60, private"])
    sent = page.ask(headers=[(b"x-market", b"de"), *FRENCH])
    assert (sent.all("vary"), sent.all("cache-control")) == (["Accept-Language"], ["public, max-age=60"])


@pytest.mark.parametrize("act", [lambda: hero({"language": "fr"}).show().variant, lambda: cxkit.language(HAVE)])
def test_the_language_of_somebody_elses_message_is_for_one_visitor(shop: Any, act: Any) -> None:
    packed: list[str] = []

    def packs() -> None:
        cxkit.choose_language("fr")
        packed.append(cxkit.pack(to="job 7") or "")

    def unpacks() -> None:
        with cxkit.unpack(packed[0], to="job 7"):
            packed.append(act())

    shop(packs).ask()
    sent = shop(unpacks, headers=PUBLIC).ask(headers=[(b"accept-language", b"en")])
    assert packed[1] in ("some", "fr")
    assert (sent.all("vary"), sent.all("cache-control")) == (["Cookie"], ["max-age=60, private"])


@pytest.mark.parametrize(
    "audience",
    [
        {"actor": "bot"},
        {"actor": "unknown"},
        {"country": "FR"},
        {"country": "DE"},
        {"device": "phone"},
        {"acquisition.medium": "email"},
        {"known": False},
    ],
)
def test_a_variant_for_what_no_header_says_is_for_one_visitor(shop: Any, kept: Any, audience: dict[str, Any]) -> None:
    kept.kit.enrich = Enrichment({"placed": Placed()}, count=lambda reason: None)
    variant = "all" if {"DE", "bot"} & set(audience.values()) else "some"
    assert shown(shop, audience) == (variant, ["Cookie"], ["max-age=60, private"])


def test_a_machine_is_shown_what_a_stranger_is_so_that_caches_cannot_mix_them_up(shop: Any) -> None:
    found: list[str] = []
    page = shop(lambda: found.append(hero({"channel": "web"}).show().variant), headers=PUBLIC)
    for agent in (b"Googlebot/2.1", b"Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0"):
        sent = page.ask(headers=[(b"user-agent", agent)])
        assert (sent.all("vary"), sent.all("cache-control")) == ([], ["public, max-age=60"])
    assert found == ["some", "some"]


# --- too late ---


class Streamed:
    """What is found in a response that has begun.

    Args:
        before: Done before its headers go out.
        within: Done after that, before the body is at its end; after: once it is.
    """

    def __init__(self, *, headers: Any = PUBLIC, **acts: Callable[[], object]) -> None:
        self.headers, self.acts = headers, acts
        self.found: dict[str, Any] = {}

    def _do(self, when: str) -> None:
        self.found[when] = self.acts.get(when, lambda: None)()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._do("before")
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"<html>", "more_body": True})
        self._do("within")
        await send({"type": "http.response.body", "body": b"</html>"})
        self._do("after")


@pytest.fixture
def streamed(kept: Any, client: Any) -> Callable[..., Any]:
    def streamed(*, by: Any = None, headers: Any = PUBLIC, **acts: Any) -> tuple[dict[str, Any], list[str], list[str]]:
        kept.kit.enrich = Enrichment({"placed": Placed()}, count=lambda reason: None)
        app = Streamed(headers=headers, **acts)
        page = client(ASGIMiddleware(app, kit=kept.kit))
        sent = (by.in_(page) if by is not None else page).ask(headers=FRENCH)
        assert sent.error is None
        return app.found, sent.all("vary"), sent.all("cache-control")

    return streamed


AUDIENCES = [
    {"country": "FR"}, {"device": "phone"}, {"acquisition.medium": "email"}, {"language": "fr"}, {"known": False},
    {"actor": "unknown"}, {"locale": "fr-CA"},
]  # fmt: skip


@pytest.mark.parametrize("audience", AUDIENCES, ids=str)
def test_what_others_may_get_follows_nothing_once_it_has_begun(streamed: Any, audience: dict[str, Any]) -> None:
    def act() -> Any:
        decision = hero(audience).show()
        return decision.variant, decision.reasons

    once = {"before": lambda: cxkit.current().context.place, "within": lambda: (act(), act())[1]}
    found, vary, control = streamed(**once)
    (path,) = audience
    assert found["within"] == ("all", (f"some: {path} comes too late", "all: fallback"))
    assert (vary, control) == ([], ["public, max-age=60"])


def test_a_preview_is_too_late_in_what_others_may_get(streamed: Any) -> None:
    audience = {"country": "US"}
    found, vary, control = streamed(within=lambda: hero(audience).preview("some").variant)
    assert (found["within"], vary, control) == ("all", [], ["public, max-age=60"])


@pytest.mark.parametrize("audience", AUDIENCES, ids=str)
def test_what_is_for_one_visitor_follows_them_all_along(streamed: Any, audience: dict[str, Any]) -> None:
    act = lambda: hero(audience).show().variant  # noqa: E731 - one line of an app
    private = [(b"cache-control", b"private")]
    assert streamed(within=act, headers=private)[0]["within"] == "some"
    found, _, control = streamed(before=act, within=act)
    expected = ["public, max-age=60"] if {"language", "locale"} & audience.keys() else ["max-age=60, private"]
    assert (found["before"], found["within"], control) == ("some", "some", expected)


@pytest.mark.parametrize(
    ("status", "headers"), [("OK", []), ("200 OK", [("x-age", 5)]), ("200 OK", [(b"x-age", b"5")])], ids=repr
)
def test_a_response_that_cannot_be_read_has_begun_all_the_same(make: Any, status: str, headers: Any) -> None:
    kit = make({"strict": False}).kit
    kit.enrich = Enrichment({"placed": Placed()}, count=lambda reason: None)
    body = (hero({"country": "FR"}).show().variant.encode() for _ in range(2))
    app = giving(body, status=status, headers=[("cache-control", "public, max-age=60"), *headers])
    got = ask(WSGIMiddleware(app, kit=kit))
    assert (got.error, got.pieces, got.all("cache-control")) == (None, [b"all", b"all"], ["public, max-age=60"])


class Slow:
    """The response begins while it decides."""

    def __init__(self) -> None:
        self.deciding, self.begun = threading.Event(), threading.Event()

    def decide(self, experience: ExperienceSpec, attributes: Any, *, cap: int) -> None:
        self.deciding.set()
        self.begun.wait(30)


def test_a_decision_that_the_response_does_not_wait_for_is_made_again(kept: Any) -> None:
    """What it says to caches it said without."""
    kept.kit.enrich = Enrichment({"placed": Placed()}, count=lambda reason: None)
    slow, page = Slow(), hero({"country": "FR"})
    object.__setattr__(kept.kit.desk, "deciders", (slow,))

    with ThreadPoolExecutor(1) as pool:

        def app(environ: Any, start_response: Any) -> Any:
            decision = pool.submit(cxkit.carry(page.show))
            assert slow.deciding.wait(30)
            start_response("200 OK", [("Cache-Control", "public, max-age=60")])
            slow.begun.set()
            yield decision.result(30).variant.encode()
            yield page.show().variant.encode()

        got = ask(WSGIMiddleware(app, kit=kept.kit))
    assert (got.error, got.pieces, got.all("cache-control")) == (None, [b"all", b"all"], ["public, max-age=60"])


def test_a_channel_is_followed_all_along(streamed: Any) -> None:
    assert streamed(within=lambda: hero({"channel": "web"}).show().variant)[0]["within"] == "some"


@pytest.mark.parametrize("within", [lambda: cxkit.language(HAVE), lambda: cxkit.carry(cxkit.language)(HAVE)])
def test_the_language_is_the_first_once_it_is_too_late_to_say_what_it_follows(streamed: Any, within: Any) -> None:
    found, vary, control = streamed(within=lambda: (within(), within())[1])
    assert (found["within"], vary, control) == ("en", [], ["public, max-age=60"])


def test_a_page_stays_in_the_language_it_began_in(streamed: Any) -> None:
    act = lambda: cxkit.language(HAVE)  # noqa: E731 - one line of an app
    found, vary, control = streamed(before=act, within=act)
    assert (found["before"], found["within"], vary) == ("fr", "fr", ["Accept-Language"])
    assert control == ["public, max-age=60"]


@pytest.mark.parametrize("said", [lambda: None, lambda: cxkit.language(["it", "fr"])])
def test_a_choice_is_not_followed_where_others_may_get_it(
    streamed: Any, visitor: Any, shop: Any, kept: Any, said: Callable[[], object]
) -> None:
    visitor.in_(shop(lambda: cxkit.choose_language("de"))).ask()
    found, _, control = streamed(by=visitor, before=said, within=lambda: cxkit.language(HAVE))
    assert (found["within"], control) == ("fr" if found["before"] else "en", ["public, max-age=60"])
    found, _, control = streamed(by=visitor, before=lambda: cxkit.language(HAVE), within=lambda: cxkit.language(HAVE))
    assert (found["before"], found["within"], control) == ("de", "de", ["max-age=60, private"])


def test_what_is_done_once_it_is_over_follows_whom_it_is_for(streamed: Any, visitor: Any, shop: Any) -> None:
    """A letter that a framework lets one write after the response, say."""
    visitor.in_(shop(lambda: cxkit.choose_language("de"))).ask()

    def act() -> Any:
        with cxkit.scope(channel="email", locale="fr"):
            letter = cxkit.language(HAVE)
        return cxkit.language(HAVE), letter, hero({"country": "FR"}).decide().variant

    found, _, control = streamed(by=visitor, after=act)
    assert (found["after"], control) == (("de", "fr", "some"), ["public, max-age=60"])


def test_a_variant_for_a_channel_leaves_caching_alone(shop: Any) -> None:
    assert shown(shop, {"channel": "web"}) == ("some", [], ["public, max-age=60"])
    assert shown(shop, {}) == ("some", [], ["public, max-age=60"])


def test_deciding_in_silence_leaves_it_alone(shop: Any) -> None:
    assert shown(shop, {"language": "fr"}, verb="decide") == ("some", [], ["public, max-age=60"])


# --- shown after it was decided ---


@pytest.mark.parametrize(
    "act",
    [
        lambda hero: hero.exposed(hero.decide()),
        lambda hero: hero.show(person={"user_id": "nancy"}),
        lambda hero: hero.exposed(hero.decide(person={"user_id": "nancy"}), person={"user_id": "nancy"}),
    ],
)
def test_what_was_decided_before_is_for_one_visitor_once_it_is_shown(shop: Any, act: Any) -> None:
    """What it followed is not known any more; so it may have been anything."""
    sent = shop(lambda: act(hero({"known": True})), headers=PUBLIC).ask(headers=FRENCH)
    assert (sent.error, sent.all("vary"), sent.all("cache-control")) == (None, ["Cookie"], ["max-age=60, private"])
