"""Patterns, each tried only where a text is that it needs: to look for a text costs a tenth of trying a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files

__all__ = ["Words", "lines"]


def lines(name: str) -> list[str]:
    """The lines of a list that comes with this package."""
    return files("cxkit_device").joinpath("lists", name).read_text("utf-8").splitlines()


class Words:
    r"""Says whether a text holds any of them.

    Args:
        words: Each a text; or a text and, behind a tab, the pattern that needs it.

    Example:
        >>> Words(["smart-tv", "aft\t\\baft[a-z]{1,3}\\b"]).within("(linux; android 9; aftmm)")
        True
    """

    def __init__(self, words: Iterable[str]) -> None:
        pairs = [one.partition("\t") for one in words]
        self._texts = tuple(text for text, _, pattern in pairs if not pattern)
        self._patterns = tuple((text, re.compile(pattern).search) for text, _, pattern in pairs if pattern)

    def within(self, text: str) -> bool:
        """Whether any of them is in it."""
        for one in self._texts:  # not any(): a generator would cost more than the looking
            if one in text:
                return True
        return any(needed in text and search(text) for needed, search in self._patterns)
