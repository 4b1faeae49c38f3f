"""F17 to F26: collectors that misbehave, each in its own way, and a healthy one beside them.

One process with an exporter for each, all of them the built-in HTTP one; the collectors are real.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest
import trustme

from cxkit.codec import split_batch
from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Answer, Receiver, Request
from tests.faults.figures import figure
from tests.faults.world import Run, configure, duplicates, healed, judge, until

# --- F17: how long to wait ------------------------------------------------------------------------

LATER = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
WAITING = {"seconds": "120", "date": LATER, "clamped": "1e9"}
AT_ONCE = {"zero": "0", "negative": "-5", "inf": "inf", "nan": "nan", "empty": "", "garbage": "soon"}


def test_a_wait_that_is_asked_for_is_kept_and_nonsense_parks_nobody(run: Run, tmp_path: Path) -> None:
    """F17: 0 requests within the window, not for a flush and not at the end; the others do not notice."""
    with ExitStack() as stack:
        sinks = {name: stack.enter_context(Receiver()) for name in ("healthy", *WAITING, *AT_ONCE)}
        for name, text in (WAITING | AT_ONCE).items():
            sinks[name].script(Answer(status=429, headers={"Retry-After": text}))
        configure(tmp_path, **sinks)
        child = run(
            f"""
capture(100)
deadline = time.monotonic() + 30
while cxkit.flush(timeout_s=0.3).pending.keys() != {set(WAITING)!r}:
    assert time.monotonic() < deadline, cxkit.flush(timeout_s=0)
"""
        )
        assert child.wait() == 0, child.stderr
        assert "Traceback" not in child.stderr
        account = read_account(tmp_path / ".cxkit")
        judge(account, captured=100, **sinks)
        for name in WAITING:
            assert len(sinks[name].requests) == 1, name
            assert account.exporters[name] == ExporterAccount(pending=100)
        for name in ("healthy", *AT_ONCE):
            assert account.exporters[name] == ExporterAccount(delivered=100), name
            assert duplicates(sinks[name]) == 0
        healed(run, tmp_path, captured=100, **sinks)


# --- F18, F19, F20: what fails --------------------------------------------------------------------

FAILING = {
    **{f"http_{status}": Answer(status=status) for status in (500, 502, 503, 504)},
    "read_timeout": Answer(cut_bytes=0, end="hang"),
    "half_open": Answer(cut_bytes=0, end="half_close"),
    "reset_in_body": Answer(body=b"x" * 1000, cut_bytes=500, end="reset"),
    "reset_at_once": Answer(cut_bytes=0, end="reset"),
    "closed_instead": Answer(cut_bytes=0, end="close"),
    "early_413": Answer(status=413, early=True),
    "slow_loris_head": Answer(drip_s=0.1),
    "slow_loris_body": Answer(body=b"x" * 1000, drip_s=0.1),
}
DEADLINE_S = 0.6


def test_whatever_an_attempt_meets_it_is_made_again_and_doubles_one_batch_at_most(run: Run, tmp_path: Path) -> None:
    """F18, F19, F20: all is delivered; an answer that drips ends with the attempt's time, not with its own."""
    with ExitStack() as stack:
        sinks = {name: stack.enter_context(Receiver()) for name in ("healthy", *FAILING)}
        for name, answer in FAILING.items():
            sinks[name].script(answer, answer)
        configure(tmp_path, **{name: (sink, {"deadline_s": DEADLINE_S}) for name, sink in sinks.items()})
        child = run("capture(300); deliver()")
        assert child.wait() == 0, child.stderr
        assert "Traceback" not in child.stderr
        account = read_account(tmp_path / ".cxkit")
        judge(account, captured=300, **sinks)
        assert {one.delivered for one in account.exporters.values()} == {300}
        for name, sink in sinks.items():
            sizes = [len(split_batch(request.body)) for request in sink.requests[:2] if request.body]
            assert duplicates(sink) <= sum(sizes), f"{name}: one batch for each of the two that failed"
        assert duplicates(sinks["healthy"]) == 0
        for failed in ("http_500", "http_502", "http_503", "http_504", "early_413"):
            assert duplicates(sinks[failed]) == 0, "it was refused, not accepted"
        healed(run, tmp_path, captured=300, **sinks)


