"""cxkit for e-mail: personalise what is sent, know what became of it, respect every choice.

``prepare`` makes what goes to one recipient; ``sending`` hands it to a server, ``django`` and ``flask`` to a
framework's own. What becomes of it later comes in by itself: opened, followed, left (``channel``, ``endpoints``, judged
by ``verdict``), reported by providers (``webhooks``), or by mail (``inbound``).
"""

from __future__ import annotations

from cxkit_email.prepare import Prepared, PreparedHtml, prepare, prepare_html
from cxkit_email.receive import receive

__all__ = ["Prepared", "PreparedHtml", "prepare", "prepare_html", "receive"]
