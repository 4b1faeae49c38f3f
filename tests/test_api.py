"""The face: what an app writes, as the house shows it, and what it may rely on."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import attrs
import pytest

import cxkit
from cxkit.errors import DeclarationError, StateError
from cxkit.testing import Recorder, recorder

FACE = {
    "CXError", "Decision", "Experience", "Feedback", "Interaction", "Kit", "Money", "Touchpoint", "Variant", "carry",
    "close", "configure", "experience", "flush", "grant", "identify", "money", "profile", "scope", "settled", "stats",
    "touchpoint", "withdraw",
}  # fmt: skip


def test_the_public_names_are_there_and_documented() -> None:
    assert set(cxkit.__all__) >= FACE
    assert cxkit.__all__ == sorted(cxkit.__all__)
    for name in cxkit.__all__:
        assert inspect.getdoc(getattr(cxkit, name)), name


# --- the house's example, word for word but for what it leaves out ---


@attrs.frozen
class ItemAdded:
    sku: str
    quantity: int = 1


def test_the_face(cx: Recorder) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route
    from starlette.testclient import TestClient

    from cxkit_starlette import CXMiddleware

    class templates:  # noqa: N801 - the name is the example's
        @staticmethod
        def TemplateResponse(request: Request, name: str, context: dict[str, Any]) -> Response:  # noqa: N802
            return PlainTextResponse(context["hero"].variant)

    ITEM_ADDED = cxkit.touchpoint("cart.item_added", stage="consideration", properties=ItemAdded)
    CHECKOUT = cxkit.touchpoint("cart.checked_out", stage="purchase")
    CALL_ANSWERED = cxkit.touchpoint("call.answered", stage="service")
    WORK = cxkit.touchpoint("work.done")
    hero = cxkit.experience("home.hero")
    executor = ThreadPoolExecutor(1)
    earlier = "0190"

    async def add_to_cart(request: Request) -> Response:
        ITEM_ADDED.capture(sku="ALM-200", quantity=1)
        ITEM_ADDED.on(value=cxkit.money("24.90", "EUR"), cause=earlier).capture(sku="ALM-200", quantity=1)
        return templates.TemplateResponse(request, "home.html", {"hero": hero.show()})

    async def login(request: Request) -> Response:
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        cxkit.grant("personalization")
        return PlainTextResponse("welcome")

    async def checkout(request: Request) -> Response:
        with CHECKOUT.interaction() as it:
            it.set(step="payment")

        def work() -> None:
            WORK.capture()

        with cxkit.scope(channel="phone", phone="+33..."):
            CALL_ANSWERED.capture(topic="discounts")
            executor.submit(cxkit.carry(work)).result()
        return PlainTextResponse("thanks")

    app = Starlette(
        routes=[
            Route("/cart", add_to_cart, methods=["POST"]),
            Route("/login", login, methods=["POST"]),
            Route("/checkout", checkout, methods=["POST"]),
        ]
    )
    app.add_middleware(CXMiddleware)

    with TestClient(app) as client:
        assert client.post("/cart").text == "default"
        assert client.post("/login").text == "welcome"
        assert client.post("/checkout").text == "thanks"
    executor.shutdown()

    assert [one.name for one in cx.interactions] == [
        "cart.item_added", "cart.item_added", "experience.shown", "page.viewed",
        "identity.identified", "consent.changed", "page.viewed",
        "cart.checked_out", "call.answered", "work.done", "page.viewed",
    ]  # fmt: skip
    plain, valued = cx.named("cart.item_added")
    assert plain.properties == valued.properties == {"sku": "ALM-200", "quantity": 1}
    assert (plain.stage, plain.channel) == ("consideration", "web")
    assert (valued.value, valued.cause) == (cxkit.money("24.90", "EUR"), "0190")
    shown = cx.one("experience.shown").decision
    assert shown is not None
    assert (shown.experience, shown.variant) == ("home.hero", "default")
    assert cx.one("identity.identified").properties == {"plan": "gold"}
    checked_out = cx.one("cart.checked_out")
    assert (checked_out.properties, checked_out.outcome) == ({"step": "payment"}, "completed")
    assert checked_out.duration is not None
    call, done = cx.one("call.answered"), cx.one("work.done")
    assert (call.channel, done.channel, call.properties) == ("phone", "phone", {"topic": "discounts"})
    assert {one.context.page.route for one in cx.named("page.viewed") if one.context.page} == {
        "/cart", "/login", "/checkout"
    }  # fmt: skip
    assert cx.account.dropped == {}


# --- declared once ---


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes modules that really are imported."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(name: str, text: str) -> Any:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")
        importlib.invalidate_caches()
        made.append(name)
        return importlib.import_module(name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


DECLARES = """
    import cxkit
    ADDED = cxkit.touchpoint("once.added")
    HERO = cxkit.experience("once.hero")
