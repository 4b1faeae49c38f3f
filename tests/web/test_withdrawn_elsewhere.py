"""What somebody withdraws in one browser holds in another, whose cookie says that it is granted: for good, not once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope

NEEDED = cxkit.touchpoint("elsewhere.needed", purpose="necessary")
ALL = ("analytics", "personalization", "advertising", "identity_stitching")
PUBLIC = [(b"cache-control", b"public, max-age=60")]


@pytest.fixture
def withdrawn(shop: Any, kept: Any, clock: Any) -> Callable[..., Any]:
    """A browser of Nancy's who allowed everything there, and has withdrawn this in her other one."""

    def withdrawn(*purposes: str) -> Any:
        def signs_in() -> None:
            cxkit.grant(*ALL)
            cxkit.identify(user_id="nancy")

        this, other = shop(signs_in), shop(signs_in)
        for browser in (this, other):
            browser.ask()
            assert list(browser.cookies) == ["cxkit_visitor", "cxkit_consent"]
        clock.advance(60)
        assert kept.kit.flush(timeout_s=10).complete
        other.in_(shop(lambda: cxkit.withdraw(*purposes))).ask()
        assert kept.kit.flush(timeout_s=10).complete
        return this

    return withdrawn


def test_who_may_no_longer_be_recognised_stays_so(withdrawn: Any, shop: Any, kept: Any) -> None:
    browser = withdrawn(*ALL)
    allowed: list[Any] = []
    look = browser.in_(shop(lambda: (NEEDED.capture(), allowed.append(cxkit.current().allowed))))
    for _ in range(3):
        look.ask()
        assert list(browser.cookies) == ["cxkit_consent"]
    assert allowed == [{"necessary"}] * 3
    assert not any(one.identity for one in kept.named("elsewhere.needed"))


def test_what_others_may_get_says_nothing_of_it(withdrawn: Any, shop: Any) -> None:
    browser = withdrawn(*ALL)
    held = dict(browser.cookies)
    allowed: list[Any] = []
    look = browser.in_(shop(lambda: allowed.append(cxkit.current().allowed), headers=PUBLIC))
    for _ in range(2):
        assert look.ask().headers == PUBLIC
        assert browser.cookies == held
    assert allowed == [{"necessary"}] * 2


def test_here_they_may_allow_it_anew(withdrawn: Any, shop: Any, clock: Any) -> None:
    browser = withdrawn(*ALL)
    browser.in_(shop()).ask()
    clock.advance(60)
    browser.in_(shop(lambda: cxkit.grant("analytics"))).ask()
    assert "cxkit_visitor" in browser.cookies
    allowed: list[Any] = []
    browser.in_(shop(lambda: allowed.append(cxkit.current().allowed))).ask()
    assert allowed == [{"necessary", "analytics"}]


def test_a_job_does_not_undo_it(withdrawn: Any, shop: Any, kept: Any) -> None:
    packed: list[Any] = []
    withdrawn(*ALL).in_(shop(lambda: packed.append(cxkit.pack(to="m")))).ask()
    with cxkit.unpack(packed[0], to="m", kit=kept.kit):
        assert cxkit.current().allowed == {"necessary"}


@pytest.mark.parametrize("purposes", [ALL, ("identity_stitching",)])
@pytest.mark.parametrize("recognised", [True, False])
def test_a_login_is_not_joined_to_the_visitor(
    withdrawn: Any, shop: Any, kept: Any, purposes: tuple[str, ...], recognised: bool
) -> None:
    """Also of a browser that nobody had signed in with: only the store knows, once it is told who this is."""
    browser = withdrawn(*purposes)
    if not recognised:
        browser = shop(lambda: cxkit.grant(*ALL))
        browser.ask()
    before = len(kept.interactions)

    def signs_in() -> None:
        cxkit.identify(user_id="nancy", traits={"plan": "gold"})
        NEEDED.capture()

    browser.in_(shop(signs_in)).ask()
    found = {one.name: [who.type for who in one.identity.identifiers] for one in kept.interactions[before:]}
    assert found["identity.identified"] == ["user_id"]
    assert found["elsewhere.needed"] == ["user_id"]


def test_what_was_refused_elsewhere_is_not_all_of_it(withdrawn: Any, shop: Any) -> None:
    """Who goes on to be recognised is asked about each time: this browser's own choice stays what it was."""
    browser = withdrawn("advertising")
    held = browser.cookies["cxkit_consent"]
    allowed: list[Any] = []

    def look() -> None:
        here = current_scope()
        assert here is not None
        allowed.append("advertising" in here.allowed.granted)

    for _ in range(2):
        browser.in_(shop(look)).ask()
    assert allowed == [False, False]
    assert browser.cookies["cxkit_consent"] == held
