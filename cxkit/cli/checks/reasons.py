"""Why interactions are given up: what each reason means, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from cxkit.cli.language import say

__all__ = ["CONSENT", "Meaning", "meaning_of"]

CONSENT = frozenset({"consent", "consent_refused", "consent_undecided"})
"""Reasons that are nobody's fault."""


class Meaning(NamedTuple):
    """What a reason means, and what to do."""

    what: str
    fix: str


def meaning_of(reason: str) -> Meaning:
    """What a reason means, in the operator's language."""
    known = {
        "consent_refused": Meaning(
            say("the customer refused this purpose: it was not even kept"),
            say("nothing: this is their choice"),
        ),
        "consent_undecided": Meaning(
            say("the customer had not chosen, and consent.before_choice is \"drop\" or \"hold\": it was not even kept"),
            say("ask for consent"),
        ),
        "consent": Meaning(
            say("kept, but a purpose of this exporter or of the touchpoint was not allowed"),
            say("ask for consent to that purpose, or leave it as it is"),
        ),
        "queue_full": Meaning(
            say("more was captured at once than the disk could take"),
            say("raise queue.max_bytes, or put the directory on a faster disk"),
        ),
        "after_close": Meaning(
            say("captured after the kit was closed"),
            say("close the kit later, as the last thing the process does"),
        ),
        "invalid": Meaning(
            say("the capture was wrong"),
            say("set CXKIT_STRICT=true where you develop: the error is raised there"),
        ),
        "internal_error": Meaning(
            say("something failed inside cxkit while it was captured"),
            say("report it, with the line that was logged under \"cxkit\""),
        ),
        "oversize": Meaning(
            say("larger than a record may be"),
            say("capture less in one interaction"),
        ),
        "disk_error": Meaning(
            say("the disk did not take it until the process ended"),
            say("mend the disk of the directory, or free some space"),
        ),
        "own_thread": Meaning(
            say("captured by an exporter, on a thread of cxkit"),
            say("capture nothing in an exporter"),
        ),
        "erased": Meaning(
            say("its customer has left"),
            say("nothing: they asked for it"),
        ),
        "expired": Meaning(
            say("waited longer than spool.max_age_s"),
            say("mend the exporter: `cxkit export test NAME` says what is wrong"),
        ),
        "spool_full": Meaning(
            say("more than spool.max_bytes or spool.max_records were waiting"),
            say("mend the exporter, or raise what was reached"),
        ),
        "corrupt": Meaning(
            say("it could not be read any more"),
            say("check the disk"),
        ),
    }  # fmt: skip
    return known.get(reason) or Meaning(say("no meaning is known here"), say("update cxkit"))
