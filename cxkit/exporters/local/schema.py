"""What the local file holds: plain tables and one view, documented in docs/reference/local.md.

A file of version 1 knows of identifiers but whose they are; one of version 2 has its exposures in the payloads
alone. They are brought up to date by whoever writes to them next (`MIGRATIONS`), and until then read as if they had
been (`SHOWN`).

The types have 64 bits where SQLite's and DuckDB's names for them agree, so both take the same text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["APPLICATION_ID", "EVENTS", "INDICES", "INTERACTIONS", "MIGRATIONS", "SHOWN", "TABLES", "VERSION"]

APPLICATION_ID: Final = int.from_bytes(b"cxlf", "big")
"""SQLite's word for whose file it is."""
VERSION: Final = 3

INTERACTIONS: Final = """\
CREATE TABLE interactions (
    id TEXT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    local_day INTEGER NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT,
    direction TEXT NOT NULL,
    stage TEXT,
    purpose TEXT NOT NULL,
    presence TEXT NOT NULL,
    subject TEXT,
    person TEXT,
    session TEXT,
    session_began_ms BIGINT,
    route TEXT,
    device TEXT,
    country TEXT,
    locale TEXT,
    actor TEXT NOT NULL,
    experience TEXT,
    variant TEXT,
    outcome TEXT,
    duration_ms DOUBLE PRECISION,
    value_minor BIGINT,
    currency TEXT,
    scale TEXT,
    score INTEGER,
    engaged_ms BIGINT,
    "case" TEXT,
    cause TEXT,
    analytics INTEGER NOT NULL,
    payload TEXT NOT NULL
)"""

IDENTIFIERS: Final = """\
CREATE TABLE identifiers (
    subject TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    person TEXT NOT NULL,
    evidence TEXT NOT NULL,
    linked_ms BIGINT NOT NULL,
    linked_by TEXT NOT NULL,
    rule TEXT NOT NULL,
    contested TEXT
)"""

PEOPLE: Final = """\
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    born_ms BIGINT NOT NULL,
    part_of TEXT
)"""

MERGES: Final = """\
CREATE TABLE merges (
    id TEXT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    survivor TEXT NOT NULL,
    absorbed TEXT NOT NULL,
    rule TEXT NOT NULL,
    actor TEXT,
    reason TEXT,
    forced INTEGER NOT NULL,
    undone_by TEXT
)"""

PARTED: Final = """\
CREATE TABLE parted (
    person TEXT NOT NULL,
    other TEXT NOT NULL,
    parted_by TEXT NOT NULL,
    PRIMARY KEY (person, other)
)"""

TOGETHER: Final = """\
CREATE TABLE together (
    subject TEXT NOT NULL,
    interaction TEXT NOT NULL,
    PRIMARY KEY (subject, interaction)
)"""

ERASED: Final = """\
CREATE TABLE erased (
    hash BLOB PRIMARY KEY,
    at_ms BIGINT NOT NULL
)"""

EXPOSURES: Final = """\
CREATE TABLE exposures (
    interaction TEXT NOT NULL,
    experiment TEXT NOT NULL,
    version INTEGER NOT NULL,
    variation TEXT NOT NULL,
    unit_type TEXT NOT NULL,
    unit TEXT NOT NULL,
    crossed_over INTEGER NOT NULL,
    PRIMARY KEY (experiment, version, interaction)
)"""

_EVENTS: Final = """\
VIEW events AS
SELECT
    id AS event_id,
    at_ms AS ts_ms,
    local_day,
    person AS subject_id,
    CASE
        WHEN session IS NOT NULL THEN session
        WHEN session_began_ms IS NOT NULL THEN person || ' ' || source || ' ' || CAST(session_began_ms AS TEXT)
    END AS session_id,
    name,
    kind,
    channel,
    direction,
    stage,
    device AS device_class,
    country,
    route,
    experience AS variant_key,
    variant,
    value_minor,
    currency,
    scale,
    score,
    engaged_ms,
    CASE WHEN actor IN ('bot', 'prefetch') THEN 1 ELSE 0 END AS is_bot,
    analytics AS consent_analytics,
    source,
    CASE WHEN instr(locale, '-') > 0 THEN substr(locale, 1, instr(locale, '-') - 1) ELSE locale END AS language,
    CASE
        WHEN name = 'experience.shown' THEN coalesce(CAST(json_extract(payload, '$.data.decision.depth') AS INTEGER), 0)
    END AS depth,
    cause,
    outcome
FROM interactions"""
EVENTS: Final = f"CREATE {_EVENTS}"

TABLES: Final = (INTERACTIONS, IDENTIFIERS, PEOPLE, MERGES, PARTED, TOGETHER, ERASED, EXPOSURES, EVENTS)

