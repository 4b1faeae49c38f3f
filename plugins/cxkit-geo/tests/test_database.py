"""Databases: each vendor's layout, broken files, and another file in the place of one that is in use."""

from __future__ import annotations

import gc
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import maxminddb
import pytest

from cxkit.codec.wire import check_context
from cxkit.errors import ConfigurationError
from cxkit.model import Context, Place
from cxkit_geo.database import Database
from cxkit_geo.testing import LYON, MONTREAL, NICOSIA, SAMPLES, write_database

DAY_S = 86_400


# --- layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("layout", sorted(SAMPLES))
def test_each_vendors_layout_is_told_by_what_is_in_it(layout: str, given: bool, geo: Any, tmp_path: Path) -> None:
    path = write_database(tmp_path / "a.mmdb", SAMPLES[layout])
    found = geo(database=str(path), precision="coordinates", **({"layout": layout} if given else {})).at(LYON)
    place = found["place"]
    assert (place.country, place.source) == ("FR", "mmdb")
    assert found["timezone"] == "Europe/Paris"
    if layout == "ipinfo-lite":
        assert place.precision == "country"
        return
    assert (place.city, place.latitude, place.longitude, place.precision) == ("Lyon", 45.8, 4.8, "coordinates")
    assert place.region == (None if layout == "ip-location-db" else "ARA"), "a name is no code"


def test_what_its_source_tells_of_accuracy_and_doubt_comes_along(geo: Any, database: str) -> None:
    asked = geo(database=database, precision="coordinates")
    assert asked.at(LYON)["place"].accuracy_km == 20
    assert asked.at(LYON)["place"].confidence is None
    assert asked.at("5.10.0.1")["place"].accuracy_km is None, "that of a position which is the middle of a country"
    assert asked.at("104.16.0.9")["place"].confidence == "low"


@pytest.mark.parametrize("precision", ["country", "region", "city"])
def test_accuracy_goes_with_the_position_that_it_measures(precision: str, geo: Any, database: str) -> None:
    place = geo(database=database, precision=precision).at(LYON)["place"]
    assert (place.precision, place.accuracy_km) == (precision, None)


@pytest.mark.parametrize("flag", ["hosting", "vpn", "proxy", "tor", "relay", "is_anonymous"])
@pytest.mark.parametrize(("said", "confidence"), [("true", "low"), (True, "low"), ("", None), (False, None)])
def test_hosts_and_relays_are_doubtful(flag: str, said: Any, confidence: str, geo: Any, tmp_path: Path) -> None:
    path = write_database(tmp_path / "a.mmdb", {"81.2.69.0/24": {"country": "FR", flag: said}})
    assert geo(database=str(path)).at(LYON)["place"].confidence == confidence


@pytest.mark.parametrize(
    "flag", ["is_anonymous_vpn", "is_hosting_provider", "is_tor_exit_node", "is_public_proxy", "is_residential_proxy"]
)
def test_so_they_are_in_maxminds_words(flag: str, geo: Any, tmp_path: Path) -> None:
    record = {"country": {"iso_code": "FR"}, "traits": {"is_anycast": True, flag: True}}
    path = write_database(tmp_path / "a.mmdb", {"81.2.69.0/24": record})
    assert geo(database=str(path)).at(LYON)["place"].confidence == "low"


def test_your_own_layout(geo: Any, tmp_path: Path) -> None:
    records = {"81.2.69.0/24": {"land": {"code": "FR"}, "orte": [{"name": "Lyon"}], "netz": {"b": True}}}
    path = write_database(tmp_path / "a.mmdb", records)
    paths = {"country": "land.code", "city": "ort.name orte.0.name", "low": "netz.a netz.b"}
    place = geo(database=str(path), paths=paths, precision="city").at(LYON)["place"]
    assert place == Place(country="FR", city="Lyon", source="mmdb", precision="city", confidence="low")


def test_a_layout_that_nobody_knows_is_a_mistake_of_the_configuration(geo: Any, tmp_path: Path) -> None:
    path = write_database(tmp_path / "asn.mmdb", {"81.2.69.0/24": {"autonomous_system_number": 3215}})
    with pytest.raises(ConfigurationError, match=r"geo\.paths"):
        geo(database=str(path))


