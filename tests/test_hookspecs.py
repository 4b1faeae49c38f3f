"""Every hook there is: what a plugin gives through it arrives where it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import cxkit
from cxkit import hookspecs
from cxkit.cli import cli
from cxkit.errors import ConfigurationError
from cxkit.kit import Kit
from cxkit.model import Context, Decision, Facts
from cxkit.registry import build
from cxkit.roles import Endpoint, Reply
from cxkit.settings import Queue, Settings, load
from cxkit.stores.memory import MemoryStore
from cxkit.testing import RecordingExporter
from tests.flows.world import eventually
from tests.theirs import ENRICHER, Install, Options, factory, installing, plugin, registry

FACTS = Facts(method="GET", scheme="https", host=None, path="/", headers={})


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Install]:
    site = tmp_path / "site"
    site.mkdir()
    with installing(site) as install:
        yield install


def test_exporters_of_a_plugin_are_kinds_one_may_configure() -> None:
    exporter = RecordingExporter()
    found = registry(theirs=plugin(cxkit_exporters=lambda: [factory("theirs", lambda options: exporter)])).exporters()
    assert list(found) == ["console", "file", "http", "local", "theirs"]
    assert build(found, "theirs", lambda kind: kind(), where="exporters.x") is exporter


def test_stores_of_a_plugin_are_kinds_one_may_configure() -> None:
    found = registry(theirs=plugin(cxkit_stores=lambda: [factory("theirs", lambda options: MemoryStore())])).stores()
    assert list(found) == ["memory", "sqlite", "theirs"]


def test_an_enricher_of_a_plugin_runs_and_has_a_table_of_its_own(installed: Install) -> None:
    installed("cxkit_zone", ENRICHER)
    Path("cxkit.toml").write_text('[zone]\nzone = "America/Montreal"', "utf-8")
    kit = Kit(load(), in_memory=True)
    scope = kit.open_scope(Context(channel="web"), facts=FACTS)
    scope.enrich()
    assert scope.context.timezone == "America/Montreal"  # other plugins that are installed add what they know
    kit.close()


DECIDER = """
    import attrs
    from cxkit.hookspecs import hookimpl
    from cxkit.model import Decision
    from cxkit.roles import Factory

    @attrs.frozen
    class Options:
        pass

    class Theirs:
        def decide(self, experience, attributes, *, cap):
            return Decision(experience=experience.name, variant=f"theirs at most {cap}")

    @hookimpl
    def cxkit_deciders():
        return [Factory(name="theirs", settings=Options, build=lambda options: Theirs())]
"""


def test_a_decider_of_a_plugin_is_asked_first(installed: Install) -> None:
    installed("cxkit_theirs", DECIDER)
    kit = Kit(Settings(strict=True), in_memory=True)
    hero = cxkit.experience("registry.hero")
    with cxkit.scope(kit=kit):
        assert hero.decide() == Decision(experience="registry.hero", variant="theirs at most 1")
    kit.close()


def test_channels_of_a_plugin_offer_endpoints() -> None:
    endpoint = Endpoint(path="/hook", methods=frozenset({"POST"}), handle=lambda facts, body: Reply(body=body))
    channel = SimpleNamespace(endpoints=lambda: [endpoint])
    found = registry(theirs=plugin(cxkit_channels=lambda: [factory("theirs", lambda options: channel)])).channels()
    (offered,) = found["theirs"].build(Options()).endpoints()
    assert offered.handle(FACTS, b"hello").body == b"hello"


def test_a_table_of_a_plugin_is_checked_against_its_class(installed: Install) -> None:
    installed(
        "cxkit_mail",
        """
        import attrs
        from cxkit.hookspecs import hookimpl

        @attrs.frozen(kw_only=True)
        class Mail:
            sender: str

        @hookimpl
        def cxkit_settings():
            return {"mail": Mail}
        """,
    )
    Path("cxkit.toml").write_text('[mail]\nsender = "shop"', "utf-8")
    kit = Kit(load(), in_memory=True)
    assert kit.tables["mail"].sender == "shop"
    kit.close()
    Path("cxkit.toml").write_text('[mail]\nsendr = "shop"', "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Kit(load(), in_memory=True)
    assert caught.value.fix == 'did you mean "sender"?'


def test_a_plugin_may_add_commands() -> None:
    group = click.Group()

    def cxkit_commands(cli: click.Group) -> None:
        cli.command("greet")(lambda: click.echo("hello"))

    registry(theirs=plugin(cxkit_commands=cxkit_commands)).add_commands(group)
    assert "greet" in group.commands
    assert "greet" not in cli.commands


def test_a_plugin_is_told_of_drops(installed: Install) -> None:
    installed(
        "cxkit_watch",
        """
        from cxkit.hookspecs import hookimpl

        told = []

        @hookimpl
        def on_drop(reason, count, exporter):
            told.append((reason, count, exporter))
        """,
    )
    kit = Kit(Settings(queue=Queue(max_bytes=1)), in_memory=True)
    seen = cxkit.touchpoint("registry.seen")
    with cxkit.scope(kit=kit):
        assert [seen.capture(), seen.capture()] == [None, None]
    kit.start()
    eventually(lambda: sys.modules["cxkit_watch"].told)
    kit.close(timeout_s=30)
    assert sys.modules["cxkit_watch"].told == [("queue_full", 2, None)]


def test_a_reader_of_signals_of_a_plugin_is_asked() -> None:
    reader = SimpleNamespace(signal="tc", purposes=frozenset({"analytics"}), read=lambda text: {"analytics": "denied"})
    found = registry(theirs=plugin(cxkit_signals=lambda: [factory("theirs", lambda options: reader)])).signals()
    assert found["theirs"].build(Options()).read("CP") == {"analytics": "denied"}


HOOKS = {
    "cxkit_exporters": test_exporters_of_a_plugin_are_kinds_one_may_configure,
    "cxkit_stores": test_stores_of_a_plugin_are_kinds_one_may_configure,
    "cxkit_enrichers": test_an_enricher_of_a_plugin_runs_and_has_a_table_of_its_own,
    "cxkit_deciders": test_a_decider_of_a_plugin_is_asked_first,
    "cxkit_channels": test_channels_of_a_plugin_offer_endpoints,
    "cxkit_signals": test_a_reader_of_signals_of_a_plugin_is_asked,
    "cxkit_settings": test_a_table_of_a_plugin_is_checked_against_its_class,
    "cxkit_commands": test_a_plugin_may_add_commands,
    "on_drop": test_a_plugin_is_told_of_drops,
}


def test_every_hook_has_a_test_and_says_when_it_fires() -> None:
    specified = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "cxkit_spec")}
    assert HOOKS.keys() == specified.keys()
    for hook in specified.values():
        assert hook.__doc__
