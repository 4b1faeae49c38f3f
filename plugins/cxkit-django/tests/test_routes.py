"""Routes as templates: converters, regular expressions, includes, languages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path, re_path
from hypothesis import given
from hypothesis import strategies as st

from cxkit.codec import encode
from cxkit.testing import Recorder
from cxkit_django.routes import template_of

Configured = Callable[..., AbstractContextManager[None]]

TEMPLATES = [
    ("", "/"),
    ("about/", "/about/"),
    ("products/<str:sku>", "/products/{sku}"),
    ("products/<sku>/", "/products/{sku}/"),
    ("pairs/<int:a>-<slug:b>.html", "/pairs/{a}-{b}.html"),
    ("files/<path:rest>", "/files/{rest}"),
    ("<town>/", "/{town}/"),
    ("c++/what?/<x>", "/c++/what?/{x}"),
    ("^$", "/"),
    (r"^articles/(?P<year>[0-9]{4})/$", "/articles/{year}/"),
    (r"^products/(?P<sku>[^/]+)$", "/products/{sku}"),
    (r"^nested/(?P<a>(x|y(z))\))/(?P<b>[)(]+)/\Z", "/nested/{a}/{b}/"),
    (r"^optional/(?:page-(?P<page>\d+)/)?$", "/optional/page-{page}/"),
    (r"^unnamed/([a-z]+)/(\d+)/$", "/unnamed/{var}/{var}/"),
    (r"^feed\.xml$", "/feed.xml"),
    (r"^(?i)any/(?=x)(?!y)z$", "/any/z"),
    (r"^version-\d+/[a-z]+/end$", "/version-{var}/{var}/end"),
    (r"shop/^items/(?P<id>\d+)/$", "/shop/items/{id}/"),
    (r"^shop/<int:town>/items/<id>/$", "/shop/{town}/items/{id}/"),
    ("(?P<url>.*)$", "/{url}"),
    ("(", "/{var}"),
    ("a)b", "/a)b"),
    ("[", "/["),
    ("^[", "/["),
    ("\\", "/\\"),
]


@pytest.mark.parametrize(("route", "template"), TEMPLATES)
def test_a_route_becomes_a_template(route: str, template: str) -> None:
    assert template_of(route) == template


def test_a_language_before_it_is_a_value_as_well() -> None:
    assert template_of("fr/products/<sku>", prefixed=True) == "/{language}/products/{sku}"
    assert template_of("en-us/", prefixed=True) == "/{language}/", "the language of the settings, though not listed"
    assert template_of("de/products/<sku>", prefixed=True) == "/de/products/{sku}"
    assert template_of("fr/products/<sku>") == "/fr/products/{sku}"


@given(st.text(alphabet="()[]{}<>?P:\\^$*+|/ab1d!=.", max_size=40))
def test_any_route_has_a_template(route: str) -> None:
    assert template_of(route).startswith("/")


# --- as Django finds them ---


def page(request: HttpRequest, *args: object, **params: object) -> HttpResponse:
    return HttpResponse("page")


def missing(request: HttpRequest, **params: object) -> HttpResponse:
    raise Http404


def whole(request: HttpRequest, **params: object) -> HttpResponse:
    request.urlconf = None
    return HttpResponse("page")


ITEMS = [
    path("", page),
    path("items/<int:id>/", page),
    re_path(r"^old/(?P<id>\d+)/$", page),
    path("deeper/<slug:aisle>/", include([re_path(r"^(?P<shelf>[a-z]+)/$", page)])),
]
URLS = [
    path("", page),
    path("products/<str:sku>", page),
    path("slash/<x>/", page),
    path("missing/<x>/", missing),
    path("whole/<x>", whole),
    path("town/<slug:town>/", include(ITEMS)),
    re_path(r"^regex/(?P<town>\w+)/", include((ITEMS, "shop"), namespace="regex")),
    path("admin/", admin.site.urls),
    *i18n_patterns(path("", page), path("sweets/<sku>/", page)),
]

ASKED = [
    ("/", 200, "/"),
    ("/products/canary", 200, "/products/{sku}"),
    ("/products/canar%C3%BF", 200, "/products/{sku}"),
    ("/slash/canary/", 200, "/slash/{x}/"),
    ("/slash/canary", 301, None),
    ("/missing/canary/", 404, "/missing/{x}/"),
    ("/whole/canary", 200, "/whole/{x}"),
    ("/canary", 404, None),
    ("/town/canary/", 200, "/town/{town}/"),
    ("/town/canary/items/7/", 200, "/town/{town}/items/{id}/"),
    ("/town/canary/old/7/", 200, "/town/{town}/old/{id}/"),
    ("/town/canary/deeper/canary/canary/", 200, "/town/{town}/deeper/{aisle}/{shelf}/"),
    ("/regex/canary/items/7/", 200, "/regex/{town}/items/{id}/"),
    ("/admin/login/?next=canary", 200, "/admin/login/"),
    ("/admin/canary", 302, "/admin/{url}"),
    ("/en/", 200, "/{language}/"),
    ("/fr/sweets/canary/", 200, "/{language}/sweets/{sku}/"),
    ("/de/sweets/canary/", 404, None),
]


@pytest.mark.parametrize(("asked", "status", "template"), ASKED)
def test_the_template_is_captured_and_no_value(
    asked: str, status: int, template: str | None, configured: Configured, cx: Recorder, database: None
) -> None:
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    with configured(URLS, others=middleware):
        assert Client().get(asked).status_code == status
    viewed = cx.one("page.viewed")
    assert viewed.context.page is not None
    assert (viewed.context.page.route, viewed.properties, viewed.outcome) == (template, {"status": status}, "completed")
    assert b"canar" not in encode(viewed)
