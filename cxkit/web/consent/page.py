"""A page of our own: its head, its frame and its stylesheet."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import quote

from cxkit.kit import Kit
from cxkit.model import Facts
from cxkit.roles import Reply
from cxkit.web.consent.texts import LANGUAGES, TEXTS
from cxkit.web.markup import element
from cxkit.web.paths import mounted
from cxkit.web.posted import PRIVATE, waits
from cxkit.web.static import Static

__all__ = ["STYLESHEET", "page", "stylesheet_link"]

_PAGE: Final = (
    *PRIVATE,
    ("Content-Type", "text/html; charset=utf-8"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "same-origin"),  # with none, a browser would say Origin: null where it posts a form
    ("X-Robots-Tag", "noindex"),
)
_NAMES: Final = {"en": "English", "fr": "Français"}

STYLESHEET: Final = Static(package="cxkit.web.consent", name="cx.css", type="text/css", max_age_s=86_400)


def stylesheet_link(kit: Kit, facts: Facts | None) -> str:
    """What fetches the stylesheet: anew as soon as it is another one."""
    return element("link", rel="stylesheet", href=f"{mounted(kit, facts, '/cx.css')}?v={STYLESHEET.version}")


def page(
    kit: Kit, facts: Facts, *, at: str, title: str, language: str, body: str, status: int = 200, back: str | None = None
) -> Reply:
    """A page of our own.

    Args:
        at: Its path below the mount point.
        title: And heading.
        body: Below its heading.
        back: Where the visitor came from.
    """
    text, here = TEXTS[language], mounted(kit, facts, at)
    kept = f"&back={quote(back, safe='/')}" if back else ""
    others = "".join(
        element("a", _NAMES[other], href=f"{here}?lang={other}{kept}", hreflang=other, lang=other)
        for other in LANGUAGES
        if other != language
    )
    way_back = element("a", text["back"], href=back) if back else ""
    head = (
        element("meta", charset="utf-8")
        + element("meta", name="viewport", content="width=device-width, initial-scale=1")
        + element("title", escape(title))
        + stylesheet_link(kit, facts)
    )
    main = element("main", element("h1", escape(title)) + body + element("p", way_back + others, class_="cx-ways"))
    html = "<!doctype html>" + element(
        "html", element("head", head) + element("body", main, class_="cx-page"), lang=language
    )
    return Reply(status=status, headers=(*_PAGE, *waits(status), ("Content-Language", language)), body=html.encode())
