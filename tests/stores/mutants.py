"""How a store is broken on purpose, and how it is seen whether a check notices."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import attrs
import pytest


@attrs.frozen
class Mutant:
    name: str
    killer: str
    """The check that must fail."""
    changes: Mapping[str, str]


def checks_of(suite: type) -> dict[str, Callable[..., None]]:
    """Its own, by their names."""
    found = ((name, one) for name, one in vars(suite).items() if inspect.isfunction(one))
    return {name.removeprefix("test_"): check for name, check in found if name.startswith("test_")}


def changed(source: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert source.count(old) == 1, f"not once in the reference: {old!r}"
        source = source.replace(old, new)
    return source


def built(reference: str, changes: Mapping[str, str]) -> Any:
    module = ModuleType("mutant")
    exec(compile(changed(reference, changes), "mutant", "exec"), module.__dict__)  # noqa: S102  (our own source)
    return module


def cases(check: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """The parameters that pytest would call it with."""
    marks = [mark for mark in getattr(check, "pytestmark", ()) if mark.name == "parametrize"]
    per_mark = [[_named(mark.args[0], values) for values in mark.args[1]] for mark in marks]
    for chosen in itertools.product(*per_mark):
        yield {name: value for named in chosen for name, value in named.items()}


def _named(names: str | tuple[str, ...], values: Any) -> dict[str, Any]:
    return {names: values} if isinstance(names, str) else dict(zip(names, values, strict=True))


def passes(check: Callable[..., None], make: Callable[[], Mapping[str, Any]], suite: object = None) -> bool:
    """Whether a check of a suite finds nothing wrong; ``make`` gives the fixtures of a new store."""
    for parameters in cases(check):
        fixtures = {**make(), **parameters}
        wanted = list(inspect.signature(check).parameters)[1:]
        try:
            check(suite, **{name: fixtures[name] for name in wanted})
        except (NameError, AttributeError):
            raise  # the mutant is broken in another way than it says
        except (Exception, pytest.fail.Exception, pytest.skip.Exception):  # noqa: BLE001  (whatever a broken store comes to)
            return False
    return True
