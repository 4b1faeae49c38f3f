"""Cases of our own, kept as JSON so that another implementation can be held to them; see README.md beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "vectors"


def vectors(name: str) -> Any:
    """Those in `NAME.json`."""
    return json.loads((_FOLDER / f"{name}.json").read_text())
