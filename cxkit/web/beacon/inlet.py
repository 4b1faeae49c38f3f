"""Where the beacon sends what it measured.

What it sends is what anybody could send, so it is no evidence of anything: who it is from the server
knows by its own cookies, what they allow likewise, and both are decided before the body is read. A
body can only say less than that: it can object, never allow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from cxkit.api.touchpoints import touchpoints
from cxkit.capture.gate import prepare
from cxkit.capture.scope import Scope, current_scope
from cxkit.capture.stamp import moment
from cxkit.errors import CXError
from cxkit.model import Facts, Identity, Page, TouchpointSpec
from cxkit.roles import Confirming, Endpoint, Reply
from cxkit.rules.consent import BeforeChoice, later
from cxkit.rules.measure.pages import MEASURED
from cxkit.web.beacon.claims import Claim, Envelope, read_claim, read_envelope
from cxkit.web.beacon.tag import SCRIPT
from cxkit.web.beside import aside
from cxkit.web.limits import Rate, Recent
from cxkit.web.origin import same_origin
from cxkit.web.paths import is_template, pattern_of

if TYPE_CHECKING:
    from cxkit.web.site import Site

__all__ = ["beacon_endpoints"]

_MAX_EVENTS: Final = 100
_AHEAD_MS: Final = 60_000
_ON_THE_WAY_US: Final = 10_000_000
"""What a call may take to get here, where the two clocks agree."""
_COOKIE_PRECISION: Final = timedelta(seconds=1)
"""It knows the second in which a choice was made: all of that second counts as before it."""
_TYPES: Final = re.compile(r"(?:text/plain|application/json)\s*(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)
_NO_STORE: Final = ("Cache-Control", "no-store")


def beacon_endpoints(site: Site) -> Sequence[Endpoint]:
    """The script, and where it sends to."""
    inlet = _Inlet(site)
    return (
        Endpoint(path="/cx.js", methods=frozenset({"GET"}), handle=SCRIPT.serve, waits=False),
        Endpoint(path="/i", methods=frozenset({"POST", "OPTIONS"}), handle=inlet.handle, waits=False),
    )


class _Inlet:
    """Where the beacon sends to.

    Args:
        site: Whose settings hold, and whose kit captures.
    """

    def __init__(self, site: Site) -> None:
        kit, web = site.kit, site.settings
        self._site = site
        self._kit = kit
        self._origins = frozenset(web.origins)
        self._touchpoints = frozenset(web.beacon_touchpoints) - MEASURED.keys()
        self._routes = [(pattern_of(one), one) for one in web.routes]
        self._rate = Rate(web.beacon_per_minute)
        self._recent = Recent()
        self._max_age_ms = int(kit.settings.spool.max_age_s * 1000)

    def handle(self, facts: Facts, body: bytes) -> Reply:
        """Refuse, or capture what may be captured and say nothing about it."""
        if not same_origin(facts, allowed=self._origins):
            return self._refused(403, "beacon_foreign")
        headers = self._shared_with(facts)
        if facts.method == "OPTIONS":
            asked = (("Access-Control-Allow-Methods", "POST"), ("Access-Control-Allow-Headers", "content-type"))
            return Reply(headers=(*headers, *asked, ("Access-Control-Max-Age", "3600")))
        if not _TYPES.fullmatch(facts.headers.get("content-type", "").strip()):
            return self._refused(415, "beacon_unreadable", headers)
        if not self._rate.allows(facts.client_ip):
            return self._refused(429, "beacon_limited", (*headers, ("Retry-After", "60")))
        try:
            envelope = read_envelope(body)
        except ValueError:
            return self._refused(400, "beacon_unreadable", headers)
        self._rate.charge(facts.client_ip, max(1, len(envelope.events)) - 1)
        if len(envelope.events) > _MAX_EVENTS:
            return self._refused(413, "beacon_unreadable", headers)
        scope = current_scope()
        if scope is not None:
            if not same_origin(facts):  # within one site, a browser brings cookies from there all the same
                scope.change(identity=Identity())
            if self._receive(scope, envelope):
                self._confirm(facts)
        return Reply(headers=headers)

    def _refused(self, status: int, name: str, headers: tuple[tuple[str, str], ...] = (_NO_STORE,)) -> Reply:
        self._kit.intake.count(name)
        return Reply(status=status, headers=headers)

    def _shared_with(self, facts: Facts) -> tuple[tuple[str, str], ...]:
        """Where the origin is one of those allowed: that its page may see the answer; nobody is recognised by it."""
        if not self._origins:
            return (_NO_STORE,)
        origin = facts.headers.get("origin")
        allow = (("Access-Control-Allow-Origin", origin),) if origin in self._origins and origin is not None else ()
        return (_NO_STORE, *allow, ("Vary", "Origin"))

    # --- what is in it ---

    def _receive(self, scope: Scope, envelope: Envelope) -> bool:
        """Capture it; whether somebody used the page who allows that this is known."""
        if envelope.gpc and not scope.gpc:
            scope.gpc = True
            self._kit.desk.govern(scope)
        scope.enrich()
        if scope.machine:
            self._drop("beacon_robot", len(envelope.events))
            return False
        used = False
        now_us = self._kit.intake.stamper.time_ns() // 1000
        for event in envelope.events:
            claim = read_claim(event)
            if claim is None:
                self._drop("beacon_refused")
            else:
                used = self._capture(scope, envelope, claim, now_us) or used
        return used

    def _confirm(self, facts: Facts) -> None:
        """Tell the channels whose link led to this page that somebody uses it: by the address that the browser says."""
        for channel, marked in self._site.marks(facts.headers.get("referer", "").partition("?")[2]):
            if isinstance(channel, Confirming) and not aside(partial(self._tell, channel, marked)):
                self._kit.intake.count("beacon_unconfirmed")

    def _tell(self, channel: Confirming, marked: str) -> None:
        try:
            channel.confirmed(marked)
        except Exception as error:  # noqa: BLE001 - a channel is a stranger's code, and its store may be away
            self._kit.intake.fault("beacon_unconfirmed", "that somebody used a page is not kept", error)

    def _capture(self, scope: Scope, envelope: Envelope, claim: Claim, now_us: int) -> bool:
        spec, properties = self._declared(claim)
        if spec is None:
            return False
        tail = self._kit.desk.keyring.identifier_key("beacon", claim.id)[:8]
        if self._recent.again(tail):
            self._kit.intake.count("beacon_repeated")
            return False
        known = scope.context
        child = scope.child(
            context={
                "page": Page(route=self._route(claim), engaged_ms=claim.engaged_ms),
                "locale": known.locale or envelope.locale,
                "timezone": known.timezone or envelope.zone,
            }
        )
        try:
            stamp = self._stamp(envelope, claim, now_us, tail)
            self._as_of(child, _at_the_earliest(stamp[1], claim), spec)
            self._kit.intake.capture(child, spec, properties, stamp=stamp)
            return claim.used and "analytics" in child.allowed.granted
        except CXError:  # in strict mode: a stranger's mistake is not the app's
            self._drop("beacon_refused")
            return False
        finally:
            child.close()

    def _as_of(self, child: Scope, at: datetime, spec: TouchpointSpec) -> None:
        """Leave out what was granted since: what a page held in its memory is not theirs who allowed it only later.

        It has waited for a choice as long as it had to, so now it is kept, without an identifier; not if the policy
        keeps nothing of before a choice.
        """
        chosen, desk = later(child.choices, child.recalled), self._kit.desk
        exact = child.recalled.items()
        then = {
            purpose: (choice, made)
            for purpose, (choice, made) in chosen.items()
            if choice == "denied" or (made if (purpose, (choice, made)) in exact else made + _COOKIE_PRECISION) <= at
        }
        if len(then) == len(chosen):
            return
        child.choices, child.recalled = then, {}
        desk.govern(child)
        if not child.allowed.recognise:
            child.change(identity=Identity())
        before: BeforeChoice = "drop" if self._kit.settings.consent.before_choice == "drop" else "anonymise"
        child.prepared[spec.name] = prepare(spec, child, source=desk.source, before_choice=before, subject=desk.subject)

    def _declared(self, claim: Claim) -> tuple[TouchpointSpec | None, object]:
        """The touchpoint and its properties; none, and a count, where there is none or they do not fit."""
        spec = MEASURED.get(claim.name)
        if spec is not None:
            return spec, claim.properties
        if claim.name not in self._touchpoints:
            self._drop("beacon_refused")
            return None, None
        touchpoint = touchpoints.get(claim.name)
        if touchpoint is None:
            self._drop("beacon_undeclared")
            return None, None
        try:
            shape: Any = touchpoint.shape or dict
            return touchpoint.spec, shape(**claim.properties)
        except Exception:  # noqa: BLE001 - the app's own shape may raise anything
            self._drop("beacon_refused")
            return None, None

    def _route(self, claim: Claim) -> str | None:
        """The template: as the tag had it, else the first that fits the path, which itself is not kept."""
        if claim.route is not None and is_template(claim.route):
            return claim.route
        path = unquote(claim.path or claim.route or "")
        return next((template for pattern, template in self._routes if pattern.fullmatch(path)), None)

    def _stamp(self, envelope: Envelope, claim: Claim, now_us: int, tail: bytes) -> tuple[str, int]:
        """When it happened by this server's clock, and an id that is the same each time it is sent.

        How long ago is the difference between two times of one clock, so it does not matter how wrong that is.
        """
        age_ms = min(max(0, int(envelope.sent - claim.at)), self._max_age_ms)
        us = now_us - age_ms * 1000
        said_us = int(claim.at) * 1000
        believable = now_us - self._max_age_ms * 1000 <= said_us <= now_us + _AHEAD_MS * 1000
        id, _ = self._kit.intake.stamper.stamp_past(said_us if believable else us, tail)
        return id, us

    def _drop(self, reason: str, count: int = 1) -> None:
        self._kit.intake.dropped[reason] += count


def _at_the_earliest(us: int, claim: Claim) -> datetime:
    """What a call takes to get here makes an event seem later than it was; a browser's clock that is right tells."""
    said_us = int(claim.at) * 1000
    return moment(said_us if 0 <= us - said_us <= _ON_THE_WAY_US else us)
