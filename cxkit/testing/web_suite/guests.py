"""What the app answers is what arrives, whatever happens in cxkit."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import itertools
import logging
import os
import random
import re
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from cxkit.codec import encode
from cxkit.kit import install
from cxkit.testing.web_shop import Browser, Reply, Shop, exchanged
from cxkit.testing.web_shop.pages import FILE, still
from cxkit.testing.web_suite.bench import FULL, Bench
from cxkit.testing.web_suite.hostile import HOSTILE

__all__ = ["GuestChecks"]

_UPLOAD_MB: Final = 2_000 if FULL else 64
_STATM: Final = Path("/proc/self/statm")


class GuestChecks(Bench):
    """A guest changes nothing."""

    def test_responses_are_as_they_were(self, shop: Shop) -> None:
        with self.serve(shop.handlers(), None) as port:
            for path in ("/", "/products/1", "/nowhere", "/cached", "/headers", "/hero", "/static/app.js"):
                ours, plain = shop.browser().ask(path), Browser(port).ask(path)
                assert (ours.status, _lasting(ours), ours.body) == (plain.status, _lasting(plain), plain.body)

    def test_streams_come_piece_by_piece(self, shop: Shop) -> None:
        connection, response = shop.browser().open("/stream")
        with connection, response:
            assert response.read(5) == b"first"
            shop.gate.set()
            assert response.read() == b"second"
        (seen,), (viewed,) = shop.named("suite.seen"), shop.named("page.viewed")
        assert seen.context.page == viewed.context.page
        assert viewed.outcome == "completed"

    def test_bodies_are_left_alone(self, shop: Shop) -> None:
        body = random.Random(1).randbytes(1_000_000)
        digest = hashlib.sha256(body).hexdigest().encode()
        assert shop.browser().ask("/digest", method="POST", body=body).body == digest
        assert shop.browser().ask("/ignore", method="POST", body=b"unread").body == b"ignored"

    def test_what_fails_in_us_changes_nothing(self) -> None:
        class Broken:
            remote = False

            def __getattr__(self, name: str) -> Any:
                raise RuntimeError("this store is broken")

        with self.opened(strict=False, store=Broken()) as shop:
            browser = shop.browser()
            assert browser.ask("/allow", method="POST").status == 200
            for path, status in (("/", 200), ("/hero", 200), ("/nowhere", 404), ("/broken", 500)):
                assert browser.ask(path).status == status

    def test_files_are_sent_as_they_are(self, shop: Shop) -> None:
        asked = (b"", b"Range: bytes=2-5\r\n", b"If-None-Match: *\r\n")
        with self.serve(shop.handlers(), None) as port:
            for method, header in itertools.product((b"GET", b"HEAD"), asked):
                request = b"%s /file HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n" % (method, header)
                assert exchanged(shop.port, request) == exchanged(port, request) != b"", request
        whole = shop.browser().ask("/file")
        assert (whole.status, whole.body) == (200, FILE.read_bytes())

    def test_an_upload_that_nobody_reads_is_not_waited_for(self, shop: Shop) -> None:
        if self.waits_for_bodies:
            pytest.skip("this framework waits for the body itself")
        head = b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n"
        with socket.create_connection(("127.0.0.1", shop.port), timeout=self.patience_s) as client:
            client.sendall(head + bytes(1000))
            assert client.recv(65_536).split(b" ")[1] == b"200"

    def test_an_upload_takes_no_memory(self, shop: Shop) -> None:
        """Not more than the app itself takes."""
        if not _STATM.exists():
            pytest.skip("this machine does not say how much memory is in use")
        piece, between = random.Random(4).randbytes(1_000_000), b"\r\n--between"
        first = between[2:] + b'\r\nContent-Disposition: form-data; name="f"; filename="canary"\r\n\r\n'
        last, digest = between + b"--\r\n", hashlib.sha256()
        for part in (first, *[piece] * _UPLOAD_MB, last):
            digest.update(part)
        headers = {"Content-Type": "multipart/form-data; boundary=between",
                   "Content-Length": str(len(first) + len(last) + len(piece) * _UPLOAD_MB)}  # fmt: skip
        grown = []
        with self.serve(shop.handlers(), None) as plain:
            for port in (plain, shop.port):
                body = itertools.chain([first], itertools.repeat(piece, _UPLOAD_MB), [last])
                with _memory() as taken:
                    reply = Browser(port, patience_s=600).ask("/upload", method="POST", headers=headers, body=body)
                assert reply.body == digest.hexdigest().encode()
                grown.append(max(taken) - taken[0])
        assert grown[1] <= grown[0] + _UPLOAD_MB * 1_000_000 // 3
        assert not any(b"canary" in encode(one) for one in shop.settled())

    # --- over a bare socket ---

    def test_the_bytes_on_the_wire_are_the_same(self, shop: Shop) -> None:
        """B71, B72."""
        with self.serve(shop.handlers(), None) as port:
            for name, request in HOSTILE.items():
                plain = exchanged(port, request, patience_s=self.patience_s)
                ours = exchanged(shop.port, request, patience_s=self.patience_s)
                assert _without_ours(ours)[0] == plain != b"", name
        for one in shop.settled():
            assert not one.identity
            assert b"canary" not in encode(one)

    def test_all_that_is_added_is_two_cookies(self, shop: Shop) -> None:
        browser = shop.browser()
        assert len(browser.ask("/allow", method="POST").all("set-cookie")) == 2
        cookie = b"Cookie: cxkit_consent=" + browser.cookies["cxkit_consent"].encode()
        with self.serve(shop.handlers(), None) as port:
            for path, added in (
                (b"/", 1),
                (b"/headers", 1),
                (b"/products/1", 1),
                (b"/nowhere", 0),
            ):  # a 404 may be kept
                request = b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\nConnection: close\r\n\r\n" % (path, cookie)
                ours = _without_ours(exchanged(shop.port, request))
                assert ours == (exchanged(port, request), added), (path, ours)

    def test_installed_twice_it_is_there_once(self) -> None:
        self.times = 2
        with self.opened() as shop:
            browser = shop.browser()
            assert len(browser.ask("/allow", method="POST").all("set-cookie")) == 2
            browser.ask("/products/1")
            assert browser.ask("/hero").all("vary") == ["Cookie"]
            assert [one.name for one in shop.settled()].count("page.viewed") == 3

    def test_removed_it_leaves_no_trace(self) -> None:
        def plain() -> list[bytes]:
            with self.serve(still(), None) as port:
                return [exchanged(port, request) for request in HOSTILE.values()]

        before = install(None)
        try:
            told, traces = plain(), _traces()  # before anything of ours: what is set once is noticed, too
            with self.opened() as shop:
                install(shop.kit)
                assert plain() == told
                shop.browser().ask("/allow", method="POST")
                shop.named("page.viewed")
                assert plain() == told
                assert [one.name for one in shop.settled()].count("page.viewed") == 1
            assert not _traces() - traces
            assert not [one for one in traces if str(getattr(one, "__module__", "")).startswith("cxkit")], (
                "since earlier"
            )
        finally:
            install(before)


def _lasting(reply: Reply) -> list[tuple[str, str]]:
    return [pair for pair in reply.headers if pair[0].lower() != "date"]


def _without_ours(response: bytes) -> tuple[bytes, int]:
    """Without the two documented cookies, and how many of them there were."""
    return re.subn(rb"(?im)^set-cookie: *cxkit_(?:consent|visitor)=[^\r]*\r\n", b"", response)


def _traces() -> Counter[object]:
    """What a guest could leave behind in the process."""
    loggers = [logging.getLogger(), *(one for one in map(logging.getLogger, logging.root.manager.loggerDict))]
    signals = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    hooks = [sys.excepthook, threading.excepthook, sys.gettrace(), sys.getprofile(), *sys.meta_path, *gc.callbacks]
    return Counter([*hooks, *signals, *[type(handler) for one in loggers for handler in one.handlers]])


@contextmanager
def _memory() -> Iterator[list[int]]:
    """How many bytes the process has, from time to time until the block ends.

    What was freed before goes back first: else what is taken is taken from that, and nothing grows.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    taken, page, stop = [], os.sysconf("SC_PAGE_SIZE"), threading.Event()

    def look() -> None:
        taken.append(int(_STATM.read_text().split()[1]) * page)

    def watch() -> None:
        while not stop.wait(0.005):
            look()

    look()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield taken
    finally:
        stop.set()
        thread.join()
