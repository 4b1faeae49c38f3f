"""What is peculiar to Celery, without a broker: eager tasks, and a worker on a transport in memory."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import pytest
from celery import Celery, chain, chord, current_app, group
from celery.app.amqp import AMQP
from celery.beat import Scheduler
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore, Reject
from celery.schedules import schedule

import cxkit
from cxkit.capture.scope import Scope
from cxkit.model import Identity, Interaction
from cxkit.testing import recorder
from cxkit.testing.recorder import Recorder
from cxkit_celery import instrument

SEEN = cxkit.touchpoint("celery.seen")
_PATIENCE_S = 30


def plain_app(*, eager: bool = False) -> Celery:
    app = Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.update(task_always_eager=eager, task_default_queue=uuid.uuid4().hex)

    @app.task(shared=False, name="see")
    def see(*_: object, how: str = "plain") -> str:
        SEEN.capture(how=how)
        return how

    @app.task(shared=False, name="sign_in")
    def sign_in(*_: object, who: str) -> None:
        cxkit.identify(user_id=who)
        SEEN.capture(how="signed in")

    @app.task(shared=False, name="fail")
    def fail() -> None:
        SEEN.capture(how="before it fails")
        raise KeyError("the app's own")

    @app.task(shared=False, name="leave")
    def leave(how: str) -> None:
        raise Ignore if how == "ignore" else Reject("no", requeue=False)

    @app.task(shared=False, name="again", bind=True, max_retries=3)
    def again(self: Any) -> None:
        SEEN.capture(how="try", attempt=self.request.retries)
        if self.request.retries < 2:
            raise self.retry(countdown=0)

    @app.task(shared=False, name="sign_in_and_again", bind=True, max_retries=1)
    def sign_in_and_again(self: Any) -> None:
        SEEN.capture()
        if self.request.retries < 1:
            cxkit.grant("analytics")
            cxkit.identify(user_id="nancy")
            raise self.retry(countdown=0)

    @app.task(shared=False, name="publish")
    def publish() -> None:
        SEEN.capture(how="publishes")
        see.delay(how="published by a task")

    return app


def make_app(*, eager: bool = False) -> Celery:
    app = plain_app(eager=eager)
    instrument(app)
    return app


@pytest.fixture
def eager() -> Celery:
    return make_app(eager=True)


@pytest.fixture(scope="module")
def app() -> Iterator[Celery]:
    """With a worker on a thread of this process, which takes some seconds to end."""
    app = make_app()
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=_PATIENCE_S):
        yield app


@contextmanager
def customer(who: str) -> Iterator[None]:
    """The scope of somebody who allows analytics and is signed in."""
    with cxkit.scope(channel="web", locale="fr"):
        cxkit.grant("analytics")
        cxkit.identify(user_id=who)
        yield


def seen(cx: Recorder, count: int) -> list[Interaction]:
    deadline = monotonic() + _PATIENCE_S
    while len(found := cx.named("celery.seen")) < count:
        assert monotonic() < deadline, found
        sleep(0.01)
    assert len(found) == count
    return found


def who(one: Interaction) -> str | None:
    found = one.identity.get("user_id")
    return found and found.value


# --- through a worker ---


def test_a_task_is_about_the_customer_for_whom_it_was_published(cx: Recorder, app: Celery) -> None:
    for name in ("nancy", "noemi"):
        with customer(name):
            app.send_task("see", kwargs={"how": name})
    app.send_task("see", kwargs={"how": "nobody"})
    found = {one.properties["how"]: one for one in seen(cx, 3)}
    assert {how: who(one) for how, one in found.items()} == {"nancy": "nancy", "noemi": "noemi", "nobody": None}
    assert found["nancy"].identity.identifiers[0].evidence == "login"
    assert (found["nancy"].channel, found["nancy"].context.locale) == ("web", "fr")
    assert found["nobody"].context.locale is None


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda task: chain(task("see"), task("see"), task("see")), 3),
        (lambda task: group(task("see") for _ in range(3)), 3),
        (lambda task: chord([task("see"), task("see")], task("see")), 3),
        (lambda task: task("see", link=task("see")), 2),
        (lambda task: task("publish"), 2),
        (lambda task: task("again"), 3),
    ],
    ids=["chain", "group", "chord", "link", "a task of a task", "retries"],
)
def test_what_follows_from_a_task_is_about_the_same_customer(
    cx: Recorder, app: Celery, build: Callable[..., Any], count: int
) -> None:
    def task(name: str, link: Any = None) -> Any:
        signature = app.signature(name, app=app)
        if link is not None:
            signature.link(link)
        return signature

    with customer("nancy"):
        build(task).apply_async()
    found = seen(cx, count)
    app.send_task("see", kwargs={"how": "after"})
    after = next(one for one in seen(cx, count + 1) if one.properties["how"] == "after")
    assert [who(one) for one in found] == ["nancy"] * count
    assert who(after) is None


@pytest.mark.parametrize("task", ["fail", "leave"])
def test_a_task_that_ends_badly_leaves_its_scope(cx: Recorder, app: Celery, task: str) -> None:
    with customer("nancy"):
        for how in ("ignore", "reject"):
            app.send_task(task, args=(how,) if task == "leave" else ())
    app.send_task("see", kwargs={"how": "after"})
    found = seen(cx, 3 if task == "fail" else 1)
    assert [who(one) for one in found] == ["nancy", "nancy", None] if task == "fail" else [None]


def test_a_login_within_a_task_is_its_own(cx: Recorder, app: Celery) -> None:
    with cxkit.scope(channel="web"):
        cxkit.grant("analytics")
        app.send_task("sign_in", kwargs={"who": "nancy"})
        app.send_task("see")
    assert [who(one) for one in seen(cx, 2)] == ["nancy", None]


def message_of(app: Celery, publish: Callable[[], object]) -> Any:
    """What the broker holds."""
    with app.connection_for_read() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection.default_channel)
        queue.declare()
        publish()
        message = queue.get(no_ack=True)
        assert message is not None
        return message


def test_what_was_withdrawn_meanwhile_is_not_kept(cx: Recorder, app: Celery) -> None:
    """A task that waited, as for its time or for a worker."""
    other = make_app()
    with customer("nancy"):
        first, second = (message_of(other, lambda: other.send_task("see")).headers for _ in range(2))
        app.send_task("see", task_id=first["id"], headers={"cxkit": first["cxkit"]})
        assert [who(one) for one in seen(cx, 1)] == ["nancy"]
        cxkit.withdraw("analytics")
        cxkit.flush()
    app.send_task("see", task_id=second["id"], headers={"cxkit": second["cxkit"]})
    app.send_task("see", kwargs={"how": "after"})
    assert [one.properties["how"] for one in seen(cx, 2)] == ["plain", "after"]
    assert cx.account.dropped == {"consent_refused": 1}


def test_what_the_broker_holds(cx: Recorder) -> None:
    """One header, next to those of the app; of contacts only hashes; and of whoever has no scope nothing."""
    app = make_app()
    with cxkit.scope(channel="web", email="nancy@example.org"):
        own = message_of(app, lambda: app.send_task("see", headers={"mine": "kept"})).headers
        plain = message_of(app, lambda: app.send_task("see", task_id="chosen")).headers
    assert own["mine"] == "kept"
    assert plain["id"] == "chosen"
    assert "nancy" not in str(own)
    assert "email" in own["cxkit"]
    assert "cxkit" not in message_of(app, lambda: app.send_task("see")).headers


def test_a_header_that_was_moved_or_made_up_tells_nothing(cx: Recorder, app: Celery) -> None:
    other = make_app()
    with customer("nancy"):
        moved = message_of(other, lambda: other.send_task("see")).headers["cxkit"]
    with recorder(strict=False) as record:
        for made_up in (moved, "nancy", {"user_id": "nancy"}, 7, None):
            app.send_task("see", headers={"cxkit": made_up})
        assert [one.identity for one in seen(record, 5)] == [Identity()] * 5


# --- eager ---


def test_an_eager_task_sees_and_does_what_one_with_a_message_would(cx: Recorder, eager: Celery) -> None:
    with customer("nancy"):
        eager.tasks["see"].delay(how="hers")
        eager.tasks["sign_in"].delay(who="noemi")
        SEEN.capture(how="still hers")
    eager.tasks["see"].delay(how="nobody's")
    assert [who(one) for one in seen(cx, 4)] == ["nancy", "noemi", "nancy", None]


def test_eager_tasks_within_each_other(cx: Recorder, eager: Celery) -> None:
    with customer("nancy"):
        eager.tasks["publish"].delay()
        eager.tasks["again"].delay()
        with pytest.raises(KeyError, match="own"):
            eager.tasks["fail"].delay().get()
        SEEN.capture(how="after")
    assert [who(one) for one in seen(cx, 7)] == ["nancy"] * 7


def test_a_task_that_is_called_is_a_call(cx: Recorder, eager: Celery) -> None:
    with customer("nancy"):
        eager.tasks["sign_in"](who="noemi")
        SEEN.capture(how="after")
    assert [who(one) for one in seen(cx, 2)] == ["noemi", "noemi"]


# --- apps and kits ---


def test_instrumenting_again_changes_nothing(cx: Recorder, eager: Celery) -> None:
    instrument(eager)
    with customer("nancy"):
        eager.tasks["see"].delay()
    assert [who(one) for one in seen(cx, 1)] == ["nancy"]


def test_another_app_is_left_alone(cx: Recorder, eager: Celery) -> None:
    plain = Celery("plain", set_as_current=False)
    plain.conf.task_always_eager = True

    @plain.task(shared=False, name="identify")
    def identify() -> None:
        cxkit.identify(user_id="noemi")

    with customer("nancy"):
        identify.delay()
        SEEN.capture()
    assert [who(one) for one in seen(cx, 1)] == ["noemi"], "it ran in the caller's own scope"


WAYS: dict[str, Callable[[Celery], object]] = {
    "delay": lambda app: app.tasks["see"].delay(),
    "send_task": lambda app: app.send_task("see"),
    "chain": lambda app: chain(app.signature("see", app=app), app.signature("see", app=app)).apply_async(),
    "group": lambda app: group([app.signature("see", app=app)], app=app).apply_async(),
    "beat": lambda app: Scheduler(app, lazy=True).apply_async(
        Scheduler.Entry(name="nightly", task="see", schedule=schedule(60), app=app), advance=False
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_only_what_an_instrumented_app_publishes_takes_the_customer_along(cx: Recorder, way: str) -> None:
    """The other app of this process, which may belong to somebody else's broker, tells nobody of a customer."""
    other, own = plain_app(), make_app()
    with customer("nancy"):
        told, kept = (message_of(app, lambda app=app: WAYS[way](app)).headers for app in (own, other))  # type: ignore[misc]
    assert "nancy" in told["cxkit"]
    assert "cxkit" not in kept
    assert "nancy" not in str(kept)


