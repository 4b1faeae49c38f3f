"""URLs, header fields and addresses: what is taken apart, and what is refused."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import AddressRefusedError, ConfigurationError
from cxkit.settings import Secret
from cxkit.transport import Transport, check_field, check_headers, is_public, judge, origin_of

CANARY = "hunter2-canary"


# --- Addresses ------------------------------------------------------------------------------------

NOT_PUBLIC = [
    *(
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
    ),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1"),
    *(
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
    ),
    *("3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public(address: str) -> None:
    """S6: private, loopback, link-local, mapped, translated and tunnelled."""
    assert not is_public(address)
    transport = Transport(allow_private=False, resolver=lambda host: ["93.184.215.14", address])
    with pytest.raises(AddressRefusedError) as caught:
        transport.request("POST", "http://webhook.test/", deadline_s=5.0)
    assert judge(caught.value) == ("pause", "address_refused", None)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8"])
def test_an_address_that_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_maps(address: ipaddress.IPv4Address) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))


@given(st.ip_addresses(v=6))
def test_public_is_never_wider_than_what_python_calls_global(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)):
        assert address.is_global


# --- URLs and header fields -----------------------------------------------------------------------

MALFORMED = [
    *(
        "",
        "collector.example",
        "/in",
        "ftp://h/",
        "ws://h:80/",
        "http://",
        "http:///x",
        "http://:80/",
        "http://h:x/",
    ),
    *(
        "http://h:99999/",
        "http://h /",
        "http://h/a b",
        "http://h/\r\nX: 1",
        "http://h/\t",
        "http://h\\@x/",
        "http://[::1/",
    ),
    *("http://h/\u00e9", "http://a_b!c/", "http://h\x00/", f"http://{'a' * 70}\u00e9.example/"),
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url(transport: Transport, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        transport.request("GET", url, deadline_s=1.0)
    assert caught.value.code == "CX1051"


def test_a_malformed_url_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        origin_of(f"https//someone:{CANARY}@collector.example")
    assert CANARY not in str(caught.value)


@given(st.text())
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        origin = origin_of(text)
    except ConfigurationError:
        return
    assert origin.startswith(("http://", "https://"))


@given(st.from_regex(r"[!-~]{1,20}", fullmatch=True), st.from_regex(r"[!-~]{1,20}", fullmatch=True))
def test_an_origin_shows_no_credentials(user: str, password: str) -> None:
    url = f"https://{quote(user, safe='')}:{quote(password, safe='')}@collector.example/{quote(password)}"
    assert origin_of(url) == "https://collector.example:443"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTP://Shop.Example", "http://shop.example:80"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example:80"),
        ("https://[2606:2800::1]:8443/x", "https://[2606:2800::1]:8443"),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "\u00e9"])
def test_a_header_name_cannot_break_out(name: str) -> None:
    with pytest.raises(ConfigurationError):
        check_field(name, "1")


@given(st.text())
def test_a_header_value_cannot_break_out(value: str) -> None:
    allowed = all(" " <= letter <= "~" or letter == "\t" or "\x80" <= letter <= "\xff" for letter in value)
    if allowed:
        check_field("x", value)
    else:
        with pytest.raises(ConfigurationError):
            check_field("x", value)


@pytest.mark.parametrize(("name", "code"), [("Content-Type", "CX1054"), ("a b", "CX1052"), ("Authorization", None)])
def test_headers_of_a_setting_are_sound_and_not_what_is_set_anyway(name: str, code: str | None) -> None:
    headers = {"X-First": Secret("1"), name: Secret(CANARY)}
    if code is None:
        check_headers(headers, own={"content-type"})
        return
    with pytest.raises(ConfigurationError, match=code) as wrong:
        check_headers(headers, own={"content-type"})
    assert CANARY not in str(wrong.value)