def test_a_kept_connection_that_was_closed_in_between_costs_nothing(
    run: Run, tmp_path: Path, receiver: Receiver
) -> None:
    """F19: the other side closes what was kept alive, again and again; every batch comes once."""
    configure(tmp_path, sink=receiver)
    child = run("for _ in range(4):\n    sys.stdin.readline(); capture(10); deliver(); say('delivered')")
    for _ in range(4):
        child.tell()
        assert child.line() == ["delivered"], child.stderr
        receiver.stop()
        receiver.start()
    assert child.wait() == 0, child.stderr
    assert len({request.peer for request in receiver.requests}) == 4
    assert duplicates(receiver) == 0
    judge(read_account(tmp_path / ".cxkit"), captured=40, sink=receiver)


# --- F22: names -----------------------------------------------------------------------------------

NAMES = """
import socket
real = socket.getaddrinfo

def looked_up(host, *rest, **more):
    "The name server of this test: what the file says."
    if host != "collector.test":
        return real(host, *rest, **more)
    address = open("address").read()
    if not address:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")
    return [one for each in address.split() for one in real(each, *rest, **more)]

socket.getaddrinfo = looked_up
"""


def test_a_name_that_is_not_known_and_then_means_another_address(run: Run, tmp_path: Path) -> None:
    """F22: no answer, then an address where nobody is, then one beside a black hole; nothing is lost."""
    with Receiver(host="127.0.0.3") as receiver:
        url = f"http://collector.test:{receiver.port}/"
        configure(tmp_path, sink=(receiver, {"url": url, "deadline_s": 2.0}))
        (tmp_path / "address").write_text("")
        child = run(NAMES + "capture(50); cxkit.flush(timeout_s=0.5); say('asked'); sys.stdin.readline(); deliver()")
        assert child.line() == ["asked"], child.stderr
        for addresses in ("127.0.0.2", "127.0.0.2 127.0.0.3"):
            (tmp_path / "address").write_text(addresses)
        child.tell()
        assert child.wait() == 0, child.stderr
        assert "Traceback" not in child.stderr
        judge(read_account(tmp_path / ".cxkit"), captured=50, sink=receiver)
        assert duplicates(receiver) == 0


