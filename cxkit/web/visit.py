"""A visit: what every middleware does around one request, framework-free.

Opened before the app sees the request, from facts alone; `Visit.begin` when the response begins,
`Visit.end` when its last byte has left, `Visit.close` when the app is done, however that came.
Nothing is read from the body, the session or the user.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import attrs

from cxkit.capture.scope import current_scope, enter
from cxkit.codec.wire import occurrence
from cxkit.flows.arrive import arrive
from cxkit.flows.identify import identify, usable
from cxkit.flows.link import logout
from cxkit.model import Context, Facts, Identity, Page
from cxkit.model.context import Actor
from cxkit.model.interaction import Outcome
from cxkit.roles import Endpoint
from cxkit.rules.consent import denials, later
from cxkit.rules.language import first, ranges
from cxkit.rules.measure.pages import PAGE_VIEWED
from cxkit.web.actor import actor_of, is_feed, is_part
from cxkit.web.caching import BY_HEADER, Headers, audience, for_one_visitor, varying
from cxkit.web.cookies import new_visitor
from cxkit.web.kept import Kept
from cxkit.web.site import Site
from cxkit.web.sites import Sites

__all__ = ["SCOPE", "Visit", "open_visit", "signed_out"]

_WEB: Final = Context(channel="web")
SCOPE: Final = "cxkit.scope"
"""Where among the marks of a request its scope is kept."""
_MAX_CLAIM_CHARS: Final = 200
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"])


Found = Callable[[], "str | None"]
"""Asks the framework for something that it may know by now."""


def open_visit(
    sites: Sites,
    marks: MutableMapping[str, Any],
    read: Callable[[Site], Facts],
    *,
    route: Found,
    user: Found,
    sets_cookies: bool = True,
) -> Visit | None:
    """The visit that begins with a request; None where there is none of ours, or none can be made.

    Args:
        sites: Where it goes.
        marks: What lives as long as the request: a middleware further in finds there that it is none of its own.
        read: Reads the request's facts.
        route: See `Visit`; so are user and sets_cookies.
    """
    outer = marks.get(SCOPE)
    if outer is not None and not outer.closed:
        return None
    site = sites()
    if site is None:
        return None
    try:
        facts = read(site)
        endpoint = site.endpoint(facts) if sets_cookies else None
        if endpoint is None and site.excludes(facts):
            return None
        visit = Visit(site, facts, route=route, user=user, sets_cookies=sets_cookies, endpoint=endpoint)
    except Exception as error:  # noqa: BLE001 - the guest's promise: the app is served all the same
        site.failed(error)
        return None
    marks[SCOPE] = visit.scope
    return visit


def signed_out(marks: Mapping[str, Any]) -> None:
    """The framework has ended a login: nothing of that person stays in the visit, as after `cxkit.logout`.

    Args:
        marks: Those that `open_visit` was given. There may be no visit: tests and commands end logins, too.
    """
    scope = marks.get(SCOPE)
    if scope is None or scope.closed or not scope.kit.settings.web.users:
        return
    try:
        logout(scope.kit.desk, scope)
    except Exception as error:  # noqa: BLE001 - the guest's promise
        scope.intake.note(error)


class Visit:
    """One request, from the moment its facts are known.

    Args:
        site: Where it goes.
        facts: What the request says of itself.
        route: Tells the route's template, once the framework has found it.
        user: Tells the id of who is signed in, if the app has asked its framework for that.
        sets_cookies: Whether there will be a response that can: a websocket has none.
        endpoint: What cxkit itself answers with: that is no page viewed.

    Attributes:
        scope: Who is visiting, under which circumstances; it is the current one until `close`.
        status: Of the response, once it has begun.
    """

    def __init__(
        self,
        site: Site,
        facts: Facts,
        *,
        route: Found = lambda: None,
        user: Found = lambda: None,
        sets_cookies: bool = True,
        endpoint: Endpoint | None = None,
    ) -> None:
        self._began = time.perf_counter()
        self.site = site
        self.facts = facts
        self.endpoint = endpoint
        self._route = route
        self._user = user
        self._method = facts.method if facts.method in _METHODS else None
        self.status: int | None = None
        self._part = is_part(facts.headers)
        self._gone, self._captured = False, self._part or endpoint is not None
        actor = actor_of(facts.headers)
        self._here = _WEB if actor == "unknown" else attrs.evolve(_WEB, actor=actor)
        # No parent: where a server starts one request from within another, theirs is another visitor.
        self._outer = current_scope()
        self.scope = scope = site.kit.open_scope(self._here, facts=facts, gpc=_objects(facts))
        scope.asked = ranges(facts.headers.get("accept-language", ""))
        scope.on_first_use(self._circumstances)
        self._place(facts)
        self._kept = Kept(site, facts)
        self._kept.read_choices(scope)
        if not scope.machine:  # what is no person is recognised as none
            if sets_cookies:
                scope.issue_visitor = new_visitor
            if scope.allowed.recognise:
                self._recognise(anew=sets_cookies and not self._captured)
            self._claims(facts)
        self._choices = scope.choices
        enter(scope)
        if facts.query and not scope.machine:
            self._marks(facts)

    def _place(self, facts: Facts) -> None:
        """Where the region decides: ask where this is now, for it decides whether the visitor may be recognised."""
        desk, enrich = self.site.kit.desk, self.site.kit.enrich
        if desk.regional and enrich is not None:
            self.scope.enriched(enrich(facts, self._here))
            desk.govern(self.scope)
            self.scope.on_first_use(self._on_page)

    def _recognise(self, *, anew: bool) -> None:
        """Know the visitor by the cookie, or by a new one that a page can set; obey what they chose elsewhere."""
        scope, visitor = self.scope, self._kept.read_visitor()
        if visitor is None:
            if anew:
                scope.change(identity=Identity(identifiers=(new_visitor(),)))
            return
        scope.change(identity=Identity(identifiers=(visitor,)))
        try:
            self.site.kit.desk.recall(scope, patience_s=self.site.kit.patience_s())
        except Exception as error:  # noqa: BLE001 - a store that fails costs what it knows, not the visit
            scope.pending = True
            self.site.failed(error)
        scope.returning = scope.allowed.recognise and visitor in scope.identity.identifiers
        if not scope.allowed.recognise:
            scope.change(identity=Identity())
            scope.choices = later(scope.choices, denials(scope.recalled))  # else the next request would not know of it

    def _claims(self, facts: Facts) -> None:
        """Add what a front end of the app's own calls its visitors: an unsigned claim, as anybody could send it."""
        web = self.site.settings
        if not web.id_cookies and not web.id_headers:
            return
        told = [(type, facts.cookies.get(name)) for name, type in web.id_cookies.items()]
        told += [(type, facts.headers.get(name)) for name, type in web.id_headers.items()]
        given = {type: unquote(value).strip('"') for type, value in told if value}
        fitting = {type: value for type, value in given.items() if 0 < len(value) <= _MAX_CLAIM_CHARS}
        if fitting:
            found, _ = usable(self.site.kit.desk, self.scope, fitting, evidence="claim")
            self.scope.claimed = tuple(found)

    def _marks(self, facts: Facts) -> None:
        """Add to whom the message was sent whose link led here: no more than a claim, for messages are forwarded."""
        for channel, marked in self.site.marks(facts.query):
            try:
                found = channel.recognise(marked)
            except Exception as error:  # noqa: BLE001 - a channel is a stranger's code
                self.site.failed(error)
                continue
            if found is not None:
                self.scope.claimed = (*self.scope.claimed, found)

    def _sign_in(self) -> None:
        """Know whom the app knows, if it has asked its framework for that; unless that person has just left."""
        scope = self.scope
        if not self.site.settings.users or scope.identity.signed_in or scope.forsaken:
            return
        try:
            user = self._user()
            if user:
                kit = self.site.kit
                identify(kit.desk, scope, identifiers={"user_id": user}, traits={}, patience_s=kit.patience_s())
        except Exception as error:  # noqa: BLE001 - the guest's promise
            self.site.failed(error)

    # --- the circumstances, when something first needs them ---

    def _circumstances(self, facts: Facts, context: Context) -> Context:
        enrich = self.site.kit.enrich
        context = self._on_page(facts, context)
        return _landed(enrich(facts, context)) if enrich else context

    def _on_page(self, facts: Facts, context: Context) -> Context:
        try:
            route = self._route()
        except Exception as error:  # noqa: BLE001 - a framework that surprises us costs the route, no more
            self.site.failed(error)
            route = None
        if route is None:
            self.scope.on_first_use(self._on_page_at_last)
        page = _page(route, self._method, context.actor, first(self.scope.asked))
        if context is self._here:
            return page
        return _landed(attrs.evolve(context, page=page.page, locale=context.locale or page.locale))

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
        them otherwise gets no cookie, lest they give it to everybody; nor does a part of a page.
        """
        self.scope.begin()  # first: what fails from here on is sent as it is
        try:
            self.status = int(status)
            return self._answer(headers)
        except Exception as error:  # noqa: BLE001 - the guest's promise
            self.site.failed(error)
            return for_one_visitor(headers) if self.personal else headers

    @property
    def personal(self) -> bool:
        """Whether something was shown that is for this visitor alone."""
        return self.scope.depth_shown > 1 or not self.scope.follows <= BY_HEADER.keys()

    def _answer(self, headers: Headers) -> Headers:
        scope = self.scope
        if not scope.machine and is_feed(headers):
            scope.enriched(attrs.evolve(scope.context, actor="bot"))
        self._sign_in()
        scope.issue_visitor = None
        kept_by, chosen = audience(headers, status=self.status or 200), scope.choices is not self._choices
        if kept_by == "unsaid" and self._part:
            kept_by = "shared"  # by their names alone: many are set up so for images, styles and scripts
        if self.personal or (chosen and kept_by == "shared"):
            headers, kept_by = for_one_visitor(headers), "one"
        if kept_by == "one":
            scope.said = None  # whatever is decided from here on is for this visitor, too
        if scope.follows:
            headers = varying(headers, [BY_HEADER[one] for one in scope.follows if one in BY_HEADER])
        if self.site.accept_ch and self.facts.headers.get("sec-fetch-dest") == "document":  # who else knows of hints?
            headers = [*headers, (b"accept-ch", self.site.accept_ch)]
        if kept_by == "shared":
            return headers
        cookies = [] if scope.machine else self._kept.cookies(scope)  # a machine keeps nothing for us
        if not cookies:
            return headers
        version = scope.version
        scope.enrich()  # that it is a machine may be known to an enricher only, and nothing may have asked one yet
        if scope.machine:
            return headers
        return [*headers, *(cookies if scope.version == version else self._kept.cookies(scope))]

    # --- the end ---

    def left(self) -> None:
        """The client is gone."""
        self._gone = True

    def end(self, error: BaseException | None = None) -> None:
        """The last byte of the response has left: the visit is captured. What follows does not spoil it.

        Args:
            error: What the framework made this response of.
        """
        self.scope.said = None  # whatever is done from here on goes into no response
        self._capture(error, ended=True)

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

    def step_out(self) -> None:
        """What runs here from now on is not of this visit, until somebody enters its scope again."""
        enter(self._outer)

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
            status = self.status
            if status is None and isinstance(error, Exception) and not self._gone:
                status = 500  # what the server is about to say
            added = occurrence(
                outcome=self._outcome(status, error, ended=ended),
                error=type(error).__name__ if error is not None else None,
                duration=timedelta(seconds=time.perf_counter() - self._began),
            )
            kit = self.site.kit
            kit.desk.intake.capture(self.scope, PAGE_VIEWED, {"status": status}, added)
            if self.scope.context.acquisition is not None and kit.settings.profile.remember:
                arrive(kit.desk, self.scope)
        except Exception as failure:  # noqa: BLE001 - the guest's promise
            self.site.failed(failure)

    def _outcome(self, status: int | None, error: BaseException | None, *, ended: bool) -> Outcome:
        if self._gone or (error is not None and not isinstance(error, Exception)):
            return "abandoned"
        if error is not None or (status is not None and status >= 500):
            return "failed"
        return "completed" if ended else "abandoned"


@lru_cache(maxsize=1024)
def _page(route: str | None, method: str | None, actor: Actor, locale: str | None) -> Context:
    """One object for each page and language: both are few."""
    return attrs.evolve(_WEB, page=Page(route=route, method=method), actor=actor, locale=locale)


def _landed(context: Context) -> Context:
    """With the page to which somebody came, once its route is known: that may be before or after what brought them."""
    came, page = context.acquisition, context.page
    if came is None or came.landing is not None or page is None or page.route is None:
        return context
    return attrs.evolve(context, acquisition=attrs.evolve(came, landing=page.route))


def _objects(facts: Facts) -> bool:
    """Whether a ``Sec-GPC`` header is exactly "1", alone or among others that a proxy joined to it.

    Source: Global Privacy Control (W3C), section 3.3.
    """
    said = facts.headers.get("sec-gpc")
    return said is not None and "1" in [value.strip() for value in said.split(",")]
