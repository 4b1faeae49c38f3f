"""Figures: what the fault tests measured, kept for the table at the end of ``nox -s faults``.

A test calls `figure`. Where ``CXKIT_FIGURES`` names a file, a line of JSON is appended to it; else nothing
happens. ``python -m tests.faults.figures FILE`` prints them as a table.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

__all__ = ["figure", "table"]

_FILE = os.environ.get("CXKIT_FIGURES")  # now: tests run without a setting of cxkit in their environment


def figure(number: str, what: str, value: float | str, unit: str = "") -> None:
    """Keep one figure.

    Args:
        number: Of the fault, or ``numbers``.
        what: What was measured.
    """
    if isinstance(value, int):
        value = f"{value:,}"
    elif isinstance(value, float):
        value = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    line = json.dumps([number, what, value, unit])
    if _FILE:
        with Path(_FILE).open("a", encoding="utf-8") as file:
            file.write(line + "\n")  # one write: several workers may append


def table(file: Path) -> str:
    """The figures of a file as Markdown, in the order of the faults."""
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    rows.sort(key=lambda row: (row[0][0] != "F", int(row[0][1:]) if row[0][1:].isdigit() else 0))
    head = f"{os.cpu_count()} processors, {platform.python_implementation()} {platform.python_version()}"
    lines = [f"| {number} | {what} | {value} {unit} |" for number, what, value, unit in rows]
    return "\n".join([head, "", "| fault | measured | figure |", "|---|---|---|", *lines])


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))  # noqa: T201 - what it is for
