"""Nothing of a request is kept that nobody asked for."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cxkit.codec import encode
from cxkit.exporters.local import LocalExporter
from cxkit.exporters.local import Settings as LocalSettings
from cxkit.testing.web_shop import Browser
from cxkit.testing.web_suite.bench import Bench

__all__ = ["PrivacyChecks"]

_HEADERS: Final = (
    "User-Agent", "Referer", "X-Canary", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "X-Client-IP",
    "CF-Connecting-IP", "CF-IPCountry", "True-Client-IP", "Fastly-Client-IP", "Forwarded", "Via", "From", "Origin",
    "Authorization", "Proxy-Authorization", "X-Api-Key", "X-CSRF-Token", "X-User-Id", "X-Request-Id", "X-Amzn-Trace-Id",
    "Accept", "Accept-Language", "If-None-Match", "Sec-CH-UA", "Sec-CH-UA-Model", "DNT", "Sec-GPC", "Content-Type",
)  # fmt: skip
"""Thirty; besides path, query, host, cookies and body."""


class PrivacyChecks(Bench):
    """Collected is what is listed, and no more."""

    def test_nothing_of_a_request_is_kept_but_its_route(self) -> None:
        """S9: Not in the spool, the store, the local file, the logs; not before a choice, and not after it."""
        with tempfile.TemporaryDirectory() as folder, _logged() as logged:
            directory = Path(folder)
            local = _Local(LocalSettings(path=directory / "local.db"))
            with self.opened(strict=False, directory=directory, exporters={"local": local}) as shop:
                for allows in (False, True):
                    browser = shop.browser()
                    if allows:
                        browser.ask("/allow", method="POST")
                    self._secrets(browser)
                shop.named("page.viewed", count=13)
                captured = shop.all()
                noted, files = repr(shop.kit.intake.noted), _files(directory)
            files += _files(directory)
        kept = [*files, *map(encode, captured), noted.encode(), logged.getvalue().encode()]
        for one in kept:
            assert b"canary" not in one, one[max(0, one.find(b"canary") - 200) :][:300]
            assert b"127.0.0.1" not in one
            assert b"198.51.100.7" not in one
        assert any(b"/fails/{name}" in one for one in files), "something is kept"

    @staticmethod
    def _secrets(browser: Browser) -> None:
        browser.cookies |= {"canary": "canary", "sessionid": "canary"}
        headers = {name: f"canary-{number}" for number, name in enumerate(_HEADERS)}
        addresses = dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP"), "198.51.100.7")
        for path in (
            "/within/rooms/canary?token=canary",
            "/canary/canary;canary?canary",
            "/canary/about",
            "/fails/canary",
        ):
            browser.ask(path, headers=headers)
        browser.ask("/fails/canary", headers={**addresses, "Host": "canary.example"})
        body = b'--canary\r\nContent-Disposition: form-data; name="canary"; filename="canary"\r\n\r\ncanary'
        browser.ask(
            "/digest", method="POST", body=body, headers={"Content-Type": "multipart/form-data; boundary=canary"}
        )


def _files(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


class _Local(LocalExporter):
    purposes = frozenset({"necessary"})


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    """What cxkit logs, at any level, with the stacks."""
    said, logger = io.StringIO(), logging.getLogger("cxkit")
    handler, level = logging.StreamHandler(said), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
