"""F36, F38: plugins and apps that leak, change what they handed over, and observe themselves."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from cxkit.delivery.account import read_account
from cxkit.testing.receiver import Answer, Receiver
from tests.faults.figures import figure
from tests.faults.rogue import HOOKS, install, with_rogue
from tests.faults.world import Run, configure, judge, whole

# --- F36: it leaks, or changes what it was given --------------------------------------------------


def test_what_an_exporter_changes_or_the_app_changes_later_nobody_else_sees(
    run: Run, tmp_path: Path, receiver: Receiver
) -> None:
    """F36: an interaction is what it was at its capture, whoever plays with what he holds of it."""
    install(
        tmp_path,
        """
        def attempt(self, batch):
            for one in batch.interactions:
                try:
                    one.properties["n"] = one.properties["inner"]["deep"] = -1
                except TypeError:
                    pass
            return Outcome.delivered() if Rogue.attempts > 2 else Outcome.retry("later")
        Rogue.attempt = attempt
        """
        + textwrap.indent(HOOKS, "        "),
    )
    with_rogue(tmp_path, receiver)
    child = run(
        """
for number in range(50):
    bag = {"deep": number, "items": [number]}
    SEEN.capture(n=number, inner=bag)
    bag["deep"] = -1
    bag["items"].append(-1)
deliver()
"""
    )
    assert child.wait() == 0, child.stderr
    found = [json.loads(payload)["data"]["properties"] for payload in receiver.payloads]
    assert found == [{"n": n, "inner": {"deep": n, "items": [n]}} for n in range(50)]
    judge(read_account(tmp_path / ".cxkit"), captured=50, sink=receiver)


def test_a_megabyte_in_each_capture_does_not_grow_the_process(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F36: with a disk that takes nothing the queue's bound is the memory's: RSS < cap + 20 %, the rest is counted."""
    cap = 16_000_000
    configure(tmp_path, f"[queue]\nmax_bytes = {cap}\n", sink=receiver)
    child = run(
        f"""
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
capture(10)
deliver()
resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
before, most = rss(), 0
for number in range({whole(20_000, 6_000)}):
    SEEN.capture(n=number, big="x" * 1_000_000, more=["y" * 8_000 for _ in range(20)])
    if number % 50 == 0:
        most = max(most, rss())
say(most - before, cxkit.stats().dropped.get("queue_full", 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
signal.alarm(100)
deliver(60)
"""
    )
    grown, dropped = map(int, child.line())
    assert child.wait() == 0, child.stderr
    figure("F36", "RSS growth, disk full, queue.max_bytes 16 MB, 1 MB captured at a time", grown / 1e6, "MB")
    assert dropped > 0
    assert grown < cap * 1.2
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    assert account.dropped["queue_full"] == dropped


# --- F38: it observes itself ----------------------------------------------------------------------

SELF = """
import httpcore, logging, urllib.request

class Capturing(logging.Handler):
    "What a logging plugin does: each record is an interaction."
    def emit(self, record):
        LOGGED.capture(text=record.getMessage())

LOGGED = cxkit.touchpoint("log.written")
logging.getLogger().addHandler(Capturing())
logging.getLogger().setLevel(logging.DEBUG)

request = httpcore.HTTPConnection.handle_request
def observed(self, *args):
    "What an instrumented HTTP library does: each request is an interaction."
    LOGGED.capture(text="request")
    return request(self, *args)
httpcore.HTTPConnection.handle_request = observed
"""


def test_an_exporter_that_is_observed_makes_no_interactions_of_its_own(
    run: Run, tmp_path: Path, receiver: Receiver
) -> None:
    """F38: instrumented HTTP, a handler that captures log records, an exporter that logs errors: 0 of these arrive."""
    install(
        tmp_path,
        """
        def attempt(self, batch):
            logging.getLogger("rogue").error("cannot deliver %s", batch.id)
            raise OSError("down")
        Rogue.attempt = attempt
        """
        + textwrap.indent(HOOKS, "        "),
    )
    with_rogue(tmp_path, receiver)
    receiver.script(*[Answer(status=503)] * whole(12, 4))
    child = run(
        SELF
        + f"""
signal.alarm(120)
capture(5)
ends = time.monotonic() + {whole(60, 3)}
while time.monotonic() < ends:  # the outage; each flush is an attempt of every lane
    cxkit.flush(timeout_s=0.2)
say(cxkit.stats().captured - cxkit.stats().dropped.get("own_thread", 0), cxkit.stats().dropped["own_thread"])
"""
    )
    captured, muted = map(int, child.line())
    assert child.wait() == 0, child.stderr
    assert captured == 5
    assert muted > 0, "it was observed, or nothing is proved"
    assert {one.name for one in receiver.interactions} == {"shop.seen"}
    assert len(set(receiver.ids)) == 5
    figure("F38", "captures by handlers on delivery threads, all refused", muted)
