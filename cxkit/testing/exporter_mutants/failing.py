"""Mutants that misjudge how an attempt ended."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

import attrs

from cxkit.errors import TransportError
from cxkit.roles import Batch, Outcome
from cxkit.testing.exporter_mutants.reference import CounterExporter, Settings
from cxkit.testing.exporter_mutants.register import mutant
from cxkit.transport import Response


def _failed(end: Response | TransportError) -> bool:
    return not isinstance(end, Response) or not 200 <= end.status < 300


@mutant("test_what_may_pass_is_retried")
class AcksBeforeTheAnswer(CounterExporter):
    """Posts in the background, and says yes at once."""

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        threading.Thread(target=super().post, args=(body,), kwargs={"deadline_s": deadline_s}, daemon=True).start()
        return Response(status=202)


@mutant("test_what_may_pass_is_retried")
class SwallowsServerErrors(CounterExporter):
    """Takes any answer for a yes."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        if isinstance(end, Response) and end.status >= 500:
            return Outcome.delivered()
        return super().judged(end, places)


@mutant("test_what_may_pass_is_retried")
class GivesUpOnServerErrors(CounterExporter):
    """Buries what the server could not take just then."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        if isinstance(end, Response) and end.status >= 500:
            return Outcome.reject(dict.fromkeys(places, "server_error"))
        return super().judged(end, places)


@mutant("test_what_may_pass_is_retried")
class ReasonsAreSentences(CounterExporter):
    """Gives reasons that no account can count."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        return Outcome.retry("HTTP error, will try later") if _failed(end) else super().judged(end, places)


@mutant("test_retry_after_is_passed_on")
class IgnoresRetryAfter(CounterExporter):
    """Does not tell how long the other side wants to be left alone."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        return attrs.evolve(super().judged(end, places), retry_after_s=None)


@mutant("test_retry_after_is_passed_on")
class KnowsSecondsOnly(CounterExporter):
    """Does not know that Retry-After may be a date."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        outcome = super().judged(end, places)
        text = end.headers.get("retry-after", "0") if isinstance(end, Response) else "0"
        return outcome if text.isdigit() else attrs.evolve(outcome, retry_after_s=None)


@mutant("test_broken_connections_are_retried")
@mutant("test_a_whole_kit_accounts_for_all")
class SwallowsNetworkErrors(CounterExporter):
    """Has an except that passes."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        return Outcome.delivered() if isinstance(end, TransportError) else super().judged(end, places)


@mutant("test_works_again_after_an_outage")
class NeverForgives(CounterExporter):
    """Keeps what broke once."""

    broken = False

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        end = TransportError("broken", fix="-") if self.broken else super().post(body, deadline_s=deadline_s)
        self.broken = self.broken or isinstance(end, TransportError)
        return end


@mutant("test_a_hang_is_bounded")
class SleepsThroughTheDeadline(CounterExporter):
    """Has a time limit of its own."""

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        return super().post(body, deadline_s=15.0)


class KeptConnection(CounterExporter):
    """A connection of the standard library's, kept and never looked after. No mutant; some begin with it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        where = urlsplit(self._settings.url)
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(where.hostname or "", where.port)
            self._connection.timeout = deadline_s
            if self._connection.sock is not None:
                self._connection.sock.settimeout(deadline_s)
            self._connection.request("POST", where.path, body)
            answer = self._connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Response(status=answer.status, headers=headers, body=answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            return TransportError("the connection broke", fix="-")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@mutant("test_a_drip_is_bounded")
class WaitsForEachByte(KeptConnection):
    """Its deadline is the socket's timeout, which begins anew with each byte."""


@mutant("test_denied_pauses")
class KeepsKnocking(CounterExporter):
    """Tries a key again and again that is not accepted."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        denied = isinstance(end, Response) and end.status in (401, 403)
        return Outcome.retry("denied") if denied else super().judged(end, places)


@mutant("test_poison_is_isolated")
class BuriesTheBatch(CounterExporter):
    """Refuses all for one."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        bad = isinstance(end, Response) and end.status == 400
        return Outcome.reject(dict.fromkeys(places, "bad_request")) if bad else super().judged(end, places)


@mutant("test_poison_is_isolated")
class RetriesPoison(CounterExporter):
    """Tries again for ever what is refused for ever."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        bad = isinstance(end, Response) and end.status == 400
        return Outcome.retry("bad_request") if bad else super().judged(end, places)


@mutant("test_partial_acceptance_is_exact")
class CountsFromOne(CounterExporter):
    """Is off by one when it names those that were refused."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        outcome = super().judged(end, places)
        if outcome.verdict != "reject":
            return outcome
        return Outcome.reject({place - 1: why for place, why in outcome.rejected.items()}, again=outcome.again)


@mutant("test_partial_acceptance_is_exact")
class ReadsTheStatusOnly(CounterExporter):
    """Takes a 200 for a yes to all."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        return super().judged(attrs.evolve(end, body=b"") if isinstance(end, Response) else end, places)


@mutant("test_partial_acceptance_is_exact")
class TriesAllAgain(CounterExporter):
    """Sends what was accepted again, because a part was not."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        outcome = super().judged(end, places)
        return Outcome.retry("accepted_in_part") if outcome.verdict == "reject" else outcome


@mutant("test_limits_are_kept")
class GivesUpTheLarge(CounterExporter):
    """Buries a batch that is too large, instead of halving it."""

    def judged(self, end: Response | TransportError, places: Sequence[int]) -> Outcome:
        large = isinstance(end, Response) and end.status == 413
        return Outcome.reject(dict.fromkeys(places, "too_large")) if large else super().judged(end, places)


@mutant("test_limits_are_kept")
class ClaimsTheFirstPart(CounterExporter):
    """Posts in parts of five, and says of all what became of the first."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        parts = [batch.payloads[at : at + 5] for at in range(0, len(batch), 5)] or [()]
        outcomes = [
            super(ClaimsTheFirstPart, self).export(Batch(batch.id, part), deadline_s=deadline_s) for part in parts[:2]
        ]
        return outcomes[0]


@mutant("test_tries_once")
class TriesAgain(CounterExporter):
    """Retries by itself, as HTTP clients like to."""

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        for _ in range(2):
            end = super().post(body, deadline_s=deadline_s / 3)
            if not _failed(end):
                return end
        return super().post(body, deadline_s=deadline_s / 3)
