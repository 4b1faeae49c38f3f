"""Experiments that run elsewhere come over, and decide what they decided; what cannot come is said."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cxkit.cli import cli
from cxkit.cli.experiments.growthbook import Note, read_payload, units_in
from cxkit.cli.experiments.importing import _SUPPLIED
from cxkit.cli.experiments.written import toml_of
from cxkit.flows.stance import SOURCES
from tests import strategies as some
from tests.growthbook import World
from tests.rules.experience.vectors import vectors

VECTORS = vectors("growthbook")


@pytest.fixture(scope="module")
def world() -> World:
    return World(VECTORS["payload"])


@pytest.mark.parametrize("feature", VECTORS["payload"]["features"])
def test_a_feature_decides_as_it_did(world: World, feature: str) -> None:
    """For sixty people, of whom some have no identifier, or one beyond the basic plane."""
    for person in VECTORS["people"]:
        decided = world.decide(feature, person["attributes"])
        assert decided.content == person["values"][feature], person["attributes"]


def test_every_value_is_decided_for_somebody() -> None:
    """Or the vectors would show little."""
    for feature in VECTORS["payload"]["features"]:
        assert len({json.dumps(person["values"][feature]) for person in VECTORS["people"]}) > 1


# --- what cannot come over ---


def notes_of(payload: dict[str, Any]) -> list[Note]:
    return list(read_payload(payload, units=dict.fromkeys(units_in(payload), "visitor")).notes)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"variations": [1, 2], "key": "é"}, "a key or a seed that is none"),
        ({"variations": [1, 2], "seed": "a b"}, "a key or a seed that is none"),
        ({"variations": [1, 2], "hashVersion": 3}, "hashVersion"),
        ({"variations": [1]}, "fewer than two variations"),
        ({"variations": [1, 2], "minBucketVersion": 2}, "minBucketVersion"),
        ({"variations": [1, {"a": None}]}, "null"),
        ({"variations": [1, 2], "weights": "half"}, "not as the specification"),
        ({"variations": [1, 2], "ranges": [[0]]}, "not as the specification"),
        ({"variations": [1, 2], "namespace": ["a"]}, "not as the specification"),
        ({"variations": [1, 2], "url": "/x"}, '"url", which has no counterpart'),
        ({"contextualVariations": [1, 2]}, "contextual bandit"),
        ({"force": 1, "condition": {"a": {"$x": 1}}}, "a.$x is no operator"),
        ({"force": 1, "condition": {"a": {"$regex": "(a+)+"}}}, "regular expression"),
        ({"force": 1, "condition": {"a": [1, None]}}, "null"),
        ({"force": 1, "condition": {"a": {"$all": [{"$in": [1, None]}]}}}, "null"),
        ({"force": 1, "condition": 7}, "not a condition"),
        (
            {"force": 1, "parentConditions": [{"id": "b", "condition": {"value": 1}}]},
            '"b", which is not in the payload',
        ),
        ({"force": 1, "parentConditions": 7}, "not as the specification"),
        ({"id": "x"}, "forces no value"),
        (7, "is no rule"),
    ],
)
def test_a_rule_that_cannot_come_over_is_named(rule: Any, said: str) -> None:
    payload = {"features": {"a": {"defaultValue": 0, "rules": [{"force": 1, "condition": {"x": 1}}, rule]}}}
    lost = [note for note in notes_of(payload) if note.lost]
    assert [(note.feature, note.rule) for note in lost] == [("a", 2)]
    assert said in lost[0].what
    assert len(World(payload).choosers["a"].spec.variants) <= 3


def test_what_is_beside_features_is_named() -> None:
    payload = {"features": {}, "experiments": [{"key": "redirect"}], "contextualBandits": {"cb": {}}}
    assert [note.feature for note in notes_of(payload) if note.lost] == ["redirect", "cb"]


def test_names_are_fitted_and_told() -> None:
    payload = {"features": {name: {"defaultValue": 1} for name in ["a-b", "A B", "a.b", "7", "..", "goodName"]}}
    told = read_payload(payload, units={})
    assert list(told.features.values()) == ["a_b", "a_b_2", "a.b", "feature_7", "feature", "good_name"]
    assert [note.feature for note in told.notes] == ["a-b", "A B", "7", "..", "goodName"]
    assert not any(note.lost for note in told.notes)


@pytest.mark.parametrize(
    ("condition", "fits", "misses"),
    [
        ({"a": None}, {}, {"a": 1}),
        ({"a": {"$eq": None}}, {}, {"a": 1}),
        ({"a": {"$ne": None}}, {"a": 1}, {}),
        ({"a": {"$in": [1, None]}}, {}, {"a": 2}),
        ({"a": {"$nin": [1, None]}}, {"a": 2}, {}),
        ({"a": {"$not": {"$in": [1, None]}}}, {"a": 2}, {}),
        ({"a": {"$in": [1, None], "$nin": [2]}}, {"a": 1}, {"a": 2}),
        ({"a": {"$in": [1, None]}, "$or": [{"b": 1}, {"b": None}]}, {"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"$elemMatch": {"b": None}}}, {"a": [{}]}, {"a": [{"b": 1}]}),
        ({"a": {"$inGroup": "g"}}, {"a": 1}, {"a": 2}),
        ({"a": {"$notInGroup": "g"}}, {"a": 2}, {"a": 1}),
        ({"a": {"$inGroup": "h"}}, {"a": 3}, {"a": 1}),
        ({"a": {"$notInGroup": "gone"}}, {"a": 1}, None),
    ],
)  # fmt: skip
def test_what_toml_cannot_say_is_said_otherwise(condition: Any, fits: Any, misses: Any) -> None:
    groups = {"g": [1], "h": {"type": "list", "values": [3]}}
    payload = {"features": {"f": {"defaultValue": 0, "rules": [{"force": 1, "condition": condition}]}},
               "savedGroups": groups}  # fmt: skip
    world = World(payload)
    assert world.decide("f", fits).content == 1
    assert misses is None or world.decide("f", misses).content == 0


def test_an_experiment_of_several_features_stays_one() -> None:
    rule = {"key": "shared", "variations": [0, 1], "hashVersion": 2, "weights": [0.5, 0.5]}
    world = World({"features": {"a": {"rules": [rule]}, "b": {"rules": [{**rule, "variations": ["x", "y"]}]}}})
    first, second = (world.choosers[name].spec.experiments[0] for name in "ab")
    assert first == second


def test_a_payload_cannot_reach_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is written replaces ${NAME}: what comes from elsewhere must not."""
    text = toml_of({"a": {"fallback": {"name": "all", "content": '${HOME} $${HOME} \x7f\x00\u2028"\\'}}})
    assert tomllib.loads(text)["experiences"]["a"]["fallback"]["content"] == '$${HOME} $$${HOME} \x7f\x00\u2028"\\'


