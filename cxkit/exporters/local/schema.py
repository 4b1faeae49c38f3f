"""What the local file holds: plain tables and one view, documented in docs/reference/local.md.

The types have 64 bits where SQLite's and DuckDB's names for them agree, so both take the same text.
"""

from __future__ import annotations

from typing import Final

__all__ = ["APPLICATION_ID", "EVENTS", "INDICES", "INTERACTIONS", "TABLES", "VERSION"]

APPLICATION_ID: Final = int.from_bytes(b"cxlf", "big")
"""SQLite's word for whose file it is."""
VERSION: Final = 1

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
    person TEXT NOT NULL
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

TABLES: Final = (INTERACTIONS, IDENTIFIERS, EVENTS)

INDICES: Final = (
    "CREATE INDEX interactions_by_time ON interactions (at_ms, id)",
    "CREATE INDEX interactions_by_person ON interactions (person, source, session, at_ms, id)",
    "CREATE INDEX identifiers_by_person ON identifiers (person)",
)
