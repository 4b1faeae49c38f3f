"""Under real servers with several workers, what was captured is delivered: ended, killed and started again.

F10, F11, F16.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Receiver
from tests.delivery.processes import configure
from tests.faults.figures import figure
from tests.hosts.servers import HOSTS, Acknowledged, Host, serving, traffic, until

pytestmark = pytest.mark.services

ONE_ATTEMPT = 500
"""What a lane tries at once: as many may come twice for each process that is killed."""


@pytest.mark.parametrize("durability", ["queue", "write"])
@pytest.mark.parametrize("name", HOSTS)
def test_killed_started_again_and_ended(name: str, durability: str, tmp_path: Path, receiver: Receiver) -> None:
    """Killed, it loses the last of each process in the mode ``queue``, never one before others, and none in ``write``.

    Started again it delivers what the killed ones left; ended by its operator, all of its own, once.
    """
    configure(tmp_path, f'durability = "{durability}"\n', sink=receiver)
    first, second = Acknowledged(), Acknowledged()
    with serving(name, tmp_path) as host, traffic(host, first):
        until(lambda: len(first.ids) >= 200 and len(first.by_process) == 2, "both workers answer")
        host.kill()
    with serving(name, tmp_path) as host:
        with traffic(host, second):
            until(lambda: len(second.ids) >= 200 and len(second.by_process) == 2, "both workers answer")
        until(lambda: _nothing_is_pending(tmp_path), "what the killed ones left is delivered")
        host.end()
        assert "Traceback" not in host.printed, host.printed
    arrived = Counter(receiver.ids)
    lost = first.ids - arrived.keys()
    for ids in first.by_process.values():
        assert lost.isdisjoint(sorted(ids)[: len(ids) - len(lost.intersection(ids))]), "not the last"
    assert lost <= (first.ids if durability == "queue" else first.queued)
    assert {arrived[id] for id in second.ids} == {1}
    assert arrived.total() - len(arrived) <= 2 * ONE_ATTEMPT
    assert len(set(receiver.payloads)) == len(arrived), "what came twice came as the same bytes"
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    assert account.exporters == {"sink": ExporterAccount(delivered=len(arrived))}
    assert list((tmp_path / ".cxkit" / "spool").glob("[!.]*")) == [], "but for what one was killed in the making of"
    figure("F10", f"{name}, {durability}: lost of {len(first.ids)} when killed", len(lost))
    figure("F10", f"{name}, {durability}: left to the queue by a disk that stalled", len(first.queued))
    figure("F10", f"{name}, {durability}: twice after that", arrived.total() - len(arrived))


def _nothing_is_pending(folder: Path) -> bool:
    account = read_account(folder / ".cxkit")
    return account.spooled > 0 and account.exporters.get("sink", ExporterAccount(pending=1)).pending == 0


@pytest.mark.parametrize("name", ["gunicorn", "gunicorn gevent"])
def test_a_worker_that_is_killed_is_replaced_and_its_captures_are_delivered(
    name: str, tmp_path: Path, receiver: Receiver
) -> None:
    """The host goes on meanwhile, and nobody has to be started again."""
    configure(tmp_path, 'durability = "write"\n', sink=receiver)
    acknowledged = Acknowledged()
    with serving(name, tmp_path) as host:
        acknowledged.add(host.ask())
        (victim,) = acknowledged.by_process
        receiver.stop()
        until(lambda: acknowledged.add(host.ask()) or len(acknowledged.by_process[victim]) >= 20, "twenty captures")
        os.kill(int(victim), signal.SIGKILL)
        receiver.start()
        until(lambda: _asked(host, acknowledged) and len(acknowledged.by_process) >= 3, "another worker answers")
        host.end()
    assert acknowledged.ids - acknowledged.queued <= set(receiver.ids)
    assert len(set(receiver.ids)) == read_account(tmp_path / ".cxkit").exporters["sink"].delivered


def _asked(host: Host, acknowledged: Acknowledged) -> bool:
    try:
        acknowledged.add(host.ask())
    except OSError:  # the killed worker had taken the connection
        return False
    return True
