"""The kit: the composition root. It wires the rooms and holds no rule of its own.

What belongs to one process (engine, exporters, store connections) is built in that process, on
the first capture, on the spool worker's thread. One fork hook serves all kits: a child drops what
it inherited without touching it, and builds anew when it captures.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from cxkit.capture.enrich import Enrichment
from cxkit.capture.gate import Prepared, prepare
from cxkit.capture.intake import Captured, Intake
from cxkit.capture.redact import Redactor
from cxkit.capture.scope import Scope, current_scope, enter
from cxkit.capture.stamp import Stamper, clock_text
from cxkit.delivery.account import Account, read_account
from cxkit.delivery.dead import DeadLetters
from cxkit.delivery.engine import Engine, Flushed, SpoolLimits
from cxkit.delivery.lane import Answer, Lane, LaneLimits
from cxkit.delivery.spool import Spool
from cxkit.errors import ConfigurationError, nearest
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus, Committed
from cxkit.flows.desk import Desk
from cxkit.flows.view import View, refuses
from cxkit.keyring import Keyring
from cxkit.model import PURPOSES, Context, ExperienceSpec, Facts, TouchpointSpec, purpose_bits
from cxkit.registry import Registry, build
from cxkit.roles import Exporter, Factory, Store
from cxkit.rules.consent import STRICT, allowed
from cxkit.rules.experience import check
from cxkit.settings import ExporterTable, RawTable, Settings, StoreTable, load, structure

__all__ = ["Kit"]

T = TypeVar("T")
_STORE_LANE: Final = "_store"
_POLICIES: Final = {"strict": STRICT}

logger = logging.getLogger("cxkit")
_kits: weakref.WeakSet[Kit] = weakref.WeakSet()


class Kit:
    """A configured cxkit.

    Args:
        settings: What `cxkit.settings.load` returns; by default, it is called.
        exporters: Exporters to use besides those configured, by name; each must declare purposes.
        store: A store to use instead of the one configured.
        stamper: Clock and ids; for tests.
        in_memory: Keep spool and state in memory, and generate keys for this kit alone; for tests.

    Raises:
        ConfigurationError: A setting is wrong, or an exporter declares no purposes.
        PluginError: A plugin implements a hook that does not exist.

    Example:
        >>> kit = Kit(in_memory=True)
        >>> kit.account().captured
        0
        >>> kit.close().complete
        True
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        exporters: Mapping[str, Exporter] | None = None,
        store: Store | None = None,
        stamper: Stamper | None = None,
        in_memory: bool = False,
    ) -> None:
        self.settings = settings = load() if settings is None else settings
        self.registry = Registry(settings.plugins)
        self.bus = Bus()
        self._in_memory = in_memory
        self._given = dict(exporters or {})
        self._given_store = store
        self._pid = os.getpid()
        self._exporters = self._build_exporters()
        self._store_guard = threading.Lock()
        self._store: Store | None = store
        keyring = self._open_keyring()
        intake = Intake(
            stamper=stamper or Stamper(),
            redactor=Redactor(extra=settings.redact.extra, keep=settings.redact.keep),
            prepare=self._prepare,
            started=self._boot,
            max_bytes=settings.queue.max_bytes,
            strict=settings.strict,
        )
        self.intake = intake
        view = View(self._open_store)
        self.bus.subscribe(view.committed)
        self.tables = self._claim_tables()
        policy = _POLICIES.get(settings.consent.policy)
        if policy is None:
            raise ConfigurationError(
                f'consent.policy "{settings.consent.policy}" is not known',
                fix=nearest(settings.consent.policy, _POLICIES),
                code="CX1031",
            )
        self.desk = Desk(
            source=f"/{settings.service}",
            policy=policy,
            keyring=keyring,
            intake=intake,
            view=view,
            deciders=tuple(self._own_table(self.registry.deciders()).values()),
        )
        self.enrich = self._enrichment(intake)
        self.experiences = self._configured_experiences()
        self.root_scope = self.open_scope(Context())
        self._engine: Engine[Captured] | None = None
        self._boot_guard = threading.Lock()
        self._closed = False
        _kits.add(self)
        self._exit = partial(_close_at_exit, weakref.ref(self))
        atexit.register(self._exit)

    # --- scopes ---

    def open_scope(
        self, context: Context, *, facts: Facts | None = None, gpc: bool = False, parent: Scope | None = None
    ) -> Scope:
        """A new scope under the kit's consent policy; `cxkit.capture.scope.enter` makes it current."""
        scope = Scope(
            self,
            context=context,
            facts=facts,
            gpc=gpc,
            parent=parent,
            allowed=allowed(self.desk.policy, {}, gpc=gpc),
        )
        if self.enrich is not None:
            scope.on_first_use(self.enrich)
        return scope

    def may_wait(self) -> bool:
        """Whether the store may be read here and now: an event loop never waits for a remote one."""
        store = self._open_store()
        if not store.remote:
            return True
        loops = sys.modules.get("asyncio")  # where it is not imported, no loop is running
        return loops is None or loops._get_running_loop() is None

    # --- life ---

    def start(self) -> None:
        """Start delivery now rather than at the first capture, and adopt what earlier processes left."""
        self._boot()

    def flush(self, *, timeout_s: float = 5.0) -> Flushed:
        """Wait until everything captured so far is handled by every exporter, or the time is up."""
        deadline = time.monotonic() + timeout_s
        engine = self._await_engine(deadline)
        if engine is None:
            return Flushed(complete=self.desk.intake.queued == 0, pending={})
        return engine.flush(max(0.0, deadline - time.monotonic()))

    async def aflush(self, *, timeout_s: float = 5.0) -> Flushed:
        """`flush`, without holding up the event loop."""
        return await _beside(self.flush, timeout_s=timeout_s)

    async def settled(self, *, timeout_s: float = 1.0) -> bool:
        """Wait until the store holds what was just identified or chosen; whether it does."""
        return await _beside(self._settle, timeout_s)

    def close(self, *, timeout_s: float | None = None) -> Flushed:
        """Deliver what can be delivered in time (default: ``exit_timeout_s``); the rest waits in the spool. Idempotent."""
        deadline = time.monotonic() + (self.settings.exit_timeout_s if timeout_s is None else timeout_s)
        already, self._closed = self._closed, True
        self.desk.intake.closed = True
        atexit.unregister(self._exit)
        engine = self._await_engine(deadline) or (self._late_engine() if not already else None)
        flushed = Flushed(complete=True, pending={})
        if engine is not None and not already:
            flushed = engine.close(max(0.0, deadline - time.monotonic()))
        if not already and self._store is not None and self._given_store is None:
            self._store.close()
        return flushed

    async def aclose(self, *, timeout_s: float | None = None) -> Flushed:
        """`close`, without holding up the event loop."""
        return await _beside(self.close, timeout_s=timeout_s)

    # --- what it knows ---

    def account(self) -> Account:
        """What became of everything captured under this kit's directory, per exporter."""
        intake = self.desk.intake
        if self._engine is not None:
            return self._engine.account()
        return read_account(self._root, dropped=dict(intake.dropped), queued=intake.queued)

    def subscribe(self, listener: Callable[[Committed], None]) -> Callable[[], None]:
        """Be told of every identification and consent that is committed; returns what ends it."""
        return self.bus.subscribe(listener)

    # --- inside: building ---

    @property
    def _root(self) -> Path | None:
        return None if self._in_memory else self.settings.directory.absolute()

    def _open_keyring(self) -> Keyring:
        keys = self.settings.keys
        if self._in_memory:
            return Keyring(signing=[os.urandom(32)], identifier=os.urandom(32), generated=True)
        if self._open_store().remote and not (keys.identifier and keys.signing):
            raise ConfigurationError(
                "the store is shared, but no keys are configured",
                fix="set keys.signing and keys.identifier to the same values in every process",
                code="CX1022",
            )
        return Keyring.open(
            self.settings.directory.absolute(),
            signing=[one.reveal() for one in keys.signing],
            identifier=keys.identifier.reveal() if keys.identifier else None,
        )

    def _build_exporters(self) -> dict[str, tuple[Exporter, ExporterTable]]:
        factories = self.registry.exporters()
        built: dict[str, tuple[Exporter, ExporterTable]] = {}
        for name, table in self.settings.exporters.items():
            where = f"exporters.{name}"
            options = partial(structure, table=table.options, where=where)
            built[name] = (build(factories, table.type, options, where=where), table)
        for name, exporter in self._given.items():
            built[name] = (exporter, ExporterTable(type=type(exporter).__name__))
        for name, (exporter, table) in built.items():
            if not (table.purposes or exporter.purposes):
                raise ConfigurationError(
                    f'exporter "{name}" declares no purposes',
                    fix=f'set exporters.{name}.purposes to what it is for, e.g. ["analytics"]',
                    code="CX1032",
                )
        return built

    def _claim_tables(self) -> dict[str, Any]:
        claimed: dict[str, type] = {**self.registry.tables()}
        for role in (self.registry.enrichers(), self.registry.deciders(), self.registry.channels()):
            claimed.update({name: factory.settings for name, factory in role.items()})
        tables = self.settings.tables
        for name in tables:
            if name not in claimed:
                raise ConfigurationError(
                    f'there is no setting or table "{name}"',
                    fix=nearest(name, [*claimed, *Settings.__annotations__]),
                    code="CX1002",
                )
        return {name: structure(kind, tables.get(name, {}), where=name) for name, kind in claimed.items()}

    def _configured_experiences(self) -> dict[str, ExperienceSpec]:
        specs = {}
        for name, table in self.settings.experiences.items():
            spec = structure(ExperienceSpec, {"name": name, **table}, where=f"experiences.{name}")
            check(spec)
            specs[name] = spec
        return specs

    def _own_table(self, factories: Mapping[str, Factory[T]]) -> dict[str, T]:
        """Each built from the table of its plugin's name."""
        return {name: factory.build(self.tables[name]) for name, factory in factories.items()}

    def _enrichment(self, intake: Intake) -> Enrichment | None:
        def count(what: str) -> None:
            intake.noted[what] += 1

        enrichers = self._own_table(self.registry.enrichers())
        return Enrichment(enrichers, count=count) if enrichers else None

    def _open_store(self) -> Store:
        with self._store_guard:
            if self._store is None:
                self._store = self._build_store()
            return self._store

    def _build_store(self) -> Store:
        table = StoreTable(type="memory") if self._in_memory else self.settings.store
        options = table.options
        if table.type == "sqlite" and "path" not in options:
            path = str(self.settings.directory.absolute() / "state.db")
            options = RawTable({**options, "path": path}, origins=options.origins, also=options.also)
        settings = partial(structure, table=options, where="store")
        return build(self.registry.stores(), table.type, settings, where="store")

    def _prepare(self, spec: TouchpointSpec, scope: Scope) -> Prepared:
        return prepare(
            spec,
            scope,
            source=self.desk.source,
            policy=self.desk.policy,
            before_choice=self.settings.consent.before_choice,
            subject=self.desk.subject,
        )

    # --- inside: the process's engine ---

    def _boot(self) -> None:
        """Start the engine in a thread of its own: whoever captures does not wait for files."""
        if self._engine is not None or not self._boot_guard.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._run, name="cxkit-start", daemon=True).start()
        except RuntimeError:  # no threads (any more): what is queued is spooled when the kit closes
            self._boot_guard.release()

    def _run(self) -> None:
        try:
            if self._engine is None:
                engine = self._make_engine()
                engine.start()
                self._engine = engine
        except Exception as error:
            logger.error("cxkit: delivery could not start (%s)", error)
        finally:
            self._boot_guard.release()

    def _late_engine(self) -> Engine[Captured] | None:
        """At the end, where nothing was started or no thread can be: an engine that only writes down what is queued."""
        return self._make_engine() if self.desk.intake.queued else None

    def _await_engine(self, deadline: float) -> Engine[Captured] | None:
        if self._engine is None and self._boot_guard.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._boot_guard.release()  # a start that was under way is over
        return self._engine

    def _make_engine(self) -> Engine[Captured]:
        if os.getpid() != self._pid:  # inherited connections belong to the parent
            self._pid = os.getpid()
            self._exporters = self._build_exporters()
        spool = self.settings.spool
        return Engine(
            self.desk.intake,
            root=self._root,
            limits=SpoolLimits(
                max_bytes=spool.max_bytes,
                max_age_s=spool.max_age_s,
                segment_bytes=spool.segment_bytes,
                sync_interval_s=spool.sync_interval_s,
            ),
            lanes=self._make_lanes,
            muted=self._muted,
            on_drop=self.registry.drop_listener(),
        )

    def _make_lanes(
        self, spools: Callable[[], Sequence[Spool]], passed: Callable[[Spool], None], token: str
    ) -> list[Lane]:
        make = partial(
            Lane,
            verdict=self._verdict,
            spools=spools,
            passed=passed,
            now_text=lambda: clock_text(self.desk.intake.stamper.stamp()[1]),
            muted=self._muted,
        )
        dead = self._root and self._root / "dead"
        applier = Applier(self._open_store, self.desk.keyring, self.bus)
        lanes = [
            make(
                _STORE_LANE,
                applier,
                limits=LaneLimits(purposes=0, commands_only=True),
                dead=DeadLetters(dead, _STORE_LANE, token),
            )
        ]
        for name, (exporter, table) in self._exporters.items():
            limits = LaneLimits(
                purposes=purpose_bits(table.purposes or exporter.purposes),
                deadline_s=table.deadline_s,
                max_records=table.max_batch_records,
                max_bytes=table.max_batch_bytes,
            )
            lanes.append(make(name, exporter, limits=limits, dead=DeadLetters(dead, name, token)))
        return lanes

    def _verdict(self, subject: bytes, purposes: int) -> Answer:
        named = [purpose for place, purpose in enumerate(PURPOSES) if purposes >> place & 1]
        refused = refuses(self.desk.view, subject, named)
        return "unknown" if refused is None else "refused" if refused else "allowed"

    def _settle(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        engine = self._await_engine(deadline)
        if engine is None:
            return self.desk.intake.queued == 0
        return engine.settle(_STORE_LANE, max(0.0, deadline - time.monotonic()))

    @contextmanager
    def _muted(self) -> Iterator[None]:
        """Nothing captured on this thread is kept: an exporter must not observe itself."""
        scope = self.open_scope(Context())
        scope.prepared = _Muted()
        enter(scope)
        try:
            yield
        finally:
            scope.close()

    def _forget_parent(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.abandon()
            _abandoned.append(engine)
        self._boot_guard = threading.Lock()
        self._store_guard = threading.Lock()
        self._store = self._given_store
        self.desk.intake.reset()
        self.desk.intake.stamper.reseed()
        self.desk.view.reset()


async def _beside(work: Callable[..., T], *args: object, **kwargs: object) -> T:
    """Do it in a thread; asyncio is imported only where it is used."""
    import asyncio

    return await asyncio.to_thread(work, *args, **kwargs)


class _Muted(dict[str, Prepared]):
    def get(self, name: str, default: Any = None) -> Prepared:
        return Prepared(refusal="own_thread")


_abandoned: list[Engine[Captured]] = []
"""What a child inherited: kept, so that no finaliser closes what is the parent's."""


def _after_fork_in_child() -> None:
    global _default_guard
    _default_guard = threading.Lock()
    for kit in list(_kits):
        kit._forget_parent()


def _close_at_exit(reference: weakref.ref[Kit]) -> None:
    kit = reference()
    if kit is not None:
        kit.close()


os.register_at_fork(after_in_child=_after_fork_in_child)

_default: Kit | Callable[[], Kit] | None = None
_default_guard = threading.Lock()


def default_kit() -> Kit:
    """The kit of whoever names none: configured from files and environment on first use.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    global _default
    kit = _default
    if not isinstance(kit, Kit):
        with _default_guard:
            kit = _default
            if not isinstance(kit, Kit):
                kit = _default = Kit() if kit is None else kit()
    return kit


def install(kit: Kit | Callable[[], Kit] | None) -> Kit | Callable[[], Kit] | None:
    """Make ``kit``, or what this makes on first use, the default one; returns the one that was.

    None: it is configured from files and environment on the next use.
    """
    global _default
    with _default_guard:
        before, _default = _default, kit
    return before


def current_kit() -> Kit:
    """The kit of the current scope, else the default one.

    Raises:
        ConfigurationError: There is none yet, and it cannot be configured.
    """
    scope = current_scope()
    if scope is None:
        return default_kit()
    kit: Kit = scope.kit
    return kit
