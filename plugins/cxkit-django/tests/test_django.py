"""What is peculiar to Django: its stack of middleware, users and sessions, exceptions, endpoints, settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

import cxkit
from cxkit import Kit, Variant
from cxkit.kit import default_kit, install
from cxkit.roles import Endpoint, Reply
from cxkit.settings import Settings, Web, load
from cxkit.testing import Recorder, RecordingExporter
from cxkit.testing.visitors import visitor_cookies
from cxkit.web import ASGIMiddleware, WSGIMiddleware
from cxkit_django import CXMiddleware
from cxkit_django.checks import check_configuration, check_middleware
from cxkit_django.configured import configure

Configured = Callable[..., AbstractContextManager[None]]

OURS = "cxkit_django.CXMiddleware"


@pytest.fixture
def nancy(database: None) -> Iterator[Any]:
    user = get_user_model().objects.create_user("nancy", password="amande", is_staff=True)
    yield user
    user.delete()


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("page")


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user.pk))


def allow(request: HttpRequest) -> HttpResponse:
    cxkit.grant("analytics", "personalization", "identity_stitching")
    return HttpResponse("ok")


# --- a guest in the stack ---


def test_an_anonymous_page_costs_no_query_and_touches_no_session(
    configured: Configured, cx: Recorder, database: None
) -> None:
    sessions = []

    def noted(request: HttpRequest) -> HttpResponse:
        sessions.append((request.session, request.__dict__["user"]))
        return HttpResponse("page")

    with configured([path("", noted)]), CaptureQueriesContext(connection) as queries:
        response = Client().get("/")
    assert len(queries) == 0
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
    (session, user) = sessions[0]
    assert not session.accessed
    assert repr(user._wrapped).startswith("<object")
    assert cx.one("page.viewed").properties == {"status": 200}


def test_whom_nobody_asked_for_is_not_looked_up(configured: Configured, cx: Recorder, nancy: Any) -> None:
    with configured([path("", page), path("who/", who), path("allow/", allow)]):
        client = Client()
        client.force_login(nancy)
        client.get("/allow/")
        with CaptureQueriesContext(connection) as queries:
            assert "Vary" not in client.get("/").headers
        assert len(queries) == 0
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/who/").content.decode() == str(nancy.pk)
        assert len(queries) == 2, "the session and the user, for the view itself"
    asked_for = [one.identity.get("user_id") for one in cx.named("page.viewed")]
    assert asked_for[:2] == [None, None]
    assert asked_for[2] is not None
    assert (asked_for[2].value, asked_for[2].evidence) == (str(nancy.pk), "login")


def test_the_setting_that_leaves_users_alone(configured: Configured, nancy: Any) -> None:
    exporter = RecordingExporter()
    kit = Kit(Settings(strict=True, web=Web(users=False)), exporters={"x": exporter}, in_memory=True)
    with configured([path("who/", who), path("allow/", allow)], kit=kit):
        client = Client()
        client.force_login(nancy)
        client.get("/allow/")
        client.get("/who/")
    kit.close()
    assert [one.identity.get("user_id") for one in exporter.interactions if one.name == "page.viewed"] == [None, None]


def test_logging_in_and_out(configured: Configured, cx: Recorder, nancy: Any) -> None:
    def enter(request: HttpRequest) -> HttpResponse:
        login(request, nancy, backend="django.contrib.auth.backends.ModelBackend")
        return HttpResponse("in")

    def leave(request: HttpRequest) -> HttpResponse:
        assert request.user.is_authenticated
        logout(request)
        return HttpResponse("out")

    with configured([path("allow/", allow), path("enter/", enter), path("leave/", leave), path("who/", who)]):
        client = Client()
        for asked in ("/allow/", "/enter/", "/leave/", "/who/"):
            assert client.get(asked).status_code == 200
    found = [one.identity.get("user_id") for one in cx.named("page.viewed")]
    assert [one and one.value for one in found[:3]] == [None, str(nancy.pk), None], "who has left is not brought back"


@pytest.mark.parametrize(("users", "same"), [(True, False), (False, True)])
def test_who_logs_out_leaves_the_device_to_a_new_visitor(
    configured: Configured, nancy: Any, users: bool, same: bool
) -> None:
    def leave(request: HttpRequest) -> HttpResponse:
        logout(request)
        return HttpResponse("out")

    exporter = RecordingExporter()
    kit = Kit(Settings(strict=True, web=Web(users=users)), exporters={"x": exporter}, in_memory=True)
    with configured([path("allow/", allow), path("leave/", leave)], kit=kit):
        client = Client()
        client.get("/allow/")
        client.get("/leave/")
        client.force_login(nancy)
        visitors = [client.cookies["cxkit_visitor"].value]
        client.get("/leave/")
        visitors.append(client.cookies["cxkit_visitor"].value)
        client.logout()  # there is no request, so no visit
    kit.close()
    assert (visitors[0] == visitors[1]) is same
    found = [one.identity.get("visitor") for one in exporter.interactions if one.name == "page.viewed"]
    assert [one == found[0] for one in found] == [True, True, same], "where nobody was signed in nobody leaves"
    assert len([one for one in exporter.interactions if one.name == "identity.logged_out"]) == int(users)


@pytest.mark.skipif(django.VERSION < (5,), reason="request.auser came with Django 5.0")
@pytest.mark.anyio
async def test_users_of_asynchronous_views(configured: Configured, cx: Recorder, database: None) -> None:
    user = await get_user_model().objects.acreate_user("nancy", password="amande")
    key = str(user.pk)

    async def who_later(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str((await request.auser()).pk))

    async def page_later(request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    async def allow_later(request: HttpRequest) -> HttpResponse:
        return allow(request)

    urls = [path("", page_later), path("who/", who_later), path("allow/", allow_later)]
    try:
        with configured(urls):
            client = AsyncClient()
            await client.aforce_login(user)
            for asked in ("/allow/", "/", "/who/"):
                assert (await client.get(asked)).status_code == 200
    finally:
        await user.adelete()
    found = [one.identity.get("user_id") for one in cx.named("page.viewed")]
    assert [one and one.value for one in found] == [None, None, key]


def test_the_login_page_of_the_admin(configured: Configured, cx: Recorder, nancy: Any) -> None:
    from django.contrib import admin

    with configured([path("allow/", allow), path("admin/", admin.site.urls)]):
        client = Client(enforce_csrf_checks=True)
        client.get("/allow/")
        form = client.get("/admin/login/?next=/admin/")
        assert b"csrfmiddlewaretoken" in form.content
        fields = {"username": "nancy", "password": "amande", "next": "/admin/"}
        assert client.post("/admin/login/", fields).status_code == 403, "without the token"
        fields["csrfmiddlewaretoken"] = client.cookies["csrftoken"].value
        assert client.post("/admin/login/", fields).status_code == 302
        assert client.get("/admin/").status_code == 200
    viewed = cx.named("page.viewed")
    assert [one.properties["status"] for one in viewed] == [200, 200, 403, 302, 200]
    known = viewed[-1].identity.get("user_id")
    assert known is not None
    assert known.value == str(nancy.pk)


def test_a_host_that_is_not_allowed_is_the_apps_to_refuse(configured: Configured, cx: Recorder) -> None:
    with configured([path("", page)], ALLOWED_HOSTS=["testserver"]):
        for host in ("evil.example", "a b", "", "\xff", "x" * 10_000):
            assert Client().get("/", HTTP_HOST=host).status_code in (200, 400), host
    assert {one.outcome for one in cx.named("page.viewed")} == {"completed"}


def test_a_scheme_that_a_proxy_tells_is_known(configured: Configured, cx: Recorder) -> None:
    trusted = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}
    with configured([path("allow/", allow)], **trusted):
        proxied = Client().get("/allow/", HTTP_X_FORWARDED_PROTO="https")
        plain = Client().get("/allow/")
    assert sorted(proxied.cookies) == ["__Host-cxkit_consent", "__Host-cxkit_visitor"]
    assert all(one["secure"] for one in proxied.cookies.values())
    assert sorted(plain.cookies) == ["cxkit_consent", "cxkit_visitor"]


def test_our_cookies_come_after_those_of_the_app(configured: Configured, cx: Recorder) -> None:
    def baked(request: HttpRequest) -> HttpResponse:
        response = allow(request)
        response.set_cookie("z", "1", max_age=5)
        response.set_cookie("a", "2")
        response.headers["X-Last"] = "1"
        return response

    with configured([path("", baked)], others=()):
        response = Client().get("/")
    assert list(response.cookies) == ["z", "a", "cxkit_visitor", "cxkit_consent"]
    visitor = response.cookies["cxkit_visitor"]
    assert (visitor["path"], visitor["samesite"], visitor["httponly"]) == ("/", "Lax", True)
    assert visitor["max-age"] == "34128000"
    assert list(response.headers) == ["Content-Type", "X-Last"]


def test_compression_and_personal_pages(configured: Configured, cx: Recorder) -> None:
    hero = cxkit.experience(
        "django.hero",
        fallback=Variant(name="all", content="Welcome"),
        variants=[Variant(name="known", content="Welcome back" * 100, depth=2)],
    )

    def shown(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(hero.show().content), headers={"Cache-Control": "public, max-age=60"})

    with configured([path("", shown), path("allow/", allow)], others=["django.middleware.gzip.GZipMiddleware"]):
        client = Client()
        assert client.get("/").headers["Cache-Control"] == "public, max-age=60"
        client.get("/allow/")
        response = client.get("/", HTTP_ACCEPT_ENCODING="gzip")
    assert list(response.headers) == ["Cache-Control", "Content-Type", "Vary", "Content-Length", "Content-Encoding"]
    assert (response.headers["Cache-Control"], response.headers["Vary"]) == (
        "max-age=60, private",
        "Accept-Encoding, Cookie",
    )
    assert response.headers["Content-Encoding"] == "gzip"


def test_transactions_are_as_without_us(configured: Configured, cx: Recorder, nancy: Any) -> None:
    def fails(request: HttpRequest) -> HttpResponse:
        assert connection.in_atomic_block
        get_user_model().objects.update(first_name="changed")
        raise ZeroDivisionError

    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        with configured([path("", fails)]):
            assert Client(raise_request_exception=False).get("/").status_code == 500
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    nancy.refresh_from_db()
    assert nancy.first_name == ""
    assert (cx.one("page.viewed").outcome, cx.one("page.viewed").error) == ("failed", "ZeroDivisionError")


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    return HttpResponse(f"{file.size} {request.POST['word']}")


def test_uploads_are_the_apps_to_read(configured: Configured, cx: Recorder) -> None:
    with configured([path("", upload), path("unread/", csrf_exempt(page))]):
        fields = {"word": "canary", "file": SimpleUploadedFile("canary", b"x" * 5_000_000)}
        assert Client().post("/", fields).content == b"5000000 canary"

        class Unreadable:
            def read(self, *size: int) -> bytes:
                raise AssertionError("somebody read the body")

            readline = read

        environ = RequestFactory().generic("POST", "/unread/").environ | {
            "wsgi.input": Unreadable(),
            "CONTENT_LENGTH": "9",
        }
        body = WSGIHandler()(environ, lambda status, headers: None)
        assert b"".join(body) == b"page"
    assert [one.outcome for one in cx.named("page.viewed")] == ["completed", "completed"]


# --- exceptions ---


class Handles:
    """Makes a response of what a view raises."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return HttpResponse("handled", status=409) if isinstance(error, KeyError) else None


