"""The client's address: each strategy, what forged headers cannot do, and what no header can break."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from random import Random
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cxkit.settings import ClientIP
from cxkit.settings.client_ip import MOST_HOPS, trusted_networks
from cxkit.web.client_ip import PRESETS, client_ip_strategy

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "behind-a-proxy.md"
PROXY, CLIENT, FORGED = "10.0.0.1", "203.0.113.9", "198.51.100.66"
TRUSTED = ("10.0.0.0/8", "fd00::/8")

Tell = Callable[[dict[str, str], str | None], str | None]


def strategy(name: Any, **given: Any) -> Tell:
    return client_ip_strategy(ClientIP(strategy=name, **{"trusted": TRUSTED, **given}))


PEER = client_ip_strategy(ClientIP())
RANGE = strategy("rightmost_trusted_range")
RANGE_7239 = strategy("rightmost_trusted_range", header="Forwarded")
COUNT = strategy("rightmost_trusted_count", hops=2)
COUNT_7239 = strategy("rightmost_trusted_count", hops=2, header="Forwarded")
SINGLE = strategy("single_header", header="X-Real-IP")
UNIX = strategy("rightmost_trusted_range", trusted=("unix",))
SINGLE_7239 = strategy("single_header", header="Forwarded")


def by(tell: Tell, header: str, peer: str | None = PROXY) -> str | None:
    """What is told where each header that anything here reads is this one."""
    names = {"x-forwarded-for", "forwarded", "x-real-ip", *(one.header for one in PRESETS.values())}
    return tell(dict.fromkeys(names, header), peer)


# --- the peer -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (CLIENT, CLIENT),
        ("2001:db8::9", "2001:db8::9"),
        ("2001:DB8:0:0:0:0:0:9", "2001:db8::9"),
        ("::ffff:203.0.113.9", CLIENT),
        ("::ffff:cb00:7109", CLIENT),
        ("fe80::1%eth0", "fe80::1"),
        ("::203.0.113.9", "::cb00:7109"),
        ("::1", "::1"),
        (None, None),
        ("", None),
        ("testclient", None),
        ("/run/app.sock", None),
        ("203.0.113.09", None),
        ("256.0.0.1", None),
    ],
)
def test_the_peer_is_told_in_its_canonical_form_and_no_header_matters(peer: str | None, address: str | None) -> None:
    """B78."""
    assert by(PEER, FORGED, peer) == address


# --- who is believed ------------------------------------------------------------------------------

ALL = {
    "single": SINGLE,
    "count": COUNT,
    "range": RANGE,
    **{name: strategy(name) for name in PRESETS},
}


@pytest.mark.parametrize("tell", ALL.values(), ids=ALL)
def test_a_header_of_a_stranger_changes_nothing(tell: Tell) -> None:
    """S8."""
    for header in (FORGED, f"{FORGED}, {FORGED}", f"for={FORGED}", f"{FORGED}:80", "", "*"):
        assert by(tell, header, CLIENT) == CLIENT
        assert by(tell, header, "::ffff:" + CLIENT) == CLIENT
        assert by(tell, header, "2001:db8::9") == "2001:db8::9"


@pytest.mark.parametrize("tell", ALL.values(), ids=ALL)
def test_who_cannot_be_told_is_not_believed(tell: Tell) -> None:
    for peer in (None, "", "testclient", "10.0.0.1x", "unix"):
        assert by(tell, f"{FORGED}, {FORGED}", peer) is None
        assert by(tell, FORGED, peer) is None


@pytest.mark.parametrize("tell", ALL.values(), ids=ALL)
def test_without_its_header_a_proxy_tells_nobody(tell: Tell) -> None:
    assert tell({}, PROXY) is None


@pytest.mark.parametrize("peer", [None, ""])
def test_a_unix_socket_is_believed_where_that_is_said(peer: str | None) -> None:
    assert by(UNIX, f"{FORGED}, {CLIENT}", peer) == CLIENT
    assert by(UNIX, FORGED, CLIENT) == CLIENT
    assert by(UNIX, f"{FORGED}, {PROXY}", peer) == PROXY, "of addresses it trusts none"


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        ("private", ["10.255.255.255", "172.16.0.0", "172.31.9.9", "192.168.1.1", "100.64.0.1", "169.254.1.1",
                     "fd12::1", "fe80::9%eth0", "::ffff:10.1.2.3"],
         ["11.0.0.0", "172.32.0.0", "192.169.0.0", "100.128.0.0", "127.0.0.1", "::1", "2001:db8::1"]),
        ("loopback", ["127.0.0.1", "127.9.9.9", "::1"], ["10.0.0.1", "::2"]),
        ("10.1.2.3", ["10.1.2.3"], ["10.1.2.2", "10.1.2.4"]),
        ("::ffff:10.0.0.0/104", ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.1"]),
        ("fd00::/8", ["fd00::", "FDFF::1"], ["fe00::", "fc00::1"]),
    ],
)  # fmt: skip
def test_whom_a_word_or_a_network_stands_for(words: str, inside: list[str], outside: list[str]) -> None:
    tell = strategy("single_header", header="X-Real-IP", trusted=(words,))
    assert [one for one in inside if by(tell, "192.0.2.1", one) != "192.0.2.1"] == []
    assert [one for one in outside if by(tell, "192.0.2.1", one) == "192.0.2.1"] == []


# --- single headers and presets -------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if not preset.port])
def test_a_preset_reads_its_header_and_no_other(name: str) -> None:
    tell = strategy(name)
    assert tell({PRESETS[name].header: CLIENT}, PROXY) == CLIENT
    assert tell({PRESETS[name].header: "2001:DB8::9"}, PROXY) == "2001:db8::9"
    assert tell({"x-forwarded-for": FORGED, "forwarded": f"for={FORGED}", "x-real-ip": FORGED}, PROXY) is None


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("203.0.113.9:46532", CLIENT),
        ("2600:300:f:abcd::9:9985", "2600:300:f:abcd::9"),
        ("[2600:300::9]:9985", "2600:300::9"),
        ("203.0.113.9", None),
        ("203.0.113.9:", None),
        ("203.0.113.9:http", None),
        ("2600:300:f:abcd::9:99850000", None),
        ("2600:300:f:abcd::9:998a", None),
    ],
)
def test_cloudfront_appends_the_port_without_brackets(header: str, address: str | None) -> None:
    assert strategy("cloudfront")({"cloudfront-viewer-address": header}, PROXY) == address


@pytest.mark.parametrize("header", ["", " ", f"{FORGED}, {CLIENT}", f"{CLIENT},", "unknown", "localhost", "1.2.3"])
def test_a_single_header_holds_one_address_or_tells_nothing(header: str) -> None:
    assert by(SINGLE, header) is None


def test_a_single_header_may_be_that_of_rfc_7239() -> None:
    assert by(SINGLE_7239, f"for={CLIENT};proto=https") == CLIENT
    assert by(SINGLE_7239, f"for={FORGED}, for={CLIENT}") is None


def test_the_page_names_every_preset_with_its_header() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w-]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name: header.lower() for name, header in rows} == {name: one.header for name, one in PRESETS.items()}
    assert set(PRESETS) < set(get_args(get_type_hints(ClientIP)["strategy"]))


# --- lists, from the right ------------------------------------------------------------------------

ENTRIES: list[tuple[str, str | None]] = [  # an entry of X-Forwarded-For, whom it tells
    (CLIENT, CLIENT),
    (f" \t{CLIENT}\t ", CLIENT),
    ("203.0.113.9:61234", CLIENT),
    ("203.0.113.9:_port", CLIENT),
    ("2001:db8::9", "2001:db8::9"),
    ("2001:0DB8:0:0::9", "2001:db8::9"),
    ("[2001:db8::9]", "2001:db8::9"),
    ("[2001:db8::9]:61234", "2001:db8::9"),
    ("fe80::9%eth0", "fe80::9"),
    ("[fe80::9%25eth0]:1", "fe80::9"),
    ("::ffff:203.0.113.9", CLIENT),
    ("[::FFFF:cb00:7109]:80", CLIENT),
    *((entry, None) for entry in (
        "", " ", "unknown", "_hidden", "localhost", "client.example", "*", "-", "null", "203.0.113", "203.0.113.9.1",
        "203.0.113.256", "203.0.113.09", "0xcb.0.113.9", "3405803785", "٢٠٣.0.113.9", "203.0.113.9\n", "203.0.113.9 x",
        "203.0.113.9/32", "203.0.113.9:", "203.0.113.9:999999", "203.0.113.9:80:80", "203.0.113.9%eth0",
        "[203.0.113.9]", "[2001:db8::9", "2001:db8::9]", "[2001:db8::9]x", "[[2001:db8::9]]", "2001:db8::9::1", ":::",
        "12345::", "fe80::9%", "fe80::9%e\0", f'"{CLIENT}"', "http://203.0.113.9", f"for={CLIENT}",
    )),
]  # fmt: skip

ELEMENTS: list[tuple[str, str | None]] = [  # an element of Forwarded, whom it tells
    (f"for={CLIENT}", CLIENT),
    (f"For={CLIENT};Proto=https;By=203.0.113.43", CLIENT),
    (f"proto=https ; FOR={CLIENT}; host=shop.example", CLIENT),
    (f'for="{CLIENT}"', CLIENT),
    (f'for="{CLIENT}:61234"', CLIENT),
    ('for="203.0.113.9:_p.1"', CLIENT),
    (r'for="\2\0\3.0.113.9"', CLIENT),
    ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
    ('for="[2001:DB8::9]";by="_mine"', "2001:db8::9"),
    ('for="[fe80::9%eth0]"', "fe80::9"),
    ('for="[::ffff:203.0.113.9]"', CLIENT),
    (f"for={CLIENT};;", CLIENT),
    *((element, None) for element in (
        "", ";", "for", "for=", 'for=""', "for=unknown", 'for="unknown"', "for=_SEVKISEK", 'for="_gazonk"',
        "by=203.0.113.9", f"xfor={CLIENT}", CLIENT, f"for = {CLIENT}", f"for={CLIENT}:80", "for=[2001:db8::9]",
        "for=2001:db8::9", 'for="2001:db8::9"', f'for="{CLIENT}', f'for={CLIENT}"', f'for="{CLIENT}" x',
        f"for={CLIENT};for={FORGED}", f"for={CLIENT};for=", f"for={CLIENT};proto", f"for={CLIENT};=x",
        f'for={CLIENT};host="a;b"', f'for={CLIENT};x="{"y" * 1024}"', f'for=" {CLIENT}"', f"for='{CLIENT}'",
        f"for={CLIENT}\n",
    )),
]  # fmt: skip
BOTH = [
    pytest.param(tell, entry, address, before, id=f"{kind}-{entry!a}"[:60])
    for kind, tell, entries, before in (
        ("range", RANGE, ENTRIES, FORGED),
        ("count", strategy("rightmost_trusted_count", hops=1), ENTRIES, FORGED),
        ("range 7239", RANGE_7239, ELEMENTS, f"for={FORGED}"),
        ("count 7239", strategy("rightmost_trusted_count", hops=1, header="forwarded"), ELEMENTS, f"for={FORGED}"),
    )
    for entry, address in entries
]


@pytest.mark.parametrize(("tell", "entry", "address", "before"), BOTH)
def test_an_entry_is_an_address_or_ends_it(tell: Tell, entry: str, address: str | None, before: str) -> None:
    """B72."""
    assert by(tell, entry) == address
    assert by(tell, f"{before}, {entry}") == address
    assert by(tell, f"{before},{entry}") == address


def test_proxies_are_passed_over_until_a_stranger() -> None:
    chain = f"{FORGED}, {CLIENT}, [fd00::7]:80, ::ffff:10.0.0.7, 10.9.9.9:1"
    assert by(RANGE, chain) == CLIENT
    assert by(RANGE, chain, "fd00::1%eth0") == CLIENT
    assert by(RANGE, "10.0.0.3, 10.0.0.2") is None, "only proxies"
    for broken in ("unknown", "", "10.0.0.7x"):
        assert by(RANGE, f"{CLIENT}, {broken}, 10.0.0.2") is None


def test_as_many_are_passed_over_as_there_are_proxies() -> None:
    assert by(COUNT, f"{FORGED}, {CLIENT}, 192.0.2.8") == CLIENT
    assert by(COUNT, f"{CLIENT}, 10.0.0.7") == CLIENT
    assert by(COUNT, CLIENT) is None, "too short"
    for broken in ("unknown", "", "192.0.2.8x"):
        assert by(COUNT, f"{FORGED}, {CLIENT}, {broken}") is None


# --- bad inputs by name ---------------------------------------------------------------------------


def test_duplicated_headers_of_64_kb_tell_whom_the_first_trusted_proxy_saw() -> None:
    """B71."""
    forged = ", ".join([FORGED] * 4_200)  # as they arrive: joined in their order
    assert len(forged) > 60_000
    assert by(RANGE, f"{forged}, {CLIENT}, 10.0.0.7") == by(COUNT, f"{forged}, {CLIENT}, 10.0.0.7") == CLIENT
    seven = f"for={forged.replace(', ', ', for=')}, for={CLIENT}, for=10.0.0.7"
    assert by(RANGE_7239, seven) == by(COUNT_7239, seven) == CLIENT
    assert by(SINGLE, f"{FORGED}, {CLIENT}") is None


@pytest.mark.parametrize("hop", [FORGED, "10.0.0.7", "unknown", "", "_x", "[::1]:1", "for=10.0.0.7"])
def test_of_500_hops_few_are_looked_at(hop: str) -> None:
    """B72."""
    for tell in (RANGE, RANGE_7239, COUNT, COUNT_7239):
        read = by(tell, ", ".join([hop] * 500))
        assert read == by(tell, ", ".join([hop] * (MOST_HOPS + 1)))
        assert by(tell, f"{FORGED}, " + ", ".join(["10.0.0.7"] * MOST_HOPS)) in (None, "10.0.0.7")


@pytest.mark.parametrize(
    "text", ["1,", '"', "\\", 'for="\\a', "a=b;", ";", " ", ":", "[", "%", "!", "1.", "for=10.0.0.7,"]
)
@pytest.mark.timeout(60)  # of four megabytes, what is not linear would be at it for days
def test_no_header_takes_long(text: str) -> None:
    """B72."""
    header = text * (4_194_304 // len(text)) + "x"
    for tell in (RANGE, RANGE_7239, COUNT, COUNT_7239, SINGLE):
        by(tell, header)


FORGERIES = [FORGED, f"{FORGED}, 10.0.0.9", f'for="{FORGED}', f'for={FORGED};x="', f"for={FORGED};x=\\", '"', "\\",
",", ";", "unknown", "",
             "10.0.0.9," * 600, f"for={FORGED}", f"{FORGED}\r\nx-forwarded-for: {FORGED}"]  # fmt: skip


@pytest.mark.parametrize("forged", FORGERIES)
def test_what_a_client_writes_changes_nothing(forged: str) -> None:
    """S8."""
    honest = 'for="203.0.113.9:1";proto=https;host="shop.example", for=10.0.0.7'
    for tell, header in (
        (RANGE, f"{CLIENT}, 10.0.0.7"), (COUNT, f"{CLIENT}, 10.0.0.7"), (RANGE_7239, honest), (COUNT_7239, honest),
    ):  # fmt: skip
        assert by(tell, header) == by(tell, f"{forged}, {header}") == by(tell, f"{forged},{header}") == CLIENT
        assert tell({"x-forwarded-for": forged, "forwarded": forged, "x-real-ip": FORGED}, CLIENT) == CLIENT


def test_a_host_in_quotes_forges_no_element() -> None:
    """S8."""
    for host in (
        rf"a,for={FORGED};x=\"",
        f"a,for={FORGED}",
        f"a;for={FORGED}",
        rf"a,for=\"{FORGED}\"",
        rf"a,for={FORGED};x=\"y\"",
    ):
        assert by(RANGE_7239, f'for={CLIENT};host="{host}"') is None


def within(address: str) -> bool:
    return any(ip_address(address) in ip_network(one) for one in TRUSTED)


# --- laws -----------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from('0123456789abfx.:,;"=\\[]% \t_-for') | st.characters(), max_size=60)
V4, V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
MAPPED = V4.map(lambda one: IPv6Address(b"\0" * 10 + b"\xff\xff" + one.packed))
ADDRESSES = st.one_of(
    V4, V6, V6.map(lambda one: one.exploded.upper()), MAPPED, MAPPED.map(lambda one: one.exploded)
).map(str)
XFF_ENTRIES = ADDRESSES | ADDRESSES.map(lambda one: f"[{one}]:80") | st.sampled_from([entry for entry, _ in ENTRIES])
FORWARDED_ENTRIES = (
    ADDRESSES.map(lambda one: f'for="[{one}]:80";proto=https')
    | ADDRESSES.map(lambda one: f'for="{one}"')
    | st.sampled_from([element for element, _ in ELEMENTS])
)
HEADERS = (
    TEXTS
    | st.lists(XFF_ENTRIES | TEXTS, max_size=6).map(", ".join)
    | st.lists(FORWARDED_ENTRIES | TEXTS, max_size=6).map(",".join)
)
PEERS = st.none() | st.just(PROXY) | ADDRESSES | TEXTS
TELLERS = [
    PEER,
    RANGE,
    RANGE_7239,
    COUNT,
    COUNT_7239,
    SINGLE,
    strategy("cloudfront"),
    strategy("fly", trusted=("unix",)),
]


def check(header: str, peer: str | None) -> None:
    for tell in TELLERS:
        for who in (peer, PROXY):
            address = by(tell, header, who)
            if address is not None:
                found = ip_address(address)
                assert str(found) == address
                assert isinstance(found, IPv4Address) or (found.ipv4_mapped is None and found.scope_id is None)


@settings(max_examples=1_000)
@given(HEADERS, PEERS)
@example("", "")
def test_whatever_comes_the_answer_is_a_canonical_address_or_none(header: str, peer: str | None) -> None:
    """B72."""
    check(header, peer)


def test_so_it_is_with_10_000_more_that_nearly_are_right() -> None:
    chance = Random(7239)
    words = [one for one, _ in ENTRIES + ELEMENTS] + [
        *',;"\\[]:%. =',
        "for=",
        "::",
        "%25",
        "10.0.0.7",
        "::ffff:",
        "\0",
        "é",
    ]
    for _ in range(10_000):
        header = chance.choice(["", ", ", ",", ";"]).join(chance.choices(words, k=chance.randrange(8)))
        check(header, chance.choice([None, PROXY, header, chance.choice(words)]))


@pytest.mark.parametrize("text", ["0.0.0.0", "::", "::ffff:0.0.0.0", "0:0:0:0:0:0:0:0", "0.0.0.0:80", "[::]:80"])
def test_what_stands_where_there_is_no_address_is_none(text: str) -> None:
    assert PEER({}, text) is by(SINGLE, text) is by(RANGE, text) is None


@settings(max_examples=300)
@given(ADDRESSES)
def test_every_address_is_read_as_the_one_it_is(text: str) -> None:
    """B78."""
    one = ip_address(text)
    told = str(getattr(one, "ipv4_mapped", None) or one)
    assume(told not in ("0.0.0.0", "::"))
    assert PEER({}, text) == by(SINGLE, text) == told
    assert by(RANGE, FORGED, text) == (FORGED if within(told) else told)


PROXIES = st.lists(st.sampled_from(["10.0.0.7", "10.255.0.1:80", "[fd00::1]:9", "::ffff:10.1.1.1"]), max_size=4)
PROXIES_7239 = st.lists(st.sampled_from(["for=10.0.0.7", 'for="[fd00::1]:9";by=_x', 'for="10.0.0.9:80"']), max_size=4)
FORGING = TEXTS | HEADERS | st.sampled_from(FORGERIES)


@settings(max_examples=300)
@given(FORGING, XFF_ENTRIES, PROXIES, FORWARDED_ENTRIES, PROXIES_7239)
def test_what_stands_before_the_first_stranger_changes_nothing(
    forged: str, entry: str, proxies: list[str], element: str, proxies_7239: list[str]
) -> None:
    for tell, one, client, after in (
        (RANGE, SINGLE, entry, proxies),
        (RANGE_7239, SINGLE_7239, element, proxies_7239),
    ):
        told = by(one, client)
        assume(told is None or not within(told))
        header = ",".join([client, *after])
        assert by(tell, header) == by(tell, f"{forged},{header}") == by(tell, f"{forged}, {header}") == told


@settings(max_examples=300)
@given(FORGING, st.lists(XFF_ENTRIES, min_size=2, max_size=2), st.lists(FORWARDED_ENTRIES, min_size=2, max_size=2))
def test_what_stands_before_those_counted_changes_nothing(forged: str, last: list[str], last_7239: list[str]) -> None:
    for tell, entries in ((COUNT, last), (COUNT_7239, last_7239)):
        header = ",".join(entries)
        assert by(tell, f"{forged},{header}") == by(tell, header)


def test_no_words_trust_nobody() -> None:
    assert trusted_networks(()) == trusted_networks(("unix",)) == ()
