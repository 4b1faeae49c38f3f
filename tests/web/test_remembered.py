"""What is remembered of requests: so many, of nobody."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

from cxkit.web.remembered import Remembered


def test_what_was_not_used_for_longest_is_given_up() -> None:
    remembered = Remembered[str](most=2)
    remembered.keep(("a", None), "A")
    remembered.keep(("b", None), "B")
    assert remembered.get(("a", None)) == "A"
    remembered.keep(("c", None), "C")
    assert [remembered.get((one, None)) for one in "abc"] == ["A", None, "C"]
    assert len(remembered) == 2


def test_false_is_a_value() -> None:
    remembered = Remembered[bool](most=1)
    remembered.keep("curl", value=False)
    assert remembered.get("curl") is False


def test_what_was_said_is_not_kept() -> None:
    remembered = Remembered[int](most=9)
    said = ("45.75781", "canary-" + "4711")
    remembered.keep(said, 1)
    assert said not in gc.get_referents(remembered._kept)
    assert {type(one) for one in remembered._kept} == {int}


def test_threads_may_use_it_at_once() -> None:
    remembered = Remembered[int](most=3)

    def use(first: int) -> int:
        for number in range(first, first + 2000):
            remembered.keep(number % 7, number)
            remembered.get(number % 5)
        return first

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(use, range(4))) == [0, 1, 2, 3]
    assert len(remembered) <= 3
