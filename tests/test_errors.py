"""Errors: one tree, drawn as it is, each with what happened, one fix and a stable code."""

from __future__ import annotations

import ast
import builtins
import copy
import pickle
import re
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit import errors
from cxkit.errors import CXError, nearest

KINDS = [getattr(errors, name) for name in errors.__all__]
LINE = re.compile(
    r"    (?P<bars>[| ]*)(?P<plus>\+-- )?(?P<name>\w+Error)\b(?: +(?P<base>[A-Z]\w+Error))?(?:.*(?P<code>CX\d\d)xx)?"
)


def test_the_tree_is_drawn_as_it_is() -> None:
    above: list[type[CXError]] = []
    drawn: list[str] = []
    for line in filter(None, map(LINE.match, (errors.__doc__ or "").splitlines())):
        kind = getattr(errors, line["name"])
        depth = len(line["bars"]) // 4 + bool(line["plus"])
        above[depth:] = [kind]
        assert kind.__bases__[0] is (above[depth - 1] if depth else Exception)
        assert not line["base"] or kind.__bases__[1] is getattr(builtins, line["base"])
        assert not line["code"] or kind.default_code.startswith(line["code"])
        drawn.append(kind.__name__)
    assert sorted(drawn) == errors.__all__


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_says_what_and_how_to_mend_it(kind: type[CXError]) -> None:
    error = kind("the cup is empty", fix="fill it")
    assert str(error) == f"{kind.default_code}: the cup is empty. Fix: fill it."
    assert (error.what, error.fix, error.code) == ("the cup is empty", "fill it", kind.default_code)
    assert str(kind("x", fix='did you mean "y"?', code="CX9999")) == 'CX9999: x. Fix: did you mean "y"?'


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind: type[CXError]) -> None:
    error = kind("the cup is empty", fix="fill it", code="CX9998")
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert (type(same), same.what, same.fix, same.code) == (kind, error.what, error.fix, error.code)
        assert str(same) == str(error)


def raised() -> dict[str, set[tuple[str, str]]]:
    """Code to (kind, room) of each error that the sources raise with a code of its own."""
    found = defaultdict(set)
    home = Path(cxkit.__file__).parent
    for path in home.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors.__all__:
                for keyword in node.keywords:
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                        found[keyword.value.value].add(
                            (node.func.id, path.relative_to(home).parts[0].removesuffix(".py"))
                        )
    return found


def test_a_code_has_one_meaning() -> None:
    """So it is raised in one room; but for a setting that is not known, which two look for."""
    shared = {code: places for code, places in raised().items() if len(places) > 1}
    assert shared.keys() <= {"CX1001"}, shared


def test_a_code_lies_in_the_range_of_its_kind() -> None:
    for code, places in raised().items():
        for kind, place in places - {("CXError", "cxkit")}:
            assert code[:4] == getattr(errors, kind).default_code[:4], (code, kind, place)


@given(st.text(max_size=20), st.lists(st.text(max_size=10), max_size=5))
def test_the_nearest_name_is_one_of_those_known(name: str, known: list[str]) -> None:
    text = nearest(name, known)
    assert text.startswith(("did you mean", "known: ", "none are known"))
    if text.startswith("did you mean"):
        assert text.removeprefix('did you mean "').removesuffix('"?') in known


def test_the_nearest_name_is_found() -> None:
    assert nearest("urll", ["url", "headers"]) == 'did you mean "url"?'
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("x", []) == "none are known here"
