"""Candy Haven's five elements as somebody sees them, over HTTP; and the shop they stand in: two servers and a desk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from xml.etree import ElementTree

import attrs

from cxkit.model import Interaction
from cxkit.testing.receiver import Receiver
from cxkit.testing.story_haven import until

ATOM: Final = "{http://www.w3.org/2005/Atom}"
_CONFIGURATION: Final = """\
service = "shop"
directory = "{directory}"

[web.client_ip]
strategy = "rightmost_trusted_range"
trusted = ["loopback"]

[exporters.receiver]
type = "http"
url = "{analytics}"
purposes = ["analytics"]

[exporters.archive]
type = "http"
url = "{archive}"
purposes = ["necessary"]
"""


# --- what one sees --------------------------------------------------------------------------------


@attrs.frozen
class Seen:
    """An element, as somebody sees it."""

    told: str = ""
    form: str = ""
    sequence: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


def home(browser: Any) -> Seen:
    return at_home(browser.open("/"))


def at_home(page: Any) -> Seen:
    columns = "wide" if "class=wide" in page.text else "narrow"
    return Seen(page.heading, columns, _all('<li><a href="/sweets/([A-Z]{3}-[0-9]+)"', page), _asks(page))


def product(browser: Any) -> Seen:
    page = browser.open("/sweets/ALM-300")
    promised = page.found("([^.>]*within[^.]*|[^.>]*sous[^.]*)\\.").strip()
    return Seen(promised, "", _all('<li><a href="/sweets/([A-Z]{3}-[0-9]+)"', page), _asks(page))


def checkout(browser: Any) -> Seen:
    page = browser.open("/checkout")
    told = "".join(_all("</h1><p>(.*?)</p>", page))
    fields = "long" if 'name="note"' in page.text else "short"
    return Seen(told, fields, _all("<button>((?:Order and )?[Pp]ay)</button>", page), _asks(page))


def support(browser: Any) -> Seen:
    topics = _all('<option value="([a-z]+)"', browser.open("/support"))
    page = browser.open("/support", topic="other")
    return Seen(page.found("<p>(.*?) \\(case-"), "", topics, _asks(page))


def feed(browser: Any, path: str = "/feed") -> Seen:
    root = ElementTree.fromstring(browser.open(path).text)
    entries = root.findall(f"{ATOM}entry")
    ids = [entry.findtext(f"{ATOM}id", "").rpartition("/") for entry in entries]
    asks = tuple(name for folder, _, name in ids if folder.endswith("asked"))
    form = "full" if root.find(f"{ATOM}entry/{ATOM}content") is not None else "excerpts"
    sequence = tuple(name for folder, _, name in ids if not folder.endswith("asked"))
    return Seen(root.get("{http://www.w3.org/XML/1998/namespace}lang", ""), form, sequence, asks)


def blog(browser: Any) -> Seen:
    """The feed's posts, as a page."""
    page = browser.open("/blog")
    form = "excerpts" if "…" in page.text else "full"
    return Seen(page.heading, form, _all('<li><a href="/blog/([a-z-]+)"', page), _asks(page))


def _all(pattern: str, page: Any) -> tuple[str, ...]:
    return tuple(map(unescape, re.findall(pattern, page.text)))


def _asks(page: Any) -> tuple[str, ...]:
    return _all('name="question" value="([^"]+)"', page)


ELEMENTS: Final[Mapping[str, Callable[[Any], Seen]]] = {
    "home": home, "product": product, "support": support, "feed": blog, "checkout": checkout,
}  # fmt: skip
"""In the order in which they are looked at: to go to the checkout is a step of the journey, and changes the others."""
BELONGS: Final = {"home": "home", "sweet": "product", "checkout": "checkout", "support": "support", "blog": "feed"}
"""The first word of an experience's name to its element."""


# --- the shop, open -------------------------------------------------------------------------------


@attrs.frozen
class Haven:
    """Two web servers on one store, the telephone, and where their interactions go."""

    urls: tuple[str, str]
    desk: Any
    receiver: Receiver
    archive: Receiver
    operate: Callable[..., str]
    directory: Path
    _browser: Any

    def browser(self, which: int = 0, *, cookies: Any = (), **options: Any) -> Any:
        """A browser that visits one of the servers, with the cookies of another, if it is the same."""
        made = self._browser(self.urls[which], **options)
        for cookie in cookies:
            made.cookies.set_cookie(cookie)
        return made

    def customer(self, which: int = 0, *, name: str = "", password: str = "", **options: Any) -> tuple[Any, Seen]:
        """Somebody who allows all, and has signed in, if they have a name; and their home."""
        browser = self.browser(which, **options)
        if name:
            browser.open("/login", name=name, password=password)
        return browser, at_home(browser.open("/consent", choice="accept"))

    def arrived(self, fits: Callable[[Interaction], bool], count: int = 1) -> list[Interaction]:
        found: list[Interaction] = []

        def there() -> bool:
            found[:] = {one.id: one for one in self.receiver.interactions if fits(one)}.values()
            return len(found) >= count

        until(there, "it has arrived")
        return found


@contextmanager
def opened(folder: Path, servers: ModuleType, visitors: ModuleType) -> Iterator[Haven]:
    with ExitStack() as stack:
        receiver, archive = (stack.enter_context(Receiver()) for _ in range(2))
        files = []
        for name in ("web1", "web2", "desk"):
            (folder / name).mkdir()
            text = _CONFIGURATION.format(directory=folder / ".cxkit", analytics=receiver.url, archive=archive.url)
            (folder / name / "cxkit.toml").write_text(text, "utf-8")
            files.append(folder / name / "cxkit.toml")
        one, other = (stack.enter_context(servers.Shop(file)) for file in files[:2])
        yield Haven(
            (one.url, other.url), servers.Shop(files[2]), receiver, archive,
            lambda *words: servers.cxkit(*words, configuration=files[2]), folder, visitors.Browser,
        )  # fmt: skip
        assert one.output.read_text() == other.output.read_text() == "", "a web server had something to say"
