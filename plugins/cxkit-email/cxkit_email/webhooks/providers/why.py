"""Why a message bounced, of what a provider calls it and what the other server wrote."""

from __future__ import annotations

import attrs

from cxkit.model.message import Bounce, BounceReason
from cxkit_email.inbound.reasons import bounce

__all__ = ["because"]


def because(
    *,
    exact: BounceReason | None = None,
    vague: BounceReason = "other",
    status: str | None = None,
    smtp: int | None = None,
    text: str | None = None,
) -> Bounce:
    """The bounce.

    Args:
        exact: What the provider says, where it says exactly that.
        vague: What it says where it knows no more than that a bounce is a hard one: the other server says it better.
        status: The enhanced status code that it tells.
        smtp: The code of the reply, likewise.
        text: What the other server wrote.

    Example:
        >>> because(vague="user_unknown", text="smtp; 550 5.7.1 not from you").kind
        'block'
        >>> because(exact="mailbox_full", text="smtp; 550 5.7.1 not from you").reason
        'mailbox_full'
    """
    found = bounce(status, text or "")
    reason = exact or (vague if found.reason == "other" else found.reason)
    return attrs.evolve(found, reason=reason, smtp=smtp if found.smtp is None and _is_reply(smtp) else found.smtp)


def _is_reply(smtp: int | None) -> bool:
    """Whether it is a code of RFC 5321: providers have some of their own, such as 605."""
    return smtp is not None and 200 <= smtp <= 599