class Raises(Handles):
    def __call__(self, request: HttpRequest) -> Any:
        raise LookupError


def raising(error: BaseException) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


@pytest.mark.parametrize(
    ("error", "status", "outcome", "name"),
    [
        (ZeroDivisionError(), 500, "failed", "ZeroDivisionError"),
        (Http404(), 404, "completed", None),
        (PermissionDenied(), 403, "completed", None),
        (KeyError(), 409, "completed", None),
    ],
)
def test_what_a_view_raises(
    error: Exception, status: int, outcome: str, name: str | None, configured: Configured, cx: Recorder
) -> None:
    sys.modules["cxkit_django_others"] = sys.modules[__name__]
    with configured([path("", raising(error))], others=["cxkit_django_others.Handles"]):
        assert Client(raise_request_exception=False).get("/").status_code == status
    viewed = cx.one("page.viewed")
    assert (viewed.properties["status"], viewed.outcome, viewed.error) == (status, outcome, name)


def test_what_middleware_raises_and_what_passes_through(configured: Configured, cx: Recorder) -> None:
    sys.modules["cxkit_django_others"] = sys.modules[__name__]
    with configured([], others=["cxkit_django_others.Raises"]):
        assert Client(raise_request_exception=False).get("/").status_code == 500
    with (
        configured([path("", raising(ValueError("told")))], DEBUG_PROPAGATE_EXCEPTIONS=True),
        pytest.raises(ValueError, match="told"),
    ):
        Client().get("/")
    with configured([path("", raising(SystemExit()))]), pytest.raises(SystemExit):
        Client().get("/")
    viewed = cx.named("page.viewed")
    assert [(one.outcome, one.error) for one in viewed] == [
        ("failed", None),
        ("failed", "ValueError"),
        ("abandoned", "SystemExit"),
    ]


