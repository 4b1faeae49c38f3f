"""No pattern runs wild: of none can two repetitions share a text, so a search costs at most its length for each place.

What they read is cut to 1,024 characters. Those of ua-parser are read by an engine that never goes back.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from re import _compiler as compiler  # type: ignore[attr-defined]  # the only reader of Python's patterns is Python's own
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import pytest

from cxkit.web import actor
from cxkit_device import DeviceEnricher, Settings
from cxkit_device.enricher import MAX_CHARS as OF_AGENTS
from cxkit_device.hints import read
from cxkit_device.structured import MAX_CHARS as OF_HINTS

REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT)
FEW = 100
"""A repetition of no more is a length like any other."""
ASCII = frozenset(map(chr, range(128)))


class Step(NamedTuple):
    """A piece of a pattern: what it may take, and whether it may take as much as it likes, or nothing."""

    takes: frozenset[str]
    forever: bool = False
    needed: bool = True


def paths(parsed: Any, state: Any, flags: int) -> list[list[Step]]:
    """The ways through a pattern, each as its steps; what is repeated is walked twice."""
    found: list[list[Step]] = [[]]
    for kind, value in parsed:
        ways = _ways(kind, value, state, flags)
        found = [one + way for one in found for way in ways]
        assert len(found) < 5000
    return found


def _ways(kind: Any, value: Any, state: Any, flags: int) -> list[list[Step]]:
    if kind in (op.AT, op.ASSERT, op.ASSERT_NOT):  # they take nothing; what they look at is judged by itself
        return [[]]
    if kind is op.SUBPATTERN:
        return paths(value[3], state, flags)
    if kind is op.BRANCH:
        return [way for one in value[1] for way in paths(one, state, flags)]
    if kind not in REPEATS:
        one = parser.SubPattern(state, [(kind, value)])
        return [[Step(frozenset(filter(compiler.compile(one, flags).fullmatch, ASCII)))]]
    least, most, inner = value
    within = paths(inner, state, flags)
    if most < FEW:
        return [*([[]] if least == 0 else []), *within]
    if all(len(way) == 1 and not way[0].forever for way in within):
        return [[Step(frozenset().union(*(way[0].takes for way in within)), forever=True, needed=least > 0)]]
    return [*([[]] if least == 0 else []), *(one + other for one in within for other in within)]


def wild(pattern: re.Pattern[str]) -> bool:
    """Whether two repetitions of it may share a text, in which it would be tried how they share it."""
    parsed = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    looked = [value[1] for kind, value in parsed if kind in (op.ASSERT, op.ASSERT_NOT)]
    for way in (way for one in (parsed, *looked) for way in paths(one, parsed.state, pattern.flags)):
        for place, first in enumerate(way):
            shared = first.takes if first.forever else frozenset[str]()
            for second in way[place + 1 :]:
                shared = shared & second.takes if second.needed or second.forever else shared
                if second.forever and shared:
                    return True
    return False


def patterns(of: object, seen: set[int]) -> Iterator[re.Pattern[str]]:
    """Those that it holds, and those that what it holds holds."""
    if id(of) in seen or isinstance(of, str | type(sys)):
        return
    seen.add(id(of))
    of = getattr(of, "__self__", of)  # a pattern's method, kept instead of the pattern
    if isinstance(of, re.Pattern):
        yield of
    elif isinstance(of, dict | list | tuple):
        for one in of.values() if isinstance(of, dict) else of:
            yield from patterns(one, seen)
    elif type(of).__module__.startswith("cxkit_device"):
        yield from patterns(getattr(of, "__dict__", {}), seen)


SHIPPED = {
    one.pattern: one
    for held in (
        DeviceEnricher(Settings(engine="none")),
        vars(actor),
        *(vars(module) for name, module in sys.modules.items() if name.startswith("cxkit_device")),
    )
    for one in patterns(held, set())
}


def test_all_of_them_are_looked_at() -> None:
    assert len(SHIPPED) > 200
    assert {actor._ROBOT.pattern, r"\bperl\b", r"aquos(?!.*mobile)", r"Current[\s\S]*RSS Reader"} <= set(SHIPPED)


def test_no_pattern_runs_wild() -> None:
    assert [text for text, one in SHIPPED.items() if wild(one)] == []


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (r"\W*not\W*_?\W*a", True), (r"(?:a+)+b", True), (r"(?:[ab]+c?)*d", True), (r"/([0-9]+).*safari", True),
        (r"a*[^b]*b", True), (r"(?!.*a.*b)c", True),
        (r"[ \t]*,[ \t]*", False), (r"(?:;[a-z]+)*", False),
        (r"[0-9]+\.[0-9]+", False), (r"trident/.*rv:([0-9]+)", False),
    ],
)  # fmt: skip
def test_what_runs_wild_is_told(text: str, *, runs: bool) -> None:
    assert wild(re.compile(text)) is runs


def test_what_they_read_is_short() -> None:
    assert (OF_AGENTS, OF_HINTS) == (1024, 1024)


def test_a_brand_that_is_nearly_one_to_be_dropped() -> None:
    """967 bytes of one header, tried in n ways times n times n, once took a second."""
    brand = "not" + " " * 480 + "a" + " " * 480 + "x"
    assert read({"sec-ch-ua": f'"{brand}"'}).brands == {brand: None}
    assert read({"sec-ch-ua": '"Not' + "_ " * 200 + "A" + "_;" * 200 + 'Brand"'}).brands == {}
