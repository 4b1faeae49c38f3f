"""What each provider tells, in our words; one file each.

A reader gets the JSON and yields a report for each part of it, and None for a part that nobody can make sense of. It
raises on nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from cxkit.model.message import Report
from cxkit_email.webhooks.providers import brevo, mailgun, postmark, sendgrid, ses
from cxkit_email.webhooks.told import decoded

__all__ = ["PROVIDERS", "Parsed", "Provider", "parse"]


@attrs.frozen(kw_only=True)
class Provider:
    """How one of them is believed, read, and asked to tell our send's id with each report."""

    scheme: str | None
    """Of the table of schemes; None: notifications of Amazon SNS."""
    read: Callable[[object, str | None], Iterator[Report | None]]
    """From the JSON, and the id of the request that was verified."""
    header: str
    """Of a message sent by way of SMTP: what has the id returned."""
    form: str
    """Its value, with ``{send}`` for the id."""

    def asking(self, send: str) -> tuple[str, str]:
        """The header that has a send's id returned with each report.

        Example:
            >>> PROVIDERS["postmark"].asking("0f" * 16)
            ('X-PM-Metadata-cx_send', '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f')
        """
        return self.header, self.form.replace("{send}", send)


_OBJECT: Final = '{"cx_send":"{send}"}'
PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({
    "brevo": Provider(scheme="secret", read=brevo.read, header="X-Mailin-custom", form=_OBJECT),
    "mailgun": Provider(scheme="mailgun", read=mailgun.read, header="X-Mailgun-Variables", form=_OBJECT),
    "postmark": Provider(scheme="secret", read=postmark.read, header="X-PM-Metadata-cx_send", form="{send}"),
    "sendgrid": Provider(
        scheme="sendgrid", read=sendgrid.read, header="X-SMTPAPI", form='{"unique_args":{"cx_send":"{send}"}}'
    ),
    "ses": Provider(scheme=None, read=ses.read, header="X-SES-MESSAGE-TAGS", form="cx_send={send}"),
})  # fmt: skip
"""Name to provider. SES returns its tags where a configuration set publishes the events; the header ``X-CX-Send``, too,
and there also where notifications include the original headers."""


@attrs.frozen(kw_only=True)
class Parsed:
    """What a request tells."""

    reports: tuple[Report, ...] = ()
    unreadable: int = 0
    """Parts that nobody can make sense of."""


def parse(provider: str, payload: bytes, id: str | None = None) -> Parsed | None:
    """What a provider tells; None where it is no JSON.

    A report without an id of the provider's own gets one of its content, so that a repetition is one.

    Args:
        provider: Its name.
        id: Of the request.

    Example:
        >>> told = b'{"event": "delivered", "email": "nancy@example.com", "ts_epoch": 1604933623000}'
        >>> (report,) = parse("brevo", told).reports
        >>> report.happened, report.at.year
        ('delivered', 2020)
    """
    if provider == "ses" and payload == ses.VALIDATED:
        return Parsed()
    said = decoded(payload)
    if said is None:
        return None
    found = [*PROVIDERS[provider].read(said, id)]
    reports = [_numbered(one, payload, index) for index, one in enumerate(found) if one is not None]
    return Parsed(reports=tuple(reports), unreadable=found.count(None))


def _numbered(report: Report, payload: bytes, index: int) -> Report:
    if report.event_id is not None:
        return report
    digest = hashlib.blake2b(b"%d " % index + payload, digest_size=16).hexdigest()
    return attrs.evolve(report, event_id=digest)
