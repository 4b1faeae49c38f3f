"""A configuration, whole or broken: what is left of it, and all for which a kit would not start."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import attrs

from cxkit.errors import CXError, PluginError
from cxkit.kit.assembly import build_exporter, refusals
from cxkit.registry import Registry
from cxkit.settings import Settings, examine

__all__ = ["Examined", "examined"]


@attrs.frozen(kw_only=True, slots=False)
class Examined:
    """A configuration without what is wrong with it, and that."""

    settings: Settings
    registry: Registry
    errors: tuple[CXError, ...]
    """All for which a kit would not start."""

    @cached_property
    def purposes(self) -> Mapping[str, frozenset[str]]:
        """Exporter to its purposes, for those that can be built."""
        return {name: found for name in self.settings.exporters if (found := self._purposes(name))}

    def _purposes(self, name: str) -> frozenset[str]:
        configured = self.settings.exporters[name].purposes
        if configured:
            return configured
        try:
            exporter = build_exporter(self.registry, self.settings, name)
        except Exception:  # noqa: BLE001 - it is among the errors already
            return frozenset()
        exporter.close()
        return exporter.purposes


def examined(overrides: Mapping[str, object] | None = None) -> Examined:
    """The configuration of this directory; whatever is wrong with it is gathered, not raised. Starts nothing.

    Args:
        overrides: What the code wants, as `cxkit.settings.load` takes it.
    """
    settings, refused = examine(overrides=overrides)
    broken: list[PluginError] = []
    registry = Registry(settings.plugins, refuse=broken.append)
    known = {error.setting for error in refused if error.setting}
    known |= {setting.partition("[")[0] for setting in known}  # of a list what is left of it
    # What is missing only because it was refused, and left out, is no second error.
    later = [error for error in refusals(registry, settings) if getattr(error, "setting", None) not in known]
    return Examined(settings=settings, registry=registry, errors=(*refused, *broken, *later))
