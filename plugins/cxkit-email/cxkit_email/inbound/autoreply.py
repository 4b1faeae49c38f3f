# ruff: noqa: RUF001 - words of many languages
"""Answers that nobody wrote. Source: RFC 3834; what programs older than it say of themselves; subjects they choose."""

from __future__ import annotations

from typing import Final

from cxkit_email.inbound.mail import Mail
from cxkit_email.inbound.phrases import any_of

__all__ = ["autoreply"]

_HEADERS: Final = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponse",
    "x-auto-reply",
    "x-auto-response",
    "x-mail-autoreply",
)
_PRECEDENCE: Final = frozenset({"auto_reply", "auto-reply", "autoreply"})
_SUBJECT: Final = any_of(
    r"""
auto(?:mat(?:ic|ed|isch\w*|ische|iska?t?|ico|ica|ique|yczna|isk))?[ -]?(?:reply|respon\w+|answer|antwort|svar|antwoord)
automat\w+ (?:reply|response|antwort\w*|antwoord\w*|svar\w*|odpowied\S*)
autoreply|auto:|autorespon\w+|auto[- ]generated reply|vacation (?:reply|notice|message|auto|response)
away from (?:my mail|the office|my desk)|out of (?:the )?office|ooo\b|out-of-office
on (?:annual |maternity |parental |sick )?(?:leave|holiday|vacation)\b
i(?:'m| am) (?:away|out of|on (?:leave|holiday|vacation))
r[ée]ponse automatique|absen(?:ce|t) (?:du|jusqu|pour)|en cong[ée]s?\b|message d'absence|je suis absente?
abwesenheits?\w*|abwesend|automatische (?:antwort|empfangs\w+)|ich bin (?:im urlaub|nicht im)
nicht im (?:b[üu]ro|haus)|im urlaub\b|urlaub (?:bis|vom|von)
respuesta autom[áa]tica|fuera de (?:la )?oficina|ausente\b|de vacaciones
(?:mensaje|aviso|nota) de ausencia|ausencia (?:temporal|de (?:la )?oficina)
risposta automatica|fuori (?:sede|ufficio)|assenza\b|assente\b|in ferie\b
resposta autom[áa]tica|fora do escrit[óo]rio|(?:mensagem|aviso) de aus[êe]ncia|de f[ée]rias
automatisch (?:antwoord|bericht)|afwezig(?:heid\w*)?\b|niet (?:op kantoor|aanwezig)|(?:met|op) vakantie
自動(?:返信|応答|回答|送信)|不在(?:通知|の|連絡)?|休暇|自动(?:回复|答复)|自動回覆|不在办公室|자동\s?(?:회신|응답)|부재\s?중
autosvar\w*|automatiskt? svar|fr[åa]nvaro\w*|p[åa] semester|frånvarande|ej p[åa] kontoret
frav[æa]r\w*|ikke p[åa] kontoret|(?:jeg er )?p[åa] ferie|ikke til stede
autoodpowied\S*|odpowied[źz] automatyczna|automatyczna odpowied\S*|nieobecno\S*|poza biurem|na urlopie|urlop (?:do|od)
автоответ\w*|автоматический ответ|в отпуске|отсутств\w*|poissaolo\w*|automaattinen vastaus|lomalla\b
automatick[áa] odpov\S*|mimo kancel\S*|automatikus v[áa]lasz|h[áa]zon k[íi]v[üu]l
otomatik yan[ıi]t|ofis d[ıi][şs][ıi]nda|r[ăa]spuns automat|αυτόματη απάντηση|תשובה אוטומטית|رد تلقائي
""",
    before=r"\s{0,4}[\[(*]?",
)


def autoreply(mail: Mail) -> str | None:
    r"""How it is known that a program answered, as a stable word; None if nothing says so.

    Example:
        >>> from cxkit_email.inbound.mail import read
        >>> autoreply(read(b"Auto-Submitted: auto-replied\n\nI am away."))
        'auto_submitted'
        >>> autoreply(read("Subject: Abwesenheitsnotiz: Ihre Bestellung\n\n...".encode()))
        'subject'
    """
    submitted = mail.headers.get("auto-submitted").split(";", 1)[0].strip().casefold()
    if submitted.startswith("auto-"):
        return "auto_submitted"
    if any(mail.headers.get(name).strip().casefold() not in {"", "no", "false"} for name in _HEADERS):
        return "x_autoreply"
    if mail.headers.get("precedence").strip().casefold() in _PRECEDENCE:
        return "precedence"
    return "subject" if _SUBJECT.match(mail.headers.get("subject")[:300]) else None
