"""``python -m cxkit.cli``: the command ``cxkit``, where it is not on the path."""

from __future__ import annotations

from cxkit.cli import main

main()
