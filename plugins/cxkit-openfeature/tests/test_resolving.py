"""Decisions in OpenFeature's words: values by type, variant, reason, metadata, and errors that never raise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

import cxkit
from cxkit.errors import DeclarationError
from cxkit.kit import Kit, install
from cxkit.model import Experiment, Holdout
from cxkit.settings import Consent, Settings
from cxkit.testing import Recorder, recorder
from cxkit_openfeature import CXProvider

KINDS: dict[str, Any] = {"boolean": False, "string": "", "integer": -1, "float": -1.5, "object": {}}
FITS = {
    "boolean": {"boolean"},
    "string": {"string"},
    "integer": {"integer", "float"},
    "float": {"float"},
    "object": {"object"},
}


def asked(client: OpenFeatureClient, kind: str, flag: str, *args: Any) -> Any:
    return getattr(client, f"get_{kind}_details")(flag, KINDS[kind], *args)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("of", "content"),
    [
        ("boolean", True),
        ("string", "Welcome"),
        ("integer", 7),
        ("float", 7.5),
        ("object", {"title": ["Welcome"]}),
        ("object", ["sweets"]),
    ],
)
def test_the_value_is_the_content_if_it_is_of_the_type(
    client: OpenFeatureClient, cx: Recorder, kind: str, of: str, content: Any
) -> None:
    cxkit.experience("typed.flag", fallback=cxkit.Variant(name="all", content=content))
    found = asked(client, kind, "typed.flag")
    if kind in FITS[of]:
        assert (found.value, found.variant, found.error_code) == (content, "all", None)
        assert isinstance(found.value, type(KINDS[kind])) or kind == "object"
        assert len(cx.named("experience.shown")) == 1
    else:
        assert (found.value, found.reason, found.error_code) == (KINDS[kind], Reason.ERROR, ErrorCode.TYPE_MISMATCH)
        assert cx.named("experience.shown") == []


def test_a_number_that_no_float_can_hold_does_not_fit(client: OpenFeatureClient) -> None:
    cxkit.experience("typed.large", fallback=cxkit.Variant(name="all", content=10**400))
    assert asked(client, "float", "typed.large").error_code == ErrorCode.TYPE_MISMATCH


def test_what_a_variant_does_not_say_is_as_the_app_says(client: OpenFeatureClient) -> None:
    cxkit.experience("typed.empty", fallback=cxkit.Variant(name="all"))
    found = client.get_string_details("typed.empty", "as it was")
    assert (found.value, found.variant, found.reason) == ("as it was", "all", Reason.DEFAULT)


def test_the_other_slots(client: OpenFeatureClient, hero: Any, cx: Recorder) -> None:
    with cxkit.scope():
        assert client.get_object_value("shop.hero#form", {}) == {"as": "grid"}
        assert client.get_object_value("shop.hero#sequence", []) == ["sweets", "nuts"]
        assert client.get_string_value("shop.hero#content", "") == "Welcome"
        assert client.get_string_value("shop.hero", "") == "Welcome"
    assert len(cx.named("experience.shown")) == 1


@pytest.mark.parametrize(
    "flag", ["shop.hera", "", "#", "#form", "shop.hero#", "shop.hero#colour", "shop.hero#form#", "é"]
)
def test_an_unknown_flag(client: OpenFeatureClient, hero: Any, cx: Recorder, flag: str) -> None:
    found = client.get_string_details(flag, "as it was")
    assert (found.value, found.reason, found.error_code) == ("as it was", Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
    assert cx.interactions == []


def test_why(client: OpenFeatureClient, hero: Any) -> None:
    cxkit.experience("shop.plain", fallback=cxkit.Variant(name="all", content="Hello"))
    with cxkit.scope():
        assert client.get_string_details("shop.hero", "").reason == Reason.DEFAULT
        assert client.get_string_details("shop.plain", "").reason == Reason.DEFAULT
    with cxkit.scope(channel="store"):
        assert client.get_string_details("shop.hero", "").reason == Reason.TARGETING_MATCH


def test_the_metadata_say_how_personal_it_is_and_what_capped_it(client: OpenFeatureClient, hero: Any) -> None:
    with cxkit.scope(channel="store"):
        told = client.get_string_details("shop.hero", "").flag_metadata
    assert {"level": 2, "depth": 1, "cap": 1, "capped_by": "consent"}.items() <= told.items()
    with cxkit.scope():
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        cxkit.grant("personalization", "profiling")
        found = client.get_string_details("shop.hero", "")
    assert (found.value, found.flag_metadata["cap"], "capped_by" in found.flag_metadata) == ("Welcome back", 4, False)
    assert "nancy" not in repr(found)


def tested(**settings: Any) -> None:
    cxkit.experience(
        "split.hero",
        fallback=cxkit.Variant(name="all"),
        variants=[cxkit.Variant(name="bold", content="Sweets!")],
        experiments=[Experiment(name="bolder", unit="user_id", **{"variations": ("all", "bold"), **settings})],
    )


@pytest.fixture
def measured(cx: Recorder) -> Iterator[None]:
    """Whoever has not chosen may be measured."""
    kit = Kit(Settings(strict=True, consent=Consent(policy="us")), in_memory=True)
    before = install(lambda: kit)
    yield
    install(before)
    kit.close(timeout_s=10)


@pytest.mark.usefixtures("measured")
def test_an_experiment_splits_by_the_targeting_key(client: OpenFeatureClient) -> None:
    tested(version=3)
    found = {}
    for number in range(60):
        nth = EvaluationContext(targeting_key=f"n{number}")
        one, again = (client.get_string_details("split.hero", "as it was", nth) for _ in range(2))
        assert (one.variant, one.reason) == (again.variant, Reason.SPLIT)
        told = {"experiment": "bolder", "experiment_version": 3, "unit": "user_id"}
        assert told.items() <= one.flag_metadata.items()
        found[one.variant] = one.value
    assert found == {"all": "as it was", "bold": "Sweets!"}, "a control without content is as the app says"


@pytest.mark.usefixtures("measured")
def test_who_has_no_such_identifier_takes_no_part(client: OpenFeatureClient) -> None:
    tested()
    found = client.get_string_details("split.hero", "as it was")
    assert (found.value, found.reason, "experiment" in found.flag_metadata) == ("as it was", Reason.DEFAULT, False)


def test_who_does_not_allow_to_be_measured_takes_no_part(client: OpenFeatureClient) -> None:
    tested()
    found = client.get_string_details("split.hero", "as it was", EvaluationContext(targeting_key="nancy"))
    assert (found.value, found.reason, "experiment" in found.flag_metadata) == ("as it was", Reason.DEFAULT, False)


@pytest.mark.usefixtures("measured")
def test_who_is_held_out_takes_no_part(client: OpenFeatureClient) -> None:
    tested(holdout=Holdout(name="autumn", share=0.5, unit="user_id"))
    reasons = set()
    for number in range(60):
        found = client.get_string_details("split.hero", "", EvaluationContext(targeting_key=f"n{number}"))
        reasons.add((found.reason, found.flag_metadata.get("experiment")))
    assert reasons == {(Reason.SPLIT, "bolder"), (Reason.DEFAULT, None)}


def test_a_rollout_is_no_split(client: OpenFeatureClient) -> None:
    tested(variations=("bold",))
    found = client.get_string_details("split.hero", "", EvaluationContext(targeting_key="nancy"))
    assert (found.value, found.reason) == ("Sweets!", Reason.TARGETING_MATCH)


def test_asynchronously_it_is_the_same(client: OpenFeatureClient, hero: Any, cx: Recorder) -> None:
    async def asking() -> list[Any]:
        with cxkit.scope(channel="store"):
            return [
                await client.get_string_details_async("shop.hero", ""),
                await client.get_object_details_async("shop.hero", {}),
                await client.get_boolean_details_async("shop.hera", True),
            ]

    text, mismatch, unknown = asyncio.run(asking())
    assert (text.value, text.variant, text.reason) == ("Come in", "store", Reason.TARGETING_MATCH)
    assert (mismatch.value, mismatch.error_code) == ({}, ErrorCode.TYPE_MISMATCH)
    assert (unknown.value, unknown.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    assert len(cx.named("experience.shown")) == 1


def test_nothing_that_is_asked_raises() -> None:
    cxkit.experience("odd.flag", fallback=cxkit.Variant(name="all", content="Welcome"))
    texts = st.text(max_size=40)

    @settings(deadline=None, max_examples=50)
    @given(flag=texts, key=st.none() | texts | st.integers(), said=st.dictionaries(texts, texts | st.dates()))
    def check(flag: str, key: Any, said: Any) -> None:
        for name in (flag, "odd.flag"):
            found = CXProvider().resolve_string_details(name, "as it was", EvaluationContext(key, said))
            assert (found.value == "Welcome") is (found.error_code is None)

    with recorder(strict=False):
        check()


@pytest.mark.parametrize("said", [None, 7, ["a"], "text"])
def test_a_context_that_is_none_says_nothing(hero: Any, said: Any) -> None:
    found = CXProvider().resolve_string_details("shop.hero", "", EvaluationContext("nancy", said))
    assert found.value == "Welcome"


@pytest.mark.parametrize("flag", [None, 7, ["shop.hero"]])
def test_a_flag_that_is_no_text_is_not_found(hero: Any, flag: Any) -> None:
    assert CXProvider().resolve_string_details(flag, "").error_code == ErrorCode.FLAG_NOT_FOUND


def test_where_cxkit_cannot_be_configured_the_fallback_is_served(
    client_of: Callable[..., OpenFeatureClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses() -> Any:
        raise ValueError("no such setting")

    cxkit.experience("odd.unset", fallback=cxkit.Variant(name="all", content="Welcome"))
    before = install(refuses)
    try:
        found = client_of().get_string_details("odd.unset", "as it was")
    finally:
        install(before)
    assert (found.value, found.error_code) == ("Welcome", None)


@pytest.mark.parametrize("type", ["", "User", "channel", "kit", "evidence", "a b", "x" * 65])
def test_what_is_no_type_of_identifier_is_refused_at_once(type: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        CXProvider(targeting_key=type)
    assert caught.value.code == "CX9300"


def test_its_name(client: OpenFeatureClient) -> None:
    assert client.provider.get_metadata().name == "cxkit"
