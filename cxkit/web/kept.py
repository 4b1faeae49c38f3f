"""What a browser keeps for us, in two cookies: who its visitor is, once they allow that, and what they chose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cxkit.capture.scope import Scope
from cxkit.keyring import Signed
from cxkit.model import Choice, Facts, Identifier
from cxkit.rules.consent import unexpired
from cxkit.web.cookies import choices_from_text, choices_to_text, set_cookie
from cxkit.web.site import Site, is_secure

__all__ = ["Kept"]

_VISITOR: Final = "visitor cookie"
_CONSENT: Final = "consent cookie"


class Kept:
    """The cookies of one request, and those of its response.

    Args:
        site: Whose they are.
        facts: Of the request.
    """

    def __init__(self, site: Site, facts: Facts) -> None:
        self._site = site
        self._secure = is_secure(facts.scheme)
        self._names = names = site.cookie_names(facts.scheme)
        self._visitor_sent, self._consent_sent = facts.cookies.get(names.visitor), facts.cookies.get(names.consent)
        self._visitor: Signed | None = None
        self._consent: Signed | None = None
        self._choices: Mapping[str, tuple[Choice, datetime]] | None = None

    def read_choices(self, scope: Scope) -> None:
        """Let the scope obey what was chosen in this browser."""
        site, desk = self._site, self._site.kit.desk
        max_age_s = site.consent_max_age_s(scope.policy)
        self._consent = text = site.verified(_CONSENT, self._consent_sent, max_age_s=max_age_s)
        if text is not None:
            choices, scope.despite_gpc = choices_from_text(text)
            scope.choices = self._choices = unexpired(choices, policy=scope.policy, now=desk.intake.stamper.now())
            desk.govern(scope)

    def read_visitor(self) -> Identifier | None:
        """Whose browser it is, by its own cookie; to be asked only where that may be known."""
        self._visitor = self._site.verified(_VISITOR, self._visitor_sent, max_age_s=self._site.visitor_max_age_s)
        if self._visitor is None:
            return None
        return Identifier(type="visitor", value=str(self._visitor), evidence="cookie")

    def cookies(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The headers that bring the browser's cookies up to what the scope is now."""
        return [*self._visitor_cookie(scope), *self._consent_cookie(scope)]

    def _visitor_cookie(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Nothing, a new one, the same renewed, or what deletes it."""
        site, held, name = self._site, self._visitor, self._names.visitor
        if not scope.allowed.recognise:
            return [self._set(name, "", max_age_s=0)] if self._visitor_sent is not None else []
        visitor = scope.identity.get("visitor")
        if visitor is None or visitor.evidence != "cookie":
            return []
        now = site.now()
        fresh = held is not None and held.current and now - held.issued_at < site.renew_after_s
        if str(held) == visitor.value and fresh:
            return []
        token = site.kit.desk.keyring.sign(_VISITOR, visitor.value, now=now)
        return [self._set(name, token, max_age_s=site.visitor_max_age_s)]

    def _consent_cookie(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Nothing, the choices as they are now, or the same under the newest key: that is no new choice."""
        site, held = self._site, self._consent
        chosen = scope.choices and scope.choices is not self._choices
        text = choices_to_text(scope.choices, despite_gpc=scope.despite_gpc) if chosen else held
        if text is None or (text == held and held.current and not site.kiosk):
            return []
        now = site.now()
        made = held.issued_at if held is not None and text == held and not site.kiosk else now
        max_age_s = site.consent_max_age_s(scope.policy) - int(now - made)
        token = site.kit.desk.keyring.sign(_CONSENT, text, now=made)
        return [self._set(self._names.consent, token, max_age_s=max_age_s)]

    def _set(self, name: str, value: str, *, max_age_s: int) -> tuple[bytes, bytes]:
        hidden = name == self._names.visitor  # scripts have to obey what was chosen, so they may read it
        text = set_cookie(name, value, max_age_s=max_age_s, secure=self._secure, hidden=hidden)
        return b"set-cookie", text.encode()
