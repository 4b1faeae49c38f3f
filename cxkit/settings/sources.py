"""Where settings come from: the code, the environment, the file."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, get_origin, get_type_hints

import attrs

from cxkit.errors import ConfigurationError, nearest
from cxkit.settings.sealed import RawTable, Text
from cxkit.settings.tree import REST, ExporterTable, Settings
from cxkit.settings.typed import bare, build, copied, joined, named, refusal

__all__ = ["examine", "load"]

T = TypeVar("T")
Refuse = Callable[[ConfigurationError], None]

_PREFIX: Final = "CXKIT_"
_FILE: Final = "CXKIT_CONFIG"
_PLUGINS: Final = "CXKIT_PLUGINS"
_PYPROJECT: Final = "pyproject.toml"
_DEVELOPMENT_EXPORTER: Final = "development"
_MAX_FILE_BYTES: Final = 1_048_576
_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")


def load(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of this process.

    Args:
        file: The configuration file. None: the one ``CXKIT_CONFIG`` names, else the nearest
            ``cxkit.toml``, or ``pyproject.toml`` with a table ``[tool.cxkit]``, in the working
            directory or above it. That there is none is fine.
        environ: The environment; None is the process's own.
        overrides: What the code wants, nested like the file. It wins.

    Raises:
        ConfigurationError: The file cannot be read, a name is not known, or a value is wrong.
            The message never shows a value, and the error's frames hold none.

    Example:
        >>> settings = load(environ={"CXKIT_STRICT": "true"}, overrides={"queue": {"max_bytes": 1_000_000}})
        >>> settings.strict, settings.queue.max_bytes, settings.origins["strict"]
        (True, 1000000, 'env CXKIT_STRICT')
    """
    try:
        return _loaded(file, os.environ if environ is None else environ, overrides or {}, _raised)
    except ConfigurationError as error:
        first = error
    del environ, overrides
    raise bare(first)


def examine(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> tuple[Settings, list[ConfigurationError]]:
    """All that `load` would refuse, one after the other, and the settings without it.

    Example:
        >>> settings, refused = examine(environ={"CXKIT_STRICT": "perhaps", "CXKIT_SERVICE": "shop"})
        >>> settings.service, settings.strict, [error.setting for error in refused]
        ('shop', False, ['strict'])
    """
    refused: list[ConfigurationError] = []
    settings = _loaded(file, os.environ if environ is None else environ, overrides or {}, refused.append)
    wrong = {error.setting for error in refused}
    origins = {path: origin for path, origin in settings.origins.items() if path not in wrong}
    return attrs.evolve(settings, origins=origins), [bare(error) for error in refused]


def _raised(error: ConfigurationError) -> None:
    raise error


@contextmanager
def _guarded(refuse: Refuse) -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        refuse(error)


def _accepted(make: Callable[[dict[str, Any]], T], table: dict[str, Any], refuse: Refuse) -> T:
    """What is made of a table, less what is refused in it."""
    while True:
        try:
            return make(table)
        except ConfigurationError as error:
            refuse(error)
            table = _without(table, (error.setting or "").partition("[")[0])


def _without(table: dict[str, Any], setting: str) -> dict[str, Any]:
    """The table without that setting, or if it is not there, without the table it is missing in."""
    for key, value in table.items():
        rest = {name: one for name, one in table.items() if name != key}
        if setting == key:
            return rest
        if setting.startswith(f"{key}.") and isinstance(value, dict):
            below = _without(value, setting[len(key) + 1 :])
            return {**table, key: below} if below else rest
    return {}


def _loaded(file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object], refuse: Refuse) -> Settings:
    raw, origins = dict[str, Any](), dict[str, str]()
    path: Path | None = None
    with _guarded(refuse):
        path, table = _from_file(file, environ, refuse)
        _merge(raw, table, f"file {path}", origins)
    for variable, table in _from_environment(environ, raw, refuse):
        with _guarded(refuse):
            _merge(raw, table, f"env {variable}", origins)
    with _guarded(refuse):
        _merge(raw, copied(overrides, ""), "code", origins)

    def built(table: dict[str, Any]) -> Settings:
        return build(Settings, RawTable(table, origins=origins), "")

    settings = attrs.evolve(_accepted(built, raw, refuse), origins=origins)
    found = path is not None and file is None and _FILE not in environ
    if path is not None and found and origins.get("directory", "file").startswith("file"):
        settings = attrs.evolve(settings, directory=path.parent / settings.directory)
    return _in_development(settings) if settings.development else settings


