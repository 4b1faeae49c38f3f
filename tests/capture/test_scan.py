"""The flat scan vouches for nothing that the sanitising walk would change."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import IntEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxkit
from cxkit.capture.redact import Redactor
from cxkit.capture.sanitise import sanitise
from cxkit.capture.scan import MAX_FLAT_BYTES, flat, may_link
from cxkit.testing import recorder

KEYS = ["sku", "quantity", "price", "a", "b", "", "é", "nested", "Nested", "$x", "a.b", "0", "session", "author"]
keys = st.sampled_from(KEYS) | st.text(max_size=8)
strings = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["http://a@b/c", "HTTP://a@b", "https://shop/?token=1", " https://u:p@h/", "Https://u:p@h/", "ftp://u:p@h/",
         "x" * 9000, "é" * 5000, "\ud83d", "\x00", "[redacted]", "$cycle"]
    ),
)  # fmt: skip
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(2**53 - 2, 2**53 + 2), st.floats(), strings,
    st.sampled_from([Decimal(1), b"x", (1,), [1], set()]),
)  # fmt: skip
bags = st.recursive(
    st.dictionaries(keys, leaves, max_size=6),
    lambda inner: st.dictionaries(keys, st.one_of(leaves, inner), max_size=6),
    max_leaves=30,
)


def redactor(known: list[str]) -> Redactor:
    """One that has been in use: it knows these keys."""
    made = Redactor()
    for key in known:
        made.is_secret(key)
    return made


@given(bags, st.lists(keys, max_size=10))
def test_what_passes_would_come_out_of_the_walk_as_it_went_in(bag: dict[str, Any], known: list[str]) -> None:
    """Together with what intake asks of the encoded bytes: that there are few, and no URL in them."""
    knows = redactor([*KEYS, *known])
    if not flat(bag, knows.clean):
        return
    try:
        encoded = msgspec.json.encode(bag)
    except UnicodeEncodeError:
        return
    if len(encoded) > MAX_FLAT_BYTES or may_link(encoded):
        return
    walked = sanitise(bag, redactor=knows)
    assert walked.trimmed == {}
    assert walked.properties == bag
    assert msgspec.json.encode(walked.properties) == encoded


class Colour(IntEnum):
    RED = 1


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 2**53 + 1, -(2**53) - 1, [1], (1,), {1}, b"x", Decimal(1), Colour.RED, Text("x"),
     object(), {"a": {"a": {"a": {"a": {"a": {}}}}}}, {"a": math.nan}, {1: 2}, {"password": "x"}],

)  # fmt: skip
def test_what_it_cannot_vouch_for(value: Any) -> None:
    knows = redactor(["a", "password"])
    assert not flat({"a": value}, knows.clean)


@pytest.mark.parametrize("value", [None, True, 0, -0.0, 1.5, 2**53, 1e300, "text", {}, {"a": {"a": {"a": {}}}}])
def test_what_nearly_every_app_captures_passes(value: Any) -> None:
    assert flat({"a": value}, redactor(["a"]).clean)


def test_too_many_keys_and_unknown_keys_take_the_walk() -> None:
    many = {f"key{number}": 1 for number in range(65)}
    assert not flat(many, redactor(list(many)).clean)
    assert not flat({"new": 1}, redactor(["a"]).clean)


URLS = ["https://me:pw@shop.example/", "HTTPS://me:pw@shop.example/", "Http://h/?token=pw", "http://h/#token=pw",
        "/?token=pw", "?token=pw", "#token=pw", "//me:pw@h/?a", "/p;token=pw?a=1"]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_no_credential_in_a_url_gets_past_it(url: str) -> None:
    seen = cxkit.touchpoint("scan.url")
    with recorder(strict=False) as record:
        seen.capture(url="plain")  # so that the key is known
        seen.capture(url=url)
        seen.capture(nested={"url": url})
        assert not any("pw" in str(one.properties) for one in record.interactions)
        assert [dict(one.trimmed) for one in record.interactions] == [{}, {"url": "url"}, {"nested.url": "url"}]


def test_nothing_of_the_apps_is_changed() -> None:
    inner: dict[str, Any] = {"size": 1}
    shared: dict[str, Any] = {"inner": inner, "bad": [math.nan]}
    seen = cxkit.touchpoint("scan.shared", properties=lambda: shared)
    with recorder(strict=False) as record:
        seen.capture()
        del shared["bad"]
        seen.capture()
        assert len(record.interactions) == 2
    assert shared == {"inner": {"size": 1}}
    assert shared["inner"] is inner