"""


def test_the_same_module_may_declare_again(module: Any, cx: Recorder) -> None:
    first = module("cx_shop_one", DECLARES)
    before = first.ADDED
    again = importlib.reload(first)
    assert again.ADDED is not before
    before.capture()
    again.ADDED.capture()
    assert len(cx.named("once.added")) == 2


@pytest.mark.parametrize("kind", ["touchpoint", "experience"])
def test_another_module_may_not_and_learns_who_was_first(module: Any, kind: str) -> None:
    module("cx_shop_one", f'import cxkit\nX = cxkit.{kind}("once.x")')
    with pytest.raises(DeclarationError) as caught:
        module("cx_shop_two", f'import cxkit\nX = cxkit.{kind}("once.x")')
    assert caught.value.code == "CX3008"
    assert "cx_shop_one" in caught.value.what


def test_a_touchpoint_and_an_experience_may_share_a_name(module: Any) -> None:
    module("cx_shop_one", 'import cxkit\nX = cxkit.touchpoint("once.x"); Y = cxkit.experience("once.x")')


def test_a_notebook_may_declare_in_each_cell() -> None:
    cell = 'import cxkit\nX = cxkit.touchpoint("once.cell")'
    notebook = {"__name__": "__main__"}
    exec(cell, notebook)  # noqa: S102
    exec(cell, notebook)  # noqa: S102


def test_what_cannot_be_judged_is_refused_at_declaration() -> None:
    wrong = cxkit.Variant(name="a", audience={"$or": []})
    with pytest.raises(DeclarationError):
        cxkit.experience("once.wrong", variants=[wrong])
    assert cxkit.experience("once.wrong").spec.variants == (), "a refused name is still free"


def test_handles_say_what_they_are() -> None:
    assert repr(cxkit.touchpoint("once.seen")) == "<Touchpoint once.seen>"
    assert repr(cxkit.experience("once.hero")) == "<Experience once.hero>"


# --- typed properties ---


@dataclass
class Bought:
    sku: str
    quantity: int = 1


class Sized(TypedDict):
    size: int


def priced(sku: str, *, cents: int = 0) -> dict[str, object]:
    return {"sku": sku, "price": cents / 100}


@pytest.mark.parametrize(
    ("shape", "given", "kept"),
    [
        (ItemAdded, {"sku": "A"}, {"sku": "A", "quantity": 1}),
        (Bought, {"sku": "A"}, {"sku": "A", "quantity": 1}),
        (Sized, {"size": 2}, {"size": 2}),
        (priced, {"sku": "A", "cents": 250}, {"sku": "A", "price": 2.5}),
        (dict, {"any": "thing"}, {"any": "thing"}),
    ],
)
def test_what_is_captured_is_checked_and_completed(
    cx: Recorder, shape: Any, given: dict[str, Any], kept: dict[str, Any]
) -> None:
    cxkit.touchpoint("typed.seen", properties=shape).capture(**given)
    assert cx.one("typed.seen").properties == kept


def test_positional_arguments_are_the_shapes_own(cx: Recorder) -> None:
    cxkit.touchpoint("typed.placed", properties=ItemAdded).capture("A", 2)
    assert cx.one("typed.placed").properties == {"sku": "A", "quantity": 2}


@pytest.mark.parametrize("given", [{}, {"sku": "A", "colour": "red"}, {"quantity": 1}])
def test_what_does_not_fit_raises_in_strict_mode_and_is_kept_and_marked_otherwise(given: dict[str, Any]) -> None:
    added: Any = cxkit.touchpoint("typed.wrong", properties=ItemAdded)
    with recorder(strict=True), pytest.raises(TypeError):
        added.capture(**given)
    with recorder(strict=False) as record:
        added.capture(**given)
        one = record.one("typed.wrong")
        assert (one.properties, one.trimmed) == (given, {"": "invalid:TypeError"})


def test_a_marker_of_the_shape_and_one_of_a_value_go_together() -> None:
    added: Any = cxkit.touchpoint("typed.both", properties=ItemAdded)
    with recorder(strict=False) as record:
        added.on(case="1").capture(note=float("nan"))
        one = record.one("typed.both")
        assert (one.case, one.trimmed) == ("1", {"": "invalid:TypeError", "note": "nan"})


# --- as decorator and context manager ---


def test_a_call_is_measured_and_stays_what_it_was(cx: Recorder) -> None:
    done = cxkit.touchpoint("call.done")

    @done
    def add(one: int, *, other: int = 2) -> int:
        """Adds."""
        return one + other

    assert add(1, other=3) == 4
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert str(inspect.signature(add)) == "(one: 'int', *, other: 'int' = 2) -> 'int'"
    one = cx.one("call.done")
    assert (one.outcome, one.error, one.properties) == ("completed", None, {})
    assert one.duration is not None
    assert one.duration.total_seconds() >= 0


def test_a_coroutine_is_measured_while_it_runs(cx: Recorder) -> None:
    done = cxkit.touchpoint("call.async")

    @done
    async def add(one: int) -> int:
        await asyncio.sleep(0)
        return one + 1

    assert inspect.iscoroutinefunction(add)

    async def main() -> None:
        waiting = add(1)
        assert cx.named("call.async") == []
        assert await waiting == 2

    asyncio.run(main())
    assert cx.one("call.async").outcome == "completed"


def test_a_generator_is_measured_until_it_ends(cx: Recorder) -> None:
    done = cxkit.touchpoint("call.rows")

    @done
    def rows(number: int) -> Iterator[int]:
        answer = yield 0
        yield from range(number)
        return answer

    assert inspect.isgeneratorfunction(rows)
    generator: Any = rows(2)
    next(generator)
    assert cx.named("call.rows") == []
    assert generator.send("thanks") == 0
    assert list(generator) == [1]
    assert cx.one("call.rows").outcome == "completed"
    left = rows(2)
    next(left)
    left.close()
    assert [one.outcome for one in cx.named("call.rows")] == ["completed", "abandoned"]


def test_an_async_generator_cannot_be_decorated() -> None:
    async def rows() -> Any:
        yield 1

    with pytest.raises(DeclarationError) as caught:
        cxkit.touchpoint("call.arows")(rows)
    assert caught.value.code == "CX3009"


def test_failure_is_an_outcome_and_goes_on_its_way(cx: Recorder) -> None:
    done = cxkit.touchpoint("call.failed")

    @done
    def fail() -> None:
        raise ValueError("the customer's own words")

    with pytest.raises(ValueError, match="words"):
        fail()
    one = cx.one("call.failed")
    assert (one.outcome, one.error) == ("failed", "ValueError")
    assert "words" not in str(one), "an error's text may hold anything"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_ends_the_work_from_outside_is_no_failure(cx: Recorder, error: type[BaseException]) -> None:
    with pytest.raises(error), cxkit.touchpoint("call.left").interaction():
        raise error
    assert (cx.one("call.left").outcome, cx.one("call.left").error) == ("abandoned", error.__name__)


def test_a_cancelled_task_is_abandoned_and_stays_cancelled(cx: Recorder) -> None:
    done = cxkit.touchpoint("call.cancelled")

    @done
    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(wait_for_ever())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())
    assert cx.one("call.cancelled").outcome == "abandoned"


def test_properties_are_added_as_they_become_known(cx: Recorder) -> None:
    with cxkit.touchpoint("call.steps").interaction() as it:
        it.set(step="basket", items=2)
        it.set(step="payment")
    assert cx.one("call.steps").properties == {"step": "payment", "items": 2}


def test_in_strict_mode_an_error_of_the_app_goes_before_one_of_its_capture(cx: Recorder) -> None:
    seen = cxkit.touchpoint("call.wrong")
    with pytest.raises(ZeroDivisionError), seen.interaction() as it:
        it.set(bad=float("nan"))
        raise ZeroDivisionError
    with pytest.raises(cxkit.CXError), seen.interaction() as it:
        it.set(bad=float("nan"))


def test_envelope_fields_stand_apart_from_properties(cx: Recorder) -> None:
    seen = cxkit.touchpoint("call.apart")
    first = seen.capture(value="mine", case="mine")
    feedback = cxkit.Feedback(question="nps", score=9)
    seen.on(value=cxkit.money(1, "EUR"), cause=first, case="4711", feedback=feedback).capture(value="mine")
    one, other = cx.named("call.apart")
    assert (one.properties, one.value, one.case) == ({"value": "mine", "case": "mine"}, None, None)
    assert other.properties == {"value": "mine"}
    assert (other.value, other.cause, other.case, other.feedback) == (
        cxkit.money(1, "EUR"), first, "4711", feedback
    )  # fmt: skip


# --- outside of a scope, and without a configuration ---


@pytest.mark.parametrize(
    "act",
    [
        lambda: cxkit.identify(user_id="nancy"),
        lambda: cxkit.grant("analytics"),
        lambda: cxkit.withdraw("analytics"),
    ],
)
def test_without_a_scope_there_is_nobody_to_act_for(act: Any) -> None:
    with recorder(strict=True), pytest.raises(StateError) as caught:
        act()
    assert caught.value.code == "CX7002"
    assert "middleware" in caught.value.fix
    with recorder(strict=False) as record:
        act()
        assert sum(record.account.dropped.values()) == 1
        assert record.interactions == []


def test_without_a_scope_interactions_are_nobodys_and_nothing_is_known(cx: Recorder) -> None:
    cxkit.touchpoint("alone.seen").capture()
    assert not cx.one("alone.seen").identity
    assert cxkit.profile().traits == {}
    assert cxkit.experience("alone.hero").show().variant == "default"


EVERY_VERB = """
import asyncio, sys
import cxkit

