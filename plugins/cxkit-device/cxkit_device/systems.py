"""Which system and which browser a user agent speaks of: the most of them, by their words alone.

What is frozen is not believed: ``Windows NT 10.0`` is Windows 10 or 11, ``Mac OS X 10_15_7`` any since,
``Android 10; K`` any Android, and from Safari 26 on the system in it is that of the year before.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["BRANDS", "PLATFORMS", "System", "browser_of", "os_of"]


class System(NamedTuple):
    """A system, or a browser, and its major version."""

    name: str
    version: str | None = None


_OSES: Final = tuple(
    (name, tuple(needed.split("|")), re.compile(words))
    for name, needed, words in (
        ("windows_phone", "windows phone|iemobile|wpdesktop", r"windows phone(?: os)? ?([0-9]+)?|iemobile|wpdesktop"),
        ("xbox", "xbox", r"\bxbox\b"),
        ("tizen", "tizen", r"tizen[ /]?([0-9]+)?"),
        ("webos", "web0s|webos|hpwos", r"web0s|webos|hpwos"),
        ("kaios", "kaios", r"kaios/([0-9]+)?"),
        ("harmonyos", "harmony", r"(?:open)?harmony(?:os)?[ /;]*([0-9]+)?"),
        ("playstation", "playstation", r"playstation"),
        ("nintendo", "nintendo", r"nintendo"),
        ("fire_os", "fire os|fireos", r"\bfire ?os[ /]([0-9]+)"),
        ("tvos", "apple tv|appletv|tvos", r"apple ?tv|tvos[ /]?([0-9]+)?"),
        ("watchos", "watchos|watch os", r"watch ?os[ /,]?([0-9]+)?"),
        ("visionos", "visionos", r"visionos[ /]?([0-9]+)?"),
        ("ios", "iphone|ipad|ipod|ios", r"(?:iphone|ipad|ipod)(?:.{0,40}? os ([0-9]+)_)?|\bios[ /]([0-9]+)?"),
        ("chromecast", "crkey", r"\bcrkey\b"),
        ("roku", "roku", r"\broku"),
        ("android", "android", r"\bandroid(?:[ /-]([0-9]+))?|android"),
        ("blackberry", "blackberry|bb10|rim tablet", r"blackberry|\bbb10\b|\brim tablet"),
        ("symbian", "symbian|symbos|series60|series 60|s60", r"symbi?an|series ?60|\bs60\b"),
        ("chromeos", "cros", r"\bcros\b"),
        ("windows", "win", r"windows nt ([0-9]+\.[0-9])|windows|win(?:64|32|9[58]|nt)\b"),
        ("macos", "mac", r"mac os x(?: ([0-9]+)[._]([0-9]+))?|macintosh|mac_powerpc|\bmacos\b"),
        ("freebsd", "freebsd", r"freebsd"),
        ("openbsd", "openbsd", r"openbsd"),
        ("linux", "linux|x11|ubuntu", r"linux|x11|ubuntu"),
    )
)
_WINDOWS: Final = {"6.0": "vista", "6.1": "7", "6.2": "8", "6.3": "8", "5.1": "xp", "5.2": "xp", "5.0": "2000"}
_BROWSERS: Final = tuple(
    (name, tuple(needed.split("|")), re.compile(words))
    for name, needed, words in (
        ("edge", "edg", r"\bedg(?:e|a|ios)?/([0-9]+)"),
        ("opera", "op", r"\b(?:opr|opios|opt|opx|opera mini|opera mobi)/([0-9]+)|^opera/"),
        ("samsung_internet", "samsungbrowser", r"samsungbrowser/([0-9]+)"),
        ("yandex", "yabrowser", r"yabrowser/([0-9]+)"),
        ("vivaldi", "vivaldi", r"vivaldi/([0-9]+)"),
        ("uc", "uc", r"\buc ?browser/?([0-9]+)|ucweb"),
        ("huawei", "huaweibrowser", r"huaweibrowser/([0-9]+)"),
        ("miui", "miuibrowser", r"miuibrowser/([0-9]+)"),
        ("silk", "silk", r"\bsilk/([0-9]+)"),
        ("whale", "whale", r"\bwhale/([0-9]+)"),
        ("duckduckgo", "ddg|duckduckgo", r"\b(?:ddg|duckduckgo)/([0-9]+)"),
        ("brave", "brave", r"\bbrave(?:/([0-9]+))?"),
        ("oculus", "oculusbrowser", r"oculusbrowser/([0-9]+)"),
        ("facebook", "fb", r"\bfb(?:an|av|_iab)\b(?:/([0-9]+))?"),
        ("instagram", "instagram", r"\binstagram (?:([0-9]+))?"),
        ("google_app", "gsa/", r"\bgsa/([0-9]+)"),
        ("firefox", "firefox|fxios|focus|klar|fennec", r"\b(?:firefox|fxios|focus|klar|fennec)/([0-9]+)"),
        ("webview", "; wv)", r"; wv\).{0,90}chrome/([0-9]+)"),
        ("chrome", "chrome|crios", r"\b(?:chrome|crios)/([0-9]+)"),
        ("chromium", "chromium", r"\bchromium/([0-9]+)"),
        ("safari", "safari", r"version/([0-9]{1,4})[^0-9].*safari/|safari/"),
        ("internet_explorer", "msie|trident", r"\bmsie ([0-9]+)|trident/.*rv:([0-9]+)"),
    )
)
PLATFORMS: Final = {
    "Windows": "windows", "macOS": "macos", "Android": "android", "iOS": "ios", "Linux": "linux",
    "Chrome OS": "chromeos", "Chromium OS": "chromeos", "Fuchsia": "fuchsia",
}  # fmt: skip
"""What ``Sec-CH-UA-Platform`` may say."""
BRANDS: Final = {
    "Microsoft Edge": "edge", "Microsoft Edge WebView2": "webview", "Opera": "opera", "Opera GX": "opera",
    "OperaMobile": "opera", "Opera Mini Android": "opera", "Brave": "brave", "Vivaldi": "vivaldi",
    "Samsung Internet": "samsung_internet", "YaBrowser": "yandex", "Yandex": "yandex", "Whale": "whale",
    "DuckDuckGo": "duckduckgo", "Oculus Browser": "oculus", "Amazon Silk": "silk", "HuaweiBrowser": "huawei",
    "Miui Browser": "miui", "UCBrowser": "uc", "Android WebView": "webview", "Google Chrome": "chrome",
    "Chromium": "chromium",
}  # fmt: skip
"""What ``Sec-CH-UA`` may name; what tells most first."""


def os_of(agent: str) -> System | None:
    """The system, of a user agent in lower case, cut short.

    Example:
        >>> os_of("mozilla/5.0 (windows nt 10.0; win64; x64) chrome/130.0.0.0")
        System(name='windows', version=None)
        >>> os_of("mozilla/5.0 (iphone; cpu iphone os 18_6 like mac os x) version/26.0 mobile/15e148").version
        '26'
    """
    found = _first(_OSES, agent)
    return found and System(found[0], believed(found[0], _version(found[1]), found[1][0], agent))


def believed(name: str, version: str | None, where: str, agent: str) -> str | None:
    """The major version, unless browsers write it whatever the system's is."""
    if name == "windows":
        return _WINDOWS.get(version or "")
    if name == "macos":
        return None if version == "10" and not _THAWED_MACOS.search(where) else version
    if name == "android":
        return None if version == "10" and "; k)" in agent else version
    if name == "ios":
        return _ios(version, agent)
    return version


