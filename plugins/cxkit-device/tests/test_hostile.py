"""Bad input: nothing is found rather than something wrong, and nothing of it is kept."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import ConfigurationError, MissingDependencyError
from cxkit.model import Context, Device
from cxkit.testing.enricher_suite import request
from cxkit_device import DeviceEnricher, Settings, engine
from cxkit_device.enricher import MAX_CHARS
from cxkit_device.hints import HEADERS, read
from cxkit_device.structured import item, members

CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
ENGINES = ("none", "ua-parser")
HOSTILE = {
    "a megabyte of one letter": "a" * 1_000_000,
    "a megabyte of brackets": "(" * 1_000_000,
    "a browser and a megabyte": CHROME + " x" * 500_000,
    "words that begin patterns": "version/1" * 120_000,
    "devices again and again": "android tizen tab iphone " * 40_000,
    "bots nearly": "bo cra spide " * 80_000,
    "digits": "1" * 1_000_000,
    "slashes": "/" * 1_000_000,
    "commas": ",;" * 500_000,
    "nothing": "",
    "null": "\x00" * 100,
    "half a pair": "\ud800" * 100,
    "not Latin": "Мозилла/5.0 (линукс)",
    "lines": "Mozilla/5.0\r\nX-Evil: 1",
}


@pytest.mark.parametrize("with_engine", ENGINES)
@pytest.mark.parametrize("agent", HOSTILE.values(), ids=HOSTILE)
def test_user_agents_of_a_megabyte(agent: str, with_engine: Any) -> None:
    found = DeviceEnricher(Settings(engine=with_engine)).enrich(request(headers={"user-agent": agent}), Context())
    assert agent == "" or agent not in repr(found)


def test_what_stands_behind_the_limit_is_not_read() -> None:
    enricher = DeviceEnricher(Settings(engine="none"))
    near: Any = enricher.enrich(
        request(headers={"user-agent": "(X11) ".ljust(MAX_CHARS - 9, "x") + "googlebot"}), Context()
    )
    far: Any = enricher.enrich(request(headers={"user-agent": "(X11) ".ljust(MAX_CHARS, "x") + "googlebot"}), Context())
    assert near["actor"] == "bot"
    assert "actor" not in far


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sec-ch-ua", '"Google Chrome";v="130'), ("sec-ch-ua", '"Google Chrome";v="130",'),
        ("sec-ch-ua", "Google Chrome"),
        ("sec-ch-ua", '("Google Chrome";v="130")'), ("sec-ch-ua", '"Goögle Chrome";v="130"'),
        ("sec-ch-ua", '"Google Chrome" ;v'),
        ("sec-ch-ua", ", ".join(['"Google Chrome";v="130"'] * 100)), ("sec-ch-ua", '"' + "x" * 2000 + '"'),
        ("sec-ch-ua-mobile", "?2"), ("sec-ch-ua-mobile", "1"), ("sec-ch-ua-mobile", "true"),
        ("sec-ch-ua-mobile", "?1, ?1"),
        ("sec-ch-ua-platform", "Windows 10"), ("sec-ch-ua-platform", '"Windows'), ("sec-ch-ua-platform", "?1"),
        ("sec-ch-ua-platform-version", "15.0.0"), ("sec-ch-ua-platform-version", '"fifteen"'),
        ("sec-ch-ua-platform-version", '"99999.0.0"'), ("sec-ch-ua-form-factors", '"Tablet"; "Watch"'),
        ("sec-ch-viewport-width", "0"), ("sec-ch-viewport-width", "-1"), ("sec-ch-viewport-width", "1e9"),
        ("sec-ch-viewport-width", "9" * 15), ("sec-ch-viewport-width", "1280px"), ("sec-ch-viewport-width", "1280.5"),
        ("sec-ch-prefers-color-scheme", '"blue"'), ("sec-ch-prefers-color-scheme", "?1"),
        ("sec-ch-prefers-reduced-motion", '"maybe"'), ("sec-ch-prefers-reduced-motion", ""),
        ("save-data", "yes"), ("save-data", "on, on"), ("save-data", "on" * 1000),
    ],
)  # fmt: skip
def test_malformed_structured_headers_say_nothing(name: str, text: str) -> None:
    assert read({name: text}) == read({})
    enricher = DeviceEnricher(Settings(engine="none"))
    plain, spoilt = ({"user-agent": CHROME}, {"user-agent": CHROME, name: text})
    assert enricher.enrich(request(headers=spoilt), Context()) == enricher.enrich(request(headers=plain), Context())


@given(
    st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=60) | st.from_regex(r'"[^"]*";v="[0-9.]*"(, ?"\w*")?'))
)
def test_whatever_hints_say_they_are_of_a_known_word(said: dict[str, str]) -> None:
    hints = read(said)
    assert hints.color_scheme in (None, "light", "dark")
    assert hints.viewport is None or 0 < hints.viewport < 32_768
    assert all(version is None or 0 <= version < 10_000 for version in hints.brands.values())


@given(st.text(alphabet='"\\?01;=, abZ*:.-', max_size=30))
def test_an_item_is_a_list_of_one(text: str) -> None:
    """RFC 9651: what parses as an item parses as a list with that member."""
    found = item(text)
    if found is not None:
        assert [one for one, _ in members(text)] == [found]


def test_structured_values() -> None:
    assert members('"a\\"b\\\\";x=1;y;z=?0 ,  token/1:2 ,\t-4.5') == (
        ('a"b\\', {"x": 1, "y": True, "z": False}), ("token/1:2", {}), (-4.5, {}),
    )  # fmt: skip
    assert [item(text) for text in ("", " ", '"', '"\\x"', "?", "1.", ".5", "1234567890123456", "é", "a b")] == [
        None
    ] * 10


def test_no_user_agent_is_kept() -> None:
    enricher = DeviceEnricher(Settings(engine="ua-parser"))
    secret = "Mozilla/5.0 (X11; Linux x86_64) " + "canary-" + "4711"
    enricher.enrich(request(headers={"user-agent": secret, "sec-ch-ua": f'"{secret}";v="1"'}), Context())
    del secret
    gc.collect()
    seen, stack = set(), [vars(enricher)]
    while stack:
        one = stack.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen.add(id(one))
        assert not (isinstance(one, str) and "canary-4711" in one)
        stack += gc.get_referents(one)
        if len(seen) > 200_000:
            break


def test_what_is_remembered_is_bounded() -> None:
    enricher = DeviceEnricher(Settings(engine="none", most_remembered=10))
    for number in range(100):
        enricher.enrich(request(headers={"user-agent": f"{CHROME} {number}"}), Context())
    assert len(enricher._remembered) == 10


def test_different_circumstances_are_not_mixed_up() -> None:
    """What is remembered of one request is not said of another that differs in a header, or in who was told to ask."""
    enricher = DeviceEnricher(Settings(engine="none"))
    plain: Any = enricher.enrich(request(headers={"user-agent": CHROME}), Context())
    dark: Any = enricher.enrich(
        request(headers={"user-agent": CHROME, "sec-ch-prefers-color-scheme": '"dark"'}), Context()
    )
    told: Any = enricher.enrich(request(headers={"user-agent": CHROME}), Context(actor="bot"))
    assert plain["device"].color_scheme is None
    assert dark["device"].color_scheme == "dark"
    assert told["agent"].evidence == ("told",)
    assert isinstance(plain["device"], Device)


# --- settings ---


@pytest.mark.parametrize(
    "table", [{"most_remembered": 0}, {"own_apps": ("",)}, {"own_apps": ("é" * 5,)}, {"own_apps": ("ab",)}]
)
def test_settings_out_of_their_range(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Settings(**table)


def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="cxkit-device"):
        DeviceEnricher(Settings(engine="ua-parser"))
