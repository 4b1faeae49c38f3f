# ruff: noqa: RUF001 - words of many languages
"""What somebody wrote anew, apart from what they quote and how they sign. Best effort: the full text stays beside it.

What is quoted begins where a mail program says so: a line of attribution ("On ..., Nancy wrote:"), a block of headers
("From: ... Sent: ..."), or lines that begin with ``>``.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from cxkit_email.inbound.mail import Mail
from cxkit_email.inbound.markup import plain
from cxkit_email.inbound.phrases import any_of

__all__ = ["Reply", "new_text", "reply"]

MAX_ATTRIBUTION_CHARS: Final = 500

_WROTE: Final = any_of(
    r"""
wrote|writes|sent|schrieb\w*|schreibt|[ée]crit|escribi[óo]|escribe|scritto|scrisse|scrive|escreveu|schreef|schrijft|heeft|geschreven
skrev|skriver|skrifaði|napisał\w*|pisze|napsal\w*|писал\w*|пишет|написа\w*|έγραψε|yazdı|írta
a scris|kirjoitti|viết|menulis
כתב|كتب|のメール|さんは書きました|写道|寫道|작성|님이
"""
)
_WHO: Final = re.compile(r"[<\"@]")
_WHEN: Final = re.compile(r"\d{1,4}[./:-]\d{1,2}|\d{4}")
_DATED: Final = re.compile(r"(?:20\d\d\s?[年./-]).{4,200}[<(]\s?[^<>()\s]{1,200}@[^<>()\s]{1,200}[>)]\s{0,3}[:：]$")
"""An attribution without a verb, as Gmail has it in Japanese."""
_OPENS: Final = any_of(
    r"""
on|am|le|el|il|em|op|den|dnia|w dniu|dne|в|ons?|tor|fre|lör|sön|mån|tis|man|tir|lør|søn
\d{1,4}[./-]|at|in|na|a|il giorno
(?:mon|tue|wed|thu|fri|sat|sun|pon|wt|śr|czw|pt|sob|niedz|nd|пн|вт|ср|чт|пт|сб|вс)\.?,
""",
    before=r"[\s>*]{0,6}",
    after=r"(?:\b|\s)",
)
_DIVIDER: Final = any_of(
    r"""
-{2,20}.{1,100}\bwrote\s?-{2,20}.{0,9}
[-_=]{2,20}\s{0,4}(?:original|urspr|mensaje|messaggio|mensagem|message|oorspronkelijk
opprinnelig|oprindelig|wiadomo|исходное|alkuper|původní|元の|原始|reply|antwort).{0,60}
_{20,200}\s{0,4}$
#{3,20}.{0,60}please (?:type your reply|reply) above.{0,40}
""",
    before=r"[\s>*]{0,6}",
)
_FORWARDED: Final = any_of(
    r"""
(?:forwarded|begin forwarded|weitergeleitete|message transféré|mensaje reenviado|messaggio inoltrato
mensagem encaminhada|doorgestuurd|vidarebefordrat|videresendt|przekazana|пересылаемое|転送|转发|轉寄).{0,60}
""",
    before=r"[\s>*]{0,6}[-_=]{0,20}\s{0,4}",
    after=r"[-_=:：]{1,20}\s{0,3}$",
)
"""Somebody passes it on: it is what they have to say."""
_FIELD: Final = any_of(
    r"""
from|von|de|da|van|från|fra|od|от|expéditeur|remitente|mittente|kimden|差出人|发件人|寄件者
sent|gesendet|envoyé|enviado(?: el)?|inviato|verzonden|skickat|sendt|wysłano|отправлено|date|datum|data|fecha|dato
送信日時|发送时间
to|an|à|para|a|aan|till|til|do|кому|宛先|收件人
subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|temat|тема|件名|主题|cc|kopie
""",
    before=r"[\s>*]{0,6}",
    after=r"\s{0,2}\*?\s{0,2}[:：]\*?\s{0,3}\S",
)
_MOBILE: Final = any_of(
    r"""
