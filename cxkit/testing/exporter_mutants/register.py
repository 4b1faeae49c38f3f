"""Where mutants are written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs

from cxkit.roles import Factory
from cxkit.testing.exporter_mutants.reference import CounterExporter, Settings

__all__ = ["Mutant", "mutant", "mutants"]

E = TypeVar("E", bound=CounterExporter)


@attrs.frozen
class Mutant:
    """The reference with one bug."""

    name: str
    dies_of: str
    """The check that must fail."""
    factory: Factory[Any]


mutants: Final[list[Mutant]] = []


def mutant(dies_of: str) -> Callable[[type[E]], type[E]]:
    """Write down a class as a mutant that must die of this check."""

    def register(kind: type[E]) -> type[E]:
        mutants.append(Mutant(kind.__name__, dies_of, Factory(name="counter", settings=Settings, build=kind)))
        return kind

    return register
