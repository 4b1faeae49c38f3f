"""Feedback: how the customer perceived it."""

from __future__ import annotations

from typing import Final, Literal

import attrs

from cxkit.errors import InvalidInteractionError

__all__ = ["SCALES", "Feedback", "Scale"]

Scale = Literal["nps", "csat", "ces", "expectation", "useful", "usable", "enjoyable"]

SCALES: Final[dict[str, tuple[int, int]]] = {
    "nps": (0, 10),
    "csat": (1, 5),
    "ces": (1, 7),
    "expectation": (-1, 1),
    "useful": (1, 5),
    "usable": (1, 5),
    "enjoyable": (1, 5),
}
"""Lowest and highest score of each."""


@attrs.frozen(kw_only=True)
class Feedback:
    """One answer.

    Raises:
        InvalidInteractionError: There is no such scale, or the score is off it.

    Example:
        >>> Feedback(scale="nps", score=9).score
        9
    """

    scale: Scale
    score: int = attrs.field()

    @score.validator
    def _on_scale(self, attribute: attrs.Attribute[int], value: int) -> None:
        low, high = SCALES.get(str(self.scale), (1, 0))  # whatever it is, it need not be hashable
        if type(value) is not int or not low <= value <= high:
            raise InvalidInteractionError(
                f'a score for "{self.scale}" is off its scale',
                fix=f"give a whole number from {low} to {high}" if low <= high else f"take one of {', '.join(SCALES)}",
                code="CX3113",
            )
