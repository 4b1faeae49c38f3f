"""What the local file holds: plain tables and one view, documented in docs/reference/local.md.

A file of version 1 knows of identifiers but whose they are. It is brought up to date by whoever writes to it
next (`MIGRATION`), and until then read as if it had been (`SHOWN`).

The types have 64 bits where SQLite's and DuckDB's names for them agree, so both take the same text.
"""

from __future__ import annotations

from typing import Final

__all__ = ["APPLICATION_ID", "EVENTS", "INDICES", "INTERACTIONS", "MIGRATION", "SHOWN", "TABLES", "VERSION"]

APPLICATION_ID: Final = int.from_bytes(b"cxlf", "big")
"""SQLite's word for whose file it is."""
VERSION: Final = 2

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
    question TEXT,
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

EVENTS: Final = """\
CREATE VIEW events AS
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
    question AS score_kind,
    score,
    engaged_ms,
    CASE WHEN actor IN ('bot', 'prefetch') THEN 1 ELSE 0 END AS is_bot,
    analytics AS consent_analytics,
    source
FROM interactions"""

TABLES: Final = (INTERACTIONS, IDENTIFIERS, PEOPLE, MERGES, PARTED, TOGETHER, ERASED, EVENTS)

_BY_PERSON: Final = "CREATE INDEX identifiers_by_person ON identifiers (person)"
_OF_GRAPH: Final = (
    _BY_PERSON,
    "CREATE INDEX people_by_part_of ON people (part_of) WHERE part_of IS NOT NULL",
    "CREATE INDEX merges_by_survivor ON merges (survivor)",
    "CREATE INDEX parted_by_other ON parted (other)",
    "CREATE INDEX together_by_interaction ON together (interaction)",
)
INDICES: Final = (
    "CREATE INDEX interactions_by_time ON interactions (at_ms, id)",
    "CREATE INDEX interactions_by_person ON interactions (person, source, session, at_ms, id)",
    *_OF_GRAPH,
)

MIGRATION: Final = (
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
    f"PRAGMA user_version = {VERSION}",
)
"""From version 1 to this one."""

SHOWN: Final = (
    "PRAGMA temp_store = MEMORY",
    "CREATE TEMP VIEW identifiers AS SELECT subject, type, person, NULL AS contested FROM main.identifiers",
)
"""What makes a file of version 1 answer the questions of the command line."""
