"""A visit: what every middleware does around one request, framework-free.

Opened before the app sees the request, from facts alone; `headers` when the response begins;
`close` when it has ended, however it ended. Nothing is read from the body, the session or the user.
"""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import attrs

from cxkit.capture.scope import Scope, current_scope, enter
from cxkit.codec.wire import occurrence
from cxkit.errors import TokenError
from cxkit.kit import Kit
from cxkit.model import Context, Facts, Identifier, Identity, Page, TouchpointSpec
from cxkit.model.interaction import Outcome
from cxkit.web.cookies import choices_from_text, choices_to_text, set_cookie

__all__ = ["PAGE_VIEWED", "Visit"]

PAGE_VIEWED: Final = TouchpointSpec(name="page.viewed", kind="view", channel="web")

_WEB: Final = Context(channel="web")
_RENEW_AFTER_S: Final = 30 * 86_400
_SHARED: Final = ("public", "s-maxage")


class Visit:
    """One request, from the moment its facts are known.

    Args:
        kit: Whose scope it is.
        facts: What the request says of itself.
        route: Tells the route's template, once the framework has found it.
    """

    def __init__(self, kit: Kit, facts: Facts, *, route: Callable[[], str | None]) -> None:
        self._kit = kit
        self._began = time.perf_counter()
        self._secure = facts.scheme in ("https", "wss")
        self._names = cookie_names(kit)
        self._visitor_issued_at: float | None = None
        self.scope = self._open(facts, route)
        enter(self.scope)

    def _open(self, facts: Facts, route: Callable[[], str | None]) -> Scope:
        kit = self._kit
        scope = kit.open_scope(_WEB, facts=facts, gpc=_objects(facts), parent=current_scope())
        enrich, method = kit.enrich, facts.method

        def with_page(facts: Facts, context: Context) -> Context:
            context = attrs.evolve(context, page=Page(route=route(), method=method))
            return enrich(facts, context) if enrich else context

        scope.on_first_use(with_page)
        scope.issue_visitor = _new_visitor
        self._consent_read = self._read_consent(scope, facts)
        if scope.allowed.recognise:
            self._recognise(scope, facts)
        return scope

    def _read_consent(self, scope: Scope, facts: Facts) -> object:
        text = self._verified(self._names[1], facts, self._kit.settings.web.consent_max_age_s)
        if text is not None:
            scope.choices, scope.despite_gpc = choices_from_text(text)
            self._kit.desk.govern(scope)
        return scope.choices

    def _recognise(self, scope: Scope, facts: Facts) -> None:
        text = self._verified(self._names[0], facts, self._kit.settings.web.visitor_max_age_s)
        visitor = (
            _new_visitor() if text is None else Identifier(type="visitor", value=str(text), evidence="cookie")
        )
        self._visitor_issued_at = None if text is None else text.issued_at if text.current else 0.0
        scope.change(identity=Identity(identifiers=(visitor,)))
        if text is not None:
            self._kit.desk.recall(scope, wait=self._kit.may_wait())

    def _verified(self, name: str, facts: Facts, max_age_s: float):  # type: ignore[no-untyped-def]
        token = facts.cookies.get(name)
        if not token:
            return None
        try:
            return self._kit.desk.keyring.verify(name, token, now=self._now(), max_age_s=max_age_s)
        except TokenError:
            self._kit.desk.intake.noted["token_refused"] += 1
            return None

    # --- when the response begins ---

    def headers(self) -> list[tuple[str, str]]:
        """Headers to add to the response; afterwards no cookie can be set any more."""
        scope = self.scope
        scope.issue_visitor = None
        added = [("set-cookie", one) for one in (*self._visitor_cookie(scope), *self._consent_cookie(scope))]
        if self.personal:
            return added
        # Whatever is decided from here on goes into a response that others' caches may keep.
        scope.ceiling = 1
        return added

    @property
    def personal(self) -> bool:
        """Whether something was shown that is for this visitor alone."""
        return any(decision.depth > 1 for decision in self.scope.shown.values())

    def _visitor_cookie(self, scope: Scope) -> list[str]:
        settings, name = self._kit.settings.web, self._names[0]
        visitor = scope.identity.get("visitor")
        held = self._visitor_issued_at
        if visitor is None:
            return [set_cookie(name, "", max_age_s=0, secure=self._secure)] if held is not None else []
        if held is not None and self._now() - held < _RENEW_AFTER_S:
            return []
        token = self._kit.desk.keyring.sign(name, visitor.value, now=self._now())
        return [set_cookie(name, token, max_age_s=settings.visitor_max_age_s, secure=self._secure)]

    def _consent_cookie(self, scope: Scope) -> list[str]:
        if scope.choices is self._consent_read:
            return []
        name = self._names[1]
        text = choices_to_text(scope.choices, despite_gpc=scope.despite_gpc)
        token = self._kit.desk.keyring.sign(name, text, now=self._now())
        return [
            set_cookie(name, token, max_age_s=self._kit.settings.web.consent_max_age_s, secure=self._secure)
        ]

    def _now(self) -> float:
        return self._kit.desk.intake.stamper.time_ns() / 1e9

    # --- when it has ended ---

    def close(self, *, status: int | None, error: BaseException | None = None) -> None:
        """Capture the visit and end its scope.

        Args:
            status: What was answered; None if nothing was.
            error: What came out of the app, if anything did.
        """
        try:
            self._kit.desk.intake.capture(
                self.scope,
                PAGE_VIEWED,
                {"status": status},
                occurrence(
                    outcome=_outcome(status, error),
                    error=type(error).__name__ if error is not None else None,
                    duration=timedelta(seconds=time.perf_counter() - self._began),
                ),
            )
        finally:
            self.scope.close()


def cookie_names(kit: Kit) -> tuple[str, str]:
    """The names of the visitor's and of the consent cookie."""
    prefix = kit.settings.web.cookie_prefix
    return f"{prefix}_visitor", f"{prefix}_consent"


def excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path is none of our business: equal to a pattern, or below one that ends in a slash."""
    return any(path == one or (one[-1:] == "/" and path.startswith(one)) for one in patterns)


def made_private(cache_control: str | None) -> str:
    """A ``Cache-Control`` that keeps shared caches out, otherwise as it was.

    Example:
        >>> made_private("public, max-age=60")
        'max-age=60, private'
    """
    kept = [part.strip() for part in (cache_control or "").split(",")]
    kept = [part for part in kept if part and not part.lower().startswith((*_SHARED, "private"))]
    return ", ".join([*kept, "private"])


def _objects(facts: Facts) -> bool:
    """Sec-GPC is on if a field value is exactly "1" (W3C Global Privacy Control)."""
    return "1" in [value.strip() for value in facts.headers.get("sec-gpc", "").split(",")]


def _new_visitor() -> Identifier:
    value = urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
    return Identifier(type="visitor", value=value, evidence="cookie")


def _outcome(status: int | None, error: BaseException | None) -> Outcome:
    if error is not None and not isinstance(error, Exception):
        return "abandoned"
    if error is not None or (status is not None and status >= 500):
        return "failed"
    return "abandoned" if status is None else "completed"
