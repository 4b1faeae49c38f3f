"""How a middleware comes by the site of a request, and what is answered there."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from cxkit.capture.interruption import let_through
from cxkit.kit import Kit, current_kit
from cxkit.roles import Endpoint
from cxkit.web.beacon import beacon_endpoints
from cxkit.web.consent import consent_endpoints
from cxkit.web.gpc import gpc_endpoint
from cxkit.web.site import Site

__all__ = ["Sites"]

logger = logging.getLogger("cxkit")


class Sites:
    """How a middleware comes by the site of a request: that of its kit, else of the kit that is current.

    Args:
        kit: Whose; None: the one that is current when a request comes.
    """

    def __init__(self, kit: Kit | None = None) -> None:
        self._kit = kit
        self._last: Site | None = None
        self._warned = False

    def __call__(self) -> Site | None:
        """The site; None where cxkit cannot be configured, which is said once."""
        try:
            kit = self._kit or current_kit()
            if self._last is None or self._last.kit is not kit:
                self._last = Site(kit, answers=_answers)
        except Exception as error:  # noqa: BLE001 - the guest's promise: the app is served all the same
            let_through(error)
            if not self._warned:
                self._warned = True
                logger.error("cxkit: visits are not captured, for cxkit cannot be configured: %s", error)
            return None
        return self._last


def _answers(site: Site) -> Iterator[tuple[str, Endpoint]]:
    """Our own, then those of the plugins' channels; one that fails costs itself alone."""
    mount = site.settings.mount
    for endpoint in (*consent_endpoints(site), *beacon_endpoints(site)):
        yield mount, endpoint
    yield "", gpc_endpoint()
    for channel in site.kit.channels:
        try:
            endpoints = tuple(channel.endpoints())
        except Exception as error:  # noqa: BLE001 - the one guard around a stranger's code
            site.failed(error)
            continue
        for endpoint in endpoints:
            yield mount, endpoint
