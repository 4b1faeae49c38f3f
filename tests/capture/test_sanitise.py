"""The slow walk against everything an app may pass: bad inputs B1-B54, then laws."""

# ruff: noqa: N802 - a test carries the number of the input it is about

from __future__ import annotations

import asyncio
import collections
import copy
import dataclasses
import datetime as dt
import enum
import fractions
import gc
import io
import itertools
import math
import socket
import sys
import threading
import types
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from unittest import mock
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.capture.redact import REDACTED, Redactor
from cxkit.capture.sanitise import Limits, Sanitised, sanitise

PARIS = ZoneInfo("Europe/Paris")


def walk(properties: object, **limits: int) -> Sanitised:
    return sanitise(properties, redactor=Redactor(), limits=Limits(**limits))


def walked(value: object, **limits: int) -> tuple[Any, str | None]:
    """What becomes of one value, and its marker."""
    found = walk({"v": value}, **limits)
    check_encodes(found.properties)
    return found.properties["v"], found.trimmed.get("v")


def check_encodes(properties: object) -> None:
    encoded = msgspec.json.encode(properties)
    assert msgspec.json.decode(encoded) == properties
    assert msgspec.json.encode(msgspec.json.decode(encoded)) == encoded


class Colour(enum.Enum):
    RED = "red"
    BOX = {"deep": (1, 2)}  # noqa: RUF012 - the value of a member


class Size(enum.IntEnum):
    BIG = 3


