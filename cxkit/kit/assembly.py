"""Building the parts of a kit from its settings and plugins. Nothing here keeps state."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import time, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from cxkit.capture.enrich import Enrichment
from cxkit.capture.interruption import let_through
from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.engine import SpoolLimits
from cxkit.delivery.judging import ForExporter, ForStore, Verdict
from cxkit.delivery.lane import Lane, LaneLimits
from cxkit.delivery.receipts import erases
from cxkit.errors import ConfigurationError, CXError, PluginError, nearest
from cxkit.keyring import Keyring
from cxkit.kit.experiences import chooser_of, configured
from cxkit.model import JourneySpec, Topic, purpose_bits
from cxkit.registry import Registry, build
from cxkit.roles import Exporter, Factory, Store
from cxkit.rules.consent import POLICIES, REGIONAL, STRICT, Policy
from cxkit.rules.identity import TYPES, IdentifierType, Identifying
from cxkit.rules.preferences import FrequencyCap, QuietHours, Sending
from cxkit.settings import ExporterTable, RawTable, Settings, StoreTable, structure

__all__ = [
    "STORE_LANE",
    "build_exporter",
    "build_exporters",
    "build_journeys",
    "build_lanes",
    "build_plugins",
    "build_store",
    "claim_tables",
    "claimed_tables",
    "enrichment_of",
    "exporter_options",
    "identifying_of",
    "open_keyring",
    "policy_of",
    "refusals",
    "sending_of",
    "spool_limits",
    "store_options",
]

T = TypeVar("T")
STORE_LANE: Final = "_store"
"""The lane of commands; no exporter's name can start like this."""

Routes = Mapping[str, tuple[Exporter, ExporterTable]]
"""Exporters by name, each with what is set for its lane."""


def policy_of(settings: Settings) -> Policy:
    """The consent policy that is configured; where the region decides, the one that holds where that is unknown.

    Raises:
        ConfigurationError: There is none of that name.
    """
    policies = {**POLICIES, REGIONAL: STRICT}
    policy = policies.get(settings.consent.policy)
    if policy is None:
        raise ConfigurationError(
            f'consent.policy "{settings.consent.policy}" is not known',
            fix=nearest(settings.consent.policy, policies),
            code="CX1031",
        )
    return policy


def identifying_of(settings: Settings) -> Identifying:
    """Which identifiers there are, and which identify nobody, as it is configured.

    Raises:
        ConfigurationError: A type that reaches a person would no longer be one: its values would be kept.
    """
    types = dict(TYPES)
    for name, table in settings.identity.types.items():
        held, given = types.get(name, IdentifierType(name=name)), attrs.asdict(table)
        if name in TYPES and given["kind"] not in (None, held.kind):
            fix = f'leave it out: "{name}" is of the kind "{held.kind}"'
            error = ConfigurationError(f'"identity.types.{name}.kind" cannot be another', fix=fix, code="CX1033")
            error.setting = f"identity.types.{name}.kind"
            raise error
        type = attrs.evolve(held, **{key: value for key, value in given.items() if value is not None})
        if type.unique:
            type = attrs.evolve(type, most=1, within_s=0)
        types[name] = attrs.evolve(type, within_s=type.within_s or None)
    return Identifying(types=types, blocked=frozenset(settings.identity.blocked), kiosk=settings.identity.kiosk)


def sending_of(settings: Settings) -> Sending:
    """What is sent to customers, and what it keeps to, as it is configured."""
    hours = settings.quiet_hours
    start, end = (time.fromisoformat(one) if one else None for one in (hours.start, hours.end))
    return Sending(
        topics={name: Topic(name=name, kind=one.kind, defaults=one.defaults) for name, one in settings.topics.items()},
        caps=tuple(FrequencyCap(**attrs.asdict(one)) for one in settings.frequency_caps.values()),
        quiet=QuietHours(start=start, end=end, zone=_zone(hours.zone)) if start and end else None,
    )


def spool_limits(settings: Settings) -> SpoolLimits:
    """What the spool keeps to, as it is configured."""
    return SpoolLimits(**{one.name: getattr(settings.spool, one.name) for one in attrs.fields(SpoolLimits)})


def _zone(name: str | None) -> tzinfo | None:
    from zoneinfo import ZoneInfo  # 4 ms that most do without

    return ZoneInfo(name) if name else None


