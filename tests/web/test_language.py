"""The language of a page, an e-mail, a call: as it was chosen, else as the browser asks; and what caches are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

import cxkit
from cxkit.api import Experience, Touchpoint
from cxkit.errors import InvalidInteractionError
from cxkit.model import ExperienceSpec, TouchpointSpec, Variant

HAVE = ["en", "fr", "de"]
FRENCH = [(b"accept-language", b"fr-CA,fr;q=0.9,en;q=0.5")]
PUBLIC = [(b"cache-control", b"public, max-age=60")]


@pytest.fixture
def spoken(shop: Any) -> Callable[..., Any]:
    """What a page is given in, and what its response says to caches."""

    def spoken(
        client: Any = None,
        *,
        asks: Iterable[tuple[bytes, bytes]] = FRENCH,
        have: Any = HAVE,
        first: Callable[[], object] = lambda: None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        **more: Any,
    ) -> tuple[str, list[str], list[str]]:
        found: list[str] = []

        def act() -> None:
            first()
            found.append(cxkit.language(have, **more))

        page = shop(act, headers=headers)
        sent = (client.in_(page) if client is not None else page).ask(headers=asks)
        assert sent.error is None
        return found[0], sent.all("vary"), sent.all("cache-control")

    return spoken


# --- on the web ---


def test_as_the_browser_asks(spoken: Any) -> None:
    assert spoken() == ("fr", ["Accept-Language"], [])
    assert spoken(headers=PUBLIC) == ("fr", ["Accept-Language"], ["public, max-age=60"])
    assert spoken(headers=[(b"vary", b"Accept")]) == ("fr", ["Accept, Accept-Language"], [])


@pytest.mark.parametrize(
    "asks", [[], [(b"accept-language", b"it")], [(b"accept-language", b"*")], [(b"accept-language", b"fr," * 9_999)]]
)
def test_the_first_where_nothing_is_asked_for_that_is_there(spoken: Any, asks: Any) -> None:
    assert spoken(asks=asks) == ("en", ["Accept-Language"], [])


def test_as_it_was_chosen_here(spoken: Any) -> None:
    first = lambda: cxkit.choose_language("de-AT")  # noqa: E731 - one line of an app
    assert spoken(first=first, headers=PUBLIC) == ("de", ["Cookie"], ["max-age=60, private"])


def test_as_it_was_chosen_before(spoken: Any, visitor: Any, shop: Any) -> None:
    visitor.in_(shop(lambda: cxkit.choose_language("de"))).ask()
    assert spoken(visitor, headers=PUBLIC) == ("de", ["Cookie"], ["max-age=60, private"])


def test_as_the_browser_asks_where_what_was_chosen_is_not_there(spoken: Any, visitor: Any, shop: Any) -> None:
    visitor.in_(shop(lambda: cxkit.choose_language("it"))).ask()
    assert spoken(visitor) == ("fr", ["Accept-Language"], [])


def test_languages_that_do_as_well_where_the_app_says_so(spoken: Any) -> None:
    asks = [(b"accept-language", b"nb-NO")]
    assert spoken(asks=asks, have=["en", "da"])[0] == "en"
    assert spoken(asks=asks, have=["en", "da"], related={"nb": ["da"]})[0] == "da"


def test_nothing_is_said_where_nobody_asks(shop: Any, visitor: Any) -> None:
    page = shop(lambda: cxkit.current(), headers=PUBLIC)
    for client in (page, visitor.in_(page)):
        sent = client.ask(headers=FRENCH)
        assert (sent.all("vary"), sent.all("cache-control")) == ([], ["public, max-age=60"])


def test_what_was_spoken_is_captured(spoken: Any, kept: Any) -> None:
    spoken()
    assert kept.viewed.context.locale == "fr"


@pytest.mark.parametrize(
    ("audience", "locale"), [({"language": "de"}, "de-AT"), ({"locale": "fr"}, "de-AT"), ({"channel": "web"}, "fr-CA")]
)
def test_what_was_shown_is_captured_in_the_language_that_it_followed(
    shop: Any, visitor: Any, kept: Any, audience: dict[str, Any], locale: str
) -> None:
    visitor.in_(shop(lambda: cxkit.choose_language("de-AT"))).ask()
    variant = Variant(name="some", audience=audience, depth=1)
    hero = Experience(ExperienceSpec(name="spoken.hero", fallback=Variant(name="all"), variants=(variant,)))
    visitor.in_(shop(lambda: hero.show())).ask(headers=FRENCH)
    assert [one.context.locale for one in kept.interactions[-2:]] == [locale, locale]


class Marked(str):
    """A text that frameworks know not to escape."""

    __slots__ = ()


@pytest.mark.parametrize(
    "act", [lambda: cxkit.choose_language(Marked("de")), lambda: cxkit.language([Marked("de"), "en"])]
)
def test_a_language_of_a_class_of_its_own_is_captured_as_a_text(shop: Any, kept: Any, act: Any) -> None:
    seen = Touchpoint(TouchpointSpec(name="spoken.seen", purpose="necessary"))
    assert shop(lambda: (act(), seen.capture())).ask().error is None
    assert [one.context.locale for one in kept.named("spoken.seen")] == ["de"]
    assert (type(kept.viewed.context.locale), kept.viewed.context.locale) == (str, "de")


def test_of_what_the_browser_asks_no_more_is_captured_than_language_script_and_region(shop: Any, kept: Any) -> None:
    shop().ask(headers=[(b"accept-language", b"zh-hant-tw-x-canary,en-canary")])
    assert kept.viewed.context.locale == "zh-Hant-TW"


def test_a_visitor_who_chooses_stays_who_they_are(shop: Any, kept: Any) -> None:
    """Also without consent to stitching: a visitor alone is joined to nobody."""
    seen: list[Any] = []
    client = shop(lambda: cxkit.grant("analytics", "personalization"))
    client.ask()

    def act() -> None:
        before = cxkit.current().identity
        cxkit.choose_language("fr")
        seen.extend([before, cxkit.current().identity])

    client.in_(shop(act)).ask()
    assert seen[0] == seen[1]
    assert seen[0].get("visitor") is not None
    assert client.cookies["cxkit_visitor"]


SIGNED_IN = ("analytics", "personalization", "identity_stitching")


def told() -> dict[str, Any]:
    """What somebody said of themselves, apart from what brought them here."""
    traits = cxkit.current().profile.traits
    return {name: value for name, value in traits.items() if not name.endswith("_touch")}


def told_of(kept: Any, **whom: str) -> dict[str, Any]:
    with cxkit.scope(kit=kept.kit, evidence="login", **whom):
        return told()


@pytest.mark.parametrize("committed", [True, False])
def test_without_stitching_a_visitor_says_nothing_of_whom_they_once_signed_in_as(
    shop: Any, kept: Any, committed: bool
) -> None:
    client = shop(lambda: cxkit.grant(*SIGNED_IN))
    client.ask()
    for act in (
        lambda: cxkit.identify(user_id="nancy", traits={"plan": "gold"}),
        lambda: cxkit.withdraw("identity_stitching"),
        lambda: cxkit.choose_language("fr"),
        lambda: cxkit.identify(traits={"mood": "bad"}),
    ):
        assert client.in_(shop(act)).ask().error is None
        assert not committed or kept.kit.flush(timeout_s=10).complete
    assert kept.kit.flush(timeout_s=10).complete
    assert told_of(kept, user_id="nancy") == {"plan": "gold"}
    recorded = kept.named("identity.identified")
    assert [[one.type for one in each.identity.identifiers] for each in recorded] == [["user_id", "visitor"], [], []]


def test_with_stitching_they_do(shop: Any, kept: Any) -> None:
    client = shop(lambda: cxkit.grant(*SIGNED_IN))
    client.ask()
    for act in (lambda: cxkit.identify(user_id="nancy"), lambda: cxkit.choose_language("fr")):
        client.in_(shop(act)).ask()
        assert kept.kit.flush(timeout_s=10).complete
    assert told_of(kept, user_id="nancy") == {"language": "fr"}


def test_a_visitor_whom_no_login_named_is_remembered_without_stitching(shop: Any, kept: Any) -> None:
    client, found = shop(lambda: cxkit.grant("analytics", "personalization")), []
    client.ask()
    for act in (
        lambda: cxkit.choose_language("fr"),
        lambda: cxkit.identify(traits={"mood": "good"}),
        lambda: found.append(told()),
    ):
        client.in_(shop(act)).ask()
        assert kept.kit.flush(timeout_s=10).complete
    assert found == [{"language": "fr", "mood": "good"}]


@pytest.mark.parametrize("granted", [("analytics",), ("analytics", "identity_stitching")])
def test_no_profile_is_made_of_a_visitor_who_does_not_allow_personalization(
    shop: Any, kept: Any, granted: tuple[str, ...]
) -> None:
    client, found = shop(lambda: cxkit.grant(*granted)), []
    client.ask()

    def act() -> None:
        before = cxkit.current().identity
        cxkit.choose_language("fr")
        cxkit.identify(traits={"mood": "bad"})
        found.append((cxkit.language(HAVE), cxkit.current().identity == before))

    client.in_(shop(act)).ask()
    assert kept.kit.flush(timeout_s=10).complete
    client.in_(shop(lambda: found.append(told()))).ask()
    assert found == [("fr", True), {}]
    assert kept.named("identity.identified") == []
    assert kept.kit.account().blocked["identity:personalization:not_allowed:"] == 2


def test_whoever_is_not_recognised_is_remembered_nowhere(shop: Any, spoken: Any, kept: Any) -> None:
    client = shop(lambda: cxkit.choose_language("de"))
    client.ask()
    assert kept.named("identity.identified") == []
    assert spoken(client)[0] == "fr"


def test_a_visitor_who_withdraws_personalization_is_shown_nothing_by_what_they_told(
    shop: Any, visitor: Any, spoken: Any, clock: Any
) -> None:
    """Whatever depth a variant says it has. What they told is there again when they allow it again."""
    gold = cxkit.experience(
        "language.gold", variants=[cxkit.Variant(name="gold", audience={"traits.plan": "gold"}, depth=1)]
    )
    found: list[str] = []

    def tells() -> None:
        cxkit.identify(traits={"plan": "gold"})
        cxkit.choose_language("de")

    def looks() -> None:
        found.append(gold.decide().variant)

    visitor.in_(shop(tells)).ask()
    for choose in (cxkit.grant, cxkit.withdraw, cxkit.grant):
        clock.advance(1)
        visitor.in_(shop(lambda choose=choose: choose("personalization"))).ask()
        visitor.in_(shop(looks)).ask()
        found.append(spoken(visitor)[0])
    assert found == ["gold", "de", "default", "fr", "gold", "de"]


def test_nobody_speaks_for_whoever_comes_next(shop: Any, visitor: Any) -> None:
    found: list[str] = []

    def act() -> None:
        cxkit.identify(user_id="nancy")
        cxkit.choose_language("de")
        cxkit.logout()
        found.append(cxkit.language(HAVE))

    visitor.in_(shop(act)).ask(headers=FRENCH)
    assert found == ["fr"]


def test_what_they_spoke_is_captured_of_nobody_after_them(shop: Any, visitor: Any, kept: Any) -> None:
    seen = cxkit.touchpoint("language.after", purpose="necessary")

    def act() -> None:
        cxkit.identify(user_id="nancy")
        cxkit.choose_language("de")
        cxkit.logout()
        seen.capture()

    visitor.in_(shop(act)).ask(headers=FRENCH)
    assert kept.named("language.after")[0].context.locale == "fr-CA"


def test_nor_where_no_browser_asks(kept: Any) -> None:
    with cxkit.scope(kit=kept.kit, channel="phone", locale="fr", user_id="nancy", evidence="login"):
        cxkit.choose_language("de")
        cxkit.logout()
        assert cxkit.language(HAVE) == "fr"


# --- everywhere ---


@pytest.mark.parametrize("channel", ["email", "phone", "store"])
def test_a_choice_drives_every_channel(shop: Any, visitor: Any, kept: Any, channel: str) -> None:
    def chooses() -> None:
        cxkit.identify(user_id="nancy", email="nancy@example.org")
        cxkit.choose_language("fr")

    visitor.in_(shop(chooses)).ask()
    for commit in (False, True):
        if commit:
            assert kept.kit.flush(timeout_s=10).complete
        with cxkit.scope(kit=kept.kit, channel=channel, user_id="nancy", evidence="login"):
            assert cxkit.language(HAVE) == "fr"
            assert cxkit.language(["en", "it"]) == "en"


def test_it_goes_the_other_way_too(shop: Any, visitor: Any, kept: Any, spoken: Any) -> None:
    visitor.in_(shop(lambda: cxkit.identify(user_id="nancy"))).ask()
    assert kept.kit.flush(timeout_s=10).complete
    with cxkit.scope(kit=kept.kit, channel="phone", user_id="nancy", evidence="login"):
        cxkit.choose_language("de")
    assert spoken(visitor) == ("de", ["Cookie"], ["private"])


def test_the_latest_choice_holds(shop: Any, visitor: Any, spoken: Any, clock: Any) -> None:
    for tag in ("de", "en", "fr"):
        clock.advance(60)
        visitor.in_(shop(lambda tag=tag: cxkit.choose_language(tag))).ask()
    assert spoken(visitor, asks=[(b"accept-language", b"de")])[0] == "fr"


def test_what_the_app_says_of_a_scope_holds_there(kept: Any) -> None:
    with cxkit.scope(kit=kept.kit, user_id="nancy", evidence="login"):
        cxkit.choose_language("de")
    with cxkit.scope(kit=kept.kit, channel="phone", locale="fr-FR", user_id="nancy", evidence="login"):
        assert cxkit.language(HAVE) == "fr"


def test_a_letter_written_in_a_request_is_not_in_the_language_of_that_browser(shop: Any, kept: Any) -> None:
    found: list[str] = []

    def act() -> None:
        with cxkit.scope(channel="email", email="otto@example.org"):
            found.append(cxkit.language(HAVE))

    sent = shop(act).ask(headers=FRENCH)
    assert (found, sent.all("vary")) == (["en"], [])


def test_a_job_speaks_as_the_request_that_left_it_behind(shop: Any, kept: Any) -> None:
    packed: list[str] = []

    def act() -> None:
        cxkit.language(HAVE)
        packed.append(cxkit.pack(to="job 7") or "")

    shop(act).ask(headers=FRENCH)
    with cxkit.unpack(packed[0], to="job 7", kit=kept.kit):
        assert cxkit.language(HAVE) == "fr"


def test_outside_of_everything_it_is_the_first(make: Any, as_default: Any) -> None:
    with as_default(make({"strict": False}).kit):
        assert cxkit.language(HAVE) == "en"


class Failing:
    """Fails wherever it is asked for something."""

    def __iter__(self) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    ("have", "found"),
    [([], ""), (["en", "english"], "en"), (["en_US"], "en_US"), ([None], ""), ([""], ""), ("", ""),
     ("english", "english"), ({}, ""), ({1: "en"}, ""), (None, ""), (7, ""), (b"en", ""), (Failing(), ""),
     ((one for one in ()), "")],
)  # fmt: skip
def test_no_languages_to_choose_from(kept: Any, make: Any, have: Any, found: str) -> None:
    with cxkit.scope(kit=make({"strict": False, "directory": kept.kit.settings.directory / "b"}).kit):
        assert cxkit.language(have) == found
    with cxkit.scope(kit=kept.kit), pytest.raises(InvalidInteractionError, match="CX3181"):
        cxkit.language(have)


TEXTS = {"en": "Welcome", "fr": "Bienvenue", "de": "Willkommen"}


@pytest.mark.parametrize(
    "have",
    [lambda: TEXTS, lambda: TEXTS.keys(), lambda: tuple(TEXTS), lambda: iter(TEXTS), lambda: {*TEXTS}, lambda: "fr",
     lambda: frozenset(TEXTS), lambda: (one for one in TEXTS), lambda: dict.fromkeys(TEXTS)],
)  # fmt: skip
def test_languages_in_any_shape(kept: Any, have: Callable[[], Any]) -> None:
    with cxkit.scope(kit=kept.kit, locale="fr-CA"):
        assert cxkit.language(have()) == "fr"


@pytest.mark.parametrize(
    ("have", "first"),
    [({"fr": 1, "en": 2}, "fr"), ({"fr": 1, "en": 2}.keys(), "fr"), ({"fr", "en", "de"}, "de"), ("it", "it")],
)
def test_the_first_is_the_first_that_was_given_and_of_a_set_by_the_alphabet(kept: Any, have: Any, first: str) -> None:
    with cxkit.scope(kit=kept.kit):
        assert cxkit.language(have) == first


@pytest.mark.parametrize("tag", ["", "french", "fr_CA", "*", None, 7, "fr" * 500, "<script>"])
def test_what_is_no_language_is_not_chosen(kept: Any, tag: Any) -> None:
    with cxkit.scope(kit=kept.kit, user_id="nancy", evidence="login"):
        with pytest.raises(InvalidInteractionError, match="CX3182"):
            cxkit.choose_language(tag)
        assert cxkit.language(HAVE) == "en"
