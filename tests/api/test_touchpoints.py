"""Touchpoints: with typed properties, as decorators and as context managers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict
from uuid import RFC_4122, UUID

import attrs
import pytest

import cxkit
from cxkit.errors import DeclarationError, InvalidInteractionError
from cxkit.kit import Kit
from cxkit.testing import Recorder, recorder

# --- typed properties ---


@attrs.frozen
class ItemAdded:
    sku: str
    quantity: int = 1


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
    ongoing = seen.interaction()
    ongoing.set(bad=float("nan"))
    with pytest.raises(ZeroDivisionError), ongoing:
        raise ZeroDivisionError
    with pytest.raises(cxkit.CXError), ongoing:
        pass


def test_envelope_fields_stand_apart_from_properties(cx: Recorder) -> None:
    seen = cxkit.touchpoint("call.apart")
    first = seen.capture(value="mine", case="mine")
    feedback = cxkit.Feedback(scale="nps", score=9)
    seen.on(value=cxkit.money(1, "EUR"), cause=first, case="4711", feedback=feedback).capture(value="mine")
    one, other = cx.named("call.apart")
    assert (one.properties, one.value, one.case) == ({"value": "mine", "case": "mine"}, None, None)
    assert other.properties == {"value": "mine"}
    assert (other.value, other.cause, other.case, other.feedback) == (
        cxkit.money(1, "EUR"), first, "4711", feedback
    )  # fmt: skip


# --- The past -------------------------------------------------------------------------------------

SOLD = cxkit.touchpoint("shop.sold")
THEN = datetime(2026, 11, 2, 9, 30, 0, 123456, tzinfo=UTC)


def test_what_happened_earlier_keeps_its_time(cx: Recorder) -> None:
    first = SOLD.on(at=THEN).capture(n=1)
    second = SOLD.on(at=THEN).capture(n=2)
    assert first != second
    assert [one.occurred_at for one in cx.interactions] == [THEN, THEN]
    assert [UUID(one.id).version for one in cx.interactions] == [7, 7]
    assert {UUID(one.id).variant for one in cx.interactions} == {RFC_4122}
    assert UUID(first or "").int >> 80 == int(THEN.timestamp() * 1000)


def test_the_same_key_and_time_are_the_same_occurrence(cx: Recorder) -> None:
    told = [SOLD.on(at=at, key=key).capture() for at in (THEN, THEN + timedelta(seconds=1)) for key in ("a", "b", "a")]
    assert told[0] == told[2] != told[1]
    assert len(set(told)) == 4
    other = Kit(in_memory=True)
    with cxkit.scope(kit=other):
        assert SOLD.on(at=THEN, key="a").capture() not in told  # the key is not to be guessed from the id


@pytest.mark.parametrize(
    ("at", "key", "code"),
    [
        (THEN.replace(tzinfo=None), None, "CX3117"),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), None, "CX3117"),
        (datetime(2200, 1, 1, tzinfo=UTC), None, "CX3117"),
        (None, "a", "CX3116"),
    ],
)
def test_a_time_that_cannot_be(at: datetime | None, key: str | None, code: str) -> None:
    with recorder(strict=True), pytest.raises(InvalidInteractionError) as caught:
        SOLD.on(at=at, key=key).capture()
    assert caught.value.code == code
    with recorder(strict=False) as record:
        SOLD.on(at=at, key=key).capture()
        assert record.one("shop.sold").trimmed == {"$at": "invalid:InvalidInteractionError"}


# --- What is wrong is told once -------------------------------------------------------------------


def test_what_does_not_fit_is_told_once_for_each_touchpoint(caplog: pytest.LogCaptureFixture) -> None:
    typed = cxkit.touchpoint("shop.typed", properties=ItemAdded)
    with recorder(strict=False) as record, cxkit.scope(user_id="nancy"):
        for _ in range(2):
            typed.capture(skuu="A")  # type: ignore[call-arg]
            cxkit.withdraw("adver\ntizing")
    assert [one.trimmed for one in record.named("shop.typed")] == [{"": "invalid:TypeError"}] * 2
    assert caplog.messages == [
        'cxkit: the properties given to "shop.typed" did not fit, and interactions are kept without: TypeError',
        'cxkit: a call had no effect: CX3121: "adver?tizing" is not a purpose. Fix: did you mean "advertising"?',
    ]