# --- the command ---


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["experiments", "import", "growthbook", *arguments])


@pytest.fixture
def payload() -> Path:
    path = Path("features.json")
    path.write_text(json.dumps(VECTORS["payload"]))
    return path


UNITS = ("--unit", "id=visitor", "-u", "deviceId=device_id")


def test_it_prints_tables_and_says_what_did_not_come_over(payload: Path) -> None:
    done = run(str(payload), *UNITS)
    tables = tomllib.loads(done.stdout)["experiences"]
    assert len(tables) == len(VECTORS["payload"]["features"])
    assert tables["home.hero"]["experiments"][0]["unit"] == "visitor"
    assert 'NOT IMPORTED: gone-parent, rule 2 needs "nowhere"' in done.stderr
    assert "7 experiences, 11 experiments and rollouts" in done.stderr
    assert done.exit_code == 1


def test_it_writes_a_file_that_is_loaded_as_it_is(payload: Path) -> None:
    payload.write_text(json.dumps({"features": {"hero": {"rules": [{"variations": ["a", "b"]}]}}}))
    done = run(str(payload), "--unit", "id=visitor", "-o", "cxkit.toml")
    assert (done.exit_code, done.stdout) == (0, "")
    checked = CliRunner().invoke(cli, ["config", "check"])
    assert checked.exit_code == 0, checked.output
    again = run(str(payload), "--unit", "id=visitor", "-o", "cxkit.toml")
    assert isinstance(again.exception, FileExistsError)


