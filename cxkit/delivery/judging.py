"""Judging: whether a record may be handed on, asked anew for every attempt.

What was lawful to keep may no longer be lawful to hand on. The rule is ``rules.consent``; what is known of a
person now comes through a `Verdict`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, Protocol

import attrs

from cxkit.codec.frame import COMMAND, ERASED, INTERACTION, NOBODY, Record
from cxkit.delivery.erasure import occurred_by, tells_of_leaving
from cxkit.model import PURPOSES

__all__ = ["COUNTED_AS", "Answer", "ForExporter", "ForStore", "Judgment", "Verdict", "counted_as", "is_erased"]

Answer = Literal["allowed", "refused", "unknown"]
Judgment = Literal["allowed", "not_allowed", "refused", "unknown", "erased", "not_ours"]
"""not_allowed: not when it was captured; refused: no longer."""

COUNTED_AS: Final = {"erased": "dropped.erased", "not_ours": "skipped"}
"""Of those that are not handed on."""


def counted_as(judgment: Judgment, record: Record) -> str:
    """What a record counts as that is not handed on: of what a gate stopped, with the purpose it serves, and why."""
    if judgment in ("not_allowed", "refused"):
        return f"dropped.consent:{PURPOSES[record.own]}:{judgment}"
    return COUNTED_AS[judgment]


class Verdict(Protocol):
    """Whether a person's records may be used for all of these purposes, as far as is known now."""

    def __call__(self, subject: bytes, purposes: int) -> tuple[Answer, datetime | None]:
        """The answer, and up to when what was captured of them is erased; None: nothing is."""
        ...


@attrs.frozen(kw_only=True)
class ForExporter:
    """What an exporter may have: what each of its purposes, the touchpoint's own and those of what it holds allow."""

    purposes: int
    """Bits of the purposes of the exporter."""
    verdict: Verdict
    erases: bool = False
    """Whether it can do something about somebody who leaves. Who cannot is not told their names."""

    def anew(self) -> Callable[[Record], Judgment]:
        """A judge for one attempt: of what is alike it is asked once."""
        ask = _Asked(self.verdict)

        def judge(record: Record) -> Judgment:
            if record.type == ERASED:
                return "erased"
            if not self.erases and tells_of_leaving(record):
                return "not_ours"
            wanted = self.purposes | 1 << record.own | record.holds
            if wanted & ~record.purposes:
                return "not_allowed"
            if record.subject == NOBODY or not record.governed:
                return "allowed"
            return ask(record, wanted)

        return judge


@attrs.frozen(kw_only=True)
class ForStore:
    """What the store's lane carries: every command, and what is to be remembered of the people that allow it."""

    purposes: int
    """Bits of the purposes for which contacts are remembered; none: they are not."""
    verdict: Verdict

    def anew(self) -> Callable[[Record], Judgment]:
        """A judge for one attempt; see `ForExporter.anew`."""
        ask = _Asked(self.verdict)

        def judge(record: Record) -> Judgment:
            if record.type == COMMAND:
                return "allowed"
            wanted = self.purposes | 1 << record.own
            if record.type != INTERACTION or not self.purposes or record.subject == NOBODY or wanted & ~record.purposes:
                return "not_ours"
            answer = ask(record, wanted)
            return answer if answer in ("allowed", "unknown") else "not_ours"

        return judge


class _Asked:
    """Remembers what a verdict said."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._said: dict[tuple[bytes, int], tuple[Answer, datetime | None]] = {}

    def __call__(self, record: Record, wanted: int) -> Judgment:
        about = (record.subject, wanted)
        said = self._said.get(about)
        if said is None:
            said = self._said[about] = self._verdict(*about)
        answer, erased_until = said
        if erased_until is not None and occurred_by(record.payload, erased_until):
            return "erased"
        return answer


def is_erased(record: Record, verdict: Verdict) -> bool:
    """Whether its person was erased after it occurred, as far as is known now."""
    if record.subject == NOBODY:
        return False
    _, erased_until = verdict(record.subject, 0)
    return erased_until is not None and occurred_by(record.payload, erased_until)
