"""The reference says what the code says: every hook, role, error, command, field, word and name; and no other."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pkgutil import iter_modules
from types import FunctionType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import click
import pytest

import cxkit
from cxkit import errors, hookspecs, roles, rules
from cxkit.api.declared import RESERVED
from cxkit.cli import VERBS, cli
from cxkit.codec import decode, encode
from cxkit.model import CHANNELS, EVIDENCE, PURPOSES, SCALES, Feedback, Identifier, Identity, Interaction, Money
from cxkit.model.touchpoint import Stage

PACKAGE = Path(cxkit.__file__).parent
SOURCES = {path: path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
PLUGINS = {
    path: path.read_text("utf-8") for path in sorted(Path(__file__).parents[2].glob("plugins/*/cxkit_*/**/*.py"))
}


@pytest.fixture
def reference(request: pytest.FixtureRequest, pages: dict[str, Any]) -> Any:
    return pages[f"docs/reference/{request.param}.md"]


def reads(name: str) -> pytest.MarkDecorator:
    """The page that a test is about."""
    return pytest.mark.parametrize("reference", [name], indirect=True)


def signature(function: Any, *, bound: bool = False) -> str:
    """As it is called: names and defaults, without types."""
    parameters = list(inspect.signature(function).parameters.values())[bound:]
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    return str(inspect.Signature(plain))


# --- hooks ----------------------------------------------------------------------------------------

HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if inspect.isfunction(function) and hasattr(function, "cxkit_spec")
}


@reads("hooks")
def test_every_hook_is_a_heading_with_its_exact_arguments(reference: Any) -> None:
    headings = [one.strip("`") for one in reference.headings if one.startswith("`")]
    assert headings == [f"{name}{signature(function)}" for name, function in HOOKS.items()]


@reads("hooks")
@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_when_it_fires_and_is_implemented_in_code_that_runs(reference: Any, hook: str) -> None:
    section = reference.section(f"`{hook}{signature(HOOKS[hook])}`")
    assert all(f"**{word}:**" in section for word in ("When", "Return", "Must not"))
    code = [block.text for block in reference.blocks if block.language == "python" and block.text in section]
    assert any(re.search(rf"^@hookimpl\ndef {hook}\(", one, re.MULTILINE) for one in code)


# --- roles ----------------------------------------------------------------------------------------

ROLES = {
    name: one for name, one in vars(roles).items() if name in roles.__all__ and getattr(one, "_is_protocol", False)
}


@reads("roles")
def test_every_role_is_a_heading_and_no_other(reference: Any) -> None:
    assert reference.headings == ["Roles", *ROLES]


@reads("roles")
@pytest.mark.parametrize("role", ROLES)
def test_every_member_of_a_role_is_documented_as_it_is_called(reference: Any, role: str) -> None:
    kind = ROLES[role]
    members = {name: name for name in kind.__annotations__} | {
        name: name + signature(member, bound=True) if inspect.isfunction(member) else name
        for name, member in vars(kind).items()
        if isinstance(member, (FunctionType, property)) and not name.startswith("_")
    }
    documented = [one for one in reference.column(0, under=role) if not one.startswith("Outcome.")]
    assert documented == [one.replace("'", '"') for one in members.values()]


@reads("roles")
def test_every_outcome_is_documented_as_it_is_made(reference: Any) -> None:
    made = [
        f"Outcome.{name}{signature(member.__func__, bound=True)}"
        for name, member in vars(roles.Outcome).items()
        if isinstance(member, classmethod)
    ]
    assert [one for one in reference.column(0) if one.startswith("Outcome.")] == made


def test_the_rules_on_the_map_of_the_rooms_are_all_that_there_are(pages: dict[str, Any]) -> None:
    row = re.search(r"^\| `rules` \| ([\w, ]+):", pages["docs/explanation/architecture.md"].text, re.MULTILINE)
    assert row is not None
    assert sorted(row[1].split(", ")) == sorted(one.name for one in iter_modules(rules.__path__))


# --- errors ---------------------------------------------------------------------------------------


def kinds(of: type[errors.CXError] = errors.CXError) -> Iterator[type[errors.CXError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def codes_in(text: str) -> set[str]:
    return set(re.findall(r"CX\d{4}", text))


def users() -> dict[str, set[str]]:
    """Code to the rooms whose code, not whose prose, holds it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    rooms = {path: path.relative_to(PACKAGE).parts[0] for path in SOURCES}
    rooms |= {path: path.parent.name for path in PLUGINS}
    for path, source in (SOURCES | PLUGINS).items():
        tree = ast.parse(source)
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                for code in codes_in(node.value):
                    found[code].add(rooms[path])
    return found


@reads("errors")
def test_every_code_is_documented_once_and_none_is_dead(reference: Any) -> None:
    documented = [one for one in reference.column(0) if one.startswith("CX")]
    assert documented == sorted(users().keys() - {"CX0000"})


