"""The banner: one question in plain HTML, for as long as it is to be asked; then a link to the choices."""

from __future__ import annotations

from urllib.parse import quote

from cxkit.capture.scope import Scope
from cxkit.kit import Kit
from cxkit.kit.here import in_scope
from cxkit.model import Facts
from cxkit.web.consent.asking import SELLING, Asking, asking, shown_in_banner, shown_in_sale
from cxkit.web.consent.page import stylesheet_link
from cxkit.web.consent.posted import language_for
from cxkit.web.consent.texts import TEXTS
from cxkit.web.markup import Html, element, hidden
from cxkit.web.paths import here, mounted, safe_back

__all__ = ["banner", "consent_url"]


def banner(back: str | None = None, language: str | None = None) -> Html:
    """What asks this visitor for their choice, as long as they have to make one; then a link to change it.

    Put it at the end of the body. It works without JavaScript, and under a Content-Security-Policy that allows
    ``style-src 'self'`` and ``form-action 'self'``. What it shows follows the visitor, so the response becomes
    ``private``, with ``Vary: Cookie``. Where the response has begun already and others may get it, only the link
    is shown, in ``language``, else in what the response says that it follows, else in English.

    Args:
        back: Where they go once they have chosen; by default to the page they are on. A path on this site.
        language: ``en`` or ``fr``, also as ``fr-CA``; by default the one they chose, else what their browser asks for.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> with recorder(), cxkit.scope(channel="web"):
        ...     asked = banner(language="en")
        ...     cxkit.withdraw("analytics", "personalization", "profiling", "advertising")
        ...     "Accept all" in asked, "Accept all" in banner(language="en")
        (True, False)
    """
    shown: list[str] = []
    in_scope(lambda kit, scope: shown.append(_shown(kit, scope, back=back, language=language)))
    return Html("".join(shown))


def consent_url(language: str | None = None, back: str | None = None) -> str:
    """The path of the page of choices, for a link of your own.

    Args:
        language: As for `banner`; by default the one to speak to them when they are there.
        back: Where that page leads back to; by default to the path of the page they are on. A path on this site.
    """
    found: list[str] = []
    in_scope(lambda kit, scope: found.append(_link(kit, scope.facts, language=language, back=back)))
    return "".join(found)


def _link(kit: Kit, facts: Facts | None, *, language: str | None, back: str | None) -> str:
    """Without the query of the page they are on: links are logged."""
    path = safe_back(back) or (here(facts, query=False) if facts is not None else None)
    parts = [f"{name}={quote(value, safe='/')}" for name, value in (("lang", language), ("back", path)) if value]
    return mounted(kit, facts, "/consent") + ("?" + "&".join(parts) if parts else "")


def _shown(kit: Kit, scope: Scope, *, back: str | None, language: str | None) -> str:
    if not kit.settings.web.mount:
        return ""  # nothing would take the answer
    facts, shared = scope.facts, not scope.vary("choices")
    language = language_for(kit, scope, language)
    link = _link(kit, facts, language=language, back=back)
    if shared:
        return stylesheet_link(kit, facts) + _line(link, language=language)
    asked = asking(kit, scope)
    fields = hidden("back", safe_back(back) or (here(facts, query=True) if facts is not None else None))
    form = {"method": "post", "action": mounted(kit, facts, "/consent")}
    if asked.due:
        body = _question(asked, link, fields, form, language=language)
    elif asked.sells:
        body = _sale(asked, link, fields, form, language=language)
    else:
        body = _line(link, language=language)
    return stylesheet_link(kit, facts) + body


def _line(link: str, *, language: str, before: str = "") -> str:
    """What is always there: where a choice can be made, it can be changed."""
    way = element("p", before + element("a", TEXTS[language]["title"], href=link))
    return element("div", way, class_="cx-line", lang=language)


def _question(asked: Asking, link: str, fields: str, form: dict[str, str], *, language: str) -> str:
    text = TEXTS[language]
    named = ", ".join(text[purpose] for purpose in asked.due)
    meant = element("dl", "".join(_meant(purpose, language) for purpose in asked.due))
    actions = (
        element("button", text["refuse"], class_="cx-button", name="choice", value="refuse")
        + element("button", text["accept"], class_="cx-button", name="choice", value="accept")
        + element("a", text["choose"], class_="cx-button", href=link)
    )
    sent = fields + hidden("notice", shown_in_banner(asked.due, language).version)
    sent += "".join(hidden("asked", purpose) for purpose in asked.due)
    return element(
        "section",
        element("h2", text["ask"], id="cx-banner-title")
        + element("p", f"{text['ask.why']} {named}. {text['ask.later']}")
        + element("details", element("summary", text["details"]) + meant)
        + element("form", sent + element("div", actions, class_="cx-actions"), **form),
        class_="cx-banner",
        lang=language,
        aria_labelledby="cx-banner-title",
    )


def _meant(purpose: str, language: str) -> str:
    text = TEXTS[language]
    return element("dt", text[purpose]) + element("dd", text[f"{purpose}.means"])


def _sale(asked: Asking, link: str, fields: str, form: dict[str, str], *, language: str) -> str:
    """Where nobody has to be asked: that they can object, by one button; or that their objection is obeyed."""
    text = TEXTS[language]
    if asked.allowed.isdisjoint(SELLING):
        obeyed = text["gpc"] if asked.obeyed else text["sell.not"]
        return _line(link, language=language, before=f"{obeyed} ")
    sent = fields + hidden("notice", shown_in_sale(language).version)
    sent += "".join(hidden("asked", purpose) for purpose in SELLING)
    actions = element("button", text["object"], class_="cx-button", name="choice", value="refuse")
    actions += element("a", text["title"], class_="cx-button", href=link)
    return element(
        "section",
        element("p", text["sell"], id="cx-banner-title")
        + element("form", sent + element("div", actions, class_="cx-actions"), **form),
        class_="cx-line",
        lang=language,
        aria_labelledby="cx-banner-title",
    )