class Word(enum.StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: int


class Zone(dt.tzinfo):
    """A time zone as apps write them."""

    def __init__(self, answer: Callable[[], dt.timedelta | None]) -> None:
        self.answer = answer

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta | None:
        return self.answer()

    def tzname(self, when: dt.datetime | None) -> str | None:
        return None

    def dst(self, when: dt.datetime | None) -> dt.timedelta | None:
        return None


def no_idea() -> None:
    raise RuntimeError("no idea")


LONDON_1846 = dt.timezone(dt.timedelta(hours=-1, minutes=-15, seconds=-15))

PLAIN = {
    "B1-nan": (math.nan, None, "nan"),
    "B2-inf": (math.inf, None, "inf"),
    "B2-minus-inf": (-math.inf, None, "-inf"),
    "B3-decimal-nan": (Decimal("NaN"), None, "nan"),
    "B3-decimal-snan": (Decimal("sNaN1"), None, "nan"),
    "B3-decimal-inf": (Decimal("-Infinity"), None, "-inf"),
    "B5-exact": (-(2**53), -(2**53), None),
    "B5-beyond-doubles": (2**53 + 1, "9007199254740993", "bigint"),
    "B6-beyond-64-bits": (-(2**64) - 1, "-18446744073709551617", "bigint"),
    "B7-huge": (10**5000, None, "huge:5001"),
    "B7-longer-than-the-limit": (10**300, None, "huge:301"),
    "B7-huge-decimal": (Decimal(10**300), None, "huge:301"),
    "B7-huge-fraction": (fractions.Fraction(1, 10**300), None, "huge:303"),
    "B7-fraction-beyond-str": (
        fractions.Fraction(1, 10**5000),
        "$unreadable:Fraction",
        "unreadable:Fraction",
    ),
    "B8-decimal": (Decimal("24.90"), "24.90", None),
    "B8-decimal-exponent": (Decimal("1E+1000000"), "1E+1000000", None),
    "B9-complex": (complex(1, -2), "(1-2j)", None),
    "B10-fraction": (fractions.Fraction(1, 3), "1/3", None),
    "B11-bool": (True, True, None),
    "B11-int-enum": (Size.BIG, 3, None),
    "B11-str-enum": (Word.YES, "yes", None),
    "B11-enum": (Colour.RED, "red", None),
    "B11-enum-of-containers": (Colour.BOX, {"deep": [1, 2]}, None),
    "B13-lone-surrogate": ("a\ud800b", "a\ufffdb", "surrogate"),
    "B13-pair-of-surrogates": ("\ud83d\ude00", "\U0001f600", "surrogate"),
    "B15-controls": ("a\x00b\x1f\x7f", "a\x00b\x1f\x7f", None),
    "B16-ten-megabytes": ("x" * 10_485_760, "x" * 8192, "cut:10485760"),
    "B16-code-point-boundary": ("\u20ac" * 3000, "\u20ac" * 2730, "cut:3000"),
    "B22-bidi-and-zero-width": ("\u202egnp\u200b\u2066", "\u202egnp\u200b\u2066", None),
    "B22-combining-flood": ("e" + "\u0301" * 4000, "e" + "\u0301" * 4000, None),
    "B25-not-normalised": ("Zoe\u0308@Example.ORG", "Zoe\u0308@Example.ORG", None),
    "B26-bytes": (b"secret", {"$bytes": 6}, None),
    "B26-bytearray": (bytearray(3), {"$bytes": 3}, None),
    "B26-memoryview": (memoryview(b"123456").cast("H"), {"$bytes": 6}, None),
    "B27-naive": (dt.datetime(2026, 11, 21, 10, 30), "2026-11-21T10:30:00Z", "naive"),  # noqa: DTZ001
    "B27-no-offset": (dt.datetime(2026, 11, 21, tzinfo=Zone(lambda: None)), "2026-11-21T00:00:00Z", "naive"),
    "B27-utc": (dt.datetime(2026, 11, 21, 10, 30, 0, 5, dt.UTC), "2026-11-21T10:30:00.000005Z", None),
    "B28-gap": (dt.datetime(2026, 3, 29, 2, 30, tzinfo=PARIS), "2026-03-29T02:30:00+01:00", None),
    "B28-fold": (dt.datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1), "2026-10-25T02:30:00+01:00", None),
    "B29-seconds": (dt.datetime(1846, 1, 1, tzinfo=LONDON_1846), "1846-01-01T00:00:00-01:15:15", None),
    "B30-year-1": (dt.datetime.min.replace(tzinfo=PARIS), "0001-01-01T00:00:00+00:09:21", None),
    "B30-year-9999": (dt.date.max, "9999-12-31", None),
    "B31-no-timestamp": (
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-12))),
        "9999-12-31T23:59:59.999999-12:00",
        None,
    ),
    "B32-date": (dt.date(2026, 11, 21), "2026-11-21", None),
    "B32-time": (dt.time(10, 30), "10:30:00", None),
    "B32-timedelta": (dt.timedelta(days=1, seconds=90, microseconds=5), "P1DT90.000005S", None),
    "B32-negative": (dt.timedelta(seconds=-90), "-PT90S", None),
    "B33-raising-zone": (dt.datetime(2026, 1, 1, tzinfo=Zone(no_idea)), "2026-01-01T00:00:00Z", "timezone"),
    "B33-raising-zone-of-a-time": (dt.time(1, tzinfo=Zone(no_idea)), "$unreadable:time", "unreadable:time"),
    "B34-years-off": (dt.datetime(2036, 1, 1, tzinfo=dt.UTC), "2036-01-01T00:00:00Z", None),
    "B40-set": ({"b", "a", "c"}, ["a", "b", "c"], None),
    "B40-mixed": (frozenset({"a", 2.5, 1}), [1, 2.5, "a"], None),
    "B40-unsortable": ({(1, 2)}, [[1, 2]], None),
    "B41-tuple": ((1, (2,)), [1, [2]], None),
    "B41-deque": (collections.deque([1, 2], maxlen=2), [1, 2], None),
    "B41-namedtuple": (Point(1, 2), [1, 2], None),
    "B41-range": (range(3), [0, 1, 2], None),
    "B46-defaultdict": (collections.defaultdict(int, a=1), {"a": 1}, None),
    "B46-ordered": (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}, None),
    "B46-proxy": (types.MappingProxyType({"a": 1}), {"a": 1}, None),
    "B46-chain": (collections.ChainMap({"a": 1}, {"a": 2, "b": 3}), {"a": 1, "b": 3}, None),
    "B46-user-dict": (collections.UserDict(a=1), {"a": 1}, None),
    "uuid": (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005", None),
}


@pytest.mark.parametrize(("value", "expected", "marker"), PLAIN.values(), ids=PLAIN.keys())
def test_what_becomes_of_a_value(value: object, expected: object, marker: str | None) -> None:
    assert walked(value) == (expected, marker)


def test_B4_minus_zero_is_kept() -> None:
    assert math.copysign(1, walked(-0.0)[0]) == -1