sent (?:from|via|with|using) (?:my|outlook|yahoo|gmail|mail|proton|samsung|iphone|android|a )|get outlook
von mein\w+ .{0,40} gesendet|gesendet (?:von|mit) (?:meine|mein|der|outlook|mail)|diese nachricht wurde von
envoy[ée] (?:de|depuis|à partir de) (?:mon|outlook|yahoo|l')|t[ée]l[ée]charge[rz] outlook|obtenez outlook
enviado (?:desde|do|de|a partir|via) (?:mi|meu|outlook|yahoo)|obtener outlook
inviato (?:da|dal|con)\b|(?:verzonden|verstuurd) (?:vanaf|vanuit|met|via)\b|skickat från|sendt fra|wysłane? z\b
отправлено (?:с|из)\b|lähetetty|odesláno z|iphoneから送信|iphone ?から|从我的.{0,20}发送|发自我的|(?:나의 )?iphone에서
""",
    before=r"\s{0,4}",
    after=r".{0,80}$",
)
_GAPS: Final = re.compile(r"\n(?:[ \t]{0,99}\n){2,200}")
_SIGNED: Final = re.compile(r"^(?:-- ?|__ ?|—\s{0,2})$")
_QUOTED: Final = re.compile(r"^\s{0,3}(?:>|\|\s)")


@attrs.frozen(kw_only=True)
class Reply:
    """What somebody answered."""

    text: str = attrs.field(repr=False)
    """The new part of it."""
    full: str = attrs.field(repr=False)
    """All of it. It is text, and what looks like HTML in it must be escaped like all text."""


def reply(mail: Mail) -> Reply:
    """The text of a message: of its first plain part, else of its HTML without the tags."""
    own = [part for part in mail.own if part.kind.startswith("text/")]
    part = next((part for part in own if part.kind == "text/plain" and part.text.strip()), own[0] if own else None)
    full = plain(part) if part else ""
    return Reply(text=new_text(full), full=full)


def new_text(full: str) -> str:
    r"""What is new in a reply. Where nothing would be left, all of it is.

    Example:
        >>> new_text("Yes, please.\n-- \nNancy\n\nOn 1 May 2026, Candy Haven wrote:\n> Shall we send it?")
        'Yes, please.'
    """
    kept: list[str] = []
    lines = full.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if _FORWARDED.match(line):
            kept.extend(lines[number:])
            break
        if _ends(lines, number):
            break
        if wide := _attributed(lines, number):
            if not _answered_below(lines, number + wide):
                break
            number += wide
            continue
        if not _QUOTED.match(line):
            kept.append(line)
        number += 1
    return _GAPS.sub("\n\n", "\n".join(kept)).strip() or full.strip()


def _ends(lines: list[str], number: int) -> bool:
    line = lines[number]
    if _SIGNED.match(line) or _MOBILE.match(line) or _DIVIDER.match(line):
        return True
    fields = [one for one in lines[number : number + 6] if _FIELD.match(one)]
    return bool(_FIELD.match(line)) and len(fields) >= 3


def _attributed(lines: list[str], number: int) -> int:
    """How many lines an attribution that begins here takes; programs fold it."""
    if _attributes(lines[number]):
        return 1
    if _OPENS.match(lines[number]):
        for wide in (2, 3):
            if _attributes(" ".join(lines[number : number + wide])):
                return wide
    return 0


def _attributes(line: str) -> bool:
    line = line.strip()
    if not line.endswith((":", "：")) or len(line) > MAX_ATTRIBUTION_CHARS:
        return False
    if _WROTE.search(line) and (_WHO.search(line) or (_OPENS.match(line) and _WHEN.search(line))):
        return True
    return _DATED.search(line) is not None


def _answered_below(lines: list[str], start: int) -> bool:
    """Whether somebody wrote under what they quote: every line after the attribution is quoted, up to an answer."""
    rest = [line for line in lines[start:] if line.strip()]
    return bool(rest) and bool(_QUOTED.match(rest[0])) and any(not _QUOTED.match(line) for line in rest)