_THAWED_MACOS: Final = re.compile(r"10[._](?:[0-9]|1[0-4])(?![0-9])")
_LATE_SAFARI: Final = re.compile(r"\bversion/([0-9]{2,3})\.")
_FROZEN_IOS: Final = re.compile(r" os 18_[67]")


def _ios(version: str | None, agent: str) -> str | None:
    safari = _LATE_SAFARI.search(agent)
    if safari is not None and int(safari[1]) >= 26:
        return safari[1]
    return None if safari is None and _FROZEN_IOS.search(agent) else version


def browser_of(agent: str) -> System | None:
    """The browser, of a user agent in lower case, cut short.

    Example:
        >>> browser_of("mozilla/5.0 (windows nt 10.0) chrome/130.0.0.0 safari/537.36 edg/130.0.0.0")
        System(name='edge', version='130')
    """
    found = _first(_BROWSERS, agent)
    return found and System(found[0], _version(found[1]))


def _first(
    table: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...], agent: str
) -> tuple[str, re.Match[str]] | None:
    for name, needed, pattern in table:
        for one in needed:
            if one in agent:
                found = pattern.search(agent)
                if found is not None:
                    return name, found
                break
    return None


def _version(found: re.Match[str]) -> str | None:
    return next((one for one in found.groups() if one), None)