def test_B12_numpy_scalars_without_importing_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Generic:
        def __init__(self, value: object) -> None:
            self.value = value

        def item(self) -> object:
            return self.value

    numpy = types.ModuleType("numpy")
    monkeypatch.setitem(sys.modules, "numpy", numpy)
    assert walked(Generic(5)) == ("$type:Generic", "type:Generic")
    vars(numpy)["generic"] = Generic
    assert walked(Generic(5)) == (5, None)
    assert walked(Generic("https://me:pw@shop.example")) == ("https://shop.example", "url")
    assert walked(Generic(Generic(5))) == ("$type:Generic", "type:Generic")
    assert walk({Generic(5): 1}).properties == {"5": 1}
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert walked(Generic(5)) == ("$type:Generic", "type:Generic")


def test_B12_real_numpy_scalars() -> None:
    numpy = pytest.importorskip("numpy")
    values = [numpy.int64(5), numpy.float64(2.5), numpy.float32("nan"), numpy.bool_(True), numpy.str_("a")]
    assert walked(values)[0] == [5, 2.5, None, True, "a"]
    assert walked(numpy.zeros(10)) == ("$type:ndarray", "type:ndarray")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(["a\ud800"], ["a\ufffd"], id="B14-surrogate"),
        pytest.param(["k" * 65_536], ["k" * 256], id="B18-64-KB"),
        pytest.param([""], [""], id="B19-empty"),
        pytest.param(["__proto__", "constructor"], ["__proto__", "constructor"], id="B20-proto"),
        pytest.param(["a.b", "$set", "a[0]"], ["a.b", "$set", "a[0]"], id="B21-dots-and-dollars"),
        pytest.param([2, True, None, 1.5], ["2", "true", "null", "1.5"], id="B44-scalars"),
        pytest.param([(1, 2), b"\xff", 2**70], ["$type:tuple", "\ufffd", str(2**70)], id="B44-others"),
        pytest.param([Colour.RED, Size.BIG, dt.date(2026, 1, 1)], ["red", "3", "2026-01-01"], id="B44-values"),
        pytest.param([1, "1", "1~2"], ["1", "1~2", "1~2~2"], id="B45-collision"),
        pytest.param(["k" * 256, "k" * 257], ["k" * 256, "k" * 250 + "~2"], id="B45-collision-of-long-ones"),
        pytest.param(["tenant", "identity", "consent"], ["tenant", "identity", "consent"], id="reserved"),
    ],
)
def test_what_becomes_of_keys(keys: list[object], expected: list[str]) -> None:
    found = walk(dict.fromkeys(keys, 1))
    assert list(found.properties) == expected
    assert set(found.trimmed) == {
        text for key, text in zip(keys, expected, strict=True) if type(key) is str and key != text
    }
    check_encodes(found.properties)


def test_B17_a_million_keys() -> None:
    found = walk({f"k{number}": number for number in range(1_000_000)})
    assert list(found.properties) == [f"k{number}" for number in range(128)]
    assert found.trimmed == {"": "cut:1000000"}


class TouchedError(AssertionError):
    """The app's code was run."""


def trap(log: list[str], name: str) -> Callable[..., Any]:
    def touched(*args: object, **kwargs: object) -> Any:
        log.append(name)
        raise TouchedError(name)

    return touched


def hostile(log: list[str], *bases: type, **stored: object) -> type:
    """A class whose every method that Python could call is a trap."""
    harmless = {
        "__new__",
        "__init__",
        "__init_subclass__",
        "__subclasshook__",
        "__class_getitem__",
        "__del__",
    }
    kept = {"__doc__", "__dict__", "__slots__", "__module__", "__weakref__", "__class__"}
    names = {name for base in (*bases, object) for name in dir(base)} - harmless - kept
    names |= {
        "__getattr__",
        "__iter__",
        "__next__",
        "__len__",
        "__getitem__",
        "__bool__",
        "__float__",
        "__int__",
    }
    names |= {
        "__index__",
        "__eq__",
        "__hash__",
        "__str__",
        "__repr__",
        "__contains__",
        "__await__",
        "__call__",
    }
    names |= {"read", "items", "keys", "values", "encode", "item", "isoformat", "utcoffset"}
    namespace: dict[str, Any] = {name: trap(log, name) for name in names}
    namespace["__class__"] = property(trap(log, "__class__"))
    return type("Hostile", bases or (object,), namespace | stored)


