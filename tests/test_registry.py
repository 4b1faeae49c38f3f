"""Plugins: found, allowed or blocked, and each in a guard of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from cxkit.errors import ConfigurationError, CXError, PluginError
from cxkit.kit import Kit
from cxkit.registry import Failure, Registry, build
from cxkit.roles import Factory
from cxkit.settings import Plugins, Settings, load
from cxkit.testing import RecordingExporter
from tests.theirs import ENRICHER, Install, Options, factory, installing, plugin, registry

THEIRS_ALONE = Plugins(block=tuple(point.name for point in entry_points(group="cxkit")))
"""Without the plugins that are installed beside the tests."""
FACTORIES = ["cxkit_exporters", "cxkit_stores", "cxkit_enrichers", "cxkit_deciders", "cxkit_channels"]


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Install]:
    site = tmp_path / "site"
    site.mkdir()
    with installing(site) as install:
        yield install


@pytest.mark.parametrize("name", sorted(point.name for point in entry_points(group="cxkit")))
def test_one_of_ours_is_found_without_its_framework(name: str) -> None:
    """An app that is patched after its kit is made has no sockets opened, and no TLS imported, behind its back."""
    script = """
import json, sys
from importlib.metadata import entry_points
import cxkit.hookspecs, cxkit.registry
before = set(sys.modules)
entry_points(group="cxkit")[sys.argv[1]].load()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
    done = subprocess.run([sys.executable, "-c", script, name], capture_output=True, text=True, check=True)
    brought = set(json.loads(done.stdout))
    assert any(one.startswith("cxkit_") for one in brought)
    assert not brought & {"celery", "django", "flask", "nats", "opentelemetry", "psycopg", "redis", "ssl", "starlette"}


# --- a plugin that fails costs itself alone ---


def raises() -> Any:
    raise ZeroDivisionError("their mistake")


GOOD = plugin(cxkit_exporters=lambda: [factory("good", lambda options: RecordingExporter())])


@pytest.mark.parametrize("text", ["1 / 0", "import no_such_module", "raise SystemExit(3)", "def broken(:"])
def test_one_that_cannot_be_imported(installed: Install, text: str) -> None:
    installed("cxkit_bad", text)
    installed("cxkit_zone", ENRICHER)
    found = Registry(THEIRS_ALONE)
    assert list(found.enrichers()) == ["zone"]
    (failure,) = found.failures
    assert failure.plugin == "cxkit_bad"
    assert any(name in failure.reason for name in ("Division", "no_such", "SystemExit", "Syntax"))
    kit = Kit(Settings(strict=True), in_memory=True)
    assert kit.close().complete


@pytest.mark.parametrize("name", [*FACTORIES, "cxkit_settings"])
@pytest.mark.parametrize("answer", [raises, lambda: None, lambda: 7, lambda: [7], lambda: {"x": 7}, lambda: [(1, 2)]])
def test_one_that_raises_in_a_hook_or_answers_nonsense(name: str, answer: Callable[..., Any]) -> None:
    found = registry(bad=plugin(**{name: answer}), good=GOOD)
    read = getattr(found, "tables" if name == "cxkit_settings" else name.removeprefix("cxkit_"))
    for _ in range(3):
        assert "bad" not in {str(kind) for kind in read()}
    assert list(found.exporters()) == ["console", "file", "http", "local", "good"]
    (failure,) = found.failures
    assert (failure.plugin, name in failure.reason or "table" in failure.reason) == ("bad", True)


def test_one_that_raises_in_commands_leaves_the_others_theirs() -> None:
    group = click.Group()
    good = plugin(cxkit_commands=lambda cli: cli.add_command(click.Command("good")))
    found = registry(bad=plugin(cxkit_commands=lambda cli: raises()), good=good)
    found.add_commands(group)
    assert list(group.commands) == ["good"]
    assert [one.plugin for one in found.failures] == ["bad"]


