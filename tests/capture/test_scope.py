"""Scopes: nested, closed in any order, across threads, tasks, generators and executors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.capture.scope import Scope, Spoken, current_scope, enter
from cxkit.kit import Kit
from cxkit.model import Context, Facts, Identifier, Identity, Place
from cxkit.rules.consent import Allowed
from cxkit.settings import Settings

NANCY = Identity(identifiers=(Identifier(type="user_id", value="nancy", evidence="login"),))
FACTS = Facts(method="GET", scheme="https", host=None, path="/", headers={})


@pytest.fixture(scope="module")
def kit() -> Iterator[Kit]:
    kit = Kit(Settings(strict=True), in_memory=True)
    yield kit
    kit.close()


def channel() -> str | None:
    scope = current_scope()
    return scope.context.channel if scope else None


def test_the_innermost_scope_is_the_current_one(kit: Kit) -> None:
    assert channel() is None
    with cxkit.scope(kit=kit, channel="phone"):
        with cxkit.scope(kit=kit, channel="store"):
            assert channel() == "store"
        assert channel() == "phone"
    assert channel() is None


def test_it_is_left_however_the_block_ends(kit: Kit) -> None:
    with pytest.raises(ZeroDivisionError), cxkit.scope(kit=kit, channel="phone"):
        raise ZeroDivisionError
    assert channel() is None


@given(st.permutations(range(4)))
def test_scopes_may_be_closed_in_any_order(kit: Kit, order: list[int]) -> None:
    scopes: list[Scope] = []
    for number in range(4):
        scopes.append(kit.open_scope(Context(channel=f"c{number}"), parent=current_scope()))
        enter(scopes[-1])
    for number in order:
        scopes[number].close()
        scopes[number].close()
        still_open = [scope for scope in scopes if not scope.closed]
        assert current_scope() is (still_open[-1] if still_open else None)


def test_a_closed_scope_keeps_no_facts(kit: Kit) -> None:
    scope = kit.open_scope(Context(), facts=FACTS)
    scope.close()
    assert scope.facts is None


def test_scopes_that_were_left_are_not_kept_alive(kit: Kit) -> None:
    for _ in range(3):
        with cxkit.scope(kit=kit):
            scope = current_scope()
            assert scope is not None
            assert scope.parent is None


def test_another_thread_has_no_scope(kit: Kit) -> None:
    seen: list[str | None] = []
    with cxkit.scope(kit=kit, channel="phone"):
        thread = threading.Thread(target=lambda: seen.append(channel()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_tasks_inherit_and_do_not_disturb_each_other(kit: Kit) -> None:
    seen: dict[str, list[str | None]] = {}

    async def visit(name: str) -> None:
        seen[name] = [channel()]
        with cxkit.scope(kit=kit, channel=name):
            await asyncio.sleep(0)
            seen[name].append(channel())
            await asyncio.sleep(0)
        seen[name].append(channel())

    async def main() -> None:
        with cxkit.scope(kit=kit, channel="outer"):
            await asyncio.gather(*(visit(f"task{number}") for number in range(5)))
            assert channel() == "outer"

    asyncio.run(main())
    assert seen == {f"task{number}": ["outer", f"task{number}", "outer"] for number in range(5)}


def test_a_task_that_outlives_its_request_has_no_scope_any_more(kit: Kit) -> None:
    async def late(ended: asyncio.Event) -> str | None:
        await ended.wait()
        return channel()

    async def main() -> None:
        ended = asyncio.Event()
        with cxkit.scope(kit=kit, channel="web"):
            task = asyncio.create_task(late(ended))
        ended.set()
        assert await task is None

    asyncio.run(main())


def test_a_scope_left_open_in_a_generator_ends_with_it(kit: Kit) -> None:
    def rows() -> Iterator[str | None]:
        with cxkit.scope(kit=kit, channel="export"):
            yield channel()
            yield channel()

    with cxkit.scope(kit=kit, channel="web"):
        generator = rows()
        assert next(generator) == "export"
        generator.close()
        assert channel() == "web"
    assert channel() is None


def test_a_scope_may_be_closed_in_another_context_than_it_was_opened_in(kit: Kit) -> None:
    """As async generators do when the loop finalises them: resetting a token would raise there."""
    scope = kit.open_scope(Context(channel="web"))
    enter(scope)
    thread = threading.Thread(target=scope.close)
    thread.start()
    thread.join()
    assert current_scope() is None


def test_a_change_is_a_new_version_and_nothing_prepared_outlives_it(kit: Kit) -> None:
    spec = cxkit.touchpoint("scope.changed", purpose="necessary").spec
    scope = kit.open_scope(Context())
    kit.intake.capture(scope, spec, {})
    assert (scope.version, set(scope.prepared)) == (0, {"scope.changed"})
    for number, change in enumerate(({"identity": NANCY}, {"context": Context()}, {"allowed": Allowed()}), 1):
        scope.change(**change)  # type: ignore[arg-type]
        assert (scope.version, scope.prepared, scope.circumstances) == (number, {}, None)
        kit.intake.capture(scope, spec, {})
    assert scope.identity == NANCY


def test_a_child_starts_from_its_parent_and_goes_its_own_way(kit: Kit) -> None:
    parent = kit.open_scope(Context(channel="web"), gpc=True)
    parent.change(identity=NANCY)
    parent.pending, parent.despite_gpc = True, True
    parent.asked, parent.chosen_language, parent.given_timezone = ("fr",), "de", "Asia/Tokyo"
    parent.spoken = Spoken("de", "de", "choice")
    child = parent.child(context={"locale": "fr"})
    assert child.context == Context(channel="web", locale="fr")
    assert (child.identity, child.allowed, child.gpc) == (NANCY, parent.allowed, True)
    assert (child.pending, child.despite_gpc, child.parent) == (True, True, parent)
    assert (child.asked, child.chosen_language, child.given_timezone) == (("fr",), "de", "Asia/Tokyo")
    assert child.spoken == parent.spoken
    child.change(identity=Identity())
    child.choices["analytics"] = ("granted", kit.intake.stamper.now())
    assert parent.identity == NANCY
    assert parent.choices == {}


def test_what_is_shown_late_follows_only_what_the_response_said_before(kit: Kit) -> None:
    """In scopes within, whenever they were opened; and not once the response is over."""
    visit = kit.open_scope(Context(channel="web"))
    before = visit.child()
    assert (visit.late, visit.may_follow("asked"), visit.may_follow("country")) == (False, True, True)
    assert before.vary("asked")
    visit.begin()
    assert not before.vary("country")
    for scope in (visit, before, visit.child(), before.child()):
        assert (scope.late, scope.may_follow("asked"), scope.may_follow("country")) == (True, True, False)
    visit.close()
    assert (before.late, before.may_follow("country")) == (False, True)


def test_enrichers_run_once_when_they_are_first_needed(kit: Kit) -> None:
    calls: list[Facts] = []

    def enrich(facts: Facts, context: Context) -> Context:
        calls.append(facts)
        return Context(channel="web", locale="fr")

    scope = kit.open_scope(Context(channel="web"), facts=FACTS)
    scope.on_first_use(enrich)
    assert calls == []
    scope.enrich()
    scope.enrich()
    assert calls == [FACTS]
    assert scope.context.locale == "fr"
    scope.close()
    scope.on_first_use(enrich)
    scope.enrich()
    assert len(calls) == 1, "without facts there is nothing to enrich from"


def test_what_is_chosen_while_they_run_outranks_what_they_find(kit: Kit) -> None:
    """By another thread, which does not wait for them."""
    scope = kit.open_scope(Context(channel="web"), facts=FACTS)

    def enrich(facts: Facts, context: Context) -> Context:
        scope.enrich()  # nothing: it is on its way
        scope.change(context=Context(channel="web", place=Place(country="FR"), locale="fr"))
        return Context(channel="web", place=Place(country="US"), locale="en", timezone="UTC", actor="bot")

    scope.on_first_use(enrich)
    scope.enrich()
    chosen = Context(channel="web", place=Place(country="FR"), locale="fr", timezone="UTC", actor="bot")
    assert scope.context == chosen


# --- carry ---


def test_work_is_carried_to_an_executor_although_its_scope_has_closed(kit: Kit) -> None:
    with ThreadPoolExecutor(1) as pool:
        with cxkit.scope(kit=kit, channel="web"):
            carried = cxkit.carry(channel)
        assert channel() is None
        assert pool.submit(carried).result() == "web"
        assert pool.submit(carried).result() == "web", "it may be done more than once"
        assert pool.submit(channel).result() is None, "and leaves nothing behind in the thread"


def test_what_is_carried_is_how_things_stood(kit: Kit) -> None:
    def who() -> Identity:
        scope = current_scope()
        assert scope is not None
        return scope.identity

    with cxkit.scope(kit=kit, channel="web", user_id="nancy"):
        carried = cxkit.carry(who)
        cxkit.identify(user_id="other")
    assert [one.value for one in carried().identifiers] == ["nancy"]


def test_what_happens_in_carried_work_stays_there(kit: Kit) -> None:
    with cxkit.scope(kit=kit, channel="web"):
        cxkit.carry(cxkit.grant)("analytics")
        scope = current_scope()
        assert scope is not None
        assert "analytics" not in scope.allowed.granted
        assert channel() == "web"


def test_carried_work_keeps_its_face(kit: Kit) -> None:
    def work(one: int, *, other: int = 2) -> int:
        """Adds."""
        return one + other

    with cxkit.scope(kit=kit):
        carried = cxkit.carry(work)
    assert (carried.__name__, carried.__doc__) == ("work", "Adds.")
    assert carried(1, other=3) == 4
    with pytest.raises(ZeroDivisionError):
        cxkit.carry(lambda: 1 // 0)()


def test_outside_of_a_scope_there_is_nothing_to_carry() -> None:
    assert cxkit.carry(channel)() is None
