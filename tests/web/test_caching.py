"""What a response says to caches, and how it is kept for one visitor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.web.caching import audience, for_one_visitor

Pairs = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (b"public", "shared"),
        (b"Public, max-age=0", "shared"),
        (b"public, no-cache", "shared"),
        (b"s-maxage=5", "shared"),
        (b"max-age=60", "shared"),
        (b"MAX-AGE = 60", "shared"),
        (b"max-age=0, must-revalidate", "unsaid"),
        (b"no-cache", "unsaid"),
        (b"max-age=60, no-cache", "unsaid"),
        (b"no-cache, stale-while-revalidate=60", "shared"),
        (b"max-age=0, Stale-If-Error = 60", "shared"),
        (b"private, stale-if-error=60", "one"),
        (b"public-ish, x-public, privately", "unsaid"),
        (b'x="public, private"', "unsaid"),
        (b"private", "one"),
        (b"max-age=60,PRIVATE", "one"),
        (b"public, no-store", "one"),
        (b'private="set-cookie", max-age=60', "shared"),
        (b"", "unsaid"),
        (b",,;\xff=", "unsaid"),
    ],
)
def test_cache_control(control: bytes, expected: str) -> None:
    assert audience([(b"Cache-Control", control)]) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "unsaid"),
        ([(b"expires", b"Thu, 01 Dec 2044 16:00:00 GMT")], "shared"),
        ([(b"expires", b"0")], "unsaid"),
        ([(b"expires", b" -1 ")], "unsaid"),
        ([(b"expires", b"Thu, 01 Dec 1994 16:00:00 GMT"), (b"cache-control", b"no-cache")], "unsaid"),
        ([(b"cache-control", b"max-age=60"), (b"cache-control", b"private")], "one"),
        ([(b"cdn-cache-control", b"max-age=60"), (b"cache-control", b"private")], "shared"),
        ([(b"Vercel-CDN-Cache-Control", b"no-store"), (b"cache-control", b"private")], "one"),
        ([(b"surrogate-control", b"max-age=60")], "shared"),
        ([(b"x-accel-expires", b"60")], "shared"),
        ([(b"x-accel-expires", b"0")], "unsaid"),
        ([(b"X-LiteSpeed-Cache-Control", b"public,max-age=600")], "shared"),
        ([(b"x-litespeed-cache-control", b"no-cache")], "unsaid"),
        ([(b"Edge-Control", b"!no-store, max-age=1d"), (b"cache-control", b"private")], "shared"),
        ([(b"edge-control", b"no-store")], "unsaid"),
        ([(b"last-modified", b"Thu, 01 Dec 1994 16:00:00 GMT"), (b"etag", b'"x"')], "shared"),
        ([(b"last-modified", b"Thu, 01 Dec 1994 16:00:00 GMT"), (b"cache-control", b"no-cache")], "shared"),
        ([(b"last-modified", b"Thu, 01 Dec 1994 16:00:00 GMT"), (b"cache-control", b"max-age=0")], "shared"),
        ([(b"ETag", b'W/"x"')], "shared"),
        ([(b"etag", b'"x"'), (b"cache-control", b"no-cache, max-age=0"), (b"expires", b"0")], "shared"),
        ([(b"etag", b'"x"'), (b"cache-control", b"private, no-cache")], "one"),
        ([(b"last-modified", b"Thu, 01 Dec 1994 16:00:00 GMT"), (b"cache-control", b"must-revalidate")], "shared"),
        ([(b"last-modified", b"Thu, 01 Dec 1994 16:00:00 GMT"), (b"cache-control", b"no-store")], "one"),
    ],
)
def test_other_headers(headers: Pairs, expected: str) -> None:
    assert audience(headers) == expected


@pytest.mark.parametrize(
    ("status", "control", "expected"),
    [
        (200, None, "unsaid"),
        (302, None, "unsaid"),
        (500, None, "unsaid"),
        *((status, None, "shared") for status in (300, 301, 308, 404, 405, 410, 414, 501)),
        (301, b"no-cache", "unsaid"),
        (301, b"private", "one"),
        (404, b"no-store", "one"),
    ],
)
def test_what_a_status_says_to_be_so_for_good_is_kept(status: int, control: bytes | None, expected: str) -> None:
    headers = [] if control is None else [(b"cache-control", control)]
    assert audience(headers, status=status) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [(b"cache-control", b"private"), (b"vary", b"Cookie")]),
        (
            [(b"Cache-Control", b"public, max-age=6"), (b"a", b""), (b"Vary", b"Accept")],
            [(b"Cache-Control", b"max-age=6, private"), (b"a", b""), (b"Vary", b"Accept, Cookie")],
        ),
        (
            [(b"cache-control", b"s-maxage=9, no-cache"), (b"cache-control", b"private, no-store")],
            [(b"cache-control", b"no-cache, no-store, private"), (b"vary", b"Cookie")],
        ),
        (
            [(b"cache-control", b'private="x, y", no-cache="set-cookie, z"'), (b"vary", b"COOKIE")],
            [(b"cache-control", b'no-cache="set-cookie, z", private'), (b"vary", b"COOKIE")],
        ),
        ([(b"vary", b"*")], [(b"vary", b"*"), (b"cache-control", b"private")]),
        (
            [(b"vary", b"Accept"), (b"vary", b"Origin, cookie")],
            [(b"vary", b"Accept"), (b"vary", b"Origin, cookie"), (b"cache-control", b"private")],
        ),
        (
            [(b"vary", b"Accept"), (b"x", b""), (b"vary", b"Origin")],
            [(b"vary", b"Accept, Origin, Cookie"), (b"x", b""), (b"cache-control", b"private")],
        ),
        (
            [(b"CDN-Cache-Control", b"max-age=6"), (b"surrogate-control", b"x"), (b"x-accel-expires", b"6")],
            [(b"CDN-Cache-Control", b"no-store"), (b"surrogate-control", b"no-store"),
             (b"x-accel-expires", b"0"), (b"cache-control", b"private"), (b"vary", b"Cookie")],
        ),
    ],
)  # fmt: skip
def test_for_one_visitor(before: Pairs, after: Pairs) -> None:
    assert for_one_visitor(before) == after


NAMES = st.sampled_from([b"cache-control", b"Cache-Control", b"vary", b"expires", b"cdn-cache-control", b"set-cookie"])
VALUES = st.binary(max_size=30) | st.sampled_from([b"public", b"private", b"*", b"Cookie", b"max-age=9", b'x="'])


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_whatever_it_said_it_is_for_one_then(headers: Pairs) -> None:
    changed = for_one_visitor(headers)
    assert audience(changed) == "one"
    assert for_one_visitor(changed) == changed, "doing it twice is doing it once"
    varies = b",".join(value for name, value in changed if name == b"vary").lower()
    assert {b"cookie", b"*"} & {part.strip() for part in varies.split(b",")}
    untouched = [pair for pair in headers if pair[0] in (b"expires", b"set-cookie")]
    assert [pair for pair in changed if pair[0] in (b"expires", b"set-cookie")] == untouched
