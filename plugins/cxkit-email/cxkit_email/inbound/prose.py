# ruff: noqa: RUF001 - words of many languages
"""Bounces that people are to read: what a server that makes no report for programs writes, and of whom.

No server's format is known here by its name. A notice has an opening that says what it is; it lists recipients in one
of few ways (a line of its own, in angle brackets before a colon, behind a label, in the transcript of a session); what
is about one of them stands near; and the message it brings back begins where a line says so, or where headers do.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from cxkit_email.inbound.addresses import ADDRESS, addresses, mailboxes, only_address
from cxkit_email.inbound.mail import Headers, Mail
from cxkit_email.inbound.markup import plain
from cxkit_email.inbound.openings import BOUNCE_SENDER, BOUNCE_SUBJECT, BOUNCE_TEXT, DELAY, RETURNED
from cxkit_email.inbound.phrases import any_of

__all__ = ["Notice", "from_server", "is_notice", "near", "notice", "recipients"]

MAX_NOTICE_CHARS: Final = 20_000

_HEADER: Final = re.compile(r"[> \t]{0,8}([A-Za-z][A-Za-z0-9-]{1,40}):(?:\s|$)")
_TRACE: Final = frozenset({
    "received", "return-path", "message-id", "mime-version", "x-mailer", "delivered-to", "dkim-signature",
    "content-type",
})  # fmt: skip
_TRANSPORT: Final = _TRACE | {"from", "to", "subject", "date", "reply-to", "cc"}
_RCPT: Final = re.compile(r"rcpt to\s{0,3}:?\s{0,3}", re.I)
_MAIL_FROM: Final = re.compile(
    r"(?:mail from|sender|from|reporting|postmaster|contact|by|reply-to)\s{0,3}:?\s{0,3}[<(\[]?$", re.I
)
_ALONE: Final = re.compile(
    r"(?:[\s>*|-]{0,12}|.{0,60}(?:\bsmtp;\s{0,3}|[:;](?=smtp=))|\s{0,8}\d{1,3}[.)]?\s{1,4})[<(\[\"']?"
    rf"{ADDRESS}[>)\]\"']?\s{{0,4}}(?:$|[:;,(.]|-|\s{{2}}|on\b)",
    re.I,
)
_LISTED: Final = any_of(
    r"""
following|these|failed|fatal|delivered to|deliver to|reach|gescheitert|folgende|suivants?|siguientes?
seguenti|seguintes?|volgende|адрес|次の|以下の
""",
    after=r".{0,80}(?:[:：]|-{2,40}|\))?\s{0,4}$",
)
"""After which recipients are listed, each on a line of its own."""
_TRANSCRIPT: Final = re.compile(r"\s{0,4}[45]\d\d[ -](?:[45]\.\d{1,3}\.\d{1,3} )?<?[^\s<>]{1,300}>?\.\.\. ")
"""sendmail's: ``550 5.1.1 <nancy@example.org>... User unknown``."""
_LABEL: Final = any_of(
    r"""
recipients?|to|rcpt|address(?:ee)?|user|mailbox|account|e-?mail|destinataire|destinatario|empf[äa]nger|an|an die|failed
undeliverable|generated from|expanded from|addressed,|宛先|あて先|メールアドレス
получател\w|адресат|komu|ontvanger|mottagare
modtager|odbiorca|para|til|à|pour|a
""",
    after=r"(?:\(s\)|s)?(?: (?:address|addresses|name|is|user|was))?\s{0,6}[:=]?\s{0,6}[<\"'(\[]{0,2}$",
)


@attrs.frozen(kw_only=True)
class Notice:
    """What a server wrote, without what it brings back."""

    text: str = attrs.field(repr=False)
    original: Headers = attrs.field(repr=False)
    """The headers of the message it is about, as far as it brings them back."""

    @property
    def delay(self) -> bool:
        """Whether it will be tried again."""
        return DELAY.search(self.text[:3000]) is not None


def from_server(mail: Mail) -> bool:
    """Whether a mail server sent it, by its own account: anybody can write that."""
    senders = " ".join(mail.headers.all("from", "return-path")[:3])[:600]
    return BOUNCE_SENDER.search(senders) is not None or mail.headers.get("return-path").strip() == "<>"


def is_notice(mail: Mail, found: Notice) -> bool:
    """Whether a server says that something was not delivered, in two of its sender, its subject, its text and its form.

    A customer writes of deliveries that failed too: what names no server as its sender must bring a message back.
    """
    if mail.headers.get("x-failed-recipients"):
        return True
    report = mail.kind == "multipart/report"
    if not (from_server(mail) or report or found.original):
        return False
    says = BOUNCE_TEXT.search(found.text[:4000]) is not None
    subject = BOUNCE_SUBJECT.search(mail.headers.get("subject")[:300]) is not None
    return from_server(mail) + subject + says + report > 1


def notice(mail: Mail) -> Notice:
    """The text of a message up to what it brings back."""
    kept: list[str] = []
    original = mail.original
    for part in mail.own:
        if not part.kind.startswith("text/") or (part.kind == "text/html" and kept):
            continue
        text, rest = _cut(plain(part))
        kept.append(text)
        original = original or _headers(rest)
    return Notice(text="\n".join(kept)[:MAX_NOTICE_CHARS], original=original)