HOSTILE_BASES = [
    pytest.param(str, ("text",), "text", id="B23-str"),
    pytest.param(int, (5,), 5, id="int"),
    pytest.param(float, (2.5,), 2.5, id="float"),
    pytest.param(Decimal, ("1.50",), "1.50", id="decimal"),
    pytest.param(bytes, (b"abc",), {"$bytes": 3}, id="bytes"),
    pytest.param(dict, ({"a": 1},), {"a": 1}, id="B47-dict"),
    pytest.param(list, ([1, 2],), [1, 2], id="list"),
    pytest.param(tuple, ([1, 2],), [1, 2], id="tuple"),
    pytest.param(frozenset, ({1},), [1], id="frozenset"),
    pytest.param(dt.date, (2026, 11, 21), "2026-11-21", id="date"),
    pytest.param(dt.timedelta, (1,), "P1D", id="timedelta"),
    pytest.param(object, (), "$type:Hostile", id="B50-object"),
    pytest.param(Mapping, (), "$type:Hostile", id="mapping"),
    pytest.param(Exception, ("boom",), "$type:Hostile", id="B52-exception"),
]


@pytest.mark.parametrize(("base", "arguments", "expected"), HOSTILE_BASES)
def test_no_method_of_a_subclass_is_called(base: type, arguments: tuple[Any, ...], expected: object) -> None:
    log: list[str] = []
    value = hostile(log, *([] if base is object else [base]))(*arguments)
    log.clear()
    result, _ = walked(value)
    assert log == []
    assert result == expected
    assert type(result) is type(expected)


def test_B47_no_method_is_called_behind_a_proxy() -> None:
    log: list[str] = []
    behind = hostile(log, dict)({"a": 1})
    values = [
        types.MappingProxyType(behind),
        collections.ChainMap(behind),
        types.MappingProxyType(hostile(log)()),
    ]
    log.clear()
    assert walked(values)[0] == [{"a": 1}, {"a": 1}, "$unreadable:mappingproxy"]
    assert log == []


def test_B23_hostile_text_as_a_key() -> None:
    log: list[str] = []
    kind = hostile(log, str, __hash__=str.__hash__, __eq__=str.__eq__)
    found = walk({kind("password"): "hunter2", kind("a"): 1})
    assert log == []
    assert found.properties == {"password": REDACTED, "a": 1}


def test_B42_iterators_are_not_consumed() -> None:
    values: list[Iterator[int]] = [
        (number for number in range(3)),
        iter([0, 1]),
        map(int, "01"),
        itertools.count(),
    ]
    results, _ = walked(values)
    assert results == ["$type:generator", "$type:list_iterator", "$type:map", "$type:count"]
    assert [next(value) for value in values] == [0, 0, 0, 0]


@pytest.mark.parametrize("depth", [pytest.param(200, id="B37"), pytest.param(100_000, id="B38")])
@pytest.mark.parametrize("kind", ["dict", "list", "tuple"])
def test_depth_is_cut(depth: int, kind: str) -> None:
    wrap: Callable[[Any], Any] = {"dict": lambda v: {"v": v}, "list": lambda v: [v], "tuple": lambda v: (v,)}[kind]
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    result, _ = walked(value)
    for _ in range(7):
        result = result["v"] if kind == "dict" else result[0]
    assert result == "$depth"
    assert "depth" in walk({"v": value}).trimmed.values()


def test_B35_cyclic_dict() -> None:
    value: dict[str, Any] = {"a": {"b": {}}}
    value["a"]["b"]["up"] = value["a"]
    value["self"] = value
    found = walk(value)
    assert found.properties == {"a": {"b": {"up": "$cycle"}}, "self": "$cycle"}
    assert found.trimmed == {"self": "cycle", "a.b.up": "cycle"}


def test_B36_cyclic_list_through_objects() -> None:
    node = Node([])
    node.parts.append(node)
    assert walked([node])[0] == [{"parts": ["$cycle"]}]


@attrs.define
class Node:
    parts: list[Any]


def test_B39_a_billion_laughs() -> None:
    value: Any = "ha"
    for _ in range(30):
        value = [value, value]
    found = walk({"v": value})
    assert count_nodes(found.properties) <= 2000
    assert found.properties["v"][0] == found.properties["v"][1]  # type: ignore[index]


def test_B39_a_shared_part_is_expanded_again() -> None:
    shared = {"a": 1}
    found = walk({"x": shared, "y": [shared]})
    assert found == Sanitised(properties={"x": {"a": 1}, "y": [{"a": 1}]}, trimmed={})