def open_keyring(settings: Settings, *, in_memory: bool, shared: bool) -> Keyring:
    """The keys.

    Args:
        shared: Whether other machines read what this one writes; then keys cannot be made up here.

    Raises:
        ConfigurationError: Keys are missing, or cannot be kept.
    """
    contacts = identifying_of(settings).contacts
    if in_memory:
        return Keyring(signing=[os.urandom(32)], identifier=os.urandom(32), generated=True, contacts=contacts)
    keys = settings.keys
    _check_keys(settings, shared=shared)
    return Keyring.open(
        settings.directory.absolute(),
        signing=[one.reveal() for one in keys.signing],
        identifier=keys.identifier.reveal() if keys.identifier else None,
        contacts=contacts,
    )


def _check_keys(settings: Settings, *, shared: bool) -> None:
    if shared and not (settings.keys.identifier and settings.keys.signing):
        raise ConfigurationError(
            "the store is shared, but no keys are configured",
            fix="set keys.signing and keys.identifier to the same values in every process",
            code="CX1022",
        )


def build_exporters(registry: Registry, settings: Settings, given: Mapping[str, Exporter]) -> Routes:
    """The exporters configured, and those given.

    Raises:
        ConfigurationError: A setting is wrong, or one declares no purposes.
    """
    built = {name: (build_exporter(registry, settings, name), table) for name, table in settings.exporters.items()}
    for name, exporter in given.items():
        table = ExporterTable(type=type(exporter).__name__)
        _check_purposes(name, exporter, table)
        built[name] = (exporter, table)
    return built


def build_exporter(registry: Registry, settings: Settings, name: str) -> Exporter:
    """One of the exporters configured.

    Raises:
        ConfigurationError: A setting is wrong, or it declares no purposes.
    """
    table, where = settings.exporters[name], f"exporters.{name}"
    options = exporter_options(settings, name)
    exporter = build(registry.exporters(), table.type, partial(structure, table=options, where=where), where=where)
    _check_purposes(name, exporter, table)
    return exporter


def _check_purposes(name: str, exporter: Exporter, table: ExporterTable) -> None:
    if not (table.purposes or exporter.purposes):
        setting = f"exporters.{name}.purposes"
        fix = f'set {setting} to what it is for, e.g. ["analytics"]'
        error = ConfigurationError(f'exporter "{name}" declares no purposes', fix=fix, code="CX1032")
        error.setting = setting
        raise error


def build_store(registry: Registry, settings: Settings, *, in_memory: bool) -> Store:
    """The store configured; by default a file in the directory.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    table = StoreTable(type="memory") if in_memory else settings.store
    options = RawTable() if in_memory else store_options(settings)
    return build(registry.stores(), table.type, partial(structure, table=options, where="store"), where="store")


def exporter_options(settings: Settings, name: str) -> RawTable:
    """What the configuration says to a kind of exporter; a local one has its file in cxkit's directory."""
    table = settings.exporters[name]
    if table.type != "local":
        return table.options
    types = {name: attrs.asdict(one) for name, one in identifying_of(settings).types.items()}
    options = RawTable({"types": types, **table.options}, origins=table.options.origins, also=table.options.also)
    return _located(options, settings, "local.db")


def store_options(settings: Settings) -> RawTable:
    """What the configuration says to a kind of store; SQLite has its file in cxkit's directory."""
    table = settings.store
    return _located(table.options, settings, "state.db") if table.type == "sqlite" else table.options


def _located(options: RawTable, settings: Settings, name: str) -> RawTable:
    """The options, with a path in cxkit's directory if they have none."""
    if "path" in options:
        return options
    path = str(settings.directory.absolute() / name)
    return RawTable({**options, "path": path}, origins=options.origins, also=options.also)


def build_journeys(settings: Settings) -> dict[str, JourneySpec]:
    """The journeys configured, which replace those declared in code.

    Raises:
        ConfigurationError: One is malformed.
    """
    return {name: _build_journey(settings, name) for name in settings.journeys}


def _build_journey(settings: Settings, name: str) -> JourneySpec:
    table = settings.journeys[name]
    named = RawTable({**table, "name": name}, origins=table.origins)
    return structure(JourneySpec, named, where=f"journeys.{name}")


def claim_tables(registry: Registry, settings: Settings) -> dict[str, Any]:
    """The plugins' own tables, each as its plugin's class.

    Raises:
        ConfigurationError: A table belongs to nobody, or is malformed.
    """
    claimed = claimed_tables(registry)
    for name in settings.tables:
        _check_claimed(settings, name, claimed)
    return {name: _build_table(settings, name, kind) for name, kind in claimed.items()}


def claimed_tables(registry: Registry) -> dict[str, type]:
    """The tables that belong to plugins, each with the class of its values."""
    claimed: dict[str, type] = {**registry.tables()}
    for role in (registry.enrichers(), registry.deciders(), registry.channels(), registry.signals()):
        claimed.update({name: factory.settings for name, factory in role.items()})
    return claimed


