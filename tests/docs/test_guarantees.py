"""docs/reference/guarantees.md lists each fault and hostile request once; the tests it names exist and say so."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([FBS]\d+) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`((?:tests|plugins|cxkit/testing)/[\w/.-]+\.py)::(\w+)`")
LISTS = {
    "The fault list": [f"F{number}" for number in range(1, 46)],
    "Hostile requests": [
        *(f"B{number}" for number in range(64, 79)),
        *(f"S{number}" for number in (1, 2, 3, 4, 8, 9, 15, 16, 17, 18, 31)),
    ],
}
"""By the heading: what is in it."""


def listed(pages: dict[str, Any], heading: str) -> list[tuple[str, str]]:
    """Each row of a list: the number, and the rest."""
    return ROW.findall(pages["docs/reference/guarantees.md"].section(heading))


@cache
def documented(file: str) -> dict[str, str]:
    """The tests of a file, each with what its docstring and its module's say."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    around = ast.get_docstring(tree) or ""
    return {
        one.name: f"{around}\n{ast.get_docstring(one) or ''}"
        for one in ast.walk(tree)
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def named(text: str) -> set[str]:
    """The numbers in a text: ``F5``, and those of a span, ``F17 to F27``."""
    found = set(re.findall(r"\b[FBS]\d+\b", text))
    for first, last in re.findall(r"\bF(\d+) to F(\d+)\b", text):
        found |= {f"F{number}" for number in range(int(first), int(last) + 1)}
    return found


@pytest.mark.parametrize("heading", LISTS)
def test_each_is_listed_once_and_in_order(pages: dict[str, Any], heading: str) -> None:
    assert [number for number, _ in listed(pages, heading)] == LISTS[heading]


@pytest.mark.parametrize("heading", LISTS)
def test_each_has_tests_that_say_so(pages: dict[str, Any], heading: str) -> None:
    for number, row in listed(pages, heading):
        tests = TEST.findall(row)
        assert tests, f"{number} has no test"
        for file, name in tests:
            assert (ROOT / file).exists(), f"{number}: {file}"
            assert name in documented(file), f"{number}: {file}::{name}"
            assert number in named(documented(file)[name]), f"{number}: {name} does not say so"


def test_every_scenario_has_a_test(pages: dict[str, Any]) -> None:
    section = pages["docs/reference/guarantees.md"].section("The same scenarios as other products")
    tests = TEST.findall(section)
    assert len(tests) == section.count("\n| ") - 1
    for file, name in tests:
        assert name in documented(file), f"{file}::{name}"


def test_every_promise_of_e_mail_has_tests(pages: dict[str, Any]) -> None:
    _, *promises = re.findall(
        r"^\| (?!-)(.+) \|$", pages["docs/reference/guarantees.md"].section("E-mail"), re.MULTILINE
    )
    assert promises
    for promise in promises:
        tests = TEST.findall(promise)
        assert tests, promise
        for file, name in tests:
            assert name in documented(file), f"{file}::{name}"


def test_a_row_that_names_what_is_not_there_is_found() -> None:
    """The checks above can fail."""
    file = "tests/faults/test_clock.py"
    assert "test_no_such_thing" not in documented(file)
    assert "F9" not in named(documented(file)["test_a_clock_that_jumps_loses_stalls_and_expires_nothing"])
    assert named("F3, F17 to F19") == {"F3", "F17", "F18", "F19"}
