"""The applications of a project, found by reading its source, never by importing it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import attrs

from cxkit.cli.init.syntax import UNREADABLE, Function, Source, assigned, bodies, dotted, imported, read

__all__ = ["MIDDLEWARE", "PLUGIN", "App", "Found", "adds_to", "apps_of", "find", "reason_of"]

MIDDLEWARE: Final = "CXMiddleware"
PLUGIN: Final = "cxkit_starlette"
_CLASSES: Final = {
    "starlette.applications.Starlette": "Starlette",
    "fastapi.FastAPI": "FastAPI",
    "fastapi.applications.FastAPI": "FastAPI",
    "flask.Flask": "Flask",
    "flask.app.Flask": "Flask",
}
_MENTIONED: Final = re.compile(rb"Starlette|FastAPI|Flask|DJANGO_SETTINGS_MODULE|CXMiddleware")
_SKIPPED: Final = frozenset({"node_modules", "site-packages", "__pycache__", "tests", "test"})
_MAX_FILES: Final = 2000
_MAX_DIRECTORIES: Final = 5000


@attrs.frozen(kw_only=True)
class App:
    """An application as it is made in a source."""

    source: Source
    framework: str
    """``Starlette``, ``FastAPI`` or ``Flask``."""
    variable: str
    imported: str
    """The name its class is reached through: ``Starlette``, or ``fastapi`` of ``fastapi.FastAPI``."""
    function: str | None
    """The factory that makes and returns it; None at the top of a module."""
    line: int
    has_middleware: bool

    @property
    def name(self) -> str:
        """``FILE:NAME``, with the name that a server is started with."""
        return f"{self.source.path}:{self.function or self.variable}"


@attrs.frozen(kw_only=True)
class Found:
    """What was found in a project."""

    apps: tuple[App, ...]
    django: Path | None
    """The file that names Django's settings, if there is one."""
    skipped: tuple[tuple[Path, str], ...]
    """Files that could be ones to change, and why they were not understood."""
    complete: bool
    """Whether all of the project was read: there are limits."""


def find(root: Path) -> Found:
    """The applications below a directory; hidden ones, environments and tests are passed over."""
    apps, skipped, django, elsewhere = list[App](), list[tuple[Path, str]](), None, set[str]()
    files = list(islice(_files(root), _MAX_FILES + 1))
    for path in files[:_MAX_FILES]:
        try:
            source = read(path, root=root, mentioning=_MENTIONED)
        except UNREADABLE as error:
            skipped.append((path, reason_of(error)))
            continue
        if source is None:
            continue
        own = list(apps_of(source))
        apps += own
        made = {(one.variable, one.function) for one in own}
        elsewhere |= {variable for variable, within in _middleware_added(source) if (variable, within) not in made}
        if django is None and _names_django(source.tree):
            django = path
    # It may be added where the application is imported: then it is not missing where it is made.
    apps = [attrs.evolve(one, has_middleware=one.has_middleware or one.variable in elsewhere) for one in apps]
    return Found(apps=tuple(apps), django=django, skipped=tuple(skipped), complete=len(files) <= _MAX_FILES)


def apps_of(source: Source) -> Iterator[App]:
    """The applications a source makes: at its top, or in a function that returns what it made."""
    names, added = imported(source.tree), set(_middleware_added(source))
    for body, function in bodies(source.tree):
        for statement in body:
            variable, call = assigned(statement)
            if variable is None or call is None or (function and variable not in _returned(function)):
                continue
            wraps = dotted(call.func, names) == f"{PLUGIN}.{MIDDLEWARE}" and call.args
            made = call.args[0] if wraps else call
            framework = _CLASSES.get(dotted(made.func, names)) if isinstance(made, ast.Call) else None
            if framework is None or not isinstance(made, ast.Call):
                continue
            within = function.name if function else None
            has_middleware = (variable, within) in added or any(_is_middleware(one, names) for one in ast.walk(call))
            yield App(
                source=source,
                framework=framework,
                variable=variable,
                imported=dotted(made.func, {}).partition(".")[0],
                function=within,
                line=statement.lineno,
                has_middleware=has_middleware,
            )


def reason_of(error: BaseException) -> str:
    """Why a file was not understood, in the words of Python or the system."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"line {error.lineno}: {error.msg}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _files(root: Path) -> Iterator[Path]:
    """Files of Python, those of a directory before those below it."""
    for place, below, files in islice(os.walk(root), _MAX_DIRECTORIES):
        below[:] = sorted(one for one in below if not _passed_over(Path(place, one)))
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith(("test_", "conftest.")):
                yield Path(place, name).relative_to(root)


def _passed_over(directory: Path) -> bool:
    return directory.name.startswith(".") or directory.name in _SKIPPED or os.path.exists(directory / "pyvenv.cfg")


def _returned(function: Function) -> set[str]:
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return {value.id for value in values if isinstance(value, ast.Name)}


def _middleware_added(source: Source) -> Iterator[tuple[str, str | None]]:
    """Variable and function of each ``VARIABLE.add_middleware(CXMiddleware)``."""
    names = imported(source.tree)
    for body, function in bodies(source.tree):
        for statement in body:
            call = statement.value if isinstance(statement, ast.Expr) else None
            variable = adds_to(call)
            if variable and isinstance(call, ast.Call) and any(_is_middleware(one, names) for one in call.args):
                yield variable.rpartition(".")[2], function.name if function else None


def adds_to(call: ast.expr | None) -> str:
    """The name of what middleware is added to; empty if none is."""
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_middleware":
        return dotted(call.func.value, {})
    return ""


def _is_middleware(node: ast.AST, names: dict[str, str]) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and dotted(node, names) == f"{PLUGIN}.{MIDDLEWARE}"


def _names_django(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Constant) and node.value == "DJANGO_SETTINGS_MODULE" for node in ast.walk(tree)
    ) and any(name.partition(".")[0] == "django" for name in imported(tree).values())