SEEN = cxkit.touchpoint("app.seen")
HERO = cxkit.experience("app.hero", fallback=cxkit.Variant(name="all", content="Welcome"))

@SEEN
def work():
    return 7

for _ in range(2):
    assert SEEN.capture(a=1) is None
    assert SEEN.on(case="1").capture() is None
    with SEEN.interaction() as it:
        it.set(a=1)
    assert work() == 7
    assert HERO.decide().content == HERO.show().content == "Welcome"
    with cxkit.scope(channel="phone", phone="+33 1"):
        SEEN.capture()
        cxkit.identify(user_id="nancy")
        cxkit.grant("analytics")
        cxkit.withdraw("analytics")
        assert cxkit.profile().traits == {}
        assert cxkit.carry(work)() == 7
    cxkit.identify(user_id="nancy")
    cxkit.grant("analytics")
    cxkit.profile()
"""
CONTROLS = """
cxkit.flush(timeout_s=0.1)
cxkit.stats()
asyncio.run(cxkit.settled(timeout_s=0.1))
cxkit.close(timeout_s=0.1)
"""
KEPT = """
from cxkit.kit import default_kit

for _ in range(50):
    SEEN.capture(a=1)
try:
    default_kit()
except Exception as error:
    depth, frame = 0, error.__traceback__
    while frame is not None:
        depth, frame = depth + 1, frame.tb_next
    assert depth < 20, f"an error that is kept grows with each use: {depth}"