# --- twice ---


@pytest.mark.parametrize("gateway", ["wsgi", "asgi"])
@pytest.mark.parametrize("around", [False, True])
def test_installed_twice_it_captures_once(around: bool, gateway: str, configured: Configured, cx: Recorder) -> None:
    from cxkit.testing.web_shop import Browser, served

    with configured([path("", page)], others=[OURS, OURS]):
        if gateway == "asgi":
            app: Any = ASGIMiddleware(ASGIHandler()) if around else ASGIHandler()
            with served(app) as port:
                assert Browser(port).ask("/").body == b"page"
        else:
            handler: Any = WSGIMiddleware(WSGIHandler()) if around else WSGIHandler()
            body = handler(RequestFactory().get("/").environ, lambda *started: None)
            assert b"".join(body) == b"page"
            body.close()
    assert cx.one("page.viewed").outcome == "completed"


# --- what cxkit itself answers ---


class Inlet:
    def endpoints(self) -> Iterator[Endpoint]:
        yield Endpoint(path="/in", methods=frozenset({"GET", "POST"}), handle=self.told, max_body_bytes=8)

    def told(self, facts: Any, body: bytes) -> Reply:
        if body == b"fail":
            raise RuntimeError("canary")
        cxkit.grant("analytics")
        return Reply(status=200, headers=(("X-Path", facts.path), ("X-Root", facts.root)), body=body)


