"""What `import cxkit` offers: these names, documented, called by keyword, and no more than a kit can carry."""

from __future__ import annotations

import inspect
from importlib.resources import files
from typing import Any

import attrs
import pytest

import cxkit

NAMES = [
    "Account",
    "Assignment",
    "Blocked",
    "CXError",
    "Clear",
    "Current",
    "Decision",
    "Deferred",
    "Disclosure",
    "Erasure",
    "Experience",
    "Experiment",
    "Feedback",
    "Flushed",
    "Holdout",
    "Interaction",
    "Journey",
    "Kit",
    "Money",
    "Namespace",
    "Notice",
    "Prerequisite",
    "Progress",
    "Question",
    "Touchpoint",
    "Variant",
    "answer",
    "carry",
    "choose",
    "choose_language",
    "close",
    "configure",
    "current",
    "declare",
    "disclose",
    "erase",
    "experience",
    "flush",
    "grant",
    "identify",
    "journey",
    "language",
    "link",
    "logout",
    "may_send",
    "money",
    "pack",
    "prefer",
    "scope",
    "sent",
    "settled",
    "signal",
    "skip",
    "stats",
    "stop_marketing",
    "suppress",
    "touchpoint",
    "trait",
    "unpack",
    "withdraw",
]

POSITIONAL = {
    "answer": ["question", "value"],
    "carry": ["work"],
    "choose": ["*purposes"],
    "choose_language": ["tag"],
    "configure": ["settings"],
    "experience": ["name"],
    "grant": ["*purposes"],
    "journey": ["name"],
    "language": ["available"],
    "may_send": ["topic", "channel"],
    "money": ["amount", "currency"],
    "prefer": ["topic", "channel", "choice"],
    "sent": ["topic", "channel"],
    "skip": ["question"],
    "suppress": ["channel", "reason"],
    "touchpoint": ["name"],
    "trait": ["value"],
    "unpack": ["carried"],
    "withdraw": ["*purposes"],
}
"""What may be given by position; everything else is given by name."""

FUNCTIONS = [name for name in NAMES if name[0].islower()]
CLASSES = [name for name in NAMES if name[0].isupper()]


def public(kind: type) -> dict[str, Any]:
    return {name: one for name, one in vars(kind).items() if name[0] != "_" and inspect.isfunction(one)}


def test_these_are_the_public_names() -> None:
    assert cxkit.__all__ == NAMES


def test_there_are_no_others() -> None:
    rooms = {name for name, one in vars(cxkit).items() if inspect.ismodule(one)}
    assert {name for name in dir(cxkit) if name[0] != "_"} - rooms - {"annotations"} == set(NAMES)
    assert all(getattr(cxkit, name) is getattr(cxkit.api, name) for name in NAMES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_may_be_given_by_position_is_obvious(name: str) -> None:
    stars = {inspect.Parameter.VAR_POSITIONAL: "*"}
    parameters = inspect.signature(getattr(cxkit, name)).parameters.values()
    by_position = [
        stars.get(one.kind, "") + one.name
        for one in parameters
        if one.kind not in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    ]
    assert by_position == POSITIONAL.get(name, [])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_shows_an_example(name: str) -> None:
    assert ">>> " in inspect.getdoc(getattr(cxkit, name))  # type: ignore[operator]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_shows_an_example_or_explains_its_methods(name: str) -> None:
    kind = getattr(cxkit, name)
    told = inspect.getdoc(kind)
    assert told
    if ">>> " not in told:
        assert [method for method, one in public(kind).items() if not one.__doc__] == []
        assert public(kind) or attrs.has(kind)


@pytest.mark.parametrize("name", [name for name in CLASSES if attrs.has(getattr(cxkit, name))])
def test_every_value_is_frozen(name: str) -> None:
    one: Any = object.__new__(getattr(cxkit, name))
    names = [field.name for field in attrs.fields(type(one))] or ["anything"]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(one, names[0], None)


def test_a_kit_has_a_dozen_public_methods_at_most() -> None:
    assert len(public(cxkit.Kit)) <= 12


def test_type_checkers_are_told_that_it_is_typed() -> None:
    assert files(cxkit).joinpath("py.typed").is_file()
