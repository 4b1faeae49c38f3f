"""What a decision costs: a rule and a sticky split, beside GrowthBook and OpenFeature; and what it costs besides.

Everybody decides the same thing: whoever is in France and has the plan gold takes part in an experiment of two
variations, and keeps the one they were given before. Nothing is exposed.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import time
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import attrs
import growthbook
from growthbook.core import evalCondition
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

import cxkit
from benchmarks.event import CONTEXT, IDENTITY
from benchmarks.pairs import Row, paired, rated, table
from cxkit.api import Experience
from cxkit.capture.scope import Scope, enter
from cxkit.kit import Kit
from cxkit.model import JSON, ExperienceSpec, Experiment, Variant
from cxkit.roles import Change, Document, Put
from cxkit.rules.experience import compile_condition
from cxkit.settings import Plugins, Settings
from cxkit.stores.memory import MemoryStore
from cxkit_openfeature import CXProvider

__all__ = ["run"]

RULE: Mapping[str, JSON] = {"country": "FR", "traits.plan": "gold"}
FLAT: Mapping[str, JSON] = {"country": "FR", "plan": "gold"}
"""The same, over the attributes that the others are given."""
SAID: dict[str, Any] = {"id": "nancy", "country": "FR", "plan": "gold", "device": "phone", "language": "fr"}
CLAUSES: Mapping[str, JSON] = {
    "country": {"$in": ["FR", "BE", "CH"]},
    "language": "fr",
    "visits": {"$gte": 3},
    "traits.plan": {"$ne": "free"},
}
FITTING: Mapping[str, JSON] = {"country": "BE", "language": "fr", "visits": 4, "traits": {"plan": "gold"}}
ALL, BOLD = "all", "bold"
SLOW_S = 0.3
"""What a store takes to answer that is far away."""


def run(*, quick: bool) -> str:
    parts = [_split, _condition, _declared, _stalls, _memory]
    return "\n".join(part(quick=quick) for part in parts)


# --- what everybody decides ------------------------------------------------------------------------


def _spec(name: str = "bench.hero") -> ExperienceSpec:
    return ExperienceSpec(
        name=name,
        fallback=Variant(name=ALL, content="Welcome"),
        variants=(Variant(name=BOLD, content="Sweets!"),),
        experiments=(Experiment(name=f"{name}.bolder", variations=(ALL, BOLD), unit="user_id", audience=RULE),),
    )


def _kit(store: Any = None, *, experiences: Iterable[str] = ()) -> Kit:
    tables = {
        name: {
            "fallback": {"name": ALL, "content": "Welcome"},
            "variants": [{"name": BOLD, "content": "Sweets!"}],
            "experiments": [
                {"name": f"{name}.bolder", "variations": [ALL, BOLD], "unit": "user_id", "audience": dict(RULE)}
            ],
        }
        for name in experiences
    }
    settings = Settings(plugins=Plugins(allow=()), experiences=tables)
    return Kit(settings, exporters={}, store=store or MemoryStore(), in_memory=True)


def _handle(kit: Kit, name: str) -> Experience:
    with cxkit.scope(kit=kit):
        found = Experience.named(name)
    assert found is not None
    return found


def _scope(kit: Kit) -> Scope:
    """Nancy, who is gold, in France, and allows all of it; she has been shown it before."""
    scope = kit.open_scope(CONTEXT)
    scope.choices = {one: ("granted", datetime.now(UTC)) for one in ("analytics", "personalization", "profiling")}
    kit.desk.govern(scope)
    scope.change(identity=IDENTITY)
    return scope


@contextmanager
def _nancy(kit: Kit) -> Any:
    scope = _scope(kit)
    enter(scope)
    try:
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        kit.flush(timeout_s=5)
        yield scope
    finally:
        scope.close()


def _split(*, quick: bool) -> str:
    kit = _kit(experiences=["bench.hero"])
    hero = _handle(kit, "bench.hero")
    ours = _client(CXProvider(exposes=False), domain="ours")
    theirs, flags = _growthbook(), _openfeature()
    with _nancy(kit):
        hero.show()
        kit.flush(timeout_s=5)
        decided = hero.decide()

        def anew(number: int) -> object:
            with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
                return hero.decide()

        subjects: dict[str, Callable[[int], object]] = {
            "floor: the rule and a look-up, by hand": _by_hand(),
            "cxkit: in a scope": lambda number: hero.decide(),
            "cxkit: in a scope of its own": anew,
            "cxkit: in a scope, through OpenFeature": lambda number: ours.get_string_details("bench.hero", ""),
            "growthbook: eval_feature": lambda number: theirs.eval_feature("bench.hero"),
            "growthbook: set_attributes, eval_feature": _told_anew(theirs),
            "OpenFeature in memory: get_string_details": lambda number: flags.get_string_details(
                "bench.hero", "", EvaluationContext("nancy", dict(SAID))
            ),
        }
        calls, rounds = (200, 3) if quick else (2000, 15)
        rows = [
            *_against("growthbook: eval_feature", subjects, calls, rounds),
            *_against("OpenFeature in memory: get_string_details", subjects, calls, rounds),
        ]
    kit.close(timeout_s=1)
    one = decided.assignment
    given = one and f"{one.experiment} {one.variation}{', sticky' if one.sticky else ''}"
    note = (
        "CPU time of the calling thread for one decision: a rule of two clauses, a sticky 50/50 split, no exposure;\n"
        "ratios to GrowthBook's, then to OpenFeature's. Budget: 3.5 us, and a third of either.\n"
        f"cxkit decided: {decided.variant} ({given or 'no experiment took part'})."
    )
    return table("A decision", note, rows)


def _against(base: str, subjects: Mapping[str, Callable[[int], object]], calls: int, rounds: int) -> list[Row]:
    rows = paired(subjects, base=base, calls=calls, rounds=rounds)
    shown = [row for row in rows if row.name.startswith(("cxkit: in a scope", base.partition(":")[0], "floor"))]
    return [_limited(row, of=base) for row in shown]


def _limited(row: Row, *, of: str) -> Row:
    named = attrs.evolve(row, name=f"{row.name}, to {of.partition(':')[0]}" if row.name != of else row.name)
    return attrs.evolve(named, at_most=1 / 3) if row.name == "cxkit: in a scope" else named


def _by_hand() -> Callable[[int], object]:
    kept = {("nancy", "bolder"): BOLD}

    def decide(number: int) -> str:
        if SAID["country"] == "FR" and SAID["plan"] == "gold":
            return kept.get((SAID["id"], "bolder")) or (ALL, BOLD)[_half("nancy")]
        return ALL

    return decide


def _half(text: str) -> int:
    return hashlib.blake2b(text.encode(), digest_size=4).digest()[0] & 1


def _growthbook() -> Any:
    """One instance, as an application keeps it for a request or for good; its sticky service holds the assignment."""
    rule = {
        "condition": dict(FLAT),
        "key": "bolder",
        "variations": [ALL, BOLD],
        "meta": [{"key": "0"}, {"key": "1"}],
        "hashAttribute": "id",
        "hashVersion": 2,
        "coverage": 1,
    }
    service = growthbook.InMemoryStickyBucketService()
    made = growthbook.GrowthBook(
        attributes=dict(SAID),
        features={"bench.hero": {"defaultValue": ALL, "rules": [rule]}},
        sticky_bucket_service=service,
    )
    made.eval_feature("bench.hero")
    assert service.get_assignments("id", "nancy"), "nothing was kept"
    return made


def _told_anew(theirs: Any) -> Callable[[int], object]:
    def decide(number: int) -> object:
        theirs.set_attributes(dict(SAID))
        return theirs.eval_feature("bench.hero")

    return decide


def _openfeature() -> Any:
    """Its provider leaves the rule and the split to the application."""
    kept = {"nancy": BOLD}

    def evaluate(flag: InMemoryFlag[str], context: EvaluationContext) -> FlagResolutionDetails[str]:
        said = context.attributes
        if said.get("country") == "FR" and said.get("plan") == "gold":
            variant = kept.get(context.targeting_key or "") or (ALL, BOLD)[_half(context.targeting_key or "")]
            return FlagResolutionDetails(value=flag.variants[variant], variant=variant, reason=Reason.SPLIT)
        return FlagResolutionDetails(value=flag.variants[ALL], variant=ALL, reason=Reason.DEFAULT)

    flag = InMemoryFlag(ALL, {ALL: "Welcome", BOLD: "Sweets!"}, context_evaluator=evaluate)
    return _client(InMemoryProvider({"bench.hero": flag}), domain="theirs")


def _client(provider: AbstractProvider, *, domain: str) -> OpenFeatureClient:
    api.set_provider_and_wait(provider, domain=domain)
    return api.get_client(domain=domain)


# --- a condition ------------------------------------------------------------------------------------


def _condition(*, quick: bool) -> str:
    compiled = compile_condition(CLAUSES, where="bench")
    assert compiled(FITTING)
    assert evalCondition(dict(FITTING), dict(CLAUSES))
    subjects: dict[str, Callable[[int], object]] = {
        "floor: by hand": lambda number: (
            FITTING["country"] in ("FR", "BE", "CH")
            and FITTING["language"] == "fr"
            and FITTING["visits"] >= 3  # type: ignore[operator]  # of JSON, and known
            and FITTING["traits"]["plan"] != "free"  # type: ignore[call-overload, index]  # likewise
        ),
        "cxkit: compiled": lambda number: compiled(FITTING),
        "growthbook: evalCondition": lambda number: evalCondition(FITTING, CLAUSES),  # type: ignore[arg-type]  # plain dicts
    }
    calls, rounds = (500, 3) if quick else (5000, 15)
    rows = paired(subjects, base="growthbook: evalCondition", calls=calls, rounds=rounds)
    note = "Four clauses, all of which hold: among three, equal, at least, not equal in a dotted path. Budget: 5 us."
    return table("A condition", note, rows)


# --- many experiences -------------------------------------------------------------------------------


def _declared(*, quick: bool) -> str:
    few, many = 10, 100 if quick else 1000
    again, each = "the same one again and again", "each in turn"
    times: dict[tuple[int, str], list[float]] = {}
    kits = {count: _kit(experiences=[f"bench.e{number}" for number in range(count)]) for count in (few, many)}
    calls, rounds = (200, 3) if quick else (1000, 15)
    for _ in range(rounds + 1):
        for count, kit in kits.items():
            with _nancy(kit):
                handles = [_handle(kit, f"bench.e{number}") for number in range(count)]
                for how, asked in ((again, handles[:1]), (each, handles)):
                    for one in asked:
                        one.decide()
                    began = time.thread_time()
                    for number in range(calls):
                        asked[number % len(asked)].decide()
                    times.setdefault((count, how), []).append((time.thread_time() - began) / calls * 1e6)
    for kit in kits.values():
        kit.close(timeout_s=1)
    rows = [
        rated(f"cxkit: of {count:,} configured {how}", times[count, how][1:], times[few, how][1:], "us")
        for how in (again, each)
        for count in kits
    ]
    note = (
        "CPU time of the calling thread for one decision, by an experiment that has not been shown yet.\n"
        "A thousand in turn presumably do not fit into the processor's caches."
    )
    return table("Many experiences", note, rows)


# --- event loops ------------------------------------------------------------------------------------


class Far(MemoryStore):
    """A store that takes its time."""

    remote = True

    def get_many(self, keys: Iterable[str]) -> dict[str, Document]:
        time.sleep(SLOW_S)
        return super().get_many(keys)

    def commit(self, puts: Mapping[str, Put], *, expected: Mapping[str, int]) -> dict[str, int]:
        time.sleep(SLOW_S)
        return super().commit(puts, expected=expected)

    def changes_since(self, token: int, *, limit: int = 1000) -> list[Change]:
        time.sleep(SLOW_S)
        return super().changes_since(token, limit=limit)


def _stalls(*, quick: bool) -> str:
    asked = 50 if quick else 500
    longest = {
        "floor: nothing but the scope": asyncio.run(_longest(asked, decides=False)),
        "cxkit: decide, each for somebody else": asyncio.run(_longest(asked, decides=True)),
    }
    rows = [Row(name=f"{name}, longest", value=stall, unit="ms") for name, stall in longest.items()]
    note = (
        f"{asked:,} scopes of different people on one event loop, whose store takes {SLOW_S * 1000:.0f} ms: how long\n"
        "one turn of the loop took at most. Budget: no stall, so about as long as without."
    )
    return table("Event loops", note, rows)


async def _longest(asked: int, *, decides: bool) -> float:
    kit = _kit(Far())
    hero = Experience(_spec("bench.far"))
    worst = 0.0
    gc.collect()
    gc.disable()  # what the collector takes is nobody's stall here
    try:
        for number in range(-20, asked):  # the first of them start what a process starts once
            began = time.perf_counter()
            with cxkit.scope(kit=kit, user_id=f"n{number}", evidence="login"):
                if decides:
                    hero.decide()
            worst = max(worst, time.perf_counter() - began) if number >= 0 else worst
            await asyncio.sleep(0)
    finally:
        gc.enable()
        await asyncio.to_thread(kit.close, timeout_s=1)
    return worst * 1000


# --- memory -----------------------------------------------------------------------------------------


def _memory(*, quick: bool) -> str:
    count, decisions = (50, 2_000) if quick else (1000, 50_000)
    kits: list[Kit] = []

    def declare() -> None:
        kits.append(_kit(experiences=[f"bench.m{number}" for number in range(count)]))
        with _nancy(kits[0]):
            for number in range(count):
                _handle(kits[0], f"bench.m{number}").decide()

    per = _grown(declare) / count
    hero = Experience(_spec("bench.kept"))

    def decide() -> None:
        for number in range(decisions):
            with cxkit.scope(kit=kits[0], user_id=f"n{number}", evidence="claim"):
                hero.decide()

    grown = _grown(decide, after=decide)
    kits[0].close(timeout_s=1)
    rows = [
        Row(name="one experience, configured and decided once", value=per, unit="bytes"),
        Row(name=f"grown by {decisions:,} decisions for {decisions:,} people", value=grown / 1e3, unit="kB"),
    ]
    return table(
        "Memory of experiences", "By tracemalloc; people are decided for twice, and the second time counts.", rows
    )


def _grown(work: Callable[[], object], *, after: Callable[[], object] = lambda: None) -> float:
    """Bytes that are held more than before, once this was done, too."""
    tracemalloc.start()
    after()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    work()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown
