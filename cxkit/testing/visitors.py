"""Visitors for a test client of any framework: the cookies that somebody who chose already would send."""

from __future__ import annotations

from collections.abc import Iterable

from cxkit.kit import Kit
from cxkit.model import PURPOSES, Facts, Identity
from cxkit.web.site import Site
from cxkit.web.visit import Visit

__all__ = ["visitor_cookies"]


def visitor_cookies(
    kit: Kit, *, allows: Iterable[str] = (), refuses: Iterable[str] = (), secure: bool = False
) -> dict[str, str]:
    """The cookies of one more visitor, as this kit would have set them; nothing is captured or stored.

    Args:
        kit: That of the middleware; in a test the recorder's, ``cx.kit``.
        allows: The purposes the visitor allowed.
        refuses: Those refused.
        secure: Whether they come over https, where the cookies have other names.

    Returns:
        Name to value. Who allowed nothing that needs one has no visitor cookie.

    Raises:
        ValueError: A purpose that cxkit does not know, or one both allowed and refused.

    Example:
        >>> from cxkit.testing import recorder
        >>> with recorder() as record:
        ...     sorted(visitor_cookies(record.kit, allows=["analytics"]))
        ['cxkit_consent', 'cxkit_visitor']
    """
    allowed, refused = frozenset(allows), frozenset(refuses)
    wrong = (allowed | refused) - set(PURPOSES) | (allowed & refused)
    if wrong:
        raise ValueError(f"no purpose, or allowed and refused at once: {', '.join(sorted(wrong))}")
    facts = Facts(method="GET", scheme="https" if secure else "http", host=None, path="/", headers={})
    visit = Visit(Site(kit), facts)
    try:
        scope, now = visit.scope, kit.desk.intake.stamper.now()
        scope.choices = {one: ("granted" if one in allowed else "denied", now) for one in allowed | refused}
        kit.desk.govern(scope)
        if scope.allowed.recognise and scope.issue_visitor is not None:
            scope.change(identity=Identity(identifiers=(scope.issue_visitor(),)))
        set_cookies = [value.decode() for name, value in visit.begin(200, []) if name == b"set-cookie"]
    finally:
        visit.leave()
    return dict(one.partition(";")[0].split("=", 1) for one in set_cookies)
