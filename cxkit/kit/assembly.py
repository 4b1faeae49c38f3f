"""Building the parts of a kit from its settings and plugins. Nothing here keeps state."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.lane import Lane, LaneLimits
from cxkit.errors import ConfigurationError, CXError, nearest
from cxkit.keyring import Keyring
from cxkit.model import ExperienceSpec, purpose_bits
from cxkit.registry import Registry, build
from cxkit.roles import Exporter, Factory, Store
from cxkit.rules.consent import STRICT, Policy
from cxkit.rules.experience import check
from cxkit.settings import ExporterTable, RawTable, Settings, StoreTable, structure

__all__ = [
    "STORE_LANE",
    "build_experiences",
    "build_exporters",
    "build_lanes",
    "build_plugins",
    "build_store",
    "claim_tables",
    "open_keyring",
    "policy_of",
]

T = TypeVar("T")
STORE_LANE: Final = "_store"
"""The lane of commands; no exporter's name can start like this."""

_POLICIES: Final = {"strict": STRICT}

Routes = Mapping[str, tuple[Exporter, ExporterTable]]
"""Exporters by name, each with what is set for its lane."""


def policy_of(settings: Settings) -> Policy:
    """The consent policy that is configured.

    Raises:
        ConfigurationError: There is none of that name.
    """
    policy = _POLICIES.get(settings.consent.policy)
    if policy is None:
        raise ConfigurationError(
            f'consent.policy "{settings.consent.policy}" is not known',
            fix=nearest(settings.consent.policy, _POLICIES),
            code="CX1031",
        )
    return policy


def open_keyring(settings: Settings, *, in_memory: bool, shared: bool) -> Keyring:
    """The keys.

    Args:
        shared: Whether other machines read what this one writes; then keys cannot be made up here.

    Raises:
        ConfigurationError: Keys are missing, or cannot be kept.
    """
    if in_memory:
        return Keyring(signing=[os.urandom(32)], identifier=os.urandom(32), generated=True)
    keys = settings.keys
    if shared and not (keys.identifier and keys.signing):
        raise ConfigurationError(
            "the store is shared, but no keys are configured",
            fix="set keys.signing and keys.identifier to the same values in every process",
            code="CX1022",
        )
    return Keyring.open(
        settings.directory.absolute(),
        signing=[one.reveal() for one in keys.signing],
        identifier=keys.identifier.reveal() if keys.identifier else None,
    )


def build_exporters(registry: Registry, settings: Settings, given: Mapping[str, Exporter]) -> Routes:
    """The exporters configured, and those given.

    Raises:
        ConfigurationError: A setting is wrong, or one declares no purposes.
    """
    factories = registry.exporters()
    built: dict[str, tuple[Exporter, ExporterTable]] = {}
    for name, table in settings.exporters.items():
        where = f"exporters.{name}"
        raw = _located(table.options, settings, "local.db") if table.type == "local" else table.options
        options = partial(structure, table=raw, where=where)
        built[name] = (build(factories, table.type, options, where=where), table)
    for name, exporter in given.items():
        built[name] = (exporter, ExporterTable(type=type(exporter).__name__))
    for name, (exporter, table) in built.items():
        if not (table.purposes or exporter.purposes):
            raise ConfigurationError(
                f'exporter "{name}" declares no purposes',
                fix=f'set exporters.{name}.purposes to what it is for, e.g. ["analytics"]',
                code="CX1032",
            )
    return built


def build_store(registry: Registry, settings: Settings, *, in_memory: bool) -> Store:
    """The store configured; by default a file in the directory.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    table = StoreTable(type="memory") if in_memory else settings.store
    options = _located(table.options, settings, "state.db") if table.type == "sqlite" else table.options
    return build(registry.stores(), table.type, partial(structure, table=options, where="store"), where="store")


def _located(options: RawTable, settings: Settings, name: str) -> RawTable:
    """The options, with a path in cxkit's directory if they have none."""
    if "path" in options:
        return options
    path = str(settings.directory.absolute() / name)
    return RawTable({**options, "path": path}, origins=options.origins, also=options.also)


def build_experiences(settings: Settings) -> dict[str, ExperienceSpec]:
    """The experiences configured, which replace those declared in code.

    Raises:
        ConfigurationError: One is malformed.
    """
    specs = {}
    for name, table in settings.experiences.items():
        spec = structure(ExperienceSpec, {"name": name, **table}, where=f"experiences.{name}")
        check(spec)
        specs[name] = spec
    return specs


def claim_tables(registry: Registry, settings: Settings) -> dict[str, Any]:
    """The plugins' own tables, each as its plugin's class.

    Raises:
        ConfigurationError: A table belongs to nobody, or is malformed.
    """
    claimed: dict[str, type] = {**registry.tables()}
    for role in (registry.enrichers(), registry.deciders(), registry.channels()):
        claimed.update({name: factory.settings for name, factory in role.items()})
    for name in settings.tables:
        if name not in claimed:
            raise ConfigurationError(
                f'there is no setting or table "{name}"',
                fix=nearest(name, [*claimed, *Settings.__annotations__]),
                code="CX1001",
            )
    return {name: structure(kind, settings.tables.get(name, {}), where=name) for name, kind in claimed.items()}


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
            registry.fail(name, f"cannot be built: {type(error).__name__}: {error}")
    return built


def build_lanes(
    make: Callable[..., Lane], routes: Routes, applier: Exporter, dead: Path | None, token: str
) -> Sequence[Lane]:
    """The store's lane, and one for each exporter.

    Args:
        make: `Lane`, but for what is one lane's own.
        dead: Where dead letters go.
        token: The name of this process's spool.
    """
    lanes = [
        make(
            STORE_LANE,
            applier,
            limits=LaneLimits(purposes=0, commands_only=True),
            dead=DeadLetters(dead, STORE_LANE, token),
        )
    ]
    for name, (exporter, table) in routes.items():
        limits = LaneLimits(
            purposes=purpose_bits(table.purposes or exporter.purposes),
            deadline_s=table.deadline_s,
            max_records=table.max_batch_records,
            max_bytes=table.max_batch_bytes,
        )
        lanes.append(make(name, exporter, limits=limits, dead=DeadLetters(dead, name, token)))
    return lanes
