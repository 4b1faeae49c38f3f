"""How Matomo's lists are made into the plugin's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

RENEW = Path(__file__).parents[1] / "renew_sites.py"


@pytest.fixture(scope="module")
def renew() -> Any:
    spec = importlib.util.spec_from_file_location("renew_sites", RENEW)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("url", "engine", "network"),
    [
        ("one.example", "=one.example", "one.example"),
        ("one.{}", "=one.*", "one.*"),
        ("{}.one.example", "=*.one.example", "*.one.example"),
        ("images.{}.one.example", None, None),
        ("one.example/images", None, None),
        ("localhost", None, None),
        ("abc.onion", None, None),
        ("com.one.android", "app:com.one.android", "app:com.one.android"),
        ("android-app//com.one.android/https/one.example", "app:com.one.android", "app:com.one.android"),
    ],
)
def test_what_becomes_of_a_host(renew: Any, url: str, engine: str | None, network: str | None) -> None:
    assert renew.pattern_of(url, exact=True) == engine
    assert renew.pattern_of(url, exact=False) == network


def test_each_is_there_once_and_an_assistant_is_no_engine(renew: Any) -> None:
    taken: set[str] = set()
    assistants = {"Chat+": ["chat.example"], "One": ["one.example", "x/y"]}
    engines = {"One Search!": [{"urls": ["www.one.example", "two.example", "WWW.two.example"], "params": ["q"]}]}
    assert renew.sites(assistants, "ai_assistant", taken) == {"chat_plus": ["chat.example"], "one": ["one.example"]}
    assert renew.sites(engines, "search", taken) == {"one_search": ["=two.example"]}
