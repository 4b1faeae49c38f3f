"""The device: its type by words, its system and browser as far as they can be believed, and hints over all of it."""

from __future__ import annotations

from typing import Any

import pytest

from cxkit.model import Context, Device
from cxkit.testing.enricher_suite import request
from cxkit_device import FORM, DeviceEnricher, Settings
from cxkit_device.hints import HEADERS

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1"
)
ENGINES = ("none", "ua-parser")


def device(agent: str | None, *, engine: Any = "none", proxied: bool = False, **headers: str) -> Device:
    said = {name.replace("_", "-"): text for name, text in headers.items()}
    if agent is not None:
        said["user-agent"] = agent
    found = DeviceEnricher(Settings(engine=engine)).enrich(request(headers=said, proxied=proxied), Context())
    held = found.get("device", Device())
    assert isinstance(held, Device)
    return held


# --- types ---


@pytest.mark.parametrize(
    ("agent", "named"),
    [
        (WINDOWS, "desktop"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "desktop"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36", "desktop"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "desktop"),
        ("Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Tablet PC 2.0; Trident/5.0)", "desktop"),
        (IPHONE, "phone"),
        (ANDROID, "phone"),
        ("Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5", "phone"),
        ("Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10", "phone"),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {CHROME} Safari/537.36", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "tablet"),
        (f"Mozilla/5.0 (Linux; Android 11; KFTUWI) {CHROME} Safari/537.36", "tablet"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 Version/6.0 TV Safari/538.1", "tv"),
        ("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/79.0.3945.79 Safari/537.36", "tv"),
        (f"Mozilla/5.0 (Linux; Android 9; AFTMM Build/NS6265) {CHROME} Mobile Safari/537.36", "tv"),
        ("Roku4640X/DVP-7.70 (297.70E04154A)", "tv"),
        ("Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15 Version/13.0 Safari/605.1.15", "console"),
        ("Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 NF/6.0.2.21.3", "console"),
        (f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) {CHROME} OculusBrowser/35.0 VR".replace(" VR", ""), "xr"),
        ("Mozilla/5.0 (X11; GNU/Linux) AppleWebKit/537.36 Chromium/79.0 Chrome/79.0 Safari/537.36 Tesla/2022.4", "car"),
        ("Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) Version/5.0 Safari/533.2+ Kindle/3.0+", "ereader"),
        ("curl/8.5.0", None),
        ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A)", None),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", None),
    ],
)  # fmt: skip
def test_the_kind_of_device(agent: str, named: str | None) -> None:
    assert device(agent).type == named


def test_a_bot_that_calls_itself_a_telephone_has_the_type_of_one() -> None:
    """What it is shown, is decided by who it is; what it looked as, is worth knowing."""
    agent = f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {CHROME} Mobile (compatible; Googlebot/2.1)"
    assert device(agent).type == "phone"


@pytest.mark.parametrize(("agent", "touch"), [(ANDROID, True), (WINDOWS, None), ("curl/8.5.0", None)])
def test_touch_is_known_of_what_has_nothing_else(agent: str, touch: bool | None) -> None:
    assert device(agent).touch is touch


# --- systems and browsers ---


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("agent", "os", "browser"),
    [
        (WINDOWS, ("windows", None), ("chrome", "130")),
        (f"Mozilla/5.0 (Windows NT 6.1; WOW64) {CHROME} Safari/537.36", ("windows", "7"), ("chrome", "130")),
        (f"{WINDOWS} Edg/130.0.0.0", ("windows", None), ("edge", "130")),
        (f"{WINDOWS} OPR/115.0.0.0", ("windows", None), ("opera", "115")),
        (ANDROID, ("android", None), ("chrome", "130")),
        ("Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0", ("android", "14"), ("firefox", "131")),
        ("Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 SamsungBrowser/25.0 Chrome/121.0.0.0 "
         "Mobile Safari/537.36", ("android", "13"), ("samsung_internet", "25")),
        (IPHONE, ("ios", "17"), ("safari", "17")),
        (IPHONE.replace("17_5", "18_6").replace("Version/17.5", "Version/26.1"), ("ios", "26"), ("safari", "26")),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
         ("macos", None), ("safari", "18")),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("linux", None), ("firefox", "140")),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
         ("chromeos", "14541"), ("chrome", "130")),
    ],
)  # fmt: skip
def test_system_and_browser(engine: str, agent: str, os: Any, browser: Any) -> None:
    found = device(agent, engine=engine)
    if os[0] == "chromeos":
        os = ("chromeos", found.os_version)  # the engine tells a platform version, words alone do not
    assert ((found.os, found.os_version), (found.browser, found.browser_version)) == (os, browser)


def test_a_frozen_ios_without_a_browser_that_tells_is_not_believed() -> None:
    assert device(IPHONE.replace("17_5", "18_7").replace("Version/17.5 ", "")).os_version is None


def test_the_engine_knows_more_than_words_do() -> None:
    konqueror = "Mozilla/5.0 (compatible; Konqueror/4.5; FreeBSD) KHTML/4.5.4 (like Gecko)"
    assert (device(konqueror).browser, device(konqueror, engine="ua-parser").browser) == (None, "konqueror")


def test_the_engine_passes_on_no_word_of_the_user_agent() -> None:
    """Some of its patterns call a program what it calls itself."""
    found = device("Nancy@home-Almonds/1.0 CFNetwork/1410.0.3 Darwin/22.6.0", engine="ua-parser")
    assert "nancy" not in repr(found).lower()
    found = device("Mozilla/5.0 (X11; Linux x86_64) nancybot/1.0", engine="ua-parser")
    assert "nancy" not in repr(found).lower()