"""
WRONG = 'polcy = "strict"'


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", program + "\nprint('done')"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "configuration",
    [WRONG, "strict = 7", "this is not TOML", '[exporters.x]\ntype = "no such"', '[store]\ntype = "no such"',
     '[exporters.x]\ntype = "file"\npath = "x.jsonl"', '[keys]\nsigning = ["short"]', '[consent]\npolicy = "lax"',
     '[no_such_table]\na = 1', '[experiences."app.hero"]\nlevel = 9'],
)  # fmt: skip
def test_a_wrong_configuration_is_told_once_and_never_raised_into_the_app(configuration: str) -> None:
    Path("cxkit.toml").write_text(configuration, "utf-8")
    ended = run(EVERY_VERB)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    assert ended.stderr.count("nothing is captured") == 1
    assert ended.stderr.count("\n") == 1
    assert "CX1" in ended.stderr
    assert "Fix: " in ended.stderr


def test_with_a_wrong_configuration_the_controls_do_not_raise_either() -> None:
    """An app calls close() when it ends, whatever became of cxkit."""
    Path("cxkit.toml").write_text(WRONG, "utf-8")
    ended = run(EVERY_VERB + CONTROLS)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_a_wrong_configuration_takes_no_more_memory_with_each_capture() -> None:
    Path("cxkit.toml").write_text(WRONG, "utf-8")
    ended = run(EVERY_VERB + KEPT)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_a_directory_that_cannot_be_used_is_told_and_never_raised_into_the_app() -> None:
    Path(".cxkit").write_text("a file where a directory should be", "utf-8")
    ended = run(EVERY_VERB)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    assert "Traceback" not in ended.stderr


def test_importing_says_and_starts_nothing() -> None:
    ended = run("import threading, sys, cxkit; print(threading.active_count(), 'httpcore' in sys.modules)")
    assert (ended.stdout, ended.stderr) == ("1 False\ndone\n", "")
    assert not Path(".cxkit").exists()


def test_configure_says_what_is_wrong() -> None:
    from cxkit.errors import ConfigurationError

    Path("cxkit.toml").write_text(WRONG, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        cxkit.configure()
    assert "polcy" in caught.value.what
