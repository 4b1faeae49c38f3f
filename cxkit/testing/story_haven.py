"""Candy Haven of the examples with two web servers, a phone desk and a job that writes letters, on one store.

`as_processes` is how a shop is run: a process each, on a store that they share. `in_one_process` is for a store that
cannot leave its process: kits of their own, as if they were elsewhere. Both need a checkout, for the example
is not installed.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

import cxkit
from cxkit.kit import Kit
from cxkit.model import JSON
from cxkit.roles import Store
from cxkit.settings import load
from cxkit.testing.receiver import Receiver
from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.web_shop import served

__all__ = ["PATIENCE_S", "Haven", "as_processes", "candy_haven", "in_one_process", "until"]

PATIENCE_S: Final = 30.0
"""How long what happens within a second may take on a machine that has much else to do."""

_CONFIGURATION: Final = """\
service = "candy-haven"
directory = {directory}
store_budget_s = {patience_s}
keys = {{ signing = ["a secret of sixteen"], identifier = "another of sixteen" }}

[topics.newsletter]
kind = "marketing"

[topics.box]
kind = "transactional"

[exporters.receiver]
type = "http"
url = {url}
purposes = ["analytics"]

"""

_LOCAL: Final = """\
[exporters.local]
type = "local"
purposes = ["analytics"]

"""
"""Where all of them are on one machine: this file is erased by whoever is asked, and has one for all."""


@attrs.frozen(kw_only=True)
class Haven:
    """Candy Haven, open."""

    browser: Callable[[int], Any]
    """A browser, given which of the two web servers it visits."""
    call: Callable[[str, str, str], str]
    """Call the phone desk: number, topic, case; what its operator reads."""
    may_write: Callable[[str, str], str]
    """Ask the job that writes letters: topic, address."""
    erase: Callable[[str], None]
    """Have the customer of this user_id erased, by somebody who is neither of the web servers."""
    receiver: Receiver
    store: Store
    """The same as all of them work with, to look into."""
    directory: Path
    """Where they keep their files."""

    def documents(self, kind: str) -> dict[str, Mapping[str, JSON]]:
        """What the store holds of a kind, by the rest of its key."""
        found: dict[str, Mapping[str, JSON]] = {}
        while page := self.store.scan(f"{kind}/", after=max(found, default="") and f"{kind}/{max(found)}"):
            found.update((one.key.partition("/")[2], one.body) for one in page)
        return found

    def traces(self, text: str) -> list[str]:
        """The files that hold this text, but for those of the store: it keeps tombstones."""
        files = [one for one in self.directory.rglob("*") if one.is_file() and not one.name.startswith("state.db")]
        try:
            return [str(one) for one in files if text.encode() in one.read_bytes()]
        except FileNotFoundError:  # a kit renamed or ended a file between the two lines: look again
            return self.traces(text)


def until(fact: Callable[[], object], what: str) -> float:
    """Ask again and again for what must become true; the seconds that it took.

    Raises:
        AssertionError: It has not, for long.

    Example:
        >>> until(lambda: True, "it is so") < 1
        True
    """
    began = time.monotonic()
    while not fact():
        assert time.monotonic() - began < PATIENCE_S, f"not so: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


@contextmanager
def candy_haven(root: Path, home: Path) -> Iterator[None]:
    """Make ``examples`` of a checkout importable, from a copy: nothing beside it is.

    Args:
        root: The checkout.
        home: Where the copy goes.
    """
    shutil.copytree(root / "examples", home / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    sys.path.insert(0, str(home))
    try:
        yield
    finally:
        sys.path.remove(str(home))
        for name in [name for name in sys.modules if name.partition(".")[0] == "examples"]:
            del sys.modules[name]


def _module(name: str) -> Any:
    return importlib.import_module(f"examples.candy_haven.{name}")


def _browser(urls: tuple[str, str], which: int) -> Any:
    return _module("visitors").Browser(urls[which])


# --- a process each -------------------------------------------------------------------------------


@contextmanager
def as_processes(directory: Path, where: Elsewhere) -> Iterator[Haven]:
    """Two web servers, and a process more for each call, letter and erasure.

    Args:
        directory: Where all files go. Processes that share a remote store are taken to be on machines of their own.
        where: The store.
    """
    servers = _module("servers")
    with ExitStack() as stack:
        store, receiver = where.open(), stack.enter_context(Receiver())
        stack.callback(store.close)
        homes = [directory / name for name in ("web1", "web2", "desk")]
        files = [_configure(home, directory, where, receiver.url, remote=store.remote) for home in homes]
        one, other = (stack.enter_context(servers.Shop(file)) for file in files[:2])
        desk = servers.Shop(files[2])
        yield Haven(
            browser=partial(_browser, (one.url, other.url)),
            call=desk.call,
            may_write=desk.may_write,
            erase=lambda user: _erased(servers, files[2], user),
            receiver=receiver,
            store=store,
            directory=directory,
        )
        assert one.output.read_text() == other.output.read_text() == "", "a web server had something to say"


def _erased(servers: Any, configuration: Path, user: str) -> None:
    servers.cxkit("privacy", "erase", f"user_id:{user}", "--yes", configuration=configuration)


def _configure(home: Path, shared: Path, where: Elsewhere, url: str, *, remote: bool) -> Path:
    home.mkdir()
    kept = (home if remote else shared) / ".cxkit"
    module, _, name = where.factory.partition(":")
    table = {"type": getattr(importlib.import_module(module), name).name, **where.table}
    text = _CONFIGURATION.format(directory=json.dumps(str(kept)), url=json.dumps(url), patience_s=PATIENCE_S)
    options = "".join(f"{key} = {json.dumps(value, default=str)}\n" for key, value in table.items())
    text += f"{'' if remote else _LOCAL}[store]\n{options}"
    file = home / "cxkit.toml"
    file.write_text(text, "utf-8")
    return file


# --- all in one -----------------------------------------------------------------------------------


@contextmanager
def in_one_process(directory: Path, store: Store) -> Iterator[Haven]:
    """The same with a kit for each of them, and threads for the web servers."""
    front, desk, letters = _module("fronts.starlette"), _module("desk"), _module("letters")
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        kits = [stack.enter_context(_kit(directory / name, receiver.url, store)) for name in ("web1", "web2", "desk")]
        urls = tuple(f"http://127.0.0.1:{stack.enter_context(served(front.make(kit)))}" for kit in kits[:2])
        yield Haven(
            browser=partial(_browser, (urls[0], urls[1])),
            call=partial(_elsewhere, kits[2], desk.answer),
            may_write=partial(_elsewhere, kits[2], letters.may_write),
            erase=lambda user: _erase(directory / "privacy", receiver.url, store, user),
            receiver=receiver,
            store=store,
            directory=directory,
        )


@contextmanager
def _kit(home: Path, url: str, store: Store) -> Iterator[Kit]:
    home.mkdir()
    texts = {"directory": json.dumps(str(home / ".cxkit")), "url": json.dumps(url)}
    (home / "cxkit.toml").write_text(_CONFIGURATION.format(**texts, patience_s=PATIENCE_S), "utf-8")
    kit = Kit(load(file=home / "cxkit.toml"), store=store)
    try:
        yield kit
    finally:
        kit.close(timeout_s=PATIENCE_S)


def _erase(home: Path, url: str, store: Store, user: str) -> None:
    with _kit(home, url, store) as kit:
        left = _elsewhere(kit, partial(cxkit.erase, user_id=user))
        assert left.committed, left


def _elsewhere(kit: Kit, act: Callable[..., Any], *arguments: str) -> Any:
    with cxkit.scope(kit=kit):
        return act(*arguments)
