"""Tables and functions of the store, and how one version of them becomes the next.

Four decisions carry it.

1. **A commit is one call of one function**, so one message: no client that stops or dies in the
   middle holds anything, a killed one leaves all of a commit or nothing, and PgBouncer may give
   each call another connection.
2. **Commits go one by one**, under an advisory lock that is released when they are visible. So who
   reads changes up to a token has them all: none can appear later with a smaller one. The other
   ways were weighed. Sequences alone leave gaps that fill later. Tokens made of transaction ids,
   read below ``pg_snapshot_xmin``, let commits run side by side, but any long transaction in any
   database of the server, of whatever program, would hold back all changes, and a dump that is
   restored elsewhere starts with smaller ids. The price: as many commits a second as the server
   can make durable one after the other; a commit may hold many documents.
3. **Tokens are microseconds since 1970, or one more than the last.** So they go on growing where a
   standby takes over that is short of the last commits.
4. **Each life of the server is written down** (a timeline of a cluster): after which token the
   commits of the life before may have been lost, and the token that began this one, a minute
   ahead of the clock. Whoever was given a token in between has read what no longer is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from cxkit_postgres.trouble import ENCODING, NEWER, OLD_SERVER, failed

__all__ = ["STEPS", "bring", "channel", "lock_of"]

_FIRST: Final = """
CREATE TABLE {schema}.document (
    key text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    token bigint NOT NULL UNIQUE,
    body json  -- NULL: deleted; versions and tokens go on counting
);
CREATE TABLE {schema}.term (
    term bytea,  -- its SHA-256, as a term may be longer than what an index takes
    key text COLLATE "C",
    PRIMARY KEY (term, key)
);
CREATE INDEX term_key ON {schema}.term (key);
CREATE TABLE {schema}.life (began bigint PRIMARY KEY, lost_after bigint NOT NULL, mark text NOT NULL);

CREATE FUNCTION {schema}.newest() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN greatest((SELECT max(token) FROM {schema}.document), (SELECT max(began) FROM {schema}.life), 0);
END
$$;

CREATE FUNCTION {schema}.microseconds() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$;

CREATE FUNCTION {schema}.live() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    here text := (SELECT system_identifier FROM pg_control_system())
        || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8);
    since bigint;
BEGIN
    IF here = (SELECT mark FROM {schema}.life ORDER BY began DESC LIMIT 1) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock({lock});
    IF here IS DISTINCT FROM (SELECT mark FROM {schema}.life ORDER BY began DESC LIMIT 1) THEN
        since := {schema}.newest();
        INSERT INTO {schema}.life
        VALUES (greatest(since, {schema}.microseconds()) + 60000000, since, here);
    END IF;
END
$$;

CREATE FUNCTION {schema}.lost(known bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM {schema}.live();
    RETURN coalesce(
        (SELECT known > lost_after FROM {schema}.life WHERE known > 0 AND began > known ORDER BY began LIMIT 1), false
    );
END
$$;

CREATE FUNCTION {schema}.commit(
    patience text, read text[], expected bigint[], written text[], bodies text[], term_keys text[], terms bytea[],
    OUT actual bigint[], OUT versions bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'commits need the isolation level read committed' USING ERRCODE = 'feature_not_supported';
    END IF;
    PERFORM set_config('lock_timeout', patience, true);
    PERFORM pg_advisory_xact_lock({lock});
    PERFORM {schema}.live();
    actual := ARRAY(
        SELECT coalesce(document.version, 0)
        FROM unnest(read) WITH ORDINALITY AS wanted (key, place)
        LEFT JOIN {schema}.document ON document.key = wanted.key AND body IS NOT NULL
        ORDER BY place
    );
    IF actual <> expected THEN
        RETURN;
    END IF;
    last := greatest({schema}.newest(), {schema}.microseconds());
    INSERT INTO {schema}.document AS old (key, version, token, body)
    SELECT key, 1, last + place, body::json
    FROM unnest(written, bodies) WITH ORDINALITY AS new (key, body, place)
    ON CONFLICT (key) DO UPDATE SET version = old.version + 1, token = excluded.token, body = excluded.body;
    versions := ARRAY(
        SELECT version FROM unnest(written) WITH ORDINALITY AS wanted (key, place)
        JOIN {schema}.document USING (key) ORDER BY place
    );
    DELETE FROM {schema}.term WHERE key = ANY (written);
    INSERT INTO {schema}.term (key, term) SELECT * FROM unnest(term_keys, terms);
    PERFORM pg_notify({channel}, '') WHERE cardinality(written) > 0;
END
$$
"""

STEPS: Final[Sequence[LiteralString]] = (_FIRST,)
"""From nothing to version 1, and so on: whoever changes the schema adds one, and changes none."""


_THERE: Final = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'schema_version'"


def channel(schema: str) -> str:
    """What commits are announced under.

    Example:
        >>> channel("cxkit")
        'cxkit_changes_cxkit'
    """
    return f"cxkit_changes_{schema}"


def bring(connection: psycopg.Connection[Any], schema: str, *, steps: Sequence[LiteralString] = STEPS) -> None:
    """See that the schema is there in its newest version: make it, or change it, all or nothing.

    Raises:
        StoreError: It is a later one, or the server is not one that can be used.
    """
    if connection.info.server_version < 140_000:
        raise failed(OLD_SERVER)
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise failed(ENCODING)
    if _version(connection, schema) == len(steps):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_of(schema),))
        version = _version(connection, schema)
        if version > len(steps):
            raise failed(NEWER)
        if version == 0:
            _found(connection, schema)
        for step in steps[version:]:
            connection.execute(_filled(step, schema))
        connection.execute(_filled("UPDATE {schema}.schema_version SET version = {version}", schema, len(steps)))


def _version(connection: psycopg.Connection[Any], schema: str) -> int:
    """0: there is none."""
    # Not to_regclass(): within a transaction it may remember that there was none before the lock was ours.
    found = connection.execute(_THERE, (schema,)).fetchone()
    if found is None:
        return 0
    row = connection.execute(_filled("SELECT version FROM {schema}.schema_version", schema)).fetchone()
    return int(row[0]) if row else 0


def _found(connection: psycopg.Connection[Any], schema: str) -> None:
    # Asked first: where the schema is there, nobody needs the right to make one.
    if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
        connection.execute(_filled("CREATE SCHEMA {schema}", schema))
    connection.execute(_filled("CREATE TABLE {schema}.schema_version (version integer NOT NULL)", schema))
    connection.execute(_filled("INSERT INTO {schema}.schema_version VALUES (0)", schema))


def _filled(text: LiteralString, schema: str, version: int = 0) -> sql.Composed:
    return sql.SQL(text).format(
        schema=sql.Identifier(schema),
        lock=sql.Literal(lock_of(schema)),
        channel=sql.Literal(channel(schema)),
        version=sql.Literal(version),
    )


def lock_of(schema: str) -> int:
    """The advisory lock that commits to a schema, and changes of it, take.

    Example:
        >>> lock_of("cxkit") == lock_of("other")
        False
    """
    return int.from_bytes(hashlib.sha256(f"cxkit {schema}".encode()).digest()[:8], signed=True)
