"""Client hints: what a browser says of itself in headers of their own, besides the user agent.

Sources: User-Agent Client Hints (WICG), User Preference Media Features Client Hints Headers (WICG), Responsive Image
Client Hints (WICG), Save Data API (WICG).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeVar

import attrs

from cxkit_device.structured import MAX_CHARS, item, members

__all__ = ["FORM", "HEADERS", "Hints", "read"]

HEADERS: Final = (
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-ch-ua-platform-version",
    "sec-ch-ua-form-factors",
    "sec-ch-viewport-width",
    "viewport-width",
    "sec-ch-prefers-color-scheme",
    "sec-ch-prefers-reduced-motion",
    "save-data",
)
"""Those that are read; the first three come unasked from browsers that know them at all."""
FORM: Final = (
    "Sec-CH-Viewport-Width",
    "Sec-CH-Prefers-Color-Scheme",
    "Sec-CH-Prefers-Reduced-Motion",
    "Sec-CH-UA-Form-Factors",
)
"""What to ask for so as to know the form of a page; a value for the setting ``web.accept_ch``."""

_GREASE: Final = "notabrand"
"""What is left of those that are there to be dropped, whatever stands between the letters."""
_MAJOR: Final = re.compile(r"([0-9]{1,4})(?:\.|$)")
_MAJOR_MINOR: Final = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.|$)")
_WIDEST: Final = 32_767

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Hints:
    """What the hints say; None and empty: nothing."""

    brands: Mapping[str, int | None] = attrs.field(factory=dict)
    """Name to its major version, without those that are there to be dropped (GREASE)."""
    mobile: bool | None = None
    platform: str | None = None
    platform_version: tuple[int, int] | None = None
    """Major and minor."""
    form_factors: tuple[str, ...] = ()
    viewport: int | None = None
    color_scheme: Literal["light", "dark"] | None = None
    reduced_motion: bool | None = None
    save_data: bool | None = None

    @property
    def headless(self) -> bool:
        """Whether nobody sees what the browser shows."""
        return "HeadlessChrome" in self.brands


_NONE: Final = Hints()


def read(said: Mapping[str, str]) -> Hints:
    """What these headers, by their names, say; a malformed one says nothing.

    Example:
        >>> read({"sec-ch-ua": '"Not?A_Brand";v="8", "Google Chrome";v="130"', "sec-ch-ua-mobile": "?1"}).brands
        {'Google Chrome': 130}
    """
    if not said:
        return _NONE
    width = _of(said, "sec-ch-viewport-width", int) or _of(said, "viewport-width", int)
    return Hints(
        brands=_brands(said.get("sec-ch-ua", "")),
        mobile=_of(said, "sec-ch-ua-mobile", bool),
        platform=_of(said, "sec-ch-ua-platform", str),
        platform_version=_version(_of(said, "sec-ch-ua-platform-version", str)),
        form_factors=tuple(one for one, _ in members(said.get("sec-ch-ua-form-factors", "")) if isinstance(one, str)),
        viewport=width if width is not None and 0 < width <= _WIDEST else None,
        color_scheme={"light": "light", "dark": "dark"}.get(_of(said, "sec-ch-prefers-color-scheme", str) or ""),  # type: ignore[arg-type]
        reduced_motion={"reduce": True, "no-preference": False}.get(
            _of(said, "sec-ch-prefers-reduced-motion", str) or ""
        ),
        save_data={"on": True, True: True, "off": False, False: False}.get(_bare(said, "save-data")),
    )


def _bare(said: Mapping[str, str], name: str) -> object:
    text = said.get(name)
    return None if text is None or len(text) > MAX_CHARS else item(text)


def _of(said: Mapping[str, str], name: str, kind: type[_T]) -> _T | None:
    found = _bare(said, name)
    return found if type(found) is kind else None


def _brands(text: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for name, about in members(text):
        if isinstance(name, str) and "".join(filter(str.isalnum, name)).lower() != _GREASE:
            major = _MAJOR.match(str(about.get("v", "")))
            found[name] = int(major[1]) if major else None
    return found


def _version(text: str | None) -> tuple[int, int] | None:
    found = _MAJOR_MINOR.match(text or "")
    return (int(found[1]), int(found[2] or 0)) if found else None
