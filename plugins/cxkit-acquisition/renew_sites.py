"""Renews ``cxkit_acquisition/lists/matomo.toml`` from Matomo's lists, which are in the public domain.

::

    git clone https://github.com/matomo-org/searchengine-and-social-list
    python -m pip install pyyaml
    python renew_sites.py searchengine-and-social-list

What has a path is left out, for referrers of today have none, and so is what is no host of the public net.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cxkit_acquisition.hosts import plain_host

LISTS = Path(__file__).parent / "cxkit_acquisition/lists"
FILES = {"AIAssistants.yml": "ai_assistant", "Socials.yml": "social", "SearchEngines.yml": "search"}
"""What is an assistant or a network as well, is no search engine: most of them have a search."""
PACKAGES = ("com.", "net.", "org.")
"""How the Android apps begin that stand among the hosts."""
HEAD = """\
# Made by renew_sites.py of Matomo's lists, which are in the public domain: see SOURCES.
# How a line is to be read stands in ours.toml, which goes before this.
"""


def main(repository: Path) -> None:
    """Write what the repository holds at HEAD."""
    import yaml  # a tool for this alone

    text = HEAD
    sources = [f"commit {git(repository, 'log', '-1', '--format=%H of %cs').decode().strip()}"]
    taken: set[str] = set()
    for file, medium in FILES.items():
        held = git(repository, "show", f"HEAD:{file}")
        sources.append(f"sha256 {hashlib.sha256(held).hexdigest()}  {file}")
        text += f"\n[{medium}]\n"
        for name, patterns in sites(yaml.safe_load(held), medium, taken).items():
            text += f'"{name}" = [\n' + "".join(f'    "{one}",\n' for one in patterns) + "]\n"
    today = datetime.datetime.now(datetime.UTC).date()
    sources = ["matomo-org/searchengine-and-social-list", *sources, f"converted {today}", "licence CC0-1.0"]
    (LISTS / "matomo.toml").write_text(text, "utf-8")
    (LISTS / "SOURCES").write_text("".join(f"{line}\n" for line in sources), "utf-8")
    (LISTS / "LICENSE-matomo.txt").write_bytes(git(repository, "show", "HEAD:LICENSE"))


def git(repository: Path, *command: str) -> bytes:
    """What git says."""
    return subprocess.run(["git", "-C", repository, *command], check=True, capture_output=True).stdout


def sites(names: dict[str, Any], medium: str, taken: set[str]) -> dict[str, list[str]]:
    """Source to its patterns; each pattern once."""
    found: dict[str, list[str]] = {}
    for name, entries in names.items():
        source = re.sub(r"\W+", "_", unquote(str(name)).replace("+", " plus").lower()).strip("_")
        for url in urls(entries):
            pattern = pattern_of(url.lower().removeprefix("www."), exact=medium == "search")
            if pattern is None:
                sys.stdout.write(f"left out: {url} of {name}\n")
            elif pattern.removeprefix("=") not in taken:
                taken.add(pattern.removeprefix("="))
                found.setdefault(source, []).append(pattern)
    return found


def urls(entries: list[Any]) -> Iterator[str]:
    """Of networks and assistants there are hosts alone; of search engines more."""
    for entry in entries:
        yield from [entry] if isinstance(entry, str) else entry["urls"]


def pattern_of(url: str, *, exact: bool) -> str | None:
    """A search engine is its host alone, for others are below it; a network is all below it."""
    app = re.match("android-app//([^/]+)", url)
    if app or url.startswith(PACKAGES):
        return f"app:{app[1] if app else url}"
    host = re.sub(r"^\{\}\.", "de.", url)  # a country's, as any
    host = re.sub(r"\.\{\}$", ".de", host)
    if plain_host(host) is None:
        return None
    return "=" * exact + url.replace("{}", "*")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
