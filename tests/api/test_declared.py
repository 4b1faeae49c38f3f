"""Declared once per process: by one module, as often as it is loaded."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.errors import DeclarationError
from cxkit.testing import Recorder


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes modules that really are imported."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(name: str, text: str) -> Any:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")
        importlib.invalidate_caches()
        made.append(name)
        return importlib.import_module(name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


DECLARES = """
    import cxkit
    ADDED = cxkit.touchpoint("once.added")
    HERO = cxkit.experience("once.hero")
"""


def test_the_same_module_may_declare_again(module: Any, cx: Recorder) -> None:
    first = module("cx_shop_one", DECLARES)
    before = first.ADDED
    again = importlib.reload(first)
    assert again.ADDED is not before
    before.capture()
    again.ADDED.capture()
    assert len(cx.named("once.added")) == 2


@pytest.mark.parametrize(
    "declares", ['touchpoint("once.x")', 'experience("once.x")', 'journey("once", steps=["once.x", "once.y"])']
)
def test_another_module_may_not_and_learns_who_was_first(module: Any, declares: str) -> None:
    module("cx_shop_one", f"import cxkit\nX = cxkit.{declares}")
    with pytest.raises(DeclarationError) as caught:
        module("cx_shop_two", f"import cxkit\nX = cxkit.{declares}")
    assert caught.value.code == "CX3008"
    assert "cx_shop_one" in caught.value.what


def test_a_touchpoint_and_an_experience_may_share_a_name(module: Any) -> None:
    module("cx_shop_one", 'import cxkit\nX = cxkit.touchpoint("once.x"); Y = cxkit.experience("once.x")')


def test_a_notebook_may_declare_in_each_cell() -> None:
    cell = 'import cxkit\nX = cxkit.touchpoint("once.cell")'
    notebook = {"__name__": "__main__"}
    exec(cell, notebook)  # noqa: S102
    exec(cell, notebook)  # noqa: S102


def test_what_cannot_be_judged_is_refused_at_declaration() -> None:
    wrong = cxkit.Variant(name="a", audience={"country": {"$like": "F"}})
    with pytest.raises(DeclarationError):
        cxkit.experience("once.wrong", variants=[wrong])
    assert cxkit.experience("once.wrong").spec.variants == (), "a refused name is still free"


def test_handles_say_what_they_are() -> None:
    assert repr(cxkit.touchpoint("once.seen")) == "<Touchpoint once.seen>"
    assert repr(cxkit.experience("once.hero")) == "<Experience once.hero>"
