"""POST {mount}/place: a page of the site tells where its device is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import cxkit
from cxkit.testing import RecordingExporter
from cxkit.web import WSGIMiddleware

POINTS = {
    "stores": [{"id": "lyon-2", "latitude": 45.757, "longitude": 4.832}],
    "fences": [{"name": "bellecour", "latitude": 45.76, "longitude": 4.84, "radius_m": 300.0}],
    "iptocc": False,
}
OURS = {"sec-fetch-site": "same-origin", "origin": "https://shop.example"}
BODY = json.dumps({"latitude": 45.7601, "longitude": 4.8402, "accuracy": 15.5}).encode()


def pages(environ: Any, start: Any) -> Iterator[bytes]:
    if environ["PATH_INFO"] == "/allow":
        cxkit.grant("precise_location", "analytics")
    start("200 OK", [("Content-Type", "text/plain")])
    return iter([b"ok"])


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter(purposes=frozenset({"analytics"}))


@pytest.fixture
def browse(kit: Callable[..., cxkit.Kit], visitor: Any, exporter: RecordingExporter) -> Callable[..., Any]:
    def opened(*, allowed: bool = True, geo: Any = POINTS, strict: bool = False, **tables: Any) -> Any:
        shop = kit(geo=geo, exporter=exporter, strict=strict, **tables)
        browser = visitor(WSGIMiddleware(pages, kit=shop))
        browser.kit = shop
        if allowed:
            browser.ask("/allow")
        return browser

    return opened


def told(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, Any]:
    return answer[0], json.loads(answer[2])


def test_the_store_and_the_fences_are_answered_and_captured(browse: Any, exporter: RecordingExporter) -> None:
    browser = browse()
    answer = browser.ask("/cx/place", body=BODY, headers=OURS)
    assert told(answer) == (200, {"store": "lyon-2", "fences": ["bellecour"]})
    assert answer[1]["cache-control"] == "private, no-store"
    assert browser.kit.flush().complete
    (located,) = [one for one in exporter.interactions if one.name == "place.located"]
    assert located.context.place is not None
    assert (located.context.place.store, located.context.place.latitude) == ("lyon-2", None)
    assert located.properties == {}


def test_without_consent_it_is_refused_and_counted(browse: Any) -> None:
    browser = browse(allowed=False)
    status, said = told(browser.ask("/cx/place", body=BODY, headers=OURS))
    assert (status, said["error"]["code"]) == (403, "CX9104")
    assert browser.kit.account().blocked == {"capture:precise_location:undecided:position": 1}


@pytest.mark.parametrize(("asked", "fix"), [((), "add precise_location to web.asked"), (("precise_location",), "page")])
def test_the_fix_names_the_setting_where_nothing_asks_for_it(asked: tuple[str, ...], fix: str, browse: Any) -> None:
    browser = browse(allowed=False, web={"asked": [*asked]})
    said = told(browser.ask("/cx/place", body=BODY, headers=OURS))[1]["error"]
    assert (said["code"], fix in said["fix"]) == ("CX9104", True)


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
def test_another_sites_page_cannot(headers: dict[str, str], browse: Any) -> None:
    status, said = told(browse().ask("/cx/place", body=BODY, headers=headers))
    assert (status, said["error"]["code"]) == (403, "CX3170")


def test_a_robot_cannot(browse: Any) -> None:
    headers = {**OURS, "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
    status, said = told(browse().ask("/cx/place", body=BODY, headers=headers))
    assert (status, said["error"]["code"]) == (403, "CX3180")
    assert "choose" not in said["error"]["what"] + said["error"]["fix"]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"\xff", b'{"latitude": "45.7", "longitude": 4.8}', b'{"latitude": 45.7}',
     b'{"latitude": NaN, "longitude": 1}', b'{"latitude": 91, "longitude": 1}', b'{"latitude": 0, "longitude": 0}',
     b'{"latitude": 1e999, "longitude": 1}', b'{"latitude": 45, "longitude": 4, "accuracy": -5}', b"[" * 1000],
)  # fmt: skip
def test_what_is_no_position_is_refused(body: bytes, strict: bool, browse: Any) -> None:
    assert told(browse(strict=strict).ask("/cx/place", body=body, headers=OURS))[0] == 400


def test_a_form_and_a_long_body_are_refused(browse: Any) -> None:
    browser = browse()
    form = {**OURS, "content-type": "application/x-www-form-urlencoded"}
    assert browser.ask("/cx/place", body=b"latitude=45&longitude=4", headers=form)[0] == 400
    assert browser.ask("/cx/place", body=b" " * 2000 + BODY, headers=OURS)[0] == 413


def test_too_many_from_one_address_wait(browse: Any) -> None:
    browser = browse()
    answers = [browser.ask("/cx/place", body=BODY, headers=OURS)]
    while answers[-1][0] == 200 and len(answers) < 5000:  # a few are allowed again while this goes on
        answers.append(browser.ask("/cx/place", body=BODY, headers=OURS))
    assert len(answers) > 600
    assert (answers[-1][0], answers[-1][1]["retry-after"]) == (429, "60")
    assert browser.kit.intake.noted["endpoint_limited.geo"] == 1


def test_where_there_is_nothing_to_find_nothing_is_mounted(browse: Any) -> None:
    assert browse(geo={"iptocc": False}).ask("/cx/place", body=BODY, headers=OURS)[0] != 429
    assert browse(geo={"iptocc": False}).ask("/cx/place", body=BODY, headers=OURS)[2] == b"ok", "the app's own"