SHARED = {
    "CX1001": {"settings", "kit"},  # a name that nobody knows: of a setting, or of a table of a plugin
}
"""What one room raises under a code is one thing; where several do, it is known to be the same."""


def test_a_code_means_one_thing() -> None:
    found = {code: rooms - {"errors.py"} for code, rooms in users().items()}  # where kinds have their default codes
    assert {code: rooms for code, rooms in found.items() if len(rooms) > 1} == SHARED


@reads("errors")
def test_every_kind_of_error_is_documented_with_the_one_it_also_is(reference: Any) -> None:
    documented = dict(zip(reference.column(0, under="Errors"), reference.column(1, under="Errors"), strict=False))
    assert {name: kind for name, kind in documented.items() if not name.startswith("CX")} == {
        kind.__name__: next(one.__name__ for one in kind.__mro__ if one.__module__ == "builtins") for kind in kinds()
    }


# --- command line ---------------------------------------------------------------------------------


def commands(command: click.Command = cli, name: str = "cxkit") -> Iterator[tuple[str, click.Command]]:
    """Every command and what is below it, but for those of plugins."""
    yield name, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            below = VERBS if command is cli else command.list_commands(context)
            for one in below:
                found = command.get_command(context, one)
                assert found is not None
                yield from commands(found, f"{name} {one}")


COMMANDS = dict(commands())


@reads("cli")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_is_shown(reference: Any, command: str) -> None:
    # That it is what they print, with every option, is for test_blocks to see.
    shown = [typed for block in reference.blocks for typed, _ in block.commands]
    assert f"{command} --help" in shown


@reads("cli")
def test_every_exit_code_that_a_help_speaks_of_is_in_the_table(reference: Any) -> None:
    section = reference.section("Exit codes")
    listed = set(re.findall(r"^\| `(cxkit [\w ]+)` \| (\w+) \|", section, re.MULTILINE))
    assert {command for command, _ in listed} <= {
        name for name, one in COMMANDS.items() if not hasattr(one, "commands")
    }
    spoken = {
        (name, code)
        for name, one in COMMANDS.items()
        for sentence in re.findall(r"\(?(?:E|then e)xits\s+with[^.]*", one.help or "")
        for code in re.findall(r"with\s+(\d+)", sentence)
    }
    assert len(spoken) > 8
    assert spoken <= listed


@reads("cli")
def test_every_command_is_a_heading(reference: Any) -> None:
    assert [one for one in reference.headings if one.startswith("`cxkit ")] == sorted(
        f"`cxkit {name}`" for name in VERBS
    )


# --- the interaction ------------------------------------------------------------------------------

SPECIAL: Mapping[Any, Any] = {
    datetime: datetime(2026, 11, 21, 10, 30, tzinfo=UTC),
    timedelta: timedelta(milliseconds=250),
    Money: Money("24.90", "EUR"),
    Feedback: Feedback(scale="nps", score=9),
}


UNTOLD = {"questions", "not_asked", "prefill"}
"""What of a decision is in no interaction."""
OF_A_HOLDOUT = {"experiment", "variation", "unit"}
"""What of an assignment is that of a holdout, too."""


