"""Mutants that are bad guests: they say what they must not, start what nobody asked for, and leave things behind."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence

import attrs

from cxkit.errors import TransportError
from cxkit.roles import Batch, Factory, Outcome
from cxkit.testing.exporter_mutants.failing import KeptConnection
from cxkit.testing.exporter_mutants.reference import CounterExporter, Settings
from cxkit.testing.exporter_mutants.register import Mutant, mutant, mutants
from cxkit.transport import Response

logger = logging.getLogger("cxkit.testing.counter")


@mutant("test_secrets_stay_secret")
class LogsTheURL(CounterExporter):
    """Logs where it posts, password and all; at DEBUG, where nobody looks."""

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        logger.debug("posting to %s", self._settings.url)
        return super().post(body, deadline_s=deadline_s)


@mutant("test_secrets_stay_secret")
class ShowsItself(CounterExporter):
    """Has a repr with the password."""

    def __repr__(self) -> str:
        return f"<counter at {self._settings.url}>"


@mutant("test_secrets_stay_secret")
class PreviewsTheURL(CounterExporter):
    """Shows the password to whoever asks what would be sent."""

    def preview(self, batch: Batch) -> str:
        return f"POST {self._settings.url}"


@mutant("test_personal_data_stays_out_of_reasons_and_logs")
class RepeatsTheAnswer(CounterExporter):
    """Makes a reason of what the server said."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        outcome = super().judged(end, places)
        if isinstance(end, Response) and outcome.verdict in ("split", "retry"):
            said = re.sub("[^a-z0-9]+", "_", end.body.decode().lower())
            return attrs.evolve(outcome, reason=said[said.find("nancy") :][:64] or outcome.reason)
        return outcome


@mutant("test_personal_data_stays_out_of_reasons_and_logs")
class LogsWhatFailed(CounterExporter):
    """Logs the body that could not be posted."""

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        end = super().post(body, deadline_s=deadline_s)
        if not isinstance(end, Response):
            logger.warning("could not post %r", body)
        return end


@mutant("test_what_is_withdrawn_meanwhile_is_not_sent")
class KeepsForNextTime(CounterExporter):
    """What failed goes along with the next batch, whatever the lane decides meanwhile."""

    kept: tuple[bytes, ...] = ()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        fresh = tuple(payload for payload in batch.payloads if payload not in self.kept)
        outcome = super().export(Batch(batch.id, self.kept + fresh), deadline_s=deadline_s)
        self.kept = () if outcome.verdict == "delivered" else self.kept + fresh
        return outcome


@mutant("test_purposes_are_known")
class ItsOwnPurpose(CounterExporter):
    """Has a purpose that nobody can allow."""

    purposes = frozenset({"marketing"})


@mutant("test_preview_sends_nothing")
class PreviewsByTrying(CounterExporter):
    """Finds out what would be sent by sending it."""

    def preview(self, batch: Batch) -> str:
        return f"POST: {self.export(batch, deadline_s=5.0)}"


class NoClose:
    """Has no close. No `CounterExporter`, so it is written down by hand."""

    purposes: frozenset[str] = frozenset()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        return Outcome.delivered()


mutants.append(
    Mutant("NoClose", "test_fills_the_role", Factory(name="counter", settings=Settings, build=lambda _: NoClose()))
)


@mutant("test_building_opens_nothing")
class ConnectsWhenBuilt(KeptConnection):
    """Checks the connection when it is built: in the parent of all workers."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.post(b"{}", deadline_s=5.0)


@mutant("test_building_opens_nothing")
class StartsAThreadWhenBuilt(CounterExporter):
    """Starts its thread when it is built."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._over = threading.Event()
        threading.Thread(target=self._over.wait, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        super().close()


@mutant("test_close_is_bounded")
class SleepsBeforeItCloses(CounterExporter):
    """Gives what is under way some time, and the process none."""

    def close(self) -> None:
        time.sleep(6)
        super().close()


@mutant("test_close_is_bounded")
class ClosesWhatItNeverOpened(KeptConnection):
    """Cannot be closed before it was used."""

    def close(self) -> None:
        self._connection.close()  # type: ignore[union-attr]


@mutant("test_close_gives_up_what_is_open")
class NeverHangsUp(KeptConnection):
    """Leaves its connection open."""

    def close(self) -> None:
        left_open.append(self._connection)


left_open: list[object] = []


@mutant("test_works_in_another_thread")
class BelongsToOneThread(CounterExporter):
    """As a connection of sqlite3 does, or an event loop."""

    thread: int | None = None

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        self.thread = self.thread or threading.get_ident()
        if self.thread != threading.get_ident():
            return TransportError("used in another thread", fix="-")
        return super().post(body, deadline_s=deadline_s)


@mutant("test_works_after_a_fork")
class SharesASocketOverAFork(KeptConnection):
    """Goes on, in a child, with the connection of its parent."""


@mutant("test_works_after_a_fork")
class WorksInAThreadOfItsOwn(CounterExporter):
    """Whose thread is not there in a child."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._asked = threading.Semaphore(0)
        self._done = threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._asked.release()
        if not self._done.acquire(timeout=deadline_s):
            return Outcome.retry("deadline")
        return super().export(batch, deadline_s=deadline_s)

    def _run(self) -> None:
        while self._asked.acquire():
            self._done.release()
