"""A raw table becomes a value of the class that owns it."""

from __future__ import annotations

import collections.abc
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, ForwardRef, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec

from cxkit.errors import ConfigurationError, CXError, nearest
from cxkit.settings.sealed import RawTable, Secret, Text, raw
from cxkit.settings.tree import FILLED, REST

__all__ = ["bare", "build", "copied", "joined", "named", "refusal", "structure"]

T = TypeVar("T")

_MAX_DEPTH: Final = 16
_LISTS: Final[dict[Any, type[Any]]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Sequence: tuple,
    collections.abc.Set: frozenset,
}
_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_FORMS: Final[dict[Any, tuple[str, str]]] = {
    bool: ("true or false", "true"),
    int: ("a whole number", "100"),
    float: ("a number", "1.5"),
    str: ("text", '"..."'),
    Path: ("a path, text that is not empty", '".cxkit"'),
    Secret: ("a secret, text that is not empty", '"${TOKEN}"'),
    **dict.fromkeys(_LISTS, ("a list", '["a", "b"]')),
    **dict.fromkeys((dict, Mapping, RawTable), ("a table", '{ a = "b" }')),
}
"""Type to what it is called, and how it is written in the file."""


def structure(cls: type[T], table: Mapping[str, object], *, where: str) -> T:
    """A value of ``cls``, an attrs class, from a table of the configuration.

    Text from the environment may stand for numbers, booleans and, with commas, lists; a value of
    the file or of code must have its type already. A field typed `Secret` takes text.

    Args:
        table: Its keys are those of the file; best one that `load` left raw, as it knows where
            each of them came from.
        where: The dotted name of the table, ``exporters.receiver``.

    Raises:
        ConfigurationError: A key is not known or missing, or a value has not its type or range.
            The message never shows a value, and the error's frames hold none.

    Example:
        >>> import attrs
        >>> @attrs.frozen(kw_only=True)
        ... class Receiver:
        ...     url: str
        ...     token: Secret | None = None
        >>> structure(Receiver, {"url": "http://localhost", "token": "hunter2"}, where="store")
        Receiver(url='http://localhost', token=********)
        >>> structure(Receiver, {"urll": "http://localhost"}, where="store")
        Traceback (most recent call last):
        cxkit.errors.ConfigurationError: CX1001: no setting is called "store.urll". Fix: did you mean "url"?
    """
    table = raw(table)
    try:
        return build(cls, RawTable(copied(table, where), origins=table.origins, also=table.also), where)
    except ConfigurationError as error:
        refusal = error
    raise bare(refusal)


def bare(error: ConfigurationError) -> ConfigurationError:
    """The error without frames and causes: their variables would show values in a crash report."""
    error.__context__ = None
    return error.with_traceback(None)


def refusal(
    path: str, what: str, *, fix: str, code: str, origins: Mapping[str, str] | None = None
) -> ConfigurationError:
    """The error that says what is wrong with a setting, whose name takes the place of ``%s``."""
    error = ConfigurationError(what % named(path, origins or {}), fix=fix, code=code)
    error.setting = path
    return error


