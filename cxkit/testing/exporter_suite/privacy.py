"""What must not be seen, and whom nothing may be sent about."""

from __future__ import annotations

import base64
import io
import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Final
from urllib.parse import quote

import pytest

import cxkit
from cxkit.kit import Kit
from cxkit.model import PURPOSES, Interaction
from cxkit.roles import Batch, Exporter, Outcome
from cxkit.settings import Settings
from cxkit.testing.exporter_suite.backend import Fault
from cxkit.testing.exporter_suite.bench import Bench, batch_of, fails

__all__ = ["PrivacyChecks", "flushed", "kit_of", "touched"]

_KIT_S: Final = 20.0
_PERSON: Final = "nancy.canary@customer.example"
_ANSWERS: Final = (
    Fault(name="deny", status=401),
    Fault(name="deny", status=403),
    Fault(name="fail", status=500),
    Fault(name="throttle", retry_after="1"),
    Fault(name="limit"),
    Fault(name="reset"),
    Fault(name="refuse"),
)


class PrivacyChecks:
    """See `cxkit.testing.exporter_suite`."""

    def test_secrets_stay_secret(self, bench: Bench) -> None:
        """Keys and passwords are in no log at any level, no output, warning, error, repr, reason or preview."""
        secret = bench.backend.secret
        if secret not in repr(bench.backend.settings()):
            fails(
                f"{type(bench.backend).__name__}.settings() does not use self.secret: put it where the exporter's "
                "password or key goes, or skip this check and say why"
            )
        exporter, batch = bench.exporter(), batch_of(bench.samples(2))
        with overheard() as heard:
            outcomes = _all_kinds(bench, exporter, batch)
            bench.close(exporter)
        settings = bench.settings()
        seen = {
            "what was logged or written": heard(),
            "an outcome": repr(outcomes),
            "the repr of the exporter": f"{exporter!r} {exporter}",
            "the repr of its settings": f"{settings!r} {settings}",
            "what preview shows": _preview(bench.exporter(), batch) or "",
        }
        for where, text in seen.items():
            if any(form in text for form in _forms(secret)):
                fails(f"a secret of the settings is in {where}")

    def test_personal_data_stays_out_of_reasons_and_logs(self, bench: Bench) -> None:
        """Reasons end up in accounts and alerts, logs anywhere: neither repeats what the other side says."""
        interactions = bench.samples(4, subject=_PERSON, properties={"said": f"nancy_canary, {_PERSON}"})
        ids = [one.id for one in interactions]
        exporter = bench.exporter()
        with overheard() as heard:
            outcomes = _all_kinds(bench, exporter, batch_of(interactions))
            for fault in (
                Fault(name="poison", refused=frozenset(ids[:1])),
                Fault(name="partial", refused=frozenset(ids[:2]), again=frozenset(ids[2:3])),
            ):
                outcomes += _played(bench, exporter, batch_of(interactions), fault)
        reasons = [reason for one in outcomes for reason in (one.reason, *one.rejected.values())]
        for where, text in {"a reason": " ".join(reasons), "what was logged or written": heard()}.items():
            if _names_the_person(text):
                fails(f"personal data is in {where}: {_around(text)}")

    def test_consent_is_asked_before_the_wire(self, bench: Bench) -> None:
        """In a whole kit, nothing of a person who did not allow the purposes leaves the process."""
        kit, _ = kit_of(bench)
        with _closing(kit):
            silent = touched(bench, kit, "silent", None)
            unwilling = touched(bench, kit, "unwilling", False)
            willing = touched(bench, kit, "willing", True)
            flushed(kit)
        ids = {one.id for one in bench.received(at_least=1)}
        leaked = [who for who, id in (("silent", silent), ("unwilling", unwilling)) if id in ids]
        if leaked or willing not in ids:
            fails(f"sent about a person without consent: {leaked}; about the one who allowed it: {willing in ids}")

    def test_what_is_withdrawn_meanwhile_is_not_sent(self, bench: Bench) -> None:
        """What an attempt failed with is the lane's: kept back by the exporter, it would be sent unasked."""
        kit, hand = kit_of(bench)
        with _closing(kit):
            touched(bench, kit, "regretful", True)
            flushed(kit)
            hand.forget_attempts()
            bench.play_outage()
            waiting = touched(bench, kit, "regretful", None)
            hand.await_attempt(kit)
            touched(bench, kit, "regretful", False)
            hand.turn_away(kit)  # one attempt may be under way with what was lawful a moment ago
            bench.backend.heal()
            after = touched(bench, kit, "willing", True)
            flushed(kit)
        ids = {one.id for one in bench.received(at_least=1)}
        if waiting in ids or after not in ids:
            fails(f"sent after the consent was withdrawn: {waiting in ids}; sent of another person: {after in ids}")

    def test_purposes_are_known(self, bench: Bench) -> None:
        """What it uses interactions for: a frozen set of known purposes, or none, for the operator to say."""
        purposes: object = bench.exporter().purposes
        if not isinstance(purposes, frozenset) or not purposes <= set(PURPOSES):
            fails(f"purposes is {purposes!r}: a frozenset of {', '.join(PURPOSES)}; empty for the operator to say")

    def test_preview_sends_nothing(self, bench: Bench) -> None:
        """A preview is text for people; nothing leaves, nothing is connected to."""
        exporter = bench.exporter()
        if not hasattr(exporter, "preview"):
            pytest.skip("it has no preview")
        before = bench.traffic()
        for batch in (batch_of(bench.samples(2)), Batch("b-empty", ())):
            if not isinstance(_preview(exporter, batch), str):
                fails("preview does not return text")
        if bench.traffic() != before:
            fails(f"preview reached the other side: {before} before, {bench.traffic()} after")
        bench.nothing_arrived("only a preview was asked for")


