"""The endpoints that providers call: believe, read, hand over, and only then say that it was taken.

Nothing is told of the content before it is believed: whoever cannot sign learns neither whether it can be read nor
whether it came before. What is handed over is known again by whoever takes it, in any process; here the last few are
remembered besides, so that a provider that repeats itself costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

import attrs

from cxkit.errors import StoreError
from cxkit.kit import current_kit
from cxkit.model import Facts
from cxkit.model.message import Report
from cxkit.roles import Endpoint, Reply
from cxkit_email.receive import ours as ours_of
from cxkit_email.webhooks.providers import PROVIDERS, Parsed, parse
from cxkit_email.webhooks.schemes import SCHEMES
from cxkit_email.webhooks.settings import Webhook, check_name
from cxkit_email.webhooks.sns import Get, Notifications, over_https
from cxkit_email.webhooks.told import Told, decoded
from cxkit_email.webhooks.verify import Refused, Verified, checks_of, verify

__all__ = ["Happened", "Inlet", "Outside", "inlets"]

MAX_BODY_BYTES: Final = 1_048_576
MAX_MAIL_BYTES: Final = 36_700_160
"""35 MiB: what servers let through (25 MB of attachments, as base64)."""
_METHODS: Final = frozenset({"GET", "POST"})
_MOST: Final = 10_000
_NO_STORE: Final = ("Cache-Control", "no-store")
_STATUS: Final = {"unreachable": 503}
"""Why not, to status; the others are 401."""

Count = Callable[[str], None]
"""Counts under a name what went wrong, and what was repeated."""
Ours = Callable[[str], str | None]
"""Which message of ours an address names, or an id of a message or a token; None: none that we can be sure of."""
Once = Callable[[str, bytes, datetime], bool]
"""Whether nothing else was told under this id, which is taken until then. Raises StoreError."""
Believes = Callable[[Facts, bytes, float], Verified | Refused]


class Happened(Protocol):
    """Takes a report."""

    def __call__(self, report: Report, /, *, proven: bool) -> bool:
        """Whether it is new.

        Args:
            proven: Whether whoever tells it has shown who they are.

        Raises:
            StoreError: It is not kept: to be told again.
        """
        ...


def _reported(report: Report, /, *, proven: bool) -> bool:
    return current_kit().messages.reported(report, channel="email", proven=proven)


def _once(key: str, said: bytes, until: datetime) -> bool:
    return current_kit().messages.once(key, said, until=until)


def _counted(name: str) -> None:
    current_kit().intake.count(name)


def _ours(candidate: str) -> str | None:
    return ours_of(current_kit().desk.keyring, candidate)


@attrs.frozen(kw_only=True)
class Outside:
    """What an inlet asks of whatever is around it: the kit at hand, the clock, the network."""

    happened: Happened = _reported
    """What takes the reports."""
    count: Count = _counted
    """Under ``webhook_refused``, ``webhook_unreadable``, ``webhook_repeated`` and ``webhook_postponed``, each with
    ``.NAME``, and the first with ``.REASON`` besides."""
    ours: Ours = _ours
    """What of an inbound mail names a message of ours."""
    once: Once = _once
    """Asked of what is signed without its body."""
    now: Callable[[], float] = time.time
    get: Get | None = None
    """How Amazon's certificates are fetched."""


def inlets(webhooks: Mapping[str, Webhook], *, outside: Outside = Outside()) -> tuple[Endpoint, ...]:
    """The endpoints of all webhooks, each ``/webhooks/NAME`` below the mount.

    Args:
        webhooks: Name to settings.
        outside: What is around them.

    Raises:
        ConfigurationError: A name or a secret does not do.
        MissingDependencyError: A library is missing that checks signatures.
    """
    return tuple(
        endpoint for name, webhook in webhooks.items() for endpoint in Inlet(name, webhook, outside).endpoints()
    )


