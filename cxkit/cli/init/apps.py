"""The applications of a project, found by reading its source, never by importing it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import attrs

from cxkit.cli.init.syntax import UNREADABLE, Function, Source, assigned, bodies, dotted, imported, read

__all__ = ["DJANGO", "FLASK", "STARLETTE", "App", "Django", "Found", "Way", "adds_to", "apps_of", "find", "reason_of"]


@attrs.frozen(kw_only=True)
class Way:
    """How a framework's plugin gets into an application."""

    plugin: str
    """What is imported; the distribution has a hyphen."""
    name: str
    call: str
    """The line, of an ``{app}``, with the ``{name}``."""

    def line(self, app: str = "app", name: str | None = None) -> str:
        """The line as it is written."""
        return self.call.format(app=app, name=name or self.name)


STARLETTE: Final = Way(plugin="cxkit_starlette", name="CXMiddleware", call="{app}.add_middleware({name})")
FLASK: Final = Way(plugin="cxkit_flask", name="CXFlask", call="{name}({app})")
DJANGO: Final = Way(plugin="cxkit_django", name="CXMiddleware", call='"cxkit_django.{name}",')

_CLASSES: Final = {
    "starlette.applications.Starlette": ("Starlette", STARLETTE),
    "fastapi.FastAPI": ("FastAPI", STARLETTE),
    "fastapi.applications.FastAPI": ("FastAPI", STARLETTE),
    "flask.Flask": ("Flask", FLASK),
    "flask.app.Flask": ("Flask", FLASK),
}
_CONFIGURED: Final = frozenset({"cxkit.Kit", "cxkit.kit.Kit", "cxkit.configure", "cxkit.api.configure"})
"""What takes settings in code."""
_IN_DJANGO: Final = "CXKIT"
"""The setting of Django that has those of cxkit."""
_MENTIONED: Final = re.compile(rb"Starlette|FastAPI|Flask|DJANGO_SETTINGS_MODULE|CXKIT|cxkit")
_SKIPPED: Final = frozenset({"node_modules", "site-packages", "__pycache__", "tests", "test"})
_MAX_FILES: Final = 2000
_MAX_DIRECTORIES: Final = 5000


@attrs.frozen(kw_only=True)
class App:
    """An application as it is made in a source."""

    source: Source
    framework: str
    """``Starlette``, ``FastAPI`` or ``Flask``."""
    way: Way
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

    @property
    def place(self) -> tuple[Path, str, str | None]:
        """File, variable and function."""
        return self.source.path, self.variable, self.function

    @property
    def addition(self) -> str:
        """The line that it needs."""
        return self.way.line(self.variable)


@attrs.frozen(kw_only=True)
class Django:
    """A project of Django."""

    manage: Path
    """The file that names its settings."""
    settings: str
    """The file of these, where it was found; else the name of the module."""
    has_middleware: bool
    way: Way = DJANGO

    @property
    def name(self) -> str:
        """What it is called here: by its settings."""
        return self.settings

    @property
    def addition(self) -> str:
        """The line that it needs."""
        return self.way.line()


@attrs.frozen(kw_only=True)
class Found:
    """What was found in a project."""

    apps: tuple[App, ...] = ()
    django: Django | None = None
    in_code: str | None = None
    """Where settings of cxkit are given in code, as ``FILE:LINE``: the first such place."""
    skipped: tuple[tuple[Path, str], ...] = ()
    """Files that could be ones to change, and why they were not understood."""
    complete: bool = True
    """Whether all of the project was read: there are limits."""

    @property
    def all(self) -> tuple[App | Django, ...]:
        """The applications of every framework."""
        return (*self.apps, *([] if self.django is None else [self.django]))


def find(root: Path) -> Found:
    """The applications below a directory; hidden ones, environments and tests are passed over."""
    sources, skipped = list[Source](), list[tuple[Path, str]]()
    files = list(islice(_files(root), _MAX_FILES + 1))
    for path in files[:_MAX_FILES]:
        try:
            source = read(path, root=root, mentioning=_MENTIONED)
        except UNREADABLE as error:
            skipped.append((path, reason_of(error)))
            continue
        if source is not None:
            sources.append(source)
    extensions = {name for source in sources for name in _extensions(source)}
    added = {(source.path, *place) for source in sources for place in _added(source, extensions)}
    apps = [app for source in sources for app in apps_of(source)]
    # It may be added where the application is imported: then it is not missing where it is made.
    elsewhere = {variable for _, variable, _ in added - {one.place for one in apps}}
    apps = [
        attrs.evolve(one, has_middleware=one.has_middleware or one.place in added or one.variable in elsewhere)
        for one in apps
    ]
    return Found(
        apps=tuple(apps),
        django=_django(sources, root),
        in_code=next((f"{one.path}:{line}" for one in sources for line in _settings_in(one)), None),
        skipped=tuple(skipped),
        complete=len(files) <= _MAX_FILES,
    )


