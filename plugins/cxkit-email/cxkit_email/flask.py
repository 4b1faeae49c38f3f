"""For Flask-Mail, and what is made like it (Flask-Mailman has Django's): a message to one recipient, prepared."""

from __future__ import annotations

import copy
from typing import Any

import cxkit
from cxkit_email.addresses import only
from cxkit_email.prepare import PreparedHtml, prepare_html
from cxkit_email.sending import refused

__all__ = ["send"]


def send(
    connection: Any, message: Any, *, topic: str, campaign: str | None = None
) -> PreparedHtml | cxkit.Blocked | cxkit.Deferred:
    """Prepare a ``flask_mail.Message``, and hand it over. Inside ``with mail.connect() as connection:``.

    Args:
        connection: Of ``flask_mail.Mail.connect()``.
        message: To one recipient. It stays as it is.
        topic: As for `cxkit_email.prepare`; likewise campaign.

    Returns:
        What was sent; or why not, or not before when.

    Raises:
        InvalidInteractionError: It has several recipients, or a word is wrong.
        Exception: Whatever the connection raises, once it was told.
    """
    answer = prepare_html(message.html, only(message.send_to), topic=topic, campaign=campaign)
    if not isinstance(answer, PreparedHtml):
        return answer
    ours = copy.copy(message)
    ours.alts = dict(message.alts)  # where Flask-Mail keeps the HTML
    ours.html = answer.html
    headers = answer.added_to(message.extra_headers or {})
    ours.msgId = headers.pop("Message-ID", message.msgId)
    ours.extra_headers = headers
    try:
        connection.send(ours, envelope_from=answer.sender)
    except Exception as error:
        refused(answer, error)
        raise
    answer.sent()
    return answer
