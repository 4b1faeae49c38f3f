"""Whatever comes as a header: facts and an answer come of it, no exception, and nobody is recognised."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxkit.settings import ClientIP
from cxkit.web.actor import actor_of
from cxkit.web.caching import audience, for_one_visitor
from cxkit.web.client_ip import client_ip_strategy
from cxkit.web.cookies import choices_from_text, cookie_names, read_cookies
from cxkit.web.facts import FactsReader
from cxkit.web.origin import same_origin

NAMES = cookie_names("cxkit", secure=False)
FUZZ = settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))

names = st.sampled_from(
    [b"host", b"cookie", b"origin", b"x-forwarded-for", b"forwarded", b"sec-gpc", b"sec-purpose", b"user-agent",
     b"sec-fetch-site", b"content-length", b"content-encoding", b"accept-language", b""]
) | st.binary(max_size=12)  # fmt: skip
pieces = st.sampled_from(
    [b"cxkit_visitor=", b"cxkit_consent=", b"1:2g1:3dff", b"A" * 22, b".", b";", b",", b"=", b'"', b" ", b"for=",
     b"[::1]",
     b"192.0.2.1", b"\x00", b"\r\n", b"\xff", b"unknown", b"https://", b"@", b":443", b"1", b"_secret"]
)  # fmt: skip
values = st.lists(pieces | st.binary(max_size=16), max_size=12).map(b"".join)
headers = st.lists(st.tuples(names.map(bytes.lower), values), max_size=12)


def reader() -> FactsReader:
    strategy = client_ip_strategy(ClientIP(strategy="rightmost_trusted_range", trusted=("192.0.2.0/24",)))
    return FactsReader(cookie_names=lambda scheme: NAMES, client_ip=strategy, cookies=("ajs_anonymous_id",))


READER = reader()


@FUZZ
@given(headers, st.binary(max_size=20), st.text(max_size=20))
def test_facts_come_of_any_headers(raw: list[tuple[bytes, bytes]], query: bytes, path: str) -> None:
    """B71."""
    scope = {"type": "http", "path": path, "query_string": query, "headers": raw, "client": ("192.0.2.9", 1)}
    facts = READER.asgi(scope)
    assert not {"cookie", "authorization"} & {name.lower() for name in facts.headers}
    assert {*facts.cookies} <= {*NAMES, "ajs_anonymous_id"}
    environ: dict[str, Any] = {"PATH_INFO": path.encode().decode("latin-1"), "REMOTE_ADDR": "192.0.2.9"}
    for name, value in raw:
        environ["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
    same = READER.wsgi(environ)
    assert same.path == path.encode("utf-8", "replace").decode() or not path.isprintable()
    for one in (facts, same):
        same_origin(one, allowed=["https://shop.example"])
        assert actor_of(one.headers) in ("bot", "prefetch", "unknown")
        assert len(one.headers) == len(list(one.headers))


@FUZZ
@given(values, headers)
def test_cookies_and_caches_take_any_text(header: bytes, answer: list[tuple[bytes, bytes]]) -> None:
    for value in read_cookies(header.decode("latin-1"), NAMES).values():
        choices_from_text(value)
    assert audience(answer) in ("shared", "unsaid", "one")
    assert audience(for_one_visitor(answer)) == "one"
