"""Plugins of somebody else, for the tests of the registry and of the hooks."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from cxkit.hookspecs import hookimpl
from cxkit.registry import Registry
from cxkit.roles import Factory
from cxkit.settings import Plugins

Install = Callable[[str, str], None]
"""Installs a distribution, given its name and the text of its module."""

ENRICHER = """
    import attrs
    from cxkit.hookspecs import hookimpl
    from cxkit.roles import Factory

    @attrs.frozen(kw_only=True)
    class Options:
        zone: str = "Europe/Paris"

    class Zone:
        def __init__(self, options):
            self.zone = options.zone

        def enrich(self, facts, context):
            return {"timezone": self.zone}

    @hookimpl
    def cxkit_enrichers():
        return [Factory(name="zone", settings=Options, build=Zone)]
"""


@attrs.frozen(kw_only=True)
class Options:
    """Of a plugin in these tests."""

    greeting: str = "hello"


def factory(name: str, made: Callable[[Options], Any]) -> Factory[Any]:
    return Factory(name=name, settings=Options, build=made)


def plugin(**hooks: Callable[..., Any]) -> ModuleType:
    """A module that implements these hooks."""
    made = ModuleType("theirs")
    for name, hook in hooks.items():
        setattr(made, name, hookimpl(hook))
    return made


def registry(**plugins: object) -> Registry:
    return Registry(Plugins(), found=[], more=plugins)


@contextmanager
def installing(site: Path) -> Iterator[Install]:
    """Distributions with an entry point each, as an installer leaves them; forgotten at the end."""
    made: list[str] = []

    def install(name: str, text: str) -> None:
        (site / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")
        described = site / f"{name}-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        (described / "entry_points.txt").write_text(f"[cxkit]\n{name} = {name}\n", "utf-8")
        importlib.invalidate_caches()
        made.append(name)

    sys.path.insert(0, str(site))
    try:
        yield install
    finally:
        sys.path.remove(str(site))
        for name in made:
            sys.modules.pop(name, None)
