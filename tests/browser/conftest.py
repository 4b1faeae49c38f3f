"""Chromium, driven by Playwright; it is Debian's, nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import Site, serving

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--lang=fr-FR", "--accept-lang=fr-FR",
    "--user-agent=Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
]  # fmt: skip
"""As people have it: what calls itself headless is a bot to cxkit-device, which may be installed."""
NO_ROBOT = "--disable-blink-features=AutomationControlled"
"""Else ``navigator.webdriver`` says what drives it, and the beacon does nothing."""


def chromium() -> str:
    """Where Debian's Chromium is."""
    found = shutil.which("chromium")
    assert found, "install Debian's chromium"
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Any) -> Iterator[Any]:
    """A browser as a person has it: it keeps pages for the way back, and is no robot."""
    browser = playwright.chromium.launch(
        executable_path=chromium(),
        args=[*ARGUMENTS, NO_ROBOT],
        ignore_default_args=["--disable-back-forward-cache", "--enable-automation"],
    )
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page of somebody who was never here; neither it nor its policy may complain."""
    with ExitStack() as stack:
        context = browser.new_context(
            locale="fr-FR", timezone_id="Europe/Paris", viewport={"width": 800, "height": 600}
        )
        stack.callback(context.close)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.complaints = complaints
        yield page


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Starts sites, each with settings of its own."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(tmp_path, **settings))
