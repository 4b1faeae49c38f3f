"""The registry: find plugins, allow or block them, and gather what they offer.

Built-ins register through the same hooks as strangers. Each entry point is loaded in a guard of
its own: what it raises costs that plugin alone, and is kept in ``failures``. An implementation
under a name that is no hook is refused with the nearest name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import pluggy

from cxkit import hookspecs
from cxkit.errors import ConfigurationError, PluginError, nearest
from cxkit.roles import Channel, Decider, Enricher, Exporter, Factory, SignalReader, Store
from cxkit.settings import Plugins, Settings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Failure", "Registry", "build"]

T = TypeVar("T")
_GROUP: Final = "cxkit"
_MAX_FAILURES: Final = 100
"""A hook may fail again and again, each time with another text."""


@attrs.frozen(kw_only=True)
class Failure:
    """A plugin, or one of its hooks, that could not be used."""

    plugin: str
    reason: str


class _BuiltIn:
    """What comes with cxkit, through the hooks. Imported when it is asked for: importing cxkit must be quick."""

    @hookspecs.hookimpl
    def cxkit_exporters(self) -> list[Factory[Exporter]]:
        from cxkit.exporters import console, file, http, local

        return [console.FACTORY, file.FACTORY, http.FACTORY, local.FACTORY]

    @hookspecs.hookimpl
    def cxkit_stores(self) -> list[Factory[Store]]:
        from cxkit.stores import memory, sqlite

        return [memory.FACTORY, sqlite.FACTORY]


class Registry:
    """The plugins in use, in the order of their names, built-ins first.

    Args:
        settings: Which plugins to allow and to block.
        found: Entry points; by default those installed.
        more: Modules or objects to register besides, by name.
        refuse: Told of a `PluginError` instead of raising it; that plugin is then left out.

    Raises:
        PluginError: A plugin implements a hook that does not exist, wants an argument that a hook does
            not have, or has forgotten the mark.
    """

    def __init__(
        self,
        settings: Plugins,
        *,
        found: Iterable[EntryPoint] | None = None,
        more: Mapping[str, object] | None = None,
        refuse: Callable[[PluginError], None] | None = None,
    ) -> None:
        self.failures: list[Failure] = []
        self.left_out: list[str] = []
        """The plugins that are installed and not wanted."""
        self._refuse = refuse
        self._points: dict[str, EntryPoint] = {}
        self._manager = pluggy.PluginManager("cxkit")
        self._manager.add_hookspecs(hookspecs)
        self._hooks = {name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "cxkit_spec")}
        self._register("cxkit", _BuiltIn())
        points = _installed() if found is None else found
        for point in sorted(points, key=lambda point: point.name):
            self._points[point.name] = point
            if self._wanted(point.name, settings):
                self._load(point)
            else:
                self.left_out.append(point.name)
        for name, plugin in (more or {}).items():
            self._register(name, plugin)

    @property
    def plugins(self) -> dict[str, object]:
        """Name to what was registered under it."""
        return {name: plugin for name, plugin in self._manager.list_name_plugin() if plugin is not None}

    def hooks_of(self, plugin: str) -> list[str]:
        """The hooks that a plugin implements, by name."""
        callers = self._manager.get_hookcallers(self._manager.get_plugin(plugin)) or ()
        return sorted(caller.name for caller in callers)

    def distribution_of(self, plugin: str) -> str | None:
        """The name and version of the distribution that a plugin came with; None if it came with none."""
        from importlib.metadata import PackageNotFoundError, distribution

        point = self._points.get(plugin)
        try:
            came = point.dist if point else distribution("cxkit") if plugin == "cxkit" else None
        except PackageNotFoundError:  # run from a checkout that is not installed
            came = None
        return f"{came.name} {came.version}" if came else None

    def exporters(self) -> dict[str, Factory[Exporter]]:
        """Kinds of exporters, by name."""
        return self._factories("cxkit_exporters")

    def stores(self) -> dict[str, Factory[Store]]:
        """Kinds of stores, by name."""
        return self._factories("cxkit_stores")

    def enrichers(self) -> dict[str, Factory[Enricher]]:
        """Enrichers, by name, in the order in which they run."""
        return self._factories("cxkit_enrichers")

    def deciders(self) -> dict[str, Factory[Decider]]:
        """Deciders, by name, in the order in which they are asked."""
        return self._factories("cxkit_deciders")

    def channels(self) -> dict[str, Factory[Channel]]:
        """Channels, by name."""
        return self._factories("cxkit_channels")

    def signals(self) -> dict[str, Factory[SignalReader]]:
        """Readers of signals, by name."""
        return self._factories("cxkit_signals")

    def tables(self) -> dict[str, type]:
        """Tables of the configuration that belong to plugins."""
        tables: dict[str, type] = {}
        for plugin, found in self._ask("cxkit_settings", shape=dict):
            for name, kind in found.items():
                if name in tables or name in Settings.__annotations__:
                    self.fail(plugin, f'table "{name}" is already taken')
                elif not (isinstance(kind, type) and attrs.has(kind)):
                    self.fail(plugin, f'table "{name}" is not described by an attrs class')
                else:
                    tables[name] = kind
        return tables

    def add_commands(self, cli: object) -> None:
        """Let plugins add to the command line."""
        for _ in self._ask("cxkit_commands", cli=cli):
            pass

    def drop_listener(self) -> Callable[[str, int, str | None], None] | None:
        """What tells all plugins of drops; None if none wants to know."""
        if not self._manager.hook.on_drop.get_hookimpls():
            return None

        def tell(reason: str, count: int, exporter: str | None) -> None:
            for _ in self._ask("on_drop", reason=reason, count=count, exporter=exporter):
                pass

        return tell

    def fail(self, plugin: str, reason: str) -> None:
        """Keep what went wrong with a plugin, for whoever asks."""
        failure = Failure(plugin=plugin, reason=reason)
        if failure not in self.failures and len(self.failures) < _MAX_FAILURES:
            self.failures.append(failure)

    # --- inside ---

    def _wanted(self, name: str, settings: Plugins) -> bool:
        allowed = settings.allow is None or name in settings.allow
        return allowed and name not in settings.block

    def _load(self, point: EntryPoint) -> None:
        try:
            self._register(point.name, point.load())
        except PluginError as error:
            if self._refuse is None:
                raise
            self._refuse(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the guard around a stranger's import
            self.fail(point.name, f"cannot be used: {type(error).__name__}: {error}")

    def _register(self, name: str, plugin: object) -> None:
        for attribute, implementation in self._implementations(plugin):
            if attribute not in self._hooks:
                raise PluginError(
                    f'plugin "{name}" implements "{attribute}", which is no hook',
                    fix=nearest(attribute, self._hooks),
                    code="CX2002",
                )
            if not hasattr(implementation, "cxkit_impl"):
                raise PluginError(
                    f'plugin "{name}" implements "{attribute}" without the mark, so nobody would call it',
                    fix="put @hookimpl on it",
                    code="CX2004",
                )
            self._check_arguments(name, attribute, implementation)
        self._manager.register(plugin, name=name)

    def _implementations(self, plugin: object) -> Iterator[tuple[str, Callable[..., object]]]:
        """What a plugin marks as an implementation, or names like one."""
        for name in dir(plugin):
            value = getattr(plugin, name, None)
            # A module may have other functions, its own or imported, whose names begin like a hook's.
            named = name in self._hooks or (name.startswith("cxkit_") and not isinstance(plugin, ModuleType))
            if inspect.isroutine(value) and (named or hasattr(value, "cxkit_impl")):
                yield name, value

    def _check_arguments(self, plugin: str, hook: str, implementation: Callable[..., object]) -> None:
        known = set(inspect.signature(getattr(hookspecs, hook)).parameters)
        for argument in inspect.signature(implementation).parameters:
            if argument not in known:
                raise PluginError(
                    f'plugin "{plugin}" asks for "{argument}" in hook "{hook}", which has none of that name',
                    fix=nearest(argument, known),
                    code="CX2003",
                )

    def _factories(self, hook: str) -> dict[str, Factory[Any]]:
        factories: dict[str, Factory[Any]] = {}
        for plugin, found in self._ask(hook, shape=list):
            for factory in found:
                if not (isinstance(factory, Factory) and attrs.has(factory.settings)):
                    self.fail(plugin, f"{hook} returned a {type(factory).__name__}, not a sound Factory")
                elif factory.name in factories:
                    self.fail(plugin, f'{hook}: "{factory.name}" is already taken')
                else:
                    factories[factory.name] = factory
        return factories

    def _ask(
        self, hook: str, *, shape: Callable[[Any], Any] = lambda answer: answer, **arguments: object
    ) -> Iterator[tuple[str, Any]]:
        """Call a hook plugin by plugin, so that one that raises does not lose the others' answers.

        Args:
            shape: What makes of an answer what it should be; whatever cannot be made that is a failure too.
        """
        caller = getattr(self._manager.hook, hook)
        for implementation in caller.get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                answer = shape(implementation.function(**wanted))
            except Exception as error:  # noqa: BLE001 - the guard around a stranger's hook
                self.fail(implementation.plugin_name, f"{hook}: {type(error).__name__}: {error}")
            else:
                yield implementation.plugin_name, answer


def build(factories: Mapping[str, Factory[T]], type: str, settings: Callable[[type[Any]], Any], *, where: str) -> T:
    """What ``type`` names, built from its settings.

    Raises:
        ConfigurationError: No plugin offers that type.
    """
    factory = factories.get(type)
    if factory is None:
        raise ConfigurationError(
            f'{where} has type "{type}", which no plugin offers', fix=nearest(type, factories), code="CX1030"
        )
    return factory.build(settings(factory.settings))


def _installed() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=_GROUP)
