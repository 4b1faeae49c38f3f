"""What an answer, or the failure to get one, means for what was sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

import attrs

from cxkit.errors import AddressRefusedError, DeadlineError, TransportError

__all__ = ["MAX_RETRY_AFTER_S", "TLS_CODE", "Judgement", "Response", "judge", "retry_after_s"]

MAX_RETRY_AFTER_S: Final = 3600.0
TLS_CODE: Final = "CX5004"
"""The code of a `TransportError` for TLS that cannot be trusted."""


@attrs.frozen(kw_only=True)
class Response:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """The first 100, names in lower case; of equal names the last."""
    body: bytes = b""
    """As it came over the wire: a ``Content-Encoding`` is not undone."""
    truncated: bool = False
    """The body was longer than the transport reads."""


class Judgement(NamedTuple):
    """What an attempt came to, in the terms of an exporter's outcome: ``Outcome(**judgement._asdict())``."""

    verdict: Literal["delivered", "retry", "split", "pause"]
    reason: str
    retry_after_s: float | None = None


def judge(end: Response | TransportError) -> Judgement:
    """What the end of a request means for what was sent.

    ====================================  =========  ==============================================
    end                                   verdict    why
    ====================================  =========  ==============================================
    2xx                                   delivered
    408, 409, 425, 429, 5xx               retry      may pass by itself; 409: the same
                                                     ``Idempotency-Key`` is still being worked on
    400, 413, 422                         split      too large, or one of the batch is bad
    3xx and every other 4xx               pause      key, address or agreement must be mended
    TLS not trusted, address refused      pause      the same
    network failure, deadline             retry
    ====================================  =========  ==============================================

    Source: RFC 9110, section 15; RFC 6585, section 4; RFC 8470, section 5.2.

    Example:
        >>> judge(Response(status=503, headers={"retry-after": "7"}))
        Judgement(verdict='retry', reason='http_503', retry_after_s=7.0)
    """
    if isinstance(end, AddressRefusedError):
        return Judgement("pause", "address_refused")
    if isinstance(end, DeadlineError):
        return Judgement("retry", "deadline")
    if isinstance(end, TransportError):
        return Judgement("pause", "tls") if end.code == TLS_CODE else Judgement("retry", "network")
    reason = f"http_{end.status}"
    if 200 <= end.status < 300:
        return Judgement("delivered", "")
    if end.status >= 500 or end.status in (408, 409, 425, 429):
        return Judgement("retry", reason, retry_after_s(end.headers))
    return Judgement("split" if end.status in (400, 413, 422) else "pause", reason)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that ``Retry-After`` asks for, from 0 to 3600 seconds; None without a usable one.

    A date is compared with the answer's own ``Date`` if there is one: clocks differ.
    Source: RFC 9110, section 10.2.3.

    Example:
        >>> [retry_after_s({"retry-after": text}) for text in ("120", "1e9", "-5", "soon")]
        [120.0, 3600.0, None, None]
    """
    text = headers.get("retry-after", "").strip()[:64]
    try:
        wait_s = float(text)
    except ValueError:
        date = _http_date(text)
        if date is None:
            return None
        now = _http_date(headers.get("date", "")) or datetime.now(UTC)
        return min(max(0.0, (date - now).total_seconds()), MAX_RETRY_AFTER_S)
    return min(wait_s, MAX_RETRY_AFTER_S) if math.isfinite(wait_s) and wait_s >= 0 else None


def _http_date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text[:64])
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
