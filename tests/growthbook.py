"""GrowthBook's payloads decided by our rules: imported, written as TOML, read back, checked, and then asked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import attrs

from cxkit.cli.experiments.growthbook import Imported, read_payload, units_in
from cxkit.cli.experiments.written import toml_of
from cxkit.model import Decision, ExperienceSpec
from cxkit.rules.experience import Cap, Chooser, check_together
from cxkit.settings import structure
from tests.rules.experience.asked import Asked

__all__ = ["World", "as_identifier"]

_ANYTHING = Cap(4, None)
_NOTHING: Mapping[str, Any] = {}


class World:
    """A payload's features, for whom one may ask.

    Attributes divide people by their own names, which become types of identifiers.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self.attribute_of = {f"unit_{place}": name for place, name in enumerate(units_in(payload))}
        self.imported: Imported = read_payload(payload, units={name: unit for unit, name in self.attribute_of.items()})
        tables = tomllib.loads(toml_of(self.imported.experiences)).get("experiences", {})
        self.choosers = {
            name: Chooser(structure(ExperienceSpec, {"name": name, **table}, where=f"experiences.{name}"))
            for name, table in tables.items()
        }
        check_together(chooser.spec for chooser in self.choosers.values())

    def decide(
        self,
        feature: str,
        attributes: Mapping[str, Any],
        *,
        kept: Mapping[str, str] = _NOTHING,
        forced: Mapping[str, int] = _NOTHING,
    ) -> Decision:
        """What a feature is for somebody.

        Args:
            forced: Experiment to the place of the variation that they want to see.
        """
        chooser = self.choosers[self.imported.features[feature]]
        for experiment in chooser.spec.experiments:
            if experiment.name in forced:
                wanted = chooser.preview(experiment.variations[forced[experiment.name]], _ANYTHING)
                assert wanted is not None
                return wanted
        return self.chosen(chooser.spec.name, attributes, kept)

    def chosen(self, experience: str, attributes: Mapping[str, Any], kept: Mapping[str, str]) -> Decision:
        """What the experience that a feature became is for somebody."""

        def unit(type: str) -> str | None:
            return as_identifier(attributes.get(self.attribute_of[type]))

        def decided(experience: str) -> Mapping[str, Any]:
            return attrs.asdict(self.chosen(experience, attributes, kept))

        asking = Asked(attributes, unit=unit, kept=kept.get, decided=decided)
        return self.choosers[experience].choose(asking, _ANYTHING)


def as_identifier(value: object) -> str | None:
    """As JavaScript writes it; None of what it takes for nothing."""
    if not value:
        return None
    return value if isinstance(value, str) else str(value).lower()