def test_an_app_that_has_published_before_it_is_instrumented(cx: Recorder) -> None:
    app = plain_app()
    with customer("nancy"):
        before = message_of(app, lambda: app.send_task("see")).headers
        queues = app.amqp.queues
        instrument(app)
        after = message_of(app, lambda: app.send_task("see")).headers
    assert "cxkit" not in before
    assert "nancy" in after["cxkit"]
    assert app.amqp.queues is queues


def test_a_retry_takes_along_whom_the_task_is_about_by_then(cx: Recorder, app: Celery) -> None:
    """Celery repeats the headers with which a task came, ours too."""
    with cxkit.scope(channel="web"):
        app.send_task("sign_in_and_again")
    assert [who(one) for one in seen(cx, 2)] == [None, "nancy"]


def test_an_app_and_its_own_amqp_can_still_be_pickled(cx: Recorder) -> None:
    """As where processes are spawned. It carries and opens scopes once it is instrumented there, and nothing before."""
    app = Celery("shop", broker="memory://", amqp=OwnAMQP, set_as_current=False)
    instrument(app)
    other = pickle.loads(pickle.dumps(app))  # noqa: S301 - our own
    with customer("nancy"):
        assert "cxkit" not in message_of(other, lambda: other.send_task("see")).headers
    instrument(other)
    for one in (app, other):
        with customer("nancy"):
            assert "nancy" in message_of(one, lambda one=one: one.send_task("see")).headers["cxkit"]  # type: ignore[misc]
        assert isinstance(one.amqp, OwnAMQP)


class OwnAMQP(AMQP):  # type: ignore[misc]
    pass


def test_an_app_of_which_only_a_proxy_is_at_hand(cx: Recorder) -> None:
    app = make_app(eager=True)
    app.set_current()
    instrument(current_app)
    app.tasks["see"].delay()
    seen(cx, 1)


def test_a_kit_of_its_own(cx: Recorder, eager: Celery) -> None:
    with recorder() as other:
        instrument(eager, kit=other.kit)
        eager.tasks["see"].delay()
        assert len(other.named("celery.seen")) == 1
    assert cx.named("celery.seen") == []


def test_tasks_leave_no_scope_behind(cx: Recorder, eager: Celery) -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(one, Scope) for one in gc.get_objects())

    task = eager.tasks["sign_in"]
    task.delay(who="nancy")
    before = alive()
    for number in range(300):
        task.delay(who=f"nancy {number}")
    assert alive() < before + 30, "a tenth of what there were"


def test_importing_it_is_silent_and_starts_nothing() -> None:
    code = "import threading, cxkit_celery; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
