"""The seam as a whole: what a bomb costs (F21), black holes (F22), and what a log ever sees (S7, S12, S13, S32)."""

from __future__ import annotations

import inspect
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cxkit.errors import AddressRefusedError
from cxkit.exporters import http
from cxkit.testing.receiver import Answer, Receiver
from cxkit.transport import Transport
from tests.faults.figures import figure

BOMBS = """
import gzip, itertools, os, sys
from cxkit.errors import TransportError
from cxkit.testing.receiver import Answer, Receiver
from cxkit.transport import Transport

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

transport = Transport()
transport.request("POST", sys.argv[1], deadline_s=10.0)
before = rss()
for _ in range(3):
    try:
        answer = transport.request("POST", sys.argv[1], deadline_s=20.0)
        print(len(answer.body), answer.truncated, len(answer.headers), file=sys.stderr)
    except TransportError as error:
        print(error.code, file=sys.stderr)
print(rss() - before)
"""


def test_no_answer_takes_more_memory_than_its_cap(receiver: Receiver) -> None:
    """F21: 200 MB of zeros in a small gzip, a gigabyte in chunks, 10,000 header fields: RSS growth < 20 MiB."""
    import gzip

    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    receiver.script(
        Answer(),
        Answer(status=200, headers={"Content-Encoding": "gzip"}, body=bomb),
        Answer(status=200, body=(b"x" * 65_536 for _ in range(16_384))),
        Answer(status=200, headers={f"x-{index}": "1" * 20 for index in range(10_000)}),
    )
    command = [sys.executable, "-c", BOMBS, receiver.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    first, second, third = done.stderr.splitlines()
    assert first.split()[:2] == second.split()[:2] == ["65536", "True"]
    assert third == "CX5001"
    grown = int(done.stdout)
    figure("F21", "three bombs: RSS growth", grown / (1 << 20), "MiB")
    assert grown < 20 << 20


def test_an_address_of_the_other_family_that_is_a_black_hole(receiver: Receiver) -> None:
    """F22: IPv6 goes nowhere, IPv4 answers, in one attempt."""
    with socket.socket(socket.AF_INET6) as hole:
        try:
            hole.bind(("::1", receiver.port))
        except OSError:
            pytest.skip("this machine has no IPv6")
        hole.listen(0)
        waiting = [socket.socket(socket.AF_INET6) for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("::1", receiver.port))
        asked: list[str] = []

        def both(host: str) -> Sequence[str]:
            asked.append(host)
            return ["::1", "127.0.0.1"]

        transport = Transport(resolver=both, connect_timeout_s=0.3)
        assert transport.request("POST", f"http://both.test:{receiver.port}/", deadline_s=5.0).status == 202
        assert asked == ["both.test"]
        transport.close()
        for one in waiting:
            one.close()


@pytest.mark.parametrize("allow_private", [True, False])
def test_an_operators_collector_may_be_private_and_anybody_elses_may_not(
    receiver: Receiver, allow_private: bool
) -> None:
    """S7: two kinds of transport; no exporter's settings can turn the one into the other."""
    transport = Transport(allow_private=allow_private)
    if allow_private:
        assert transport.request("POST", receiver.url, deadline_s=5.0).status == 202
    else:
        with pytest.raises(AddressRefusedError):
            transport.request("POST", receiver.url, deadline_s=5.0)
        assert receiver.requests == []
    transport.close()
    assert {"allow_private", "verify"}.isdisjoint(http.Settings.__annotations__)


def test_nothing_switches_verification_off() -> None:
    """S32: no argument, no setting; the one way is to name the authority to trust."""
    named = [*inspect.signature(Transport).parameters, *http.Settings.__annotations__]
    assert not [name for name in named if "verify" in name or "insecure" in name]


RUN = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import cxkit
SEEN = cxkit.touchpoint("shop.seen")
kit = cxkit.configure()
print(kit.settings, repr(kit.settings), vars(kit), file=sys.stderr)
for number in range(20):
    SEEN.capture(note="{canary}", password="{canary}", card="{canary}")
    with cxkit.scope(channel="phone"):
        cxkit.identify(user_id="{canary}")
        cxkit.grant("analytics")
        SEEN.capture(note="{canary}")
    SEEN.capture(**{{"a b": "{canary}", "{canary}": object()}})
    cxkit.flush(timeout_s=0.2)
print(cxkit.stats(), file=sys.stderr)
cxkit.close(timeout_s=2)
"""


def test_a_whole_run_at_debug_logs_no_payload_and_no_credential(tmp_path: Path) -> None:
    """S12, S13: every logger at DEBUG; secrets in URL, header, answers, properties and identifiers; every failure."""
    canary = "hunter2-canary"
    fields = {"Set-Cookie": canary, "WWW-Authenticate": canary, "Location": f"http://{canary}@127.0.0.1/"}
    answers = [
        *(
            Answer(status=status, headers=fields, body=canary.encode())
            for status in (500, 429, 302, 401, 400, 413, 202)
        ),
        Answer(headers=fields, cut_bytes=0, end="close"),
        Answer(headers=fields, body=canary.encode() * 100, cut_bytes=200, end="reset"),
        Answer.partial({0: canary}, retry=[1]),
    ]
    with Receiver() as receiver, Receiver() as gone:
        receiver.script(*answers * 3)
        gone.stop()
        tables = [
            f'[exporters.{name}]\ntype = "http"\npurposes = ["analytics"]\nheaders = {{"X-Key" = "{canary}"}}\n'
            f'url = "http://someone:{canary}@127.0.0.1:{port}/{canary}?api_key={canary}"\n'
            for name, port in (("sink", receiver.port), ("gone", gone.port))
        ]
        keys = f'[keys]\nsigning = ["{canary}-long-enough"]\nidentifier = "{canary}-long-enough"\n'
        (tmp_path / "cxkit.toml").write_text(keys + "\n".join(tables))
        command = [sys.executable, "-c", RUN.format(canary=canary)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True, cwd=tmp_path)
        assert len(receiver.requests) > len(answers), "each kind of answer was met"
    assert "exporter sink" in done.stderr, "something was logged"
    assert canary not in done.stderr + done.stdout