def test_what_is_near_the_top_is_kept_when_nodes_run_out() -> None:
    found = walk({"deep": {"deeper": {"deepest": 1}}, "top": 2}, max_nodes=3)
    assert found.properties == {"deep": {"deeper": {}}, "top": 2}
    assert found.trimmed == {"deep.deeper": "cut:1"}


@pytest.mark.parametrize("kind", [dict.fromkeys, set, collections.deque], ids=["dict", "set", "deque"])
def test_B43_changed_by_another_thread(kind: Callable[[Any], Any]) -> None:
    value = kind(range(500))
    stop = threading.Event()

    def change() -> None:
        for number in itertools.cycle(range(500, 600)):
            if stop.is_set():
                return
            if isinstance(value, collections.deque):
                value.append(number)
                value.popleft()
            elif isinstance(value, dict):
                value[number] = number
                value.pop(number)
            else:
                value.add(number)
                value.discard(number)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=change)
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(300):
            result, marker = walked(value)
            if type(result) is str:
                assert marker == result.removeprefix("$") == f"unreadable:{type(value).__name__}"
            else:
                assert len(result) >= 128
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        thread.join()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="garbage is no longer collected inside of C loops")
def test_B43_changed_each_time_it_is_read() -> None:
    value = dict.fromkeys(map(str, range(100)), 1)
    fresh = itertools.count()

    def change(phase: str, details: dict[str, int]) -> None:
        value[f"new{next(fresh)}"] = 1

    before = gc.get_threshold()
    never_recycled = [(number, number) for number in range(5000)]  # so each tuple is allocated anew
    gc.callbacks.append(change)
    gc.set_threshold(1)
    try:
        found = walk({"v": value})
        with pytest.raises(RuntimeError, match="changed size"):
            list(value.items())
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(change)
    assert len(never_recycled) == 5000
    assert found == Sanitised(properties={"v": "$unreadable:dict"}, trimmed={"v": "unreadable:dict"})


def test_B43_what_fails_once_is_tried_again() -> None:
    answers: Iterator[Callable[[], Any]] = iter([no_idea, lambda: dt.timedelta(hours=1)])
    assert walked(dt.time(1, tzinfo=Zone(lambda: next(answers)()))) == ("01:00:00+01:00", None)


class Lazy:
    """As SimpleLazyObject and LocalProxy: pretends to be what it would have to fetch."""

    def _evaluated(self, *args: object) -> Any:
        EVALUATED.append("evaluated")
        return {"sql": 1}

    __class__ = property(_evaluated)
    __dict__ = property(_evaluated)
    __getattr__ = __iter__ = __len__ = __getitem__ = __str__ = __repr__ = __bool__ = _evaluated
    __eq__ = __hash__ = __call__ = keys = items = _evaluated


EVALUATED: list[str] = []


def test_B48_lazy_objects_are_never_evaluated() -> None:
    lazy = Lazy()
    EVALUATED.clear()
    assert walked(lazy) == ("$type:Lazy", "type:Lazy")
    assert walk(lazy) == Sanitised(properties={}, trimmed={"": "type:Lazy"})
    assert EVALUATED == []


def test_B48_real_django_and_werkzeug_proxies() -> None:
    functional = pytest.importorskip("django.utils.functional")
    local = pytest.importorskip("werkzeug.local")
    queries: list[int] = []
    values = [
        functional.SimpleLazyObject(lambda: queries.append(1)),
        functional.lazy(lambda: queries.append(1), str)(),
        local.LocalProxy(lambda: queries.append(1)),
    ]
    assert walked(values)[0] == ["$type:SimpleLazyObject", "$type:__proxy__", "$type:LocalProxy"]
    assert queries == []


def test_B48_requests_are_names() -> None:
    requests = pytest.importorskip("starlette.requests")
    request = requests.Request({"type": "http", "headers": [(b"authorization", b"CANARY")], "session": {}})
    assert isinstance(request, Mapping)
    assert walked(request) == ("$type:Request", "type:Request")


