"""The suite is judged: each of its checks must catch a plugin that is broken in the way it guards against.

A mutant is the web room with a line or two changed, so it also fails to build, and has to be looked
at again, when those lines change.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import attrs
import pytest

from cxkit import Kit
from cxkit.testing.web_shop import bare_app
from cxkit.testing.web_suite import Handler, WebSuite, served
from cxkit.web import asgi, caching, cookies, kept, site, sites, visit

SOURCE = "from __future__ import annotations\n" + "\n".join(
    re.sub(
        r"^from (__future__|cxkit\.web\.(caching|cookies|kept|sites?|visit)) import (\([^)]*\)|.*)$",
        "",
        inspect.getsource(room),
        flags=re.M,
    )
    for room in (caching, cookies, site, kept, sites, visit, asgi)
)


@attrs.frozen
class Mutant:
    name: str
    killer: str
    """The check that must fail."""
    changes: Mapping[str, str]


ONCE = "        if self._captured:\n            return\n        self._captured = True\n"
DURATION = "                duration=timedelta(seconds=time.perf_counter() - self._began),\n"
ROUTE = "            route = self._route()\n"
STATUS = '{"status": status}'
ANSWER = "            return self._answer(headers)\n"
UNALLOWED = "        if not scope.allowed.recognise:\n"
SEND = "                await send(message)\n"
APP = "            await self.app(scope, heard, said)\n"
OPENED = "        self._choices = scope.choices\n"
GUARD = """    except Exception as error:  # noqa: BLE001 - the guest's promise: the app is served all the same
        site.failed(error)
        return None
    marks["""
COOKIES = "[*self._visitor_cookie(scope), *self._consent_cookie(scope)]"
HEARD = "        async def heard() -> Message:\n            message = await receive()\n"
SHARED = """        if kept_by == "shared":
            return headers
"""
READ = "                read = await _body(receive, at_most=endpoint.max_body_bytes)\n"
ANSWERED = "await beside(answered, visit.site, endpoint, facts, read)"
BEGUN = "headers = visit.begin(status, raw)"
NAMED = "error=type(error).__name__ if error is not None else None"
DRAWN = "    value = urlsafe_b64encode(secrets.token_bytes(16))"

LATE = "        self.scope.begin()  # first: what fails from here on is sent as it is\n"
THEIRS = """        if kept_by == "one":
            scope.said = None  # whatever is decided from here on is for this visitor, too
"""

MUTANTS = [
    Mutant("captures twice", "each_visit_is_captured_once", {ONCE: ""}),
    Mutant("captures no duration", "each_visit_is_captured_once", {DURATION: ""}),
    Mutant("captures paths", "no_value_is_captured_with_the_route", {ROUTE: "            route = facts.path\n"}),
    Mutant(
        "captures the user agent",
        "no_value_is_captured_with_the_route",
        {STATUS: '{"status": status, "agent": self.scope.facts.headers.get("user-agent")}'},
    ),
    Mutant("every answer is a success", "a_failure_is_an_outcome", {"status >= 500": "status >= 600"}),
    Mutant("forgets that a response has begun", "what_is_shown_late_is_what_its_caches_were_told", {LATE: ""}),
    Mutant("takes a private stream for a public one", "what_is_shown_late_is_what_its_caches_were_told", {THEIRS: ""}),
    Mutant("names no error", "a_failure_is_an_outcome", {NAMED: "error=None"}),
    Mutant("no error is a failure", "a_response_that_is_torn_is_a_failure", {"if error is not None or (": "if ("}),
    Mutant("every refusal is a failure", "a_failure_is_an_outcome", {"status >= 500": "status >= 400"}),
    Mutant(
        "captures only what is found",
        "another_method_is_a_visit_too",
        {ONCE: ONCE.replace("self._captured:", "self._captured or self.status == 405:")},
    ),
    Mutant(
        "excludes nothing", "excluded_paths_are_not_captured", {"site.excludes(": "not ("}
    ),
    Mutant("always private", "responses_are_as_they_were", {ANSWER: "            return for_one_visitor(headers)\n"}),
    Mutant("sorts the headers", "responses_are_as_they_were", {ANSWER: "            return sorted(headers)\n"}),
    Mutant(
        "holds pieces back",
        "streams_come_piece_by_piece",
        {
            SEND: """                held.append(message)
                while held and not message.get("more_body"):
                    await send(held.pop(0))
""",
            "        async def heard()": "        held = []\n\n        async def heard()",
        },
    ),
    Mutant("reads the body", "bodies_are_left_alone", {APP: "            await receive()\n" + APP}),
    Mutant(
        "asks the store for everybody",
        "what_fails_in_us_changes_nothing",
        {GUARD: "    finally:\n        pass\n    marks[", OPENED: OPENED + "        site.kit._open_store().scan('')\n"},
    ),
    Mutant(
        "recognises before a choice",
        "nothing_is_kept_before_a_choice",
        {"            if scope.allowed.recognise:\n": "            if True:\n",
         f"{UNALLOWED}            scope.change": "        if False:\n            scope.change",
         f"{UNALLOWED}            return": "        if False:\n            return"},
    ),
    Mutant(
        "scripts may read the cookies",
        "a_visitor_is_recognised_once_that_is_allowed",
        {"{'; HttpOnly' if hidden else ''}": ""},
    ),
    Mutant(
        "a visitor for each visit",
        "a_visitor_is_recognised_once_that_is_allowed",
        {"value=str(self._visitor)": "value=new_visitor().value"},
    ),
    Mutant(
        "a refusal is not kept",
        "a_refusal_is_remembered_and_sets_no_visitor",
        {COOKIES: "self._visitor_cookie(scope)"},
    ),
    Mutant(
        "leaves the cookie behind",
        "a_withdrawal_forgets_the_visitor",
        {"max_age_s=0)] if self._visitor_sent is not None else []": "max_age_s=0)][:0]"},
    ),
    Mutant("believes a zero", "gpc_denies_advertising_and_sale_only", {'and "1" in [': 'and "0" in ['}),
    Mutant("knows no GPC", "gpc_denies_advertising_and_sale_only", {"gpc=_objects(facts)": "gpc=False"}),
    Mutant("no scope in the app", "a_login_names_the_person", {"        enter(scope)\n": ""}),
    Mutant(
        "a header is enough",
        "no_header_says_who_somebody_is",
        {OPENED: OPENED + """
        if user := facts.headers.get("x-user-id"):
            scope.change(
                identity=Identity(identifiers=(Identifier(type="user_id", value=user, evidence="claim"),)),
                allowed=attrs.evolve(scope.allowed, granted=frozenset(["necessary", "analytics"])),
            )
"""},
    ),
    Mutant(
        "does not look at signatures",
        "cookies_that_are_not_ours_are_nobodys",
        {"        except TokenError:\n": """        except TokenError:
            payload = Signed(token.split(".")[0])
            payload.issued_at, payload.current = int(self.now()), True
            return payload
"""},
    ),
    Mutant("tells no cache", "personal_pages_are_kept_from_shared_caches", {"if self.personal or (": "if ("}),
    Mutant(
        "private and public at once",
        "personal_pages_are_kept_from_shared_caches",
        {'frozenset([b"public", b"s-maxage", b"private"])': 'frozenset([b"private"])'},
    ),
    Mutant(
        "a visitor for everybody",
        "what_shared_caches_keep_carries_no_cookie",
        {SHARED: ""},
    ),
    Mutant("draws badly", "visitors_are_not_mixed_up", {DRAWN: '    value = urlsafe_b64encode(b"sixteen letters.")'}),
    Mutant(
        "who was here before",
        "visitors_are_not_mixed_up",
        {OPENED: OPENED + """
        if before := vars(site).get("before"):
            scope.change(identity=scope.identity or before.identity, allowed=before.allowed)
        vars(site)["before"] = scope
"""},
    ),
    Mutant(
        "numbers have no template",
        "a_parameter_of_a_kind_is_one_like_any_other",
        {ROUTE: ROUTE + '            route = None if facts.path[-1].isdigit() else route\n'},
    ),
    Mutant(
        "languages have no template",
        "a_language_is_a_parameter",
        {ROUTE: ROUTE + '            route = None if route and route.startswith("/{") else route\n'},
    ),
    Mutant(
        "forgets the mount",
        "what_a_page_is_mounted_under_is_part_of_its_route",
        {ROUTE: ROUTE + '            route = route and route.removeprefix("/within")\n'},
    ),
    Mutant("only 2xx is a success", "a_redirection_is_completed", {"status >= 500": "300 <= status != 404"}),
    Mutant(
        "every method is GET",
        "what_a_framework_answers_by_itself_is_a_visit",
        {"self._method = facts.method if facts.method in _METHODS else None": 'self._method = "GET"'},
    ),
    Mutant(
        "nobody ever leaves",
        "events_come_at_once_until_their_reader_leaves",
        {"if self._gone or (error": "if (error", '"completed" if ended else "abandoned"': '"completed"'},
    ),
    Mutant(
        "captures at the end alone",
        "who_leaves_while_uploading_was_here_once",
        {ONCE: ONCE.replace("self._captured:", "self._captured or not ended:")},
    ),
    Mutant(
        "knows no websockets",
        "a_websocket_is_a_scope_and_no_page",
        {'scope["type"] not in ("http", "websocket")': 'scope["type"] != "http"'},
    ),
    Mutant("nothing to carry", "what_is_done_afterwards_is_the_visitors", {"        enter(scope)\n": ""}),
    Mutant(
        "ends lines its own way",
        "files_are_sent_as_they_are",
        {SEND: """                if message.get("body"):
                    message = {**message, "body": message["body"].replace(b"\\n", b"\\r\\n")}
""" + SEND},
    ),
    Mutant(
        "waits for all of the body",
        "an_upload_that_nobody_reads_is_not_waited_for",
        {APP: '            while (await receive()).get("more_body"):\n                pass\n' + APP},
    ),
    Mutant(
        "keeps the body",
        "an_upload_takes_no_memory",
        {HEARD: "        held = []\n\n" + HEARD + "            held.append(message)\n"},
    ),
    Mutant("needs a host", "the_bytes_on_the_wire_are_the_same", {OPENED: OPENED + "        assert facts.host\n"}),
    Mutant(
        "varies with a cookie",
        "all_that_is_added_is_two_cookies",
        {"return [*headers, *(cookies": 'return [*headers, (b"vary", b"Cookie"), *(cookies'},
    ),
    Mutant("more each time", "installed_twice_it_is_there_once", {"outer is not None and not outer.closed": "False"}),
    Mutant(
        "stays in the logs",
        "removed_it_leaves_no_trace",
        {"        self.app = app\n": """        self.app = app
        logging.getLogger().addHandler(logging.NullHandler())
"""},
    ),
    Mutant(
        "stays in the logs, once",
        "removed_it_leaves_no_trace",
        {"        self.app = app\n": """        self.app = app
        logging.getLogger("mutant").handlers = [logging.NullHandler()]
"""},
    ),
    Mutant(
        "believes a front end",
        "what_a_front_end_says_of_its_visitors_is_a_claim",
        {'fitting, evidence="claim"': 'fitting, evidence="login"'},
    ),
    Mutant(
        "the same browser, the same visitor",
        "after_a_logout_it_is_somebody_new",
        {'if visitor is None or visitor.evidence != "cookie":': "if visitor is None or held is not None:"},
    ),
    Mutant(
        "takes robots for people",
        "robots_and_prefetches_are_nobody",
        {'_WEB if actor == "unknown" else attrs.evolve(_WEB, actor=actor)': "_WEB"},
    ),
    Mutant(
        "a visitor for all who share a cache",
        "no_shared_cache_gives_anything_of_one_to_another",
        {SHARED: ""},
    ),
    Mutant(
        "now and then who was here before",
        "nobody_is_ever_another",
        {OPENED: OPENED + """
        vars(site)["count"] = vars(site).get("count", 0) + 1
        if (before := vars(site).get("before")) and not vars(site)["count"] % 50:
            scope.change(identity=before.identity)
        vars(site)["before"] = scope
"""},
    ),
    Mutant(
        "captures the host",
        "nothing_of_a_request_is_kept_but_its_route",
        {STATUS: '{"status": status, "host": self.facts.host}'},
    ),
    Mutant(
        "endpoints are pages",
        "endpoints_of_channels_are_mounted",
        {"self._part or endpoint is not None": "self._part"},
    ),
    Mutant(
        "the last endpoint is a page, a moment later",
        "endpoints_of_channels_are_mounted",
        {"self._part or endpoint is not None": 'self._part or (endpoint is not None and "/o/" not in facts.path)',
         ONCE: ONCE + '        if "/o/" in self.facts.path:\n            time.sleep(0.3)\n'},
    ),
    Mutant(
        "does not say how long",
        "endpoints_of_channels_are_mounted",
        {BEGUN: BEGUN + '\n            headers = [pair for pair in headers if pair[0] != b"content-length"]'},
    ),
    Mutant(
        "endpoints set no cookies",
        "an_endpoint_is_in_the_visitors_scope",
        {BEGUN: "headers = raw"},
    ),
    Mutant(
        "takes whatever comes",
        "what_an_endpoint_does_not_take_is_refused",
        {"            reply = refused(endpoint, facts)\n": "            reply = None\n"},
    ),
    Mutant(
        "tells what went wrong",
        "an_endpoint_that_fails_says_no_more_than_that",
        {ANSWERED: "self._told(endpoint, facts, read)",
         "    async def _answer(": """    def _told(self, endpoint, facts, body):
        try:
            return endpoint.handle(facts, body)
        except RuntimeError as error:
            return Reply(status=500, body=str(error).encode())

    async def _answer("""},
    ),
    Mutant(
        "waits for an endpoint",
        "an_endpoint_that_is_slow_holds_up_nobody",
        {ANSWERED: "answered(visit.site, endpoint, facts, read)"},
    ),
    Mutant(
        "believes who asks",
        "a_choice_is_taken_from_the_site_itself_alone",
        {READ: READ + """
                facts = attrs.evolve(facts, headers={**facts.headers, "sec-fetch-site": "same-origin"})
"""},
    ),
    Mutant("says nothing of GPC", "the_site_says_that_it_knows_gpc", {'    yield "", gpc_endpoint()\n': ""}),
    Mutant(
        "takes all that is below",
        "what_is_not_mounted_is_the_apps",
        {"return found or next(": "return found or next(iter(exact.values()), None) or next("},
    ),
    Mutant("mounts in any case", "without_a_mount_nothing_is_served", {"if not mount or not path": "if not path"}),
    Mutant("a scope without an end", "after_the_response_nobody_is_known", {"        self.scope.close()\n": ""}),
]  # fmt: skip


def build(changes: Mapping[str, str]) -> Any:
    source = SOURCE
    for old, new in changes.items():
        assert source.count(old) == 1, f"{source.count(old)} times in the web room: {old!r}"
        source = source.replace(old, new)
    module = ModuleType("mutant")
    exec(compile(source, "mutant", "exec"), module.__dict__)  # noqa: S102 - our own source
    return module.ASGIMiddleware


def checks() -> dict[str, Callable[..., None]]:
    found = inspect.getmembers(WebSuite, inspect.isfunction)
    return {name.removeprefix("test_"): check for name, check in found if name.startswith("test_")}


def passes(name: str, middleware: Any) -> bool:
    class Suite(WebSuite):
        patience_s = 2.0
        websockets = background = True

        def serve(self, handlers: list[Handler], kit: Kit | None) -> AbstractContextManager[int]:
            app = bare_app(handlers)
            for _ in range(0 if kit is None else self.times):
                app = middleware(app, kit=kit, route=lambda scope: scope.get("bare.route"))
            return served(app)

    suite, check = Suite(), checks()[name]
    try:
        if "shop" not in inspect.signature(check).parameters:
            check(suite)
        else:
            with suite.opened() as shop:
                check(suite, shop)
    except Exception:  # noqa: BLE001 - however it fails
        return False
    return True


def test_unchanged_it_passes() -> None:
    assert passes("each_visit_is_captured_once", build({})), "test_asgi.py runs the rest"


TRIES = 3


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    """Sooner or later: what a process takes of memory it may have had already."""
    assert not all(passes(mutant.killer, build(mutant.changes)) for _ in range(TRIES))


def test_every_check_catches_something() -> None:
    assert {mutant.killer for mutant in MUTANTS} == checks().keys()
