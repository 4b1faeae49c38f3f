"""Whoever asks for a decision, in the tests of the rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from cxkit.rules.experience import Asking, Ruling

__all__ = ["Asked"]


class Asked(dict[str, Any], Asking):
    """Somebody of whom this is known."""

    pending = False
    measured = True

    def __init__(
        self,
        attributes: Mapping[str, Any] = {},
        *,
        unit: Callable[[str], str | None] = lambda type: None,
        kept: Callable[[str], str | None] = lambda key: None,
        decided: Callable[[str], Mapping[str, Any] | None] = lambda experience: None,
        withheld: Collection[str] = (),
        ruling: Ruling | None = None,
        pending: bool = False,
        measured: bool = True,
    ) -> None:
        super().__init__(attributes)
        self._unit, self._kept, self._decided = unit, kept, decided
        self._withheld, self._ruling = withheld, ruling
        self.pending, self.measured = pending, measured

    def unit(self, type: str) -> str | None:
        return self._unit(type)

    def withholds(self, name: str) -> bool:
        return name in self._withheld

    def ruling(self, experiment: str) -> Ruling | None:
        return self._ruling

    def kept(self, key: str) -> str | None:
        return self._kept(key)

    def crossed_over(self, key: str) -> bool:
        return False

    def before(self, experience: str) -> Mapping[str, Any] | None:
        return self._decided(experience)
