"""System and browser by ua-parser's thousand patterns, in Rust; the extra ``ua``."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any, Final

from cxkit.errors import MissingDependencyError
from cxkit_device.systems import System, believed

__all__ = ["Engine", "installed"]

_WORDS: Final = {
    "mobile_safari": "safari", "mobile_safari_ui/wkwebview": "webview", "chrome_mobile": "chrome",
    "chrome_mobile_ios": "chrome", "chrome_mobile_webview": "webview", "edge_mobile": "edge",
    "firefox_mobile": "firefox", "firefox_ios": "firefox", "firefox_alpha": "firefox", "firefox_beta": "firefox",
    "opera_mobile": "opera",
    "opera_mini": "opera", "opera_touch": "opera", "opera_gx": "opera", "opera_neon": "opera",
    "ie": "internet_explorer", "ie_mobile": "internet_explorer", "amazon_silk": "silk",
    "yandex_browser": "yandex", "uc_browser": "uc",
    "huawei_browser": "huawei", "miuibrowser": "miui", "oculus_browser": "oculus", "google": "google_app",
    "duckduckgo_mobile": "duckduckgo", "qq_browser_mobile": "qq_browser", "qq_browser_mini": "qq_browser",
    "mac_os_x": "macos", "mac_os": "macos", "chrome_os": "chromeos", "firefox_os": "firefoxos", "watchos": "watchos",
    "atv_os_x": "tvos", "symbian_os": "symbian", "blackberry_os": "blackberry", "blackberry_tablet_os": "blackberry",
    "web0s": "webos", "samsung": "tizen",
}  # fmt: skip
"""Theirs to ours, where they differ by more than spaces and capitals."""
_CAPTURED: Final = (
    "Chrome Chromium Firefox Safari Opera Vivaldi Instagram Pinterest Snapchat SeaMonkey Waterfox Puffin Epiphany "
    "Midori Konqueror Falkon Otter QupZilla qutebrowser Dolphin MullvadBrowser Ladybird Electron Fennec Iceweasel "
    "Maxthon Flipboard Camino K-Meleon Lynx Kindle PhantomJS Android Windows Linux Ubuntu Fedora FreeBSD OpenBSD "
    "NetBSD Tizen HarmonyOS MeeGo Bada Maemo Web0S GoogleTV Roku Sailfish Kindle Debian"
).split()
"""Names that its patterns take from the user agent itself: of those only these, which are somebody's product."""
_FORM: Final = re.compile(r"[a-z0-9_/^.]{1,32}")
_NONE: Final = frozenset(["other", "spider", "cfnetwork"])


def installed() -> bool:
    """Whether what the extra ``ua`` brings is there."""
    return find_spec("ua_parser") is not None and find_spec("ua_parser_rs") is not None


class Engine:
    """Ua-parser without its cache, which would keep whole user agents, and without its device patterns.

    Raises:
        MissingDependencyError: It is not installed.
    """

    def __init__(self) -> None:
        if not installed():
            raise MissingDependencyError(
                '"engine" is "ua-parser", and that is not installed', fix='install "cxkit-device[ua]"'
            )
        from ua_parser import Domain, load_lazy_builtins
        from ua_parser.regex import Resolver

        loaded: Any = load_lazy_builtins()  # its types do not say that a matcher has a family
        browsers, systems, _ = loaded
        families = [one.family for one in (*browsers, *systems)]
        self._known = {
            *(one for one in families if one and "$" not in one),
            *_CAPTURED,
        }
        self._resolve: Any = Resolver((browsers, systems, []))
        self._domains = Domain.USER_AGENT | Domain.OS
        self._resolve("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", self._domains)

    def of(self, agent: str) -> tuple[System | None, System | None]:
        """System and browser of a user agent, cut short.

        Example:
            >>> agent = "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Vivaldi/7.1 Safari/537.36"
            >>> Engine().of(agent) if installed() else (System("windows", "7"), System("vivaldi", "7"))
            (System(name='windows', version='7'), System(name='vivaldi', version='7'))
        """
        found = self._resolve(agent, self._domains)
        lower = agent.lower()
        os, browser = self._word(found.os), self._word(found.user_agent)
        if os is not None:
            os = System(os.name, _believed(os, found.os.minor, lower))
        return os, browser

    def _word(self, found: Any) -> System | None:
        if found is None or found.family not in self._known:
            return None
        word = found.family.lower().replace(" ", "_").replace("-", "_")
        word = _WORDS.get(word, word)
        return System(word, found.major) if _FORM.fullmatch(word) and word not in _NONE else None


def _believed(os: System, minor: str | None, agent: str) -> str | None:
    if os.name == "windows":
        return None if os.version in ("10", "NT") else os.version and os.version.lower()
    return believed(os.name, os.version, f"{os.version}.{minor or ''}", agent)