def test_B48_rows_of_sqlalchemy() -> None:
    orm = pytest.importorskip("sqlalchemy.orm")
    alchemy = pytest.importorskip("sqlalchemy")

    class Base(orm.MappedAsDataclass, orm.DeclarativeBase):  # type: ignore[misc,name-defined]
        pass

    columns = {"id": orm.mapped_column(alchemy.Integer, primary_key=True), "__tablename__": "row"}
    row = types.new_class(
        "Row", (Base,), exec_body=lambda ns: ns.update(columns, __annotations__={"id": orm.Mapped[int]})
    )
    assert walked(row(id=1)) == ("$type:Row", "type:Row")


@dataclasses.dataclass
class Login:
    user: str
    code: str = dataclasses.field(repr=False)
    at: dt.date = dt.date(2026, 11, 21)


@attrs.frozen
class Basket:
    login: Login
    total: Decimal
    hidden: int = attrs.field(default=1, repr=False)


class Line(msgspec.Struct):
    sku: str
    api_token: str


def test_B49_declared_fields() -> None:
    found = walk({"basket": Basket(Login("nancy", "1234"), Decimal("24.90")), "line": Line("ALM-200", "CANARY")})
    assert found.properties == {
        "basket": {
            "login": {"user": "nancy", "code": REDACTED, "at": "2026-11-21"},
            "total": "24.90",
            "hidden": REDACTED,
        },
        "line": {"sku": "ALM-200", "api_token": REDACTED},
    }
    assert found.trimmed == {
        "basket.hidden": "redacted", "line.api_token": "redacted", "basket.login.code": "redacted",
    }  # fmt: skip
    assert walk(Line("ALM-200", "CANARY")).properties == {"sku": "ALM-200", "api_token": REDACTED}


def test_B51_mocks_answer_nothing() -> None:
    values = [
        mock.Mock(),
        mock.MagicMock(),
        mock.MagicMock(spec=dict),
        mock.NonCallableMock(),
        mock.sentinel.x,
    ]
    names = ["Mock", "MagicMock", "MagicMock", "NonCallableMock", "_SentinelObject"]
    assert walked(values)[0] == [f"$type:{name}" for name in names]
    assert values[1].mock_calls == []


def test_B52_things_that_are_no_values() -> None:
    async def later() -> None:
        """Never awaited, and nobody is warned, for it is closed."""

    coroutine = later()
    ours, theirs = socket.socketpair()
    loop = asyncio.new_event_loop()
    try:
        raise ValueError("boom")
    except ValueError as caught:
        error = caught
    values = [threading.Lock(), ours, coroutine, loop, lambda: 1, types, Node, error, NotImplemented, ...]
    try:
        assert walked(values)[0] == [f"$type:{type(value).__name__}" for value in values]
    finally:
        coroutine.close()
        loop.close()
        ours.close()
        theirs.close()


def test_B53_uploads_are_never_read(tmp_path: Any) -> None:
    (tmp_path / "upload").write_text("content")
    with (tmp_path / "upload").open() as file, io.BytesIO(b"content") as memory:
        assert walked([file, memory])[0] == ["$type:TextIOWrapper", "$type:BytesIO"]
        assert file.read() == "content"
        assert memory.read() == b"content"


def test_B54_proxy_of_the_dead() -> None:
    node = Node([])
    proxies = [weakref.proxy(node)]
    del node
    gc.collect()
    with pytest.raises(ReferenceError):
        bool(proxies[0])
    name = weakref.ProxyType.__name__
    found = walk({"v": proxies})
    assert found.properties == {"v": [f"$type:{name}"]}
    assert found.trimmed == {"v[0]": f"type:{name}"}


def test_a_hostile_metaclass_is_not_asked() -> None:
    log: list[str] = []
    traps = {
        "__hash__": trap(log, "hash"),
        "__eq__": trap(log, "eq"),
        "__instancecheck__": trap(log, "instancecheck"),
    }
    traps |= {"__getattribute__": trap(log, "getattribute"), "__subclasscheck__": trap(log, "subclasscheck")}
    value = type("Meta", (type,), traps)("Odd", (), {})()
    log.clear()
    assert walked({"a": [value]})[0] == {"a": ["$type:Odd"]}
    assert walked(type(value)) == ("$type:Meta", "type:Meta")
    assert log == []


def test_names_of_types_are_bounded_and_encodable() -> None:
    long = type("\u20ac" * 10_000, (), {})()
    assert walked(long)[0] == "$type:" + "\u20ac" * 256
    assert walked(type("a\U0001f600", (), {})())[0] == "$type:a\U0001f600"