def _all_kinds(bench: Bench, exporter: Exporter, batch: Batch) -> list[Outcome]:
    """Attempts that end in as many ways as the backend can play."""
    outcomes = [bench.export(exporter, batch)]
    for fault in _ANSWERS:
        outcomes += _played(bench, exporter, batch, fault)
    return outcomes


def _played(bench: Bench, exporter: Exporter, batch: Batch, fault: Fault) -> list[Outcome]:
    try:
        bench.backend.play(fault)
    except NotImplementedError:  # the fault's own check insists on it, or says why not
        return []
    outcome = bench.export(exporter, batch)
    bench.backend.heal()
    return [outcome]


def _preview(exporter: Exporter, batch: Batch) -> str | None:
    preview = getattr(exporter, "preview", None)
    text: str | None = None if preview is None else preview(batch)
    return text


def _forms(secret: str) -> Iterator[str]:
    """As it may be written: plain, in a URL, in Basic authentication."""
    yield secret
    yield quote(secret, safe="")
    for offset in range(3):  # base64 depends on what stands before it
        encoded = base64.b64encode(b"\0" * offset + secret.encode()).decode()
        yield encoded[4:-4]


def _names_the_person(text: str) -> bool:
    """Whether it holds the canary, also when rewritten as a word: nancy_canary."""
    return "nancycanary" in re.sub(r"[^a-z0-9]", "", text.lower())


def _around(text: str) -> str:
    at = text.lower().find("nancy")
    return repr(text[max(0, at - 60) : at + 40])


@contextmanager
def overheard() -> Iterator[Callable[[], str]]:
    """Everything that any logger at any level, a warning, or a print says meanwhile."""
    heard: list[str] = []
    handler = _Ear(heard)
    loggers = [
        logging.getLogger(),
        *(one for one in list(logging.root.manager.loggerDict.values()) if isinstance(one, logging.Logger)),
    ]
    before = [(one, one.level, one.disabled) for one in loggers]
    written = io.StringIO()
    for one in loggers:
        one.setLevel(logging.DEBUG)
        one.disabled = False
        if one.parent is None or not one.propagate:
            one.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as warned, redirect_stdout(written), redirect_stderr(written):
            warnings.simplefilter("always")
            yield lambda: "\n".join([*heard, *(str(one.message) for one in warned), written.getvalue()])
    finally:
        for one, level, disabled in before:
            one.removeHandler(handler)
            one.level, one.disabled = level, disabled
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.NOTSET)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(f"{self.format(record)} {record.args!r} {vars(record)!r}")


# --- a whole kit ----------------------------------------------------------------------------------


class LanesHand:
    """The exporter under test as the lane has it: for advertising, and its attempts can be waited for.

    Args:
        stumbles: Whether the first attempt raises before it begins.
    """

    purposes = frozenset({"advertising"})

    def __init__(self, exporter: Exporter, *, stumbles: bool = False) -> None:
        self._exporter = exporter
        self._stumbles = stumbles
        self._turns_away = False
        self._ended = threading.Semaphore(0)
        self._turned_away = threading.Semaphore(0)

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        if self._turns_away:
            self._turns_away = False
            self._turned_away.release()
            return Outcome.retry("turned_away")
        try:
            if self._stumbles:
                self._stumbles = False
                raise MemoryError("any code may raise this at any time")
            return self._exporter.export(batch, deadline_s=deadline_s)
        finally:
            self._ended.release()

    def close(self) -> None:
        self._exporter.close()

    def forget_attempts(self) -> None:
        """Those that were made so far are of no interest."""
        while self._ended.acquire(blocking=False):
            pass

    def await_attempt(self, kit: Kit) -> None:
        """Wait until one has been made since."""
        _hurried(kit, self._ended)

    def turn_away(self, kit: Kit) -> None:
        """Let one attempt not reach the exporter, and wait for it: then none before it is under way any more."""
        self._turns_away = True
        _hurried(kit, self._turned_away)


def _hurried(kit: Kit, awaited: threading.Semaphore) -> None:
    until = time.monotonic() + _KIT_S
    while not awaited.acquire(timeout=0.05):
        kit.flush(timeout_s=0.05)  # the lane's own patience may be long
        if time.monotonic() > until:
            fails(f"the kit handed nothing to the exporter within {_KIT_S:g} s")


def kit_of(bench: Bench, *, stumbles: bool = False) -> tuple[Kit, LanesHand]:
    """A whole kit, in memory, with one exporter."""
    exporter = bench.exporter()
    bench.given_away(exporter)
    hand = LanesHand(exporter, stumbles=stumbles)
    return Kit(Settings(), exporters={"suite": hand}, in_memory=True), hand


def touched(bench: Bench, kit: Kit, user_id: str, choice: bool | None) -> str | None:
    """Capture one interaction of a person who has just allowed the purposes, refused them, or said nothing."""
    sample: Interaction = bench.samples(1)[0]
    purposes = ("analytics", "advertising", "identity_stitching")
    spot = cxkit.touchpoint(sample.name, kind=sample.kind, purpose="analytics")
    with cxkit.scope(kit=kit, evidence="login", user_id=user_id):
        if choice is not None:
            (cxkit.grant if choice else cxkit.withdraw)(*purposes)
        given: dict[str, Any] = dict(sample.properties)
        return spot.on(value=sample.value).capture(**given)


def flushed(kit: Kit) -> None:
    """Wait until everything that was captured is handled."""
    ended = kit.flush(timeout_s=_KIT_S)
    if not ended.complete:
        fails(f"after {_KIT_S:g} s the kit has not handled everything: {ended.pending} pending")


@contextmanager
def _closing(kit: Kit) -> Iterator[None]:
    try:
        yield
    finally:
        kit.close(timeout_s=5)
