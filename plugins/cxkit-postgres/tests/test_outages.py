"""Servers that hang, die, come back, or are followed by one that knows less."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from cxkit.errors import StoreError
from cxkit.roles import Put
from cxkit.settings import Secret
from cxkit_postgres import PostgresStore
from cxkit_postgres.schema import lock_of

pytestmark = pytest.mark.services


def put(store: PostgresStore, key: str, version: int = 0) -> dict[str, int]:
    return store.commit({key: Put(body={"key": key})}, expected={key: version})


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        call()
    return caught.value.code


def test_a_server_that_hangs_costs_the_timeout_and_no_more(new_server: Any, store_at: Any) -> None:
    server = new_server()
    store = store_at(server, timeout_s=0.5)
    put(store, "cup/1")
    assert store.await_change(0, timeout_s=1)
    server.pause()
    try:
        assert code_of(lambda: store.get_many(["cup/1"])) == "CX9045"
        assert code_of(lambda: store.scan("")) == "CX9045", "a new connection hangs as well"
        assert code_of(lambda: store.await_change(0, timeout_s=30)) == "CX9045"
    finally:
        server.resume()
    patient = store_at(server, timeout_s=20.0)
    assert list(patient.get_many(["cup/1"])) == ["cup/1"]


def test_a_commit_that_waits_too_long_is_given_up_by_the_server_too(server: Any, store_at: Any, schema: str) -> None:
    """Else it would be done after we said that it is not."""
    store = store_at(server, timeout_s=1.0)
    put(store, "cup/1")
    with psycopg.connect(server.dsn) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (lock_of(schema),))
        assert code_of(lambda: put(store, "cup/2")) == "CX9045"
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        assert server.ask(waiting) == [(0,)]
    assert [it.key for it in store.scan("")] == ["cup/1"]


def test_after_a_restart_nobody_notices(new_server: Any, store_at: Any) -> None:
    server = new_server()
    store = store_at(server, connections=4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: put(store, f"cup/{number}"), range(8)))
    changes = store.changes_since(0)
    for end in (server.stop, server.kill):
        end()
        assert code_of(lambda: store.get_many(["cup/1"])) == "CX9043"
        server.start()
        assert store.changes_since(0) == changes, "connections that died meanwhile are not asked"
        assert store.changes_since(changes[-1].token) == []


def test_who_waits_is_told_that_the_connection_is_lost(new_server: Any, store_at: Any) -> None:
    server = new_server()
    store = store_at(server)
    put(store, "cup/1")
    token = store.changes_since(0)[-1].token
    assert store.await_change(token, timeout_s=0.0) is False
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.await_change, token, timeout_s=60)
        server.restart()
        assert code_of(waiting.result) in ("CX9043", "CX9044")
        put(store, "cup/2")
        assert store.await_change(token, timeout_s=60) is True


def test_a_standby_that_takes_over_and_knows_less_is_noticed(
    new_server: Any, store_at: Any, until: Any, schema: str
) -> None:
    primary = new_server(config="wal_level = replica")
    standby = new_server(copy_of=primary)
    dsn = f"host=127.0.0.1,127.0.0.1 port={primary.port},{standby.port} user=cx dbname=postgres"
    store, other = (store_at(f"{dsn} target_session_attrs=read-write") for _ in range(2))
    put(store, "cup/1")
    known = store.changes_since(0)
    until(lambda: _count(standby, schema) == 1, what="the standby has it")
    assert code_of(lambda: store_at(standby).changes_since(0)) == "CX9047"
    standby.stop()
    put(store, "cup/2")
    put(store, "cup/1", 1)
    lost = store.changes_since(known[-1].token)
    assert [it.key for it in lost] == ["cup/2", "cup/1"]
    primary.kill()
    standby.start()
    standby.promote()
    assert store.await_change(lost[-1].token, timeout_s=60) is True, "what is lost is a change"
    assert code_of(lambda: store.changes_since(lost[-1].token)) == "CX9050"
    assert store.changes_since(0) == other.changes_since(0) == known, "said once, and to those alone who knew of it"
    assert store.await_change(known[-1].token, timeout_s=0.0) is False, "nothing has changed since"
    put(other, "cup/3")
    (after,) = store.changes_since(known[-1].token)
    assert after.token > lost[-1].token, "no token is given twice"


def test_a_restart_that_loses_nothing_is_none_of_it(new_server: Any, store_at: Any) -> None:
    server = new_server()
    store = store_at(server)
    put(store, "cup/1")
    (change,) = store.changes_since(0)
    server.restart()
    assert store.changes_since(change.token) == []


def test_a_schema_that_was_dropped_is_noticed(server: Any, store_at: Any, schema: str) -> None:
    store = store_at(server)
    put(store, "cup/1")
    (change,) = store.changes_since(0)
    server.ask("DROP SCHEMA {schema} CASCADE", schema)
    assert code_of(lambda: store.changes_since(change.token)) == "CX6001"
    assert code_of(lambda: store.changes_since(change.token)) == "CX9050"
    assert put(store, "cup/1") == {"cup/1": 1}


def test_secrets_stay_where_they_are(new_server: Any, store_at: Any) -> None:
    store = store_at(new_server(), listen_dsn=Secret("host=127.0.0.1 port=1 password=hunter22"), timeout_s=2.0)
    with pytest.raises(StoreError) as caught:
        store.await_change(0, timeout_s=1)
    assert "hunter22" not in f"{caught.value}{caught.value.__cause__}"


def _count(server: Any, schema: str) -> int | None:
    try:
        return int(server.ask("SELECT count(*) FROM {schema}.document", schema)[0][0])
    except psycopg.Error:
        return None
