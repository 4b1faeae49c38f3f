"""F34, F35, F37: plugins that raise, hang and exit; installed as strangers' are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Receiver
from tests.faults.rogue import ENRICHERS, HOOKS, ROGUE, install, with_rogue
from tests.faults.world import Run, configure, healed, judge

VISIT = """
from cxkit.capture.scope import enter
from cxkit.model import Context, Facts

kit = cxkit.configure()

def visit(number):
    scope = kit.open_scope(Context(), facts=Facts(method="GET", scheme="https", host=None, path="/", headers={}))
    enter(scope)
    try:
        return SEEN.capture(n=number)
    finally:
        scope.close()

"""


# --- F34, F37: it raises --------------------------------------------------------------------------

RAISES = """
def attempt(self, batch):
    if Rogue.attempts == 1:
        raise {error}
    if Rogue.attempts == 2:
        return "delivered"
    if Rogue.attempts == 3:
        try:
            raise ValueError("one")
        except ValueError:
            raise {error}
    return Outcome.delivered()

Rogue.attempt = attempt

@hookimpl
def on_drop(reason, count, exporter):
    raise {error}
"""


@pytest.mark.parametrize("error", ["ValueError('secret')", "SystemExit(3)", "KeyboardInterrupt", "GeneratorExit"])
def test_whatever_an_exporter_and_a_listener_raise_costs_themselves_alone(
    run: Run, tmp_path: Path, receiver: Receiver, error: str
) -> None:
    """F34, F37: the app's result is the same, no thread of cxkit ends, and what the exporter is owed arrives later."""
    install(tmp_path, RAISES.format(error=error) + HOOKS)
    with_rogue(tmp_path, receiver)
    child = run(
        """
cxkit.configure().intake.dropped["queue_full"] += 1  # so that the listener is told of something
assert None not in capture(100)
deliver()
threads = {one.name for one in threading.enumerate()}
assert {"cxkit-spool", "cxkit-rogue", "cxkit-sink"} <= threads, threads
"""
    )
    assert child.wait() == 0, child.stderr
    assert "Traceback" not in child.stderr
    assert "secret" not in child.stderr
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    assert account.dropped == {"queue_full": 1}
    judge(account, captured=101, sink=receiver)
    for name in ("sink", "rogue"):  # and perhaps a report of the loss
        assert 100 <= account.exporters[name].delivered == account.spooled <= 101


