"""The device that a request comes from: what the browser's hints say, over what its user agent says."""

from __future__ import annotations

from typing import Final

from cxkit.model.context import Device
from cxkit_device.device_types import FORM_FACTORS, TOUCHED, DeviceTypes
from cxkit_device.engine import Engine
from cxkit_device.hints import Hints
from cxkit_device.systems import BRANDS, PLATFORMS, System, browser_of, os_of

__all__ = ["Devices"]

_OLD_WINDOWS: Final = {1: "7", 2: "8", 3: "8"}
_DESKTOPS: Final = frozenset(["windows", "macos", "linux", "chromeos"])
_HELD: Final = frozenset(["tv", "console", "watch", "car", "xr", "ereader", "speaker", "tablet"])
"""What a browser that says it is mobile may still run on; and one that says it is not."""
_UNKNOWN: Final = System("")
_NOTHING: Final = Device()


class Devices:
    """Tells devices.

    Args:
        engine: Knows more systems and browsers than this package itself.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine
        self._types = DeviceTypes()

    def of(self, agent: str, hints: Hints, *, edge: str | None = None) -> Device | None:
        """The device; None where nothing is known of it.

        Args:
            agent: The user agent, cut short.
            edge: The type that a network in front of the app says it is.

        Example:
            >>> from cxkit_device.hints import read
            >>> agent = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36"
            >>> hints = read({"sec-ch-ua-platform": '"Android"', "sec-ch-ua-platform-version": '"15.0.0"'})
            >>> device = Devices().of(agent, hints)
            >>> device.type, device.os, device.os_version, device.browser, device.touch
            ('phone', 'android', '15', 'chrome', True)
        """
        lower = agent.lower()
        os, browser = self._engine.of(agent) if self._engine is not None else (None, None)
        os = _os(os or os_of(lower), hints) or _UNKNOWN
        browser = _browser(hints) or browser or browser_of(lower) or _UNKNOWN
        told = _type(self._types.of(lower), os.name, hints) or edge
        device = Device(
            type=told,
            os=os.name or None,
            os_version=os.version,
            browser=browser.name or None,
            browser_version=browser.version,
            viewport=hints.viewport,
            touch=True if told in TOUCHED else None,  # that there is none, no request says
            reduced_motion=hints.reduced_motion,
            color_scheme=hints.color_scheme,
            save_data=hints.save_data,
        )
        return None if device == _NOTHING else device


def _type(said: str | None, os: str, hints: Hints) -> str | None:
    for factor, named in FORM_FACTORS.items():
        if factor in hints.form_factors:
            return named
    if hints.mobile is None or said in _HELD:
        return said
    if hints.mobile:
        return "phone"
    if os == "android":
        return "tablet"
    return "desktop" if os in _DESKTOPS else said


def _os(said: System | None, hints: Hints) -> System | None:
    name = PLATFORMS.get(hints.platform or "")
    if name is None:
        return said
    if said is not None and said.name != name and name in ("android", "linux") and said.name not in _DESKTOPS:
        return said  # what is made of Android or Linux and goes by a name of its own
    version = said.version if said is not None and said.name == name else None
    if hints.platform_version is not None:
        major, minor = hints.platform_version
        version = _windows(major, minor) if name == "windows" else str(major) if major else version
    return System(name, None if name == "linux" else version)


def _windows(major: int, minor: int) -> str | None:
    """Source: User-Agent Client Hints, "Sec-CH-UA-Platform-Version" on Windows, by Microsoft: 13 and newer is 11."""
    if major >= 13:
        return "11"
    return "10" if major else _OLD_WINDOWS.get(minor)


def _browser(hints: Hints) -> System | None:
    for brand, name in BRANDS.items():
        if brand in hints.brands:
            version = hints.brands[brand]
            return System(name, None if version is None else str(version))
    return None