def apps_of(source: Source) -> Iterator[App]:
    """The applications a source makes: at its top, or in a function that returns what it made."""
    names, added = imported(source.tree), set(_added(source, set(_extensions(source))))
    for body, function in bodies(source.tree):
        for statement in body:
            variable, call = assigned(statement)
            if variable is None or call is None or (function and variable not in _returned(function)):
                continue
            wraps = dotted(call.func, names) == f"{STARLETTE.plugin}.{STARLETTE.name}" and call.args
            made = call.args[0] if wraps else call
            framework = _CLASSES.get(dotted(made.func, names)) if isinstance(made, ast.Call) else None
            if framework is None or not isinstance(made, ast.Call):
                continue
            within = function.name if function else None
            has_middleware = (variable, within) in added or any(_is_middleware(one, names) for one in ast.walk(call))
            yield App(
                source=source,
                framework=framework[0],
                way=framework[1],
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


def _added(source: Source, extensions: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Variable and function of each application that a plugin is put into.

    Args:
        source: Where to look.
        extensions: What ``CXFlask()`` is called, whose ``init_app`` does it.
    """
    names = imported(source.tree)
    for body, function in bodies(source.tree):
        for statement in body:
            call = statement.value if isinstance(statement, ast.Expr) else assigned(statement)[1]
            if not isinstance(call, ast.Call) or not call.args:
                continue
            variable, called = adds_to(call), dotted(call.func, {})
            if not any(_is_middleware(one, names) for one in call.args):
                variable = ""
            owner, _, verb = called.rpartition(".")
            if _is_flask(call, names) or (verb == "init_app" and owner.rpartition(".")[2] in extensions):
                variable = dotted(call.args[0], {})
            if variable:
                yield variable.rpartition(".")[2], function.name if function else None


def _extensions(source: Source) -> Iterator[str]:
    """What the results of ``CXFlask()`` are called."""
    names = imported(source.tree)
    for body, _ in bodies(source.tree):
        for statement in body:
            variable, call = assigned(statement)
            if variable and call and _is_flask(call, names):
                yield variable


def adds_to(call: ast.expr | None) -> str:
    """The name of what middleware is added to; empty if none is."""
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_middleware":
        return dotted(call.func.value, {})
    return ""


def _is_middleware(node: ast.AST, names: dict[str, str]) -> bool:
    middleware = f"{STARLETTE.plugin}.{STARLETTE.name}"
    return isinstance(node, ast.Name | ast.Attribute) and dotted(node, names) == middleware


def _is_flask(call: ast.Call, names: dict[str, str]) -> bool:
    return dotted(call.func, names) == f"{FLASK.plugin}.{FLASK.name}"


def _settings_in(source: Source) -> Iterator[int]:
    """The lines on which settings of cxkit are given in code."""
    names = imported(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(one, ast.Name) and one.id == _IN_DJANGO for one in targets):
                yield node.lineno
        elif isinstance(node, ast.Call) and dotted(node.func, names) in _CONFIGURED and (node.args or node.keywords):
            yield node.lineno


# --- Django ---------------------------------------------------------------------------------------


def _django(sources: Collection[Source], root: Path) -> Django | None:
    """The project whose settings a file names."""
    for source in sources:
        module = _settings_named(source.tree)
        if module is None:
            continue
        path = source.path.parent.joinpath(*module.split("."))
        files = [one for one in (path.with_suffix(".py"), path / "__init__.py") if (root / one).is_file()]
        ready = any(_names_middleware(one.tree) for one in sources)
        return Django(manage=source.path, settings=str(files[0]) if files else module, has_middleware=ready)
    return None


def _settings_named(tree: ast.Module) -> str | None:
    if not any(name.partition(".")[0] == "django" for name in imported(tree).values()):
        return None
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=[ast.Constant(value="DJANGO_SETTINGS_MODULE"), ast.Constant(value=str(module))]):
                return module
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value="DJANGO_SETTINGS_MODULE"))],
                value=ast.Constant(value=str(module)),
            ):
                return module
    return None


def _names_middleware(tree: ast.Module) -> bool:
    middleware = f"{DJANGO.plugin}.{DJANGO.name}"
    return middleware in imported(tree).values() or any(
        isinstance(node, ast.Constant) and node.value == middleware for node in ast.walk(tree)
    )
