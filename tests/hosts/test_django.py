"""Django under real hosts: each visit is captured once and delivered once, whoever serves it."""

from __future__ import annotations

import contextlib
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from cxkit.testing.receiver import Receiver
from cxkit.testing.web_shop import Browser
from tests.hosts.servers import hosting

pytestmark = pytest.mark.services

_SITE: Final = """
import sys
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    MIDDLEWARE=["cxkit_django.CXMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF="site_urls",
    SECRET_KEY="only for tests",
    LOGGING_CONFIG=None,
    INSTALLED_APPS=["cxkit_django"],
    CXKIT={"service": "haven"},
)

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
else:
    wsgi, asgi = get_wsgi_application(), get_asgi_application()
"""
_URLS: Final = """
import asyncio
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

def now(request, number):
    return HttpResponse("now")

async def later(request, number):
    await asyncio.sleep(0.001)
    return HttpResponse("later")

def stream(request, number):
    return StreamingHttpResponse([b"a", b"b"])

urlpatterns = [path("now/<int:number>", now), path("later/<int:number>", later), path("stream/<int:number>", stream)]
"""
_GUNICORN: Final = ("gunicorn", "--workers=2", "--bind=127.0.0.1:{port}", "--log-level=warning")
HOSTS: Final[dict[str, tuple[str, ...]]] = {
    "runserver": ("site_settings", "runserver", "--noreload", "--skip-checks", "127.0.0.1:{port}"),
    "gunicorn": (*_GUNICORN, "site_settings:wsgi"),
    "gunicorn threads": (*_GUNICORN, "--threads=4", "site_settings:wsgi"),
    "gunicorn gevent preload": (*_GUNICORN, "--worker-class=gevent", "--preload", "site_settings:wsgi"),
    "gunicorn uvicorn": (*_GUNICORN, "--worker-class=uvicorn_worker.UvicornWorker", "site_settings:asgi"),
    "uvicorn": ("uvicorn", "--workers=2", "--port={port}", "--log-level=warning", "site_settings:asgi"),
    "granian": ("granian", "--interface=asgi", "--workers=2", "--port={port}", "site_settings:asgi"),
    "granian wsgi": ("granian", "--interface=wsgi", "--workers=2", "--port={port}", "site_settings:wsgi"),
}
_VISITS: Final = 40


@contextlib.contextmanager
def serving(name: str, folder: Path) -> Iterator[int]:
    """Ended as an operator ends it, or by force."""
    (folder / "site_settings.py").write_text(_SITE)
    (folder / "site_urls.py").write_text(_URLS)
    with hosting(HOSTS[name], folder) as host:
        yield host.port
        host.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):  # granian's WSGI does not always end, without us as well
            host.process.wait(20)
        assert "Traceback" not in host.printed, host.printed


@pytest.mark.parametrize("name", HOSTS)
def test_each_visit_is_delivered_once(name: str, tmp_path: Path, receiver: Receiver) -> None:
    # Django runs asynchronous views in an event loop of the thread's own, of which greenlets have one together.
    kinds = ("now", "now" if "gevent" in name else "later", "stream", "nowhere")
    paths = [f"/{kind}/{number}" for kind in kinds for number in range(_VISITS // 4)]
    with serving(name, tmp_path) as port:
        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(lambda path: Browser(port).ask(path).status, paths))
        assert statuses == [200] * (_VISITS * 3 // 4) + [404] * (_VISITS // 4)
        assert receiver.wait_for(_VISITS, timeout_s=60)
    assert len(receiver.ids) == len(set(receiver.ids)) == _VISITS
    viewed = receiver.interactions
    assert {one.name for one in viewed} == {"page.viewed"}
    assert {one.source for one in viewed} == {"/haven"}
    routes = [one.context.page and one.context.page.route for one in viewed]
    expected = [None if kind == "nowhere" else f"/{kind}/{{number}}" for kind in kinds] * (_VISITS // 4)
    assert Counter(routes) == Counter(expected)
    assert {one.outcome for one in viewed} == {"completed"}
