"""A visit: what every middleware does around one request, framework-free.

Opened before the app sees the request, from facts alone; `Visit.begin` when the response begins,
`Visit.end` when its last byte has left, `Visit.close` when the app is done, however that came.
Nothing is read from the body, the session or the user.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import attrs

from cxkit.capture.scope import current_scope, enter
from cxkit.codec.wire import occurrence
from cxkit.errors import TokenError
from cxkit.keyring import Signed
from cxkit.kit import Kit
from cxkit.model import Context, Facts, Identifier, Identity, Page, TouchpointSpec
from cxkit.model.interaction import Outcome
from cxkit.rules.consent import unexpired
from cxkit.web.caching import Headers, audience, for_one_visitor
from cxkit.web.cookies import (
    CookieNames,
    choices_from_text,
    choices_to_text,
    cookie_names,
    new_visitor,
    set_cookie,
)

__all__ = ["PAGE_VIEWED", "Site", "Visit"]

PAGE_VIEWED: Final = TouchpointSpec(name="page.viewed", kind="view", channel="web")

_WEB: Final = Context(channel="web")
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"])
_RENEW_AFTER_S: Final = 30 * 86_400
_KIOSK_IDLE_S: Final = 120
"""At a device that everybody uses, whoever comes after so long is somebody else."""
_VISITOR: Final = "visitor cookie"
_CONSENT: Final = "consent cookie"


class Site:
    """What all visits under one kit share.

    Args:
        kit: Whose visits they are.
    """

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.settings = kit.settings.web
        self._exact = frozenset(self.settings.exclude)
        self._below = tuple(one for one in self.settings.exclude if one.endswith("/"))
        self.kiosk = kit.desk.identifying.kiosk
        self.visitor_max_age_s = _KIOSK_IDLE_S if self.kiosk else self.settings.visitor_max_age_s
        self.renew_after_s = 0 if self.kiosk else _RENEW_AFTER_S
        self._names = [cookie_names(self.settings.cookie_prefix, secure=secure) for secure in (False, True)]

    def excludes(self, path: str) -> bool:
        """Whether a path is none of our business: an excluded one, or below one that ends in a slash."""
        return path in self._exact or path.startswith(self._below)

    def cookie_names(self, scheme: str) -> CookieNames:
        """What the cookies are called on requests of this scheme."""
        return self._names[_is_secure(scheme)]

    def now(self) -> float:
        """Unix seconds."""
        return self.kit.desk.intake.stamper.time_ns() / 1e9

    def failed(self, error: Exception) -> None:
        """Something of ours went wrong: raised in strict mode, else noted."""
        self.kit.intake.note(error)

    def verified(self, use: str, token: str | None, *, max_age_s: int) -> Signed | None:
        """What a cookie holds; None if it is none of ours (any more)."""
        if not token:
            return None
        try:
            return self.kit.desk.keyring.verify(use, token, now=self.now(), max_age_s=max_age_s)
        except TokenError:
            self.kit.desk.intake.count("token_refused")
            return None


class Visit:
    """One request, from the moment its facts are known.

    Args:
        site: Where it goes.
        facts: What the request says of itself.
        route: Tells the route's template, once the framework has found it.
        answers: Whether there will be a response that can set cookies: a websocket has none.

    Attributes:
        scope: Who is visiting, under which circumstances; it is the current one until `close`.
    """

    def __init__(self, site: Site, facts: Facts, *, route: Callable[[], str | None], answers: bool = True) -> None:
        self._began = time.perf_counter()
        self._site = site
        self._route = route
        self._method = facts.method if facts.method in _METHODS else None
        self._secure = _is_secure(facts.scheme)
        self._names = site.cookie_names(facts.scheme)
        self._status: int | None = None
        self._gone = self._captured = False
        # No parent: where a server starts one request from within another, theirs is another visitor.
        self._outer = current_scope()
        self.scope = scope = site.kit.open_scope(_WEB, facts=facts, gpc=_objects(facts))
        scope.on_first_use(self._circumstances)
        self._place(facts)
        self._visitor_held = facts.cookies.get(self._names.visitor)
        self._visitor: Signed | None = None
        self._consent = self._read_consent(facts)
        if answers:
            scope.issue_visitor = new_visitor
        if scope.allowed.recognise:
            self._recognise(answers)
        self._choices = scope.choices
        enter(scope)

    def _place(self, facts: Facts) -> None:
        """Where the region decides: ask where this is now, for it decides whether the visitor may be recognised."""
        desk, enrich = self._site.kit.desk, self._site.kit.enrich
        if desk.regional and enrich is not None:
            self.scope.context = enrich(facts, _WEB)
            self.scope.on_first_use(self._on_page)
            desk.govern(self.scope)

    def _read_consent(self, facts: Facts) -> Signed | None:
        scope, desk = self.scope, self._site.kit.desk
        token, max_age_s = facts.cookies.get(self._names.consent), self._consent_max_age_s
        text = self._site.verified(_CONSENT, token, max_age_s=max_age_s)
        if text is not None:
            choices, scope.despite_gpc = choices_from_text(text)
            scope.choices = unexpired(choices, policy=scope.policy, now=desk.intake.stamper.now())
            desk.govern(scope)
        return text

    @property
    def _consent_max_age_s(self) -> int:
        """How long the choices are kept here: an objection at least as long as nobody may ask again."""
        if self._site.kiosk:
            return _KIOSK_IDLE_S
        policy, max_age_s = self.scope.policy, self._site.settings.consent_max_age_s
        return max(max_age_s, policy.refusal_days * 86_400) if policy.mechanism == "opt_out" else max_age_s

    def _recognise(self, answers: bool) -> None:
        """Know the visitor by the cookie, or by a new one that can be set; obey what they chose elsewhere."""
        scope, max_age_s = self.scope, self._site.visitor_max_age_s
        self._visitor = self._site.verified(_VISITOR, self._visitor_held, max_age_s=max_age_s)
        if self._visitor is None:
            if answers:
                scope.change(identity=Identity(identifiers=(new_visitor(),)))
            return
        visitor = Identifier(type="visitor", value=str(self._visitor), evidence="cookie")
        scope.change(identity=Identity(identifiers=(visitor,)))
        try:
            self._site.kit.desk.recall(scope, patience_s=self._site.kit.patience_s())
        except Exception as error:  # noqa: BLE001 - a store that fails costs what it knows, not the visit
            scope.pending = True
            self._site.failed(error)
        scope.returning = scope.allowed.recognise and visitor in scope.identity.identifiers
        if not scope.allowed.recognise:
            scope.change(identity=Identity())

    # --- the circumstances, when something first needs them ---

    def _circumstances(self, facts: Facts, context: Context) -> Context:
        enrich = self._site.kit.enrich
        context = self._on_page(facts, context)
        return enrich(facts, context) if enrich else context

    def _on_page(self, facts: Facts, context: Context) -> Context:
        try:
            route = self._route()
        except Exception as error:  # noqa: BLE001 - a framework that surprises us costs the route, no more
            self._site.failed(error)
            route = None
        if route is None:
            self.scope.on_first_use(self._on_page_at_last)
        page = _page(route, self._method)
        return page if context is _WEB else attrs.evolve(context, page=page.page)

    def _on_page_at_last(self, facts: Facts, context: Context) -> Context:
        """Asked before routing; so what is encoded of the scope has no route."""
        context = self._on_page(facts, context)
        if context.page is not None and context.page.route is not None:
            self.scope.change(context=context)
        return context

    # --- the response ---

    def begin(self, status: Any, headers: Headers) -> Headers:
        """The response begins: the headers to send; afterwards no cookie can be set any more.

        Cookies are added at the end. Besides, only a response that is for this visitor alone is
        changed (`cxkit.web.caching.for_one_visitor`): because it shows something personal, or
        because they chose something just now and it invites shared caches. A response that invites
        them otherwise gets no cookie, lest they give it to everybody.
        """
        try:
            self._status = int(status)
            return self._answer(headers)
        except Exception as error:  # noqa: BLE001 - the guest's promise
            self._site.failed(error)
            return for_one_visitor(headers) if self.personal else headers

    @property
    def personal(self) -> bool:
        """Whether something was shown that is for this visitor alone."""
        return self.scope.depth_shown > 1

    def _answer(self, headers: Headers) -> Headers:
        scope = self.scope
        scope.issue_visitor = None
        kept_by, chosen = audience(headers), scope.choices is not self._choices
        if self.personal or (chosen and kept_by == "shared"):
            headers, kept_by = for_one_visitor(headers), "one"
        if kept_by != "one":
            scope.ceiling = 1  # whatever is decided from here on goes into a response that others may get
        if kept_by == "shared":
            return headers
        cookies = [*self._visitor_cookie(), *self._consent_cookie()]
        return [*headers, *cookies] if cookies else headers

    def _visitor_cookie(self) -> list[tuple[bytes, bytes]]:
        """Nothing, a new one, the same renewed, or what deletes it."""
        name, max_age_s, held = self._names.visitor, self._site.visitor_max_age_s, self._visitor
        if not self.scope.allowed.recognise:
            return [self._set(name, "", max_age_s=0)] if self._visitor_held is not None else []
        visitor = self.scope.identity.get("visitor")
        if visitor is None or visitor.evidence != "cookie":
            return []
        now = self._site.now()
        fresh = held is not None and held.current and now - held.issued_at < self._site.renew_after_s
        if str(held) == visitor.value and fresh:
            return []
        token = self._site.kit.desk.keyring.sign(_VISITOR, visitor.value, now=now)
        return [self._set(name, token, max_age_s=max_age_s)]

    def _consent_cookie(self) -> list[tuple[bytes, bytes]]:
        """Nothing, the choices as they are now, or the same under the newest key: that is no new choice."""
        scope, held = self.scope, self._consent
        text = choices_to_text(scope.choices, despite_gpc=scope.despite_gpc) if scope.choices else held
        kiosk = self._site.kiosk
        if text is None or (text == held and held.current and not kiosk):
            return []
        now = self._site.now()
        made = held.issued_at if held is not None and text == held and not kiosk else now
        max_age_s = self._consent_max_age_s - int(now - made)
        token = self._site.kit.desk.keyring.sign(_CONSENT, text, now=made)
        return [self._set(self._names.consent, token, max_age_s=max_age_s)]

    def _set(self, name: str, value: str, *, max_age_s: int) -> tuple[bytes, bytes]:
        return b"set-cookie", set_cookie(name, value, max_age_s=max_age_s, secure=self._secure).encode()

    # --- the end ---

    def left(self) -> None:
        """The client is gone."""
        self._gone = True

    def end(self) -> None:
        """The last byte of the response has left: the visit is captured. What follows does not spoil it."""
        self._capture(None, ended=True)

    def close(self, error: BaseException | None = None) -> None:
        """The app is done: capture the visit unless it has ended before, and end its scope.

        Args:
            error: What came out of the app, if anything did.
        """
        try:
            self._capture(error, ended=False)
        except Exception:
            if error is None:  # strict mode; an error of the app itself goes first
                raise
        finally:
            self.leave()

    def leave(self) -> None:
        """End the scope without a visit."""
        self.scope.close()
        if self._outer is not None:
            enter(self._outer)

    def _capture(self, error: BaseException | None, *, ended: bool) -> None:
        if self._captured:
            return
        self._captured = True
        try:
            status = self._status
            if status is None and isinstance(error, Exception) and not self._gone:
                status = 500  # what the server is about to say
            added = occurrence(
                outcome=self._outcome(status, error, ended=ended),
                error=type(error).__name__ if error is not None else None,
                duration=timedelta(seconds=time.perf_counter() - self._began),
            )
            self._site.kit.desk.intake.capture(self.scope, PAGE_VIEWED, {"status": status}, added)
        except Exception as failure:  # noqa: BLE001 - the guest's promise
            self._site.failed(failure)

    def _outcome(self, status: int | None, error: BaseException | None, *, ended: bool) -> Outcome:
        if self._gone or (error is not None and not isinstance(error, Exception)):
            return "abandoned"
        if error is not None or (status is not None and status >= 500):
            return "failed"
        return "completed" if ended else "abandoned"


@lru_cache(maxsize=1024)
def _page(route: str | None, method: str | None) -> Context:
    """One object for each page: routes are few."""
    return attrs.evolve(_WEB, page=Page(route=route, method=method))


def _is_secure(scheme: str) -> bool:
    return scheme in ("https", "wss")


def _objects(facts: Facts) -> bool:
    """Whether a ``Sec-GPC`` header is exactly "1", alone or among others that a proxy joined to it.

    Source: Global Privacy Control (W3C), section 3.3.
    """
    said = facts.headers.get("sec-gpc")
    return said is not None and "1" in [value.strip() for value in said.split(",")]
