"""Django, configured once for the process, and what serves it on a port of this machine."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import django
import pytest
from django.conf import settings

STACK = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
"""What ``startproject`` writes."""

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        USE_TZ=True,
        LANGUAGES=[("en", "English"), ("fr", "French")],
        SESSION_ENGINE="django.contrib.sessions.backends.db",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "cxkit_django",
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
        ],
        MIDDLEWARE=STACK,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
    )
    django.setup()

Serve = Callable[..., AbstractContextManager[int]]


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """A database in memory that all threads share."""
    from django.test.utils import setup_databases, teardown_databases

    made = setup_databases(verbosity=0, interactive=False)
    yield
    teardown_databases(made, verbosity=0)


@contextmanager
def _configured(urls: Sequence[Any], kit: Any, others: Sequence[str], times: int, changed: dict[str, Any]) -> Any:
    from django.test.utils import override_settings
    from django.utils.decorators import sync_and_async_middleware

    from cxkit.kit import use_by_default
    from cxkit_django import CXMiddleware

    conf = ModuleType("cxkit_django_tested")
    conf.urlpatterns = list(urls)  # type: ignore[attr-defined]
    conf.ours = sync_and_async_middleware(lambda get_response: CXMiddleware(get_response, kit=kit))  # type: ignore[attr-defined]
    ours = ["cxkit_django_tested.ours"] * times
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, conf.__name__, conf)
        with override_settings(ROOT_URLCONF=conf, MIDDLEWARE=[*ours, *others], **changed):
            try:
                yield
            finally:
                use_by_default(None)


@pytest.fixture
def configured() -> Callable[..., AbstractContextManager[None]]:
    """Settings for the time of a block: with these URLs, and our middleware before the others."""

    def configured(
        urls: Sequence[Any], *, kit: Any = None, others: Sequence[str] = STACK, times: int = 1, **changed: Any
    ) -> AbstractContextManager[None]:
        return _configured(urls, kit, others, times, changed)

    return configured


@pytest.fixture
def serve(configured: Callable[..., AbstractContextManager[None]]) -> Serve:
    """Django behind a real server, the standard library's for WSGI and uvicorn for ASGI; yields its port."""

    @contextmanager
    def serve(urls: Sequence[Any], *, gateway: str = "wsgi", **changed: Any) -> Iterator[int]:
        from django.core.handlers.asgi import ASGIHandler
        from django.core.handlers.wsgi import WSGIHandler

        from cxkit.testing.web_shop import served, served_wsgi

        with configured(urls, **changed):
            running = served(ASGIHandler()) if gateway == "asgi" else served_wsgi(WSGIHandler())
            with running as port:
                yield port
        if gateway == "asgi":
            gc.collect()  # Django leaves the file of a failed stream open: the warning belongs to this test

    return serve