def named(path: str, origins: Mapping[str, str]) -> str:
    """How a message names a setting: the dotted name, and where it came from if that is known."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in path[:200])
    origin = origins.get(path) or origins.get(path.partition("[")[0])
    return f'"{shown}" ({origin})' if origin else f'"{shown}"'


def joined(where: str, key: str) -> str:
    """The dotted name of a key in a table."""
    return f"{where}.{key}" if where else key


def copied(value: Any, path: str, text: Callable[[str, str], str] = lambda text, _: text, depth: int = 0) -> Any:
    """Tables and lists as plain ones of our own; ``text`` may replace the texts in them."""
    if depth > _MAX_DEPTH:
        what = f"%s is nested more than {_MAX_DEPTH} tables or lists deep"
        raise refusal(path, what, fix="make it flatter", code="CX1009")
    if isinstance(value, str):
        return text(value, path)
    if isinstance(value, (list, tuple)):
        return [copied(one, f"{path}[{index}]", text, depth + 1) for index, one in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if not all(isinstance(key, str) for key in value):
        raise refusal(path, "%s has a key that is not text", fix="use text as keys", code="CX1009")
    return {key: copied(one, joined(path, key), text, depth + 1) for key, one in value.items()}


def build(cls: type[T], table: RawTable, where: str) -> T:
    """What `structure` does; its errors still have their frames."""
    origins = table.origins
    fields = [field for field in attrs.fields(cls) if field.init and field.metadata != FILLED]  # type: ignore[arg-type]
    rest = next((field for field in fields if field.metadata == REST), None)
    known = {field.alias: field for field in fields if field is not rest}
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    unknown: dict[str, object] = {}
    for key, value in table.items():
        path = joined(where, key)
        if key in known:
            values[key] = _typed(hints.get(known[key].name, object), value, path, origins)
        elif rest and (hints[rest.name] is RawTable or isinstance(value, Mapping)):
            unknown[key] = value
        else:
            fix = nearest(key[:64], [*known, *table.also])
            raise refusal(path, "no setting is called %s", fix=fix, code="CX1001", origins=origins)
    if rest:
        values[rest.alias] = _typed(hints[rest.name], RawTable(unknown, origins=origins, also=known), where, origins)
    for key, field in known.items():
        if field.default is attrs.NOTHING and key not in values:
            fix = f"add {key} = {_form(hints[field.name])[1]}"
            raise refusal(joined(where, key), "%s is missing", fix=fix, code="CX1007", origins=origins)
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise _explained(error, known, where, origins) from None


def _explained(
    error: Exception, keys: Mapping[str, object], where: str, origins: Mapping[str, str]
) -> ConfigurationError:
    """What a class said against its values, with the dotted name of the field it quotes."""
    said = error.what if isinstance(error, CXError) else str(error)
    key = next((one for one in re.findall(r"""["'](\w+)["']""", said) if one in keys), None)
    if isinstance(error, ConfigurationError):
        key = error.setting or key
    path = joined(where, key) if key else where
    if not isinstance(error, CXError):  # the text of a validator of attrs shows the value
        what, fix = f"%s is refused ({type(error).__name__})", "give a value that its reference allows"
        return refusal(path, what, fix=fix, code="CX1006", origins=origins)
    said = said.replace("%", "%%")
    what = said.replace(f'"{key}"', "%s", 1) if f'"{key}"' in said else f"%s: {said}"
    code = error.code if isinstance(error, ConfigurationError) else "CX1006"
    return refusal(path, what, fix=error.fix, code=code, origins=origins)


def _typed(hint: Any, value: object, path: str, origins: Mapping[str, str]) -> object:
    if get_origin(hint) in (Union, UnionType):
        if value is None and NoneType in get_args(hint):
            return None
        options = [one for one in get_args(hint) if one is not NoneType]
        hint = options[0] if len(options) == 1 else hint
    kind, of = get_origin(hint) or hint, get_args(hint)
    if isinstance(value, Text) and kind in _LISTS:
        value = [Text(part.strip()) for part in value.split(",") if part.strip()]
    if kind in _LISTS and of[1:] in ((), (...,)) and isinstance(value, (list, tuple, set, frozenset)):
        item = of[0] if of else object
        return _LISTS[kind](_typed(item, one, f"{path}[{index}]", origins) for index, one in enumerate(value))
    if isinstance(value, Mapping):
        if kind is RawTable:
            return value if isinstance(value, RawTable) else RawTable(value, origins=origins)
        if attrs.has(kind):
            return build(kind, RawTable(value, origins=origins), path)
        if kind in (dict, Mapping):
            item = of[1] if of else object
            return {key: _typed(item, one, joined(path, key), origins) for key, one in value.items()}
    return _leaf(hint, value, path, origins)


def _leaf(hint: Any, value: object, path: str, origins: Mapping[str, str]) -> object:
    if _is_open(hint):
        return _plain(value)
    origin = origins.get(path.partition("[")[0], "file")
    if hint is Secret and isinstance(value, str) and not origin.startswith("file") and _REFERENCE.search(value):
        # Or everybody who reads the code would know it: the text "${CX_KEY}" itself.
        what, fix = "%s has a ${...}, which stands for a variable in the file alone", "give what the variable holds"
        raise refusal(path, what, fix=f'{fix}, in code os.environ["NAME"]', code="CX1004", origins=origins)
    try:
        return msgspec.convert(_plain(value), hint, strict=not isinstance(value, Text), dec_hook=_custom)
    except (msgspec.MsgspecError, ValueError):  # their text may show the value
        pass
    if get_origin(hint) is Literal:
        fix = nearest(str(value)[:64], map(str, get_args(hint)))
        raise refusal(path, "%s is not among the values allowed", fix=fix, code="CX1006", origins=origins)
    name, example = _form(hint)
    raise refusal(path, f"%s is not {name}", fix=f"write it like {example}", code="CX1005", origins=origins)


def _custom(kind: type[Any], value: object) -> object:
    if isinstance(value, kind):
        return value
    if kind in (Secret, Path) and isinstance(value, str) and value and "\0" not in value:
        return kind(value)
    raise ValueError


def _is_open(hint: Any) -> bool:
    """Whether a hint leaves open what comes; so does one that names itself, such as JSON."""
    return hint in (object, Any) or isinstance(hint, ForwardRef) or any(map(_is_open, get_args(hint)))


def _plain(value: object) -> object:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _form(hint: Any) -> tuple[str, str]:
    kind = get_args(hint)[0] if get_origin(hint) in (Union, UnionType) else hint
    kind = dict if attrs.has(kind) else get_origin(kind) or kind
    return _FORMS.get(kind, (f"of type {getattr(kind, '__name__', kind)}", '"..."'))