@pytest.fixture
def mounted() -> Iterator[Kit]:
    kit = Kit(Settings(), exporters={"x": RecordingExporter()}, in_memory=True)
    kit.__dict__["channels"] = (Inlet(),)
    yield kit
    kit.close()


def test_endpoints_are_answered_before_anything_of_the_apps(configured: Configured, mounted: Kit) -> None:
    with configured([path("", page)], kit=mounted):
        client = Client(enforce_csrf_checks=True)

        def post(body: bytes, **more: Any) -> Any:
            return client.post("/cx/in", body, content_type="text/plain", **more)

        answered = post(b"short")
        assert (answered.status_code, answered.content) == (200, b"short")
        assert list(answered.headers) == ["x-path", "x-root", "content-length"]
        assert sorted(answered.cookies) == ["cxkit_consent", "cxkit_visitor"]
        assert post(b"123456789").status_code == 413
        assert post(b"fail").status_code == 500
        assert post(b"x", HTTP_CONTENT_ENCODING="gzip").status_code == 415
        refused = client.delete("/cx/in")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, POST")
        assert client.head("/cx/in").content == b""
        assert client.get("/.well-known/gpc.json").json()["gpc"] is True
        assert client.get("/cx/nothing").status_code == 404


@pytest.mark.anyio
async def test_endpoints_are_answered_beside_the_event_loop(configured: Configured, mounted: Kit) -> None:
    async def later(request: HttpRequest) -> HttpResponse:
        return HttpResponse("later")

    with configured([path("", later)], kit=mounted, others=()):
        client = AsyncClient()
        answered = await client.post("/cx/in", b"short", content_type="text/plain")
        assert (answered.status_code, answered.content) == (200, b"short")
        assert sorted(answered.cookies) == ["cxkit_consent", "cxkit_visitor"]
        long = await client.post("/cx/in", b"123456789", content_type="text/plain")
        assert long.status_code == 413
        assert (await client.get("/")).content == b"later"


