"""What knowing where a customer is costs: opening a database of 50 MB, a visitor who is new, and one who is not."""

from __future__ import annotations

import random
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import maxminddb

from benchmarks.pairs import Row, paired, rated, table
from cxkit.model import Context, Facts
from cxkit.settings import structure
from cxkit_geo.database import Database
from cxkit_geo.enricher import GeoEnricher
from cxkit_geo.points import Points, Store
from cxkit_geo.settings import Settings

__all__ = ["database", "run"]

BITS = 18
"""Each network of so many bits has a record of its own: 262,144, in 64 MB."""
NOBODY = Context()
CLOUDFLARE = {
    "cf-ipcountry": "FR",
    "cf-region-code": "ARA",
    "cf-ipcity": "Lyon",
    "cf-iplatitude": "45.76404",
    "cf-iplongitude": "4.83566",
    "cf-timezone": "Europe/Paris",
}


def run(*, quick: bool) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "city.mmdb")
        path.write_bytes(database(12 if quick else BITS))
        return "\n".join([_opening(path, quick=quick), _visitors(path, quick=quick), _points(quick=quick)])


def _opening(path: Path, *, quick: bool) -> str:
    subjects: dict[str, Callable[[], object]] = {
        "floor: the file, read": path.read_bytes,
        "cxkit: copied into memory, its layout told": lambda: Database(path),
        "cxkit: mapped, its layout told": lambda: Database(path, copy=False),
    }
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(3 if quick else 15):
        for name, subject in subjects.items():
            began = time.perf_counter()
            held = subject()
            times[name].append((time.perf_counter() - began) * 1e3)
            del held
    base = times["floor: the file, read"]
    rows = [rated(name, values, base, "ms") for name, values in times.items()]
    size = path.stat().st_size / 1e6
    return table("Opening a database of places", f"{size:.0f} MB, from the page cache. Budget: 50 ms.", rows)


def _visitors(path: Path, *, quick: bool) -> str:
    asked = 200 if quick else 2000
    addresses = [_address() for _ in range(100_000)]
    city = _enricher(database=path, precision="city")
    platform = _enricher(platform="cloudflare", precision="city")
    registries = _enricher(iptocc=True)
    reader = maxminddb.open_database(str(path))
    from_lyon = Facts(method="GET", scheme="https", host="x", path="/", headers=CLOUDFLARE, proxied=True)
    facts = [Facts(method="GET", scheme="https", host="x", path="/", headers={}, client_ip=one) for one in addresses]
    known = facts[0]

    def afresh(enricher: GeoEnricher) -> Callable[[int], object]:
        turn = iter(range(1 << 40))
        return lambda number: enricher.enrich(facts[next(turn) % len(facts)], NOBODY)

    def unread(number: int) -> object:
        platform._said._kept.clear()
        return platform.enrich(from_lyon, NOBODY)

    subjects: dict[str, Callable[[int], object]] = {
        "floor: maxminddb, a record": lambda number: reader.get(addresses[number]),
        "cxkit: a new visitor, by the database": afresh(city),
        "cxkit: a known one, by the database": lambda number: city.enrich(known, NOBODY),
        "cxkit: a new visitor, by headers": unread,
        "cxkit: a known one, by headers": lambda number: platform.enrich(from_lyon, NOBODY),
        "cxkit: a new visitor, by iptocc": afresh(registries),
        "cxkit: a known one, by iptocc": lambda number: registries.enrich(known, NOBODY),
    }
    base = "floor: maxminddb, a record"
    rows = paired(subjects, base=base, calls=asked, rounds=5 if quick else 20)
    implementation = type(reader).__module__
    note = f"CPU time of the calling thread; maxminddb reads by {implementation}. Budget: known 5 us, new 250 us."
    return table("Where a visitor is", note, rows)


def _points(*, quick: bool) -> str:
    spread = random.Random(7)
    # As cities lie: most of them in a few places.
    centres = [(spread.uniform(-50, 60), spread.uniform(-120, 140)) for _ in range(50)]
    stores = []
    for number in range(10_000):
        north, east = spread.choice(centres)
        at = {"latitude": spread.gauss(north, 1), "longitude": spread.gauss(east, 1)}
        stores.append(Store(id=f"s{number}", **at))
    points = Points(stores, [])
    asked = [(spread.gauss(north, 1), spread.gauss(east, 1)) for north, east in spread.choices(centres, k=500)]
    subjects: dict[str, Callable[[int], object]] = {
        "the nearest of 10,000 stores, within 100 km": lambda number: points.nearest(
            *asked[number % len(asked)], within_km=100
        )
    }
    rows: list[Row] = paired(subjects, base=next(iter(subjects)), calls=100, rounds=3 if quick else 10)
    return table("Stores", "CPU time of the calling thread.", rows)


def _enricher(**table: Any) -> GeoEnricher:
    given = {name: str(value) if isinstance(value, Path) else value for name, value in table.items()}
    return GeoEnricher(structure(Settings, {"iptocc": False, **given}, where="geo"))


def _address() -> str:
    """Anybody's, in networks that are public."""
    return f"{random.randrange(11, 100)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


# --- a database of any size -----------------------------------------------------------------------
# Source: the MaxMind DB file format specification, version 2.0.


def database(bits: int) -> bytes:
    """Of IPv4, with a record of its own for each network of so many bits."""
    nodes, records, at = (1 << bits) - 1, [], []
    size = 0
    for number in range(1 << bits):
        record = _encoded(_record(number))
        at.append(nodes + 16 + size)
        records.append(record)
        size += len(record)
    inner = range(1, nodes)  # as in a heap: those below node n are 2n+1 and 2n+2
    tree = struct.pack(f">{2 * nodes}I", *inner, *at)
    told = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": int(time.time()),
        "database_type": "Bench-City",
        "description": {"en": "made up"},
        "ip_version": 4,
        "languages": ["en"],
        "node_count": nodes,
        "record_size": 32,
    }
    said = bytes([7 << 5 | len(told)]) + b"".join(
        _encoded(name) + (_number(name, value) if isinstance(value, int) else _encoded(value))
        for name, value in told.items()
    )
    return b"".join([tree, bytes(16), *records, b"\xab\xcd\xefMaxMind.com", said])


def _number(name: str, value: int) -> bytes:
    """Of the size that the format wants for what is told of the file itself."""
    if name == "build_epoch":
        return b"\x08\x02" + struct.pack(">Q", value)
    return b"\xc4" + struct.pack(">I", value) if name == "node_count" else b"\xa2" + struct.pack(">H", value)


def _record(number: int) -> dict[str, Any]:
    return {
        "city": {"geoname_id": number, "names": {"en": f"City {number}"}},
        "country": {"geoname_id": 3017382, "iso_code": "FR", "names": {"en": "France"}},
        "location": {
            "accuracy_radius": 20,
            "latitude": 40 + number % 997 / 100,
            "longitude": 1 + number % 991 / 100,
            "time_zone": "Europe/Paris",
        },
        "subdivisions": [{"geoname_id": 11071625, "iso_code": "ARA"}],
    }


def _encoded(value: Any) -> bytes:
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(_encoded(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(_encoded, value))
    if isinstance(value, float):
        return b"\x68" + struct.pack(">d", value)
    if isinstance(value, int):
        return bytes([6 << 5 | 4]) + struct.pack(">I", value)
    text = value.encode()
    head = bytes([2 << 5 | len(text)]) if len(text) < 29 else bytes([2 << 5 | 29, len(text) - 29])
    return head + text