def filled(kind: Any, name: str, default: object = None) -> Any:
    """A value of that type in which nothing has its default; texts are the names of their fields."""
    if kind in SPECIAL:
        return SPECIAL[kind]
    if get_origin(kind) in (Union, UnionType):
        return filled(next(one for one in get_args(kind) if one is not type(None)), name, default)
    if get_origin(kind) is Literal:
        return next(one for one in get_args(kind) if one != default)
    if kind is Identity:
        return Identity(identifiers=(filled(Identifier, name),))
    if attrs.has(kind):
        hints = get_type_hints(kind)
        told = [one for one in attrs.fields(kind) if one.name not in UNTOLD]
        if name == "holdout":
            told = [one for one in told if one.name in OF_A_HOLDOUT]
        return kind(**{one.name: filled(hints[one.name], one.name, one.default) for one in told})
    if get_origin(kind) is tuple and attrs.has(get_args(kind)[0]):
        return (filled(get_args(kind)[0], name),)
    if name in ("consent", "trimmed", "properties"):
        return {"KEY": True if name == "consent" else "cut"}
    if kind in (bool, int, float):
        return kind(3 if default == 2 else 2)
    return (name,) if get_origin(kind) is tuple else name


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path to each value that has no parts; members of lists are ``[]``, and so are free keys."""
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            if field.name not in UNTOLD and (not path.endswith(".holdout") or field.name in OF_A_HOLDOUT):
                yield from leaves(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, dict) and "KEY" not in value:
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from leaves(part, f"{path}[]")
    else:
        yield path[1:] + ("[]" if isinstance(value, dict) and path.endswith("consent") else ""), value


FULL: Interaction = filled(Interaction, "")
ATTRIBUTES, WIRE = dict(leaves(FULL)), dict(leaves(json.loads(encode(FULL))))


def test_nothing_of_it_is_left_out() -> None:
    assert decode(encode(FULL)) == FULL
    assert not [name for name, value in ATTRIBUTES.items() if value is None]


def mapping_of(reference: Any) -> dict[str, str]:
    rows = [line.split(" | ")[:2] for line in reference.text.splitlines() if line.startswith("| `")]
    pairs = [(row[0].strip("| `"), row[1].strip("` ")) for row in rows]
    return {attribute: path for attribute, path in pairs if attribute in ATTRIBUTES or path in WIRE}


@reads("interaction")
def test_every_field_is_documented_in_both_forms(reference: Any) -> None:
    documented = mapping_of(reference)
    assert set(documented) == set(ATTRIBUTES)
    assert {*documented.values(), *reference.column(0, under="Only in JSON")} == set(WIRE)


@reads("interaction")
def test_every_field_stands_where_the_page_says(reference: Any) -> None:
    for attribute, path in mapping_of(reference).items():
        held, written = ATTRIBUTES[attribute], WIRE[path]
        if isinstance(held, datetime):
            held = held.isoformat(timespec="microseconds").replace("+00:00", "Z")
        elif isinstance(held, timedelta):
            held = held / timedelta(milliseconds=1)
        elif attribute == "name":
            held = f"io.cxkit.{held}"
        elif attribute == "value.amount":
            held = str(held)
        assert written == held, attribute


@reads("interaction")
def test_what_is_only_in_json_is_what_the_page_says(reference: Any) -> None:
    names, values = (reference.column(place, under="Only in JSON") for place in (0, 1))
    assert {name: WIRE[name] for name in names} == dict(zip(names, values, strict=True))


# --- words, reasons, names ------------------------------------------------------------------------


@reads("words")
def test_the_words_are_those_of_the_code(reference: Any) -> None:
    assert tuple(reference.column(0, under="Purposes")) == PURPOSES
    assert tuple(reference.column(0, under="Evidence")) == EVIDENCE
    scales = re.findall(r"^\| `(\w+)` \| (-?\d+) to (\d+) ", reference.section("Scales"), re.MULTILINE)
    assert scales == [(question, str(low), str(high)) for question, (low, high) in SCALES.items()]
    assert tuple(re.findall(r"`(\w+)`", reference.section("Stages"))) == get_args(Stage)
    assert tuple(re.findall(r"`(\w+)`", reference.section("Channels"))) == CHANNELS


@reads("guarantees")
def test_every_reason_is_one_that_the_code_gives(reference: Any) -> None:
    told = {literal for source in SOURCES.values() for literal in re.findall(r"""["']([a-z_.]+)["']""", source)}
    told |= {one.removeprefix("dropped.") for one in told} | {"consent_refused", "consent_undecided"}
    reasons = reference.column(0, under="Reasons")
    assert reasons
    assert set(reasons) <= told


PUBLIC = {f"cxkit.{name}": getattr(cxkit, name) for name in cxkit.__all__}


@reads("api")
def test_every_public_name_is_a_heading_as_it_is_called(reference: Any) -> None:
    expected = {name if inspect.isclass(one) else f"{name}{signature(one)}" for name, one in PUBLIC.items()} | {
        f"{kind.__name__}.{name}{signature(inspect.unwrap(member), bound=True)}"
        for kind in (cxkit.Touchpoint, cxkit.Experience, cxkit.Journey, cxkit.Decision, cxkit.Question)
        for name, member in vars(kind).items()
        if (inspect.isfunction(member) or isinstance(member, classmethod)) and not name.startswith("_")
    }
    assert {one.strip("`") for one in reference.headings if one.startswith("`")} == expected


@reads("api")
def test_every_reserved_name_is_told_where_a_touchpoint_is_declared(reference: Any) -> None:
    section = reference.section(f"`cxkit.touchpoint{signature(cxkit.touchpoint)}`")
    listed = section.partition("| reserved |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([\w.]+)` \|", listed, re.MULTILINE)) == RESERVED
    told = inspect.getdoc(cxkit.touchpoint) or ""
    assert (
        set(re.findall(r"``([a-z]+\.[a-z_]+)``", told.partition("Reserved is")[2].partition("properties:")[0]))
        == RESERVED
    )


@reads("api")
def test_every_method_of_the_kit_is_documented_as_it_is_called(reference: Any) -> None:
    methods = {
        f"Kit.{name}{signature(member, bound=True)}"
        for name, member in vars(cxkit.Kit).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    assert {one for one in reference.column(0) if one.startswith("Kit.")} == methods
