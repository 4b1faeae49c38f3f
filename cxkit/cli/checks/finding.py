"""A finding: what is wrong or worth knowing, and the one thing to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs
import click

from cxkit.cli.language import count, say
from cxkit.cli.terminal import visible
from cxkit.errors import CXError

__all__ = ["Finding", "Severity", "as_finding", "fails", "print_findings", "with_fix"]

Severity = Literal["error", "warning", "note"]


@attrs.frozen(kw_only=True)
class Finding:
    """One line of a report."""

    severity: Severity
    """error: something does not work; warning: it will not, or less well than it could; note: it is so on purpose."""
    about: str
    """What it is about, in a word that stays: ``settings``, ``disk``, ``exporter``."""
    what: str
    """One sentence without a full stop, in the operator's language."""
    fix: str
    """Likewise."""
    code: str | None = None
    """That of the error, where it is one."""


def as_finding(error: CXError, *, about: str) -> Finding:
    """An error as a finding."""
    return Finding(severity="error", about=about, what=error.what, fix=error.fix, code=error.code)


def fails(findings: Sequence[Finding]) -> bool:
    """Whether any of them is an error: then the exit code is 1."""
    return any(one.severity == "error" for one in findings)


def print_findings(findings: Sequence[Finding]) -> None:
    """A line for each, the errors first, and one with their numbers."""
    words = {"error": say("error"), "warning": say("warning"), "note": say("note")}
    width = max(map(len, words.values()))
    for severity in words:
        for one in findings:
            if one.severity == severity:
                line = visible(f"{one.code}: {one.what}" if one.code else one.what)
                click.echo(f"{words[severity]:<{width}}  {with_fix(line, visible(one.fix))}")
    numbers = {word: sum(one.severity == word for one in findings) for word in words}
    errors = count("{number} error", "{number} errors", numbers["error"])
    warnings = count("{number} warning", "{number} warnings", numbers["warning"])
    notes = count("{number} note", "{number} notes", numbers["note"])
    click.echo(f"{errors}, {warnings}, {notes}")


def with_fix(what: str, fix: str) -> str:
    """Both in one line."""
    return say("{what}. Fix: {fix}", what=what, fix=fix if fix.endswith("?") else f"{fix}.")
