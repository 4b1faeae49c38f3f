"""What is peculiar to Redis and Valkey: their settings, what they refuse, and what they may lose."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from cxkit.errors import ConfigurationError, StateError, StoreError
from cxkit.roles import Put
from cxkit.settings import Secret
from cxkit_redis import FACTORY, RedisStore, Settings

NOBODY = "redis://127.0.0.1:1/0"


def put(store: RedisStore, key: str, version: int = 0, *terms: str, text: str = "") -> dict[str, int]:
    return store.commit({key: Put(body={"text": text}, terms=frozenset(terms))}, expected={key: version})


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        call()
    assert "hunter22" not in f"{caught.value}{caught.value.__cause__}"
    return caught.value.code


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"url": Secret("hunter22")}, "CX9061"),
        ({"url": Secret("http://x:hunter22@127.0.0.1")}, "CX9061"),
        ({"url": Secret("redis://x:hunter22@127.0.0.1:port")}, "CX9061"),
        ({"prefix": "a b"}, "CX9062"),
        ({"prefix": "{cx}"}, "CX9062"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisStore(Settings(**{"url": Secret(NOBODY), **wrong}))
    assert caught.value.code == code
    assert "hunter22" not in str(caught.value)


def test_building_connects_to_nothing_and_shows_nothing() -> None:
    settings = Settings(url=Secret("redis://cx:hunter22@127.0.0.1:1/0"))
    store: Any = FACTORY.build(settings)
    assert "hunter22" not in f"{settings!r}{store!r}"
    assert code_of(lambda: store.get_many(["cup/1"])) == "CX9063"
    store.close()
    with pytest.raises(StateError):
        store.get_many(["cup/1"])


# --- with a server ---------------------------------------------------------------------------------


@pytest.mark.services
def test_all_keys_are_in_one_slot(server: Any, store_at: Any, family: str) -> None:
    put(store_at(server), "cup/1", 0, "tea")
    keys = server.ask("KEYS", f"*{family}*")
    assert len(keys) == 6
    assert all(key.startswith(f"{{{family}}}:".encode()) for key in keys)


@pytest.mark.services
def test_it_is_known_to_the_server_by_its_name(server: Any, store_at: Any) -> None:
    put(store_at(server), "cup/1")
    assert b"name=cxkit" in server.ask("CLIENT", "LIST")


@pytest.mark.services
def test_who_may_not_is_told_so(new_server: Any, store_at: Any, family: str) -> None:
    server = new_server()
    rights = ["+evalsha", "+script|load", "+info", "+client|setname", "+publish", "+subscribe", "+unsubscribe"]
    rights += ["+hget", "+hset", "+zadd", "+zrem", "+zrange", "+zremrangebyrank", "+time"]
    server.ask("ACL", "SETUSER", "cx", "on", ">hunter22", f"~{{{family}}}:*", f"&{{{family}}}:changes", *rights)
    server.ask("ACL", "SETUSER", "guest", "on", ">hunter22", "+info", "+client|setname")
    server.ask("ACL", "SETUSER", "default", "off")
    address = f"127.0.0.1:{server.port}/0"
    store = store_at(f"redis://cx:hunter22@{address}")
    assert put(store, "cup/1", 0, "tea") == {"cup/1": 1}
    assert store.lookup("tea") == [it.key for it in store.scan("")] == list(store.get_many(["cup/1"]))
    assert store.await_change(0, timeout_s=5)
    assert store.await_change(store.changes_since(0)[-1].token, timeout_s=0.0) is False
    for url in (f"redis://cx:wrong@{address}", f"redis://{address}", f"redis://guest:hunter22@{address}"):
        assert code_of(lambda url=url: store_at(url).get_many(["cup/1"])) == "CX9064"


@pytest.mark.services
def test_another_version_of_the_layout_is_refused(server: Any, store_at: Any, family: str) -> None:
    store = store_at(server)
    put(store, "cup/1")
    server.ask("HSET", f"{{{family}}}:meta", "schema", "2")
    for call in (lambda: store.get_many(["cup/1"]), lambda: put(store, "cup/1", 1), lambda: store.changes_since(0)):
        assert code_of(call) == "CX9069", "at once, not just with the next connection"
    server.ask("HSET", f"{{{family}}}:meta", "schema", "1")
    assert put(store, "cup/1", 1) == {"cup/1": 2}


@pytest.mark.services
def test_a_server_that_is_full_still_tells_and_takes_no_more(new_server: Any, store_at: Any) -> None:
    server = new_server("--maxmemory", "6mb", "--maxmemory-policy", "noeviction")
    store = store_at(server)

    def fill() -> None:
        for number in range(200):
            put(store, f"cup/{number:03}", text="x" * 100_000)

    assert code_of(fill) == "CX9066"
    kept = store.scan("cup/", limit=5)
    assert [it.key for it in kept] == [f"cup/{number:03}" for number in range(5)]
    assert store.changes_since(0, limit=1)[0].key == "cup/000"


@pytest.mark.services
def test_a_server_that_throws_keys_away_is_refused(new_server: Any, store_at: Any) -> None:
    server = new_server("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    assert code_of(lambda: put(store_at(server), "cup/1")) == "CX9072"


@pytest.mark.services
def test_a_cluster_of_one_is_used_and_a_node_without_our_slot_refused(
    new_server: Any, store_at: Any, until: Any
) -> None:
    server = new_server("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    assert code_of(lambda: put(store_at(server), "cup/1")) == "CX9073"
    server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    store = store_at(server)
    until(lambda: b"cluster_state:ok" in server.ask("CLUSTER", "INFO"), what="the cluster knows that it is whole")
    put(store, "cup/1")
    assert list(store.get_many(["cup/1"])) == ["cup/1"]


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


# --- outages ---------------------------------------------------------------------------------------


@pytest.mark.services
def test_a_server_that_hangs_costs_the_timeout_and_no_more(new_server: Any, store_at: Any) -> None:
    server = new_server()
    store = store_at(server, timeout_s=0.5)
    put(store, "cup/1")
    assert store.await_change(0, timeout_s=1)
    server.pause()
    try:
        assert code_of(lambda: store.get_many(["cup/1"])) == "CX9065"
        assert code_of(lambda: store.scan("")) == "CX9065", "a new connection hangs as well"
        assert code_of(lambda: store.await_change(0, timeout_s=30)) == "CX9065"
    finally:
        server.resume()
    assert list(store_at(server, timeout_s=20.0).get_many(["cup/1"])) == ["cup/1"]


@pytest.mark.services
def test_after_a_restart_nobody_notices(new_server: Any, store_at: Any) -> None:
    server = new_server()
    store = store_at(server)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: put(store, f"cup/{number}"), range(8)))
    changes = store.changes_since(0)
    for end in (server.stop, server.kill):
        end()
        assert code_of(lambda: store.get_many(["cup/1"])) == "CX9063"
        server.start()
        assert store.changes_since(0) == changes
        assert store.changes_since(changes[-1].token) == [], "nothing is lost, so nothing is said"


@pytest.mark.services
def test_who_waits_is_told_that_the_connection_is_lost(new_server: Any, store_at: Any) -> None:
    server = new_server()
    store = store_at(server)
    put(store, "cup/1")
    token = store.changes_since(0)[-1].token
    assert store.await_change(token, timeout_s=0.0) is False
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.await_change, token, timeout_s=60)
        server.restart()
        assert code_of(waiting.result) == "CX9063"
        put(store, "cup/2")
        assert store.await_change(token, timeout_s=60) is True


# --- what is lost ----------------------------------------------------------------------------------


def forgotten(store: RedisStore, server: Any, lose: Callable[[], None]) -> None:
    """Check that a loss is noticed by who knew of it, once, and that no token is given twice."""
    put(store, "cup/1")
    (change,) = store.changes_since(0)
    lose()
    assert store.await_change(change.token, timeout_s=60) is True, "what is lost is a change"
    assert code_of(lambda: store.changes_since(change.token)) == "CX9070"
    assert store.changes_since(0) == []
    assert put(store, "cup/1") == {"cup/1": 1}
    (again,) = store.changes_since(0)
    assert again.token > change.token
    assert store.changes_since(again.token) == []


@pytest.mark.services
def test_an_emptied_server_is_noticed(new_server: Any, store_at: Any) -> None:
    server = new_server()
    forgotten(store_at(server), server, lambda: server.ask("FLUSHALL"))


@pytest.mark.services
def test_a_restart_without_a_file_is_noticed(new_server: Any, store_at: Any) -> None:
    server = new_server(durable=False)
    forgotten(store_at(server), server, server.restart)


@pytest.mark.services
def test_a_replica_refuses_and_its_losses_are_noticed_when_it_takes_over(
    new_server: Any, store_at: Any, until: Any
) -> None:
    primary, replica = new_server(), new_server()
    replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    store = store_at(primary)
    put(store, "cup/1")
    known = store.changes_since(0)
    until(lambda: replica.ask("DBSIZE") == primary.ask("DBSIZE"), what="the replica follows")
    until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up", what="it is up to date")
    late = store_at(replica)
    for call in (lambda: late.get_many(["cup/1"]), lambda: late.changes_since(0), lambda: put(late, "cup/2")):
        assert code_of(call) == "CX9067"
    replica.ask("REPLICAOF", "NO", "ONE")  # it goes on alone, and the primary does not know yet
    put(store, "cup/1", 1)
    (lost,) = store.changes_since(known[-1].token)
    primary.stop()
    replica.stop()
    replica.port = primary.port  # the address moves
    replica.start()
    assert code_of(lambda: store.changes_since(lost.token)) == "CX9070"
    assert store.changes_since(0) == known
    assert store.await_change(known[-1].token, timeout_s=0.0) is False, "nothing has changed since"
    put(store, "cup/1", 1)
    assert store.changes_since(known[-1].token)[0].token > lost.token


@pytest.mark.services
def test_a_primary_that_is_put_down_is_not_read_any_more(new_server: Any, store_at: Any) -> None:
    server, other = new_server(), new_server()
    store = store_at(server)
    put(store, "cup/1")
    with redis.Redis(port=server.port) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", other.port)
    assert code_of(lambda: store.get_many(["cup/1"])) == "CX9067"
    server.ask("REPLICAOF", "NO", "ONE")
    store.get_many(["cup/1"])