def test_it_says_who_gives_what_conditions_read(payload: Path) -> None:
    """A name of cxkit's own means what it means to cxkit, whatever the app has under it."""
    condition = {"country": "FR", "loggedIn": True, "browser.name": "x", "known": True, "acquisition.source": "a"}
    payload.write_text(json.dumps({"features": {"f": {"rules": [{"force": 1, "condition": condition}]}}}))
    lines = run(str(payload)).stderr.splitlines()
    assert "your app gives, by given=: browser, loggedIn" in lines
    own = "cxkit's own, and given= never stands in for them: "
    assert own + "acquisition (cxkit-acquisition), country (cxkit-geo), known" in lines
    assert not any("not divided" in line for line in lines)


def test_it_says_who_is_not_divided(payload: Path) -> None:
    assert "who has not allowed analytics takes part in no experiment here" in run(str(payload), *UNITS).stderr


def test_plugins_supply_names_of_cxkit_alone() -> None:
    assert _SUPPLIED.keys() <= SOURCES.keys()


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [("userId", "user_id"), ("account_id", "user_id"), ("id", "visitor"), ("anonymousUserId", "visitor")],
)
def test_an_account_is_not_taken_for_a_visitor(payload: Path, attribute: str, kind: str) -> None:
    rule = {"variations": [1, 2], "hashAttribute": attribute}
    payload.write_text(json.dumps({"features": {"f": {"rules": [rule]}}}))
    assert f"--unit {attribute}={kind}" in run(str(payload)).stderr


def test_it_does_not_guess_who_is_divided(payload: Path) -> None:
    done = run(str(payload), "--unit", "id=visitor")
    assert done.exit_code == 2
    assert "--unit deviceId=visitor" in done.stderr
    assert "--unit id=" not in done.stderr
    assert run(str(payload), "--unit", "id").exit_code == 2


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "7", '{"features": []}', '{"features": {}, "savedGroups": 7}', '{"encryptedFeatures": "x"}',
             "[" * 100_000, '{"feature": {}}', '{"features": {"a": {"defaultValue": NaN}}}',
             '{"features": {"a": {"defaultValue": 1e999}}}', '{"features": {"a": {"defaultValue": "\\ud800"}}}'],
)  # fmt: skip
def test_what_is_no_payload_is_refused(text: str) -> None:
    Path("wrong.json").write_text(text)
    done = run("wrong.json")
    assert done.exit_code == 1
    assert "wrong.json" in done.stderr


def test_rules_that_are_none_are_named(payload: Path) -> None:
    payload.write_text('{"features": {"c": {"defaultValue": 1, "rules": 7}}}')
    done = run(str(payload))
    assert done.exit_code == 1
    assert "NOT IMPORTED: c is not as the specification has it" in done.stderr


def test_an_attribute_is_one_type(payload: Path) -> None:
    assert run(str(payload), "--unit", "id=visitor", "--unit", "id=user_id").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["stop", "bolder", "--actor", " ", "--reason", "harm"],
        ["stop", "bolder", "--actor", "mary", "--reason", ""],
        ["readout", "bolder", "--goal", "'; DROP TABLE interactions;--"],
        ["readout", "bolder", "--goal", ""],
    ],
)
def test_what_says_nothing_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["experiments", *arguments]).exit_code == 2


def test_prerequisites_in_a_circle_are_refused(payload: Path) -> None:
    parent = [{"id": "b", "condition": {"value": 1}}]
    features = {"a": {"rules": [{"force": 1, "parentConditions": parent}]},
                "b": {"rules": [{"force": 1, "parentConditions": [{**parent[0], "id": "a"}]}]}}  # fmt: skip
    payload.write_text(json.dumps({"features": features}))
    assert getattr(run(str(payload)).exception, "code", None) == "CX3051"


keys = st.sampled_from(
    """force variations condition coverage range weights ranges meta key seed hashVersion hashAttribute
    fallbackAttribute filters namespace parentConditions bucketVersion minBucketVersion disableStickyBucketing
    name x""".split()
)
rules = st.one_of(st.dictionaries(keys, some.json_values, max_size=5), some.json_values)


payloads = st.dictionaries(
    some.texts, st.one_of(st.fixed_dictionaries({"rules": st.lists(rules, max_size=3)}), some.leaves), max_size=3
)


@some.few
@given(payloads)
def test_whatever_a_payload_holds_comes_over_or_is_named(features: dict[str, Any]) -> None:
    payload = {"features": features}
    told = read_payload(payload, units=dict.fromkeys(units_in(payload), "visitor"))
    assert list(told.features) == list(features)
    assert set(tomllib.loads(toml_of(told.experiences)).get("experiences", {})) == set(told.experiences)
