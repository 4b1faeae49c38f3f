"""Renews the lists in ``cxkit_device/lists`` from the packages that they are of, and says beside them which ones.

::

    npm pack isbot
    pip download --no-deps crawler-user-agents
    python renew.py isbot-*.tgz crawler_user_agents-*.whl

A line is what a user agent must hold for the pattern to be tried at all, then the pattern, where that is not the
same; of programs that have a name: category, name, and both.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]  # the only reader of Python's patterns is Python's own
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LISTS = Path(__file__).parent / "cxkit_device/lists"
SHAPES = (
    r"^[\w \.",
    r"^[\w\-]+/",
    r"^[^ ]{50,}$",
    r"^\w+/",
    r"\|",
    r"\(\)",
    r"^[<\(;]",
    r";\s\w+;$",
    r"\b\w+/1\.0;",
)
"""How patterns begin that know no name, but what no browser looks like: an app of yours may look so, too."""
EDITS = {
    r"(?<! channel/|google/)": r"(?<! channel/)(?<!google/)",
    r"[\w\d-.]": r"[\w\d.-]",
}
"""What Python's patterns write otherwise than JavaScript's."""
NAMES = {
    "echanize": "Mechanize", "cunetix": "Acunetix", "Livelap": "LivelapBot", "rushBot": "SemrushBot",
    "ingdom": "Pingdom", "urebot": "Curebot", "Ahrefs": "AhrefsBot", "rawler": "SISTRIX Crawler",
    "laude": "ClaudeBot", "uster": "DirBuster", "owler": "Barkrowler", "ludo": "Cludo", "get": "Wget",
    "Feed-Fetcher": "BlogTraffic", "RSS Reader": "Current RSS Reader", "PTST": "WebPageTest",
}  # fmt: skip
"""What those are called of whose patterns but a part is fixed."""
NAMED_OTHERWISE = frozenset(["GoogleImageProxy", "YahooMailProxy"])
"""They fetch for people who read: see ``cxkit_device/mail.py``."""


def main(isbot: Path, crawlers: Path) -> None:
    """Write what these packages hold."""
    with tarfile.open(isbot) as held:
        source = held.extractfile("package/index.mjs").read().decode()  # type: ignore[union-attr]
    with zipfile.ZipFile(crawlers) as held_too:
        named = json.loads(held_too.read("crawleruseragents/crawler-user-agents.json"))
    patterns = json.loads(re.search(r"patterns_default = (\[.*?\n\])", source, re.DOTALL)[1])  # type: ignore[index]
    bots: list[str] = []
    shapes: list[str] = []
    for pattern in patterns:
        for theirs, ours in EDITS.items():
            pattern = pattern.replace(theirs, ours)
        (shapes if pattern.startswith(SHAPES) else bots).append(line(pattern))
    write("bots.tsv", bots)
    write("shapes.tsv", shapes)
    programs = []
    for one in named:
        pattern, category = one["pattern"], one["tags"][0].replace("-", "_")
        for part in [pattern] if "(" in pattern else pattern.split("|"):
            name = longest(part).strip(" /()+-;:")
            name = NAMES.get(name, name)
            if name not in NAMED_OTHERWISE and len(name) > 2:
                programs.append(f"{category}\t{name}\t{line(part)}")
    write("SOURCES", [origin(isbot, "Unlicense", "bots.tsv shapes.tsv"), origin(crawlers, "MIT", "names.tsv")])
    # The more a name says, the earlier it is asked for: Googlebot-Image before Googlebot.
    write("names.tsv", sorted(programs, key=lambda one: (-len(one.split("\t")[2]), one)))


def origin(archive: Path, licence: str, lists: str) -> str:
    """Which package it was, as the name of its file tells, and what is made of it."""
    name, version = re.match(r"(\w+)-([0-9.]+[0-9])", archive.name).groups()  # type: ignore[union-attr]
    return "\t".join(
        [name.replace("_", "-"), version, licence, lists, hashlib.sha256(archive.read_bytes()).hexdigest()]
    )


def line(pattern: str) -> str:
    """What must be there, and the pattern, unless it is that."""
    held = longest(pattern)
    return (
        held
        if re.escape(held) == re.escape(re.sub(r"\\(\W)", r"\1", pattern)) and not special(pattern)
        else f"{held}\t{pattern}"
    )


def special(pattern: str) -> bool:
    """Whether it is more than a text."""
    return any(kind is not op.LITERAL for kind, _ in parser.parse(pattern))


def longest(pattern: str) -> str:
    """The longest text that whatever matches the pattern holds."""
    return max(runs(parser.parse(pattern)), key=len, default="")


def runs(parsed: Any) -> list[str]:
    """The texts that whatever matches holds, each in one piece."""
    found, text = [], ""
    for kind, value in parsed:
        if kind is op.LITERAL:
            text += chr(value)
            continue
        if kind in (op.AT, op.ASSERT, op.ASSERT_NOT):  # they take no room
            continue
        found.append(text)
        text = ""
        if kind is op.SUBPATTERN:
            found += runs(value[3])
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT) and value[0] > 0:
            found += runs(value[2])
    return [*found, text]


def write(name: str, lines: list[str]) -> None:
    """Write a list."""
    (LISTS / name).write_text("".join(f"{one}\n" for one in lines), "utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