# --- client hints ---


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("version", "windows"),
    [
        ("15.0.0", "11"),
        ("13.0.0", "11"),
        ("10.0.0", "10"),
        ("1.0.0", "10"),
        ("0.3.0", "8"),
        ("0.1.0", "7"),
        ("0.0.0", None),
    ],
)
def test_windows_11_is_told_by_the_platform_version(engine: str, version: str, windows: str | None) -> None:
    found = device(WINDOWS, engine=engine, sec_ch_ua_platform='"Windows"', sec_ch_ua_platform_version=f'"{version}"')
    assert (found.os, found.os_version) == ("windows", windows)


@pytest.mark.parametrize("engine", ENGINES)
def test_hints_thaw_a_frozen_android(engine: str) -> None:
    found = device(
        ANDROID,
        engine=engine,
        sec_ch_ua_platform='"Android"',
        sec_ch_ua_platform_version='"15.0.0"',
        sec_ch_ua_mobile="?1",
    )
    assert (found.type, found.os, found.os_version) == ("phone", "android", "15")


def test_hints_name_the_browser_that_the_user_agent_hides() -> None:
    found = device(WINDOWS, sec_ch_ua='"Brave";v="131", "Chromium";v="131", "Not_A Brand";v="24"')
    assert (found.browser, found.browser_version) == ("brave", "131")


@pytest.mark.parametrize(
    "grease",
    [
        " Not A;Brand",
        "Not?A_Brand",
        "(Not(A:Brand",
        "Not-A.Brand",
        "Not;A=Brand",
        ";Not A Brand",
        "Not/A)Brand",
        r"\\Not\"A;Brand",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_is_there_to_be_dropped_is_dropped(grease: str, first: bool) -> None:
    brands = [f'"{grease}";v="99"', '"Chromium";v="130"', '"Google Chrome";v="130"']
    found = device(WINDOWS, sec_ch_ua=", ".join(brands if first else brands[::-1]))
    assert (found.browser, found.browser_version) == ("chrome", "130")


def test_a_brand_that_no_list_has_is_not_passed_on() -> None:
    found = device("Nothing/1.0", sec_ch_ua='"nancy@example.com";v="1"', sec_ch_ua_platform='"Nancy OS"')
    assert found == Device()


@pytest.mark.parametrize(
    ("factors", "named"),
    [
        ('"Desktop"', "desktop"), ('"Mobile"', "phone"), ('"Tablet"', "tablet"), ('"Automotive"', "car"),
        ('"Watch"', "watch"),
        ('"XR", "Mobile"', "xr"), ('"EInk", "Tablet"', "ereader"), ('"Toaster"', "phone"),
        ("", "phone"), ('"Tablet', "phone"),
    ],
)  # fmt: skip
def test_form_factors_tell_the_kind(factors: str, named: str) -> None:
    assert device(ANDROID, sec_ch_ua_form_factors=factors).type == named


@pytest.mark.parametrize(
    ("agent", "mobile", "platform", "named"),
    [
        (ANDROID.replace("Mobile ", ""), "?0", '"Android"', "tablet"),
        (ANDROID, "?1", '"Android"', "phone"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36", "?0", '"Android"', "tablet"),
        (WINDOWS, "?0", '"Windows"', "desktop"),
        (f"Mozilla/5.0 (Linux; Android 9; AFTMM Build/NS6265) {CHROME} Mobile Safari/537.36", "?1", '"Android"', "tv"),
        (None, "?1", None, "phone"),
    ],
)
def test_mobile_tells_the_kind_where_words_do_not(
    agent: str | None, mobile: str, platform: str | None, named: str
) -> None:
    said = {"sec_ch_ua_mobile": mobile, **({} if platform is None else {"sec_ch_ua_platform": platform})}
    assert device(agent, **said).type == named


# --- form ---


@pytest.mark.parametrize(
    ("headers", "field", "value"),
    [
        ({"sec_ch_viewport_width": "412"}, "viewport", 412),
        ({"viewport_width": "800"}, "viewport", 800),
        ({"sec_ch_prefers_color_scheme": '"dark"'}, "color_scheme", "dark"),
        ({"sec_ch_prefers_color_scheme": "light"}, "color_scheme", "light"),
        ({"sec_ch_prefers_reduced_motion": '"reduce"'}, "reduced_motion", True),
        ({"sec_ch_prefers_reduced_motion": '"no-preference"'}, "reduced_motion", False),
        ({"save_data": "on"}, "save_data", True),
        ({"save_data": "?1"}, "save_data", True),
        ({"save_data": "?0"}, "save_data", False),
    ],
)
def test_form(headers: dict[str, str], field: str, value: object) -> None:
    assert getattr(device(ANDROID, **headers), field) == value
    assert getattr(device(ANDROID), field) is None


# --- a network in front ---


def test_an_edge_that_is_yours_is_believed_where_the_user_agent_says_nothing() -> None:
    said = {"cloudfront_is_mobile_viewer": "true", "cloudfront_is_tablet_viewer": "false"}
    assert device("Amazon CloudFront", proxied=True, **said).type == "phone"
    assert device("Amazon CloudFront", **said).type is None, "anybody can send a header"
    assert device(WINDOWS, proxied=True, **said).type == "desktop"


def test_what_to_ask_for_is_read() -> None:
    assert {one.lower() for one in FORM} <= set(HEADERS)
