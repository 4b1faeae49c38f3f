"""What is peculiar to PostgreSQL: its settings, its schema, who may do what, and PgBouncer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cxkit.errors import ConfigurationError, StateError, StoreError
from cxkit.roles import Put
from cxkit.settings import Secret
from cxkit.testing.ports import free_port
from cxkit_postgres import FACTORY, PostgresStore, Settings
from cxkit_postgres.schema import STEPS, bring

NOBODY = "host=127.0.0.1 port=1 dbname=x"


def put(store: PostgresStore, key: str, version: int = 0, *terms: str) -> dict[str, int]:
    return store.commit({key: Put(body={"key": key}, terms=frozenset(terms))}, expected={key: version})


def refused(code: str) -> Any:
    return pytest.raises(StoreError, match=code)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"dsn": Secret("what is hunter22")}, "CX9041"),
        ({"listen_dsn": Secret("postgresql://x:hunter22@[::1/y")}, "CX9041"),
        ({"schema": "Public"}, "CX9042"),
        ({"schema": 'x"; DROP'}, "CX9042"),
        ({"schema": "pg_catalog"}, "CX9042"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PostgresStore(Settings(**{"dsn": Secret(NOBODY), **wrong}))
    assert caught.value.code == code
    assert "hunter22" not in str(caught.value)


def test_building_connects_to_nothing_and_shows_nothing() -> None:
    settings = Settings(dsn=Secret("postgresql://cx:hunter22@127.0.0.1:1/x"))
    store: Any = FACTORY.build(settings)
    assert "hunter22" not in f"{settings!r}{store!r}"
    with refused("CX9043") as caught:
        store.get_many(["cup/1"])
    assert "hunter22" not in f"{caught.value!r}{caught.value.__cause__!r}"
    store.close()
    with pytest.raises(StateError):
        store.get_many(["cup/1"])


# --- with a server ---------------------------------------------------------------------------------


@pytest.mark.services
def test_it_is_known_to_the_server_by_its_name(server: Any, store_at: Any) -> None:
    put(store_at(server), "cup/1")
    store_at(f"{server.dsn} application_name=shop").get_many(["cup/1"])
    names = {name for (name,) in server.ask("SELECT application_name FROM pg_stat_activity")}
    assert {"cxkit", "shop"} <= names


@pytest.mark.services
def test_documents_can_be_read_in_sql(server: Any, store_at: Any, schema: str) -> None:
    put(store_at(server), "cup/1")
    assert server.ask("SELECT body ->> 'key', version FROM {schema}.document", schema) == [("cup/1", 1)]


@pytest.mark.services
def test_a_term_may_be_longer_than_an_index_takes(server: Any, store_at: Any) -> None:
    store, term = store_at(server), "".join(chr(0x4E00 + number) for number in range(5000))
    put(store, "cup/1", 0, term)
    assert store.lookup(term) == ["cup/1"]


@pytest.mark.services
def test_what_no_text_can_hold_is_refused(server: Any, store_at: Any) -> None:
    store = store_at(server)
    for ask in (lambda: put(store, "cup/\0"), lambda: store.get_many(["cup/\0"]), lambda: store.scan("\ud800")):
        with refused("CX9048"):
            ask()
    assert store.changes_since(2**70) == []


@pytest.mark.services
def test_more_threads_than_connections_take_turns(server: Any, store_at: Any) -> None:
    store = store_at(server, connections=2, timeout_s=30.0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(store, f"cup/{number}"), range(40)))
        counts = server.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cxkit'")
    assert len(store.scan("cup/")) == 40
    assert counts[0][0] <= 2 + 1


# --- versions of the schema ------------------------------------------------------------------------

NEXT = (*STEPS, "ALTER TABLE {schema}.document ADD COLUMN colour text DEFAULT 'blue'")
"""A later cxkit's; there is none yet, so this one is made up."""


@pytest.fixture
def connection(server: Any) -> Iterator[Any]:
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        yield connection


@pytest.mark.services
def test_an_earlier_version_is_brought_up_to_date(server: Any, store_at: Any, schema: str, connection: Any) -> None:
    store = store_at(server)
    put(store, "cup/1")
    bring(connection, schema, steps=NEXT)
    bring(connection, schema, steps=NEXT)
    assert server.ask("SELECT key, colour FROM {schema}.document", schema) == [("cup/1", "blue")]
    assert server.ask("SELECT version FROM {schema}.schema_version", schema) == [(len(NEXT),)]
    assert put(store, "cup/1", 1) == {"cup/1": 2}, "who is connected goes on"