def test_endpoints_below_a_script_name(configured: Configured, mounted: Kit) -> None:
    with configured([path("", page)], kit=mounted):
        for root in ("/shop", "/café"):
            given = {"SCRIPT_NAME": root.encode().decode("latin-1"), "PATH_INFO": "/cx/in", "REQUEST_METHOD": "GET"}
            environ = RequestFactory().get("/").environ | given
            told: list[Any] = []
            body = WSGIHandler()(environ, lambda status, headers, told=told: told.extend((status, dict(headers))))
            assert (told[0], b"".join(body)) == ("200 OK", b""), root
            assert told[1]["x-path"].encode("latin-1").decode("utf-8", "replace") or root


# --- settings, checks, templates ---


@pytest.fixture
def nobody_installed() -> Iterator[None]:
    before = install(None)
    yield
    kit = install(before)
    if isinstance(kit, Kit):
        kit.close()


def test_settings_configure_the_default_kit_lazily(nobody_installed: None, configured: Configured) -> None:
    with configured([], CXKIT={"service": "haven", "strict": True, "web": {"exclude": ["/x"]}}):
        configure()
        assert default_kit().settings.service == "haven"
        assert default_kit().settings.web.exclude == ("/x",)
        kept = default_kit()
        CXMiddleware(page)
        assert default_kit() is kept, "the same settings, the same kit"
    with configured([], CXKIT={"service": "other"}):
        configure()
        other = default_kit()
        assert other.settings.service == "other"
    assert default_kit() is not other, "taken back with the settings"
    assert default_kit().settings == load(), "by files and environment again"


def test_settings_do_not_replace_what_records_a_test(configured: Configured, cx: Recorder) -> None:
    with configured([path("", page)], CXKIT={"service": "haven"}):
        Client().get("/")
    assert cx.one("page.viewed").outcome == "completed"


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        ({"web": {"mont": "/canary"}}, "CX1001", '"web.mont"'),
        ({"keys": {"signing": ["canary"]}}, "CX1010", '"keys.signing'),
        ({"strict": "canary"}, "CX1005", '"strict"'),
        (["canary"], "CX1012", "CXKIT"),
    ],
)
def test_settings_that_are_wrong_are_refused_at_start(
    given: Any, code: str, named: str, configured: Configured, nobody_installed: None
) -> None:
    with configured([], CXKIT=given), pytest.raises(ImproperlyConfigured) as refused:
        WSGIHandler() if "web" not in given else configure()
    assert code in str(refused.value)
    assert named in str(refused.value)
    error: BaseException | None = refused.value
    while error is not None:
        assert "canary" not in str(error)
        frame = error.__traceback__
        while frame is not None:
            ours = (
                "cxkit" in frame.tb_frame.f_globals.get("__name__", "")
                and "test" not in frame.tb_frame.f_code.co_filename
            )
            assert not (ours and "canary" in repr(frame.tb_frame.f_locals))
            frame = frame.tb_next
        error = error.__cause__ or error.__context__


