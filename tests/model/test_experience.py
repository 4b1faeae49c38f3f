"""What may be declared of an experience, and how it is refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.errors import DeclarationError
from cxkit.model import ExperienceSpec, Variant


def refused(code: str, make: Any, **fields: Any) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        make(**fields)
    assert caught.value.code == code
    return caught.value


def test_by_default_there_is_a_fallback_for_everybody() -> None:
    fallback = ExperienceSpec(name="home.hero").fallback
    assert (fallback.name, fallback.depth, fallback.audience) == ("default", 0, {})


@pytest.mark.parametrize("name", [None, "", "Home", "home hero"])
def test_a_name_is_like_that_of_a_touchpoint(name: Any) -> None:
    assert "experience" in refused("CX3002", ExperienceSpec, name=name).what


@pytest.mark.parametrize("name", [None, 1, "", "x" * 101, "a\nb", "\ud800"])
def test_a_variant_has_a_short_name(name: Any) -> None:
    refused("CX3012", Variant, name=name)


@pytest.mark.parametrize("depth", [-1, 5, 2.0, "2", None, True])
def test_depth_is_from_0_to_4(depth: Any) -> None:
    refused("CX3010", Variant, name="a", depth=depth)


@pytest.mark.parametrize("level", [0, 5, 2.0, "2", None, True])
def test_level_is_from_1_to_4(level: Any) -> None:
    refused("CX3010", ExperienceSpec, name="home.hero", level=level)


def test_no_two_variants_share_a_name() -> None:
    two = (Variant(name="a"), Variant(name="a"))
    refused("CX3005", ExperienceSpec, name="home.hero", variants=two)
    refused("CX3005", ExperienceSpec, name="home.hero", variants=two[:1], fallback=Variant(name="a"))


@pytest.mark.parametrize("field", [{"audience": {"country": "FR"}}, {"depth": 1}])
def test_the_fallback_is_for_everybody(field: dict[str, Any]) -> None:
    refused("CX3006", ExperienceSpec, name="home.hero", fallback=Variant(name="a", **field))