@pytest.mark.parametrize("root", [None, 5, "text", [1], (1, 2), object(), {1, 2}])
def test_what_is_no_object_has_no_properties(root: object) -> None:
    assert walk(root) == Sanitised(properties={}, trimmed={"": f"type:{type(root).__name__}"})


CANARIES = {
    "nested password": {"form": {"fields": [{"password": "CANARY"}]}},
    "user_password": {"user_password": "CANARY"},
    "header": {"headers": {"X-Api-Key": "CANARY", b"Authorization": "CANARY", "cookie": ["CANARY"]}},
    "token in a URL": {"page": "https://CANARY:x@shop.example/?token=CANARY#access_token=CANARY"},
    "URL in a list": {"seen": ["HTTP://shop.example/?a=1&api_key=CANARY"]},
    "hidden field": {"login": Login("nancy", "CANARY")},
    "whole object": {"credentials": {"a": "CANARY"}},
    "long key": {"x" * 300 + "_password": "CANARY"},
    "key met twice": {b"pin": "CANARY", "pin": "CANARY", Word("yes"): 1},
    "bytes": {"upload": b"CANARY"},
    "environment": {"env": {"DJANGO_SECRET_KEY": "CANARY", "DB_PWD": "CANARY", "HTTP_COOKIE": "CANARY"}},
}


@pytest.mark.parametrize("properties", CANARIES.values(), ids=CANARIES.keys())
def test_S10_no_secret_gets_through(properties: dict[str, Any]) -> None:
    found = walk(properties)
    assert b"CANARY" not in msgspec.json.encode(attrs.asdict(found))
    assert found.properties.keys() & properties.keys() or len(found.properties) == len(properties)


def test_nothing_stays_nothing_under_a_secret_key() -> None:
    assert walk({"password": None, "token": ""}).properties == {"password": None, "token": REDACTED}


def test_kept_and_extra_names_come_from_the_redactor() -> None:
    redactor = Redactor(extra=["loyalty_no"], keep=["token"])
    found = sanitise({"loyaltyNo": 7, "token": "t", 1: {"loyalty-no": 7}}, redactor=redactor)
    assert found.properties == {"loyaltyNo": REDACTED, "token": "t", "1": {"loyalty-no": REDACTED}}


def test_markers_are_bounded_and_hold_no_values() -> None:
    found = walk({"rows": [{"k" * 300: math.nan, "pin": "CANARY"} for _ in range(100)]})
    assert found.trimmed["rows[0].pin"] == "redacted"
    assert found.trimmed["..."] == str(300 - 32)
    assert len(found.trimmed) <= 33
    assert all(len(path) <= 256 for path in found.trimmed)


def test_markers_of_one_place_are_joined() -> None:
    assert walk({"k" * 300: "http://u@h/" + "x" * 9000}).trimmed == {"k" * 256: "key,cut:9011,url"}


def test_all_texts_together_are_bounded() -> None:
    found = walk({"a": "x" * 60, "b": "\u20ac" * 60, "c": Decimal("1.5"), "d": "", "e": object()}, max_text_bytes=100)
    assert found.properties == {"a": "x" * 60, "b": "\u20ac" * 13, "c": None, "d": "", "e": None}
    assert found.trimmed == {"b": "cut:60", "c": "cut", "e": "type:object,cut"}


def test_limits_below_what_keys_need_are_refused() -> None:
    with pytest.raises(ValueError, match="max_key_chars"):
        Limits(max_key_chars=63)


def count_nodes(value: Any) -> int:
    parts = value.values() if type(value) is dict else value if type(value) is list else ()
    return sum(1 + count_nodes(part) for part in parts)


def depth_of(value: Any) -> int:
    if type(value) not in (dict, list):
        return 0
    return 1 + max(map(depth_of, value.values() if type(value) is dict else value), default=0)


def texts_of(value: Any) -> Iterator[str]:
    if type(value) is str:
        yield value
    for part in value.values() if type(value) is dict else value if type(value) is list else ():
        yield from texts_of(part)


def keys_of(value: Any) -> Iterator[str]:
    for key, part in value.items() if type(value) is dict else ():
        yield key
        yield from keys_of(part)
    for part in value if type(value) is list else ():
        yield from keys_of(part)


@attrs.frozen(repr=False, eq=False)
class Held:
    """Keeps Hypothesis, which looks at all it draws, off a hostile object."""

    held: Any