class Inlet:
    """Where one provider calls.

    Args:
        name: Of the webhook.
        webhook: Its settings.
        outside: What is around it.

    Raises:
        ConfigurationError: The name or a secret does not do.
        MissingDependencyError: A library is missing that checks signatures.
    """

    def __init__(self, name: str, webhook: Webhook, outside: Outside) -> None:
        check_name(name)
        self._name = name
        self._most = MAX_MAIL_BYTES if webhook.type == "mail" else MAX_BODY_BYTES
        self._parse = _mail(outside.ours) if webhook.type == "mail" else partial(parse, webhook.type)
        # Who brings a mail may be known: who wrote it is not.
        self._proven = not webhook.insecure and webhook.type != "mail"
        scheme = _scheme_of(webhook.type)
        self._ends_with_secret = scheme == "secret"
        self._serves_once = scheme is not None and not SCHEMES[scheme].covers_body
        self._taken_for = timedelta(seconds=webhook.tolerance_s or (SCHEMES[scheme].tolerance_s if scheme else 0.0))
        self._outside = outside
        self._count = outside.count
        self._lately = _Lately()
        self._believes = _believes(f"email.webhooks.{name}", webhook, outside.get)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The one; where a secret may end the path, another for that."""
        paths = [f"/webhooks/{self._name}"]
        if self._ends_with_secret:
            paths.append(paths[0] + "/{secret}")
        return tuple(
            Endpoint(path=path, methods=_METHODS, handle=self.handle, max_body_bytes=self._most) for path in paths
        )

    def handle(self, facts: Facts, body: bytes) -> Reply:
        """Take what was posted; a GET asks only whether somebody is here."""
        if facts.method != "POST":
            return _reply(200)
        verified = self._believes(facts, body, self._outside.now())
        if isinstance(verified, Refused):
            self._count(f"webhook_refused.{self._name}.{verified.reason}")
            return _reply(_STATUS.get(verified.reason, 401))
        if not verified.payload:
            return _reply(200)
        if verified.id is not None and self._lately.has(verified.id):
            self._count(f"webhook_repeated.{self._name}")
            return _reply(200)
        parsed = self._parse(verified.payload, verified.id)
        if parsed is None:
            self._count(f"webhook_unreadable.{self._name}")
            return _reply(400)
        for _ in range(parsed.unreadable):
            self._count(f"webhook_unreadable.{self._name}")
        try:
            self._tell(parsed, verified, body)
        except StoreError:
            self._count(f"webhook_postponed.{self._name}")
            return _reply(503)
        return _reply(200)

    def _tell(self, parsed: Parsed, verified: Verified, body: bytes) -> None:
        """Hand over what is told, and remember it once it is kept."""
        if not self._first(verified, body):
            self._count(f"webhook_repeated.{self._name}")
            return
        for report in parsed.reports:
            self._take(report)
        if verified.id is not None:
            self._lately.add(verified.id)

    def _first(self, verified: Verified, body: bytes) -> bool:
        """Whether nobody told anything else by the same signature: one that covers no body serves for one only."""
        if not self._serves_once or verified.id is None or verified.at is None:
            return True
        return self._outside.once(verified.id, body, verified.at + self._taken_for)

    def _take(self, report: Report) -> None:
        """Hand it over, unless it just was; it is remembered only once it is kept."""
        key = f"report {report.event_id}"
        if self._lately.has(key) or not self._outside.happened(report, proven=self._proven):
            self._count(f"webhook_repeated.{self._name}")
        self._lately.add(key)


def _scheme_of(type: str) -> str | None:
    """None: notifications of Amazon SNS."""
    return "secret" if type == "mail" else PROVIDERS[type].scheme


def _mail(ours: Ours) -> Callable[[bytes, str | None], Parsed]:
    """Reads mails: any bytes are one."""
    from cxkit_email.inbound import classify

    return lambda raw, id: Parsed(reports=classify(raw, ours=ours).reports)


def _reply(status: int) -> Reply:
    return Reply(status=status, headers=(_NO_STORE, ("Retry-After", "60")) if status == 503 else (_NO_STORE,))


def _believes(where: str, webhook: Webhook, get: Get | None) -> Believes:
    """How a request is believed.

    Raises:
        ConfigurationError: A secret does not do.
        MissingDependencyError: A library is missing.
    """
    name = _scheme_of(webhook.type)
    if webhook.insecure:
        return _anybody if name is not None else _anybody_of_amazon
    if name is None:
        notifications = Notifications(webhook.topics, get=get or over_https(), where=where)
        return lambda facts, body, now: notifications.take(body, now=now)
    scheme = SCHEMES[name]
    if webhook.tolerance_s is not None:
        scheme = attrs.evolve(scheme, tolerance_s=webhook.tolerance_s)
    checks = checks_of(scheme, webhook.secrets, where=f"{where}.secrets")
    return lambda facts, body, now: verify(
        scheme, checks, headers=facts.headers, body=body, now=now, path=facts.path, method=facts.method
    )


def _anybody(facts: Facts, body: bytes, now: float) -> Verified:
    return Verified(payload=body)


def _anybody_of_amazon(facts: Facts, body: bytes, now: float) -> Verified:
    said = Told(decoded(body))
    message = said.text("Message", most=MAX_BODY_BYTES) if said.text("Type") == "Notification" else None
    return Verified(id=said.id("MessageId"), payload=(message or "").encode())


class _Lately:
    """The last 10,000 that were kept, in this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, None] = OrderedDict()
        self._guard = threading.Lock()

    def has(self, key: str) -> bool:
        with self._guard:
            return key in self._kept

    def add(self, key: str) -> None:
        with self._guard:
            self._kept[key] = None
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
