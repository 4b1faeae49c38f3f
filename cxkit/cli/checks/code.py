"""Settings that an application has in its code: no command reads them, so each says where it looked itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxkit.cli.checks.finding import Finding
from cxkit.cli.checks.reasons import Meaning
from cxkit.cli.init.apps import find
from cxkit.cli.language import say
from cxkit.kit.examination import Examined

__all__ = ["check_code", "in_code", "unread"]


def in_code() -> str | None:
    """Where the project in the working directory gives settings in code, as ``FILE:LINE``; None: that is not seen."""
    return find(Path()).in_code


def unread(where: str) -> Meaning:
    """What that means for a command."""
    return Meaning(
        say("{where} gives settings in code, which this command does not read: it may look elsewhere", where=where),
        say("say the same in cxkit.toml; or name the directory of the application by the variable CXKIT_DIRECTORY"),
    )


def check_code(examined: Examined) -> Iterator[Finding]:
    """Whether what was examined is what the application has."""
    where = in_code()
    if where is not None:
        told = unread(where)
        yield Finding(severity="warning", about="settings", what=told.what, fix=told.fix)