_text = st.text(alphabet=st.characters() | st.sampled_from("\ud800\udfff\U0001f600\x00"), max_size=30)
_urls = st.tuples(st.sampled_from(["http://", "https://", "HTTP://"]), st.text("?&;#=%/@a:token", max_size=40)).map(
    "".join
)
_scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**80), 2**80), st.floats(), _text, _urls,
    st.decimals(), st.fractions(), st.complex_numbers(), st.uuids(), st.dates(), st.timedeltas(),
    st.datetimes(timezones=st.none() | st.timezones()), st.times(), st.binary(max_size=20),
    st.sampled_from([Colour.RED, Size.BIG, Word.YES, REDACTED, "$cycle", "$bytes", Point(1, 2), Node]),
)  # fmt: skip
_hostile = st.sampled_from(
    [
        lambda: hostile([])(),
        lambda: hostile([], str)("password"),
        lambda: hostile([], dict)({"a": 1}),
        mock.MagicMock,
    ]
).map(lambda make: Held(make()))
_hashable = _scalars.filter(lambda value: not (type(value) is Decimal and value.is_snan()))
_keys: st.SearchStrategy[Any] = _text | _hashable | st.sampled_from(["password", "token", "a", "1", b"pin"])


def _nested(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(_keys, parts, max_size=5)
    lists = st.lists(parts, max_size=5)
    return st.one_of(
        objects, lists, lists.map(tuple), lists.map(collections.deque), lists.map(Node),
        objects.map(types.MappingProxyType), objects.map(collections.OrderedDict),
        objects.map(collections.ChainMap),
        objects.map(collections.UserDict), st.sets(_hashable, max_size=4), st.builds(Login, parts, parts),
        lists.map(lambda part: [part, part]),
    )  # fmt: skip


_anything = st.recursive(_scalars | _hostile, _nested, max_leaves=30)
_bags = st.dictionaries(_keys, _anything, max_size=6)
_limits = st.builds(
    Limits,
    max_depth=st.integers(1, 8),
    max_nodes=st.integers(1, 40) | st.just(2000),
    max_keys=st.integers(1, 128),
    max_string_bytes=st.integers(0, 40) | st.just(8192),
    max_text_bytes=st.integers(0, 200) | st.just(49_152),
    max_key_chars=st.integers(64, 256),
    max_repr_chars=st.integers(1, 256),
)


@given(properties=_bags | _anything, limits=_limits)
@settings(max_examples=300)
def test_law_it_encodes_is_bounded_and_passes_again_unchanged(properties: Any, limits: Limits) -> None:
    redactor = Redactor()
    found = sanitise(properties, redactor=redactor, limits=limits)
    check_encodes(found.properties)
    check_encodes(found.trimmed)
    assert count_nodes(found.properties) <= limits.max_nodes
    assert depth_of(found.properties) <= limits.max_depth
    sizes = [len(text.encode()) for text in texts_of(found.properties)]
    assert max(sizes, default=0) <= limits.max_string_bytes
    assert sum(sizes) <= limits.max_text_bytes
    assert all(len(key) <= limits.max_key_chars for key in keys_of(found.properties))
    again = sanitise(found.properties, redactor=redactor, limits=limits)
    assert msgspec.json.encode(again) == msgspec.json.encode(Sanitised(properties=found.properties, trimmed={}))


_names = st.text("abc.$ \xe9\u20ac", max_size=8)
_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | _names,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(_names, parts, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(_names, _plain, max_size=6))
def test_law_what_the_app_passed_is_neither_changed_nor_shared(properties: dict[str, Any]) -> None:
    before = copy.deepcopy(properties)
    found = walk(properties)
    assert properties == before
    assert not set(map(id, containers(found.properties))) & set(map(id, containers(properties)))


def containers(value: Any) -> Iterator[Any]:
    if type(value) in (dict, list):
        yield value
    for part in value.values() if type(value) is dict else value if type(value) is list else ():
        yield from containers(part)


@given(st.dictionaries(_names, _plain, max_size=6))
def test_law_plain_properties_within_the_limits_come_out_as_they_are(properties: dict[str, Any]) -> None:
    found = walk(properties)
    assert set(found.trimmed.values()) <= {"inf", "-inf", "depth"}
    if not found.trimmed:
        assert found.properties == properties
