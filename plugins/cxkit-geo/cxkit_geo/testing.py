"""For your tests: small databases in each vendor's layout. Needs *mmdb-writer*.

The vendors' own are not ours to ship. Lyon is at ``81.2.69.0/24`` in all of `SAMPLES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

__all__ = ["LYON", "MONTREAL", "NICOSIA", "SAMPLES", "dated", "write_database"]

LYON, MONTREAL, NICOSIA = "81.2.69.142", "24.48.0.1", "2a00:1358::1"
_GEOIP2: Mapping[str, Any] = {
    "81.2.69.0/24": {
        "country": {"iso_code": "FR", "names": {"en": "France"}},
        "registered_country": {"iso_code": "GB"},
        "subdivisions": [{"iso_code": "ARA", "names": {"en": "Auvergne-Rhone-Alpes"}}, {"iso_code": "69"}],
        "city": {"names": {"en": "Lyon", "de": "Lyon"}},
        "location": {"latitude": 45.7578, "longitude": 4.8320, "accuracy_radius": 20, "time_zone": "Europe/Paris"},
    },
    "24.48.0.0/16": {
        "country": {"iso_code": "CA"},
        "subdivisions": [{"iso_code": "QC"}],
        "city": {"names": {"en": "Montréal"}},
        "location": {"latitude": 45.5, "longitude": -73.6, "accuracy_radius": 10, "time_zone": "America/Toronto"},
    },
    "2a00:1358::/32": {"country": {"iso_code": "CY"}, "registered_country": {"iso_code": "CY"}},
    "104.16.0.0/16": {"country": {"iso_code": "US"}, "traits": {"is_hosting_provider": True}},
    "5.10.0.0/16": {
        "country": {"iso_code": "US"},
        "location": {"latitude": 37.751, "longitude": -97.822, "accuracy_radius": 1000},
    },
    "5.11.0.0/16": {"registered_country": {"iso_code": "US"}},
    "5.12.0.0/16": {"country": {"iso_code": "ZZ"}},
    "5.13.0.0/16": {
        "country": {"iso_code": "GH"},
        "city": {"names": {"en": "Accra"}},
        "location": {"latitude": 0.0, "longitude": 0.0},
    },
}
_FLAT: Mapping[str, Any] = {
    "81.2.69.0/24": {
        "country_code": "FR",
        "state1": "Auvergne-Rhone-Alpes",
        "state2": "Rhone",
        "city": "Lyon",
        "postcode": "69001",
        "latitude": 45.7578,
        "longitude": 4.8320,
        "timezone": "Europe/Paris",
    }
}
_IPINFO_LITE: Mapping[str, Any] = {
    "81.2.69.0/24": {
        "asn": "AS3215",
        "as_name": "Orange",
        "continent": "Europe",
        "continent_code": "EU",
        "country": "France",
        "country_code": "FR",
    }
}
_IPINFO_STANDARD: Mapping[str, Any] = {
    "81.2.69.0/24": {
        "city": "Lyon",
        "country": "FR",
        "lat": "45.7578",
        "lng": "4.8320",
        "region": "Auvergne-Rhone-Alpes",
        "region_code": "ARA",
        "timezone": "Europe/Paris",
        "hosting": "true",
    }
}
SAMPLES: Final = {
    "geoip2": _GEOIP2,
    "ip-location-db": _FLAT,
    "ipinfo-lite": _IPINFO_LITE,
    "ipinfo-standard": _IPINFO_STANDARD,
}
"""Layout to networks and their records."""


def write_database(
    path: Path, records: Mapping[str, Any], *, version: int = 6, built_s: int | None = None, kind: str = "Test"
) -> Path:
    """A database of these networks; what is there is replaced by it at once, as the vendors' own programs do.

    Args:
        records: Network to record.
        version: Of IP.
        built_s: When it says it was made, in Unix seconds; None: now.
        kind: What it calls itself.
    """
    writer = MMDBWriter(ip_version=version, database_type=kind, ipv4_compatible=version == 6, float_type="f64")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    beside = path.with_suffix(".new")
    writer.to_db_file(str(beside))
    if built_s is not None:
        dated(beside, built_s)
    beside.replace(path)
    return path


def dated(path: Path, built_s: int) -> None:
    """Let a database say that it was made then."""
    marker = b"\x4bbuild_epoch"
    held = path.read_bytes()
    at = held.rindex(marker) + len(marker)
    assert (held[at] & 0xE0, held[at + 1]) == (0, 2)  # an extended type: an unsigned number of 64 bits
    size = held[at] & 0x1F
    number = built_s.to_bytes(8, "big").lstrip(b"\0")
    path.write_bytes(held[:at] + bytes([len(number), 2]) + number + held[at + 2 + size :])
