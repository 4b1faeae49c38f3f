"""The hooks, and the marker with which a plugin implements them.

They are called at assembly only, once per process, in the order of the plugins' names; each
returns *factories* (or classes, or commands), never live objects. What one raises is reported
under the plugin's name and costs that plugin alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from cxkit.roles import Channel, Decider, Enricher, Exporter, Factory, SignalReader, Store

__all__ = ["hookimpl"]

hookspec = pluggy.HookspecMarker("cxkit")
hookimpl = pluggy.HookimplMarker("cxkit")
"""Put it on each function of a plugin that implements a hook."""


@hookspec
def cxkit_exporters() -> Sequence[Factory[Exporter]]:  # type: ignore[empty-body]
    """Kinds of exporters. Fires before settings are validated; ``type`` in ``[exporters.NAME]`` names one."""


@hookspec
def cxkit_stores() -> Sequence[Factory[Store]]:  # type: ignore[empty-body]
    """Kinds of stores. Fires before settings are validated; ``type`` in ``[store]`` names one."""


@hookspec
def cxkit_enrichers() -> Sequence[Factory[Enricher]]:  # type: ignore[empty-body]
    """Enrichers. Each is built, from the plugin's own table, when the kit is assembled; they run in the order given."""


@hookspec
def cxkit_deciders() -> Sequence[Factory[Decider]]:  # type: ignore[empty-body]
    """Deciders. Asked in turn before the built-in rules; must not widen what ``cap`` allows."""


@hookspec
def cxkit_channels() -> Sequence[Factory[Channel]]:  # type: ignore[empty-body]
    """Channels. Every web plugin mounts their endpoints below the setting ``web.mount``."""


@hookspec
def cxkit_signals() -> Sequence[Factory[SignalReader]]:  # type: ignore[empty-body]
    """Readers of what browsers and apps say of choices (TC and GPP strings). Asked by `cxkit.signal`; must be pure."""


@hookspec
def cxkit_settings() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Tables of the configuration that belong to this plugin: name to an attrs class. Must not claim a core table."""


@hookspec
def cxkit_commands(cli: click.Group) -> None:
    """Add commands to ``cxkit``. Fires when the command line starts; must not import what only the command needs."""


@hookspec
def on_drop(reason: str, count: int, exporter: str | None) -> None:
    """Interactions were given up. Fires on a thread of its own, some seconds later, but for ``own_thread``."""
