"""For Django: an e-mail backend before your own, django-anymail's among them.

In ``settings.py``, where ``backend`` is by default Django's own, of SMTP::

    MAILERS = {"default": {"BACKEND": "cxkit_email.django.EmailBackend", "OPTIONS": {"backend": "anymail..."}}}

Before Django 6.1::

    EMAIL_BACKEND = "cxkit_email.django.EmailBackend"
    CXKIT_EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"

A message with the header ``X-CX-Topic`` (and, if you like, ``X-CX-Campaign``) is prepared; both are taken off it. One
without is sent as it is. So is nobody's mail changed that does not ask for it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

from django import conf  # type: ignore[import-untyped]  # Django has no types
from django.core.mail.backends.base import BaseEmailBackend  # type: ignore[import-untyped]  # Django has no types
from django.utils.module_loading import import_string  # type: ignore[import-untyped]  # Django has no types

import cxkit
from cxkit_email.addresses import only
from cxkit_email.prepare import PreparedHtml, prepare_html
from cxkit_email.sending import refused

__all__ = ["EmailBackend"]

_SMTP: Final = "django.core.mail.backends.smtp.EmailBackend"
_TOPIC: Final = "X-CX-Topic"
_CAMPAIGN: Final = "X-CX-Campaign"


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # likewise
    """Prepares what has a topic, and hands it to another backend.

    What is blocked is not sent, and counted. What is deferred is not sent either: ``message.cx_deferred`` says until
    when, for whoever tries again.
    """

    def __init__(self, *args: Any, backend: str | None = None, **options: Any) -> None:
        super().__init__(**{name: value for name, value in options.items() if name == "alias"})
        self._inner = import_string(backend or getattr(conf.settings, "CXKIT_EMAIL_BACKEND", _SMTP))(*args, **options)

    def open(self) -> Any:
        """See the other backend."""
        return self._inner.open()

    def close(self) -> None:
        """See the other backend."""
        self._inner.close()

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """How many were sent.

        Raises:
            InvalidInteractionError: One with a topic has several recipients.
        """
        if not email_messages:
            return 0
        opened = self._inner.open()
        try:
            return sum(self._send(message) for message in email_messages)
        finally:
            if opened:
                self._inner.close()

    def _send(self, message: Any) -> int:
        headers = dict(message.extra_headers)
        topic, campaign = headers.pop(_TOPIC, None), headers.pop(_CAMPAIGN, None)
        if topic is None:
            return self._inner.send_messages([message]) or 0
        answer = prepare_html(_html(message), only(message.recipients()), topic=topic, campaign=campaign)
        if isinstance(answer, PreparedHtml):
            return self._hand_over(_with(message, answer, headers), answer)
        if isinstance(answer, cxkit.Deferred):
            message.cx_deferred = answer
        return 0

    def _hand_over(self, message: Any, prepared: PreparedHtml) -> int:
        try:
            sent = self._inner.send_messages([message]) or 0
        except Exception as error:
            refused(prepared, error)
            raise
        (prepared.sent if sent else prepared.failed)()
        return sent


def _html(message: Any) -> str | None:
    if message.content_subtype == "html":
        return str(message.body)
    return next((str(one[0]) for one in getattr(message, "alternatives", ()) if one[1] == "text/html"), None)


def _with(message: Any, prepared: PreparedHtml, headers: dict[str, str]) -> Any:
    """A copy, as it is to be sent."""
    ours = copy.copy(message)
    ours.extra_headers = prepared.added_to(headers)
    if message.content_subtype == "html":
        ours.body = prepared.html
    elif prepared.html is not None:
        ours.alternatives = [_replaced(one, prepared.html) for one in message.alternatives]
    if prepared.sender is not None:
        ours.extra_headers.setdefault("From", message.from_email)
        ours.from_email = ours.envelope_sender = prepared.sender  # the one for Django's own, the other for anymail's
    return ours


def _replaced(alternative: Any, html: str) -> Any:
    """Django has them as plain tuples, and later as named ones."""
    if alternative[1] != "text/html":
        return alternative
    return alternative._replace(content=html) if hasattr(alternative, "_replace") else (html, *alternative[1:])
