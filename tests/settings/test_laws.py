"""What is written is what is read, and nothing but a ConfigurationError stops it."""

from __future__ import annotations

import string
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from cxkit.errors import ConfigurationError
from cxkit.model import JSON, PURPOSES
from cxkit.settings import (
    Consent,
    ExporterTable,
    Keys,
    Plugins,
    Queue,
    Redact,
    Secret,
    Settings,
    Spool,
    StoreTable,
    Web,
    load,
    structure,
)

LAW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

COUNT = st.integers(1, 2**63 - 1)
SECONDS = st.floats(1, 1e8) | st.integers(1, 10**8)
WORDS = st.lists(st.text(string.ascii_lowercase + "_-", min_size=1), max_size=4)
SECRET = st.text(min_size=16, alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TABLES: dict[type[Any], dict[str, st.SearchStrategy[Any]]] = {
    Queue: {"max_bytes": COUNT},
    Spool: {"segment_bytes": st.integers(1, 10**6), "max_age_s": SECONDS, "sync_interval_s": SECONDS},
    Keys: {"signing": st.lists(SECRET), "identifier": SECRET},
    Consent: {"policy": st.text(), "before_choice": st.sampled_from(["anonymise", "drop"])},
    Web: {
        "exclude": st.lists(st.from_regex(r"/[a-z/]*", fullmatch=True)),
        "visitor_max_age_s": st.integers(1, 10**8),
    },
    Redact: {"extra": WORDS, "keep": WORDS},
    Plugins: {"allow": WORDS, "block": WORDS},
    ExporterTable: {
        "type": st.text(),
        "purposes": st.lists(st.sampled_from(PURPOSES), unique=True),
        "deadline_s": SECONDS,
        "max_batch_records": COUNT,
        "url": st.text(),
    },
    StoreTable: {"type": st.text(), "path": st.text()},
}
REQUIRED = {ExporterTable: {"type"}}


@st.composite
def valid_tables(draw: st.DrawFn) -> tuple[type[Any], dict[str, Any]]:
    cls = draw(st.sampled_from(list(TABLES)))
    keys = {key: value for key, value in TABLES[cls].items() if key in REQUIRED.get(cls, ())}
    return cls, draw(st.fixed_dictionaries(keys, optional={k: v for k, v in TABLES[cls].items() if k not in keys}))


def as_table(value: Any) -> dict[str, Any]:
    """What one would write in the file to get the value."""
    table = {key: one for key, one in attrs.asdict(value, recurse=False).items() if one is not None}
    return {
        **{key: _written(one) for key, one in table.items() if key != "options"},
        **table.get("options", {}),
    }


def _written(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    return [_written(one) for one in value] if isinstance(value, (tuple, frozenset)) else value


@LAW
@given(valid_tables())
def test_what_is_written_is_what_is_read(given_: tuple[type[Any], dict[str, Any]]) -> None:
    cls, table = given_
    made = structure(cls, table, where="it")
    back = as_table(made)
    assert structure(cls, back, where="it") == made
    for key, value in table.items():
        assert (sorted(back[key]) == sorted(value)) if key == "purposes" else (back[key] == value)


@LAW
@given(max_bytes=COUNT, max_age_s=SECONDS, extra=WORDS, strict=st.booleans(), key=SECRET)
def test_the_environment_says_the_same_as_code(
    max_bytes: int, max_age_s: float, extra: list[str], strict: bool, key: str
) -> None:
    environ = {
        "CXKIT_QUEUE__MAX_BYTES": str(max_bytes),
        "CXKIT_SPOOL__MAX_AGE_S": repr(max_age_s),
        "CXKIT_REDACT__EXTRA": ",".join(extra),
        "CXKIT_STRICT": str(strict),
        "CXKIT_KEYS__IDENTIFIER": key,
    }
    assert load(environ=environ) == Settings(
        queue=Queue(max_bytes=max_bytes),
        spool=Spool(max_age_s=max_age_s),
        redact=Redact(extra=tuple(extra)),
        strict=strict,
        keys=Keys(identifier=Secret(key)),
    )


NAMES = st.sampled_from(
    "service strict directory durability queue max_bytes spool max_age_s keys signing identifier web exclude "
    "plugins allow store type exporters a purposes deadline_s options experiences tables origins".split()
)
HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.builds(object)
    | st.sampled_from([Secret("x"), Path("x"), 10**400, "\udcff", "${A}", "9" * 5000, Queue()]),
    lambda below: st.lists(below) | st.tuples(below) | st.dictionaries(NAMES | st.text() | st.integers(), below),
    max_leaves=4,
)
TABLE = st.dictionaries(NAMES, HOSTILE | st.dictionaries(NAMES, HOSTILE, max_size=2), max_size=2)


@LAW
@given(overrides=TABLE)
def test_whatever_code_gives_the_answer_is_settings_or_a_configuration_error(
    overrides: dict[str, Any],
) -> None:
    with suppress(ConfigurationError):
        assert isinstance(load(environ={}, overrides=overrides), Settings)


@attrs.frozen(kw_only=True)
class Inner:
    verify: bool = True


@attrs.frozen(kw_only=True)
class Everything:
    """A field of each sort."""

    token: Secret | None = None
    path: Path = Path()
    ports: frozenset[int] = frozenset()
    pair: tuple[int, str] = (0, "")
    inner: Inner = Inner()
    inners: tuple[Inner, ...] = ()
    weights: Mapping[str, float] = attrs.field(factory=dict)
    level: Literal["low", "high"] = "low"
    either: int | str | None = 0
    free: JSON = None


@LAW
@given(table=st.dictionaries(st.sampled_from([one.alias for one in attrs.fields(Everything)]) | st.text(), HOSTILE))
def test_whatever_structure_is_given_the_answer_is_a_value_or_a_configuration_error(
    table: dict[str, Any],
) -> None:
    with suppress(ConfigurationError):
        assert isinstance(structure(Everything, table, where="x"), Everything)


ENVIRONMENTS = st.dictionaries(
    st.lists(NAMES | st.text(), max_size=4).map(lambda path: "CXKIT_" + "__".join(path).upper()),
    st.text(st.characters()) | st.sampled_from(["true", "1", "a,b", "strict"]),
    max_size=4,
)


@LAW
@given(environ=ENVIRONMENTS)
def test_whatever_the_environment_holds(environ: dict[str, str]) -> None:
    with suppress(ConfigurationError):
        assert isinstance(load(environ=environ), Settings)


FRAGMENTS = st.sampled_from(
    [
        "[",
        "]",
        "[[",
        "]]",
        "=",
        ".",
        '"',
        "'",
        "\n",
        ",",
        "{",
        "}",
        "service",
        "queue",
        "max_bytes",
        "1",
        "${A}",
        "1979-05-27",
    ]
)


@LAW
@given(content=st.binary() | st.lists(FRAGMENTS).map(lambda parts: "".join(parts).encode()))
def test_whatever_the_file_holds(content: bytes) -> None:
    Path("any.toml").write_bytes(content)
    with suppress(ConfigurationError):
        assert isinstance(load(file=Path("any.toml"), environ={}), Settings)


def test_a_table_within_itself_is_refused(refusal: Any) -> None:
    table: dict[str, Any] = {}
    table["flask"] = table
    assert refusal(overrides=table).code == "CX1009"
    with pytest.raises(ConfigurationError, match="CX1009"):
        structure(Everything, table, where="x")