def test_an_enricher_that_raises_is_switched_off_and_said_once(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F34: visits are captured without it; after a hundred failures it is not asked any more, with one line of log."""
    install(
        tmp_path,
        "def enrich(self, facts, context):\n    Rogue.attempts += 1\n    1 / 0\nRogue.enrich = enrich\n" + ENRICHERS,
    )
    configure(tmp_path, sink=receiver)
    child = run(
        VISIT
        + """
assert None not in [visit(number) for number in range(150)]
import rogue
say(rogue.Rogue.attempts, kit.intake.noted["enricher_failed.rogue"])
deliver()
"""
    )
    assert child.line() == ["100", "100"]
    assert child.wait() == 0, child.stderr
    assert child.stderr.count("rogue") == child.stderr.count("\n") == 1
    judge(read_account(tmp_path / ".cxkit"), captured=150, sink=receiver)


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
def test_what_ends_a_request_is_not_swallowed(run: Run, tmp_path: Path, receiver: Receiver, error: str) -> None:
    """F37: an enricher runs on the app's thread; what is not for cxkit to catch reaches the app, and all goes on."""
    install(
        tmp_path,
        "def enrich(self, facts, context):\n    Rogue.attempts += 1\n"
        f"    if Rogue.attempts == 2:\n        raise {error}\n"
        "    return {}\nRogue.enrich = enrich\n" + ENRICHERS,
    )
    configure(tmp_path, sink=receiver)
    child = run(
        VISIT
        + f"""
visit(1)
try:
    visit(2)
except {error}:
    say("raised")
visit(3)
deliver()
"""
    )
    assert child.line() == ["raised"], child.stderr
    assert child.wait() == 0, child.stderr
    judge(read_account(tmp_path / ".cxkit"), captured=2, sink=receiver)


# --- F35: it hangs --------------------------------------------------------------------------------


def test_an_exporter_that_never_comes_back_holds_up_nobody_and_is_said(
    run: Run, tmp_path: Path, receiver: Receiver
) -> None:
    """F35: the other lane delivers, the process ends in its time, the log names it, and the next start delivers."""
    install(tmp_path, "Rogue.attempt = lambda self, batch: threading.Event().wait()\n" + HOOKS)
    rogue = '\n[exporters.rogue]\ntype = "rogue"\npurposes = ["analytics"]\ndeadline_s = 0.1\n'
    configure(tmp_path, rogue, sink=receiver)
    child = run(
        """
import logging
told = threading.Event()

class Handler(logging.Handler):
    def emit(self, record):
        told.set()

logging.getLogger("cxkit").addHandler(logging.StreamHandler())
logging.getLogger("cxkit").addHandler(Handler())
count = 0
while not told.is_set():  # whoever writes to the spool notices, some seconds after its time
    count += len(capture(10))
    cxkit.flush(timeout_s=0.2)
while "sink" in cxkit.flush(timeout_s=0.2).pending:
    pass
say(count)
"""
    )
    count = int(child.line()[0])
    assert child.wait() == 0, child.stderr
    assert child.stderr.count("exporter rogue does not come back") == 1
    account = read_account(tmp_path / ".cxkit")
    judge(account, captured=count, sink=receiver)
    assert account.exporters["rogue"] == ExporterAccount(pending=count)
    (tmp_path / "rogue.py").write_text(ROGUE + HOOKS)
    account = healed(run, tmp_path, captured=count, sink=receiver)
    assert account.exporters["rogue"] == ExporterAccount(delivered=count + 1)


def test_a_listener_to_drops_that_never_comes_back_holds_up_nobody(
    run: Run, tmp_path: Path, receiver: Receiver
) -> None:
    """F35: what is captured meanwhile is spooled and delivered, and the process ends."""
    install(
        tmp_path,
        "@hookimpl\ndef on_drop(reason, count, exporter):\n    os.write(1, b'told\\n')\n    threading.Event().wait()\n",
    )
    configure(tmp_path, sink=receiver)
    child = run(
        """
cxkit.configure().intake.dropped["queue_full"] += 1
SEEN.capture()
sys.stdin.readline()
capture(100)
deliver()
"""
    )
    assert child.line() == ["told"]
    child.tell()
    assert child.wait() == 0, child.stderr
    account = read_account(tmp_path / ".cxkit")
    judge(account, captured=102, sink=receiver)
    assert account.exporters["sink"].delivered >= 101


def test_an_enricher_that_takes_its_time_is_switched_off(run: Run, tmp_path: Path, receiver: Receiver) -> None:
    """F35: over its 5 ms again it is counted, and after a hundred times it is not asked any more."""
    install(
        tmp_path,
        "def enrich(self, facts, context):\n    Rogue.attempts += 1\n    until = time.thread_time() + 0.006\n"
        "    while time.thread_time() < until: pass\n    return {}\n"
        "Rogue.enrich = enrich\n" + ENRICHERS,
    )
    configure(tmp_path, sink=receiver)
    child = run(
        VISIT
        + """
for number in range(120):
    visit(number)
import rogue
say(rogue.Rogue.attempts, kit.intake.noted["enricher_slow.rogue"])
deliver()
"""
    )
    assert child.line() == ["100", "99"]
    assert child.wait() == 0, child.stderr
    assert child.stderr.count("rogue") == child.stderr.count("\n") == 1
    judge(read_account(tmp_path / ".cxkit"), captured=120, sink=receiver)
