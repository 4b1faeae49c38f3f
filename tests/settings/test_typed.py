"""A raw table becomes a value of the class that owns it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from cxkit.errors import ConfigurationError
from cxkit.model import ExperienceSpec, Variant
from cxkit.settings import Secret, load, structure


@attrs.frozen(kw_only=True)
class Tls:
    verify: bool = True
    ca: Path | None = None


@attrs.frozen(kw_only=True)
class Receiver:
    url: str = attrs.field(validator=attrs.validators.matches_re("https?://.*"))
    token: Secret | None = None
    retries: int = attrs.field(default=3, validator=attrs.validators.ge(0))
    level: Literal["low", "high"] = "low"
    ports: frozenset[int] = frozenset()
    tls: Tls = Tls()
    mirrors: tuple[Tls, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)
    weights: dict[str, float] = attrs.field(factory=dict)
    either: int | str = 0
    anything: object = None
    _private: int = 0
    counted: int = attrs.field(default=0, init=False)


def receiver(write: Any, toml: str, environ: Mapping[str, str] | None = None) -> Receiver:
    write(f'[exporters.receiver]\ntype = "http"\nurl = "http://cx"\n{toml}')
    options = load(environ=environ or {}).exporters["receiver"].options
    return structure(Receiver, options, where="exporters.receiver")


def test_structure_gives_the_types_of_the_class(write: Any) -> None:
    made = receiver(
        write,
        'token = "hunter2"\nports = [80, 443]\n'
        'tls = { verify = false, ca = "ca.pem" }\nmirrors = [{ verify = false }]\n'
        'headers = { a = "b" }\nweights = { x = 1 }\neither = "x"\nanything = [{ a = 1 }]\nprivate = 4',
    )
    assert made == Receiver(
        url="http://cx",
        token=Secret("hunter2"),
        ports=frozenset({80, 443}),
        tls=Tls(verify=False, ca=Path("ca.pem")),
        mirrors=(Tls(verify=False),),
        headers={"a": "b"},
        weights={"x": 1.0},
        either="x",
        anything=[{"a": 1}],
        private=4,
    )


def test_structure_reads_text_of_the_environment_at_every_level(write: Any) -> None:
    environ = {
        "CXKIT_EXPORTERS__RECEIVER__RETRIES": "5",
        "CXKIT_EXPORTERS__RECEIVER__PORTS": "80, 443",
        "CXKIT_EXPORTERS__RECEIVER__TLS__VERIFY": "false",
        "CXKIT_EXPORTERS__RECEIVER__WEIGHTS__X": "0.5",
        "CXKIT_EXPORTERS__RECEIVER__ANYTHING": "1",
        "ANY": "x",
    }
    made = receiver(write, 'headers = { a = "${ANY}" }', environ)
    assert (made.retries, made.ports, made.tls.verify, made.weights) == (
        5,
        frozenset({80, 443}),
        False,
        {"x": 0.5},
    )
    assert [type(made.anything), type(made.headers["a"]), type(made.url)] == [str, str, str]


@pytest.mark.parametrize(
    ("toml", "code", "what", "fix"),
    [
        (
            "retires = 1",
            "CX1001",
            '"exporters.receiver.retires" (file cxkit.toml)',
            'did you mean "retries"?',
        ),
        ("deadlin_s = 1", "CX1001", '"exporters.receiver.deadlin_s"', 'did you mean "deadline_s"?'),
        ("counted = 1", "CX1001", '"exporters.receiver.counted"', "known"),
        ("tls = { verfy = true }", "CX1001", '"exporters.receiver.tls.verfy" (file cxkit.toml)', '"verify"'),
        ("mirrors = [{ verfy = true }]", "CX1001", '"exporters.receiver.mirrors[0].verfy"', '"verify"'),
        ("mirrors = [3]", "CX1005", '"exporters.receiver.mirrors[0]" (file cxkit.toml)', "write"),
        (
            "retries = '3'",
            "CX1005",
            '"exporters.receiver.retries" (file cxkit.toml) is not a whole number',
            "100",
        ),
        ("either = 1.5", "CX1005", '"exporters.receiver.either"', "100"),
        (
            "weights = { x = 'y' }",
            "CX1005",
            '"exporters.receiver.weights.x" (file cxkit.toml) is not a number',
            "1.5",
        ),
        ("level = 'hig'", "CX1006", '"exporters.receiver.level"', 'did you mean "high"?'),
        (
            "retries = -1",
            "CX1006",
            '"exporters.receiver.retries" (file cxkit.toml) is refused (ValueError)',
            "reference",
        ),
    ],
)
def test_structure_refuses(write: Any, toml: str, code: str, what: str, fix: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        receiver(write, toml)
    assert (caught.value.code, what in caught.value.what, fix in caught.value.fix) == (code, True, True), caught.value


def test_structure_takes_a_plain_table_and_says_what_is_missing() -> None:
    assert structure(Receiver, {"url": "http://x", "token": None}, where="exporters.x") == Receiver(url="http://x")
    with pytest.raises(ConfigurationError, match='CX1007: "url" is missing'):
        structure(Receiver, {}, where="")


def test_structure_makes_experiences_and_passes_on_what_the_model_refuses(write: Any) -> None:
    write(
        '[experiences."home.hero"]\nlevel = 3\n'
        'variants = [{ name = "vip", audience = { plan = "gold" }, depth = 3 }]\n'
        "[experiences.twice]\nvariants = [{ name = 'a' }, { name = 'a' }]"
    )
    raw = load(environ={}).experiences
    made = structure(ExperienceSpec, {"name": "home.hero", **raw["home.hero"]}, where="experiences.home.hero")
    assert made == ExperienceSpec(
        name="home.hero", level=3, variants=(Variant(name="vip", audience={"plan": "gold"}, depth=3),)
    )
    with pytest.raises(ConfigurationError, match=r'CX1006: "experiences\.twice": two variants of experience "twice"'):
        structure(ExperienceSpec, {"name": "twice", **raw["twice"]}, where="experiences.twice")
