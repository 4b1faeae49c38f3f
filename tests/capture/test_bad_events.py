"""Bad input: in production it never reaches the app as an error, in strict mode it always does.

Numbers B55 to B63 and B24 are those of the project's list of bad inputs.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import threading
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import attrs
import pytest

import cxkit
from cxkit.codec import decode
from cxkit.codec.wire import SCHEMA
from cxkit.errors import CXError, DeclarationError, InvalidInteractionError
from cxkit.kit import Kit
from cxkit.settings import Settings
from cxkit.testing import Recorder, RecordingExporter, recorder


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def cycle_of_dicts() -> Any:
    value: dict[str, Any] = {}
    value["me"] = value
    return value


def cycle_of_lists() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def laughs() -> Any:
    value: Any = ["ha"] * 10
    for _ in range(30):
        value = [value, value]
    return value


def dead_proxy() -> Any:
    class Thing:
        pass

    return weakref.proxy(Thing())


class Raises:
    """Whatever it is asked, it raises."""

    def __getattribute__(self, name: str) -> Any:
        raise ZeroDivisionError

    __repr__ = __str__ = __hash__ = __eq__ = __len__ = __iter__ = __bool__ = lambda self, *_: 1 // 0  # type: ignore[assignment]


class RaisingDict(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise ZeroDivisionError

    keys = values = __iter__ = items


class HostileText(str):
    def encode(self, *_: Any) -> bytes:
        raise ZeroDivisionError

    __str__ = __hash__ = encode  # type: ignore[assignment]


@attrs.frozen
class Login:
    user: str = "nancy"
    code: str = attrs.field(default="1234", repr=False)


async def coroutine() -> None:
    """Never awaited."""


def closed(made: Any) -> Any:
    """Ended, so that Python has nothing to warn of when it goes."""
    made.close()
    return made


def generator() -> Iterator[int]:
    yield 1


BAD: dict[str, Callable[[], Any]] = {
    "nan": lambda: math.nan,
    "infinity": lambda: math.inf,
    "minus infinity": lambda: -math.inf,
    "nan inside": lambda: {"a": [{"b": math.nan}]},
    "decimal nan": lambda: Decimal("NaN"),
    "decimal signalling nan": lambda: Decimal("sNaN"),
    "decimal infinity": lambda: Decimal("-Infinity"),
    "int over 2**53": lambda: 2**53 + 1,
    "int over 2**64": lambda: -(2**70),
    "int of 5000 digits": lambda: 10**5000,
    "decimal of 5000 digits": lambda: Decimal("1" * 5000),
    "fraction of 5000 digits": lambda: Fraction(1, 10**4000),
    "lone surrogate": lambda: "a\ud83d",
    "lone surrogate inside": lambda: {"a": ["\udc80"]},
    "lone surrogate in a key": lambda: {"a\udc80": 1},
    "text of 10 MB": lambda: "x" * 10_000_000,
    "text of 10 MB, not ASCII": lambda: "é" * 5_000_000,
    "key of 64 KB": lambda: {"k" * 65_536: 1},
    "100,000 keys": lambda: {f"k{number}": 1 for number in range(100_000)},
    "100,000 items": lambda: list(range(100_000)),
    "url with credentials": lambda: "https://me:pw@shop.example/",
    "url with a token": lambda: "https://shop.example/?token=abc",
    "password": lambda: {"password": "x"},
    "api key": lambda: {"headers": {"X-Api-Key": "x"}},
    "field without repr": Login,
    "naive datetime": lambda: dt.datetime(2026, 3, 29, 2, 30),  # noqa: DTZ001
    "zone that raises": lambda: dt.datetime(2026, 1, 1, tzinfo=Zone()),
    "cyclic dict": cycle_of_dicts,
    "cyclic list": cycle_of_lists,
    "depth 200": lambda: nested(200),
    "depth 100,000": lambda: nested(100_000),
    "billion laughs": laughs,
    "generator": generator,
    "iterator": lambda: iter([1]),
    "map": lambda: map(str, [1]),
    "keys that collide": lambda: {1: "a", "1": "b"},
    "dict that raises": lambda: {"a": Unreadable()},
    "object": object,
    "object that raises": Raises,
    "mock": MagicMock,
    "namespace": lambda: SimpleNamespace(a=1),
    "class": lambda: Login,
    "module": lambda: math,
    "function": lambda: generator,
    "lambda": lambda: lambda: 1,
    "method": lambda: "".join,
    "coroutine": lambda: closed(coroutine()),
    "lock": threading.Lock,
    "event": threading.Event,
    "file": lambda: closed(io.BytesIO(b"x")),
    "path": lambda: Path("/etc"),
    "exception": lambda: ValueError("secret"),
    "exception type": lambda: ValueError,
    "proxy to the dead": dead_proxy,
    "weak reference": lambda: weakref.ref(Login),
    "ellipsis": lambda: ...,
    "not implemented": lambda: NotImplemented,
    "slice": lambda: slice(1),
    "property": property,
    "type alias": lambda: list[int],
    "thread": threading.Thread,
    "text that is hostile": lambda: HostileText("\ud83d"),
    "interaction": lambda: cxkit.scope,
}


class Zone(dt.tzinfo):
    def utcoffset(self, _: Any) -> Any:
        raise ZeroDivisionError


class Unreadable(dt.datetime):
    def __new__(cls) -> Any:
        return super().__new__(cls, 1, 1, 1)


@pytest.fixture
def lenient() -> Iterator[Recorder]:
    with recorder(strict=False) as record:
        yield record


def test_there_are_sixty_kinds() -> None:
    assert len(BAD) >= 60


@pytest.mark.parametrize("kind", BAD)
def test_production_keeps_the_interaction_and_marks_what_is_wrong(kind: str, lenient: Recorder) -> None:
    seen = cxkit.touchpoint("bad.seen")
    assert seen.capture(value=BAD[kind](), good=1) is not None
    with seen.interaction() as it:
        it.set(value=BAD[kind](), good=1)
    for one in lenient.named("bad.seen"):
        assert one.properties["good"] == 1
        assert any(path.partition(".")[0].partition("[")[0] == "value" for path in one.trimmed)
    assert len(lenient.interactions) == 2
    assert lenient.account.dropped == {}


@pytest.mark.parametrize("kind", BAD)
def test_strict_mode_raises_it(kind: str) -> None:
    seen = cxkit.touchpoint("bad.raised")
    with recorder(strict=True) as record:
        with pytest.raises(InvalidInteractionError) as caught:
            seen.capture(value=BAD[kind]())
        assert caught.value.code == "CX3102"
        assert len(str(caught.value)) < 2_000
        assert record.interactions == []


# --- B24, B55 to B57: what is declared wrongly is refused where it is declared ---


@pytest.mark.parametrize("name", ["cart\r\nSet-Cookie: a=b", "", None, 1, ["cart"], b"cart"])
def test_b24_b55_b56_a_name_is_refused_at_declaration(name: Any) -> None:
    with pytest.raises(DeclarationError):
        cxkit.touchpoint(name)


def test_b57_an_unknown_kind_of_touchpoint_is_refused_at_declaration() -> None:
    with pytest.raises(DeclarationError):
        cxkit.touchpoint("bad.kind", kind="telepathy")  # type: ignore[call-overload]


# --- B58: properties that are no mapping ---


NO_MAPPINGS: list[Callable[[], object]] = [
    lambda: None, lambda: 1, lambda: "text", lambda: [1], lambda: [("a", 1)], object, Raises, lambda: {1, 2}
]  # fmt: skip


@pytest.mark.parametrize("shape", NO_MAPPINGS)
def test_b58_properties_that_are_no_mapping_are_left_out(shape: Callable[[], object], lenient: Recorder) -> None:
    shaped = cxkit.touchpoint("bad.shape", properties=shape)
    assert shaped.capture() is not None
    one = lenient.one("bad.shape")
    assert one.properties == {}
    assert one.trimmed[""].startswith("type:")
    with recorder(strict=True), pytest.raises(InvalidInteractionError):
        shaped.capture()


def test_b58_a_mapping_that_cannot_be_read_costs_its_properties_alone(lenient: Recorder) -> None:
    shaped = cxkit.touchpoint("bad.dict", properties=lambda: RaisingDict(a=1))
    shaped.capture()
    assert lenient.one("bad.dict").properties in ({"a": 1}, {})


# --- B59: too large, even when trimmed ---


def test_b59_of_an_oversized_one_the_head_is_kept(lenient: Recorder) -> None:
    seen = cxkit.touchpoint("bad.large", purpose="necessary")
    huge = {f"{'k' * 240}{number}": {f"{'x' * 240}{inner}": 1 for inner in range(12)} for number in range(120)}
    with cxkit.scope(user_id="nancy", evidence="login"):
        id = seen.capture(**huge)
    one = lenient.one("bad.large")
    assert (one.id, one.properties) == (id, {})
    assert one.identity.get("user_id") is not None
    assert one.trimmed[""].startswith("oversize:")


@pytest.mark.parametrize("field", ["case", "cause"])
def test_b59_an_oversized_envelope_costs_no_interaction(field: str, lenient: Recorder) -> None:
    seen = cxkit.touchpoint("bad.envelope")
    seen.on(**{field: "x" * 10_000_000}).capture(good=1)  # type: ignore[arg-type]
    one = lenient.one("bad.envelope")
    assert one.properties == {"good": 1}
    assert len(str(getattr(one, field))) < 10_000


# --- B60 to B62: what is not the app's to say ---


def test_b60_b61_an_app_cannot_choose_an_id(lenient: Recorder) -> None:
    seen = cxkit.touchpoint("bad.id")
    ids = {seen.capture(id="1"), seen.capture(id="x" * 1_000_000), seen.capture(id='","type":"x')}
    assert {one.id for one in lenient.interactions} == ids
    assert len(ids) == 3


def test_b62_properties_cannot_pass_for_the_envelope(lenient: Recorder) -> None:
    seen = cxkit.touchpoint("bad.reserved")
    given = {"identity": "me", "consent": {"advertising": True}, "tenant": "x", "id": "1", "purpose": "necessary",
             "properties": {}, "trimmed": {}, "kind": "consent", "dataschema": "x"}  # fmt: skip
    seen.capture(**given)
    one = lenient.one("bad.reserved")
    assert one.properties == given
    assert not one.identity
    assert (one.consent, one.purpose, one.kind, one.trimmed) == ({"necessary": True}, "analytics", "action", {})


@pytest.mark.parametrize("name", ["self", "cls", "args", "kwargs", "scope", "spec", "function", "name"])
def test_b62_any_name_may_be_a_property(name: str, lenient: Recorder) -> None:
    seen = cxkit.touchpoint("bad.named")
    seen.capture(**{name: 1})
    seen.on(case="1").capture(**{name: 1})
    with seen.interaction() as it:
        it.set(**{name: 1})
    assert [one.properties for one in lenient.interactions] == [{name: 1}] * 3


# --- B63: consent that cannot be understood is no consent ---


NO_PURPOSES: dict[str, Callable[[], Any]] = {
    "10 MB": lambda: "x" * 10_000_000,
    "TCF string": lambda: "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA",
    "empty": str,
    "capital": lambda: "Analytics",
    "number": int,
    "list": lambda: ["analytics"],
    "object that raises": Raises,
}


@pytest.mark.parametrize("purpose", NO_PURPOSES)
def test_b63_a_purpose_that_is_not_known_grants_nothing(purpose: str, lenient: Recorder) -> None:
    with cxkit.scope(user_id="nancy", evidence="login"):
        cxkit.grant(NO_PURPOSES[purpose]())
        cxkit.withdraw(NO_PURPOSES[purpose]())
        cxkit.touchpoint("bad.consent").capture()
    assert lenient.one("bad.consent").consent == {"necessary": True}
    assert sum(lenient.kit.intake.noted.values()) == 2


def test_b63_a_choice_without_a_purpose_is_an_error_not_silence() -> None:
    with recorder(), cxkit.scope(user_id="nancy", evidence="login"):
        for choose in (cxkit.grant, cxkit.withdraw):
            with pytest.raises(InvalidInteractionError) as caught:
                choose()
            assert caught.value.code == "CX3122"


# --- wrong calls ---

CALLS: dict[str, Callable[[Any], object]] = {
    "positional": lambda seen: seen.capture(1),
    "value as text": lambda seen: seen.on(value="24.90").capture(),
    "cause as object": lambda seen: seen.on(cause=object()).capture(),
    "case as number": lambda seen: seen.on(case=4711).capture(),
    "feedback as number": lambda seen: seen.on(feedback=9).capture(),
    "half a pair in the envelope": lambda seen: seen.on(case="\ud83d").capture(),
    "identifier that identifies nobody": lambda seen: cxkit.identify(user_id="null"),
    "identifier as object": lambda seen: cxkit.identify(user_id=object()),  # type: ignore[arg-type]
    "half a pair as identifier": lambda seen: cxkit.identify(user_id="\ud83d"),
    "traits as list": lambda seen: cxkit.identify(user_id="nancy", traits=[1]),  # type: ignore[arg-type]
    "unknown evidence": lambda seen: cxkit.scope(user_id="nancy", evidence="hearsay").__enter__(),  # type: ignore[arg-type]
    "channel as object": lambda seen: captured_in(seen, channel=object()),
    "locale as number": lambda seen: captured_in(seen, locale=7),
    "unknown method of choosing": lambda seen: cxkit.grant("analytics", method=object()),  # type: ignore[arg-type]
}


def captured_in(seen: Any, **around: Any) -> None:
    with cxkit.scope(**around):
        seen.capture()


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_never_raises_in_production(call: str) -> None:
    seen = cxkit.touchpoint("bad.call")
    exporter = RecordingExporter()
    kit = Kit(Settings(), exporters={"x": exporter}, in_memory=True)
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        CALLS[call](seen)
        seen.capture(after=1)
    assert kit.close(timeout_s=30).complete
    assert [one.properties for one in exporter.interactions if one.name == "bad.call"][-1] == {"after": 1}
    for batch in exporter.batches:
        assert all(SCHEMA.encode() in payload and decode(payload) for payload in batch.payloads)


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_raises_in_strict_mode(call: str) -> None:
    seen = cxkit.touchpoint("bad.strict")
    wrong = pytest.raises((CXError, TypeError, ValueError, AttributeError))
    with recorder(), cxkit.scope(user_id="nancy", evidence="login"), wrong:
        CALLS[call](seen)
