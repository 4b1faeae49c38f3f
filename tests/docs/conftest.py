"""The pages, read as GitHub shows them: what stands in them, block by block. A test with ``page`` runs for each."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
ALONE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

_BLOCK = re.compile(r"^```(?P<language>[\w{}]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_OF_THE_MACHINE = re.compile(r"(python -m (venv|pip|nox|tox)|export)\b")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    line: int
    """Where its text starts in the page, from 1."""
    lead: str
    """The paragraph right before it."""

    @property
    def file(self) -> str | None:
        """The file it is to be written to: its lead ends in that name and a colon, as French sets it or not."""
        named = re.search(r"`([\w-]+\.\w+)`\s?:$", self.lead)
        return named and named[1]

    @property
    def more(self) -> bool:
        """Whether that file goes on: its lead begins with "Add"."""
        return self.lead.startswith("Add ")

    @property
    def stays(self) -> bool:
        """Whether what it starts goes on while the page is read."""
        return re.search(r"leave it running|laissez-l[ae] tourner", self.lead) is not None

    @property
    def shown_later(self) -> bool:
        """Whether what was started goes on to print it."""
        return self.language == "" and re.search(r"now shows", self.lead) is not None

    @property
    def untested(self) -> str | None:
        """Why it is not run, in the words of the page."""
        said = re.search(r"Not tested: (.+?)\.", self.lead)
        return said and said[1]

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each ``$ command`` that a test can type, and what is shown below it."""
        return [(command, shown) for command, shown in _COMMAND.findall(self.text) if can_run(command)]

    @property
    def left_out(self) -> list[str]:
        """The other commands: they have no prompt, would download, or would run all of this again."""
        if self.language != "console":
            return []
        typed = [command for command, _ in _COMMAND.findall(self.text)] or self.text.splitlines()
        return [command for command in typed if "$ " not in self.text or not can_run(command)]


def can_run(command: str) -> bool:
    return command == "python -m pip install -e ." or not _OF_THE_MACHINE.match(command)


@attrs.frozen(slots=False)
class Page:
    """A page of the documentation, or one that stands alone at the root."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else self.path.name

    @property
    def language(self) -> str:
        """``en``, or what stands before the last dot of its name: ``shop.fr.md``."""
        return self.path.suffixes[0][1:] if len(self.path.suffixes) > 1 else "en"

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [
            Block(
                language=found["language"],
                text=found["text"],
                line=self.text.count("\n", 0, found.start("text")) + 1,
                lead=self.text[: found.start()].rstrip().rpartition("\n\n")[2],
            )
            for found in _BLOCK.finditer(self.text)
        ]

    @cached_property
    def prose(self) -> str:
        """The text less its blocks."""
        return _BLOCK.sub("", self.text)

    @cached_property
    def headings(self) -> list[str]:
        return [found[2] for found in _HEADING.finditer(self.prose)]

    @cached_property
    def anchors(self) -> set[str]:
        """What a link to a heading may name, as GitHub and MyST make it."""
        return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in self.headings}

    def section(self, heading: str) -> str:
        """What stands under a heading, up to the next one that is no lower."""
        marks, start = next((found[1], found.end()) for found in _HEADING.finditer(self.text) if found[2] == heading)
        following = re.compile(rf"^#{{1,{len(marks)}}} ", re.MULTILINE).search(self.text, start)
        return self.text[start : following.start() if following else None]

    def column(self, place: int, *, under: str | None = None) -> list[str]:
        """The names in one column of the tables of the page or a section: cells that are nothing but code."""
        text = self.text if under is None else self.section(under)
        rows = (line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| "))
        cells = (row[place].strip() for row in rows if len(row) > place)
        return [cell.strip("`") for cell in cells if re.fullmatch("`[^`]+`", cell)]


PAGES = [
    *(Page(ROOT / name) for name in ALONE),
    *(Page(path) for place in ("docs/**/*.md", "plugins/*/README.md") for path in sorted(ROOT.glob(place))),
]


SERVICES = re.compile(
    r"cxkit[-_](celery|nats|otel|postgres|redis)"
    r"|(send-to-(nats|opentelemetry)|share-state-in-(postgresql|redis)|use-with-celery)\.md"
)
"""Pages whose blocks need a plugin that only the environment of the services has."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        runs = "terminal" in metafunc.fixturenames
        marks = [[pytest.mark.services] if runs and SERVICES.search(page.name) else [] for page in PAGES]
        pages = [pytest.param(page, marks=marked) for page, marked in zip(PAGES, marks, strict=True)]
        metafunc.parametrize("page", pages, ids=[page.name for page in PAGES])


@pytest.fixture
def pages() -> dict[str, Page]:
    """All pages, by their path from the root."""
    return {page.name: page for page in PAGES}
