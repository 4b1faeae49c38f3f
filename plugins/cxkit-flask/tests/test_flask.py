"""What is peculiar to Flask: routes, mounts, its contexts, whom Flask-Login knows, and what Flask forgets.

Over 400 lines, as a plugin has one file of tests for all that is peculiar to it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    copy_current_request_context,
    g,
    redirect,
    render_template_string,
    request,
    stream_with_context,
)
from flask.sessions import SecureCookieSession
from flask.views import MethodView
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from sqlalchemy import orm
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

import cxkit
from cxkit import Interaction
from cxkit.capture.scope import current_scope
from cxkit.codec import encode
from cxkit.testing.visitors import visitor_cookies
from cxkit.testing.web_shop import Browser, served_wsgi
from cxkit_flask import CXFlask

SEEN = cxkit.touchpoint("flask.seen")


@pytest.fixture
def app() -> Flask:
    app = Flask("shop", static_folder=None)
    app.secret_key = "secret"
    CXFlask(app)
    return app


def visit(app: Any, path: str, *, cookies: dict[str, str] | None = None, **fields: Any) -> Any:
    client = app.test_client()
    for name, value in (cookies or {}).items():
        client.set_cookie(name, value)
    with client.open(path, **fields) as reply:
        reply.get_data()
    return reply


def route_of(cx: Any) -> str | None:
    (viewed,) = cx.named("page.viewed")
    assert viewed.context.page is not None
    route: str | None = viewed.context.page.route
    return route


# --- routes ---


class Resource(MethodView):
    def get(self, id: str) -> str:
        return "resource"


def ok(**params: Any) -> str:
    return "ok"


def town(folder: Path) -> Flask:
    """An app with all kinds of routes."""
    app = Flask("town", static_folder=str(folder), static_url_path="/assets")
    rules = [
        "/", "/items/<int:id>", "/items/<int:id>.json", "/pairs/<a>/<b>", "/users/<string(length=6):name>/name",
        "/files/<path:path>", "/floats/<float(min=0.5):x>", "/ids/<uuid:id>", "/any/<any(canary, 'a>b', c):one>",
        "/default/", "/slash/<id>/", "/{canary}/<x>",
    ]  # fmt: skip
    for number, rule in enumerate(rules):
        app.add_url_rule(rule, f"rule {number}", ok)
    app.add_url_rule("/default/<int:page>", "rule 9", ok, defaults={"page": 1})
    app.add_url_rule("/resource/<id>", view_func=Resource.as_view("resource"))
    app.add_url_rule("/teapot/<id>", "teapot", lambda id: abort(418))
    app.add_url_rule("/missing/<id>", "missing", lambda id: abort(404))
    app.add_url_rule("/moved/<id>", "moved", lambda id: redirect("/elsewhere"))
    app.add_url_rule("/canary-post/<x>", "post", ok, methods=["POST"])
    inner = Blueprint("inner", "town", url_prefix="/<stall>")
    inner.add_url_rule("/goods/<good>", "goods", ok)
    outer = Blueprint("outer", "town", url_prefix="/market/<int:market>")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


ROUTES = [
    ("/", "/", 200),
    ("/items/7", "/items/{id}", 200),
    ("/items/007", "/items/{id}", 200),
    ("/items/7.json", "/items/{id}.json", 200),
    ("/items/canary", None, 404),
    ("/pairs/canary/canary", "/pairs/{a}/{b}", 200),
    ("/pairs/pairs/canary", "/pairs/{a}/{b}", 200),
    ("/users/canary/name", "/users/{name}/name", 200),
    ("/files/canary/a/b.txt", "/files/{path}", 200),
    ("/floats/1.50", "/floats/{x}", 200),
    ("/ids/0b6a1c6e-7f3d-4b1e-8a55-c0ffee000001", "/ids/{id}", 200),
    ("/any/canary", "/any/{one}", 200),
    ("/default/", "/default/", 200),
    ("/default/7", "/default/{page}", 200),
    ("/resource/canary", "/resource/{id}", 200),
    ("/teapot/canary", "/teapot/{id}", 418),
    ("/missing/canary", "/missing/{id}", 404),
    ("/moved/canary", "/moved/{id}", 302),
    ("/slash/canary", None, 308),
    ("/canary-post/canary", "/canary-post/{x}", 405),
    ("/market/7/canary/goods/canary", "/market/{market}/{stall}/goods/{good}", 200),
    ("/market/7/canary/canary", None, 404),
    ("/assets/canary.txt", "/assets/{filename}", 200),
    ("/assets/canary/none", "/assets/{filename}", 404),
    ("/canary/nowhere/x", None, 404),
]


@pytest.mark.parametrize(("path", "route", "status"), ROUTES)
def test_a_route_is_captured_as_its_template(
    cx: Any, tmp_path: Path, path: str, route: str | None, status: int
) -> None:
    (tmp_path / "canary.txt").write_text("file")
    app = town(tmp_path)
    CXFlask(app)
    visit(app, path)
    viewed = cx.one("page.viewed")
    assert viewed.context.page is not None
    assert (viewed.context.page.route, viewed.properties) == (route, {"status": status})
    assert b"canary" not in encode(viewed).replace(b"/canary-post", b"")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 200), ("DELETE", 405), ("POST", 405)])
def test_methods(cx: Any, tmp_path: Path, method: str, status: int) -> None:
    app = town(tmp_path)
    CXFlask(app)
    visit(app, "/pairs/canary/canary", method=method)
    viewed = cx.one("page.viewed")
    assert (viewed.context.page.route, viewed.context.page.method) == ("/pairs/{a}/{b}", method)
    assert viewed.properties == {"status": status}


@pytest.mark.parametrize("where", ["around each", "around all"])
def test_mounted_apps(cx: Any, tmp_path: Path, where: str) -> None:
    outer, inner = town(tmp_path), town(tmp_path)
    if where == "around each":
        CXFlask(inner)
        CXFlask(outer)
        outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/deep/market": inner})  # type: ignore[method-assign]
    else:
        outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/deep/market": inner})  # type: ignore[method-assign]
        CXFlask(outer)
    paths = ["/deep/market/items/7", "/items/7", "/deep/market/canary", "/deep/market/items/7", "/deep/market"]
    for path in paths:
        visit(outer, path)
    visit(outer, "/deep/market/canary-post/7")
    visit(outer, "/canary-post/7")
    routes = [one.context.page.route for one in cx.named("page.viewed")]
    if where == "around all":
        assert routes[:4] == ["/deep/market/items/{id}", "/items/{id}", None, "/deep/market/items/{id}"]
        assert routes[5:] == [None, "/canary-post/{x}"], "of an app further in only what it found is known"
    else:
        assert routes[:4] == ["/items/{id}", "/items/{id}", None, "/items/{id}"]
        assert routes[5:] == ["/canary-post/{x}"] * 2


def test_below_a_mount_of_the_server_the_route_is_the_apps_own(cx: Any, app: Flask) -> None:
    app.add_url_rule("/items/<id>", "items", ok)
    visit(app, "/items/7", base_url="http://localhost/canary")
    assert route_of(cx) == "/items/{id}"
    assert b"canary" not in encode(cx.one("page.viewed"))


def test_behind_a_proxy(cx: Any, app: Flask) -> None:
    """Put around what the extension wrapped, the fix is there before it looks."""
    app.add_url_rule("/", "home", lambda: cxkit.grant("analytics") or "home")  # type: ignore[func-returns-value]
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    reply = visit(app, "/", headers={"X-Forwarded-Proto": "https"})
    assert all("; Secure" in one for one in reply.headers.getlist("Set-Cookie"))
    assert route_of(cx) == "/"


# --- installed ---


@pytest.mark.parametrize("given", ["shop", 3, Flask])
def test_what_is_no_app_is_refused_with_what_is_wanted(given: Any) -> None:
    wanted = rf"^{type(given).__name__} is no app of Flask\. Fix: CXFlask\(app\), of app = Flask\(__name__\)$"
    with pytest.raises(TypeError, match=wanted):
        CXFlask(given)


def test_one_extension_for_many_apps_each_once(cx: Any) -> None:
    apps = [Flask(f"shop {number}", static_folder=None) for number in range(2)]
    extension = CXFlask()
    for app in (*apps, *apps):
        extension.init_app(app)
        CXFlask(app)
        app.extensions["cxkit"] = extension
    for app in apps:
        visit(app, "/nowhere")
    assert len(cx.named("page.viewed")) == 2


def test_a_kit_of_ones_own(cx: Any, app: Flask) -> None:
    other = Flask("other")
    CXFlask(other, kit=cx.kit)
    visit(other, "/")
    assert len(cx.interactions) == 1


def test_without_it_nothing_of_it_is_there() -> None:
    plain, app = Flask("shop"), Flask("shop")
    CXFlask(app)
    again = Flask("shop")
    assert (again.extensions, again.teardown_request_funcs, again.before_request_funcs) == (
        plain.extensions,
        plain.teardown_request_funcs,
        plain.before_request_funcs,
    )
    assert list(visit(again, "/").headers) == list(visit(plain, "/").headers)


def test_importing_it_is_silent_and_starts_nothing() -> None:
    code = "import threading, cxkit_flask; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# --- errors ---


@pytest.mark.parametrize("propagates", [False, True])
def test_what_a_view_raises_is_named(cx: Any, app: Flask, propagates: bool) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = propagates
    app.add_url_rule("/broken/<id>", "broken", lambda id: str(1 // 0))
    with pytest.raises(ZeroDivisionError) if propagates else contextlib.nullcontext():
        assert visit(app, "/broken/canary").status_code == 500
    viewed = cx.one("page.viewed")
    assert (viewed.outcome, viewed.error, viewed.properties) == ("failed", "ZeroDivisionError", {"status": 500})
    assert viewed.context.page.route == "/broken/{id}"


def test_what_an_app_handles_is_no_failure(cx: Any, app: Flask) -> None:
    app.add_url_rule("/", "broken", lambda: str(1 // 0))
    app.register_error_handler(ZeroDivisionError, lambda error: ("sorry", 200))
    assert visit(app, "/").status_code == 200
    assert (cx.one("page.viewed").outcome, cx.one("page.viewed").error) == ("completed", None)


def test_an_error_page_of_the_apps_own(cx: Any, app: Flask) -> None:
    app.add_url_rule("/", "broken", lambda: str(1 // 0))
    app.register_error_handler(500, lambda error: ("sorry", 500))
    assert visit(app, "/").data == b"sorry"
    assert cx.one("page.viewed").error == "ZeroDivisionError"


# --- the session and the user ---


class Watched(SecureCookieSession):
    touched = 0

    def __contains__(self, key: object) -> bool:
        Watched.touched += 1
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        Watched.touched += 1
        return super().__getitem__(key)


def test_the_session_is_not_touched(cx: Any, app: Flask) -> None:
    app.session_interface.session_class = Watched  # type: ignore[attr-defined]
    app.add_url_rule("/", "home", lambda: cxkit.grant("analytics") or "home")  # type: ignore[func-returns-value]
    reply = visit(app, "/")
    assert Watched.touched == 0
    assert "Vary" not in reply.headers
    assert not cx.one("page.viewed").identity.signed_in


class User(UserMixin):
    asked = 0

    def __init__(self, id: str) -> None:
        self.id = id

    def get_id(self) -> str:
        User.asked += 1
        return self.id


@pytest.fixture
def members(app: Flask) -> Flask:
    """An app whose members sign in."""
    logins = LoginManager(app)
    logins.user_loader(User)
    app.add_url_rule("/login/<name>", "login", lambda name: str(login_user(User(name))))
    app.add_url_rule("/mine", "mine", lambda: current_user.get_id() or "nobody's")
    app.add_url_rule("/public", "public", lambda: cxkit.grant("analytics") or "public")  # type: ignore[func-returns-value]
    return app


def user_in(viewed: Interaction) -> str | None:
    found = viewed.identity.get("user_id")
    return found and found.value


def test_whom_the_app_has_loaded_is_known(cx: Any, members: Flask) -> None:
    client = members.test_client()
    for name, value in visitor_cookies(cx.kit, allows=["analytics", "identity_stitching"]).items():
        client.set_cookie(name, value)
    for path in ("/mine", "/login/nancy", "/mine", "/public"):
        client.get(path)
    assert [user_in(one) for one in cx.named("page.viewed")][:3] == [None, "nancy", "nancy"]


def test_who_logs_out_leaves_the_device_to_a_new_visitor(cx: Any, members: Flask) -> None:
    members.add_url_rule("/leave", "leave", lambda: str(logout_user()))
    client = members.test_client()
    for name, value in visitor_cookies(cx.kit, allows=["analytics", "identity_stitching"]).items():
        client.set_cookie(name, value)
    for path in ("/leave", "/login/nancy", "/leave", "/mine"):
        client.get(path)
    viewed = cx.named("page.viewed")
    assert [user_in(one) for one in viewed] == [None, "nancy", None, None]
    visitors = [one.identity.get("visitor").value for one in viewed]
    assert [one == visitors[0] for one in visitors] == [True, True, False, False], "nobody was signed in the first time"
    assert visitors[2] == visitors[3]


def test_who_has_still_to_prove_it_is_nobody(cx: Any, members: Flask) -> None:
    """A second factor, say."""

    class Halfway(User):
        is_authenticated = False

    def half() -> str:
        g._login_user = Halfway("nancy")
        cxkit.grant("analytics")
        return ""

    members.add_url_rule("/half", "half", half)
    visit(members, "/half")
    assert user_in(cx.one("page.viewed")) is None


def test_a_user_that_raises_spoils_no_logout(cx: Any, members: Flask) -> None:
    class Odd(User):
        @property
        def is_authenticated(self) -> bool:
            raise ZeroDivisionError

    def leave() -> str:
        cxkit.identify(user_id="nancy")
        g._login_user = Odd("nancy")
        return str(logout_user())

    members.add_url_rule("/leave", "leave", leave)
    assert visit(members, "/leave").text == "True"
    assert user_in(cx.one("page.viewed")) is None


def test_flask_login_may_come_later_than_we_do(cx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from blinker import Signal

    later = types.ModuleType("flask_login")
    later.user_logged_out = Signal()  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "flask_login")
    app = Flask("late")
    CXFlask(app)
    app.add_url_rule("/", "home", ok)
    visit(app, "/")
    monkeypatch.setitem(sys.modules, "flask_login", later)
    visit(app, "/")
    visit(app, "/")
    assert len(later.user_logged_out.receivers) == 1  # type: ignore[attr-defined]


def test_a_route_that_cannot_be_read_costs_itself_alone(cx: Any, app: Flask) -> None:
    def odd() -> str:
        request.url_rule = types.SimpleNamespace(endpoint="odd", rule=None)  # type: ignore[assignment]
        raise ZeroDivisionError

    app.add_url_rule("/", "odd", odd)
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/")
    assert cx.one("page.viewed").context.page.route is None
    assert cx.kit.intake.noted["internal_error"]


def test_nobody_is_loaded_for_us(cx: Any, members: Flask) -> None:
    client = members.test_client()
    client.get("/login/nancy")
    before = User.asked
    client.get("/public")
    assert User.asked == before
    assert user_in(cx.named("page.viewed")[-1]) is None


def test_for_a_user_in_a_database_no_query_is_made(cx: Any, app: Flask) -> None:
    """After a commit SQLAlchemy would read the row again: then they are nobody, rather than a query of ours."""
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)
    queries: list[str] = []
    sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *said: queries.append(said[2]))
    Base.metadata.create_all(engine)
    with orm.Session(engine) as db, db.begin():
        db.add(Member(id=7000, name="nancy"))
    database = orm.Session(engine)
    LoginManager(app).user_loader(lambda id: database.get(Member, int(id)))
    app.add_url_rule("/login", "login", lambda: str(login_user(database.get(Member, 7000))))
    app.add_url_rule("/mine", "mine", lambda: current_user.name)
    app.add_url_rule("/buy", "buy", lambda: (current_user.name, database.commit())[0])
    app.add_url_rule("/public", "public", ok)
    app.teardown_request(lambda error: database.expunge_all())
    client = app.test_client()
    for name, value in visitor_cookies(cx.kit, allows=["analytics", "identity_stitching"]).items():
        client.set_cookie(name, value)
    client.get("/login")
    counts = []
    for path in ("/mine", "/buy", "/public"):
        before = len(queries)
        client.get(path)
        counts.append(len(queries) - before)
    assert counts == [1, 1, 0], "the app's own"
    assert [user_in(one) for one in cx.named("page.viewed")][:2] == ["7000", "7000"]
    database.close()
    engine.dispose()


class Base(orm.DeclarativeBase):
    pass


class Member(Base, UserMixin):
    __tablename__ = "members"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]


# --- in the app's code ---


def seen_visitor(cx: Any) -> set[str | None]:
    found = [one.identity.get("visitor") for one in (*cx.named("flask.seen"), *cx.named("page.viewed"))]
    return {one and one.value for one in found}


def streamed() -> Response:
    @stream_with_context
    def pieces() -> Iterator[str]:
        for number in range(3):
            SEEN.capture(path=request.path, number=number)
            yield "x"

    return Response(pieces())


def carried() -> str:
    @copy_current_request_context
    def work() -> str:
        SEEN.capture(path=request.path)
        return "done"

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(cxkit.carry(work)).result()


def hooked() -> Response:
    response = Response("ok")
    response.call_on_close(lambda: SEEN.capture(when="closed"))
    return response


@cxkit.touchpoint("flask.decorated")
def decorated() -> str:
    SEEN.capture()
    return "ok"


@cxkit.touchpoint("flask.decorated_async")
async def decorated_async() -> str:
    SEEN.capture()
    return "ok"


@pytest.mark.parametrize("view", [streamed, carried, hooked, decorated, decorated_async])
def test_what_a_view_captures_is_the_visitors(cx: Any, app: Flask, view: Callable[[], Any]) -> None:
    app.add_url_rule("/view", "view", view)
    visit(app, "/view", cookies=visitor_cookies(cx.kit, allows=["analytics"]))
    assert len(seen_visitor(cx)) == 1
    assert seen_visitor(cx) != {None}
    assert {one.context.page.route for one in cx.interactions if one.context.page} == {"/view"}
    if view in (decorated, decorated_async):
        assert len([one for one in cx.interactions if one.name.startswith("flask.decorated")]) == 1
    assert current_scope() is None


def test_who_is_here(cx: Any, app: Flask) -> None:
    app.add_url_rule("/", "home", lambda: str(cxkit.current().profile is not None))
    assert visit(app, "/", cookies=visitor_cookies(cx.kit, allows=["analytics"])).data == b"True"


def test_hooks_before_and_after_the_view_are_the_visitors(cx: Any, app: Flask) -> None:
    app.add_url_rule("/", "home", ok)
    app.before_request(lambda: SEEN.capture(when="before") and None)
    app.after_request(lambda response: (SEEN.capture(when="after"), response)[1])
    app.teardown_request(lambda error: SEEN.capture(when="teardown") and None)
    visit(app, "/", cookies=visitor_cookies(cx.kit, allows=["analytics"]))
    assert len(cx.named("flask.seen")) == 3
    assert len(seen_visitor(cx)) == 1


def test_a_test_that_does_not_read_what_it_got(cx: Any, app: Flask) -> None:
    """Werkzeug's client leaves such a response open: the visit is captured all the same, and nobody's scope is left."""
    app.add_url_rule("/", "home", ok)
    reply = app.test_client().get("/")
    assert reply.status_code == 200
    assert cx.one("page.viewed").outcome == "completed"
    assert current_scope() is None


# --- a guest ---


def test_bodies_are_neither_read_nor_kept(cx: Any, app: Flask) -> None:
    class Endless:
        read_bytes = at = 0

        def read(self, size: int = -1) -> bytes:
            assert size >= 0, "somebody wants all of it"
            Endless.read_bytes += size
            return b"x" * size

        def tell(self) -> int:
            return self.at

        def seek(self, at: int, whence: int = 0) -> None:
            self.at = 2 << 30 if whence else at

    app.add_url_rule("/ignored", "ignored", ok, methods=["POST"])
    app.add_url_rule("/some", "some", lambda: str(len(request.stream.read(1000))), methods=["POST"])
    fields: dict[str, Any] = {"method": "POST", "input_stream": Endless()}
    assert visit(app, "/ignored", **fields).data == b"ok"
    assert Endless.read_bytes == 0
    assert visit(app, "/some", **fields).data == b"1000"
    assert Endless.read_bytes == 1000


def test_two_thousand_requests_of_forty_visitors_at_once(cx: Any, app: Flask) -> None:
    for number, view in enumerate([streamed, carried, hooked, decorated_async]):
        app.add_url_rule(f"/{number}/<who>", str(number), _whose(view))
    visitors = {str(number): visitor_cookies(cx.kit, allows=["analytics"]) for number in range(40)}
    with served_wsgi(app) as port:

        def wander(seed: int) -> set[int]:
            browser, statuses = Browser(port), set()
            for turn in range(250):
                who = str((seed * 7 + turn) % 40)
                browser.cookies = dict(visitors[who])
                statuses.add(browser.ask(f"/{turn % 4}/{who}").status)
            return statuses

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(wander, range(8))) == [{200}] * 8
    deadline = threading.Event()
    for _ in range(1000):
        if len(cx.named("page.viewed")) == 2000:
            break
        deadline.wait(0.01)
    known: dict[object, set[object]] = {}
    for one in cx.named("flask.whose"):
        visitor = one.identity.get("visitor")
        known.setdefault(one.properties["who"], set()).add(visitor and visitor.value)
    assert len(cx.named("page.viewed")) == 2000
    assert len(cx.named("flask.whose")) == 2000
    assert len(known) == len(set().union(*known.values())) == 40
    assert all(len(values) == 1 for values in known.values())


WHOSE = cxkit.touchpoint("flask.whose")


def _whose(view: Callable[[], Any]) -> Callable[[str], Any]:
    def whose(who: str) -> Any:
        WHOSE.capture(who=who)
        return view() if view is not decorated_async else "ok"

    return whose


# --- templates ---


def test_templates_ask_for_a_choice(cx: Any, app: Flask) -> None:
    app.add_url_rule("/", "home", lambda: render_template_string("<p>{{ cx_banner() }}{{ cx_consent_url() }}</p>"))
    page = visit(app, "/")
    assert b"<form" in page.data
    assert b"/cx/consent" in page.data
    assert b"&lt;" not in page.data
    assert "jinja_env" not in vars(Flask("other"))


def test_what_an_app_says_later_of_its_templates_holds(app: Flask) -> None:
    app.jinja_options = {"variable_start_string": "[[", "variable_end_string": "]]"}
    app.add_url_rule("/", "home", lambda: render_template_string("[[ 1 + 1 ]]{{ cx_banner() }}", cx_banner="mine"))
    assert visit(app, "/").data == b"2{{ cx_banner() }}"