def test_the_check_says_where_the_middleware_is_to_stand() -> None:
    from django.test.utils import override_settings

    for middleware, ids in (
        ([OURS, "django.middleware.common.CommonMiddleware"], []),
        (["cxkit_django.middleware.CXMiddleware"], []),
        (["django.middleware.common.CommonMiddleware", OURS], ["cxkit.W002"]),
        (["django.middleware.common.CommonMiddleware", "no.such.thing"], ["cxkit.W001"]),
        ([], ["cxkit.W001"]),
    ):
        with override_settings(MIDDLEWARE=middleware):
            assert [one.id for one in check_middleware()] == ids
    with override_settings(MIDDLEWARE=[OURS, *settings.MIDDLEWARE]):
        call_command("check", stdout=sys.stderr)


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (None, []),
        ({"service": "haven"}, []),
        ({"exporters": {"mail": {"type": "console"}}, "consent": {"policy": "loose"}}, ["CX1031", "CX1032"]),
        ({"web": {"mont": "/canary"}}, ["CX1001"]),
        (["canary"], ["E001"]),
    ],
)
def test_the_check_names_all_for_which_cxkit_would_not_start(
    given: Any, ids: list[str], configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with configured([], CXKIT=given):
        found = check_configuration()
    assert [one.id for one in found] == [f"cxkit.{one}" for one in ids]
    assert not [one for one in found if "canary" in f"{one.msg} {one.hint}"]
    assert not [one for one in found if re.search(r"[.?]\.$|[^.?]$", one.hint or one.msg)]
    assert not [*tmp_path.iterdir()]


def test_the_checks_are_run_by_their_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cxkit.toml").write_text("[consent]\npolicy = 'loose'\n")
    with pytest.raises(SystemCheckError, match=r"cxkit\.CX1031") as refused:
        call_command("check", "--tag", "cxkit")
    assert "cxkit.W001" in str(refused.value)


def test_the_banner_and_the_beacon_in_a_template(configured: Configured, cx: Recorder) -> None:
    text = "{% load cxkit %}{% cx_beacon nonce=nonce %}|{% cx_consent_url %}|{% cx_banner language='fr' %}"
    template = Template(text)

    def asking(request: HttpRequest, sku: str) -> HttpResponse:
        return HttpResponse(template.render(Context({"nonce": "abc&"})))

    with configured([path("sweets/<sku>/", asking)]):
        client = Client()
        shown = client.get("/sweets/canary/")
        beacon, url, banner = shown.content.decode().split("|")
        assert beacon.startswith("<script ")
        assert 'data-route="/sweets/{sku}/"' in beacon
        assert 'nonce="abc&amp;"' in beacon
        assert url == "/cx/consent?back=/sweets/canary/"
        assert '<button class="cx-button"' in banner
        assert "Tout refuser" in banner
        assert (shown.headers["Cache-Control"], shown.headers["Vary"]) == ("private", "Cookie")
        fields = {"choice": "refuse", "asked": re.findall('name="asked" value="([a-z_]+)"', banner)}
        form = "application/x-www-form-urlencoded"
        here = {"HTTP_ORIGIN": "http://testserver", "HTTP_HOST": "testserver"}
        chosen = client.post("/cx/consent", urlencode(fields, doseq=True), form, **here)
        assert chosen.status_code == 303
        assert b"Tout refuser" not in client.get("/sweets/canary/").content


def test_a_visitor_who_chose_in_a_test(configured: Configured, cx: Recorder) -> None:
    with configured([path("", page)]):
        client = Client()
        client.cookies.load(visitor_cookies(cx.kit, allows=["analytics"]))
        client.get("/")
    assert cx.one("page.viewed").identity.get("visitor") is not None


# --- the whole ---


def test_it_is_one_class_for_both_gateways() -> None:
    async def later(request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    assert (CXMiddleware.sync_capable, CXMiddleware.async_capable) == (True, True)
    assert iscoroutinefunction(CXMiddleware(later))
    assert not iscoroutinefunction(CXMiddleware(page))


def test_importing_it_is_silent_and_needs_no_settings() -> None:
    code = "import threading, cxkit_django, cxkit_django.apps; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_djangos_own_runner_records_as_the_documentation_says(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "test-your-app.md"
    section = page.read_text().partition("## With Django's own test runner")[2].partition("\n## ")[0]
    runner, test = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    unwatched = "\n\nclass UnwatchedTest(TestCase):\n    def test_it(self):\n        self.client.get('/')\n"
    (tmp_path / "runner.py").write_text(runner)
    (tmp_path / "test_visit.py").write_text(test + unwatched)
    (tmp_path / "conf.py").write_text(
        "SECRET_KEY = 'x'\nROOT_URLCONF = 'conf'\nurlpatterns = []\nTEST_RUNNER = 'runner.Recorded'\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n"
        "INSTALLED_APPS = ['cxkit_django']\nMIDDLEWARE = ['cxkit_django.CXMiddleware']\n"
        "CXKIT = {'exporters': {'out': {'type': 'file', 'path': 'out', 'purposes': ['analytics']}}}\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "django", "test", "--settings", "conf"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Ran 2 tests" in ran.stderr
    assert not {one.name for one in tmp_path.iterdir()} & {"out", ".cxkit"}