def test_records_that_are_no_tables_say_nothing(geo: Any, tmp_path: Path) -> None:
    records = {"81.2.69.0/24": "France", "24.48.0.0/16": ["FR"], "5.5.0.0/16": 7, "6.6.0.0/16": {"country": ["FR"]}}
    asked = geo(database=str(write_database(tmp_path / "a.mmdb", records)), layout="geoip2")
    assert [asked.at(one) for one in (LYON, MONTREAL, "5.5.1.1", "6.6.1.1")] == [{}, {}, {}, {}]


@pytest.mark.parametrize("address", ["5.11.0.1", "5.12.0.1", "9.9.9.9"])
def test_where_the_owner_of_an_address_is_registered_nobody_is(address: str, geo: Any, database: str) -> None:
    """Nor where its country is ``ZZ``, nor where it is in no database at all."""
    assert geo(database=database).at(address) == {}


def test_null_island_in_a_database(geo: Any, database: str) -> None:
    place = geo(database=database, precision="coordinates").at("5.13.0.1")["place"]
    assert (place.city, place.latitude) == ("Accra", None)


def test_a_city_with_letters_of_its_language(geo: Any, database: str) -> None:
    assert geo(database=database, precision="city").at(MONTREAL)["place"].city == "Montréal"


def test_ipv6_in_a_database_of_ipv4_is_nowhere(geo: Any, tmp_path: Path) -> None:
    records = {"81.2.69.0/24": {"country": {"iso_code": "FR"}}}
    asked = geo(database=str(write_database(tmp_path / "v4.mmdb", records, version=4)))
    assert asked.at(LYON)["place"].country == "FR"
    assert asked.at(NICOSIA) == {}
    assert asked.at(f"::ffff:{LYON}")["place"].country == "FR"


def test_neighbours_are_one_look_up(geo: Any, database: str) -> None:
    asked = geo(database=database)
    assert asked.at("81.2.69.7") is asked.at("81.2.69.142")


# --- broken files ---------------------------------------------------------------------------------


def corrupt(data: bytes) -> bytes:
    """Its search tree is in order; what that leads to is not."""
    half = len(data) // 2
    end = data.rindex(b"\xab\xcd\xefMaxMind.com")
    return data[:half] + b"\xff" * (end - half) + data[end:]


def hollow(data: bytes) -> bytes:
    """Its tree is all zeros, as of a file that was never filled: each node leads back to the first."""
    end = data.rindex(b"\xab\xcd\xefMaxMind.com")
    return bytes(end) + data[end:]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "zero bytes": lambda data: b"",
    "no database": lambda data: b"GIF89a" * 100,
    "truncated": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-20],
    "without its beginning": lambda data: data[200:],
    "corrupt": corrupt,
    "hollow": hollow,
    "all ones": lambda data: b"\xff" * len(data),
}


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_broken_database_at_start_is_a_mistake_of_the_configuration_or_says_nothing(
    kind: str, copy: bool, geo: Any, database: str
) -> None:
    path = Path(database)
    path.write_bytes(BROKEN[kind](path.read_bytes()))
    if kind in ("zero bytes", "no database", "truncated", "hollow", "all ones"):
        with pytest.raises(ConfigurationError, match=r"MMDB|layout") as refused:
            geo(database=database, copy=copy)
        assert refused.value.code == "CX9101"
        assert str(path.parent) not in str(refused.value)
        return
    try:
        asked = geo(database=database, copy=copy)
    except ConfigurationError:
        return  # its first records already tell
    for address in (LYON, MONTREAL, NICOSIA, "104.16.0.1", "5.10.1.1"):
        place = asked.at(address).get("place")
        assert place is None or place.country in ("FR", "CA", "CY", "US")


@pytest.mark.parametrize("reader", ["C", "Python"])
def test_whatever_is_broken_in_it_nothing_raises(reader: str, database: str, geo: Any, monkeypatch: Any) -> None:
    """Three hundred files, each with some of its bytes changed."""
    if reader == "Python":
        monkeypatch.setattr(maxminddb, "_extension", None)
    path, chance = Path(database), random.Random(7)
    whole = path.read_bytes()
    usable = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 2, 8, 64])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            asked = geo(database=database, layout="geoip2", precision="coordinates")
        except ConfigurationError:
            continue
        usable += 1
        for address in (LYON, MONTREAL, NICOSIA, "104.16.0.1", "5.10.1.1", "9.9.9.9", "2a00:1358::1"):
            found = asked.at(address)
            if found:
                check_context(Context(**found))
    assert usable > 100


