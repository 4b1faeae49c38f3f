"""The kit: the composition root. It wires the rooms and holds no rule of its own.

``kit`` is the kit itself, ``assembly`` how its parts are built, ``starter`` when its engine starts in
a process, ``default`` the kit that is used where none is named, ``here`` who acts for the scope that is
current, ``examination`` what a kit would not start for. Whoever only declares touchpoints imports neither
the kit nor what it wires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxkit.kit.default import current_kit, default_kit, install, use_by_default
from cxkit.kit.here import noted, place_here

if TYPE_CHECKING:
    from cxkit.kit.examination import examined
    from cxkit.kit.kit import Kit

__all__ = ["Kit", "current_kit", "default_kit", "examined", "install", "noted", "place_here", "use_by_default"]


def __getattr__(name: str) -> object:
    if name == "examined":
        from cxkit.kit.examination import examined

        return examined
    if name == "Kit":
        from cxkit.kit.kit import Kit

        return Kit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