def _in_development(settings: Settings) -> Settings:
    """What `development` changes: errors are raised, and everything is kept on this machine to be looked at."""
    origin = settings.origins["development"]
    origins = {"strict": origin, **settings.origins}
    strict = settings.strict if "strict" in settings.origins else True
    if any(table.type == "local" for table in settings.exporters.values()):
        return attrs.evolve(settings, strict=strict, origins=origins)
    local = ExporterTable(type="local", purposes=frozenset({"necessary"}))
    exporters = {**settings.exporters, _DEVELOPMENT_EXPORTER: local}
    origins |= {f"exporters.{_DEVELOPMENT_EXPORTER}.{key}": origin for key in ("type", "purposes")}
    return attrs.evolve(settings, strict=strict, exporters=exporters, origins=origins)


def _merge(
    into: dict[str, Any], table: Mapping[str, Any], origin: str, origins: dict[str, str], where: str = ""
) -> None:
    for key, value in table.items():
        path = joined(where, key)
        if key in into and isinstance(into[key], dict) is not isinstance(value, dict):
            what = f"%s is a table in one place and a value in another ({origin})"
            raise refusal(path, what, fix="give it the same form in both", code="CX1008", origins=origins)
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value, origin, origins, path)
            continue
        if origin.startswith("env ") and origins.get(path, "").startswith("env "):
            what = f"%s is set a second time ({origin})"
            raise refusal(path, what, fix="remove one of the two variables", code="CX1008", origins=origins)
        into[key] = value
        origins[path] = origin


# --- The environment ------------------------------------------------------------------------------


