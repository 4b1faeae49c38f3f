"""Lists of what is written by servers and programs, as one expression each."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["any_of"]


_BOUNDS: Final = {r"\w*": r"\w{0,20}", r"\w+": r"\w{1,20}", r"\S*": r"\S{0,60}", r"\d+": r"\d{1,9}", ")*": "){0,5}"}


def any_of(words: str, *, before: str = "", after: str = "") -> re.Pattern[str]:
    r"""What matches any of these lines, in any case. A line that ends within a group goes on in the next.

    ``...`` stands for up to forty characters and ``\w*`` for up to twenty: what repeats without a bound takes quadratic
    time of a text that is made for it.

    Example:
        >>> any_of('''
        ... mailbox ... full
        ... over quota
        ... ''').search("Mailbox is full")
        <re.Match object; span=(0, 15), match='Mailbox is full'>
    """
    lines = "|".join(line for line in words.strip("\n").splitlines() if line)
    lines = lines.replace(" ... ", ".{1,40}?").replace("...", ".{0,40}?")
    for unbounded, bounded in _BOUNDS.items():
        lines = lines.replace(unbounded, bounded)
    return re.compile(f"{before}(?:{lines}){after}", re.I)
