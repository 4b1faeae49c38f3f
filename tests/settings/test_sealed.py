"""No secret is shown, pickled, or left in the frames of an error. S13."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Literal

import attrs
import pytest

from cxkit.errors import ConfigurationError
from cxkit.settings import RawTable, Secret, Settings, load, structure

CANARY = "hunter2-hunter2-hunter2"


def secretive(write: Any) -> Settings:
    write(
        '[keys]\nsigning = ["${CANARY}"]\n[flask]\nkey = "${CANARY}"\n'
        '[exporters.receiver]\ntype = "http"\ntoken = "${CANARY}"'
    )
    environ = {"CANARY": CANARY, "CXKIT_KEYS__IDENTIFIER": CANARY, "CXKIT_STORE__PASSWORD": CANARY}
    return load(environ=environ, overrides={"experiences": {"x": {"key": CANARY}}})


SHOWN: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda one: f"{one} {one!r}",
    "width": lambda one: [f"{one:>30}" if isinstance(one, Secret) else ""],
    "asdict": lambda one: attrs.asdict(one) if attrs.has(type(one)) else "",
    "astuple": lambda one: attrs.astuple(one) if attrs.has(type(one)) else "",
}


@pytest.mark.parametrize("way", SHOWN)
def test_no_way_of_showing_shows_a_secret(write: Any, way: str) -> None:
    loaded = secretive(write)
    for one in (
        loaded,
        loaded.keys,
        loaded.keys.identifier,
        loaded.exporters["receiver"],
        loaded.store.options,
    ):
        assert CANARY not in repr(SHOWN[way](one))
    assert loaded.keys.signing[0].reveal() == CANARY
    assert loaded.store.options["password"] == CANARY


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_secret_is_pickled_or_copied(write: Any, protocol: int) -> None:
    loaded = secretive(write)
    for one in (loaded, loaded.keys, loaded.keys.identifier, loaded.store.options):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(one, protocol)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(loaded)


def test_a_secret_is_no_text_and_equals_its_like() -> None:
    one: Any = Secret(CANARY)
    assert (one == Secret(CANARY), one == Secret("x"), one == CANARY, one != CANARY) == (
        True,
        False,
        False,
        True,
    )
    assert Secret("\udcff") == Secret("\udcff")
    for misuse in (
        lambda: one + "",
        lambda: "".join([one]),
        lambda: json.dumps(one),
        lambda: {one},
        lambda: len(one),
    ):
        with pytest.raises(TypeError) as caught:
            misuse()
        assert CANARY not in str(caught.value)


def frames_below(error: BaseException | None) -> Iterator[str]:
    """Each error of the chain with the variables of its frames, but those of the test."""
    while error is not None:
        below = error.__traceback__.tb_next if error.__traceback__ else None
        yield "".join(traceback.TracebackException(type(error), error, below, capture_locals=True).format())
        error = error.__cause__ or error.__context__


LEAKY: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    (f"service = '{CANARY}'\nstrict = 3", {}, {}),
    (f"service = '{CANARY}", {}, {}),
    (f"durability = '{CANARY}'", {}, {}),
    (f"[keys]\nidentifier = ['{CANARY}']", {}, {}),
    (f"[keys]\nsigning = ['{CANARY}', 'short']", {}, {}),
    (f"[queue]\nmax_bytes = '{CANARY}'", {}, {}),
    (f"[web]\nexclude = ['{CANARY}']", {}, {}),
    ("service = '${A}${B}'", {"A": CANARY}, {}),
    ("[queue]\nmax_bytes = '${A}'", {"A": CANARY}, {}),
    ("", {"CXKIT_STRICT": CANARY, "PASSWORD": CANARY}, {}),
    ("", {"CXKIT_STRICT": "x", "CXKIT_STRIC": CANARY}, {}),
    ("", {"CXKIT_SERVICE": "\udcff" + CANARY}, {}),
    ("", {"CXKIT_STRICT": CANARY, "CXKIT_Strict": CANARY}, {}),
    ("", {}, {"keys": {"identifier": {"x": CANARY}}}),
    ("", {}, {"exporters": {"a": {"type": "x", "purposes": [CANARY]}}}),
    ("", {}, {"flask": {3: CANARY}}),
]


@pytest.mark.parametrize(("text", "environ", "overrides"), LEAKY)
def test_no_refusal_shows_a_value_not_even_in_its_frames(
    write: Any, refusal: Any, text: str, environ: Any, overrides: Any
) -> None:
    write(text)
    shown = list(frames_below(refusal(environ=environ, overrides=overrides)))
    assert "CX10" in shown[0]
    assert CANARY not in "".join(shown)


@attrs.frozen(kw_only=True)
class Tls:
    verify: bool = True


@attrs.frozen(kw_only=True)
class Receiver:
    url: str = attrs.field(validator=attrs.validators.matches_re("https?://.*"))
    token: Secret | None = None
    retries: int = attrs.field(default=3, validator=attrs.validators.ge(0))
    level: Literal["low", "high"] = "low"
    tls: Tls = Tls()


@pytest.mark.parametrize(
    "table",
    [
        {"url": CANARY},
        {"url": "http://x", "token": [CANARY]},
        {"url": "http://x", "token": CANARY, "retries": -1},
        {"url": "http://x", "level": CANARY},
        {"url": "http://x", "nothing": CANARY},
        {"url": "http://x", "tls": {"verify": CANARY}},
    ],
)
def test_nor_does_a_refusal_of_structure(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        structure(Receiver, RawTable(table), where="exporters.receiver")
    shown = list(frames_below(caught.value))
    assert "CX10" in shown[0]
    assert CANARY not in "".join(shown)