def recipients(mail: Mail, found: Notice) -> dict[str, str]:
    """Whom it is about, each with what stands near; of several ways to tell, the surest that tells anything."""
    failed = [one for value in mail.headers.all("x-failed-recipients") for one in addresses(value)]
    sent_to = _folded(mailboxes(", ".join(found.original.all("to", "cc", "x-original-to", "envelope-to"))[:4000]))
    senders = {only_address(one) or "" for one in found.original.all("from", "return-path", "sender")}
    others = _folded([*senders, *addresses(" ".join(mail.headers.all("to", "from", "delivered-to"))[:4000])])
    lines = found.text.splitlines()
    ranked: dict[str, tuple[int, int, str]] = {}
    listed = False
    for number, line in enumerate(lines):
        listed = listed or _LISTED.search(line[:300]) is not None
        for address in mailboxes(line):
            rank = _rank(line, address, sent_to, others, listed=listed)
            if rank > ranked.get(address.casefold(), (0, -1, ""))[0]:
                ranked[address.casefold()] = rank, number, address
    for address in failed:
        _, number, _ = ranked.get(address.casefold(), (0, -1, ""))
        ranked[address.casefold()] = 9, number, address
    best = max((rank for rank, _, _ in ranked.values()), default=0)
    chosen = sorted((number, address) for rank, number, address in ranked.values() if rank == best)
    if not chosen or (best == 1 and len(chosen) > 1):
        fallback = mailboxes(found.original.get("to"))
        return {address: "" for address in fallback if len(fallback) == 1}
    starts = {number for number, _ in chosen}
    return {address: _near(lines, number, starts) for number, address in chosen}


def near(found: Notice, address: str | None) -> str:
    """What a notice says of one address, if it is on a line of it."""
    lines = found.text.splitlines()
    named = [(number, line.casefold()) for number, line in enumerate(lines) if "@" in line]
    first = next((number for number, line in named if address and address.casefold() in line), None)
    if first is None or address is None:
        return ""
    others = {number for number, line in named if address.casefold() not in line}
    return _near(lines, first, others)


def _rank(line: str, address: str, sent_to: set[str], others: set[str], *, listed: bool) -> int:
    """How surely a line tells that it is about an address.

    9: a header says so (elsewhere). 8: it stands alone in a list that was announced. 7: as qmail, Postfix and sendmail
    write it. 6: in ``RCPT TO``, or alone and whom the message was to. 5: whom it was to. 4: alone. 3: behind a label.
    1: somewhere. 0: it is ours, or a server's own.
    """
    folded = address.casefold()
    if folded.startswith(("mailer-daemon@", "postmaster@")) and folded not in sent_to:
        return 0
    at = line.find(address)
    alone = _ALONE.match(line) is not None and at < 80
    if alone and listed:
        return 8
    if _TRANSCRIPT.match(line) or line.lstrip().startswith(f"<{address}>:"):
        return 7
    if folded in others and folded not in sent_to:
        return 0
    before = line[max(0, at - 60) : at]
    if _MAIL_FROM.search(before):
        return 0
    if _RCPT.search(before):
        return 6
    if folded in sent_to:
        return 6 if alone else 5
    return 4 if alone else 3 if _LABEL.search(before) else 1


def _near(lines: list[str], number: int, others: set[int]) -> str:
    """The paragraph from a line on, up to a line of another, and if it is this line only, the next paragraph."""
    if number < 0:
        return ""
    if _TRANSCRIPT.match(lines[number]):
        return lines[number]
    end = number + 1
    while end < min(len(lines), number + 12) and end not in others and (lines[end].strip() or end < number + 2):
        end += 1
    return "\n".join(lines[number:end])


def _folded(found: list[str]) -> set[str]:
    return {address.casefold() for address in found}


def _cut(text: str) -> tuple[str, str]:
    """A text, and what it brings back: from where it says so, or from three headers on."""
    lines = text.splitlines()
    run = 0
    traced = False
    for number, line in enumerate(lines):
        if RETURNED.search(line[:200]):
            return "\n".join(lines[:number]), "\n".join(lines[number + 1 :])
        header = _HEADER.match(line)
        if header and header[1].casefold() in _TRANSPORT:
            run += 1
            traced = traced or header[1].casefold() in _TRACE
            if run >= 3 and traced:
                start = _start(lines, number)
                return "\n".join(lines[:start]), "\n".join(lines[start:])
        elif not (run and line[:1] in " \t" and line.strip()) and not header:
            run, traced = 0, False
    return text, ""


def _start(lines: list[str], number: int) -> int:
    """Where the headers began."""
    while number and (lines[number - 1][:1] in {" ", "\t"} or _HEADER.match(lines[number - 1])):
        number -= 1
    return number


def _headers(text: str) -> Headers:
    """Headers in a text, from the first line that is one."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines()[:300]:
        match = _HEADER.match(line)
        if match:
            found.append((match[1].casefold(), line[match.end() :].strip()[:4096]))
        elif found and line[:1] in " \t" and line.strip():
            name, value = found[-1]
            found[-1] = name, f"{value} {line.strip()}"[:4096]
        elif found and not line.strip():
            break
    return Headers(lines=tuple(found))
