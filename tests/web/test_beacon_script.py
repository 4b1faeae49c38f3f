"""cx.js as it is served, and the tag that loads it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.model import PURPOSES
from cxkit.settings import Consent, Web
from cxkit.testing import FakeClock
from cxkit.web.beacon import beacon_tag
from tests.web.beacon import NO_BODY
from tests.web.minified import minified

STATIC = Path(cxkit.__file__).parent / "web" / "beacon"
VERSION = hashlib.sha384((STATIC / "cx.min.js").read_bytes()).hexdigest()[:16]


def test_the_script_is_served_for_any_cache_to_keep(shop: Any) -> None:
    sent = shop().ask("/cx/cx.js", received=NO_BODY)
    assert sent.messages[0]["status"] == 200
    assert sent.messages[1]["body"] == (STATIC / "cx.min.js").read_bytes()
    assert sent.all("content-type") == ["text/javascript; charset=utf-8"]
    assert sent.all("cache-control") == ["public, max-age=3600"]
    assert sent.all("x-content-type-options") == ["nosniff"]
    (tag,) = sent.all("etag")
    assert tag == f'"{VERSION}"'
    for held, expected in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200), (tag[:-2] + '"', 200)):
        again = shop().ask("/cx/cx.js", headers=[(b"if-none-match", held.encode())], received=NO_BODY)
        assert again.messages[0]["status"] == expected
        assert again.all("etag") == [tag]


def test_the_script_brings_no_cookies(visitor: Any, clock: FakeClock) -> None:
    clock.advance(40 * 86_400)  # they would be renewed
    assert not visitor.ask("/cx/cx.js", received=NO_BODY).cookies


def test_what_is_served_is_what_the_minifier_makes_of_the_source() -> None:
    assert minified((STATIC / "cx.js").read_text("utf-8")) == (STATIC / "cx.min.js").read_text("utf-8")


def test_it_is_small() -> None:
    served = (STATIC / "cx.min.js").read_bytes()
    assert len(served) <= 3500
    assert len(gzip.compress(served, 9, mtime=0)) <= 1800


def test_it_uses_nothing_that_a_strict_policy_forbids_or_a_person_would_mind() -> None:
    source = (STATIC / "cx.min.js").read_text("utf-8")
    forbidden = ["eval(", "Function(", "innerHTML", ".style", "Storage", "indexedDB", "cookie=", "unload", "import("]
    personal = [
        ".value",
        "textContent",
        "innerText",
        ".search",
        ".hash",
        "location.href",
        "referrer",
        ".title",
        "userAgent",
    ]
    assert not [word for word in forbidden + personal if word in source]


def test_analytics_is_where_the_script_looks_for_it() -> None:
    assert PURPOSES.index("analytics") == 2


def test_the_tag_asks_for_another_address_as_soon_as_the_script_is_another_one(
    make: Any, as_default: Any, shop: Any
) -> None:
    """Else the one that a cache still has would not be of the tag's digest."""
    with as_default(make().kit):
        path, _, query = re.findall('src="([^"]*)"', beacon_tag(integrity=True))[0].partition("?")
    assert query == f"v={VERSION}"
    sent = shop().ask(path, query_string=query.encode(), received=NO_BODY)
    assert hashlib.sha384(sent.messages[1]["body"]).hexdigest()[:16] == VERSION


def test_the_tag_knows_the_route_and_where_it_is_mounted(client: Any, kept: Any) -> None:
    tags: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tags.append(beacon_tag())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wrapped = cxkit.web.ASGIMiddleware(app, kit=kept.kit, route=lambda scope: "/<a>/{b}")  # type: ignore[attr-defined]
    client(wrapped).ask("/shop/x/1", root_path="/shop")
    assert tags == [
        f'<script src="/shop/cx/cx.js?v={VERSION}" defer data-route="/&lt;a&gt;/{{b}}" data-before="send"></script>'
    ]


@pytest.mark.parametrize(
    ("settings", "given", "expected"),
    [
        ({}, {}, 'src="/cx/cx.js" defer data-before="send"'),
        ({"consent": Consent(before_choice="hold")}, {}, 'src="/cx/cx.js" defer data-before="hold"'),
        ({"consent": Consent(before_choice="drop")}, {}, 'src="/cx/cx.js" defer data-before="drop"'),
        ({"consent": Consent(before_choice="hold", policy="us")}, {}, 'src="/cx/cx.js" defer data-before="send"'),
        ({"consent": Consent(before_choice="hold", policy="regional")}, {}, 'src="/cx/cx.js" defer data-before="hold"'),
        ({"web": Web(cookie_prefix="shop")}, {}, 'src="/cx/cx.js" defer data-before="send" data-cookie="shop_consent"'),
        ({"web": Web(mount="/_/cx")}, {}, 'src="/_/cx/cx.js" defer data-before="send"'),
        (
            {},
            {"views": "all", "nonce": 'a"b'},
            'src="/cx/cx.js" defer data-before="send" data-views="all" nonce="a&quot;b"',
        ),
        ({}, {"route": "/p/{sku}"}, 'src="/cx/cx.js" defer data-route="/p/{sku}" data-before="send"'),
    ],
)
def test_the_tag_follows_the_settings(make: Any, as_default: Any, settings: Any, given: Any, expected: str) -> None:
    assert current_scope() is None
    with as_default(make(settings).kit):
        tag = beacon_tag(**given)
    expected = expected.replace("cx.js", f"cx.js?v={VERSION}")
    assert tag == tag.__html__() == f"<script {expected}></script>"


def test_without_a_mount_there_is_no_tag(make: Any, as_default: Any) -> None:
    with as_default(make({"web": Web(mount="")}).kit):
        assert beacon_tag() == ""


def test_integrity_is_that_of_what_is_served(make: Any, as_default: Any) -> None:
    digest = base64.b64encode(hashlib.sha384((STATIC / "cx.min.js").read_bytes()).digest()).decode()
    with as_default(make().kit):
        assert f'integrity="sha384-{digest}" crossorigin="anonymous"' in beacon_tag(integrity=True)


def test_where_nothing_can_be_configured_there_is_no_tag(tmp_path: Path) -> None:
    (tmp_path / "cxkit.toml").write_text("durability = 'never'", "utf-8")
    asked = "from cxkit.web.beacon import beacon_tag; print(repr(beacon_tag()))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "''\n"
