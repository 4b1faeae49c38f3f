"""All that is wrong at once, and the settings without it: as many errors as `load` would raise one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import ConfigurationError
from cxkit.settings import Settings, examine, load

WRONG = """
service = "a shop"
strict = "yes"
colour = "red"
durability = "sink"
[queue]
max_bytes = 5_000
max_byte = 3
[web]
exclude = ["/static/", "healthz", "${NOWHERE}"]
[exporters.my-receiver]
type = "http"
purposes = ["analytics"]
[exporters.receiver]
purposes = ["analytics"]
[exporters.sink]
type = "file"
path = "${NOTHING}"
purposes = ["analytiks"]
[exporters.good]
type = "console"
purposes = ["analytics"]
"""


def test_everything_that_is_wrong_is_found(write: Callable[..., Path]) -> None:
    write(WRONG)
    settings, refused = examine(environ={"CXKIT_STRICKT": "1", "CXKIT_SPOOL": "3", "CXKIT_QUEUE__MAX_BYTES": "7000"})
    assert sorted(str(error.setting) for error in refused) == [
        "None",  # a variable that is no setting
        "None",
        "colour",
        "durability",
        "exporters.my-receiver",
        "exporters.receiver.type",
        "exporters.sink.path",
        "exporters.sink.purposes",
        "queue.max_byte",
        "service",
        "strict",
        "web.exclude[2]",
    ]
    assert settings.queue.max_bytes == 7000
    assert set(settings.exporters) == {"sink", "good"}
    assert (settings.service, settings.origins.get("service")) == ("app", None)


@pytest.mark.parametrize("text", ["service", "\0", "[tool]\n" * 2])
def test_a_file_that_cannot_be_read_is_one_error_and_the_environment_still_counts(
    write: Callable[..., Path], text: str
) -> None:
    write(text)
    settings, refused = examine(environ={"CXKIT_SERVICE": "shop", "CXKIT_STRICT": "perhaps"})
    assert [error.code for error in refused] == ["CX1003", "CX1005"]
    assert settings.service == "shop"


def test_an_error_of_it_holds_no_frame() -> None:
    _, (refused,) = examine(environ={"CXKIT_STRICT": "hunter2"})
    assert (refused.__traceback__, refused.__context__, "hunter2" in str(refused)) == (None, None, False)


def test_what_is_right_is_what_load_says(write: Callable[..., Path]) -> None:
    write("service = 'shop'\n[exporters.sink]\ntype = 'console'")
    settings, refused = examine(environ={"CXKIT_DEVELOPMENT": "true"})
    expected = load(environ={"CXKIT_DEVELOPMENT": "true"})
    assert (settings, settings.origins, refused) == (expected, expected.origins, [])


KEYS = st.sampled_from([*"service strict queue max_bytes exporters receiver type purposes web exclude a.b".split(), ""])
VALUES = st.one_of(st.booleans(), st.integers(), st.text(max_size=3), st.lists(st.text(max_size=3), max_size=2))
TABLES = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=4), lambda below: st.dictionaries(KEYS, st.one_of(VALUES, below), max_size=4)
)


@given(TABLES)
def test_whatever_it_is_given_it_comes_to_an_end_and_agrees_with_load(table: dict[str, Any]) -> None:
    settings, refused = examine(environ={}, overrides=table)
    assert isinstance(settings, Settings)
    try:
        expected, first = load(environ={}, overrides=table), []
    except ConfigurationError as error:
        expected, first = settings, [str(error)]
    assert (settings, [str(error) for error in refused[:1]]) == (expected, first)