def test_a_file_that_is_not_there_or_is_a_directory(geo: Any, tmp_path: Path) -> None:
    for path in (tmp_path / "none.mmdb", tmp_path):
        with pytest.raises(ConfigurationError):
            geo(database=str(path))


# --- replaced while in use ------------------------------------------------------------------------


@pytest.fixture
def opened(database: str) -> Database:
    return Database(Path(database))


ELSEWHERE = {"81.2.69.0/24": {"country": {"iso_code": "BE"}}}


def country(opened: Database) -> str | None:
    found = opened.opened.find("81.2.69.0")
    return found and found.place.country


def test_a_new_file_is_taken(opened: Database, database: str) -> None:
    assert opened.refresh() is False
    write_database(Path(database), ELSEWHERE)
    assert opened.refresh() is True
    assert country(opened) == "BE"


@pytest.mark.parametrize("kind", ["zero bytes", "no database", "truncated", "all ones"])
def test_a_broken_one_is_not_and_that_is_said_once(
    kind: str, opened: Database, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(database)
    whole = path.read_bytes()
    path.write_bytes(BROKEN[kind](whole))
    assert [opened.refresh() for _ in range(3)] == [False] * 3
    assert country(opened) == "FR"
    assert [one.getMessage() for one in caplog.records if "the one before is" in one.getMessage()] != []
    assert len(caplog.records) == 1

    write_database(path, ELSEWHERE)
    assert opened.refresh() is True
    assert country(opened) == "BE"


def test_one_that_is_gone_is_kept_and_that_is_said_once(
    opened: Database, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(database).unlink()
    assert [opened.refresh() for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1
    assert country(opened) == "FR"
    write_database(Path(database), ELSEWHERE)
    assert opened.refresh() is True


def test_whoever_shortens_the_file_in_its_place_kills_nobody(database: str) -> None:
    """Of a file that is mapped, the rest is not there any more, and looking at it ends the process."""
    script = """
import sys
from pathlib import Path
from cxkit_geo.database import Database
path = Path(sys.argv[1])
opened = Database(path)
with path.open("r+b") as file:
    file.truncate(0)
print(opened.opened.find("81.2.69.0").place.country, opened.refresh())
"""
    done = subprocess.run([sys.executable, "-c", script, database], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["FR", "False"]), done.stderr


def test_one_that_is_being_written_is_left_for_later(opened: Database, database: str, monkeypatch: Any) -> None:
    path = Path(database)
    new = write_database(path.with_name("new.mmdb"), ELSEWHERE).read_bytes()
    path.write_bytes(new)
    real = os.stat
    calls = []

    def stat(*args: Any, **kwargs: Any) -> Any:
        if args and str(args[0]) == database:
            calls.append(1)
            if len(calls) == 3:  # written once more, while it was read
                path.write_bytes(new + b"\0")
                path.write_bytes(new)
                os.utime(path, ns=(1, 1))
        return real(*args, **kwargs)

    monkeypatch.setattr("cxkit_geo.database.os.stat", stat)
    assert opened.refresh() is False
    assert country(opened) == "FR"
    assert opened.refresh() is True
    assert country(opened) == "BE"


def test_what_was_remembered_of_the_old_one_is_forgotten(geo: Any, database: str) -> None:
    asked = geo(database=database)
    assert asked.at(LYON)["place"].country == "FR"
    write_database(Path(database), ELSEWHERE)
    asked.enricher._database.refresh()
    assert asked.at(LYON)["place"].country == "BE"
    assert asked.at(MONTREAL) == {}


def wait_for(what: Callable[[], bool], patience_s: float = 10.0) -> None:
    deadline = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def test_a_thread_of_its_own_looks_after_the_file(geo: Any, database: str) -> None:
    """Never that of a request; and it ends when nobody holds the enricher any more."""
    asked = geo(database=database, reload_interval_s=0.02)
    opened = asked.enricher._database
    assert opened._watchers == {}, "building starts no thread"
    asked.at(LYON)
    watcher = opened._watchers[os.getpid()]
    assert watcher.daemon
    write_database(Path(database), ELSEWHERE)
    wait_for(lambda asked=asked: asked.at(LYON)["place"].country == "BE")
    assert opened._watchers == {os.getpid(): watcher}
    del asked, opened
    gc.collect()
    wait_for(lambda: not watcher.is_alive())


def watching(opened: Database) -> int:
    """How many threads look after it; those of others end when they end."""
    named = [one for one in threading.enumerate() if one.name == "cxkit-geo"]
    return sum(getattr(one, "_args", [lambda: None])[0]() is opened for one in named)


def test_of_many_first_requests_at_once_one_starts_the_thread(database: str) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            opened, together = Database(Path(database), interval_s=3600), threading.Barrier(16)

            def first(opened: Database = opened, together: threading.Barrier = together) -> None:
                together.wait()
                opened.watch()

            threads = [threading.Thread(target=first) for _ in range(16)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            assert watching(opened) == 1
    finally:
        sys.setswitchinterval(interval)


def test_where_no_thread_can_be_started_it_is_tried_again(database: str, monkeypatch: Any) -> None:
    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    opened = Database(Path(database), interval_s=3600)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", full)
        opened.watch()
    assert watching(opened) == 0
    opened.watch()
    assert watching(opened) == 1


def test_the_thread_survives_what_nobody_thought_of(
    geo: Any, database: str, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asked = geo(database=database, reload_interval_s=0.02)
    opened, calls = asked.enricher._database, []

    def refresh(_: Database) -> bool:
        calls.append(1)
        raise MemoryError

    monkeypatch.setattr(Database, "refresh", refresh)
    asked.at(LYON)
    wait_for(lambda: len(calls) > 2)
    assert opened._watchers[os.getpid()].is_alive()
    assert "MemoryError" in caplog.text


def test_a_forked_child_has_a_thread_of_its_own(database: str) -> None:
    script = """
import os, sys, threading
from cxkit.testing.enricher_suite import request
from cxkit.model import Context
from cxkit_geo.enricher import GeoEnricher
from cxkit_geo.settings import Settings
from cxkit_geo.testing import write_database
from pathlib import Path
asked = GeoEnricher(Settings(database=Path(sys.argv[1]), iptocc=False))
def ask():
    found = asked.enrich(request(client_ip="81.2.69.142"), Context())["place"].country
    return found, sum(one.name == "cxkit-geo" for one in threading.enumerate())
assert ask() == ("FR", 1)
child = os.fork()
if not child:
    try:
        together = threading.Barrier(16)
        first = lambda: (together.wait(), ask())
        threads = [threading.Thread(target=first) for _ in range(16)]
        [one.start() for one in threads], [one.join() for one in threads]
        assert ask() == ("FR", 1)
        write_database(Path(sys.argv[1]), {"81.2.69.0/24": {"country": {"iso_code": "BE"}}})
        assert asked._database.refresh() and ask() == ("BE", 1)
    except BaseException as error:
        sys.stderr.write(repr(error))
        os._exit(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert ask() == ("FR", 1), "the child has a database of its own"
assert asked._database.refresh() and ask() == ("BE", 1)
"""
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", script, database], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr


# --- age ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_days", "said"), [(44, 0), (46, 1)])
def test_an_old_one_is_used_and_said_to_be_old_once(
    age_days: int, said: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    built_s = 1_700_000_000
    path = write_database(tmp_path / "old.mmdb", SAMPLES["geoip2"], built_s=built_s)
    opened = Database(path, clock=lambda: built_s + age_days * DAY_S)
    opened.refresh()
    assert sum("days old" in one.getMessage() for one in caplog.records) == said
    assert country(opened) == "FR"


def test_one_that_grows_old_while_it_is_in_use_is_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = [1_700_000_000]
    path = write_database(tmp_path / "old.mmdb", SAMPLES["geoip2"], built_s=now[0])
    opened = Database(path, clock=lambda: now[0])
    assert not caplog.records
    now[0] += 60 * DAY_S
    opened.refresh()
    opened.refresh()
    assert [one.levelno for one in caplog.records] == [logging.WARNING]
