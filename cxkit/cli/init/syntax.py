"""Python source as it is written: its lines and what its statements say, without running any of it."""

from __future__ import annotations

import ast
import io
import re
import stat
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

__all__ = [
    "UNREADABLE",
    "Function",
    "Import",
    "Source",
    "assigned",
    "bodies",
    "dotted",
    "imported",
    "parsed",
    "read",
]

_MAX_FILE_BYTES: Final = 1_000_000
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")  # as Python counts; splitlines() knows more ends

Import = ast.Import | ast.ImportFrom
Function = ast.FunctionDef | ast.AsyncFunctionDef


@attrs.frozen(kw_only=True)
class Source:
    """A file of Python."""

    path: Path
    raw: bytes = attrs.field(repr=False)
    encoding: str
    text: str = attrs.field(repr=False)
    tree: ast.Module = attrs.field(repr=False)

    @property
    def lines(self) -> list[str]:
        """Its lines with their ends."""
        return _LINE.findall(self.text)


UNREADABLE: Final = (OSError, ValueError, SyntaxError, RecursionError, MemoryError)
"""What `read` raises for what cannot be understood."""


def read(path: Path, *, root: Path, mentioning: re.Pattern[bytes] | None = None) -> Source | None:
    """A file of Python, its path relative to ``root``; None if it does not mention what is looked for.

    Raises:
        OSError, ValueError, SyntaxError, RecursionError, MemoryError: It cannot be read or understood.
    """
    whole = root / path
    status = whole.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is not a regular file")
    if status.st_size > _MAX_FILE_BYTES:
        raise OSError(f"it has more than {_MAX_FILE_BYTES} bytes")
    raw = whole.read_bytes()
    if mentioning is not None and not mentioning.search(raw):
        return None
    encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    text = raw.decode(encoding)
    return Source(path=path, raw=raw, encoding=encoding, text=text, tree=parsed(text))


def parsed(text: str) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: It is not Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the application's own literals: it hears of them when it runs
        return ast.parse(text)


def imported(tree: ast.Module) -> dict[str, str]:
    """Local name to the dotted name it was imported as, anywhere in a file."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            firsts = {one.asname or one.name.partition(".")[0]: one for one in node.names}
            names |= {local: one.name if one.asname else local for local, one in firsts.items()}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """What an expression names, through the imports; empty if it is none that could be told."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return ""


def bodies(node: ast.AST, function: Function | None = None) -> Iterator[tuple[list[ast.stmt], Function | None]]:
    """Every list of statements, and the function around it."""
    for _, value in ast.iter_fields(node):
        members = value if isinstance(value, list) else [value]
        if members and isinstance(members[0], ast.stmt):
            yield members, function
        for member in members:
            if isinstance(member, ast.AST) and not isinstance(member, ast.expr):
                yield from bodies(member, member if isinstance(member, Function) else function)


def assigned(statement: ast.stmt) -> tuple[str | None, ast.Call | None]:
    """The name that a call's result is given, and the call."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
            return name, call
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call):
            return name, call
    return None, None
