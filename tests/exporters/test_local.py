"""The local file: what stands in it and what it keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pytest
from hypothesis import given

from cxkit.codec import encode
from cxkit.errors import ConfigurationError
from cxkit.exporters.local import FACTORY, Settings, read
from cxkit.exporters.local.schema import TABLES
from cxkit.kit import Kit
from cxkit.model import (
    Acquisition,
    Assignment,
    Context,
    Decision,
    Device,
    Feedback,
    Interaction,
    Money,
    Page,
    Place,
    TouchpointSpec,
)
from cxkit.roles import Exporter
from cxkit.settings import load, structure
from tests import strategies
from tests.exporters.happened import NOON, asked, batch, exporter_of, happened, ids, keep, login

FULL = happened(
    "login user_id:nancy",
    "claim phone:51fe0a9d",
    at_ms=7,
    name="order.placed",
    source="/shop",
    kind="transaction",
    purpose="necessary",
    channel="web",
    direction="inbound",
    stage="purchase",
    presence="offline",
    case="C-7",
    context=Context(
        channel="store",
        session="s-1",
        page=Page(route="/orders/{id}", engaged_ms=12_000),
        device=Device(type="phone", os="iOS"),
        place=Place(country="FR", city="Lyon"),
        locale="fr-FR",
        acquisition=Acquisition(source="blog"),
        actor="human",
    ),
    consent={"analytics": False, "necessary": True},
    outcome="completed",
    duration=timedelta(milliseconds=12.5),
    value=Money("24.90", "EUR"),
    feedback=Feedback(scale="csat", score=5),
    decision=Decision(experience="home.hero", variant="almonds"),
    cause="0198c0de",
    properties={"sku": "ALM-200", "mot": "pâte d'amandes"},
)
COLUMNS = {
    "id": FULL.id,
    "at_ms": int(NOON.timestamp()) * 1000 + 7,
    "local_day": 20261121,
    "source": "/shop",
    "name": "order.placed",
    "kind": "transaction",
    "channel": "web",
    "direction": "inbound",
    "stage": "purchase",
    "purpose": "necessary",
    "presence": "offline",
    "subject": "user_id:nancy",
    "person": "user_id:nancy",
    "session": "s-1",
    "session_began_ms": None,
    "route": "/orders/{id}",
    "device": "phone",
    "country": "FR",
    "locale": "fr-FR",
    "actor": "human",
    "experience": "home.hero",
    "variant": "almonds",
    "outcome": "completed",
    "duration_ms": 12.5,
    "value_minor": 2490,
    "currency": "EUR",
    "scale": "csat",
    "score": 5,
    "engaged_ms": 12_000,
    "case": "C-7",
    "cause": "0198c0de",
    "analytics": 0,
    "payload": encode(FULL).decode(),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "local.db"


def count(path: Path) -> int:
    return int(asked(path, "SELECT count(*) FROM interactions")[0][0])


# --- Settings -------------------------------------------------------------------------------------


def test_the_factory_builds_an_exporter_without_a_purpose(path: Path) -> None:
    exporter = FACTORY.build(structure(FACTORY.settings, {"path": str(path)}, where="exporters.local"))
    assert isinstance(exporter, Exporter)
    assert (FACTORY.name, exporter.purposes) == ("local", frozenset())
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"max_age_days": 0}, "CX1006"),
        ({"max_age_days": 1e300}, "CX1006"),
        ({"max_rows": 0}, "CX1006"),
        ({"timezone": "Europe/Lyon"}, "CX1055"),
        ({"timezone": "../etc/passwd"}, "CX1055"),
        ({"timezone": ""}, "CX1055"),
        ({"path": ""}, "CX1005"),
        ({"rows": 5}, "CX1001"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_by_name(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError, match=f"exporters.local.{next(iter(wrong))}") as refused:
        structure(Settings, {"path": "x.db", **wrong}, where="exporters.local")
    assert refused.value.code == code


def test_a_path_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="path"):
        structure(Settings, {}, where="exporters.local")


def test_in_a_kit_everything_captured_arrives(tmp_path: Path) -> None:
    kit = Kit(load(environ={"CXKIT_DEVELOPMENT": "true"}, overrides={"directory": str(tmp_path / "of_cxkit")}))
    for _ in range(3):
        kit.intake.capture(kit.root_scope, TouchpointSpec(name="sweet.tasted"), {"sort": "almond"})
    assert kit.close(timeout_s=30).complete
    kept = asked(tmp_path / "of_cxkit" / "local.db", "SELECT name, payload FROM interactions")
    assert [(name, json.loads(payload)["data"]["properties"]) for name, payload in kept] == [
        ("sweet.tasted", {"sort": "almond"})
    ] * 3


# --- Rows -----------------------------------------------------------------------------------------


def test_every_column_holds_what_its_field_says(path: Path) -> None:
    assert keep(path, FULL).verdict == "delivered"
    with read(path) as connection:
        (row,) = connection.execute("SELECT * FROM interactions").fetchall()
    assert dict(row) == COLUMNS


def test_what_is_not_said_is_null(path: Path) -> None:
    keep(path, happened(duration=timedelta(0), context=Context(channel="phone")))
    with read(path) as connection:
        (row,) = connection.execute("SELECT * FROM interactions").fetchall()
    said = {name: value for name, value in dict(row).items() if value is not None}
    assert said.keys() == {
        "id", "at_ms", "local_day", "source", "name", "kind", "channel", "direction", "purpose", "presence", "actor",
        "analytics", "duration_ms", "payload",
    }  # fmt: skip
    assert (said["channel"], said["actor"], said["analytics"], said["duration_ms"]) == ("phone", "unknown", 1, 0.0)


def test_the_view_says_it_in_the_words_of_the_metrics(path: Path) -> None:
    keep(path, FULL)
    with read(path) as connection:
        (row,) = connection.execute("SELECT * FROM events").fetchall()
    assert dict(row) == {
        "event_id": FULL.id,
        "ts_ms": COLUMNS["at_ms"],
        "local_day": 20261121,
        "subject_id": "user_id:nancy",
        "session_id": "s-1",
        "name": "order.placed",
        "kind": "transaction",
        "channel": "web",
        "direction": "inbound",
        "stage": "purchase",
        "device_class": "phone",
        "country": "FR",
        "route": "/orders/{id}",
        "variant_key": "home.hero",
        "variant": "almonds",
        "value_minor": 2490,
        "currency": "EUR",
        "scale": "csat",
        "score": 5,
        "engaged_ms": 12_000,
        "is_bot": 0,
        "consent_analytics": 0,
        "source": "/shop",
        "language": "fr",
        "depth": None,
        "cause": "0198c0de",
        "outcome": "completed",
    }


@pytest.mark.parametrize(("locale", "language"), [("fr", "fr"), ("fr-FR", "fr"), ("sr-Latn-RS", "sr"), (None, None)])
def test_the_language_is_the_first_part_of_the_locale(path: Path, locale: str | None, language: str | None) -> None:
    keep(path, happened(context=Context(locale=locale)))
    assert asked(path, "SELECT language FROM events") == [(language,)]


# --- Exposures ------------------------------------------------------------------------------------


def shown(
    *identifiers: str, depth: int = 0, given: Assignment | None = None, holdout: Assignment | None = None, **more: Any
) -> Interaction:
    decision = Decision(experience="home.hero", variant="bold", depth=depth, assignment=given, holdout=holdout)
    return happened(*identifiers, name="experience.shown", kind="exposure", decision=decision, **more)


EXPOSURES = "SELECT experiment, version, variation, unit_type, unit, crossed_over FROM exposures ORDER BY 1"
BOLD = Assignment(experiment="bolder", variation="bold")
CALM = Assignment(experiment="calmer", variation="calm", version=2, unit="user_id", crossed_over=True)
HELD = Assignment(experiment="quiet", variation="held", unit="user_id")
CALMER = ("calmer", 2, "calm", "user_id", "user_id:nancy", 1)
QUIET = ("quiet", 0, "held", "user_id", "user_id:nancy", 0)


@pytest.mark.parametrize(
    ("told", "exposed"),
    [
        ({"given": BOLD}, [("bolder", 0, "bold", "visitor", "visitor:a", 0)]),
        ({"given": CALM, "holdout": HELD}, [CALMER, QUIET]),
        ({"holdout": HELD}, [QUIET]),
        ({"given": attrs.evolve(BOLD, unit="session")}, [("bolder", 0, "bold", "session", "session:s-1", 0)]),
        ({"given": attrs.evolve(BOLD, unit="phone"), "holdout": HELD}, [QUIET]),
    ],
)
def test_an_exposure_names_whom_it_divided_by(path: Path, told: dict[str, Any], exposed: list[Any]) -> None:
    one = shown("login user_id:nancy", "cookie visitor:a", depth=3, session="s-1", **told)
    for _ in range(2):
        keep(path, one)
        assert asked(path, EXPOSURES) == exposed
    assert asked(path, "SELECT DISTINCT interaction FROM exposures") == [(one.id,)]
    assert asked(path, "SELECT depth FROM events") == [(3,)]


def test_a_decision_without_a_depth_is_of_none(path: Path) -> None:
    keep(path, shown("cookie visitor:a"))
    assert asked(path, "SELECT depth FROM events") == [(0,)]
    assert asked(path, EXPOSURES) == []


def test_what_was_not_shown_exposed_nobody(path: Path) -> None:
    keep(path, attrs.evolve(shown("cookie visitor:a", given=BOLD), name="order.placed"))
    assert asked(path, EXPOSURES) == []


def test_exposures_go_with_their_interactions(path: Path) -> None:
    keep(path, shown("cookie visitor:a", given=BOLD), shown("cookie visitor:a", given=BOLD), max_rows=1)
    assert asked(path, "SELECT count(*) FROM exposures") == [(1,)]


@pytest.mark.parametrize("wrong", [b'"version":null', b'"version":"2"', b'"version":1e300', b'"version":[2]'])
def test_an_assignment_that_is_none_is_refused_alone(path: Path, wrong: bytes) -> None:
    sound = shown("cookie visitor:a", given=attrs.evolve(BOLD, version=2))
    outcome = keep(path, encode(sound).replace(b'"version":2', wrong), sound)
    assert outcome.rejected == {0: "unstorable"}
    assert asked(path, "SELECT variation FROM exposures") == [("bold",)]


@pytest.mark.parametrize(("actor", "is_bot"), [("human", 0), ("unknown", 0), ("bot", 1), ("prefetch", 1)])
def test_programs_are_told_apart(path: Path, actor: Any, is_bot: int) -> None:
    keep(path, happened(context=Context(actor=actor)))
    assert asked(path, "SELECT is_bot FROM events") == [(is_bot,)]


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", 20261231), ("Pacific/Auckland", 20270101), ("America/Lima", 20261231)]
)
def test_the_day_is_that_of_the_time_zone(path: Path, zone: str, day: int) -> None:
    keep(path, happened(occurred_at=datetime(2026, 12, 31, 23, 30, tzinfo=UTC)), timezone=zone)
    assert asked(path, "SELECT local_day FROM events") == [(day,)]


@strategies.few
@given(strategies.interactions)
def test_whatever_can_be_captured_is_kept_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, one: Interaction
) -> None:
    path, one = tmp_path_factory.mktemp("law") / "local.db", attrs.evolve(one, occurred_at=NOON)
    outcome = keep(path, one)
    if one.value is None or -(2**63) <= one.value.minor < 2**63:
        assert outcome.verdict == "delivered"
        assert asked(path, "SELECT id, payload FROM interactions") == [(one.id, encode(one).decode())]
    else:
        assert outcome.rejected == {0: "unstorable"}


def test_what_comes_again_changes_nothing(path: Path) -> None:
    first, second = happened(), happened()
    exporter = exporter_of(path)
    for contents in [(first,), (first, second), (second, first, first)]:
        assert exporter.export(batch(*contents), deadline_s=30.0).verdict == "delivered"
    assert asked(path, "SELECT id FROM interactions ORDER BY id") == [(first.id,), (second.id,)]


BEYOND = [
    b"",
    b"no JSON",
    b'{"id":"1"}',
    b"\xff\xfe",
    encode(happened()).replace(b'"specversion":"1.0"', b'"specversion":"9"'),
]
UNSTORABLE = [
    encode(happened(value=Money("9" * 20, "EUR"))),
    encode(happened(context=Context(page=Page(engaged_ms=2**63)))),
    encode(happened(decision=Decision(experience="home.hero", variant="X"))).replace(b'"X"', b'["X"]'),
    encode(happened(occurred_at=datetime(1, 1, 1, tzinfo=UTC))),
]


def test_what_cannot_be_read_is_rejected_alone(path: Path) -> None:
    good = [happened() for _ in range(3)]
    contents = [good[0], *BEYOND, good[1], *UNSTORABLE, good[2]]
    outcome = keep(path, *contents, timezone="America/Lima")
    assert outcome.rejected == {
        **dict.fromkeys(range(1, 6), "unreadable"),
        **dict.fromkeys(range(7, 11), "unstorable"),
    }
    assert not outcome.again
    assert {id for (id,) in asked(path, "SELECT id FROM interactions")} == ids(good)


# --- DuckDB ---------------------------------------------------------------------------------------


def test_duckdb_reads_the_same_from_the_same_text(path: Path) -> None:
    keep(
        path,
        FULL,
        happened("cookie visitor:a"),
        happened("cookie visitor:a", at_ms=90_000_000, direction="outbound"),
        login("login user_id:ann", "cookie visitor:a", at_ms=60_000),
        login("login email:b2", "cookie visitor:b", at_ms=60_000),
        login("login user_id:ann", "login email:b2", at_ms=60_001),
        login("login user_id:bob", "cookie visitor:a", at_ms=60_002),
        happened("cookie visitor:b", "claim phone:1"),
        happened(context=Context(actor="bot", page=Page(engaged_ms=2**40))),
    )
    theirs = duckdb.connect()
    for statement in TABLES:
        theirs.execute(statement)
    for table in ("interactions", "identifiers", "people", "merges", "together"):
        rows = asked(path, f"SELECT * FROM {table}")  # noqa: S608 - one of ours
        assert rows, table
        theirs.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608
    question = "SELECT * FROM events ORDER BY ts_ms, event_id"
    assert theirs.execute(question).fetchall() == asked(path, question)
    assert len({session for (session,) in asked(path, "SELECT session_id FROM events")}) == 4


# --- Retention ------------------------------------------------------------------------------------


def test_what_is_too_old_goes_with_the_next_batch(path: Path) -> None:
    now = datetime.now(UTC)
    old, recent, new = (happened(occurred_at=now - timedelta(days=days)) for days in (9, 8, 1))
    keep(path, old, recent, max_age_days=10.0)
    assert count(path) == 2
    keep(path, new, max_age_days=8.5)
    assert {id for (id,) in asked(path, "SELECT id FROM interactions")} == ids([recent, new])


def test_what_is_too_old_when_it_comes_is_not_kept(path: Path) -> None:
    assert keep(path, happened(occurred_at=datetime(2020, 1, 1, tzinfo=UTC)), max_age_days=90.0).verdict == "delivered"
    assert count(path) == 0


def test_the_oldest_go_when_there_are_too_many(path: Path) -> None:
    many = [happened(at_ms=-number) for number in range(25)]
    keep(path, *many, max_rows=10)
    assert {id for (id,) in asked(path, "SELECT id FROM interactions")} == ids(many[:10])
    exporter = exporter_of(path, max_rows=10)
    for number in range(1, 4):
        more = happened(at_ms=number)
        exporter.export(batch(more), deadline_s=30.0)
        assert count(path) == 10
        assert (more.id,) in asked(path, "SELECT id FROM interactions")


def test_a_large_file_shrinks_step_by_step_and_batches_go_on(path: Path) -> None:
    keep(path, *[happened(at_ms=-number) for number in range(12_000)])
    exporter = exporter_of(path, max_rows=500)
    counts = []
    for _ in range(4):
        exporter.export(batch(happened()), deadline_s=30.0)
        counts.append(count(path))
    assert counts == [7001, 2002, 500, 501]  # a hundredth too many is not counted


def test_counting_is_not_done_for_every_batch_and_never_far_off(path: Path) -> None:
    exporter = exporter_of(path, max_rows=200)
    counts = []
    for _ in range(30):
        exporter.export(batch(*[happened() for _ in range(20)]), deadline_s=30.0)
        counts.append(count(path))
    assert max(counts) == 200


def test_of_whom_nothing_is_left_the_identifiers_go_too(path: Path) -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=9)
    keep(
        path,
        happened("login user_id:nancy", "cookie visitor:a", occurred_at=long_ago),
        happened("login user_id:ann", "cookie visitor:b", occurred_at=long_ago),
        happened("cookie visitor:b", occurred_at=now),
    )
    assert len(asked(path, "SELECT * FROM identifiers")) == 4
    keep(path, happened("cookie visitor:c", occurred_at=now), max_age_days=8.5)
    assert asked(path, "SELECT subject, type, person FROM identifiers ORDER BY subject") == [
        ("user_id:ann", "user_id", "user_id:ann"),
        ("visitor:b", "visitor", "user_id:ann"),
    ]


def test_what_is_deleted_leaves_no_bytes(path: Path) -> None:
    keep(path, happened("login user_id:nancy-of-the-almonds"), happened(at_ms=1))
    assert b"nancy-of-the-almonds" in path.read_bytes()
    keep(path, happened(at_ms=2), max_rows=2)
    assert b"nancy-of-the-almonds" not in path.read_bytes()
