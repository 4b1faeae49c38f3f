"""Which language is asked for, and which is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from cxkit.rules.language import _ranges, is_tag, lookup, plain, ranges

SUBTAGS = st.sampled_from(
    ["en", "fr", "zh", "sr", "nb", "da", "Latn", "Hant", "CA", "TW", "ME", "419", "x", "u", "1996"]
)
TAGS = st.lists(SUBTAGS, min_size=1, max_size=4).map("-".join).filter(is_tag)
WEIGHTS = st.sampled_from(["", ";q=0", ";q=0.5", ";q=0.8", ";q=1", ";q=0.001", ";q=1.000"])


# --- what is asked for ---


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("", ()),
        ("da, en-gb;q=0.8, en;q=0.7", ("da", "en-gb", "en")),  # RFC 9110, section 12.5.4
        ("en-US,en;q=0.9,fr-CA;q=0.8,*;q=0.5", ("en-US", "en", "fr-CA", "*")),
        ("de;q=0.8,pl,fr;q=0.2", ("pl", "de", "fr")),
        ("fr;q=0.5, en;q=0.5, de;q=0.5", ("fr", "en", "de")),
        ("en;q=0, fr", ("fr",)),
        (" fr-CA ; q = 0.3 ,\ten ", ("en", "fr-CA")),
        ("zh-Hant-TW", ("zh-Hant-TW",)),
        (",,, ,fr,,", ("fr",)),
        ("es-419;q=1.000", ("es-419",)),
        ("FR-ca;Q=0.5", ("FR-ca",)),
    ],
)
def test_what_a_header_asks_for(header: str, asked: tuple[str, ...]) -> None:
    assert ranges(header) == asked


@pytest.mark.parametrize(
    "header",
    [
        "e", "english", "fr_CA", "fr-", "-fr", "fr--CA", "f\u00e9", "\u0661fr", "fr;q=2", "fr;q=1.5",
        "fr;q=-1", "fr;q=0.1234", "fr;q=nan", "fr;q=1e3", "fr;q=inf", "fr;q=", "fr;level=1", "fr;q=0.5;q=0.6",
        "fr-abcdefghi", "fr-CA-a-b-c-d-e-f-g",
        "<script>", "../../etc", "fr\x00", "fr\r\nx: y", "\ud800", "x-pirate", "i-klingon", "canary", "%66%72",
    ],
)  # fmt: skip
def test_of_what_is_malformed_nothing(header: str) -> None:
    assert ranges(header) == ()
    assert ranges(f"{header}, en;q=0.1") == ("en",)


@pytest.mark.parametrize(
    "bomb",
    [
        "fr," * 500_000,
        "," * 1_000_000,
        "fr-" * 400_000,
        "fr;q=0." + "1" * 1_000_000,
        " " * 1_000_000 + "fr",
        "fr;" + "q=" * 500_000,
    ],
    ids=["ranges", "commas", "subtags", "digits", "spaces", "weights"],
)
def test_a_bomb_asks_for_nothing(bomb: str) -> None:
    assert ranges(bomb) == ()


def test_a_bomb_is_not_remembered() -> None:
    before = _ranges.cache_info().currsize
    for number in range(10):
        ranges(f"fr-{number}," * 10_000)
    assert _ranges.cache_info().currsize == before


def test_of_many_the_first_are_looked_at() -> None:
    assert ranges(",".join([*["fr"] * 32, "en"])) == ("fr",) * 32


@given(st.text(max_size=200) | st.text(alphabet="enfrCA-;q=0.15,* ", max_size=200))
def test_law_no_header_raises_and_all_that_is_asked_for_are_tags(header: str) -> None:
    asked = ranges(header)
    assert all(one == "*" or is_tag(one) for one in asked)
    assert len(asked) <= 32


@given(st.lists(st.tuples(TAGS | st.just("*"), WEIGHTS), max_size=12))
def test_law_werkzeug_reads_the_same(parts: list[tuple[str, str]]) -> None:
    header = ", ".join(f"{tag}{weight}" for tag, weight in parts)
    theirs = [tag for tag, weight in parse_accept_header(header, LanguageAccept) if weight > 0]
    weights = dict(parse_accept_header(header, LanguageAccept))
    assert sorted(ranges(header)) == sorted(theirs)
    ours = [weights[tag] for tag in ranges(header)] if len(weights) == len(parts) else []
    assert ours == sorted(ours, reverse=True)


# --- what is given ---


@pytest.mark.parametrize(
    ("asked", "available", "given"),
    [
        # RFC 4647, section 3.4: progressively shorter, singletons with what they introduce.
        (["zh-Hant-CN-x-private1-private2"], ["zh-Hant-CN-x-private1"], "zh-Hant-CN-x-private1"),
        (["zh-Hant-CN-x-private1-private2"], ["zh-Hant-CN"], "zh-Hant-CN"),
        (["zh-Hant-CN-x-private1-private2"], ["zh-Hant", "zh-Hant-CN-x"], "zh-Hant"),
        (["zh-Hans-CN-x-private1"], ["zh", "en"], "zh"),
        (["fr-FR", "zh-Hant"], ["fr", "zh-Hant"], "fr"),
        (["de-CH-1996"], ["de", "de-CH"], "de-CH"),
        (["*", "fr"], ["en", "fr"], "fr"),
        (["*"], ["en"], None),
        ([], ["en"], None),
        (["fr"], [], None),
        # Section 2.1: in any case.
        (["FR-ca"], ["fr-CA"], "fr-CA"),
        # Another region's variety.
        (["fr-CH"], ["en", "fr-FR"], "fr-FR"),
        (["pt"], ["pt-PT", "pt-BR"], "pt-PT"),
        (["fr", "en"], ["en-CA", "fr-CA"], "fr-CA"),
        # As its region writes it.
        (["es-MX"], ["es", "es-419"], "es-419"),
        (["es-AR"], ["es-ES", "es-MX"], "es-MX"),
        (["es-ES"], ["es-419", "es"], "es"),
        (["es-MX"], ["es-419", "es-MX"], "es-MX"),
        (["en-AU"], ["en", "en-GB"], "en-GB"),
        (["en-AU"], ["en-US", "en-NZ"], "en-NZ"),
        (["en-PR"], ["en-GB", "en-US"], "en-GB"),
        (["en"], ["en-US", "en-GB"], "en-US"),
        (["pt-AO"], ["pt-BR", "pt-PT"], "pt-PT"),
        (["pt-AO"], ["pt", "en"], "pt"),
        (["zh-MO"], ["zh-TW", "zh-HK"], "zh-HK"),
        # What is asked for goes before a variety that nobody asked for.
        (["en-US", "en-GB"], ["en-AU", "en-GB"], "en-GB"),
        (["en-US", "fr", "en-GB"], ["en-AU", "fr", "en-GB"], "fr"),
        (["en-US", "fr"], ["en-AU", "fr"], "en-AU"),
        # Scripts.
        (["zh-TW"], ["zh-CN"], None),
        (["zh-TW"], ["zh"], None),
        (["zh-HK"], ["zh-CN", "zh-TW"], "zh-TW"),
        (["zh-Hant"], ["zh-HK"], "zh-HK"),
        (["zh-SG"], ["zh-Hans"], "zh-Hans"),
        (["sr-Latn-RS"], ["sr"], None),
        (["sr-Cyrl"], ["sr"], "sr"),
        (["sr-ME"], ["sr-Latn", "sr"], "sr-Latn"),
        (["pa-PK"], ["pa"], None),
        (["uz"], ["uz-Latn", "uz-Cyrl"], "uz-Latn"),
        (["zh-TW-x-hans"], ["zh-TW"], "zh-TW"),
        (["en-Latn-US"], ["en"], "en"),
        # Never another language.
        (["nb-NO"], ["da", "sv"], None),
        (["ca"], ["es"], None),
        (["gsw"], ["de"], None),
        (["mo"], ["ro"], None),
        (["english"], ["en"], None),
        (["e"], ["en"], None),
    ],
)
def test_what_is_given(asked: list[str], available: list[str], given: str | None) -> None:
    assert lookup(asked, available) == given


@pytest.mark.parametrize(
    ("asked", "available", "given"),
    [
        (["nb-NO"], ["da"], "da"),
        (["nb-NO"], ["en", "nn", "no"], "no"),
        (["nb-NO", "en"], ["da", "en"], "da"),  # they say that it does as well
        (["nb"], ["nb-SJ", "da"], "nb-SJ"),
        (["da"], ["nb"], None),  # one way only
        (["nn"], ["da"], None),
    ],
)
def test_languages_that_do_as_well_where_you_say_so(asked: list[str], available: list[str], given: str | None) -> None:
    assert lookup(asked, available, related={"nb": ["no", "da"]}) == given


def test_it_is_given_as_you_write_it() -> None:
    assert lookup(["fr-ca"], ["FR-Ca"]) == "FR-Ca"
    assert lookup(["fr"], ["fr", "FR"]) == "fr"


@given(st.lists(TAGS | st.just("*"), max_size=5), st.lists(TAGS, max_size=5))
def test_law_what_is_given_is_available_and_of_a_language_that_was_asked_for(
    asked: list[str], there: list[str]
) -> None:
    found = lookup(asked, there)
    if found is not None:
        assert found in there
        assert found.lower().partition("-")[0] in {one.lower().partition("-")[0] for one in asked}


@given(TAGS, st.lists(TAGS, max_size=5))
def test_law_what_is_there_as_it_is_asked_for_is_given(tag: str, there: list[str]) -> None:
    found = lookup([tag, *there], [*there, tag])
    assert found is not None
    assert found.lower() == tag.lower()


@given(st.lists(TAGS, max_size=4), st.lists(TAGS, max_size=4))
def test_law_more_that_is_asked_for_last_takes_nothing_away(asked: list[str], there: list[str]) -> None:
    if lookup(asked, there) is not None:
        assert lookup([*asked, "tlh"], there) == lookup(asked, there)


@given(TAGS, st.lists(TAGS, max_size=5))
def test_law_as_rfc_4647_has_it_where_no_script_is_in_question(tag: str, there: list[str]) -> None:
    """The shortening of section 3.4, told again."""
    scripted = {"zh", "sr"}
    if tag.partition("-")[0] in scripted:
        return
    parts, known = tag.lower().split("-"), {one.lower() for one in there}
    while parts and "-".join(parts) not in known:
        parts.pop()
        if parts and len(parts[-1]) == 1:
            parts.pop()
    if parts:
        found = lookup([tag], there)
        assert found is not None
        assert found.lower() == "-".join(parts)


# --- tags ---


@pytest.mark.parametrize("tag", ["fr", "fr-CA", "zh-Hant-TW", "es-419", "de-CH-1996", "gsw", "en-x-nancy"])
def test_tags(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", "f", "french", "fr_CA", "fr-", "*", "fr ", "fr\n", "f\u00e9", None, 7, b"fr", ["fr"]]
)
def test_what_is_no_tag(tag: object) -> None:
    assert not is_tag(tag)


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("fr", "fr"), ("FR-ca", "fr-CA"), ("zh-HANT-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("en-x-nancy", "en"),
        ("en-nancy", "en"), ("en-US-u-ca-nancy", "en-US"), ("zh-yue-HK", "zh-HK"), ("de-1996", "de"),
    ],
)  # fmt: skip
def test_what_of_a_tag_is_kept(tag: str, kept: str) -> None:
    assert plain(tag) == kept


@given(TAGS)
def test_law_what_is_kept_is_a_tag(tag: str) -> None:
    assert is_tag(plain(tag))
    assert plain(plain(tag)) == plain(tag)
