"""The kit: the composition root. It wires the rooms and holds no rule of its own.

What belongs to one process (engine, exporters, store connections) is built in it, on the first capture, on a thread
of its own. One fork hook serves all kits: a child drops what it inherited untouched, and builds anew when it captures.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cxkit.capture.gate import Prepared, prepare
from cxkit.capture.intake import Captured, Intake
from cxkit.capture.redact import Redactor
from cxkit.capture.scope import Scope, enter
from cxkit.capture.stamp import Stamper, clock_text
from cxkit.capture.steps import in_use
from cxkit.delivery.account import Account, read_account
from cxkit.delivery.engine import Engine, Flushed
from cxkit.delivery.judging import Answer
from cxkit.delivery.kept import keys_of_letters
from cxkit.delivery.lane import Lane
from cxkit.delivery.spool import Spool
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus, Committed
from cxkit.flows.desk import Desk
from cxkit.flows.messages import Messages
from cxkit.flows.refusals import tells_refusals
from cxkit.flows.view import View
from cxkit.kit.assembly import (
    STORE_LANE,
    build_exporters,
    build_journeys,
    build_lanes,
    build_plugins,
    build_store,
    claim_tables,
    enrichment_of,
    identifying_of,
    open_keyring,
    policy_of,
    sending_of,
    spool_limits,
)
from cxkit.kit.beside import beside
from cxkit.kit.ends import abandoned, close_at_exit, kits
from cxkit.kit.experiences import Experiences
from cxkit.kit.report import loss_report
from cxkit.kit.starter import Starter
from cxkit.model import PURPOSES, Context, Facts, TouchpointSpec, purpose_bits
from cxkit.registry import Registry
from cxkit.roles import Exporter, Store
from cxkit.rules.consent import REGIONAL, allowed
from cxkit.settings import Settings, load

if TYPE_CHECKING:
    from cxkit.kit.privacy import Premises

__all__ = ["Kit"]


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
        self._pid: int | None = os.getpid()
        self._routes = build_exporters(self.registry, self.settings, self._given)
        self._store_guard = threading.Lock()
        self._store: Store | None = store
        self.tables = claim_tables(self.registry, settings)
        self.intake = Intake(
            stamper=stamper or Stamper(),
            redactor=Redactor(extra=settings.redact.extra, keep=settings.redact.keep),
            prepare=self._prepare,
            started=lambda: self._starter.start(),
            write_now=None if in_memory or settings.durability == "queue" else lambda one: self._starter.write_now(one),
            max_bytes=settings.queue.max_bytes,
            strict=settings.strict,
        )
        self.experiences = Experiences(settings, fault=self.intake.fault)
        identifying = identifying_of(settings)
        now, failed, kept = self.intake.stamper.now, self.intake.fault, partial(keys_of_letters, self._root)
        view = View(
            self._open_store, now=now, erased=self._erase_kept, kept=kept, failed=failed, types=identifying.types
        )
        self.bus.subscribe(view.committed)
        self.desk = Desk(
            source=f"/{settings.service}",
            policy=policy_of(settings),
            keyring=open_keyring(settings, in_memory=in_memory, shared=self._open_store().remote),
            intake=self.intake,
            view=view,
            deciders=tuple(build_plugins(self.registry, self.registry.deciders(), self.tables).values()),
            sending=sending_of(settings),
            regional=settings.consent.policy == REGIONAL,
            readers=tuple(build_plugins(self.registry, self.registry.signals(), self.tables).values()),
            identifying=identifying,
            experience=self.experiences.get,
            journeys=in_use(build_journeys(settings)),
            remembers=settings.profile.remember,
        )
        self.messages = Messages(self.desk, self._open_store, self.open_scope, patience_s=self.patience_s)
        self.enrich = enrichment_of(self.registry, self.tables, count=self.intake.count)
        self.channels = tuple(build_plugins(self.registry, self.registry.channels(), self.tables).values())
        self.root_scope = self.open_scope(Context())
        self.bus.subscribe(tells_refusals(self.desk, self.root_scope))
        self._exit = partial(close_at_exit, weakref.ref(self))
        self._starter = Starter(
            self._make_engine,
            self.intake.not_started,
            at_end=self._exit,
            started=(lambda: None) if in_memory else view.watch,
        )
        self._closed = False
        self._left = Flushed(complete=True, pending={})
        """What the last engine that ended had not delivered."""
        kits.add(self)
        atexit.register(self._exit)

    # --- scopes ---

    def open_scope(
        self, context: Context, *, facts: Facts | None = None, gpc: bool = False, parent: Scope | None = None
    ) -> Scope:
        """A new scope under the kit's consent policy; `cxkit.capture.scope.enter` makes it current."""
        gpc = gpc or (parent is not None and parent.gpc)
        scope = Scope(
            self,
            context=context,
            facts=facts,
            gpc=gpc,
            parent=parent,
            policy=self.desk.policy,
            allowed=allowed(self.desk.policy, {}, gpc=gpc),
        )
        if self.enrich is not None:
            scope.on_first_use(self.enrich)
        return scope

    def patience_s(self) -> float:
        """How long a remote store may be waited for here and now: on an event loop, not at all."""
        loops = sys.modules.get("asyncio")  # where it is not imported, no loop is running
        running = loops is not None and loops._get_running_loop() is not None
        return 0.0 if running else self.settings.store_budget_s

    # --- life ---

    def start(self) -> None:
        """Start delivery now rather than at the first capture, and adopt what earlier processes left."""
        self._starter.start()

    def flush(self, *, timeout_s: float = 5.0) -> Flushed:
        """Wait until everything captured so far is handled by every exporter, or the time is up."""
        deadline = time.monotonic() + timeout_s
        if self.intake.queued:
            self._starter.start()  # again, if it failed
        engine = self._starter.awaited(deadline)
        if engine is None:
            return Flushed(complete=self.intake.queued == 0, pending={})
        return engine.flush(max(0.0, deadline - time.monotonic()))

    async def aflush(self, *, timeout_s: float = 5.0) -> Flushed:
        """`flush`, without holding up the event loop."""
        return await beside(self.flush, timeout_s=timeout_s)

    async def settled(self, *, timeout_s: float = 1.0) -> bool:
        """Wait until the store holds what was just identified or chosen; whether it does."""
        return await beside(self._settle, timeout_s)

    def stop(self, *, timeout_s: float | None = None) -> Flushed:
        """Deliver what can be delivered in time and end the threads; the next capture starts them anew.

        What a server does when it shuts down: signals may end the process before anything else runs.

        Args:
            timeout_s: By default the setting ``exit_timeout_s``.
        """
        deadline = self._deadline(timeout_s)
        engine = None if self._in_memory else self._starter.awaited(deadline)
        if engine is None:
            return self.flush(timeout_s=max(0.0, deadline - time.monotonic()))
        self.intake.count_anew(engine.dropped)
        flushed = engine.close(max(0.0, deadline - time.monotonic()))
        if self._starter.engine is engine:  # else somebody else has stopped it, and there is another already
            self._starter.engine = None
        self._left = flushed
        self._pid = None  # the lanes have closed their exporters: the next engine needs others
        if self.intake.rest():
            self._starter.start()
        return flushed

    async def astop(self, *, timeout_s: float | None = None) -> Flushed:
        """`stop`, without holding up the event loop."""
        return await beside(self.stop, timeout_s=timeout_s)

    def close(self, *, timeout_s: float | None = None) -> Flushed:
        """`stop`, for good: what is captured from now on is dropped, and counted. Idempotent."""
        deadline = self._deadline(timeout_s)
        already, self._closed = self._closed, True
        self.intake.closed = True
        atexit.unregister(self._exit)
        engine = self._starter.awaited(deadline) or (self._late_engine() if not already else None)
        if engine is not None and not already:
            self._left = engine.close(max(0.0, deadline - time.monotonic()))
            self._starter.engine = engine  # a late one, too: what it has written down is not counted beside it
        if not already:
            self.desk.view.close()
            self.experiences.close()
            if self._store is not None and self._given_store is None:
                self._store.close()
        return self._left

    def _deadline(self, timeout_s: float | None) -> float:
        return time.monotonic() + (self.settings.exit_timeout_s if timeout_s is None else timeout_s)

    async def aclose(self, *, timeout_s: float | None = None) -> Flushed:
        """`close`, without holding up the event loop."""
        return await beside(self.close, timeout_s=timeout_s)

    # --- what it knows ---

    def account(self) -> Account:
        """What became of everything captured under this kit's directory, per exporter."""
        if self._starter.engine is not None:
            return self._starter.engine.account()
        return read_account(self._root, dropped=dict(self.intake.dropped), queued=self.intake.queued)

    def subscribe(self, listener: Callable[[Committed], None]) -> Callable[[], None]:
        """Be told of all that this process commits to the store, see `Committed`; returns what ends it."""
        return self.bus.subscribe(listener)

    @property
    def premises(self) -> Premises:
        """All places in which it keeps something of people, for `cxkit.kit.privacy`."""
        from cxkit.kit.privacy import Premises  # most processes do without

        return Premises(
            desk=self.desk,
            settings=self.settings,
            root=self._root,
            store=self._open_store,
            start=self._starter.start,
            engine=self._starter.awaited,
            scope=self.root_scope,
        )

    # --- inside: building ---

    @property
    def _root(self) -> Path | None:
        return None if self._in_memory else self.settings.directory.absolute()

    def _open_store(self) -> Store:
        with self._store_guard:
            if self._store is None:
                self._store = build_store(self.registry, self.settings, in_memory=self._in_memory)
            return self._store

    def _prepare(self, spec: TouchpointSpec, scope: Scope) -> Prepared:
        if scope.muted:
            return Prepared(refusal="own_thread", spec=spec)
        before = self.settings.consent.before_choice  # nobody ever chooses in the scope that never ends
        return prepare(
            spec,
            scope,
            source=self.desk.source,
            before_choice="drop" if scope is self.root_scope and before == "hold" else before,
            subject=self.desk.subject,
        )

    # --- inside: the process's engine ---

    def _late_engine(self) -> Engine[Captured] | None:
        """Where nothing was started, or no thread can be: one that only writes down what is known.

        Not while a start hangs on the disk: it would hang there, too, and the end of the process with it.
        """
        lost = self.intake.queued or self.intake.dropped
        return self._make_engine() if lost and not self._starter.under_way else None

    def _make_engine(self) -> Engine[Captured]:
        if os.getpid() != self._pid:  # inherited connections are the parent's
            self._pid = os.getpid()
            self._routes = build_exporters(self.registry, self.settings, self._given)
        return Engine(
            self.intake,
            root=self._root,
            limits=spool_limits(self.settings),
            lanes=self._make_lanes,
            synced=self.settings.durability == "sync",
            muted=self._muted,
            on_drop=self.registry.drop_listener(),
            loss_report=None if self._in_memory else partial(loss_report, self.desk, self.root_scope),
        )

    def _make_lanes(
        self, spools: Callable[[], Sequence[Spool]], passed: Callable[[Spool], None], token: str
    ) -> Sequence[Lane]:
        make = partial(
            Lane,
            spools=spools,
            passed=passed,
            now_text=lambda: clock_text(self.intake.stamper.stamp()[1]),
            muted=self._muted,
        )
        desk = self.desk
        applier = Applier(
            self._open_store, desk.keyring, self.bus, refused=desk.view.forgets, types=desk.identifying.types
        )
        dead = self._root and self._root / "dead"
        return build_lanes(make, self._routes, (applier, self._remembered), dead, token, self._verdict)

    @property
    def _remembered(self) -> int:
        """Bits of the purposes for which contacts are remembered."""
        return purpose_bits(["personalization"] if self.settings.profile.remember else [])

    def _erase_kept(self, keys: frozenset[str], until: datetime) -> None:
        """What this process has spooled of somebody goes, soon, and so do dead letters."""
        self.intake.steps.forget(map(bytes.fromhex, keys))
        engine = self._starter.engine
        if engine is not None:
            engine.erase(frozenset(map(bytes.fromhex, keys)), 0.0, until=until)

    def _verdict(self, subject: bytes, purposes: int) -> tuple[Answer, datetime | None]:
        named = [purpose for place, purpose in enumerate(PURPOSES) if purposes >> place & 1]
        refused, erased_at = self.desk.view.standing(subject, named)
        return "unknown" if refused is None else "refused" if refused else "allowed", erased_at

    def _settle(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        engine = self._starter.awaited(deadline)
        if engine is None:
            return self.intake.queued == 0
        return engine.settle(STORE_LANE, max(0.0, deadline - time.monotonic()))

    @contextmanager
    def _muted(self) -> Iterator[None]:
        """Nothing captured on this thread is kept: an exporter must not observe itself."""
        scope = self.open_scope(Context())
        scope.muted = True
        enter(scope)
        try:
            yield
        finally:
            scope.close()

    def _forget_parent(self) -> None:
        if self._starter.engine is not None:
            abandoned.append(self._starter.engine)
        self._starter.reset()
        self._left = Flushed(complete=True, pending={})
        self._store_guard = threading.Lock()
        self._store = self._given_store
        self.intake.reset()
        self.intake.stamper.reseed()
        self.desk.view.reset()
