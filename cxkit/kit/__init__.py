"""The kit: the composition root. It wires the rooms and holds no rule of its own.

``kit`` is the kit itself, ``assembly`` how its parts are built, ``default`` the one that is used
where none is named.
"""

from __future__ import annotations

from cxkit.kit.default import current_kit, default_kit, install
from cxkit.kit.kit import Kit

__all__ = ["Kit", "current_kit", "default_kit", "install"]
