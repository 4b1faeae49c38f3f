"""What the pages of a plugin say, for tests that hold it against the code."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["settings_on"]


def settings_on(page: Path) -> set[str]:
    r"""The names in the first column of the table of a page that is headed "setting".

    Raises:
        ValueError: There is no such table.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     page = Path(directory, "README.md")
        ...     _ = page.write_text("| setting | default | |\n|---|---|---|\n| `user`, `token` | none | Who. |\n")
        ...     sorted(settings_on(page))
        ['token', 'user']
    """
    table = re.search(r"^\| setting .+\n(?:\|.+\n)+", page.read_text("utf-8"), re.MULTILINE)
    if table is None:
        raise ValueError(f"{page.name} has no table of settings")
    return {name for row in table[0].splitlines() for name in re.findall(r"`(\w+)`", row[1:].partition("|")[0])}
