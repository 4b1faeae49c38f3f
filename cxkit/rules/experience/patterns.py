r"""Regular expressions that cannot stall: those whose author wrote one that could are refused when they are declared.

The syntax is JavaScript's, as conditions are written for every SDK: it is read here, and written anew for Python, so
that ``$``, ``.``, ``\d`` and ``\b`` mean what they mean there. What it can cost is bounded by three figures:

``ways``    in how many ways the parts that may be there or not, and alternatives that begin alike, can be combined
``degree``  how many parts of no fixed length can share out the same characters in different ways; one more if it may
            begin anywhere
``most``    how many characters of a text are looked at
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["LONGEST_PATTERN", "LONGEST_SUBJECT", "WrongPattern", "searching"]

LONGEST_PATTERN: Final = 256
LONGEST_SUBJECT: Final = 512
_MOST_STEPS: Final = 2 * LONGEST_SUBJECT**2
_MANY: Final = 8
"""A part whose length may differ by more counts as one without a limit."""
_DEEPEST: Final = 8

_QUANTIFIER: Final = re.compile(r"(?:([*+?])|\{(\d{1,4})(,(\d{0,4}))?\})\??")
_ESCAPED: Final = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})")
_CONTROL: Final = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "f": "\f", "0": "\0"}
_WORD: Final = "A-Za-z0-9_"
_OUTSIDE: Final = {
    "d": "[0-9]", "D": "[^0-9]", "w": f"[{_WORD}]", "W": f"[^{_WORD}]", "s": r"[\s\ufeff]", "S": r"[^\s\ufeff]",
}  # fmt: skip
_INSIDE: Final = {"d": "0-9", "D": r"\D", "w": _WORD, "W": r"\W", "s": r"\s\ufeff", "S": r"\S"}
_NO_LINE_END: Final = "[^\n\r\u2028\u2029]"


class WrongPattern(ValueError):  # noqa: N818 - it becomes a DeclarationError, which knows where
    """What is wrong with it, for the one who wrote it."""


def searching(pattern: str, *, insensitive: bool = False) -> Callable[[str], bool]:
    """The function that says whether a text has this pattern in its first 512 characters.

    Raises:
        WrongPattern: It is none, or it could take too long.

    Example:
        >>> searching("(Mobile|Tablet)$")("Safari Mobile")
        True
    """
    if len(pattern) > LONGEST_PATTERN:
        raise WrongPattern(f"is longer than {LONGEST_PATTERN} characters")
    reader = _Reader(pattern, re.IGNORECASE if insensitive else re.NOFLAG)
    cost = reader.read()
    if cost.ways * LONGEST_SUBJECT ** max(cost.degree, 1) > _MOST_STEPS:
        raise WrongPattern("could take too long: it has parts that can share out a text among them in too many ways")
    search = re.compile(cost.text, reader.flags).search
    return lambda text: search(text[:LONGEST_SUBJECT]) is not None


class _Piece(NamedTuple):
    """What stands between two others, with its quantifier."""

    text: str
    """For Python."""
    ways: int = 1
    degree: int = 0
    literal: str | None = None
    """The one character it is, if it is one."""
    single: str | None = None
    """One character wide, whichever: its text without the quantifier."""
    varies: bool = False
    """Whether it can be of different lengths."""
    many: bool = False
    once: _Piece | None = None
    """Without its quantifier."""
    least: int = 1
    """So often it must be there."""
    edge: str | None = None
    """``^``, ``$``, ``b`` or ``B``: a place and no character."""
    inside: tuple[_Piece, ...] = ()
    """Of a group that only holds together: what may stand there without its brackets."""


class _Reader:
    """One pass over the pattern."""

    def __init__(self, pattern: str, flags: re.RegexFlag) -> None:
        self.pattern, self.flags = pattern, flags
        self._at = 0
        self._depth = 0

    def read(self) -> _Piece:
        """The whole.

        Raises:
            WrongPattern: It is none.
        """
        alternatives = [_shortened(one) for one in self._alternatives()]
        if self._at < len(self.pattern):
            raise WrongPattern("closes a bracket that is not open")
        costs = [self._cost(one) for one in alternatives]
        degree = 0
        for one, (_, its, scans) in zip(alternatives, costs, strict=True):
            anchored = bool(one) and one[0].edge == "^"
            degree = max(degree, max(its, int(scans)) + (not anchored))
        return _Piece("|".join(_text(one) for one in alternatives), _together(alternatives, costs), degree)

    def _alternatives(self) -> list[list[_Piece]]:
        found = [list(self._sequence())]
        while self._took("|"):
            found.append(list(self._sequence()))
        return found

    def _sequence(self) -> Iterator[_Piece]:
        while self._at < len(self.pattern) and self.pattern[self._at] not in "|)":
            atom = self._atom()
            found = _QUANTIFIER.match(self.pattern, self._at)
            if found is None:
                yield from atom.inside or (atom,)
                continue
            self._at = found.end()
            if _QUANTIFIER.match(self.pattern, self._at):
                raise WrongPattern("repeats what is already repeated")
            yield _repeated(atom, found)

    def _atom(self) -> _Piece:
        char = self.pattern[self._at]
        if char in "*+?":
            raise WrongPattern(f"has a {char} that repeats nothing")
        self._at += 1
        if char == "(":
            return self._group()
        if char == "[":
            text = self._class()
            return _Piece(text, single=text)
        if char == ".":
            return _Piece(_NO_LINE_END, single=_NO_LINE_END)
        if char in "^$":
            return _Piece("^" if char == "^" else r"\Z", edge=char)
        if char == "\\":
            return self._escape()
        return _literal(char)

    def _escape(self) -> _Piece:
        char = self._next()
        if char in "bB":
            return _Piece(f"(?a:\\{char})", edge=char)
        if char in _OUTSIDE:
            return _Piece(_OUTSIDE[char], single=_OUTSIDE[char])
        return _literal(self._character(char))

    def _character(self, char: str) -> str:
        if char in _CONTROL:
            return _CONTROL[char]
        if found := _ESCAPED.match(self.pattern, self._at - 1):
            self._at = found.end()
            return chr(int(found[1] or found[2], 16))
        if char.isalnum():
            raise WrongPattern(f"has \\{char}, which is not known here")
        return char

    def _group(self) -> _Piece:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise WrongPattern(f"has groups nested more than {_DEEPEST} deep")
        opening = re.compile(r"\?:|\?=|\?!|\?<[A-Za-z]\w*>|(?!\?)").match(self.pattern, self._at)
        if opening is None:
            raise WrongPattern("has a group of a kind that is not known here")
        self._at = opening.end()
        alternatives = self._alternatives()
        if not self._took(")"):
            raise WrongPattern("has a group that is not closed")
        self._depth -= 1
        kind = opening[0] if opening[0] in ("?=", "?!") else "?:"
        costs = [self._cost(one) for one in alternatives]
        return _Piece(
            f"({kind}{'|'.join(_text(one) for one in alternatives)})",
            ways=_together(alternatives, costs),
            degree=max(max(degree, int(scans)) for _, degree, scans in costs),
            varies=len(alternatives) > 1 or any(piece.varies for piece in alternatives[0]),
            inside=tuple(alternatives[0]) if kind == "?:" and len(alternatives) == 1 else (),
        )

    def _class(self) -> str:
        if self._took("^]"):
            return r"[\s\S]"
        text = "[^" if self._took("^") else "["
        if self._took("]"):
            raise WrongPattern("has a class of no characters")
        while not self._took("]"):
            text += self._member()
            if self._took("-"):
                text += r"\-" if self.pattern.startswith("]", self._at) else "-" + self._member()
        try:
            re.compile(text + "]")
        except re.error as error:
            raise WrongPattern(f"has a class that is none ({error.msg})") from None
        return text + "]"

    def _member(self) -> str:
        char = self._next()
        if char != "\\":
            return re.escape(char)
        char = self._next()
        return "\b" if char == "b" else _INSIDE.get(char) or re.escape(self._character(char))

    def _next(self) -> str:
        if self._at >= len(self.pattern):
            raise WrongPattern("ends too early")
        self._at += 1
        return self.pattern[self._at - 1]

    def _took(self, text: str) -> bool:
        if self.pattern.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _cost(self, pieces: Sequence[_Piece]) -> tuple[int, int, bool]:
        """Of a sequence: its ways, its degree, and whether it has a part without a limit that adds no degree."""
        ways, degree, scans = 1, 0, False
        for place, piece in enumerate(pieces):
            ways *= piece.ways
            degree += piece.degree
            if piece.many:
                if degree or not self._ends(piece, pieces[place + 1 :]):
                    degree += 1
                scans = True
        return ways, degree, scans

    def _ends(self, piece: _Piece, after: Sequence[_Piece]) -> bool:
        """Whether there is but one place where the part without a limit can end."""
        for following in after:
            if following.edge == "$":
                return True
            if piece.single is None or following.single is None or self._share(piece.single, following.single):
                return False
            if following.least:
                return True
        return False

    def _share(self, one: str, other: str) -> bool:
        """Whether a character is both."""
        both = [re.compile(text, self.flags) for text in (one, other)]
        alphabet = {chr(code) for code in range(256)} | set(self.pattern)
        alphabet |= {form for char in self.pattern for form in (char.lower(), char.upper()) if len(form) == 1}
        return any(all(text.fullmatch(char) for text in both) for char in alphabet)


def _literal(char: str) -> _Piece:
    return _Piece(re.escape(char), literal=char, single=re.escape(char))


def _repeated(atom: _Piece, quantifier: re.Match[str]) -> _Piece:
    least, most = _times(quantifier)
    if most < least:
        raise WrongPattern(f"has {quantifier[0]}, which is no number of times")
    if atom.edge or atom.text.startswith(("(?=", "(?!")):
        raise WrongPattern("repeats what has no length")
    if most > 1 and (atom.varies or atom.degree):
        raise WrongPattern("repeats a group that has repeats or alternatives in it")
    many = most - least > _MANY
    return _Piece(
        atom.text + quantifier[0],
        ways=atom.ways if many or least == most else atom.ways * int(most - least + 1),
        degree=atom.degree,
        single=atom.single,
        varies=least != most or atom.varies,
        many=many,
        once=atom,
        least=least,
    )


def _times(quantifier: re.Match[str]) -> tuple[int, float]:
    if sign := quantifier[1]:
        return int(sign == "+"), 1 if sign == "?" else math.inf
    least = int(quantifier[2])
    return least, least if quantifier[3] is None else int(quantifier[4]) if quantifier[4] else math.inf


def _text(pieces: Sequence[_Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _shortened(pieces: Sequence[_Piece]) -> list[_Piece]:
    """As little as must be found: that more of it stands before or after does not matter to a search."""
    kept = list(pieces)
    for end in (0, -1):
        while kept and (once := kept[end].once) is not None:
            least = kept[end].least
            kept[end : end + 1 or None] = [once._replace(text=f"{once.text}{{{least}}}")] if least else []
            if least:
                break
    return kept


def _together(alternatives: Sequence[Sequence[_Piece]], costs: Sequence[tuple[int, int, bool]]) -> int:
    """In how many ways one text can go through the alternatives."""
    most = max(ways for ways, _, _ in costs)
    words = [[piece.literal for piece in one] for one in alternatives]
    if any(None in word for word in words):
        return most * len(alternatives)
    plain = ["".join(filter(None, word)).casefold() for word in words]
    return most * max(sum(one.startswith(other) for other in plain) for one in plain)