# --- F23, F25: what somebody has to mend ----------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> Callable[..., ssl.SSLContext]:
    """Contexts of servers; ``ca.pem`` is the authority that signed them, unless they say another did."""
    own, other = trustme.CA(), trustme.CA()
    own.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def make(name: str = "127.0.0.1", *, trusted: bool = True, expired: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ends = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        (own if trusted else other).issue_cert(name, not_after=ends).configure_cert(context)
        return context

    return make


def test_tls_that_cannot_be_trusted_is_said_with_the_exporters_name_and_gets_nothing(
    run: Run, tmp_path: Path, tls: Callable[..., ssl.SSLContext]
) -> None:
    """F23, S32: nothing is sent; all of it waits; when the certificate is mended, all of it arrives."""
    secret = "hunter2-canary"
    contexts = {
        "expired": tls(expired=True),
        "wrong_host": tls("other.test"),
        "self_signed": tls(trusted=False),
        "plaintext": None,
    }
    with ExitStack() as stack:
        sinks = {name: stack.enter_context(Receiver(tls=context)) for name, context in contexts.items()}
        options = {
            name: {
                "url": f"https://someone:{secret}@127.0.0.1:{sink.port}/in?api_key={secret}",
                "headers": {"X-Key": secret},
                "ca_file": str(tmp_path / "ca.pem"),
            }
            for name, sink in sinks.items()
        }
        configure(tmp_path, **{name: (sink, options[name]) for name, sink in sinks.items()})
        child = run("capture(20); cxkit.flush(timeout_s=1); say('tried')")
        assert child.line() == ["tried"]
        assert child.wait() == 0, child.stderr
        judge(read_account(tmp_path / ".cxkit"), captured=20, **sinks)
        for name, sink in sinks.items():
            assert sink.requests == []
            assert f"exporter {name} needs somebody to mend it (tls)" in child.stderr
            sink.stop()
        assert secret not in child.stderr
        for name, sink in list(sinks.items()):
            sinks[name] = stack.enter_context(Receiver(port=sink.port, tls=tls()))
        healed(run, tmp_path, captured=20, **sinks)


def test_a_key_that_was_revoked_pauses_and_loses_nothing(run: Run, tmp_path: Path) -> None:
    """F25: one request, everything kept, said with the exporter's name; mended, it goes on."""
    with ExitStack() as stack:
        sinks = {f"http_{status}": stack.enter_context(Receiver()) for status in (401, 403, 404, 410)}
        for name, sink in sinks.items():
            sink.script(Answer(status=int(name[5:])))
        configure(tmp_path, **sinks)
        child = run(
            """
capture(50)
for name in ("http_401", "http_403", "http_404", "http_410"):
    sys.stdin.readline()
capture(50)
spool()
say("paused")
sys.stdin.readline()
deliver()
"""
        )
        assert until(lambda: all(sink.requests for sink in sinks.values()))
        for _ in sinks:
            child.tell()
        assert child.line() == ["paused"], child.stderr
        assert {len(sink.requests) for sink in sinks.values()} == {1}, "what is fresh wakes nobody who is paused"
        for name in sinks:
            assert f"exporter {name} needs somebody to mend it ({name})" in child.stderr
        child.tell()
        assert child.wait() == 0, child.stderr
        healed(run, tmp_path, captured=100, **sinks)


# --- F24, F26: what is refused for ever -----------------------------------------------------------


class _Numbered(msgspec.Struct):
    class _Data(msgspec.Struct):
        properties: dict[str, int]

    data: _Data


def number_of(payload: bytes) -> int:
    """The number that the script gave it."""
    return msgspec.json.decode(payload, type=_Numbered).data.properties["n"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_with_some_bad_ones_is_halved_until_they_stand_alone(run: Run, tmp_path: Path, status: int) -> None:
    """F24: of 500 with 4 bad ones exactly these are dead, within k * ceil(log2 500) * 2 + 1 requests."""
    bad = {0, 77, 78, 499}

    def answer(request: Request) -> Answer:
        poisoned = any(number_of(bytes(one)) in bad for one in split_batch(request.body))
        return Answer(status=status) if poisoned else Answer()

    with Receiver(answer=answer) as receiver:
        # In one go: what is captured while the first batch is under way would be a batch of its own.
        configure(tmp_path, 'durability = "queue"', sink=(receiver, {"max_batch_records": 500}))
        child = run("kit = cxkit.configure(); capture(500); deliver()")
        assert child.wait() == 0, child.stderr
        judge(read_account(tmp_path / ".cxkit"), captured=500, sink=receiver)
        account = read_account(tmp_path / ".cxkit")
        assert account.exporters["sink"] == ExporterAccount(delivered=496, dead=4)
        assert {number_of(payload) for payload in receiver.payloads} == set(range(500)) - bad
        figure("F24", f"requests for 500 with 4 bad ones, status {status}", len(receiver.requests))
        # A few more where what was captured did not fall into one batch.
        assert len(receiver.requests) <= len(bad) * math.ceil(math.log2(500)) * 2 + 1 + 3
        healed(run, tmp_path, captured=500, sink=receiver)


def test_of_an_answer_that_accepts_a_part_only_the_rest_is_tried_again(run: Run, tmp_path: Path) -> None:
    """F26: 207, 200 with errors in its body, and 202: refused is dead, again is tried, all else is done."""
    with ExitStack() as stack:
        sinks = {
            name: stack.enter_context(Receiver(answer=_partly(status)))
            for name, status in (("multi", 207), ("body", 200), ("accepted", 202))
        }
        configure(tmp_path, **sinks)
        child = run("capture(100); deliver()")
        assert child.wait() == 0, child.stderr
        account = read_account(tmp_path / ".cxkit")
        judge(account, captured=100, **sinks)
        for name in ("multi", "body"):
            assert account.exporters[name] == ExporterAccount(delivered=90, dead=10), name
            assert duplicates(sinks[name]) == 0, "what was accepted did not come again"
        assert account.exporters["accepted"] == ExporterAccount(delivered=100)


def _partly(status: int) -> Callable[[Request], Answer]:
    """Refuses every number that ends in 3; of the others, those that end in 7 must come twice."""
    seen: set[int] = set()

    def answer(request: Request) -> Answer:
        numbers = [number_of(bytes(one)) for one in split_batch(request.body)]
        if status == 202:
            return Answer()
        refused = {place: "bad_number" for place, number in enumerate(numbers) if number % 10 == 3}
        again = [place for place, number in enumerate(numbers) if number % 10 == 7 and number not in seen]
        seen.update(numbers)
        return Answer.partial(refused, retry=again, status=status)

    return answer
