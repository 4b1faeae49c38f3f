r"""What type of device a user agent speaks of, by its words alone: no list of models, so the rare ones are missed.

The words are in ``lists/types.tsv``: type, text, and where that does not do, the pattern that needs it; those of
devices that say they are a telephone, too, come first. They are ours: Matomo's tests showed which were missing.
"""

from __future__ import annotations

import re
from typing import Final

from cxkit_device.words import Words, lines

__all__ = ["FORM_FACTORS", "TOUCHED", "DeviceTypes"]

FORM_FACTORS: Final = {
    "Automotive": "car", "XR": "xr", "EInk": "ereader", "Watch": "watch", "Tablet": "tablet", "Mobile": "phone",
    "Desktop": "desktop",
}  # fmt: skip
"""What ``Sec-CH-UA-Form-Factors`` may say, what tells most first."""
TOUCHED: Final = frozenset(["phone", "tablet", "watch", "ereader"])
_PLAIN: Final = re.compile(
    r"mozilla/5\.0 \((?:windows nt 10\.0; win64; x64|macintosh; intel mac os x [0-9_.]+|x11; linux x86_64)"
    r"(?:; rv:[0-9.]+)?\) (?:applewebkit/[0-9.]+ \(khtml, like gecko\) |gecko/[0-9]+ )?"
    r"(?:(?:chrome|version|safari|firefox|edg|opr|vivaldi)/[0-9.]+ ?)+"
)
"""Most desktops that come: told at once."""
_STACK: Final = Words(["dalvik/", "okhttp", "cfnetwork/"])


class DeviceTypes:
    """Tells the type of a device by the words of a user agent."""

    def __init__(self) -> None:
        found: dict[str, list[str]] = {}
        for line in lines("types.tsv"):
            named, _, word = line.partition("\t")
            found.setdefault(named, []).append(word)
        self._words = {named: Words(words) for named, words in found.items()}
        self._desktop = self._words.pop("desktop")

    def of(self, agent: str) -> str | None:
        """Its type, one word, like ``phone``; None: the words do not tell.

        Args:
            agent: A user agent in lower case, cut short.

        Example:
            >>> chrome = "mozilla/5.0 (linux; android 10; k) applewebkit/537.36 (khtml, like gecko) chrome/130"
            >>> types = DeviceTypes()
            >>> types.of(f"{chrome} mobile safari/537.36"), types.of(f"{chrome} safari/537.36"), types.of("curl/8.5.0")
            ('phone', 'tablet', None)
        """
        if _PLAIN.fullmatch(agent) is not None:
            return "desktop"
        for named, words in self._words.items():
            if words.within(agent):
                return named
        if "android" in agent:  # browsers of telephones say that they are mobile; what apps call with says nothing
            return None if _STACK.within(agent) else "tablet"
        return "desktop" if self._desktop.within(agent) else None