_BY_PERSON: Final = "CREATE INDEX identifiers_by_person ON identifiers (person)"
_OF_GRAPH: Final = (
    _BY_PERSON,
    "CREATE INDEX people_by_part_of ON people (part_of) WHERE part_of IS NOT NULL",
    "CREATE INDEX merges_by_survivor ON merges (survivor)",
    "CREATE INDEX parted_by_other ON parted (other)",
    "CREATE INDEX together_by_interaction ON together (interaction)",
)
_OF_EXPOSURES: Final = "CREATE INDEX exposures_by_interaction ON exposures (interaction)"
INDICES: Final = (
    "CREATE INDEX interactions_by_time ON interactions (at_ms, id)",
    "CREATE INDEX interactions_by_person ON interactions (person, source, session, at_ms, id)",
    *_OF_GRAPH,
    _OF_EXPOSURES,
)

_FROM_1: Final = (
    "ALTER TABLE identifiers RENAME TO identifiers_of_1",
    IDENTIFIERS,
    PEOPLE,
    MERGES,
    PARTED,
    TOGETHER,
    ERASED,
    # What it did not write down is what it must have been: only logins and cookies linked anything, and
    # a visitor is never known by a login. It was linked when it was first seen with that person.
    """
    INSERT INTO identifiers
    SELECT subject, type, person, CASE type WHEN 'visitor' THEN 'cookie' ELSE 'login' END,
        coalesce(
            (SELECT min(at_ms) FROM interactions WHERE person = one.person
             AND instr(payload, '"' || substr(one.subject, length(one.type) + 2) || '"') > 0),
            (SELECT min(at_ms) FROM interactions WHERE person = one.person),
            0
        ),
        '', CASE subject WHEN person THEN 'new_person' ELSE 'strong_owner' END, NULL
    FROM identifiers_of_1 AS one""",
    """
    INSERT INTO people
    SELECT person, coalesce((SELECT min(at_ms) FROM interactions WHERE person = one.person), 0), NULL
    FROM identifiers_of_1 AS one GROUP BY person""",
    "DROP TABLE identifiers_of_1",
    *_OF_GRAPH,
)
_IN_PAYLOADS: Final = """
SELECT interaction, experiment, version, variation, unit_type, unit, crossed_over
FROM (
    SELECT
        interaction, experiment, version, variation, unit_type, crossed_over,
        CASE unit_type WHEN 'session' THEN 'session:' || session ELSE (
            SELECT unit_type || ':' || json_extract(payload, one.fullkey || '.value')
            FROM json_each(payload, '$.data.identity.identifiers') AS one
            WHERE json_extract(payload, one.fullkey || '.type') = unit_type
            LIMIT 1
        ) END AS unit
    FROM (
        SELECT
            interactions.id AS interaction, session, payload,
            json_extract(payload, one.fullkey || '.experiment') AS experiment,
            coalesce(json_extract(payload, one.fullkey || '.version'), 0) AS version,
            json_extract(payload, one.fullkey || '.variation') AS variation,
            coalesce(json_extract(payload, one.fullkey || '.unit'), 'visitor') AS unit_type,
            coalesce(json_extract(payload, one.fullkey || '.crossed_over'), 0) AS crossed_over
        FROM interactions, json_each(payload, '$.data.decision') AS one
        WHERE interactions.name = 'experience.shown' AND one.key IN ('assignment', 'holdout')
    )
)
WHERE unit IS NOT NULL"""
_FROM_2: Final = (
    "DROP VIEW events",
    "ALTER TABLE interactions RENAME COLUMN question TO scale",
    EXPOSURES,
    f"INSERT OR IGNORE INTO exposures {_IN_PAYLOADS}",
    _OF_EXPOSURES,
    EVENTS,
)
_NOW: Final = f"PRAGMA user_version = {VERSION}"
MIGRATIONS: Final[Mapping[int, tuple[str, ...]]] = {1: (*_FROM_1, *_FROM_2, _NOW), 2: (*_FROM_2, _NOW)}
"""From each version to this one."""

_SHOWN_OF_2: Final = (
    "PRAGMA temp_store = MEMORY",
    f"CREATE TEMP VIEW exposures AS {_IN_PAYLOADS}",
    f"CREATE TEMP {_EVENTS.replace(' scale,', ' question AS scale,')}",
)
SHOWN: Final[Mapping[int, tuple[str, ...]]] = {
    1: (
        *_SHOWN_OF_2,
        "CREATE TEMP VIEW identifiers AS SELECT subject, type, person, NULL AS contested FROM main.identifiers",
    ),
    2: _SHOWN_OF_2,
}
"""What makes a file of each version answer the questions of the command line."""
