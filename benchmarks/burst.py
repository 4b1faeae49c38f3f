"""50,000 interactions in one go, through the spool to an HTTP receiver in another process."""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.event import ITEM_ADDED, Floor, make_kit, make_scope, properties, whole
from benchmarks.pairs import Row, rated, table
from cxkit.codec import BATCH_CONTENT_TYPE, encode_batch
from cxkit.exporters.http import HTTPExporter
from cxkit.exporters.http import Settings as HTTPSettings

__all__ = ["run"]

BATCH = 500

SINK = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print("http://127.0.0.1:%d/" % server.server_port, flush=True)
server.serve_forever()
"""


def run(*, quick: bool) -> str:
    count = 5_000 if quick else 50_000
    sink = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
    try:
        assert sink.stdout is not None
        url = sink.stdout.readline().strip()
        assert re.match(r"http://127\.0\.0\.1:\d+/$", url)
        rates: dict[str, list[float]] = {"floor": [], "cxkit": []}
        costs: dict[str, list[float]] = {"floor": [], "cxkit": []}
        lost = 0
        for _ in range(2 if quick else 7):
            for name, burst in (("floor", _floor), ("cxkit", _cxkit)):
                wall, cpu = time.perf_counter(), time.process_time()
                lost += burst(url, count)
                rates[name].append(count / (time.perf_counter() - wall))
                costs[name].append((time.process_time() - cpu) / count * 1e6)
    finally:
        sink.terminate()
        sink.wait()
    rows = [
        rated("floor: build, encode, http.client, 500 a request", rates["floor"], rates["floor"], "/s"),
        rated("cxkit: capture, spool, lane, http exporter", rates["cxkit"], rates["floor"], "/s"),
        Row(name="floor: CPU of the process", value=statistics.median(costs["floor"]), unit="us each"),
        Row(name="cxkit: CPU of the process, all threads", value=statistics.median(costs["cxkit"]), unit="us each"),
    ]
    note = (
        f"{count:,} interactions with default settings; lost {lost}. Budget: 0.6 of the floor, 15 us each, none lost."
    )
    return table("A burst, end to end", note, rows)


def _floor(url: str, count: int) -> int:
    kit = make_kit(None)
    kit.intake._running = True
    floor = Floor(whole(kit, make_scope(kit)))
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    for start in range(0, count, BATCH):
        for number in range(start, start + BATCH):
            floor(number)
        connection.request("POST", "/", encode_batch(floor.kept), {"content-type": BATCH_CONTENT_TYPE})
        connection.getresponse().read()
        floor.kept.clear()
    connection.close()
    kit.close()
    return 0


def _cxkit(url: str, count: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        exporter = HTTPExporter(HTTPSettings(url=url))
        exporter.purposes = frozenset({"analytics"})
        kit = make_kit(Path(directory), exporters={"sink": exporter})
        scope = make_scope(kit)
        for number in range(count):
            kit.intake.capture(scope, ITEM_ADDED.spec, properties(number))
        flushed = kit.flush(timeout_s=60)
        delivered = kit.account().exporters["sink"].delivered
        kit.close()
        assert flushed.complete
        return count - delivered
