"""A class is learnt when its module is imported, never when a thread first meets it."""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
from pathlib import Path

import attrs
import msgspec
import pytest

from cxkit.codec.typed import converter

ROOT = Path(__file__).parents[2]
AT_ONCE = """
import sys, threading
from datetime import UTC, datetime
from cxkit.codec import decode, encode
from cxkit.model import Interaction
payload = encode(Interaction(id="1", occurred_at=datetime.now(UTC), name="a.b", source="/x"))
together = threading.Barrier(4)
sys.setswitchinterval(1e-6)
def read():
    together.wait()
    assert decode(payload).name == "a.b"
threads = [threading.Thread(target=read) for _ in range(4)]
for one in threads:
    one.start()
for one in threads:
    one.join()
"""


@attrs.frozen
class Box:
    size: int = 0


def test_it_makes_values_of_the_class_and_refuses_the_rest() -> None:
    to_box = converter(Box)
    assert to_box({"size": 3}) == Box(3)
    with pytest.raises(msgspec.ValidationError):
        to_box({"size": "large"})


def test_threads_that_are_the_first_to_decode_do_it_at_once() -> None:
    for _ in range(8):  # read late, some of these crash
        assert subprocess.run([sys.executable, "-c", AT_ONCE], check=False).returncode == 0


def late(source: str) -> list[int]:
    """Lines that read a value of a class with no decoder that was made before."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if (name := ast.unparse(call.func)) == "msgspec.convert"
        or (name == "msgspec.json.decode" and any(map(names_a_class, call.keywords)))
    ]


def names_a_class(keyword: ast.keyword) -> bool:
    names = {node.id for node in ast.walk(keyword.value) if isinstance(node, ast.Name)}
    return not names <= set(dir(builtins))


def test_nothing_else_reads_values_of_a_class() -> None:
    exempt = {"cxkit/codec/typed.py", "cxkit/settings/typed.py"}  # the latter: single values, of no class of ours
    files = [*ROOT.glob("cxkit/**/*.py"), *ROOT.glob("plugins/*/cxkit_*/**/*.py")]
    found = {
        name: lines
        for file in files
        if (name := file.relative_to(ROOT).as_posix()) not in exempt and (lines := late(file.read_text("utf-8")))
    }
    assert found == {}
    assert len(files) > 100


def test_such_a_line_is_found() -> None:
    assert late("msgspec.json.decode(b'', type=Box)") == late("msgspec.convert({}, Box)") == [1]
    assert late("msgspec.json.decode(b'', type=tuple[Box, ...])") == [1]
    assert late("msgspec.json.decode(b'', type=dict[str, int])\nmsgspec.json.decode(b'')") == []
