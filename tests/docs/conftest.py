"""The pages, read as GitHub shows them: what stands in them, block by block. A test with ``page`` runs for each."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
ALONE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
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
        """The file it is to be written to: its lead ends in that name and a colon."""
        named = re.search(r"`([\w-]+\.\w+)`:$", self.lead)
        return named and named[1]

    @property
    def more(self) -> bool:
        """Whether that file goes on: its lead begins with "Add"."""
        return self.lead.startswith("Add ")

    @property
    def untested(self) -> str | None:
        """Why it is not run, in the words of the page."""
        said = re.search(r"Not tested: (.+?)\.", self.lead)
        return said and said[1]


@attrs.frozen(slots=False)
class Page:
    """A page of the documentation, or one that stands alone at the root."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

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


PAGES = [Page(path) for path in (*(ROOT / one for one in ALONE), *sorted((ROOT / "docs").rglob("*.md")))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@pytest.fixture
def pages() -> dict[str, Page]:
    """All pages, by their path from the root."""
    return {page.name: page for page in PAGES}
