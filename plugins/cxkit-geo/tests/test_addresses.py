"""Only networks are looked up, and only public ones: no location rather than a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit_geo.addresses import is_public, network_of, written
from cxkit_geo.testing import LYON


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("81.2.69.142", "81.2.69.0"),
        ("2a00:1358:7:8:9:a:b:c", "2a00:1358:7::"),
        ("::ffff:81.2.69.142", "81.2.69.0"),
        ("::FFFF:5102:458e", "81.2.69.0"),
    ],
)
def test_an_address_is_truncated_before_anything_else(address: str, network: str) -> None:
    found = network_of(address)
    assert found is not None
    assert written(found) == network


@pytest.mark.parametrize(
    "address",
    [None, "", "nonsense", "1.2.3", "1.2.3.4.5", "999.1.1.1", "01.2.3.4x", "81.2.69.142:80", "[2a00::1]", "1" * 5000,
     "\x00", "\ud800", "81.2.69.142\n", "fe80::1%eth0", "2a00:1358::1%eth0"],
)  # fmt: skip
def test_what_is_no_address_and_what_has_a_zone_has_no_network(address: str | None) -> None:
    assert network_of(address) is None


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.0.0.8", "192.0.2.1",
     "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
     "::", "::1", "::81.2.69.142", "64:ff9b::5102:458e", "100::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1",
     "ff02::1", "2001:db8::1", "3fff::1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_private_and_reserved_addresses_are_nowhere(address: str, geo: Any) -> None:
    network = network_of(address)
    assert network is not None
    assert not is_public(network)


@pytest.mark.parametrize("address", ["2002:5102:458e::1", "2001:0:5102:458e::1"])
def test_tunnels_are_nowhere(address: str) -> None:
    """6to4 has a whole IPv4 address in its first 48 bits, and Teredo that of its relay."""
    network = network_of(address)
    assert network is not None
    assert not is_public(network)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.0.7", "::ffff:10.0.0.1", "fe80::1%eth0", "2002:5102:458e::1"])
def test_an_address_that_is_nowhere_has_no_place_whatever_the_database_says(
    address: str, geo: Any, tmp_path: Any
) -> None:
    from cxkit_geo.testing import write_database

    records = {
        one: {"country": {"iso_code": "FR"}} for one in ("10.0.0.0/8", "192.168.0.0/16", "fe80::/10", "2002::/16")
    }
    asked = geo(database=str(write_database(tmp_path / "office.mmdb", records)))
    assert asked.at(address) == {}


def test_an_address_mapped_into_ipv6_is_where_it_is_in_ipv4(geo: Any, database: str) -> None:
    asked = geo(database=database)
    assert asked.at(f"::ffff:{LYON}") == asked.at(LYON) != {}


@given(st.ip_addresses())
def test_every_address_has_a_network_that_tells_nobody_from_their_neighbours(address: Any) -> None:
    network = network_of(str(address))
    assert network is not None
    assert len(network) in (3, 6)
    assert network_of(written(network)) == network


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    network_of(text)
