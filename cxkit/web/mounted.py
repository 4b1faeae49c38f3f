"""What cxkit itself answers at its endpoints, whatever server and framework asked it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cxkit.model import Facts
from cxkit.roles import Endpoint, Reply
from cxkit.web.site import Site

if TYPE_CHECKING:
    from cxkit.web.visit import Visit

__all__ = ["PATIENCE_S", "TOO_LONG", "TOO_SLOW", "UNREADABLE", "answer", "answered", "as_sent", "refused"]

PATIENCE_S: Final = 10.0
"""How long to wait for a body that is announced."""
_NO_STORE: Final = ("Cache-Control", "no-store")
UNREADABLE: Final = Reply(status=400, headers=(_NO_STORE,))
TOO_SLOW: Final = Reply(status=408, headers=(_NO_STORE,))
TOO_LONG: Final = Reply(status=413, headers=(_NO_STORE,))
_ENDLESS: Final = Reply(status=411, headers=(_NO_STORE,))
_FAILED: Final = Reply(status=500, headers=(_NO_STORE,))
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
"""What a header may be called and say (RFC 9110, section 5); of anything else each server makes something else."""


def answer(
    visit: Visit, endpoint: Endpoint, read: Callable[[int], bytes] | None
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """The whole of what is answered, where the body can be read at once; the visit is over then.

    How long to wait for the body is the server's to say: reading cannot be broken off here.

    Args:
        visit: Of the request.
        endpoint: What is mounted there.
        read: Reads so many bytes of the body at most; None where its end could not be known.

    Returns:
        The status, the headers and the body.
    """
    try:
        reply = refused(endpoint, visit.facts)
        if reply is None:
            body = _body(visit.facts, read, at_most=endpoint.max_body_bytes)
            reply = body if isinstance(body, Reply) else answered(visit.site, endpoint, visit.facts, body)
        status, headers, sent = as_sent(visit.site, reply, visit.facts)
        return status, list(visit.begin(status, headers)), sent
    finally:
        visit.close()


def _body(facts: Facts, read: Callable[[int], bytes] | None, *, at_most: int) -> bytes | Reply:
    """The request's body; what to answer if it is too long, breaks off or does not come."""
    if read is None:
        return _ENDLESS
    announced = facts.headers.get("content-length")
    wanted = int(announced) if announced else at_most + 1
    body = b""
    try:
        while len(body) < wanted and (piece := read(wanted - len(body))):
            body += piece
    except TimeoutError:
        return TOO_SLOW
    except Exception:  # noqa: BLE001 - each server has errors of its own for what is not whole
        return UNREADABLE
    if announced and len(body) < wanted:  # gone before the end of it
        return UNREADABLE
    return TOO_LONG if len(body) > at_most else body


def refused(endpoint: Endpoint, facts: Facts) -> Reply | None:
    """What to answer before the body is read; None: read it.

    An encoded body is refused, so that no few bytes can become many.
    """
    methods = {*endpoint.methods, "HEAD"} if "GET" in endpoint.methods else endpoint.methods
    if facts.method not in methods:
        return Reply(status=405, headers=(_NO_STORE, ("Allow", ", ".join(sorted(methods)))))
    if facts.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return Reply(status=415, headers=(_NO_STORE, ("Accept-Encoding", "identity")))
    announced = facts.headers.get("content-length", "0").strip()
    if not (announced.isascii() and announced.isdigit()):
        return UNREADABLE
    return TOO_LONG if len(announced) > 12 or int(announced) > endpoint.max_body_bytes else None


def answered(site: Site, endpoint: Endpoint, facts: Facts, body: bytes) -> Reply:
    """What the endpoint answers; where it fails, that and no more is told."""
    try:
        return endpoint.handle(facts, body)
    except Exception as error:  # noqa: BLE001 - a channel is a stranger's code, and nobody is to read of its insides
        site.failed(error)
        return _FAILED


def as_sent(site: Site, reply: Reply, facts: Facts) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Its status, its headers and its body, as they go over the wire; where one of the headers is none, a failure."""
    try:
        headers = [_header(name, value) for name, value in reply.headers]
    except Exception as error:  # noqa: BLE001 - as in `answered`
        site.failed(error)
        return as_sent(site, _FAILED, facts)
    if reply.status >= 200 and reply.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(reply.body)))
    return reply.status, headers, b"" if facts.method == "HEAD" else reply.body


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
        raise ValueError("an endpoint answers with a header that is none")
    return name.lower().encode(), value.encode("latin-1")
