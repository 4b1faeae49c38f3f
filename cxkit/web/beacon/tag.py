"""cx.js, and the tag that loads it."""

from __future__ import annotations

from typing import Final, Literal

from cxkit.capture.scope import current_scope
from cxkit.kit import Kit, current_kit
from cxkit.kit.here import unconfigured
from cxkit.web.markup import Html, element
from cxkit.web.paths import mounted
from cxkit.web.static import Static

__all__ = ["SCRIPT", "beacon_tag"]

SCRIPT: Final = Static(
    package="cxkit.web.beacon",
    name="cx.min.js",
    type="text/javascript",
    max_age_s=3600,
    headers=(("Access-Control-Allow-Origin", "*"), ("Cross-Origin-Resource-Policy", "cross-origin")),
)


def beacon_tag(
    *,
    route: str | None = None,
    views: Literal["changes", "all"] = "changes",
    nonce: str | None = None,
    integrity: bool = False,
) -> Html:
    """The HTML that loads the beacon, for the end of a page's head. The same for all visitors of a page.

    Args:
        route: The page's route as its template, never as the URL that was asked for; by default that of the
            request that is answered.
        views: ``all`` where pages come from a cache that the app does not see: the beacon then captures the
            first view, too.
        nonce: That of a content security policy which asks for one.
        integrity: Whether the browser is to check that the script is the one of this version: where it comes
            from another host.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder():
        ...     beacon_tag(route="/products/{sku}")  # doctest: +ELLIPSIS
        '<script src="/cx/cx.js?v=..." defer data-route="/products/{sku}" data-before="send"></script>'
    """
    scope = current_scope()
    try:
        kit = current_kit()
        if scope is not None:
            scope.enrich()
    except Exception as error:  # noqa: BLE001 - the guest's promise
        unconfigured(error)
        return Html()
    if not kit.settings.web.mount:
        return Html()
    page, prefix = None if scope is None else scope.context.page, kit.settings.web.cookie_prefix
    attributes: dict[str, str | bool | None] = {
        "src": f"{mounted(kit, None if scope is None else scope.facts, '/cx.js')}?v={SCRIPT.version}",
        "defer": True,
        "data_route": route or (None if page is None else page.route),
        "data_before": _before(kit),
        "data_cookie": None if prefix == "cxkit" else f"{prefix}_consent",
        "data_views": "all" if views == "all" else None,
        "nonce": nonce,
        "integrity": SCRIPT.integrity if integrity else None,
        "crossorigin": "anonymous" if integrity else None,
    }
    return Html(element("script", **attributes))


def _before(kit: Kit) -> str:
    """What the beacon does before a choice. Where the region decides, it is what is right in all of them."""
    before = kit.settings.consent.before_choice
    if before == "anonymise" or (not kit.desk.regional and "analytics" in kit.desk.policy.granted):
        return "send"
    return before
