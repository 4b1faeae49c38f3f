"""Experiences by name, and what the app itself knows of the moment of a decision."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import attrs
import pytest

import cxkit
from cxkit import Variant
from cxkit.errors import DeclarationError, InvalidInteractionError
from cxkit.kit import experiences
from cxkit.settings import Settings
from cxkit.testing import Recorder, recorder


def basket(**audience: Any) -> cxkit.Experience:
    return cxkit.experience("given.basket", variants=[Variant(name="some", audience=audience, depth=1)])


@pytest.mark.parametrize("verb", ["decide", "show"])
def test_what_the_app_knows_besides_is_a_condition(cx: Recorder, verb: str) -> None:
    for given, variant in (({"items": 3}, "some"), ({"items": 4}, "default"), ({}, "default"), (None, "default")):
        assert getattr(basket(items=3), verb)(given=given).variant == variant


def test_it_may_be_nested(cx: Recorder) -> None:
    assert basket(**{"page.shelf": "sweets"}).decide(given={"page": {"shelf": "sweets"}}).variant == "some"


@pytest.mark.parametrize("name", ["known", "channel", "country", "traits.plan"])
def test_what_cxkit_has_a_name_for_it_alone_says_also_when_it_does_not_know(cx: Recorder, name: str) -> None:
    first, _, rest = name.partition(".")
    said: Any = {first: {rest: "x"} if rest else "x"}
    with cxkit.scope():
        assert basket(**{name: "x"}).decide(given=said).variant == "default"


def test_a_page_that_follows_what_the_app_knows_is_for_one_visitor(cx: Recorder) -> None:
    with cxkit.scope():
        basket(items=3).show(given={"items": 3})
        here: Any = cxkit.current()
        assert here._scope.follows == {"items"}


def test_what_is_no_mapping_costs_the_variant_and_no_more() -> None:
    wrong: Any = "items=3"
    with recorder(strict=False) as record:
        assert basket(items=3).show(given=wrong).variant == "default"
        assert record.kit.intake.noted


def test_an_experience_has_a_name(cx: Recorder) -> None:
    declared = basket()
    found = cxkit.Experience.named("given.basket")
    assert found is not None
    assert found.spec is declared.spec
    assert cxkit.Experience.named("given.nothing") is None


def test_what_is_configured_goes_first() -> None:
    basket()
    table = {"fallback": {"name": "all", "content": "Configured"}}
    settings = Settings(experiences={"given.basket": table, "given.more": table})
    kit = cxkit.Kit(settings, exporters={}, in_memory=True)
    with closing(kit), cxkit.scope(kit=kit):
        found = [cxkit.Experience.named(name) for name in ("given.basket", "given.more")]
        assert [one and one.decide().content for one in found] == ["Configured"] * 2


def a_table(**more: Any) -> dict[str, Any]:
    experiment = {"name": "given-tested", "variations": ["default", "deep"], **more}
    return {"variants": [{"name": "deep"}], "experiments": [experiment]}


def declared_with(name: str, **more: Any) -> cxkit.Experience:
    experiment = cxkit.Experiment(**{"name": "given-tested", "variations": ["default", "deep"], **more})
    return cxkit.experience(name, variants=[Variant(name="deep")], experiments=[experiment])


@pytest.fixture
def nothing_stays_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxkit.api.experiences.declared", mine := {**experiences.declared})
    monkeypatch.setattr("cxkit.kit.experiences.declared", mine)


@pytest.mark.usefixtures("nothing_stays_declared")
def test_an_experiment_whose_name_is_taken_is_refused_where_it_is_declared(cx: Recorder) -> None:
    declared_with("given.first")
    with pytest.raises(DeclarationError) as caught:
        declared_with("given.second", coverage=0.5)
    assert caught.value.code == "CX3052"
    assert cxkit.Experience.named("given.second") is None
    declared_with("given.first", coverage=0.5)  # declared again, it takes its own place
    with closing(cxkit.Kit(Settings(), in_memory=True)):
        pass


@pytest.mark.usefixtures("nothing_stays_declared")
def test_one_that_the_configuration_has_too_stops_nothing_but_in_strict_mode(caplog: pytest.LogCaptureFixture) -> None:
    declared_with("given.first")
    there = {"given.second": a_table(coverage=0.5)}
    with closing(cxkit.Kit(Settings(experiences=there), in_memory=True)) as kit:
        assert kit.intake.noted == {"experiences_clash": 1}
    assert [one for one in caplog.messages if "CX3052" in one and "given.first" in one]
    with pytest.raises(DeclarationError):
        cxkit.Kit(Settings(experiences=there, strict=True), in_memory=True)


def test_whether_there_is_a_scope() -> None:
    with recorder():
        assert not cxkit.current()
        with cxkit.scope():
            assert cxkit.current()


def test_a_preview_asks_nobody_and_counts_nothing(cx: Recorder) -> None:
    handle = cxkit.experience(
        "given.preview",
        variants=[Variant(name="some", content=1, audience={"items": 3}, depth=1), Variant(name="deep", depth=3)],
        experiments=[cxkit.Experiment(name="previewed", variations=["default", "deep"])],
    )
    with cxkit.scope():
        found = handle.preview("some")
        assert (found.variant, found.content, found.reasons) == ("some", 1, ("some: asked for",))
        here: Any = cxkit.current()
        assert here._scope.follows == {"preview"}, "it is nobody else's page"
        assert handle.preview("deep").variant == "default", "they have not allowed that"
        for wrong in ("gone", "", 7, None, [1]):
            assert handle.preview(wrong).variant == "default"  # type: ignore[arg-type]
    assert cx.interactions == []


def test_a_machine_that_asks_for_somebody_is_no_person(cx: Recorder) -> None:
    """A preview of a letter's link, a feed reader."""
    handle = cxkit.experience("given.machine", variants=[Variant(name="some", depth=2)])
    with cxkit.scope():
        here: Any = cxkit.current()
        here._scope.enriched(attrs.evolve(here._scope.context, actor="bot"))
        decision = handle.show(person={"user_id": "nancy"})
        assert (decision.variant, decision.capped_by) == ("default", "consent")
    assert cx.interactions == []


def test_a_person_who_is_no_mapping_is_the_callers_mistake() -> None:
    handle = cxkit.experience("given.wrong")
    with recorder(), pytest.raises(InvalidInteractionError, match="CX3166"):
        handle.decide(person="nancy")  # type: ignore[arg-type]


def test_a_name_has_its_article() -> None:
    with pytest.raises(DeclarationError, match="name of an experience is not"):
        cxkit.experience("Home Hero")
