"""What is served of the beacon, made of its source; ``python -m tests.web.minified`` writes it."""

from __future__ import annotations

from pathlib import Path

import minify

STATIC = Path(__file__).parents[2] / "cxkit" / "web" / "beacon"
SOURCE, SERVED = STATIC / "cx.js", STATIC / "cx.min.js"


def minified(source: str) -> str:
    """The same script with short names and no more spaces than it needs."""
    return str(minify.string("text/javascript", source))


if __name__ == "__main__":
    SERVED.write_text(minified(SOURCE.read_text("utf-8")), "utf-8")