@pytest.mark.services
def test_a_change_that_fails_changes_nothing(server: Any, store_at: Any, schema: str, connection: Any) -> None:
    store = store_at(server)
    put(store, "cup/1")
    with pytest.raises(psycopg.Error):
        bring(connection, schema, steps=(*NEXT, "SELECT 1 / 0"))
    assert server.ask("SELECT version FROM {schema}.schema_version", schema) == [(len(STEPS),)]
    assert server.ask("SELECT * FROM {schema}.document LIMIT 1", schema)[0][0] == "cup/1"
    with pytest.raises(psycopg.errors.UndefinedColumn):
        server.ask("SELECT colour FROM {schema}.document", schema)


@pytest.mark.services
def test_a_later_version_is_refused_and_left_alone(server: Any, store_at: Any, schema: str, connection: Any) -> None:
    put(store_at(server), "cup/1")
    bring(connection, schema, steps=NEXT)
    late = store_at(server)
    with refused("CX9049"):
        put(late, "cup/1", 1)
    assert server.ask("SELECT version FROM {schema}.document", schema) == [(1,)]


@pytest.mark.services
def test_many_may_be_the_first(server: Any, store_at: Any) -> None:
    stores = [store_at(server) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda number: put(stores[number], f"cup/{number}"), range(6)))
    assert len(done) == len(stores[0].changes_since(0)) == 6


# --- who may, and where ----------------------------------------------------------------------------


@pytest.mark.services
def test_who_may_not_is_told_so(server: Any, store_at: Any, schema: str) -> None:
    server.ask("CREATE ROLE guest LOGIN")
    guest = server.dsn.replace("user=cx", "user=guest")
    with refused("CX9044"):
        store_at(guest).get_many(["cup/1"])  # may not make a schema
    with refused("CX9044"):
        store_at(server.dsn.replace("user=cx", "user=stranger")).get_many(["cup/1"])
    with refused("CX9044"):
        store_at(server.dsn.replace("dbname=postgres", "dbname=none")).get_many(["cup/1"])
    put(store_at(server), "cup/1")
    server.ask(
        "GRANT USAGE ON SCHEMA {schema} TO guest;"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO guest",
        schema,
    )
    with closing(store_at(guest)) as store:
        assert put(store, "cup/1", 1) == {"cup/1": 2}
        assert store.await_change(0, timeout_s=0.0)
    server.ask("DROP OWNED BY guest; DROP ROLE guest")


@pytest.mark.services
def test_an_encoding_that_loses_letters_is_refused(server: Any, store_at: Any, schema: str) -> None:
    server.ask("CREATE DATABASE {schema} ENCODING LATIN1 TEMPLATE template0", schema)
    with refused("CX9052"):
        store_at(server.dsn.replace("dbname=postgres", f"dbname={schema}")).get_many(["cup/1"])


@pytest.mark.services
def test_an_isolation_that_reads_the_past_is_refused(server: Any, store_at: Any) -> None:
    store = store_at(f"{server.dsn} options='-c default_transaction_isolation=serializable'")
    with refused("CX6001"):
        put(store, "cup/1")


@pytest.mark.services
def test_a_forked_child_has_connections_of_its_own(server: Any, store_at: Any) -> None:
    store = store_at(server)
    put(store, "cup/1")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if put(store, "cup/2") and store.await_change(0, timeout_s=5) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert put(store, "cup/3") == {"cup/3": 1}
    assert [it.key for it in store.scan("cup/")] == ["cup/1", "cup/2", "cup/3"]


# --- PgBouncer -------------------------------------------------------------------------------------


@pytest.fixture
def bounced(server: Any, place: Path, until: Any, schema: str) -> Iterator[str]:
    """The server behind PgBouncer in transaction mode, which has one connection for all."""
    binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        assert not os.environ.get("CI"), "PgBouncer is missing: .ci/run installs it"
        pytest.skip("PgBouncer is not installed")
    port, config = free_port(), place / f"{schema}.ini"
    config.write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n"
    )
    config.write_text(config.read_text().replace("postgres = host", "postgres = user=cx host"))
    config.chmod(0o644)
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    process = subprocess.Popen([*prefix, binary, "-q", str(config)], stderr=subprocess.DEVNULL, start_new_session=True)
    dsn = f"host=127.0.0.1 port={port} user=cx dbname=postgres"

    def answers() -> bool:
        assert process.poll() is None
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        until(answers, what="PgBouncer answers")
        yield dsn
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.services
def test_pgbouncer_may_share_connections_between_transactions(bounced: str, server: Any, store_at: Any) -> None:
    stores = [store_at(bounced, listen_dsn=Secret(server.dsn)) for _ in range(3)]
    calls: list[Callable[[], object]] = [
        lambda number=number: put(stores[number % 3], f"cup/{number}", 0, "tea") for number in range(30)
    ]
    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()
        token = stores[0].changes_since(0)[-1].token
        waiting = pool.submit(stores[0].await_change, token, timeout_s=60)
        put(stores[1], "cup/more")
        assert waiting.result() is True
    assert len(stores[2].lookup("tea")) == 30