def test_one_that_raises_when_told_of_drops_leaves_the_others_told() -> None:
    told: list[str] = []
    texts = iter(range(10_000))

    def failing(reason: str, count: int, exporter: str | None) -> None:
        raise ValueError(next(texts))

    def listening(reason: str) -> None:
        told.append(reason)

    found = registry(bad=plugin(on_drop=failing), good=plugin(on_drop=listening))
    tell = found.drop_listener()
    assert tell is not None
    for _ in range(500):
        tell("queue_full", 1, None)
    assert len(told) == 500
    assert len(found.failures) <= 100, "what is remembered of failures is bounded"


def test_nobody_listens_to_drops_by_default() -> None:
    assert registry().drop_listener() is None


@pytest.mark.parametrize("hook", ["cxkit_enrichers", "cxkit_deciders"])
def test_one_that_cannot_be_built_costs_itself_alone(installed: Install, hook: str) -> None:
    installed("cxkit_unbuilt", ENRICHER.replace("cxkit_enrichers", hook).replace("self.zone = options.zone", "1 / 0"))
    kit = Kit(Settings(strict=True), in_memory=True)
    (failure,) = kit.registry.failures
    assert "zone" in str(failure)
    assert "ZeroDivisionError" in failure.reason
    assert kit.close().complete


# --- wrong implementations are refused by name ---


def test_a_misspelt_hook_is_refused_with_the_nearest() -> None:
    with pytest.raises(PluginError) as caught:
        registry(theirs=plugin(cxkit_exportrs=lambda: []))
    assert caught.value.code == "CX2002"
    assert '"theirs"' in caught.value.what
    assert caught.value.fix == 'did you mean "cxkit_exporters"?'


def test_a_misspelt_argument_is_refused_with_the_nearest() -> None:
    def on_drop(reason: str, cont: int) -> None:
        """Counts."""

    with pytest.raises(PluginError) as caught:
        registry(theirs=plugin(on_drop=on_drop))
    assert caught.value.code == "CX2003"
    assert caught.value.fix == 'did you mean "count"?'


def test_a_hook_without_the_mark_is_refused_rather_than_never_called() -> None:
    module = ModuleType("theirs")
    module.cxkit_exporters = lambda: []  # type: ignore[attr-defined]
    with pytest.raises(PluginError) as caught:
        registry(theirs=module)
    assert caught.value.code == "CX2004"


def test_a_module_may_have_functions_of_its_own_an_object_may_not_have_what_looks_like_a_hook() -> None:
    module = ModuleType("theirs")
    module.cxkit_version = lambda: "1"  # type: ignore[attr-defined]
    assert "theirs" in registry(theirs=module).plugins

    class Misnamed:
        def cxkit_exportrs(self) -> list[object]:
            return []

    with pytest.raises(PluginError):
        registry(theirs=Misnamed())


# --- order and names ---


def test_the_first_of_a_name_wins_and_the_second_is_told() -> None:
    def theirs() -> list[Factory[Any]]:
        return [factory("console", lambda options: RecordingExporter())]

    found = registry(late=plugin(cxkit_exporters=theirs))
    assert found.exporters()["console"].settings is not Options
    assert found.failures == [Failure(plugin="late", reason='cxkit_exporters: "console" is already taken')]


@pytest.mark.parametrize("name", ["consent", "exporters", "mine"])
def test_a_table_belongs_to_one(name: str) -> None:
    tables = {
        "a": plugin(cxkit_settings=lambda: {"mine": Options}),
        "b": plugin(cxkit_settings=lambda: {name: Options}),
    }
    found = registry(**tables)
    assert found.tables() == {"mine": Options}
    assert [one.plugin for one in found.failures] == ["b"]


def test_plugins_come_in_the_order_of_their_names_after_the_built_ins(
    installed: Install,
) -> None:
    for name in ("cxkit_zebra", "cxkit_ant"):
        installed(name, ENRICHER.replace('"zone"', f'"{name}"'))
    found = Registry(THEIRS_ALONE)
    assert next(iter(found.plugins)) == "cxkit"
    assert list(found.enrichers()) == ["cxkit_ant", "cxkit_zebra"]