def _check_claimed(settings: Settings, name: str, claimed: Mapping[str, type]) -> None:
    if name not in claimed:
        raise ConfigurationError(
            f'there is no setting or table "{name}"',
            fix=nearest(name, [*claimed, *Settings.__annotations__]),
            code="CX1001",
        )


def _build_table(settings: Settings, name: str, kind: type) -> Any:
    return structure(kind, settings.tables.get(name, {}), where=name)


def build_plugins(registry: Registry, factories: Mapping[str, Factory[T]], tables: Mapping[str, Any]) -> dict[str, T]:
    """Each built from the table of its plugin's name; one that cannot be costs itself alone.

    Raises:
        CXError: What it says itself is wrong: a setting, a missing dependency.
    """
    built = {}
    for name, factory in factories.items():
        try:
            built[name] = factory.build(tables[name])
        except CXError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's code
            let_through(error)
            registry.fail(name, f"cannot be built: {type(error).__name__}: {error}")
    return built


def enrichment_of(registry: Registry, tables: Mapping[str, Any], *, count: Callable[[str], None]) -> Enrichment | None:
    """What adds to the context of a scope; None where no plugin does."""
    enrichers = build_plugins(registry, registry.enrichers(), tables)
    return Enrichment(enrichers, count=count) if enrichers else None


def refusals(registry: Registry, settings: Settings) -> Iterator[CXError]:
    """All for which a kit with these settings would not start, one after the other; opens and writes nothing.

    What a stranger's code raises is a `PluginError` here.
    """
    claimed = claimed_tables(registry)
    plugins: dict[str, Factory[Any]] = {
        **registry.enrichers(),
        **registry.deciders(),
        **registry.channels(),
        **registry.signals(),
    }

    def build_table(name: str, kind: type) -> None:
        table = _build_table(settings, name, kind)
        build_plugins(registry, {name: plugins[name]} if name in plugins else {}, {name: table})

    attempts: dict[str, Callable[[], object]] = {
        "identity.types": partial(identifying_of, settings),
        "consent.policy": partial(policy_of, settings),
        **{f"exporters.{name}": partial(_build_and_close, registry, settings, name) for name in settings.exporters},
        "store": partial(_build_store_and_close, registry, settings),
        **{f"experiences.{name}": partial(chooser_of, settings, name) for name in settings.experiences},
        "experiences_file": partial(configured, settings),
        **{f"journeys.{name}": partial(_build_journey, settings, name) for name in settings.journeys},
        **{name: partial(_check_claimed, settings, name, claimed) for name in settings.tables},
        **{name: partial(build_table, name, kind) for name, kind in claimed.items()},
    }
    told = set[str]()  # what is wrong with one experience is wrong with all of them together
    for where, attempt in attempts.items():
        try:
            attempt()
        except CXError as error:
            if str(error) not in told:
                yield error
            told.add(str(error))
        except Exception as error:  # noqa: BLE001 - a stranger's code
            yield PluginError(f"{where} cannot be built ({type(error).__name__})", fix="tell the author of its type")


def _build_store_and_close(registry: Registry, settings: Settings) -> None:
    store = build_store(registry, settings, in_memory=False)
    _check_keys(settings, shared=store.remote)
    store.close()


def _build_and_close(registry: Registry, settings: Settings, name: str) -> None:
    build_exporter(registry, settings, name).close()


def build_lanes(
    make: Callable[..., Lane],
    routes: Routes,
    store: tuple[Exporter, int],
    dead: Path | None,
    token: str,
    verdict: Verdict,
) -> Sequence[Lane]:
    """The store's lane, and one for each exporter.

    Args:
        make: `Lane`, but for what is one lane's own.
        store: What applies commands, and bits of the purposes for which contacts are remembered.
        dead: Where dead letters go.
        token: The name of this process's spool.
    """
    lanes = [
        make(
            STORE_LANE,
            store[0],
            limits=LaneLimits(),
            judging=ForStore(purposes=store[1], verdict=verdict),
            dead=DeadLetters(dead, STORE_LANE, token),
        )
    ]
    for name, (exporter, table) in routes.items():
        limits = LaneLimits(
            deadline_s=table.deadline_s,
            max_records=table.max_batch_records,
            max_bytes=table.max_batch_bytes,
        )
        judging = ForExporter(
            purposes=purpose_bits(table.purposes or exporter.purposes),
            verdict=verdict,
            erases=erases(exporter) is not None,
        )
        lanes.append(make(name, exporter, limits=limits, judging=judging, dead=DeadLetters(dead, name, token)))
    return lanes
