"""The one HTTP seam: every request that cxkit makes goes through `Transport`.

It promises what a plain client does not:

* The deadline is absolute. It covers the name look-up, the connection, TLS, and an answer that
  drips byte by byte. (A look-up cannot be interrupted: it is left behind in a daemon thread.)
* The answer is bounded: the body is cut, never decompressed; redirects are not followed; proxies
  named in the environment are ignored.
* The address is checked after the look-up, and the connection goes to that very address: no
  second look-up can answer something else.
* Credentials appear in no error and in no log: errors name ``scheme://host:port``, and the
  library underneath stays silent about our requests.
* A connection is used for 60 seconds at most (unless told otherwise), so that a changed DNS entry
  is noticed, and never by a forked child that inherited it.

`judge` says what an answer or a failure means for what was sent; exporters share it. Importing
this package imports neither httpcore nor ssl; the first request does.
"""

from __future__ import annotations

from cxkit.transport.answer import Judgement, Response, judge, retry_after_s
from cxkit.transport.client import Transport
from cxkit.transport.target import check_field, check_headers, is_public, origin_of, shown_request

__all__ = [
    "Judgement",
    "Response",
    "Transport",
    "check_field",
    "check_headers",
    "is_public",
    "judge",
    "origin_of",
    "retry_after_s",
    "shown_request",
]
