"""A collector that counts and keeps nothing, in a process of its own: for more than a test could hold."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

SINK = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        seen = self.rfile.read(int(self.headers["content-length"]))
        sys.stdout.write("%d %d\\n" % (seen.count(b'"specversion"'), b'shop.urgent' in seen))
        sys.stdout.flush()
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
sys.stdout.write("%d\\n" % server.server_port)
sys.stdout.flush()
server.serve_forever()
"""


class Counting:
    """That collector. Each of its lines says how many a request held, and whether ``shop.urgent`` was among them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        self.url = f"http://127.0.0.1:{self._lines.readline().strip()}/"
        self.arrived = 0
        self._urgent_at: float | None = None
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def until(self, wanted: int, *, timeout_s: float = 600.0) -> tuple[int, float]:
        """Wait until so many have arrived; how many have, and after how many seconds what is urgent had."""
        began = time.monotonic()
        with self._changed:
            assert self._changed.wait_for(lambda: self.arrived >= wanted, timeout_s), self.arrived
        assert self._urgent_at is not None
        return self.arrived, max(0.0, self._urgent_at - began)

    def end(self) -> int:
        """End it, once; how many have arrived."""
        if self._process.returncode is None:
            self._process.terminate()
            self._reader.join()
            self._process.wait()
            self._lines.close()
        return self.arrived

    def _read(self) -> None:
        for line in self._lines:
            some, urgent = map(int, line.split())
            with self._changed:
                self.arrived += some
                if urgent and self._urgent_at is None:
                    self._urgent_at = time.monotonic()
                self._changed.notify_all()
