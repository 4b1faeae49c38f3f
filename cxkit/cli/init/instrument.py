"""The line that an application lacks, put into its source; all else stays as it is, byte for byte."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import attrs

from cxkit.cli.init.apps import App, adds_to, apps_of
from cxkit.cli.init.syntax import UNREADABLE, Function, Import, assigned, bodies, dotted, imported, parsed

__all__ = ["instrumented"]


def instrumented(app: App) -> bytes | None:
    """The source's bytes with the import and the line that adds the middleware; all else is as it was.

    None: it cannot be done without changing more, as where several statements share a line.
    """
    lines, names = app.source.lines, imported(app.source.tree)
    way = app.way
    local = next((name for name, dotted in names.items() if dotted == f"{way.plugin}.{way.name}"), None)
    made, last = _places_of_call(app)
    indent = _indent(lines, made)
    if indent is None:
        return None
    apart = "\n" if isinstance(last, Function) else ""
    more = {last.end_lineno or 0: f"{apart}{indent}{way.line(app.variable, local)}"}
    if local is None:
        run = _imports_around(app, made)
        if run:
            indent = _indent(lines, run[0])
            if indent is None:
                return None
            later = next((one for one in run if _sorts_later(one, way.plugin)), None)
            line = later.lineno - 1 if later else run[-1].end_lineno or 0
        else:
            line = made.lineno - 1
        more[line] = f"{indent}from {way.plugin} import {way.name}"
    changed = _inserted(lines, more).encode(app.source.encoding)
    added = [text.strip() for text in more.values()]
    return changed if _is_as_meant(app, changed, added) else None


def _places_of_call(app: App) -> tuple[ast.stmt, ast.stmt]:
    """The statement that makes the application, and the last one that adds middleware: ours is to be the outermost."""
    return next(
        (statement, _last_that_adds(app.variable, body[place:]))
        for body, _ in bodies(app.source.tree)
        for place, statement in enumerate(body)
        if statement.lineno == app.line and assigned(statement)[0] == app.variable
    )


def _last_that_adds(variable: str, statements: Sequence[ast.stmt]) -> ast.stmt:
    last = statements[0]
    for one in statements[1:]:
        if assigned(one)[0] == variable:
            break  # from here on it is something else
        adds = isinstance(one, ast.Expr) and adds_to(one.value) == variable
        decorators = one.decorator_list if isinstance(one, Function) else []
        if adds or any(
            isinstance(by, ast.Call) and dotted(by.func, {}) == f"{variable}.middleware" for by in decorators
        ):
            last = one
    return last


def _imports_around(app: App, made: ast.stmt) -> list[Import]:
    """The import of the application's class, in its own function if there is one there, and those next to it.

    None where that stands in a branch of which the application is no part.
    """
    found = [
        (function is not None and function.name == app.function, body, place)
        for body, function in bodies(app.source.tree)
        if made in body or body is (app.source.tree.body if function is None else function.body)
        for place, one in enumerate(body)
        if isinstance(one, Import)
        and app.imported in [(name.asname or name.name).partition(".")[0] for name in one.names]
    ]
    if not found:
        return []
    _, body, place = max(found, key=lambda one: one[0])
    return _run_around(body, place)


def _run_around(body: Sequence[ast.stmt], place: int) -> list[Import]:
    """The imports on neighbouring lines."""
    first = last = place
    while first > 0 and _next_to(body[first - 1], body[first]):
        first -= 1
    while last + 1 < len(body) and _next_to(body[last], body[last + 1]):
        last += 1
    return [one for one in body[first : last + 1] if isinstance(one, Import)]


def _next_to(one: ast.stmt, other: ast.stmt) -> bool:
    return isinstance(one, Import) and isinstance(other, Import) and one.end_lineno == other.lineno - 1


def _sorts_later(one: Import, plugin: str) -> bool:
    return isinstance(one, ast.ImportFrom) and (one.level > 0 or (one.module or "") > plugin)


def _indent(lines: Sequence[str], statement: ast.stmt) -> str | None:
    """What stands before a statement; None if that is not only space."""
    before = lines[statement.lineno - 1][: statement.col_offset]
    return before if not before.strip(" \t") else None


def _inserted(lines: Sequence[str], more: dict[int, str]) -> str:
    """The lines with more after some of them, each ended as the one before it."""
    parts = []
    for number, line in enumerate(["", *lines]):
        parts.append(line)
        if number in more:
            end = _end(line) or (_end(lines[number - 2]) if number > 1 else _end(lines[0])) or "\n"
            text = more[number].replace("\n", end)
            parts.append(end + text if line and not _end(line) else text + end)
    return "".join(parts)


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _is_as_meant(app: App, changed: bytes, added: Sequence[str]) -> bool:
    """Whether the change is read as what it is to be, and all else as it was."""
    try:
        text = changed.decode(app.source.encoding)
        source = attrs.evolve(app.source, raw=changed, text=text, tree=parsed(text))
    except UNREADABLE:
        return False
    same = [one for one in apps_of(source) if (one.variable, one.function) == (app.variable, app.function)]
    if not same or not all(one.has_middleware for one in same):
        return False
    for body, _ in bodies(source.tree):
        body[:] = [one for one in body if not isinstance(one, ast.Expr | Import) or ast.unparse(one) not in added]
    return ast.dump(source.tree) == ast.dump(app.source.tree)
