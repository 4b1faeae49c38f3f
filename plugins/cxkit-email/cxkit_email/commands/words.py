"""Why a mail is taken for what it is, in words: each step that decided, and what was not read to its end."""

from __future__ import annotations

from cxkit.cli.language import say

__all__ = ["limit_word", "why_word"]


def why_word(step: str) -> str:
    """A step of `Inbound.why`; what a server called something stays as it is."""
    if step.startswith("arf_"):
        return say("it says what was done: {type}", type=step.removeprefix("arf_").replace("_", "-"))
    if step.startswith("dsn_"):
        return say("it says what became of the mail: {action}", action=step.removeprefix("dsn_"))
    if step.startswith("ours"):
        return _ours(step)
    return {
        "arf": say("it is a report of a complaint, in the form for programs (RFC 5965)"),
        "dsn": say("it is a report of delivery, in the form for programs (RFC 3464)"),
        "mdn_displayed": say("the recipient's program says that it displayed the mail (RFC 8098)"),
        "notice": say("a mail server wrote it, for people to read"),
        "no_recipient": say("it does not say whom the mail was for"),
        "from_server": say("a mail server wrote it, and nothing in it says what about"),
        "subject_unsubscribe": say("its subject is what mail programs write to leave (RFC 2369)"),
        "auto_submitted": say("the header Auto-Submitted says that a program wrote it (RFC 3834)"),
        "x_autoreply": say("a header says that a program answers"),
        "precedence": say("the header Precedence says that a program answers"),
        "subject": say("its subject says so"),
        "answer": say("it answers a mail"),
        "message": say("nothing says that a program wrote it, nor that it answers a mail"),
        "empty": say("nothing is written in it"),
    }.get(step, step)


def _ours(step: str) -> str:
    where = {
        "ours_envelope": say("its recipient's address"),
        "ours_returned": say("the mail that it brings back"),
        "ours_subject": say("its subject"),
        "ours_thread": say("what it answers"),
    }.get(step, step)
    return say("a token of ours verifies, in {where}", where=where)


def limit_word(limit: str) -> str:
    """One of `Inbound.limits`."""
    return {
        "bytes": say("the mail is longer than what is read of one"),
        "headers": say("it has too many headers"),
        "depth": say("its parts are nested too deeply"),
        "parts": say("it has too many parts"),
        "lines": say("a part has too many lines"),
        "recipients": say("it tells of more recipients than are read"),
    }.get(limit, limit)