def _from_environment(
    environ: Mapping[str, str], raw: Mapping[str, Any], refuse: Refuse
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each variable, and its value as a table within tables."""
    known = dict(_variables(Settings))
    for variable in sorted(environ):
        if variable.startswith(_PREFIX) and variable != _FILE:
            table: dict[str, Any] = {}
            with _guarded(refuse):
                table = _table_of(variable, environ, raw, known)
            yield variable, table


def _table_of(
    variable: str, environ: Mapping[str, str], raw: Mapping[str, Any], known: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    path, value = tuple(variable[len(_PREFIX) :].lower().split("__")), _decodable(environ, variable)
    if variable == _PLUGINS:
        path, value = ("plugins", "allow"), "" if value.strip().lower() == "off" else value
    elif (
        (len(path) == 1 or path[0] in {one[0] for one in known.values()})
        and variable.upper() not in known
        and not _in_free_table(path, Settings)
    ):
        what = f"no setting belongs to the variable {named(variable, {})}"
        fix = nearest(variable.upper()[:64], [*known, _FILE, _PLUGINS])
        raise ConfigurationError(what, fix=fix, code="CX1001")
    table: Any = Text(value)
    for key in reversed(list(_spelt(path, raw))):
        table = {key: table}
    copy: dict[str, Any] = copied(table, "")
    return copy


def _variables(cls: type[Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each variable whose setting the core alone knows, and the path of the setting."""
    hints = get_type_hints(cls)
    for field in attrs.fields(cls):
        kind, below = hints[field.name], (*path, field.name)
        if not attrs.has(kind) and get_origin(kind) is not Mapping:
            yield _PREFIX + "__".join(below).upper(), below
        elif attrs.has(kind) and not any(one.metadata == REST for one in attrs.fields(kind)):
            yield from _variables(kind, below)


def _in_free_table(path: tuple[str, ...], cls: Any) -> bool:
    """Whether it leads into a table whose keys anybody may choose."""
    kind = get_type_hints(cls).get(path[0]) if attrs.has(cls) else None
    return len(path) > 1 and (get_origin(kind) is Mapping or _in_free_table(path[1:], kind))


def _spelt(path: tuple[str, ...], raw: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a path as the file spells them; as they are where it does not have them."""
    for key in path:
        spelt = next((one for one in raw if one.lower() == key), key)
        yield spelt
        below = raw.get(spelt)
        raw = below if isinstance(below, dict) else {}


def _decodable(environ: Mapping[str, str], variable: str) -> str:
    value = environ[variable]
    if any("\ud800" <= letter <= "\udfff" for letter in value):  # how Python keeps bytes it cannot decode
        what = f"the variable {named(variable, {})} is not text in UTF-8"
        raise ConfigurationError(what, fix="set it again, in UTF-8", code="CX1005")
    return value


# --- The file -------------------------------------------------------------------------------------


def _from_file(file: Path | None, environ: Mapping[str, str], refuse: Refuse) -> tuple[Path | None, dict[str, Any]]:
    """The file, and what it says with the environment put in."""
    if file is None and _FILE in environ:
        file = Path(environ[_FILE])
    path, table = _nearest() if file is None else (file, _read(file))
    if table is None:
        if path is None:
            return None, {}
        raise _unreadable(path, "has no table [tool.cxkit]", "add the table, or name another file")

    def replaced(text: str, setting: str) -> str:
        return _replaced(text, setting, f"file {path}", environ)

    return path, _accepted(partial(copied, path="", text=replaced), table, refuse)


def _nearest() -> tuple[Path | None, dict[str, Any] | None]:
    try:
        here = Path.cwd()
    except OSError:  # somebody removed the working directory
        return None, None
    for directory in (here, *here.parents):
        for name in ("cxkit.toml", _PYPROJECT):
            path = Path(name) if directory == here else directory / name
            table = _read(path) if os.path.exists(path) else None
            if table is not None:
                return path, table
    return None, None


def _read(path: Path) -> dict[str, Any] | None:
    """The settings in a file; None if it is a ``pyproject.toml`` without any."""
    content = _content(path)
    try:
        table: Any = tomllib.loads(content)
    except ValueError as error:
        reason = str(error)
    except RecursionError:
        reason = "nested too deep"
    else:
        for key in ("tool", "cxkit") if path.name == _PYPROJECT else ():
            table = table.get(key) if isinstance(table, dict) else None
        if table is None:
            return None
        if isinstance(table, dict):
            return table
        reason = "tool.cxkit is not a table"
    raise _unreadable(path, f"is malformed: {reason}", "correct it", "CX1003")


def _content(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise OSError("it is not a regular file")
        with path.open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise OSError(f"it has more than {_MAX_FILE_BYTES} bytes")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
    raise _unreadable(path, f"cannot be read: {reason}", "correct the path or the file")


def _unreadable(path: Path, what: str, fix: str, code: str = "CX1002") -> ConfigurationError:
    return ConfigurationError(f"the configuration file {named(str(path), {})} {what}", fix=fix, code=code)


def _replaced(text: str, setting: str, origin: str, environ: Mapping[str, str]) -> str:
    """The text with its ``${NAME}`` replaced, once: what comes in is not looked at again."""

    def value(found: re.Match[str]) -> str:
        variable = found[1]
        if found[0] == "$${":
            return "${"
        if variable is None:
            what, fix = "%s has a ${ that no name and brace follow", "write $${ if it is meant as it stands"
        elif variable not in environ:
            what, fix = f"%s needs the variable {variable}, which is not set", f"set {variable}"
        else:
            return _decodable(environ, variable)
        raise refusal(setting, what, fix=fix, code="CX1004", origins={setting: origin})

    kind = Text if any(found[1] for found in _REFERENCE.finditer(text)) else str
    return kind(_REFERENCE.sub(value, text))
