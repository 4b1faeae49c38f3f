"""Plugins: found, allowed or blocked, each in a guard of its own; and every hook there is."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs
import click
import pytest

import cxkit
from cxkit import hookspecs
from cxkit.cli import cli
from cxkit.errors import ConfigurationError, CXError, PluginError
from cxkit.hookspecs import hookimpl
from cxkit.kit import Kit
from cxkit.model import Context, Decision, Facts
from cxkit.registry import Failure, Registry, build
from cxkit.roles import Endpoint, Factory, Reply
from cxkit.settings import Plugins, Queue, Settings, load
from cxkit.stores.memory import MemoryStore
from cxkit.testing import RecordingExporter

FACTS = Facts(method="GET", scheme="https", host=None, path="/", headers={})


@attrs.frozen(kw_only=True)
class Options:
    """Of the plugin in these tests."""

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


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Installs distributions with an entry point each, as an installer leaves them."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    made: list[str] = []

    def install(name: str, text: str) -> None:
        (site / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")
        described = site / f"{name}-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        (described / "entry_points.txt").write_text(f"[cxkit]\n{name} = {name}\n", "utf-8")
        importlib.invalidate_caches()
        made.append(name)

    yield install
    for name in made:
        sys.modules.pop(name, None)


# --- each hook ---


def test_exporters_of_a_plugin_are_kinds_one_may_configure() -> None:
    exporter = RecordingExporter()
    found = registry(theirs=plugin(cxkit_exporters=lambda: [factory("theirs", lambda options: exporter)])).exporters()
    assert list(found) == ["console", "file", "http", "theirs"]
    assert build(found, "theirs", lambda kind: kind(), where="exporters.x") is exporter


def test_stores_of_a_plugin_are_kinds_one_may_configure() -> None:
    found = registry(theirs=plugin(cxkit_stores=lambda: [factory("theirs", lambda options: MemoryStore())])).stores()
    assert list(found) == ["memory", "sqlite", "theirs"]


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


def test_an_enricher_of_a_plugin_runs_and_has_a_table_of_its_own(installed: Callable[[str, str], None]) -> None:
    installed("cxkit_zone", ENRICHER)
    Path("cxkit.toml").write_text('[zone]\nzone = "America/Montreal"', "utf-8")
    kit = Kit(load(), in_memory=True)
    scope = kit.open_scope(Context(channel="web"), facts=FACTS)
    scope.enrich()
    assert scope.context == Context(channel="web", timezone="America/Montreal")
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


def test_a_decider_of_a_plugin_is_asked_first(installed: Callable[[str, str], None]) -> None:
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


def test_a_table_of_a_plugin_is_checked_against_its_class(installed: Callable[[str, str], None]) -> None:
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


def test_a_plugin_is_told_of_drops(installed: Callable[[str, str], None]) -> None:
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
    kit = Kit(Settings(queue=Queue(max_bytes=1_000)), in_memory=True)
    seen = cxkit.touchpoint("registry.seen")
    with cxkit.scope(kit=kit):
        while seen.capture(text="x" * 100):
            pass
    kit.flush(timeout_s=10)
    kit.close(timeout_s=10)
    assert ("queue_full", 1, None) in sys.modules["cxkit_watch"].told


HOOKS = {
    "cxkit_exporters": test_exporters_of_a_plugin_are_kinds_one_may_configure,
    "cxkit_stores": test_stores_of_a_plugin_are_kinds_one_may_configure,
    "cxkit_enrichers": test_an_enricher_of_a_plugin_runs_and_has_a_table_of_its_own,
    "cxkit_deciders": test_a_decider_of_a_plugin_is_asked_first,
    "cxkit_channels": test_channels_of_a_plugin_offer_endpoints,
    "cxkit_settings": test_a_table_of_a_plugin_is_checked_against_its_class,
    "cxkit_commands": test_a_plugin_may_add_commands,
    "on_drop": test_a_plugin_is_told_of_drops,
}


def test_every_hook_has_a_test_and_says_when_it_fires() -> None:
    specified = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "cxkit_spec")}
    assert HOOKS.keys() == specified.keys()
    for hook in specified.values():
        assert hook.__doc__


# --- a plugin that fails costs itself alone ---


def raises(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("their mistake")


GOOD = plugin(cxkit_exporters=lambda: [factory("good", lambda options: RecordingExporter())])


@pytest.mark.parametrize("text", ["1 / 0", "import no_such_module", "raise SystemExit(3)", "def broken(:"])
def test_one_that_cannot_be_imported(installed: Callable[[str, str], None], text: str) -> None:
    installed("cxkit_bad", text)
    installed("cxkit_zone", ENRICHER)
    found = Registry(Plugins())
    assert list(found.enrichers()) == ["zone"]
    (failure,) = found.failures
    assert failure.plugin == "cxkit_bad"
    assert any(name in failure.reason for name in ("Division", "no_such", "SystemExit", "Syntax"))
    kit = Kit(Settings(strict=True), in_memory=True)
    assert kit.close().complete


@pytest.mark.parametrize("name", [name for name in HOOKS if name.startswith("cxkit_") and name != "cxkit_commands"])
@pytest.mark.parametrize("answer", [raises, lambda: None, lambda: 7, lambda: [7], lambda: {"x": 7}, lambda: [(1, 2)]])
def test_one_that_raises_in_a_hook_or_answers_nonsense(name: str, answer: Callable[..., Any]) -> None:
    found = registry(bad=plugin(**{name: answer}), good=GOOD)
    read = getattr(found, "tables" if name == "cxkit_settings" else name.removeprefix("cxkit_"))
    for _ in range(3):
        assert "bad" not in {str(kind) for kind in read()}
    assert list(found.exporters()) == ["console", "file", "http", "good"]
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
def test_one_that_cannot_be_built_costs_itself_alone(installed: Callable[[str, str], None], hook: str) -> None:
    installed("cxkit_unbuilt", ENRICHER.replace("cxkit_enrichers", hook).replace("self.zone = options.zone", "1 / 0"))
    kit = Kit(Settings(strict=True), in_memory=True)
    assert [one.plugin for one in kit.registry.failures] == ["cxkit_unbuilt"]
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
    tables = {"a": plugin(cxkit_settings=lambda: {"mine": Options}), "b": plugin(cxkit_settings=lambda: {name: Options})}
    found = registry(**tables)
    assert found.tables() == {"mine": Options}
    assert [one.plugin for one in found.failures] == ["b"]


def test_plugins_come_in_the_order_of_their_names_after_the_built_ins(
    installed: Callable[[str, str], None],
) -> None:
    for name in ("cxkit_zebra", "cxkit_ant"):
        installed(name, ENRICHER.replace('"zone"', f'"{name}"'))
    found = Registry(Plugins())
    assert list(found.plugins)[0] == "cxkit"
    assert list(found.enrichers()) == ["cxkit_ant", "cxkit_zebra"]


def test_one_that_is_installed_twice_is_used_once(installed: Callable[[str, str], None]) -> None:
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
def test_only_what_is_allowed_and_not_blocked_is_loaded(
    installed: Callable[[str, str], None], settings: Plugins, used: list[str]
) -> None:
    points = []
    for name in ("zebra", "ant"):
        installed(f"cxkit_{name}", ENRICHER.replace('"zone"', f'"{name}"'))
        points.append(EntryPoint(name, f"cxkit_{name}", "cxkit"))
    assert list(Registry(settings, found=points).enrichers()) == used
    for name in {"ant", "zebra"} - set(used):
        assert f"cxkit_{name}" not in sys.modules, "it is not even imported"


def test_all_can_be_switched_off(installed: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    installed("cxkit_bad", "raise ValueError")
    monkeypatch.setenv("CXKIT_PLUGINS", "off")
    found = Registry(load().plugins)
    assert (list(found.plugins), found.failures) == (["cxkit"], [])
    assert list(found.exporters()) == ["console", "file", "http"]


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
