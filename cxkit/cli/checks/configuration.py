"""The configuration: settings, plugins and the tables of exporters, whole or broken."""

from __future__ import annotations

from collections.abc import Iterator

from cxkit.cli.checks.finding import Finding, as_finding
from cxkit.cli.language import say
from cxkit.kit.examination import Examined

__all__ = ["check_configuration", "check_exporters", "check_plugins"]


def check_configuration(examined: Examined) -> Iterator[Finding]:
    """Everything for which a kit would not start."""
    return (as_finding(error, about="settings") for error in examined.errors)


def check_plugins(examined: Examined) -> Iterator[Finding]:
    """Plugins that failed, and those that may not load."""
    for failure in examined.registry.failures:
        yield Finding(
            severity="error",
            about="plugin",
            what=say("plugin {plugin} failed: {reason}", plugin=failure.plugin, reason=failure.reason),
            fix=say("update it, or block it with plugins.block"),
        )
    for plugin in examined.registry.left_out:
        yield Finding(
            severity="note",
            about="plugin",
            what=say(
                "plugin {plugin} is installed and not used: plugins.allow or plugins.block says so", plugin=plugin
            ),
            fix=say("uninstall it, or change that setting"),
        )
    plugins = examined.settings.plugins
    installed = {
        *examined.registry.plugins,
        *examined.registry.left_out,
        *(one.plugin for one in examined.registry.failures),
    }
    for plugin in sorted({*plugins.block, *(plugins.allow or ())} - installed):
        yield Finding(
            severity="warning",
            about="plugin",
            what=say("plugins.allow or plugins.block names {plugin}, which is not installed", plugin=plugin),
            fix=say("correct the name; `cxkit plugins` shows those there are"),
        )


def check_exporters(examined: Examined) -> Iterator[Finding]:
    """Whether anything leaves the machine."""
    if not examined.settings.exporters and not examined.errors:
        yield Finding(
            severity="note",
            about="exporter",
            what=say(
                "no exporter is configured: nothing leaves this machine, unless the code of the application names one"
            ),
            fix=say("add a table [exporters.NAME] to cxkit.toml"),
        )