def test_one_that_is_installed_twice_is_used_once(installed: Install) -> None:
    installed("cxkit_zone", ENRICHER)
    twice = [EntryPoint("zone", "cxkit_zone", "cxkit"), EntryPoint("zone", "cxkit_zone", "cxkit")]
    other = EntryPoint("zone_again", "cxkit_zone", "cxkit")
    found = Registry(Plugins(), found=[*twice, other])
    assert list(found.enrichers()) == ["zone"]
    assert [one.plugin for one in found.failures] == ["zone", "zone_again"]


# --- allowed and blocked ---


@pytest.mark.parametrize(
    ("settings", "used"),
    [
        (Plugins(), ["ant", "zebra"]),
        (Plugins(allow=("zebra",)), ["zebra"]),
        (Plugins(allow=()), []),
        (Plugins(block=("zebra", "unheard_of")), ["ant"]),
        (Plugins(allow=("ant", "zebra"), block=("ant",)), ["zebra"]),
    ],
)
def test_only_what_is_allowed_and_not_blocked_is_loaded(installed: Install, settings: Plugins, used: list[str]) -> None:
    points = []
    for name in ("zebra", "ant"):
        installed(f"cxkit_{name}", ENRICHER.replace('"zone"', f'"{name}"'))
        points.append(EntryPoint(name, f"cxkit_{name}", "cxkit"))
    assert list(Registry(settings, found=points).enrichers()) == used
    for name in {"ant", "zebra"} - set(used):
        assert f"cxkit_{name}" not in sys.modules, "it is not even imported"


def test_all_can_be_switched_off(installed: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("cxkit_bad", "raise ValueError")
    monkeypatch.setenv("CXKIT_PLUGINS", "off")
    found = Registry(load().plugins)
    assert (list(found.plugins), found.failures) == (["cxkit"], [])
    assert list(found.exporters()) == ["console", "file", "http", "local"]


# --- build ---


def test_a_type_that_nobody_offers_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(registry().exporters(), "consol", lambda kind: kind(), where="exporters.x")
    assert caught.value.code == "CX1030"
    assert caught.value.fix == 'did you mean "console"?'


def test_what_a_plugin_says_of_its_settings_reaches_the_operator() -> None:
    def wrong(options: Options) -> Any:
        raise ConfigurationError("it needs a key", fix="get one")

    with pytest.raises(CXError):
        build({"theirs": factory("theirs", wrong)}, "theirs", lambda kind: kind(), where="x")


# --- what the command line asks ---


def test_each_plugin_is_told_with_its_hooks_and_its_distribution(installed: Install) -> None:
    installed("cxkit_zone", ENRICHER)
    installed("cxkit_bad", "1 / 0")
    found = Registry(Plugins(block=(*THEIRS_ALONE.block, "cxkit_never", "cxkit_bad")), more={"good": GOOD})
    assert found.hooks_of("cxkit_zone") == ["cxkit_enrichers"]
    assert found.hooks_of("good") == ["cxkit_exporters"]
    assert found.hooks_of("cxkit") == ["cxkit_exporters", "cxkit_stores"]
    assert [found.distribution_of(name) for name in ("cxkit_zone", "good", "nobody")] == ["cxkit_zone 1.0", None, None]
    assert {*found.left_out} - {*THEIRS_ALONE.block} == {"cxkit_bad"}
    assert found.failures == []


def test_one_that_breaks_its_contract_can_be_told_of_and_left_out(installed: Install) -> None:
    installed("cxkit_bad", "from cxkit.hookspecs import hookimpl\n\n@hookimpl\ndef cxkit_store(): return []")
    installed("cxkit_zone", ENRICHER)
    refused: list[PluginError] = []
    found = Registry(THEIRS_ALONE, refuse=refused.append)
    assert [error.code for error in refused] == ["CX2002"]
    assert ("cxkit_bad" in found.plugins, list(found.enrichers())) == (False, ["zone"])
